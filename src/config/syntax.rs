//! What the parser says about a text that is no TOML, less its echoes.

use std::ops::Range;

use toml::de::{DeTable, DeValue, Error};

use super::fault::{Fault, Lines};
use super::section::Item;

/// Past this many, faults are echoes of the first ones.
const MOST: usize = 10;

/// The faults of a text: one a line, and one alone for a bracket that is never closed, at the bracket.
///
/// After such a bracket the parser takes the rest of the file for what stands inside it, and each line
/// there for a fault.
pub(super) fn faults(lines: &Lines<'_>, root: &DeTable<'_>, errors: &[Error]) -> Vec<Fault> {
    let open = errors.iter().find_map(|error| never_closed(root, error));
    let echo = |error: &&Error| {
        let at = error.span().unwrap_or_default().start;
        open.as_ref()
            .is_some_and(|(span, _)| span.start <= at && at <= span.end)
    };
    let mut faults: Vec<_> = errors
        .iter()
        .filter(|error| !echo(error))
        .map(|error| fault(lines, error.span(), error.message()))
        .collect();
    if let Some((span, what)) = &open {
        let message = format!("the {what} that begins here is never closed");
        faults.push(fault(lines, Some(span.clone()), &message));
    }
    faults.sort();
    faults.dedup_by_key(|fault| fault.line);
    faults.truncate(MOST);
    faults
}

fn fault(lines: &Lines<'_>, span: Option<Range<usize>>, message: &str) -> Fault {
    // What is missing behind the last line is shown at that line's end.
    let at = span.map_or(0, |span| span.start).min(lines.text_end());
    Fault {
        line: lines.line(at),
        column: Some(lines.column(at)),
        place: Vec::new(),
        message: format!("this is no TOML: {message}"),
    }
}

/// The outermost value that ends where the parser gave up waiting for its closing bracket.
fn never_closed(root: &DeTable<'_>, error: &Error) -> Option<(Range<usize>, &'static str)> {
    let end = error.span()?.start;
    let waited = error.message().starts_with("unclosed");
    waited.then(|| ending_at(root, end)).flatten()
}

fn ending_at(table: &DeTable<'_>, end: usize) -> Option<(Range<usize>, &'static str)> {
    table.values().find_map(|item| value_ending_at(item, end))
}

fn value_ending_at(item: &Item<'_>, end: usize) -> Option<(Range<usize>, &'static str)> {
    let span = item.span();
    let here = span.start < end && span.end == end;
    match item.get_ref() {
        DeValue::Array(_) if here => Some((span, "array")),
        DeValue::Table(_) if here => Some((span, "inline table")),
        DeValue::Array(items) => items.iter().find_map(|item| value_ending_at(item, end)),
        DeValue::Table(inner) => ending_at(inner, end),
        _ => None,
    }
}
