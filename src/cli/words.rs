//! What a single run did, in words and in JSON.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::daemon::OnceSummary;
use crate::plan::Plan;
use crate::stage::intake::PollEnd;
use crate::status::escape::escape_whole;
use crate::status::layout::held_deletes;

/// The summary of `run --once` for a terminal.
#[must_use]
pub fn once(summary: &OnceSummary, dry_run: bool) -> String {
    let mut text = String::new();
    for poll in &summary.polls {
        let _ = writeln!(text, "feed {}: {}", poll.feed, poll_words(&poll.end));
    }
    for (name, sent, plan, failure) in &summary.firewalls {
        let [deleted, edited, added] = sent.entries;
        let _ = if dry_run {
            writeln!(text, "firewall {name}: {}", plan_words(plan))
        } else {
            writeln!(
                text,
                "firewall {name}: {} desired; {} calls: {added} added, {edited} renewed, {deleted} deleted",
                plan.desired, sent.calls,
            )
        };
        for (reason, entries) in &plan.left_out {
            let _ = writeln!(text, "  left out: {entries} {}", reason.as_str());
        }
        if plan.held_deletes > 0 {
            let _ = writeln!(
                text,
                "  {}; `feedwall approve --firewall {name}` lets them go",
                held_deletes(plan.held_deletes, plan.wanted_deletes, plan.allowed_deletes)
            );
        }
        if let Some(why) = failure {
            let _ = writeln!(text, "  not done: {}", escape_whole(why));
        }
    }
    text
}

/// The same as JSON.
#[must_use]
pub fn once_json(summary: &OnceSummary, dry_run: bool) -> Value {
    let polls: Vec<Value> = summary
        .polls
        .iter()
        .map(|poll| json!({ "feed": poll.feed, "end": poll_json(&poll.end), "duration_ms": poll.took.as_millis() }))
        .collect();
    let firewalls: Vec<Value> = summary
        .firewalls
        .iter()
        .map(|(name, sent, plan, failure)| {
            let [deleted, edited, added] = sent.entries;
            json!({
                "firewall": name, "desired": plan.desired, "held": plan.held, "pending": plan.pending,
                "calls": sent.calls, "applied": sent.applied,
                "added": added, "edited": edited, "deleted": deleted,
                "left_out": plan.left_out, "held_deletes": plan.held_deletes, "failure": failure,
            })
        })
        .collect();
    json!({ "dry_run": dry_run, "polls": polls, "firewalls": firewalls })
}

fn plan_words(plan: &Plan) -> String {
    let count = |action| -> usize {
        let of_action = plan.batches.iter().filter(|batch| batch.action() == action);
        of_action.map(crate::plan::Batch::len).sum()
    };
    use crate::model::Action::{Add, Delete, Edit};
    format!(
        "{} desired, {} held; would send {} calls: {} added, {} renewed, {} deleted",
        plan.desired,
        plan.held,
        plan.batches.len(),
        count(Add),
        count(Edit),
        count(Delete)
    )
}

fn poll_words(end: &PollEnd) -> String {
    match end {
        PollEnd::Unchanged => "unchanged".to_owned(),
        PollEnd::Recorded { delta, rejected } => format!(
            "{} listed ({} new, {} delisted, {rejected} rows rejected)",
            delta.listed,
            delta.added + delta.relisted,
            delta.delisted
        ),
        PollEnd::Held(why) => format!("held: {}", escape_whole(why)),
        PollEnd::Failed(why) => format!("failed: {}", escape_whole(why)),
        PollEnd::Frozen(why) => format!("frozen: {}", escape_whole(why)),
        PollEnd::Retired(why) => format!("retired: {}", escape_whole(why)),
    }
}

fn poll_json(end: &PollEnd) -> Value {
    match end {
        PollEnd::Unchanged => json!({ "state": "unchanged" }),
        PollEnd::Recorded { delta, rejected } => json!({
            "state": "recorded", "listed": delta.listed, "added": delta.added,
            "relisted": delta.relisted, "renewed": delta.renewed, "delisted": delta.delisted,
            "rejected": rejected,
        }),
        PollEnd::Held(why) => json!({ "state": "held", "trouble": why }),
        PollEnd::Failed(why) => json!({ "state": "failed", "trouble": why }),
        PollEnd::Frozen(why) => json!({ "state": "frozen", "trouble": why }),
        PollEnd::Retired(why) => json!({ "state": "retired", "trouble": why }),
    }
}
