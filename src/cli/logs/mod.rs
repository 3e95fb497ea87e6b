//! Logs: one line an event that matters, quiet in calm. Text on standard error; where that is the journal's stream,
//! journald's own fields; JSON by choice.

mod journal;

use std::io::IsTerminal as _;

use clap::ValueEnum;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _};

use self::journal::Journal;
use super::{Cli, Command};

/// How events are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// `journal` where systemd's journal reads standard error, else `text`.
    #[default]
    Auto,
    /// A line for people.
    Text,
    /// A JSON object a line: timestamp, level, message, and the event's fields.
    Json,
    /// To journald itself, each field by its name: `journalctl -u feedwall FEEDWALL_FEED=drop`.
    Journal,
}

/// Starts logging. `FEEDWALL_LOG` (such as `feedwall=debug`) goes before `--verbose`.
pub fn start(cli: &Cli) {
    let default = match cli.verbose {
        // The demo tells its story itself.
        0 if matches!(cli.command, Command::Demo) => "error",
        0 => "feedwall=info,warn",
        1 => "feedwall=debug,info",
        _ => "trace",
    };
    let filter =
        EnvFilter::try_from_env("FEEDWALL_LOG").unwrap_or_else(|_| EnvFilter::new(default));
    let wanted = match cli.log_format {
        Format::Auto => journal::reads_standard_error(),
        other => other == Format::Journal,
    };
    // Without a journal to be reached, text is better than nothing.
    let journal = wanted.then(Journal::connect).and_then(Result::ok);
    let terminal = std::io::stderr().is_terminal();
    let colour = terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(|| super::progress::PastBars)
        .with_ansi(colour)
        .with_target(false);
    let layer = match (journal, cli.log_format) {
        (Some(journal), _) => journal.boxed(),
        (None, Format::Json) => lines.json().flatten_event(true).boxed(),
        (None, _) => lines.boxed(),
    };
    // Logging is started once, and what a test started before stays.
    let _ = tracing_subscriber::registry()
        .with(layer.with_filter(filter))
        .try_init();
}
