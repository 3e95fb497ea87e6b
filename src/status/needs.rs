//! What waits for a person: the rules by which `status` ends with exit code 3.

use std::time::Duration;

use serde::Serialize;

use crate::ledger::FeedState;
use crate::model::{Name, UnixTime};
use crate::plan::LeftOut;

use super::layout::{count, held_deletes};
use super::report::{FeedReport, FirewallReport, Held, Report};
use super::span::{span, stamp, when};

/// One thing that waits for a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Need {
    /// What is the matter.
    pub kind: Kind,
    /// Which sort of thing `name` names.
    pub about: About,
    /// The feed's or firewall's name; null for the clock.
    pub name: Option<Name>,
    /// What has happened and what it means, raw: escape it to print it.
    pub text: String,
    /// What to type: to look, then to act.
    pub commands: Vec<String>,
}

/// Who needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum About {
    /// A feed.
    Feed,
    /// A firewall.
    Firewall,
    /// This machine's clock.
    Clock,
}

/// What a need is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A snapshot of a feed waits for an approval.
    FeedHeld,
    /// A feed has given nothing good for half its ttl, or never.
    FeedSilent,
    /// A feed's body has been the same for too long.
    FeedFrozen,
    /// A feed's publisher has ended it.
    FeedRetired,
    /// A guard list was never heard, so that nothing is added.
    GuardUnheard,
    /// A firewall takes no calls until a person has done something.
    FirewallHalted,
    /// Deletes wait for an approval.
    DeletesHeld,
    /// Feeds list entries, and none of them has a place.
    NoPlace,
    /// The cloud refused entries alone.
    Quarantine,
    /// No daemon runs, and entries are in doubt, missing, or about to end.
    NoDaemon,
    /// Entries end within the hour, and nothing renews them.
    Lapsing,
    /// The last read-back found entries of ours that somebody else changed.
    Drift,
    /// Most EndTimes are off alike: the config has the wrong `time_zone`.
    TimeZone,
    /// The clock is not believed, and nothing is polled or sent.
    Clock,
}

/// A firewall that is left alone for so long needs a person; shorter spells pass by themselves.
const SPELL: Duration = Duration::from_secs(300);

/// A new feed may fail so often before somebody is called.
const FIRST_TRIES: u32 = 3;

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 14] = [
        Self::FeedHeld,
        Self::FeedSilent,
        Self::FeedFrozen,
        Self::FeedRetired,
        Self::GuardUnheard,
        Self::FirewallHalted,
        Self::DeletesHeld,
        Self::NoPlace,
        Self::Quarantine,
        Self::NoDaemon,
        Self::Lapsing,
        Self::Drift,
        Self::TimeZone,
        Self::Clock,
    ];

    /// Its section of the operations page, as `feedwall help` and a link to it name it.
    #[must_use]
    pub const fn topic(self) -> &'static str {
        match self {
            Self::FeedHeld => "feed-held",
            Self::FeedSilent => "feed-silent",
            Self::FeedFrozen => "feed-frozen",
            Self::FeedRetired => "feed-retired",
            Self::GuardUnheard => "guard-unheard",
            Self::FirewallHalted => "firewall-halted",
            Self::DeletesHeld => "deletes-held",
            Self::NoPlace => "no-place",
            Self::Quarantine => "quarantined",
            Self::NoDaemon => "no-daemon",
            Self::Lapsing => "lapsing",
            Self::Drift => "drift",
            Self::TimeZone => "time-zone",
            Self::Clock => "clock",
        }
    }
}

impl About {
    /// The word in sentences.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Feed => "feed",
            Self::Firewall => "firewall",
            Self::Clock => "clock",
        }
    }
}

/// Everything that waits for a person, firewalls first.
#[must_use]
pub fn needs(report: &Report) -> Vec<Need> {
    let mut needs = Vec::new();
    needs.extend(report.clock_doubt.as_ref().map(|doubt| Need {
        kind: Kind::Clock,
        about: About::Clock,
        name: None,
        text: format!("{doubt}: nothing is polled or sent until the cloud has said what time it is. Set the clock right"),
        commands: vec!["timedatectl".to_owned()],
    }));
    for firewall in report.firewalls.iter().filter(|one| one.configured) {
        of_firewall(firewall, report, &mut needs);
    }
    for feed in report.feeds.iter().filter(|one| one.configured) {
        needs.extend(of_feed(feed, report.now));
    }
    needs
}

