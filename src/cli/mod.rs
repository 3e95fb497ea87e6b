//! The command line: arguments in, tables or JSON out, and an exit code that a monitor can ask for.

mod approve;
mod ask;
mod backup;
mod by_hand;
mod calls;
mod catalog;
mod check;
mod check_online;
mod check_probe;
pub mod completions;
mod demo;
mod drop_feed;
mod explain;
mod export;
mod feeds;
mod feeds_try;
mod help;
mod l4;
mod list;
pub mod logs;
mod man;
mod plan;
pub mod progress;
mod quarantine;
mod reconcile;
mod reference;
mod run;
mod sim;
mod status;
mod withdraw;
mod words;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::config::{Config, ConfigError, defaults};

/// Keeps a cloud firewall's blocklist equal to what the threat feeds say, and proves it.
#[derive(Debug, Parser)]
#[command(
    name = "feedwall",
    version,
    propagate_version = true,
    disable_help_subcommand = true,
    after_help = epilogue()
)]
pub struct Cli {
    /// The config file.
    #[arg(long, global = true, env = "FEEDWALL_CONFIG", default_value = defaults::CONFIG_PATH)]
    pub config: PathBuf,
    /// Answer in JSON.
    #[arg(long, global = true)]
    pub json: bool,
    /// Say more; twice: everything.
    #[arg(long, short, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// How events are written to the log.
    #[arg(
        long,
        global = true,
        value_enum,
        value_name = "FORMAT",
        default_value = "auto",
        env = "FEEDWALL_LOG_FORMAT"
    )]
    pub log_format: logs::Format,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What feedwall can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Poll the feeds, plan, and keep the firewalls' lists as they should be.
    Run(run::Args),
    /// See the whole program work against a simulated cloud: no config, no network, no account.
    Demo,
    /// Is the config good? With --online: do its feeds and firewalls answer?
    Check(check::Args),
    /// How things stand: coverage, firewalls, feeds, and what needs you (then the exit code is 3).
    Status(status::Args),
    /// What each feed gives; one feed in full; a feed tried without recording it.
    Feeds(feeds::Args),
    /// Read the cloud's lists back, show where they differ from ours, and repair our own entries.
    Reconcile(reconcile::Args),
    /// What would be sent and why, and what is left out and why.
    Plan(plan::Args),
    /// What stands on the firewalls, or what a feed lists: a line each.
    List(list::Args),
    /// The journal of calls, newest first.
    Calls(calls::Args),
    /// What the cloud refused alone.
    Quarantine(quarantine::Args),
    /// Take a feed's held snapshot as the new baseline.
    Approve(approve::Args),
    /// The whole story of one indicator, also why it is not blocked.
    Explain(explain::Args),
    /// Block something by hand, for a while.
    Block(by_hand::BlockArgs),
    /// End a block by hand, and keep the feeds from bringing it back for a while.
    Unblock(by_hand::UnblockArgs),
    /// Never block something, whatever the feeds say.
    Allow(by_hand::AllowArgs),
    /// Write the desired set for other programs.
    Export(export::Args),
    /// Take back every entry of ours, and stay quiet until `resume`.
    Withdraw(withdraw::WithdrawArgs),
    /// Want again what the feeds want, after `withdraw`.
    Resume(withdraw::ResumeArgs),
    /// Copy the ledger to a new file, while the daemon runs.
    Backup(backup::Args),
    /// Layer-4 proxy rules from a file: plan, apply, list, delete.
    L4(l4::Args),
    /// A simulated cloud on loopback, to try feedwall against.
    Sim(Box<sim::Args>),
    /// What a shell reads once to complete feedwall's commands, feeds and firewalls.
    Completions(completions::Args),
    /// The help of a command, or what to do about a trouble that `status` names.
    Help(help::Args),
    /// The manual, a page a command: one printed, or all of them written into a directory.
    Man(man::Args),
}

/// What the exit codes mean, for `--help` and the manual.
const EXIT_CODES: [(&str, &str); 5] = [
    ("0", "It is done."),
    ("1", "It failed."),
    ("2", "It was asked for in a way that cannot be answered."),
    (
        "3",
        "Done, but something needs you: a held feed, a quarantine, drift, lapsing protection.",
    ),
    ("78", "The config is faulty."),
];

