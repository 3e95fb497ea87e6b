//! What must hold in the end, by the cloud's own state and by the ledger.

use std::collections::BTreeSet;

use feedwall::ledger::{Ledger, LedgerError};
use feedwall::model::{Action, Indicator, Name, UnixTime};

use super::case::Case;
use crate::cloudside::addresses;
use crate::support::rig::Rig;
use crate::support::wall;

/// Entries of others that come and go are from here on.
pub const PASSERS_BY: u32 = 5_000;

/// What the list should become.
#[derive(Debug)]
pub struct Wanted {
    /// What is listed, and neither somebody else's nor refused for ever.
    desired: BTreeSet<String>,
    /// What the cloud never takes, as far as it is listed.
    poison: BTreeSet<String>,
    /// All of it.
    all_poison: BTreeSet<String>,
    /// What may be quarantined because the cloud did not take it for a while.
    pub passing: BTreeSet<String>,
    /// Domains that the cloud does not take: quarantined alone, or held as a class.
    refused: BTreeSet<String>,
}

impl Wanted {
    pub fn new(case: &Case, listed: BTreeSet<String>) -> Self {
        let all = addresses(0..case.listed);
        let named = |ones: &BTreeSet<usize>| -> BTreeSet<String> {
            ones.iter().map(|one| all[*one].clone()).collect()
        };
        let (foreign, all_poison) = (named(&case.foreign), named(&case.poison));
        let refused: BTreeSet<String> = match case.takes_domains {
            true => BTreeSet::new(),
            false => case.names().into_iter().collect(),
        };
        let is_refused = |ioc: &String| {
            foreign.contains(ioc) || all_poison.contains(ioc) || refused.contains(ioc)
        };
        Self {
            desired: listed
                .iter()
                .filter(|ioc| !is_refused(ioc))
                .cloned()
                .collect(),
            poison: &all_poison & &listed,
            all_poison,
            passing: named(&case.passing),
            refused,
        }
    }
}

/// What is wrong at this moment.
pub async fn look(case: &Case, rig: &Rig, wanted: &Wanted) -> Result<(), String> {
    let entries = rig.sim.entries();
    let foreign = entries.iter().filter(|entry| entry.foreign).count();
    let ours: BTreeSet<String> = entries
        .iter()
        .filter(|entry| !entry.foreign)
        .map(|entry| entry.ioc.clone())
        .collect();
    let books = Books::read(case, rig)
        .await
        .map_err(|fault| fault.to_string())?;
    let mut desired = wanted.desired.clone();
    // What was quarantined in the storm waits for a person.
    desired.retain(|ioc| !(wanted.passing.contains(ioc) && books.quarantined.contains(ioc)));
    if let Some(places) = case
        .places
        .filter(|places| desired.len() + foreign > *places)
    {
        fills(&ours, &desired, places.saturating_sub(foreign), case.batch)?;
    } else if ours != desired {
        let (missing, surplus) = differ(&desired, &ours);
        return Err(format!(
            "{} of {} stand there, missing {missing:?}, surplus {surplus:?}",
            ours.len(),
            desired.len()
        ));
    }
    let may_be = &(&wanted.all_poison | &wanted.passing) | &wanted.refused;
    if !books.quarantined.is_subset(&may_be) {
        let held = &books.quarantined;
        return Err(format!("{held:?} are quarantined, and not {may_be:?}"));
    }
    // On a full list some of it may never be tried.
    if case.places.is_none() && !wanted.poison.is_subset(&books.quarantined) {
        let lost: Vec<_> = wanted.poison.difference(&books.quarantined).collect();
        return Err(format!("{lost:?} are refused, and not quarantined"));
    }
    if case.places.is_none()
        && !books.holds_domains
        && !wanted.refused.is_subset(&books.quarantined)
    {
        return Err("the cloud takes no domains, and the ledger does not know".to_owned());
    }
    if books.on_trial > 0 {
        return Err(format!("{} trials and suspects go on", books.on_trial));
    }
    if books.doubtful > 0 || books.leased != ours {
        let (missing, surplus) = differ(&ours, &books.leased);
        return Err(format!(
            "the ledger holds {} with {} in doubt, without {missing:?}, with {surplus:?}",
            books.leased.len(),
            books.doubtful
        ));
    }
    Ok(())
}

/// A list with fewer places than are desired is full, but for what one refused call may leave open.
fn fills(
    ours: &BTreeSet<String>,
    desired: &BTreeSet<String>,
    places: usize,
    batch: usize,
) -> Result<(), String> {
    if !ours.is_subset(desired) {
        let surplus = differ(desired, ours).1;
        return Err(format!("{surplus:?} stand there and should not"));
    }
    // Others may come when it is full already, so that there is no upper bound but the cloud's own.
    if ours.len() + batch < places {
        return Err(format!("{} of {places} places are used", ours.len()));
    }
    Ok(())
}

