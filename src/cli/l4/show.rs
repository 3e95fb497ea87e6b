//! Proxy rules as text and as JSON. Text holds the first few of each kind; JSON holds all.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};

use crate::l4::plan::{Change, Held, Options, Plan, Standing};
use crate::l4::{Deed, Fault, Report, RuleFile, Wanted};
use crate::ledger::L4RuleRow;
use crate::model::UnixTime;
use crate::status::escape::escape;
use crate::status::layout::Side::{Left, Right};
use crate::status::layout::{count, grid, heading};
use crate::status::span::when;

/// Rules of one kind that are shown.
const SHOWN: usize = 20;

/// Whether something differs from the file and is left so.
pub(super) fn waits(plan: &Plan, options: Options) -> bool {
    let changes = !plan.change.is_empty() && !options.update;
    let left = !plan.left.is_empty() && !options.prune;
    changes || left || !plan.alien.is_empty()
}

pub(super) fn plan(file: &RuleFile, path: &Path, plan: &Plan, options: Options) -> String {
    let stand = plan.same.len() + plan.adopt.len() + plan.alien.len();
    let mut text = format!(
        "{}: {} of the set `{}`: {stand} there, {} to make, {} to change, {} left the file\n",
        escape(&path.to_string_lossy()),
        count(file.rules.len() as u64, "rule", "rules"),
        file.set,
        plan.create.len(),
        plan.change.len(),
        plan.left.len()
    );
    let make = |wanted: &Wanted| {
        let (line, rule, place) = (wanted.line, &wanted.rule, &wanted.place);
        format!("make: line {line}, {rule} to {} on {place}", rule.target())
    };
    some(&mut text, &plan.create, make);
    text += &standing(plan, options);
    let taken = |fault: &Fault| {
        let Fault {
            line,
            field,
            message,
        } = fault;
        format!("impossible: line {line}, {field}: {message}")
    };
    some(&mut text, &plan.clashes, taken);
    text
}

/// What stands and is not as the file says, or not the set's own.
fn standing(plan: &Plan, options: Options) -> String {
    let mut text = String::new();
    let only = |given: bool, option: &str| match given {
        true => String::new(),
        false => format!(" (only with {option})"),
    };
    let update = only(options.update, "--update");
    let change = |change: &Change| {
        let (line, rule, id) = (change.wanted.line, &change.wanted.rule, &change.rule_id);
        let difference = change.difference.join("; ");
        format!("change{update}: line {line}, {rule} ({id}): {difference}")
    };
    some(&mut text, &plan.change, change);
    let prune = only(options.prune, "--prune");
    let delete = |held: &Held| {
        let (rule, id, place) = (&held.rule, &held.rule_id, &held.place);
        format!("delete{prune}: {rule} ({id}) on {place} is not in the file")
    };
    some(&mut text, &plan.left, delete);
    let adopt = |one: &Standing| {
        let (line, rule, id) = (one.wanted.line, &one.wanted.rule, &one.rule_id);
        format!("take over: line {line}, {rule} ({id}) stands as the file says")
    };
    some(&mut text, &plan.adopt, adopt);
    let alien = |one: &Standing| {
        let (line, rule, id) = (one.wanted.line, &one.wanted.rule, &one.rule_id);
        format!(
            "leave: line {line}, {rule} ({id}) stands as the file says, but feedwall did not make it (--adopt takes it over)"
        )
    };
    some(&mut text, &plan.alien, alien);
    text
}

pub(super) fn applied(file: &RuleFile, plan: &Plan, report: &Report, options: Options) -> String {
    let mut text = format!("set `{}`: {}", file.set, done(report));
    let stand = plan.same.len();
    if stand > 0 {
        text += &format!(", {stand} stood already");
    }
    let wrong = report.failed.len() + report.waiting.len();
    let there = stand + report.adopted.len() + report.made.len() + report.changed.len();
    text += &format!(
        "; {} of {} online\n",
        there - wrong.min(there),
        file.rules.len()
    );
    // What was just done is in the report; what is left to do is not.
    let left = Plan {
        change: if options.update {
            Vec::new()
        } else {
            plan.change.clone()
        },
        left: if options.prune {
            Vec::new()
        } else {
            plan.left.clone()
        },
        alien: plan.alien.clone(),
        ..Plan::default()
    };
    text += &standing(&left, options);
    text + &shortfalls(report)
}

pub(super) fn deleted(report: &Report) -> String {
    format!("{}\n{}", done(report), shortfalls(report))
}

fn done(report: &Report) -> String {
    let counts = [
        (report.made.len(), "made"),
        (report.changed.len(), "changed"),
        (report.deleted.len(), "deleted"),
        (report.adopted.len(), "taken over"),
        (report.refused.len(), "refused"),
    ];
    let parts: Vec<String> = counts
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, word)| format!("{count} {word}"))
        .collect();
    match parts.is_empty() {
        true => "nothing to send".to_owned(),
        false => parts.join(", "),
    }
}