/// What the environment says, for `--help` and the manual.
const ENVIRONMENT: [(&str, &str); 7] = [
    ("FEEDWALL_CONFIG", "The config file, as --config."),
    (
        "FEEDWALL_LOG",
        "What is logged, such as feedwall=debug; goes before --verbose.",
    ),
    (
        "FEEDWALL_LOG_FORMAT",
        "auto, text, json or journal, as --log-format.",
    ),
    ("NO_COLOR", "Set to anything: no colours."),
    (
        "TENCENTCLOUD_SECRET_ID",
        "The keys' id, where credentials are \"auto\".",
    ),
    ("TENCENTCLOUD_SECRET_KEY", "The key itself."),
    ("TENCENTCLOUD_TOKEN", "The token of temporary keys."),
];

/// What `feedwall --help` ends with.
fn epilogue() -> String {
    let mut text = String::new();
    for (title, rows) in [
        ("Exit codes", &EXIT_CODES[..]),
        ("Environment", &ENVIRONMENT[..]),
    ] {
        text += &format!("\x1b[1m\x1b[4m{title}:\x1b[0m\n");
        let wide = rows.iter().map(|(term, _)| term.len()).max().unwrap_or(0);
        for (term, meaning) in rows {
            text += &format!("  {term:wide$}  {meaning}\n");
        }
        text.push('\n');
    }
    text.trim_end().to_owned()
}

/// How a command ended. The numbers are the process's exit codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// It is done.
    Done = 0,
    /// It failed.
    Failed = 1,
    /// It was asked for in a way that cannot be answered.
    Usage = 2,
    /// Done, but something waits for a person.
    NeedsYou = 3,
    /// The config is faulty.
    Config = 78,
}

/// A command line that cannot be answered, in a sentence; its exit code is 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Misused(pub String);

/// Runs the command.
///
/// # Errors
/// Whatever kept it from being done, as a sentence.
pub async fn run(cli: Cli) -> anyhow::Result<Exit> {
    match &cli.command {
        Command::Run(args) => run::run(&cli, args).await,
        Command::Demo => demo::run(&cli).await,
        Command::Check(args) => check::run(&cli, args).await,
        Command::Status(args) => status::run(&cli, args).await,
        Command::Feeds(args) => feeds::run(&cli, args).await,
        Command::Reconcile(args) => reconcile::run(&cli, args).await,
        Command::Plan(args) => plan::run(&cli, args).await,
        Command::List(args) => list::run(&cli, args).await,
        Command::Calls(args) => calls::run(&cli, args).await,
        Command::Quarantine(args) => quarantine::run(&cli, args).await,
        Command::Approve(args) => approve::run(&cli, args).await,
        Command::Explain(args) => explain::run(&cli, args).await,
        Command::Block(args) => by_hand::block(&cli, args).await,
        Command::Unblock(args) => by_hand::unblock(&cli, args).await,
        Command::Allow(args) => by_hand::allow(&cli, args).await,
        Command::Export(args) => export::run(&cli, args).await,
        Command::Withdraw(args) => withdraw::withdraw(&cli, args).await,
        Command::Resume(args) => withdraw::resume(&cli, args).await,
        Command::Backup(args) => backup::run(&cli, args).await,
        Command::L4(args) => l4::run(&cli, args).await,
        Command::Sim(args) => sim::run(&cli, args).await,
        Command::Completions(args) => completions::run(args),
        Command::Help(args) => help::run(args),
        Command::Man(args) => man::run(args),
    }
}

/// Tells why a command failed, and gives its exit code.
#[must_use]
pub fn fail(fault: &anyhow::Error) -> ExitCode {
    let mut err = anstream::stderr().lock();
    // There is nobody left to tell when standard error is gone.
    let _ = writeln!(err, "feedwall: {fault:#}");
    if fault.downcast_ref::<ConfigError>().is_some() {
        Exit::Config
    } else if fault.downcast_ref::<Misused>().is_some() {
        Exit::Usage
    } else {
        Exit::Failed
    }
    .into()
}

/// Reads the config that `--config` names.
///
/// # Errors
/// Every fault of it at once.
pub fn load_config(cli: &Cli) -> Result<Config, ConfigError> {
    Config::load(&cli.config)
}

/// Writes a line of a command's answer to standard output; a reader that went away ends the program quietly.
///
/// # Errors
/// When standard output cannot be written.
pub fn print(text: impl std::fmt::Display) -> std::io::Result<()> {
    let mut out = anstream::stdout().lock();
    match writeln!(out, "{text}") {
        Err(fault) if fault.kind() == std::io::ErrorKind::BrokenPipe => std::process::exit(0),
        written => written,
    }
}

/// Writes a command's answer as one JSON document.
///
/// # Errors
/// When standard output cannot be written.
pub fn print_json<T: serde::Serialize>(value: &T) -> anyhow::Result<()> {
    Ok(print(serde_json::to_string_pretty(value)?)?)
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
