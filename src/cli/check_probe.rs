//! `feedwall check --online --probe ADDRESS`: what the account takes, found out on addresses that the operator names.

use std::sync::Arc;

use anyhow::bail;
use serde::Serialize;

use crate::clock::Clock;
use crate::config::{Config, Firewall};
use crate::daemon::Daemon;
use crate::guard::{Cleared, Guards, Judgement};
use crate::ledger::DaemonLock;
use crate::model::{Class, Indicator};
use crate::stage::probe::{self, Finding, Findings, Said, TERM};
use crate::stage::replan;
use crate::status::escape::escape;
use crate::status::layout::{heading, items, prose};

use super::run::stop_on_signals;
use super::withdraw::agreed;
use super::{Exit, Misused, print};

/// What to probe with: addresses of the operator's own, or that nobody misses for a quarter of an hour.
#[derive(Debug, clap::Args)]
#[group(skip)]
pub struct Args {
    /// A spare IPv4 address of your own: it is blocked for a few minutes, changed, and taken off again, each of it twice.
    #[arg(long, value_name = "ADDRESS", requires = "online")]
    pub probe: Option<String>,
    /// A spare network beside it, such as a /30 of your own: is it taken?
    #[arg(long, value_name = "NETWORK", requires = "probe")]
    network: Option<String>,
    /// A spare IPv6 address beside it.
    #[arg(long, value_name = "ADDRESS", requires = "probe")]
    ipv6: Option<String>,
    /// A spare domain beside it.
    #[arg(long, value_name = "DOMAIN", requires = "probe")]
    domain: Option<String>,
    /// On this firewall, where the config has several.
    #[arg(long, value_name = "NAME", requires = "probe")]
    firewall: Option<String>,
    /// Do not ask before it writes.
    #[arg(long, requires = "probe")]
    yes: bool,
}

/// What was found, and what to write into the config.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Probed {
    pub firewall: String,
    #[serde(flatten)]
    pub findings: Findings,
    /// Sentences for the operator.
    pub advice: Vec<String>,
}

/// Probes; `None` where the operator said no.
pub(super) async fn run(args: &Args, config: &Config) -> anyhow::Result<Option<Probed>> {
    let firewall = chosen(args, config)?;
    let wanted = wanted(args)?;
    if DaemonLock::is_held(&config.ledger.path) {
        bail!(
            "the daemon is running, and only it talks to the firewalls: stop it for the few minutes of a probe, which harms nothing"
        );
    }
    // Before the first run there is no ledger, and none is made here: whoever probes may not be the service's user.
    let spare = tempfile::tempdir()?;
    let mut config = config.clone();
    if !config.ledger.path.exists() {
        config.ledger.path = spare.path().join("ledger.db");
    }
    let cancel = stop_on_signals()?;
    let daemon = Daemon::open(&config.ledger.path, Clock::system()).await?;
    let probed = on(args, &config, &daemon, &firewall, &wanted, &cancel).await;
    daemon.close().await;
    probed
}