fn shortfalls(report: &Report) -> String {
    let mut text = String::new();
    for refused in &report.refused {
        let (code, message) = (escape(&refused.code), escape(&refused.message));
        let id = refused.request_id.as_deref().unwrap_or("none");
        text += &format!(
            "  refused: {}{} on {}: {code}: {message} (RequestId {})\n",
            line(refused.line),
            refused.rule,
            refused.place,
            escape(id)
        );
    }
    for stopped in &report.stopped {
        text += &format!(
            "  not done: {} of {} rules on {}: {}\n",
            stopped.action,
            stopped.rules,
            stopped.place,
            escape(&stopped.why)
        );
    }
    let state = |deed: &Deed| {
        let status = escape(deed.status.as_deref().unwrap_or("not seen yet")).into_owned();
        format!(
            "{}{} ({}) on {}: {status}",
            line(deed.line),
            deed.rule,
            escape(&deed.rule_id),
            deed.place
        )
    };
    some(&mut text, &report.failed, |deed| {
        format!("failed: {}", state(deed))
    });
    some(&mut text, &report.waiting, |deed| {
        format!("not online: {}", state(deed))
    });
    text
}

fn line(line: usize) -> String {
    match line {
        0 => String::new(),
        line => format!("line {line}, "),
    }
}

fn some<T>(text: &mut String, items: &[T], one: impl Fn(&T) -> String) {
    for item in items.iter().take(SHOWN) {
        *text += &format!("  {}\n", escape(&one(item)));
    }
    if items.len() > SHOWN {
        *text += &format!(
            "  … and {} more like it (--json shows all)\n",
            items.len() - SHOWN
        );
    }
}

/// The rules of each proxy under its name, so that no id is broken by a line's end.
pub(super) fn list(rules: &[L4RuleRow], now: UnixTime) -> String {
    if rules.is_empty() {
        return "no such rule".to_owned();
    }
    let header = [
        ("set", Left),
        ("rule", Left),
        ("id", Left),
        ("tag", Left),
        ("status", Left),
        ("made", Right),
    ];
    let mut proxies: BTreeMap<(&str, &str), Vec<Vec<String>>> = BTreeMap::new();
    for row in rules {
        let cells = vec![
            row.set.clone(),
            known_by(row),
            escape(&row.rule_id).into_owned(),
            escape(row.tag.as_deref().unwrap_or("")).into_owned(),
            escape(&row.status).into_owned(),
            when(row.made_at, now),
        ];
        let proxy = proxies.entry((&row.zone, &row.proxy)).or_default();
        proxy.push(cells);
    }
    let tables = proxies.into_iter().map(|((zone, proxy), rows)| {
        format!(
            "{}{}",
            heading(&format!("{zone}/{proxy}")),
            grid(&header, rows)
        )
    });
    tables.collect::<Vec<_>>().join("\n")
}

fn known_by(row: &L4RuleRow) -> String {
    let rule: Result<crate::l4::Rule, _> = serde_json::from_str(&row.rule);
    rule.map_or_else(|_| "unreadable".to_owned(), |rule| rule.to_string())
}

pub(super) fn row_json(row: &L4RuleRow) -> Value {
    let rule: Value = serde_json::from_str(&row.rule).unwrap_or_default();
    json!({
        "set": row.set, "zone": row.zone, "proxy": row.proxy, "rule_id": row.rule_id, "tag": row.tag,
        "status": row.status, "request_id": row.request_id, "made_at": row.made_at.seconds(),
        "changed_at": row.changed_at.seconds(), "rule": rule,
    })
}

pub(super) fn plan_json(plan: &Plan) -> Value {
    let wanted = |wanted: &Wanted| json!({ "line": wanted.line, "zone": wanted.place.zone, "proxy": wanted.place.proxy, "rule": wanted.rule });
    let standing = |one: &Standing| json!({ "line": one.wanted.line, "rule_id": one.rule_id, "status": one.status, "rule": one.wanted.rule });
    let many = |items: &[Standing]| items.iter().map(standing).collect::<Vec<_>>();
    let change = |change: &Change| json!({ "line": change.wanted.line, "rule_id": change.rule_id, "difference": change.difference, "rule": change.wanted.rule });
    let left = |held: &Held| json!({ "rule_id": held.rule_id, "zone": held.place.zone, "proxy": held.place.proxy, "rule": held.rule });
    let clash = |fault: &Fault| json!({ "line": fault.line, "field": fault.field, "message": fault.message });
    json!({
        "create": plan.create.iter().map(wanted).collect::<Vec<_>>(),
        "change": plan.change.iter().map(change).collect::<Vec<_>>(),
        "same": many(&plan.same), "take_over": many(&plan.adopt), "theirs": many(&plan.alien),
        "left": plan.left.iter().map(left).collect::<Vec<_>>(),
        "gone": plan.gone.len(),
        "clashes": plan.clashes.iter().map(clash).collect::<Vec<_>>(),
    })
}