fn of_firewall(firewall: &FirewallReport, report: &Report, needs: &mut Vec<Need>) {
    let name = &firewall.name;
    let mut need = |kind, text, commands: &[String]| {
        needs.push(Need {
            kind,
            about: About::Firewall,
            name: Some(name.clone()),
            text,
            commands: commands.to_vec(),
        });
    };
    let halted = halted(firewall);
    if let Some(text) = halted_sentence(firewall, report.now).filter(|_| halted) {
        let check = "feedwall check --online".to_owned();
        need(Kind::FirewallHalted, text, &[check]);
    }
    if !report.daemon_running
        && let Some(text) = unattended(firewall)
    {
        need(Kind::NoDaemon, text, &["feedwall run".to_owned()]);
    } else if halted && firewall.coverage.ending_within_hour > 0 {
        let ending = count(
            firewall.coverage.ending_within_hour,
            "entry ends",
            "entries end",
        );
        let text =
            format!("{ending} within the hour, and nothing can be renewed while it takes no calls");
        need(Kind::Lapsing, text, &[]);
    }
    if let Some((kind, text)) = drift(firewall) {
        need(
            kind,
            text,
            &[format!("feedwall reconcile --firewall {name}")],
        );
    }
    if firewall.held_deletes > 0 {
        let text = held_deletes(
            firewall.held_deletes,
            firewall.wanted_deletes,
            firewall.allowed_deletes,
        );
        let look = format!("feedwall plan --firewall {name}");
        let act = format!("feedwall approve --firewall {name}");
        need(Kind::DeletesHeld, text, &[look, act]);
    }
    if let Some(text) = no_place(firewall) {
        let look = format!("feedwall plan --firewall {name}");
        need(Kind::NoPlace, text, &[look]);
    }
    if firewall.quarantined > 0 {
        let refused = count(firewall.quarantined, "entry was", "entries were");
        let text =
            format!("{refused} refused by the cloud one by one, and not sent again until released");
        let look = "feedwall quarantine".to_owned();
        let act = "feedwall quarantine release".to_owned();
        need(Kind::Quarantine, text, &[look, act]);
    }
}

/// Left alone for five minutes or more, whether for one reason that only a person can mend, or for many
/// short spells one after another.
fn halted(firewall: &FirewallReport) -> bool {
    let spell = firewall.not_before.zip(firewall.trouble_since);
    firewall.trouble.is_some() && spell.is_some_and(|(until, since)| until.since(since) >= SPELL)
}

fn halted_sentence(firewall: &FirewallReport, now: UnixTime) -> Option<String> {
    let trouble = firewall.trouble.as_ref()?;
    let since = when(firewall.trouble_since?, now);
    Some(format!("it takes no calls (first seen {since}): {trouble}"))
}

/// What the last read-back found that somebody else did to our entries.
fn drift(firewall: &FirewallReport) -> Option<(Kind, String)> {
    let drift = firewall.drift?;
    if let Some(seconds) = drift.zone_fault {
        let text = format!(
            "most EndTimes on its list are off by {seconds} s alike: set its `time_zone` right in the config"
        );
        return Some((Kind::TimeZone, text));
    }
    let found = [
        (drift.gone, "gone from its list"),
        (drift.shortened, "shortened by somebody else"),
        (
            drift.taken_over,
            "prolonged by somebody else, and theirs now",
        ),
    ];
    let found = found.iter().filter(|(entries, _)| *entries > 0);
    let found: Vec<String> = found
        .map(|(entries, what)| format!("{} {what}", count(*entries, "entry was", "entries were")))
        .collect();
    (!found.is_empty()).then(|| {
        (
            Kind::Drift,
            format!("at the last read-back, {}", found.join(", ")),
        )
    })
}

/// That nothing of what feeds list has a place, where that is so and nothing is under way.
fn no_place(firewall: &FirewallReport) -> Option<String> {
    let coverage = &firewall.coverage;
    let left_out = firewall.left_out.get(&LeftOut::Quota).copied()?;
    let nothing = coverage.held + coverage.doubtful == 0 && coverage.pending == Some(0);
    (left_out > 0 && nothing && !firewall.withdrawn).then(|| {
        let wanting = count(left_out, "entry has", "entries have");
        format!(
            "nothing is blocked: {wanting} no place under the quota, of which others hold {}",
            firewall.foreign
        )
    })
}