async fn on(
    args: &Args,
    config: &Config,
    daemon: &Daemon,
    firewall: &Firewall,
    wanted: &[Indicator],
    cancel: &tokio_util::sync::CancellationToken,
) -> anyhow::Result<Option<Probed>> {
    let session = daemon.configure(config).await?;
    let ctx = daemon.context();
    let Some(link) = session
        .links
        .iter()
        .find(|link| link.config.name == firewall.name)
    else {
        bail!("the firewall {} is not in force", firewall.name);
    };
    let link = Arc::clone(link);
    let heard = replan::Heard {
        started: Some(ctx.clock.now()),
    };
    let guards = replan::guards_now(ctx, &session.guards, &heard).await?;
    let mut cleared = Vec::new();
    for indicator in wanted {
        cleared.push(clear(&guards, indicator)?);
    }
    for one in &cleared {
        let there = probe::standing(ctx, &link, one).await;
        let there = there.map_err(|why| anyhow::anyhow!("the lists cannot be read: {why}"))?;
        let ours = ctx.ledger.leases_of(link.id, one.indicator()).await?;
        if !there.is_empty() || !ours.is_empty() {
            bail!(
                "{} stands on the firewall's lists already, and is left alone; name another that nobody has listed",
                one.indicator()
            );
        }
    }
    let names: Vec<String> = wanted.iter().map(ToString::to_string).collect();
    let question = format!(
        "Block {} on {} for some minutes ({} at the most), to see what the cloud says?",
        names.join(", "),
        firewall.name,
        TERM.as_secs() / 60
    );
    if !args.yes && !agreed(&question)? {
        return Ok(None);
    }
    let Some((main, others)) = cleared.split_first() else {
        bail!("there is nothing to probe with");
    };
    let findings = probe::turn(ctx, &link, main, others, cancel).await?;
    let advice = advice(firewall, &findings);
    Ok(Some(Probed {
        firewall: firewall.name.to_string(),
        findings,
        advice,
    }))
}

fn chosen(args: &Args, config: &Config) -> anyhow::Result<Firewall> {
    let names = super::ask::words(config.firewalls.iter().map(|one| &one.name));
    match (&args.firewall, config.firewalls.as_slice()) {
        (None, [one]) => Ok(one.clone()),
        (None, _) => Err(Misused(format!(
            "name one of the firewalls with --firewall: {}",
            names.join(", ")
        ))
        .into()),
        (Some(name), all) => match all.iter().find(|one| one.name.as_str() == name) {
            Some(one) => Ok(one.clone()),
            None => bail!(
                "the config has no firewall `{}`; {}",
                super::ask::shown(name),
                super::ask::advice(name, &names)
            ),
        },
    }
}

/// What is to be probed, each of the class that its option says.
fn wanted(args: &Args) -> Result<Vec<Indicator>, Misused> {
    let all = [
        (&args.probe, Class::Ipv4, "--probe", "an IPv4 address"),
        (&args.network, Class::Network, "--network", "a network"),
        (&args.ipv6, Class::Ipv6, "--ipv6", "an IPv6 address"),
        (&args.domain, Class::Domain, "--domain", "a domain"),
    ];
    let given = all
        .into_iter()
        .filter_map(|(text, class, option, what)| Some((text.as_ref()?, class, option, what)));
    given
        .map(|(text, class, option, what)| {
            let indicator = Indicator::try_new(text)
                .ok()
                .filter(|one| one.class() == class);
            indicator.ok_or_else(|| {
                Misused(format!(
                    "{option} takes {what}, and `{}` is none",
                    super::ask::shown(text)
                ))
            })
        })
        .collect()
}

fn clear(guards: &Guards, indicator: &Indicator) -> anyhow::Result<Cleared> {
    match guards.judge(indicator) {
        Judgement::Cleared(cleared) => Ok(cleared),
        judgement => bail!("{indicator} is never blocked, not even to try: {judgement}"),
    }
}

