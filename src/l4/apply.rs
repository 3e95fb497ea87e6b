//! From a rule file to rules that are online: what is known, what is done about it, and the wait until it works.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::desk::{Desk, sleep};
use super::plan::{self, Held, Known, Options, Plan, Seen, Standing};
use super::report::{Deed, Progress, Report};
use super::rule::{Rule, ports_of_row, protocol_of_row};
use super::send::{Sender, Target, Unit};
use super::{L4Error, Place, RuleFaults, RuleFile, settle};
use crate::cloud::teo::Row;
use crate::ledger::{L4Action, L4Item, L4RuleRow};

/// The first wait between two looks at rules that are being deployed; it grows to [`LONGEST_LOOK`].
const FIRST_LOOK: Duration = Duration::from_secs(1);

/// The longest wait between two such looks.
const LONGEST_LOOK: Duration = Duration::from_secs(10);

/// How long a proxy that is being deployed is waited for, at least, before it takes the next call.
const PATIENCE: Duration = Duration::from_secs(60);

/// What an apply is to do, beside the file.
#[derive(Clone, Copy, Debug, Default)]
pub struct Orders {
    /// What it may do beside making what is not there.
    pub options: Options,
    /// How long to wait until every rule is online; zero: not at all.
    pub wait: Duration,
}

/// Reads what the plan needs: the ledger's rules, and the cloud's on every proxy that the file or its set has to do with.
///
/// # Errors
/// When the ledger or a proxy's rules cannot be read.
pub async fn look(
    desk: &Desk,
    file: &RuleFile,
    cancel: &CancellationToken,
) -> Result<Known, L4Error> {
    let rows = desk.ctx.ledger.l4_rules().await?;
    let held: Vec<Held> = rows.iter().map(held).collect::<Result<_, _>>()?;
    let of_file = file.rules.iter().map(|wanted| &wanted.place);
    let of_set = held
        .iter()
        .filter(|held| held.set == file.set.as_str())
        .map(|held| &held.place);
    let places: BTreeSet<Place> = of_file.chain(of_set).cloned().collect();
    let mut known = Known {
        held,
        ..Known::default()
    };
    for place in places {
        let rows = desk.read(&place, cancel).await?;
        known.seen.extend(rows.iter().map(|row| seen(&place, row)));
        let lost = settle::lost(desk, &place).await?;
        let lost = lost.into_iter().map(|rule| (place.clone(), rule));
        known.lost.extend(lost);
    }
    Ok(known)
}

/// What applying a file would do; nothing is changed here or there.
///
/// # Errors
/// When the ledger or a proxy's rules cannot be read.
pub async fn dry(
    desk: &Desk,
    file: &RuleFile,
    options: Options,
    cancel: &CancellationToken,
) -> Result<Plan, L4Error> {
    let known = look(desk, file, cancel).await?;
    Ok(plan::plan(file, &known, options, desk.ctx.clock.now()))
}

/// Does what the plan says, and waits until the rules work. `name` is what faults call the file.
///
/// # Errors
/// When the ledger cannot be used, the rules cannot be read, or ports that the file asks for are taken by others:
/// then nothing was sent.
pub async fn apply(
    desk: &Desk,
    file: &RuleFile,
    name: &str,
    orders: Orders,
    progress: &watch::Sender<Progress>,
    cancel: &CancellationToken,
) -> Result<(Plan, Report), L4Error> {
    desk.resume().await?;
    settle::recover(desk, cancel).await?;
    let options = orders.options;
    let plan = dry(desk, file, options, cancel).await?;
    if !plan.clashes.is_empty() {
        return Err(RuleFaults::collect(name, plan.clashes).into());
    }
    let mut sender = Sender {
        desk,
        cancel,
        progress,
        patience: orders.wait.max(PATIENCE),
        report: Report::default(),
        halt: None,
    };
    let gone: Vec<_> = plan.gone.iter().map(|key| (*key, None)).collect();
    desk.ctx.ledger.l4_observe(&gone).await?;
    adopt(&mut sender, file, &plan.adopt).await?;
    send(&mut sender, file, &plan, options).await?;
    let mut report = sender.report;
    let after = follow(desk, file, &plan, &report, orders.wait, progress, cancel).await?;
    (report.failed, report.waiting) = after;
    Ok((plan, report))
}