/// What is amiss on a firewall that no daemon looks after, if anything.
fn unattended(firewall: &FirewallReport) -> Option<String> {
    let coverage = &firewall.coverage;
    let missing = coverage.desired.map_or(0, |desired| {
        desired.saturating_sub(coverage.held + coverage.doubtful)
    });
    let amiss = [
        (missing, "desired but not there"),
        (
            coverage.doubtful,
            "in doubt, since a call was never answered",
        ),
        (coverage.ending_within_hour, "about to end within the hour"),
    ];
    let amiss: Vec<String> = amiss
        .iter()
        .filter(|(entries, _)| *entries > 0)
        .map(|(entries, what)| format!("{} {what}", count(*entries, "entry is", "entries are")))
        .collect();
    (!amiss.is_empty()).then(|| format!("no daemon is running, and {}", amiss.join(", ")))
}

fn of_feed(feed: &FeedReport, now: UnixTime) -> Option<Need> {
    let name = &feed.name;
    let look = format!("feedwall feeds try {name}");
    let unheard = feed.guard && feed.last_good.is_none();
    let need = |kind, text: String, commands| Need {
        kind: if unheard { Kind::GuardUnheard } else { kind },
        about: About::Feed,
        name: Some(name.clone()),
        text: match unheard {
            true => format!(
                "nothing is added to any firewall before this guard list has been heard once: {text}"
            ),
            false => text,
        },
        commands,
    };
    match (feed.state, &feed.held) {
        (FeedState::Held, Some(held)) if held.approved_at.is_none() => {
            let text = held_sentence(feed, held, now);
            Some(need(
                Kind::FeedHeld,
                text,
                vec![look, format!("feedwall approve {name}")],
            ))
        }
        (FeedState::Held, None) => {
            let trouble = feed.trouble.clone().unwrap_or_default();
            Some(need(
                Kind::FeedHeld,
                format!("its last body is held: {trouble}"),
                vec![look],
            ))
        }
        (FeedState::Frozen | FeedState::Retired, _) => {
            let kind = match feed.state {
                FeedState::Frozen => Kind::FeedFrozen,
                _ => Kind::FeedRetired,
            };
            let trouble = feed.trouble.clone().unwrap_or_default();
            let ends = ending(feed, now).map(|ends| format!("; {ends}"));
            let text = format!("{trouble}{}", ends.unwrap_or_default());
            Some(need(kind, text, vec![look]))
        }
        _ if unheard && feed.failures > 0 => {
            let trouble = feed.trouble.clone().unwrap_or_default();
            Some(need(Kind::GuardUnheard, trouble, vec![look]))
        }
        _ => silent(feed, now).map(|text| need(Kind::FeedSilent, text, vec![look])),
    }
}

fn held_sentence(feed: &FeedReport, held: &Held, now: UnixTime) -> String {
    let ends = match ending(feed, now) {
        Some(ends) => format!("; {ends}"),
        None if feed.last_good.is_none() => String::new(),
        None => "; the last good listings stay".to_owned(),
    };
    format!("held {}: {}{ends}", when(held.since, now), held.reason)
}

/// What to say of a feed that has given nothing good for too long.
fn silent(feed: &FeedReport, now: UnixTime) -> Option<String> {
    let trouble = match &feed.trouble {
        Some(trouble) => format!(": {trouble}"),
        None => String::new(),
    };
    match feed.last_good {
        None if feed.failures >= FIRST_TRIES => Some(format!(
            "nothing good came in {} tries, so it lists nothing{trouble}",
            feed.failures
        )),
        None => None,
        Some(good) => {
            let ends = ending(feed, now)?;
            Some(format!(
                "nothing good came for {}; {ends}{trouble}",
                span(now.since(good))
            ))
        }
    }
}

/// From half a ttl of silence on: when the listings end.
fn ending(feed: &FeedReport, now: UnixTime) -> Option<String> {
    let good = feed.last_good?;
    let ttl = feed.ttl();
    if now < good.plus(ttl / 2) {
        return None;
    }
    let end = good.plus(ttl);
    if feed.guard {
        return Some("what it listed last stays guarded".to_owned());
    }
    Some(if end <= now {
        format!("its listings have been ending since {}", stamp(end))
    } else {
        format!("its listings end from {} on", stamp(end))
    })
}