/// Up to five that only the first has, and up to five that only the second has.
fn differ<'a>(
    one: &'a BTreeSet<String>,
    other: &'a BTreeSet<String>,
) -> (Vec<&'a String>, Vec<&'a String>) {
    (
        one.difference(other).take(5).collect(),
        other.difference(one).take(5).collect(),
    )
}

/// What the ledger says, read beside the daemon.
struct Books {
    quarantined: BTreeSet<String>,
    /// Domains are known to be refused as a class.
    holds_domains: bool,
    leased: BTreeSet<String>,
    doubtful: usize,
    on_trial: usize,
}

impl Books {
    async fn read(case: &Case, rig: &Rig) -> Result<Self, LedgerError> {
        let ledger = Ledger::open_existing(&rig.ledger_path()).await?;
        let name = Name::try_new("prod").unwrap();
        let Some(row) = ledger.firewall(&name).await? else {
            return Err(LedgerError::Row("the firewall is not known yet".to_owned()));
        };
        let cloud = i64::try_from(wall().as_secs()).unwrap() + case.skew;
        let now = UnixTime::from_seconds(cloud);
        let mut leases = ledger.leases(row.id).await?;
        leases.retain(|lease| lease.end_time > now);
        let quarantine = ledger.quarantine(row.id).await?;
        let suspects = ledger.suspects(row.id).await?;
        let learned = ledger.learned(row.id, UnixTime::from_seconds(0)).await?;
        ledger.close().await;
        let held = "class block domain";
        Ok(Self {
            quarantined: quarantine
                .iter()
                .map(|one| one.entry.indicator.to_string())
                .collect(),
            holds_domains: learned.iter().any(|(subject, ..)| subject == held),
            leased: leases
                .iter()
                .map(|lease| lease.entry.indicator.to_string())
                .collect(),
            doubtful: leases.iter().filter(|lease| lease.doubt.is_some()).count(),
            on_trial: suspects.entries.len() + suspects.trials.len(),
        })
    }
}

/// What others held from the start stands as it stood, and what came and went was never written.
pub fn nothing_foreign_was_touched(case: &Case, rig: &Rig) -> Result<(), String> {
    let entries = rig.sim.entries();
    let all = addresses(0..case.listed);
    for place in &case.foreign {
        let ioc = &all[*place];
        let stands = entries
            .iter()
            .any(|entry| entry.foreign && entry.ioc == *ioc && entry.writes == 0);
        if !stands {
            return Err(format!(
                "{ioc} was somebody else's, and was touched\n{case:#?}"
            ));
        }
    }
    for ioc in addresses(PASSERS_BY..PASSERS_BY + 510) {
        if rig.sim.writes(1, &ioc, 1) > 0 {
            return Err(format!("{ioc} was never ours, and was written\n{case:#?}"));
        }
    }
    Ok(())
}

/// By the journal, nothing was added that was known to stand there: an add without a clear answer may be repeated,
/// one that the cloud said it had taken may not.
pub async fn nothing_was_added_needlessly(
    case: &Case,
    rig: &Rig,
    wanted: &Wanted,
) -> Result<(), String> {
    let ledger = Ledger::open_existing(&rig.ledger_path()).await.unwrap();
    let mut calls_seen = 0;
    for ioc in &wanted.desired {
        let indicator = Indicator::try_new(ioc).unwrap();
        let mut calls = ledger.calls_of(&indicator, usize::MAX).await.unwrap();
        calls.sort_by_key(|(call, _)| call.id);
        let mut known_until = None;
        for (call, _) in &calls {
            calls_seen += 1;
            let sent = UnixTime::from_seconds(call.sent_ms / 1000);
            let needless = known_until.is_some_and(|end| end > sent);
            if call.action == Action::Add && needless {
                return Err(format!(
                    "{ioc} was added although it stood there until {known_until:?}:\n{calls:#?}\n{case:#?}"
                ));
            }
            known_until = match (call.action, call.verdict.as_deref()) {
                (Action::Delete, _) => None,
                (_, Some("applied")) => call.end_time,
                // It did nothing, or what it did is not known: then what was there may have another end.
                (Action::Add, _) => None,
                (Action::Edit, _) => known_until,
            };
        }
    }
    ledger.close().await;
    if calls_seen == 0 && !wanted.desired.is_empty() {
        return Err(format!("the journal is empty\n{case:#?}"));
    }
    Ok(())
}
