//! `feedwall l4`: layer-4 proxy rules from a file. A running daemon is neither asked nor disturbed: the calls are others,
//! with a limit of their own, and the two write no row of each other's.

mod show;

use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::Subcommand;
use serde_json::json;
use tokio::sync::watch;

use crate::clock::Clock;
use crate::cloud::Surroundings;
use crate::config::{Config, parse_duration};
use crate::l4::plan::Options;
use crate::l4::{self, Defaults, Desk, Orders, RuleFile};
use crate::ledger::{DaemonLock, L4Lock, L4RuleRow, Ledger, LedgerError};
use crate::model::Name;
use crate::stage::Context;

use super::progress::Bars;
use super::run::stop_on_signals;
use super::{Cli, Exit, Misused, load_config, print, print_json};

/// `feedwall l4`
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Check a rule file and show what `apply` would do. Sends nothing that changes anything.
    Plan(FileArgs),
    /// Make the rules of a file, and wait until they are online.
    Apply(ApplyArgs),
    /// The rules that feedwall made, from the ledger.
    List(ListArgs),
    /// Delete rules that feedwall made.
    Delete(DeleteArgs),
}

#[derive(Debug, clap::Args)]
struct FileArgs {
    /// The rule file, TOML or CSV.
    file: PathBuf,
    /// The set that owns the rules, where the file does not say; else the file's name.
    #[arg(long, value_name = "NAME")]
    set: Option<Name>,
    /// The zone of rules that name none.
    #[arg(long, value_name = "ZONE")]
    zone: Option<String>,
    /// The proxy of rules that name none.
    #[arg(long, value_name = "PROXY")]
    proxy: Option<String>,
    /// Change rules that stand otherwise.
    #[arg(long)]
    update: bool,
    /// Delete the set's rules that have left the file.
    #[arg(long)]
    prune: bool,
    /// Take equal rules that others made for the set's own.
    #[arg(long)]
    adopt: bool,
}

#[derive(Debug, clap::Args)]
struct ApplyArgs {
    #[command(flatten)]
    file: FileArgs,
    /// Change nothing: the same as `plan`.
    #[arg(long)]
    dry_run: bool,
    /// How long to wait until every rule is online; 0s: not at all.
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = span)]
    wait: Duration,
}

#[derive(Debug, clap::Args)]
struct ListArgs {
    /// This set alone.
    #[arg(long, value_name = "NAME")]
    set: Option<Name>,
    /// Rules with this tag alone.
    #[arg(long, value_name = "TAG")]
    tag: Option<String>,
}

#[derive(Debug, clap::Args)]
struct DeleteArgs {
    /// Every rule of ours with this tag.
    #[arg(long, value_name = "TAG", required_unless_present = "rule_id")]
    tag: Option<String>,
    /// These rules.
    #[arg(long, value_name = "RULE-ID", num_args = 1.., conflicts_with = "tag")]
    rule_id: Vec<String>,
    /// Show which, and delete nothing.
    #[arg(long)]
    dry_run: bool,
    /// Do not ask.
    #[arg(long)]
    yes: bool,
}

pub(super) async fn run(cli: &Cli, args: &Args) -> anyhow::Result<Exit> {
    match &args.command {
        Command::Plan(file) => plan(cli, file).await,
        Command::Apply(apply) if apply.dry_run => plan(cli, &apply.file).await,
        Command::Apply(args) => apply(cli, args).await,
        Command::List(args) => list(cli, args).await,
        Command::Delete(args) => delete(cli, args).await,
    }
}

