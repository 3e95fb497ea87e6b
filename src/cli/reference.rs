//! The reference of commands and config keys, as Markdown: `docs/reference.md` is what this writes, and a test compares.

use std::fmt::Write as _;

use clap::Command;

use crate::config;

use super::man::shown;

const HEAD: &str = "\
# Reference

Commands and config keys, written down by the program itself: `feedwall man --reference`.

";

/// The whole page.
pub(super) fn text(root: &Command) -> String {
    let mut text = format!("{HEAD}## Commands\n\n");
    text += "Every command takes the options of `feedwall` itself: `--config`, `--json`, `--verbose`, `--log-format`.\n\n";
    for (title, rows) in [
        ("Exit codes", &super::EXIT_CODES[..]),
        ("Environment", &super::ENVIRONMENT[..]),
    ] {
        let _ = writeln!(text, "### {title}\n\n| | |\n|---|---|");
        for (term, meaning) in rows {
            let _ = writeln!(text, "| `{term}` | {meaning} |");
        }
        text.push('\n');
    }
    for command in shown(root) {
        of(command, &mut text);
    }
    text += "## Config\n\n`/etc/feedwall/feedwall.toml`, or what `--config` names. Unknown keys are faults. \
        A key of `[[feed]]` may stand in `[defaults]`, for all feeds that do not say otherwise, but those that name a \
        feed, its source and its keys. `feedwall check --print` shows what is in force.\n\n";
    text + &config::reference()
}

fn of(command: &Command, text: &mut String) {
    let name = command.get_bin_name().unwrap_or_else(|| command.get_name());
    let _ = writeln!(text, "### `{name}`\n");
    let about = command.get_long_about().or_else(|| command.get_about());
    if let Some(about) = about {
        let about = about.to_string();
        let dot = if about.ends_with(['.', '?']) { "" } else { "." };
        let _ = writeln!(text, "{about}{dot}\n");
    }
    let own = command
        .get_arguments()
        .filter(|arg| !arg.is_global_set() && !arg.is_hide_set());
    let rows: Vec<_> = own
        .filter(|arg| !["help", "version"].contains(&arg.get_id().as_str()))
        .collect();
    if !rows.is_empty() {
        text.push_str("| | |\n|---|---|\n");
        for arg in rows {
            let help = arg
                .get_long_help()
                .or_else(|| arg.get_help())
                .map(ToString::to_string)
                .unwrap_or_default();
            let shown = arg.to_string().replace('|', "\\|");
            let help = help.replace('\n', " ").replace('|', "\\|");
            let _ = writeln!(text, "| `{shown}` | {help}{} |", defaults(arg));
        }
        text.push('\n');
    }
    for below in shown(command) {
        of(below, text);
    }
}

fn defaults(arg: &clap::Arg) -> String {
    let values: Vec<_> = arg
        .get_default_values()
        .iter()
        .map(|value| value.to_string_lossy())
        .collect();
    match values.as_slice() {
        values if !arg.get_action().takes_values() || values.is_empty() => String::new(),
        values => format!(" (default: `{}`)", values.join(" ")),
    }
}