/// Deletes rules of ours.
///
/// # Errors
/// When the ledger cannot be used, or what an earlier run left open cannot be settled.
pub async fn delete(
    desk: &Desk,
    rows: &[L4RuleRow],
    progress: &watch::Sender<Progress>,
    cancel: &CancellationToken,
) -> Result<Report, L4Error> {
    desk.resume().await?;
    settle::recover(desk, cancel).await?;
    let mut groups: BTreeMap<(String, Place), Vec<Unit>> = BTreeMap::new();
    for row in rows {
        let held = held(row)?;
        let unit = Unit::of_held(&held);
        groups.entry((held.set, held.place)).or_default().push(unit);
    }
    progress.send_modify(|progress| progress.rules = rows.len() as u64);
    let mut sender = Sender {
        desk,
        cancel,
        progress,
        patience: PATIENCE,
        report: Report::default(),
        halt: None,
    };
    for ((set, place), units) in groups {
        let target = Target {
            set: &set,
            place: &place,
            action: L4Action::Delete,
        };
        sender.send(target, units).await?;
    }
    Ok(sender.report)
}

/// Lets the journal go of calls that were sent longer than `keep_history` ago.
///
/// # Errors
/// When the ledger cannot be written.
pub async fn forget(desk: &Desk, keep_history: Duration) -> Result<(), L4Error> {
    let kept = i64::try_from(keep_history.as_millis()).unwrap_or(i64::MAX);
    let until = desk.ctx.clock.now_ms().saturating_sub(kept);
    desk.ctx.ledger.l4_forget(until).await?;
    Ok(())
}

async fn adopt(
    sender: &mut Sender<'_>,
    file: &RuleFile,
    standing: &[Standing],
) -> Result<(), L4Error> {
    let now_ms = sender.desk.ctx.clock.now_ms();
    let mut places: BTreeMap<&Place, Vec<L4Item>> = BTreeMap::new();
    for one in standing {
        let rule_id = Some(one.rule_id.clone());
        let rule = one.wanted.rule.clone();
        let line = one.wanted.line;
        let item = Unit {
            line,
            rule_id,
            rule,
        }
        .item();
        places.entry(&one.wanted.place).or_default().push(item);
        sender.report.adopted.push(deed(one));
    }
    for (place, items) in places {
        let ledger = &sender.desk.ctx.ledger;
        let set = file.set.as_str();
        ledger
            .l4_adopt(set, &place.zone, &place.proxy, &items, now_ms)
            .await?;
    }
    Ok(())
}

/// At each proxy: what goes, then what changes, then what comes, for a port must be free before it is taken again.
async fn send(
    sender: &mut Sender<'_>,
    file: &RuleFile,
    plan: &Plan,
    options: Options,
) -> Result<(), L4Error> {
    let mut work: BTreeMap<&Place, [Vec<Unit>; 3]> = BTreeMap::new();
    for held in plan.left.iter().filter(|_| options.prune) {
        let [delete, ..] = work.entry(&held.place).or_default();
        delete.push(Unit::of_held(held));
    }
    for change in plan.change.iter().filter(|_| options.update) {
        let [_, modify, _] = work.entry(&change.wanted.place).or_default();
        modify.push(Unit {
            line: change.wanted.line,
            rule_id: Some(change.rule_id.clone()),
            rule: change.wanted.rule.clone(),
        });
    }
    for wanted in &plan.create {
        let [.., create] = work.entry(&wanted.place).or_default();
        create.push(Unit {
            line: wanted.line,
            rule_id: None,
            rule: wanted.rule.clone(),
        });
    }
    let rules: usize = work.values().flatten().map(Vec::len).sum();
    sender
        .progress
        .send_modify(|progress| progress.rules = rules as u64);
    let actions = [L4Action::Delete, L4Action::Modify, L4Action::Create];
    for (place, work) in work {
        for (action, units) in actions.into_iter().zip(work) {
            let target = Target {
                set: file.set.as_str(),
                place,
                action,
            };
            sender.send(target, units).await?;
        }
    }
    Ok(())
}

