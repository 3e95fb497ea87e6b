//! `feedwall man`: the manual, a page a command, made from what `--help` says.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use clap::{Command, CommandFactory as _};
use clap_mangen::Man;
use roff::{Roff, bold, roman};

use super::ask::advice;
use super::{Cli, Exit, print, reference};

/// `feedwall man`
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Write every page into this directory, which is made where it is missing.
    #[arg(long, value_name = "DIR", conflicts_with = "command")]
    out: Option<PathBuf>,
    /// Print the reference of commands and config keys instead, as Markdown.
    #[arg(long, conflicts_with_all = ["command", "out"])]
    reference: bool,
    /// The command whose page to print, such as `feeds try`; without it, that of feedwall itself.
    #[arg(value_name = "COMMAND")]
    command: Vec<String>,
}

pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    let mut command = Cli::command();
    command.build();
    if let Some(folder) = &args.out {
        fs::create_dir_all(folder)
            .with_context(|| format!("{} cannot be made", folder.display()))?;
        let pages = write(&command, folder)?;
        print(format_args!("{pages} pages are in {}", folder.display()))?;
        return Ok(Exit::Done);
    }
    if args.reference {
        print(reference::text(&command).trim_end())?;
        return Ok(Exit::Done);
    }
    let mut at = &command;
    for part in &args.command {
        let known: Vec<String> = shown(at).map(|one| one.get_name().to_owned()).collect();
        at = at.find_subcommand(part).ok_or_else(|| {
            anyhow!(
                "there is no command `{}` here; {}",
                super::ask::shown(part),
                advice(part, &known)
            )
        })?;
    }
    print(page(at)?.trim_end())?;
    Ok(Exit::Done)
}

/// Writes the pages of a command and of all below it, and counts them.
fn write(command: &Command, folder: &Path) -> anyhow::Result<usize> {
    let path = folder.join(Man::new(command.clone()).get_filename());
    fs::write(&path, page(command)?)
        .with_context(|| format!("{} cannot be written", path.display()))?;
    let mut pages = 1;
    for below in shown(command) {
        pages += write(below, folder)?;
    }
    Ok(pages)
}

/// What a person may type below a command; clap's own `help` beside the others of a command says nothing new.
pub(super) fn shown(command: &Command) -> impl Iterator<Item = &Command> {
    let clap_s_own = command.get_name() != "feedwall";
    let told = move |one: &&Command| !(one.is_hide_set() || clap_s_own && one.get_name() == "help");
    command.get_subcommands().filter(told)
}

/// One page, as roff.
fn page(command: &Command) -> anyhow::Result<String> {
    let man = Man::new(command.clone()).manual("feedwall");
    let mut text = Vec::new();
    man.render_title(&mut text)?;
    man.render_name_section(&mut text)?;
    man.render_synopsis_section(&mut text)?;
    man.render_description_section(&mut text)?;
    man.render_options_section(&mut text)?;
    let root = command
        .get_display_name()
        .is_none_or(|name| name == "feedwall");
    if shown(command).next().is_some() {
        commands(command).to_writer(&mut text)?;
    }
    if root {
        what_holds_everywhere().to_writer(&mut text)?;
    }
    see_also(command, root).to_writer(&mut text)?;
    Ok(String::from_utf8(text)?)
}

fn commands(command: &Command) -> Roff {
    let mut roff = Roff::default();
    roff.control("SH", ["COMMANDS"]);
    for below in shown(command) {
        let about = below
            .get_about()
            .map(ToString::to_string)
            .unwrap_or_default();
        roff.control("TP", []);
        roff.text([bold(page_name(below)), roman("(1)")]);
        roff.text([roman(about)]);
    }
    roff
}

/// Of the first page alone: what every command keeps to.
fn what_holds_everywhere() -> Roff {
    let mut roff = Roff::default();
    for (title, rows) in SECTIONS {
        roff.control("SH", [title]);
        for (term, text) in rows {
            roff.control("TP", []);
            roff.text([bold(*term)]);
            roff.text([roman(*text)]);
        }
    }
    roff
}

fn see_also(command: &Command, root: bool) -> Roff {
    let mut roff = Roff::default();
    roff.control("SH", ["SEE ALSO"]);
    if !root {
        roff.text([bold("feedwall"), roman("(1)")]);
        roff.control("PP", []);
    }
    for below in shown(command) {
        roff.text([bold(page_name(below)), roman("(1)")]);
    }
    roff.text([roman(
        "/usr/share/doc/feedwall/ holds the guide, the reference and the operations page.",
    )]);
    roff
}

fn page_name(command: &Command) -> String {
    command
        .get_display_name()
        .unwrap_or_else(|| command.get_name())
        .to_owned()
}

/// A section of the first page: terms and what they mean.
type Section = (&'static str, &'static [(&'static str, &'static str)]);

const SECTIONS: [Section; 4] = [
    ("EXIT STATUS", &super::EXIT_CODES),
    ("ENVIRONMENT", &super::ENVIRONMENT),
    (
        "FILES",
        &[
            ("/etc/feedwall/feedwall.toml", "The config."),
            (
                "/etc/feedwall/credentials/",
                "The keys, for the service: secret_id and secret_key, one line each, readable by root alone.",
            ),
            (
                "/var/lib/feedwall/ledger.db",
                "The ledger: every listing, lease and call. Worth a backup.",
            ),
        ],
    ),
    (
        "SIGNALS",
        &[
            (
                "SIGHUP",
                "run: reads the config again. A faulty one changes nothing.",
            ),
            (
                "SIGTERM, SIGINT",
                "run: ends within seconds; answers under way are waited for.",
            ),
        ],
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_a_page_with_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Cli::command();
        command.build();
        let pages = write(&command, folder.path()).unwrap();
        assert!(pages > 25, "{pages}");
        for (name, words) in [
            (
                "feedwall.1",
                vec![
                    "EXIT STATUS",
                    "ENVIRONMENT",
                    "FEEDWALL_CONFIG",
                    "feedwall\\-status",
                ],
            ),
            ("feedwall-status.1", vec!["\\-\\-watch"]),
            ("feedwall-feeds-try.1", vec!["feedwall\\-feeds\\-try \\- "]),
        ] {
            let text = fs::read_to_string(folder.path().join(name)).unwrap();
            for word in words {
                assert!(text.contains(word), "{name} lacks {word}:\n{text}");
            }
        }
    }
}
