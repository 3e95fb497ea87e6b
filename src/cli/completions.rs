//! `feedwall completions SHELL`: what a shell reads once, so that it asks feedwall itself what may come next.
//! Names of feeds and firewalls come from the config of the moment: the one that the line names with
//! `--config`, or the usual one.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use clap::{Command, CommandFactory as _, ValueEnum};
use clap_complete::engine::{
    ArgValueCompleter, CompletionCandidate, PathCompleter, ValueCompleter,
};
use clap_complete::env::{Bash, CompleteEnv, EnvCompleter, Fish, Zsh};

use crate::config::{Config, defaults};

use super::{Cli, Exit, print};

/// `feedwall completions`
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The shell that is to complete.
    shell: Shell,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Shell {
    Bash,
    Zsh,
    Fish,
}

/// Set by the script of a shell that wants to know what may come next.
const ASKED: &str = "FEEDWALL_COMPLETE";

/// Answers a shell that asks what may come next, and ends the program then; otherwise does nothing.
pub fn answer() {
    CompleteEnv::with_factory(command).var(ASKED).complete();
}

pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    let mut script = Vec::new();
    let shell: &dyn EnvCompleter = match args.shell {
        Shell::Bash => &Bash,
        Shell::Zsh => &Zsh,
        Shell::Fish => &Fish,
    };
    let name = "feedwall";
    shell.write_registration(ASKED, name, name, name, &mut script)?;
    print(String::from_utf8(script)?.trim_end())?;
    Ok(Exit::Done)
}

/// The command line with what is known of its values.
fn command() -> Command {
    hinted(Cli::command(), &[])
}

/// Adds the names to whatever takes one, in `command` and all below it.
fn hinted(command: Command, path: &[&str]) -> Command {
    let names: Vec<String> = command
        .get_subcommands()
        .map(|below| below.get_name().to_owned())
        .collect();
    let mut command = command.mut_args(|arg| match kind_of(path, arg.get_id().as_str()) {
        Some(kind) => arg.add(ArgValueCompleter::new(kind)),
        None => arg,
    });
    for name in &names {
        let below = [path, &[name.as_str()]].concat();
        command = command.mut_subcommand(name, |one| hinted(one, &below));
    }
    command
}

/// Whose names an argument takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Feed,
    /// A feed's name, or a file.
    FeedOrFile,
    Firewall,
}

fn kind_of(path: &[&str], arg: &str) -> Option<Kind> {
    match (path, arg) {
        (["feeds", "try"], "what") => Some(Kind::FeedOrFile),
        (["feeds", _], "name") | (_, "feed") => Some(Kind::Feed),
        (_, "firewall") => Some(Kind::Firewall),
        _ => None,
    }
}

impl ValueCompleter for Kind {
    fn complete(&self, current: &OsStr) -> Vec<CompletionCandidate> {
        let begun = current.to_string_lossy();
        // A shell that completes has no use for a fault of the config.
        let config = Config::load(&config_path(std::env::args_os())).ok();
        let names = config.map_or_else(Vec::new, |config| self.names(&config));
        let fitting = names
            .into_iter()
            .filter(|(name, _)| name.starts_with(&*begun));
        let mut found: Vec<_> = fitting
            .map(|(name, help)| CompletionCandidate::new(name).help(Some(help.into())))
            .collect();
        if *self == Self::FeedOrFile {
            found.extend(PathCompleter::file().complete(current));
        }
        found
    }
}

impl Kind {
    /// The names in the config, and a word about each.
    fn names(self, config: &Config) -> Vec<(String, &'static str)> {
        match self {
            Self::Feed | Self::FeedOrFile => {
                let feeds = config
                    .feeds
                    .iter()
                    .map(|feed| (feed.name.to_string(), "feed"));
                let lists = config.guard.lists.iter();
                let lists = lists.map(|list| (list.name.to_string(), "guard list"));
                feeds.chain(lists).collect()
            }
            Self::Firewall => {
                let firewalls = config.firewalls.iter();
                firewalls
                    .map(|one| (one.name.to_string(), "firewall"))
                    .collect()
            }
        }
    }
}

/// The config that the half-written line means.
fn config_path(line: impl Iterator<Item = OsString>) -> PathBuf {
    let mut words = line.skip_while(|word| word != "--").skip(1);
    while let Some(word) = words.next() {
        if word == "--config" {
            return words.next().unwrap_or_default().into();
        }
        if let Some(path) = word
            .to_str()
            .and_then(|word| word.strip_prefix("--config="))
        {
            return path.into();
        }
    }
    std::env::var_os("FEEDWALL_CONFIG")
        .unwrap_or_else(|| defaults::CONFIG_PATH.into())
        .into()
}

#[cfg(test)]
mod tests {
    use clap::Arg;

    use super::*;

    /// An argument of a command, however deep.
    fn arg<'a>(command: &'a Command, path: &[&str], name: &str) -> &'a Arg {
        let at = path
            .iter()
            .fold(command, |at, part| at.find_subcommand(part).unwrap());
        at.get_arguments().find(|arg| arg.get_id() == name).unwrap()
    }

    #[test]
    fn whatever_takes_a_name_is_completed() {
        let command = command();
        let hinted = |path: &[&str], name| {
            arg(&command, path, name)
                .get::<ArgValueCompleter>()
                .is_some()
        };
        for path in ["plan", "list", "reconcile", "withdraw", "resume", "approve"] {
            assert!(hinted(&[path], "firewall"), "{path} --firewall");
        }
        assert!(hinted(&["approve"], "feed") && hinted(&["list"], "feed"));
        assert!(hinted(&["feeds", "show"], "name") && hinted(&["feeds", "try"], "what"));
        assert!(!hinted(&["block"], "indicator"));
    }

    #[test]
    fn the_config_is_the_one_of_the_line() {
        let path = |line: &str| {
            let words: Vec<OsString> = line.split(' ').map(Into::into).collect();
            config_path(words.into_iter())
        };
        assert_eq!(
            path("feedwall -- feedwall --config a.toml plan"),
            PathBuf::from("a.toml")
        );
        assert_eq!(
            path("feedwall -- feedwall --config=b.toml plan"),
            PathBuf::from("b.toml")
        );
    }
}