/// Looks at the file's rules until each is online or has failed, or the wait is over. Gives those that failed and
/// those that are neither.
async fn follow(
    desk: &Desk,
    file: &RuleFile,
    plan: &Plan,
    report: &Report,
    wait: Duration,
    progress: &watch::Sender<Progress>,
    cancel: &CancellationToken,
) -> Result<(Vec<Deed>, Vec<Deed>), L4Error> {
    let deadline = Instant::now() + wait;
    let mut rules: HashMap<(Place, String), Deed> = HashMap::new();
    let standing = plan.same.iter().chain(&plan.adopt).map(deed);
    for deed in standing.chain(report.changed.iter().chain(&report.made).cloned()) {
        rules.insert((deed.place.clone(), deed.rule_id.clone()), deed);
    }
    let mut look = FIRST_LOOK;
    loop {
        let pending: BTreeSet<Place> = rules
            .values()
            .filter(|deed| is_pending(deed))
            .map(|deed| deed.place.clone())
            .collect();
        let waiting = rules.values().filter(|deed| is_pending(deed)).count();
        progress.send_modify(|progress| progress.waiting = waiting as u64);
        let left = deadline.saturating_duration_since(Instant::now());
        if pending.is_empty() || left.is_zero() || !sleep(cancel, look.min(left)).await {
            break;
        }
        if let Err(fault) = look_again(desk, &pending, &mut rules, cancel).await? {
            tracing::warn!("the rules' status stays unknown: {fault}");
            break;
        }
        look = look.mul_f64(1.5).min(LONGEST_LOOK);
    }
    remember(desk, file, &rules).await?;
    let mut deeds: Vec<Deed> = rules.into_values().collect();
    deeds.sort_by_key(|deed| deed.line);
    let (failed, rest): (Vec<_>, Vec<_>) = deeds
        .into_iter()
        .filter(|deed| deed.status.as_deref() != Some("online"))
        .partition(|deed| deed.status.as_deref() == Some("fail"));
    Ok((failed, rest))
}

/// Reads the status of rules anew. The inner error: they cannot be read just now.
async fn look_again(
    desk: &Desk,
    places: &BTreeSet<Place>,
    rules: &mut HashMap<(Place, String), Deed>,
    cancel: &CancellationToken,
) -> Result<Result<(), L4Error>, L4Error> {
    for place in places {
        let rows = match desk.read(place, cancel).await {
            Ok(rows) => rows,
            Err(fault @ L4Error::Read(..)) => return Ok(Err(fault)),
            Err(fault) => return Err(fault),
        };
        for row in rows {
            if let Some(deed) = rules.get_mut(&(place.clone(), row.rule_id.clone())) {
                deed.status = Some(row.status);
            }
        }
    }
    Ok(Ok(()))
}

/// A rule that nobody has switched off and that is neither online nor failed.
fn is_pending(deed: &Deed) -> bool {
    !matches!(
        deed.status.as_deref(),
        Some("online" | "fail" | "offline" | "stopping")
    )
}

/// Writes the statuses down, for `l4 list`.
async fn remember(
    desk: &Desk,
    file: &RuleFile,
    rules: &HashMap<(Place, String), Deed>,
) -> Result<(), L4Error> {
    let rows = desk.ctx.ledger.l4_rules().await?;
    let of_set = rows.into_iter().filter(|row| row.set == file.set.as_str());
    let statuses: Vec<(i64, Option<String>)> = of_set
        .filter_map(|row| {
            let place = Place {
                zone: row.zone,
                proxy: row.proxy,
            };
            let deed = rules.get(&(place, row.rule_id))?;
            let status = deed.status.clone().filter(|status| *status != row.status)?;
            Some((row.id, Some(status)))
        })
        .collect();
    if statuses.is_empty() {
        return Ok(());
    }
    Ok(desk.ctx.ledger.l4_observe(&statuses).await?)
}

fn deed(standing: &Standing) -> Deed {
    Deed {
        line: standing.wanted.line,
        place: standing.wanted.place.clone(),
        rule_id: standing.rule_id.clone(),
        rule: standing.wanted.rule.to_string(),
        request_id: None,
        status: Some(standing.status.clone()),
    }
}

/// A rule of the ledger, read.
///
/// # Errors
/// Where this program would not have written it.
pub(super) fn held(row: &L4RuleRow) -> Result<Held, L4Error> {
    let rule = serde_json::from_str(&row.rule).map_err(|fault| {
        crate::ledger::LedgerError::Row(format!("rule {}: {fault}", row.rule_id))
    })?;
    Ok(Held {
        key: row.id,
        set: row.set.clone(),
        place: Place {
            zone: row.zone.clone(),
            proxy: row.proxy.clone(),
        },
        rule_id: row.rule_id.clone(),
        rule,
        status: row.status.clone(),
        made_at: row.made_at,
        changed_at: row.changed_at,
    })
}

fn seen(place: &Place, row: &Row) -> Seen {
    Seen {
        place: place.clone(),
        rule_id: row.rule_id.clone(),
        status: row.status.clone(),
        ports: protocol_of_row(row).zip(ports_of_row(row)),
        rule: Rule::of_row(row),
    }
}

impl Unit {
    fn of_held(held: &Held) -> Self {
        Self {
            line: 0,
            rule_id: Some(held.rule_id.clone()),
            rule: held.rule.clone(),
        }
    }
}