async fn plan(cli: &Cli, args: &FileArgs) -> anyhow::Result<Exit> {
    let config = load_config(cli)?;
    let file = args.read()?;
    let cancel = stop_on_signals()?;
    let path = &config.ledger.path;
    // Without a ledger nothing is ours: planned against an empty one, which goes again.
    let nowhere = tempfile::tempdir().context("there is no place for a temporary file")?;
    let ledger = match Ledger::open_existing(path).await {
        Err(LedgerError::Missing(_)) => Ledger::open(&nowhere.path().join("ledger.db")).await?,
        opened => opened?,
    };
    let (desk, ledger) = desk(&config, ledger)?;
    let plan = l4::dry(&desk, &file, args.options(), &cancel).await;
    ledger.close().await;
    let plan = plan?;
    if cli.json {
        print_json(&json!({ "set": file.set, "plan": show::plan_json(&plan) }))?;
    } else {
        print(show::plan(&file, &args.file, &plan, args.options()).trim_end())?;
    }
    Ok(if !plan.clashes.is_empty() {
        Exit::Failed
    } else if show::waits(&plan, args.options()) {
        Exit::NeedsYou
    } else {
        Exit::Done
    })
}

async fn apply(cli: &Cli, args: &ApplyArgs) -> anyhow::Result<Exit> {
    let config = load_config(cli)?;
    let file = args.file.read()?;
    let cancel = stop_on_signals()?;
    let _lock = L4Lock::take(&config.ledger.path)?;
    let (desk, ledger) = desk(&config, open(&config.ledger.path).await?)?;
    let orders = Orders {
        options: args.file.options(),
        wait: args.wait,
    };
    let (progress, watched) = watch::channel(l4::Progress::default());
    let bars = Bars::watch_rules(watched);
    let name = args.file.file.to_string_lossy();
    l4::forget(&desk, config.ledger.keep_history).await?;
    let done = l4::apply(&desk, &file, &name, orders, &progress, &cancel).await;
    bars.finish();
    ledger.close().await;
    let (plan, report) = done?;
    if cli.json {
        let plan_json = show::plan_json(&plan);
        print_json(&json!({ "set": file.set, "plan": plan_json, "report": report }))?;
    } else {
        print(show::applied(&file, &plan, &report, orders.options).trim_end())?;
    }
    Ok(if !report.stopped.is_empty() {
        Exit::Failed
    } else if report.fell_short() || show::waits(&plan, orders.options) {
        Exit::NeedsYou
    } else {
        Exit::Done
    })
}

async fn list(cli: &Cli, args: &ListArgs) -> anyhow::Result<Exit> {
    let config = load_config(cli)?;
    let ledger = Ledger::open_existing(&config.ledger.path).await?;
    let rules = ledger.l4_rules().await?;
    ledger.close().await;
    let of_set = |row: &L4RuleRow| args.set.as_ref().is_none_or(|set| set.as_str() == row.set);
    let of_tag = |row: &L4RuleRow| args.tag.is_none() || args.tag == row.tag;
    let rules: Vec<_> = rules
        .into_iter()
        .filter(|row| of_set(row) && of_tag(row))
        .collect();
    if cli.json {
        let rules: Vec<_> = rules.iter().map(show::row_json).collect();
        print_json(&json!({ "rules": rules }))?;
    } else {
        print(show::list(&rules, Clock::system().now()).trim_end())?;
    }
    Ok(Exit::Done)
}

async fn delete(cli: &Cli, args: &DeleteArgs) -> anyhow::Result<Exit> {
    let config = load_config(cli)?;
    let cancel = stop_on_signals()?;
    let _lock = L4Lock::take(&config.ledger.path)?;
    let (desk, ledger) = desk(&config, Ledger::open_existing(&config.ledger.path).await?)?;
    let rules = args.choose(ledger.l4_rules().await?)?;
    if !cli.json {
        print(show::list(&rules, Clock::system().now()).trim_end())?;
    }
    let sure = args.dry_run || args.yes || rules.is_empty() || agreed(rules.len())?;
    if args.dry_run || !sure || rules.is_empty() {
        ledger.close().await;
        if cli.json {
            let rules: Vec<_> = rules.iter().map(show::row_json).collect();
            print_json(&json!({ "would_delete": rules }))?;
        } else if !sure {
            print("nothing was deleted")?;
        }
        return Ok(Exit::Done);
    }
    let (progress, watched) = watch::channel(l4::Progress::default());
    let bars = Bars::watch_rules(watched);
    l4::forget(&desk, config.ledger.keep_history).await?;
    let report = l4::delete(&desk, &rules, &progress, &cancel).await;
    bars.finish();
    ledger.close().await;
    let report = report?;
    if cli.json {
        print_json(&json!({ "report": report }))?;
    } else {
        print(show::deleted(&report).trim_end())?;
    }
    Ok(if report.fell_short() {
        Exit::Failed
    } else {
        Exit::Done
    })
}

