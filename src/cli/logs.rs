//! Logs go to standard error: text on a terminal, one line an event that matters, quiet in calm.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;

use super::{Cli, Command};

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
    let terminal = std::io::stderr().is_terminal();
    let colour = terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(|| super::progress::PastBars)
        .with_ansi(colour)
        .with_target(false);
    // Logging is started once, and what a test started before stays.
    let _ = lines.try_init();
}
