//! Calls whose answer never came: what they did is read back, and nothing is done twice.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::desk::{Desk, sleep};
use super::rule::Rule;
use super::{L4Error, Place, plan};
use crate::cloud::limit::LATE;
use crate::cloud::teo::Row;
use crate::ledger::{L4Action, L4CallRow, L4Item, L4Settlement};

/// For how long a rule that stands is taken for a lost create's.
const REMEMBERED: Duration = Duration::from_secs(86_400);

/// A call that was written down longer ago than this cannot arrive any more.
const LONG_AGO: i64 = 60_000;

/// What of a call is as it said, each with its RuleId, by the rules that stand. `known`: ids that the ledger has, which no
/// lost create can have made.
pub(super) fn found(
    action: L4Action,
    items: &[L4Item],
    rows: &[Row],
    known: &[String],
) -> Vec<L4Item> {
    let known: HashSet<&str> = known.iter().map(String::as_str).collect();
    let standing: HashMap<&str, Option<String>> = rows
        .iter()
        .map(|row| {
            let rule = Rule::of_row(row).as_ref().map(plan::text);
            (row.rule_id.as_str(), rule)
        })
        .collect();
    // A proxy has each port of a protocol once, so that no two rules on it have the same content.
    let by_content: HashMap<&str, &str> = standing
        .iter()
        .filter(|(id, _)| !known.contains(*id))
        .filter_map(|(id, rule)| Some((rule.as_deref()?, *id)))
        .collect();
    let found = |item: &L4Item| {
        let id = item.rule_id.as_deref();
        let rule_id = match action {
            L4Action::Create => by_content.get(item.rule.as_deref()?).copied(),
            L4Action::Modify => {
                id.filter(|id| standing.get(id).is_some_and(|rule| *rule == item.rule))
            }
            L4Action::Delete => id.filter(|id| !standing.contains_key(id)),
        };
        rule_id.map(|id| L4Item {
            rule_id: Some(id.to_owned()),
            ..item.clone()
        })
    };
    items.iter().filter_map(found).collect()
}

/// The journal's word for a call that was settled by reading.
pub(super) fn word(action: L4Action, found: usize, all: usize) -> &'static str {
    match (found, action) {
        (found, _) if found == all => "applied",
        // It may still arrive; what it makes then is known again by this word.
        (_, L4Action::Create) => "lost",
        _ => "retry",
    }
}

/// Settles what a process before this one left open.
pub(super) async fn recover(desk: &Desk, cancel: &CancellationToken) -> Result<usize, L4Error> {
    let open = desk.ctx.ledger.l4_unsettled().await?;
    let Some(youngest) = open.iter().map(|call| call.sent_ms).max() else {
        return Ok(0);
    };
    if desk.ctx.clock.now_ms().saturating_sub(youngest) < LONG_AGO {
        // What it left in the kernel's buffers may still arrive.
        sleep(cancel, LATE).await;
    }
    let count = open.len();
    let mut places: BTreeMap<Place, Vec<L4CallRow>> = BTreeMap::new();
    for call in open {
        let place = Place {
            zone: call.zone.clone(),
            proxy: call.proxy.clone(),
        };
        places.entry(place).or_default().push(call);
    }
    for (place, calls) in places {
        let rows = match desk.read(&place, cancel).await {
            Ok(rows) => rows,
            // It stays open; whoever has to do with that proxy reads it again before anything is sent there.
            Err(fault @ L4Error::Read(..)) => {
                tracing::warn!("calls of an earlier run stay open: {fault}");
                continue;
            }
            Err(fault) => return Err(fault),
        };
        for call in calls {
            let held = desk.ctx.ledger.l4_rules().await?;
            let known: Vec<String> = held.into_iter().map(|row| row.rule_id).collect();
            let applied = found(call.action, &call.items, &rows, &known);
            let settlement = L4Settlement {
                verdict: word(call.action, applied.len(), call.items.len()),
                message: Some(
                    "settled by reading the rules back: no answer is on record".to_owned(),
                ),
                applied,
                ..L4Settlement::default()
            };
            let now_ms = desk.ctx.clock.now_ms();
            desk.ctx
                .ledger
                .l4_settle(call.id, &settlement, now_ms)
                .await?;
        }
    }
    Ok(count)
}

/// The rules that creates carried to this proxy within the last day and nobody answered for.
pub(super) async fn lost(desk: &Desk, place: &Place) -> Result<HashSet<String>, L4Error> {
    let remembered = i64::try_from(REMEMBERED.as_millis()).unwrap_or(i64::MAX);
    let since = desk.ctx.clock.now_ms().saturating_sub(remembered);
    let ledger = &desk.ctx.ledger;
    let mut calls = ledger.l4_lost(&place.zone, &place.proxy, since).await?;
    let here = |call: &L4CallRow| {
        call.action == L4Action::Create && call.zone == place.zone && call.proxy == place.proxy
    };
    calls.extend(ledger.l4_unsettled().await?.into_iter().filter(here));
    let items = calls.into_iter().flat_map(|call| call.items);
    Ok(items.filter_map(|item| item.rule).collect())
}

#[cfg(test)]
mod tests {
    use super::super::rule::tests::rule;
    use super::super::{Protocol, Rule};
    use super::*;

    fn row(id: &str, rule: &Rule) -> Row {
        let mut row: Row =
            serde_json::from_value(serde_json::to_value(rule.request(Some(id))).unwrap()).unwrap();
        row.status = "online".into();
        row
    }

    fn item(id: Option<&str>, rule: &Rule) -> L4Item {
        L4Item {
            rule_id: id.map(str::to_owned),
            rule: Some(plan::text(rule)),
            tag: None,
        }
    }

    #[test]
    fn a_lost_create_s_rules_are_known_by_their_whole_content() {
        let one = rule(Protocol::Tcp, &["80"], "1.1.1.1", "a");
        let two = rule(Protocol::Tcp, &["81"], "1.1.1.1", "a");
        let other = rule(Protocol::Tcp, &["81"], "1.0.0.1", "a");
        let items = [item(None, &one), item(None, &two)];
        let rows = [row("rule-1", &one), row("rule-2", &other)];
        let made = found(L4Action::Create, &items, &rows, &[]);
        assert_eq!(made, [item(Some("rule-1"), &one)]);
        assert_eq!(word(L4Action::Create, made.len(), items.len()), "lost");
        // A rule that the ledger has already is another call's.
        assert!(found(L4Action::Create, &items, &rows, &["rule-1".to_owned()]).is_empty());
        let rows = [row("rule-1", &one), row("rule-2", &two)];
        assert_eq!(found(L4Action::Create, &items, &rows, &[]).len(), 2);
    }

    #[test]
    fn a_lost_modify_and_a_lost_delete_are_seen_by_their_ids() {
        let old = rule(Protocol::Tcp, &["80"], "1.1.1.1", "a");
        let new = rule(Protocol::Tcp, &["80"], "1.0.0.1", "a");
        let items = [item(Some("rule-1"), &new), item(Some("rule-2"), &new)];
        let rows = [row("rule-1", &new), row("rule-2", &old)];
        assert_eq!(
            found(L4Action::Modify, &items, &rows, &[]),
            [items[0].clone()]
        );
        assert!(found(L4Action::Delete, &items, &rows, &[]).is_empty());
        assert_eq!(
            found(L4Action::Delete, &items, &rows[1..], &[]),
            [items[0].clone()]
        );
        assert_eq!(word(L4Action::Delete, 1, 2), "retry");
    }
}
