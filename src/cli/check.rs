//! `feedwall check`: is the config good, and with `--online`: do the feeds and firewalls of it answer?
//!
//! `--json` gives `{ok, feeds, firewalls, warnings: [text], config, checks: [Checked], probe}`; where the config is
//! faulty `{ok: false, faults: [{line, column, place: [text], message}]}`, and the exit code is 78. `config`
//! is what is in force, with `--print` alone.

use serde::Serialize;
use serde_json::{Value, json};

use crate::config::{Config, ConfigError, ConfigFaults};
use crate::stage::replan::GuardMaterial;
use crate::status::escape::escape;
use crate::status::layout::{count, items};

use super::check_probe::Probed;
use super::{Cli, Exit, load_config, print, print_json};
use super::{check_online, check_probe};

/// `feedwall check`
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Show what is in force, defaults and all.
    #[arg(long)]
    print: bool,
    /// Fetch each feed once, try the credentials, and ask each firewall for one row of its list.
    #[arg(long)]
    online: bool,
    #[command(flatten)]
    probe: check_probe::Args,
}

/// One thing that was tried.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Checked {
    /// `guard`, `ledger`, `feed`, `firewall`.
    pub kind: &'static str,
    /// Which one, where there are several.
    pub name: Option<String>,
    pub state: State,
    /// What was found, raw: escape it to print it.
    pub text: String,
    /// How long it took.
    pub duration_ms: u64,
}

/// How a trial ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum State {
    Ok,
    Failed,
    Skipped,
}

pub(super) async fn run(cli: &Cli, args: &Args) -> anyhow::Result<Exit> {
    let config = match load_config(cli) {
        Ok(config) => config,
        Err(ConfigError::Faults(faults)) if cli.json => {
            print_json(&faulty(&faults))?;
            return Ok(Exit::Config);
        }
        Err(fault) => return Err(fault.into()),
    };
    let mut checks = vec![guards(&config)];
    checks.extend(match args.online {
        true => check_online::run(&config).await,
        false => check_online::guard_files(&config).await,
    });
    let ok = checks.iter().all(|check| check.state != State::Failed);
    if !cli.json {
        tell(&config, args, &checks)?;
    }
    // Nothing is written to an account on which even reading goes wrong.
    let failed = |check: &&Checked| check.kind == "firewall" && check.state == State::Failed;
    let readable = !checks.iter().any(|check| failed(&check));
    let probed = match &args.probe.probe {
        Some(_) if readable => check_probe::run(&args.probe, &config).await?,
        _ => None,
    };
    if cli.json {
        print_json(&answer(&config, args, &checks, ok, probed.as_ref())?)?;
    } else if let Some(probed) = &probed {
        check_probe::tell(probed)?;
    }
    Ok(match &probed {
        _ if !ok => Exit::Failed,
        Some(probed) => check_probe::exit(probed),
        None => Exit::Done,
    })
}

/// Allowlists that cannot be read stop a start, so they are read here.
fn guards(config: &Config) -> Checked {
    let read = GuardMaterial::read(config);
    Checked {
        kind: "guard",
        name: None,
        state: if read.is_ok() {
            State::Ok
        } else {
            State::Failed
        },
        text: match read {
            Ok(_) => "the allowlists can be read".to_owned(),
            Err(fault) => fault.to_string(),
        },
        duration_ms: 0,
    }
}

fn tell(config: &Config, args: &Args, checks: &[Checked]) -> anyhow::Result<()> {
    if args.print {
        print(config.to_toml().trim_end())?;
    }
    for warning in &config.warnings {
        // Beside a printed config a warning is a comment.
        let sign = if args.print { "# " } else { "" };
        print(format_args!("{sign}warning: {}", escape(warning)))?;
    }
    let told = |check: &&Checked| args.online || check.state == State::Failed;
    let rows: Vec<_> = checks.iter().filter(told).map(Checked::row).collect();
    if !rows.is_empty() {
        print(items(rows).trim_end())?;
    }
    let failed = checks.iter().filter(|check| check.state == State::Failed);
    let sizes = format!(
        "{}, {}",
        count(config.feeds.len() as u64, "feed", "feeds"),
        count(config.firewalls.len() as u64, "firewall", "firewalls")
    );
    match failed.count() as u64 {
        // What was asked for with `--print` alone is the config, and nothing that is none.
        0 if args.print && !args.online => Ok(()),
        0 => Ok(print(format_args!("the config is good: {sizes}"))?),
        failed => Ok(print(format_args!(
            "the config can be read ({sizes}), but {}",
            count(failed, "thing is not ok", "things are not ok")
        ))?),
    }
}

fn answer(
    config: &Config,
    args: &Args,
    checks: &[Checked],
    ok: bool,
    probed: Option<&Probed>,
) -> anyhow::Result<Value> {
    let in_force: Value = if args.print {
        toml::from_str(&config.to_toml())?
    } else {
        Value::Null
    };
    Ok(json!({
        "ok": ok,
        "feeds": config.feeds.len(),
        "firewalls": config.firewalls.len(),
        "warnings": config.warnings,
        "config": in_force,
        "checks": checks,
        "probe": probed,
    }))
}

fn faulty(faults: &ConfigFaults) -> Value {
    let faults = faults.faults().iter().map(|fault| {
        json!({
            "line": fault.line,
            "column": fault.column,
            "place": fault.place,
            "message": fault.message,
        })
    });
    json!({ "ok": false, "faults": faults.collect::<Vec<_>>() })
}

impl Checked {
    /// A line for people.
    fn row(&self) -> (String, String) {
        let what = match &self.name {
            Some(name) => format!("{} {name}", self.kind),
            None => self.kind.to_owned(),
        };
        let state = match self.state {
            State::Ok => "ok",
            State::Failed => "NOT OK",
            State::Skipped => "skipped",
        };
        (what, format!("{state}: {}", escape(&self.text)))
    }
}
