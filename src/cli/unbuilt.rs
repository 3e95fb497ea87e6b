//! Words that are no command. Those of the design that are not built yet are refused by name, so that
//! nobody takes their silence for an effect; all others as clap does it.

use std::ffi::OsString;

use clap::CommandFactory as _;
use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::config::nearest;

use super::{Cli, Exit, Misused};

/// Refuses a word that is no command below `path`, of which those in `later` are to come.
pub(super) fn refuse_below(
    path: &[&str],
    words: &[OsString],
    later: &[&str],
) -> anyhow::Result<Exit> {
    let word = words
        .first()
        .map(|word| word.to_string_lossy().into_owned());
    let word = word.unwrap_or_default();
    if later.contains(&word.as_str()) {
        let path: String = path.iter().map(|part| format!("{part} ")).collect();
        return Err(Misused(format!("`feedwall {path}{word}` is not built yet")).into());
    }
    let mut command = Cli::command();
    command.build();
    let mut below = &command;
    for part in path {
        below = below.find_subcommand(part).unwrap_or(below);
    }
    unrecognized(below, &word).exit()
}

/// What clap says of a word that is no command.
fn unrecognized(command: &clap::Command, word: &str) -> clap::Error {
    let mut fault = clap::Error::new(ErrorKind::InvalidSubcommand).with_cmd(command);
    fault.insert(
        ContextKind::InvalidSubcommand,
        ContextValue::String(word.to_owned()),
    );
    let known = command.get_subcommands().map(clap::Command::get_name);
    if let Some(near) = nearest(word, known) {
        let near = vec![near.to_owned()];
        fault.insert(
            ContextKind::SuggestedSubcommand,
            ContextValue::Strings(near),
        );
    }
    let usage = command.clone().render_usage();
    fault.insert(ContextKind::Usage, ContextValue::StyledStr(usage));
    fault
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_answered_as_clap_answers_it() {
        let fault = unrecognized(&Cli::command(), "statsu").to_string();
        assert!(
            fault.starts_with("error: unrecognized subcommand 'statsu'"),
            "{fault}"
        );
        assert!(
            fault.contains("a similar subcommand exists: 'status'"),
            "{fault}"
        );
        assert!(fault.contains("Usage: feedwall"), "{fault}");
    }
}