/// What follows from the findings.
fn advice(firewall: &Firewall, found: &Findings) -> Vec<String> {
    let mut advice = Vec::new();
    let accepted = &firewall.terms.accept;
    let taken = |class: &Class| found.classes.get(class.as_str()).copied();
    let fitting: Vec<String> = [Class::Ipv4, Class::Ipv6, Class::Network, Class::Domain]
        .into_iter()
        .filter(|class| taken(class).unwrap_or_else(|| accepted.contains(class)))
        .map(|class| format!("\"{}\"", class.as_str()))
        .collect();
    let wrong = [Class::Ipv4, Class::Ipv6, Class::Network, Class::Domain]
        .into_iter()
        .any(|class| taken(&class).is_some_and(|taken| taken != accepted.contains(&class)));
    advice.push(if wrong {
        format!("write `accept = [{}]`", fitting.join(", "))
    } else {
        "`accept` fits what was tried".to_owned()
    });
    if let Some(slowest) = found
        .findings
        .iter()
        .filter_map(|one| one.shown_after_ms)
        .max()
    {
        let seconds = slowest.div_ceil(1000);
        let set = firewall.confirm_after.as_secs();
        advice.push(if seconds > set {
            format!(
                "a change took {seconds} s to show: write `confirm_after = \"{}s\"`",
                seconds * 2
            )
        } else {
            format!("a change took up to {seconds} s to show, within `confirm_after` ({set} s)")
        });
    }
    let step = |name| {
        found
            .findings
            .iter()
            .find(|one: &&Finding| one.step == name)
    };
    if let Some(past) = step("edit to the past") {
        advice.push(match past.said {
            Said::Refused => "an EndTime that has passed is refused, so `time_zone` lies not west of the cloud's; and one a quarter of an hour ahead was taken, so it lies not east of it: it is right".to_owned(),
            Said::Taken => "an EndTime that has passed was taken: either the cloud does not look, or its zone lies west of `time_zone`. See whether an entry ends when the console says".to_owned(),
            Said::NoAnswer => "whether `time_zone` is right was not found out".to_owned(),
        });
    } else if step("add").is_some_and(|add| add.said == Said::Refused) {
        advice.push(
            "the address itself was refused: if the words speak of a time, `time_zone` is wrong"
                .to_owned(),
        );
    }
    let strict: Vec<&str> = ["add again", "delete again", "edit the absent"]
        .into_iter()
        .filter(|name| step(name).is_some_and(|one| one.said == Said::Refused))
        .collect();
    advice.push(if strict.is_empty() {
        "repeats are taken, as far as they were tried".to_owned()
    } else {
        format!("the cloud is strict about: {}. Nothing is to be set: after a call without an answer feedwall reads before it repeats", strict.join(", "))
    });
    advice
}

/// What was found, for people.
pub(super) fn tell(probed: &Probed) -> anyhow::Result<()> {
    let rows = probed
        .findings
        .findings
        .iter()
        .map(|one| (one.step, words(one)));
    let mut text = heading(&format!("Probe of {}", probed.firewall)) + &items(rows);
    for sentence in &probed.advice {
        text += &prose(2, sentence);
    }
    for left in &probed.findings.left {
        let sentence =
            format!("{left} could not be taken off: it ends by itself within a quarter of an hour");
        text += &prose(2, &sentence);
    }
    if probed.findings.interrupted {
        text += &prose(
            2,
            "It was stopped before its end; what it had put on the list was taken off.",
        );
    }
    Ok(print(text.trim_end())?)
}

fn words(finding: &Finding) -> String {
    let mut text = format!("{}: ", finding.entry);
    text += match finding.said {
        Said::Taken => "taken",
        Said::Refused => "refused",
        Said::NoAnswer => "no answer",
    };
    if let Some(code) = &finding.code {
        text += &format!(
            ": {}: {}",
            escape(code),
            escape(finding.message.as_deref().unwrap_or_default())
        );
    }
    if let Some(ms) = finding.shown_after_ms {
        text += &format!("; shown after {}.{} s", ms / 1000, ms % 1000 / 100);
    }
    if let Some(note) = &finding.note {
        text += &format!("; {}", escape(note));
    }
    // What the vendor's support asks for when it is asked why.
    if let Some(id) = finding
        .request_id
        .as_ref()
        .filter(|_| finding.said != Said::Taken)
    {
        text += &format!(" (RequestId {})", escape(id));
    }
    text
}

/// Whether anything is left for a person to do.
pub(super) fn exit(probed: &Probed) -> Exit {
    let found = &probed.findings;
    if found.interrupted {
        Exit::Failed
    } else if !found.left.is_empty() {
        Exit::NeedsYou
    } else {
        Exit::Done
    }
}