impl FileArgs {
    fn read(&self) -> anyhow::Result<RuleFile> {
        let defaults = Defaults {
            set: self.set.clone(),
            zone: self.zone.clone(),
            proxy: self.proxy.clone(),
        };
        Ok(RuleFile::load(&self.file, &defaults)?)
    }

    fn options(&self) -> Options {
        Options {
            update: self.update,
            prune: self.prune,
            adopt: self.adopt,
        }
    }
}

impl DeleteArgs {
    /// The rules that are meant; an id that the ledger does not know is none of ours, and a slip.
    fn choose(&self, rules: Vec<L4RuleRow>) -> anyhow::Result<Vec<L4RuleRow>> {
        let stranger = self
            .rule_id
            .iter()
            .find(|id| !rules.iter().any(|row| row.rule_id == **id));
        if let Some(id) = stranger {
            let id = super::ask::shown(id);
            let why = format!(
                "the ledger knows no rule {id}: feedwall deletes only what it made; `feedwall l4 list` shows which"
            );
            return Err(Misused(why).into());
        }
        let meant = |row: &L4RuleRow| match &self.tag {
            Some(tag) => row.tag.as_deref() == Some(tag),
            None => self.rule_id.contains(&row.rule_id),
        };
        Ok(rules.into_iter().filter(meant).collect())
    }
}

/// The way to the cloud, and the ledger to close at the end.
fn desk(config: &Config, ledger: Ledger) -> anyhow::Result<(Desk, Arc<Ledger>)> {
    let ledger = Arc::new(ledger);
    let ctx = Context {
        ledger: Arc::clone(&ledger),
        clock: Clock::system(),
    };
    let desk = Desk::new(ctx, &config.l4, Surroundings::of_this_process())?;
    Ok((desk, ledger))
}

/// Opens the ledger. Where there is none, or one of an older version, it is made or migrated here: a machine that
/// only applies proxy rules has no daemon to do so, and without a journal nothing is sent.
async fn open(path: &Path) -> anyhow::Result<Ledger> {
    match Ledger::open_existing(path).await {
        Err(LedgerError::Missing(_) | LedgerError::Older(_)) => {
            // While it is made or migrated no daemon may start on it.
            let _lock = DaemonLock::take(path)?;
            let ledger = Ledger::open(path).await?;
            tracing::info!(ledger = %path.display(), "the ledger was made ready");
            Ok(ledger)
        }
        opened => Ok(opened?),
    }
}

/// Asks on the terminal; without one the answer must be `--yes`.
fn agreed(rules: usize) -> anyhow::Result<bool> {
    if !std::io::stdin().is_terminal() {
        bail!("there is no terminal to ask on; give --yes to delete without a question");
    }
    let mut err = anstream::stderr().lock();
    let plural = if rules == 1 { "" } else { "s" };
    write!(err, "Delete {rules} rule{plural}? [y/N] ")?;
    err.flush()?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

/// A duration of the command line, such as `5m`.
fn span(text: &str) -> Result<Duration, String> {
    let span = parse_duration(text).and_then(|span| Duration::try_from(span).ok());
    span.ok_or_else(|| "a duration such as 90s or 5m".to_owned())
}
