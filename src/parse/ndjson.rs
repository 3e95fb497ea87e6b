//! Format `ndjson`: one JSON object (list, string) a line. A row whose `type` is `metadata` and that lists
//! nothing says something about the list, as in Spamhaus's DROP.

use std::io;

use serde::de::IgnoredAny;

use super::json::Rows;
use super::lines::each_line;
use super::{Out, Recipe, Text};

pub(super) fn parse(recipe: &Recipe, text: Text<'_>, out: &mut Out<'_>) -> io::Result<()> {
    let rows = Rows::new(recipe);
    let mut open = false;
    let text = Text {
        // An object ends with its bracket, so that a last line without an end cannot be a shorter one.
        ends_surely: true,
        ..text
    };
    each_line(text, out, |out, line| {
        let item = line.bytes.trim_ascii();
        if item.is_empty() {
            return;
        }
        open = !rows.row(out, line.place, item) && ends_inside(item);
    })?;
    out.tally.broken |= open;
    Ok(())
}

fn ends_inside(item: &[u8]) -> bool {
    let read = serde_json::from_slice::<IgnoredAny>(item);
    read.is_err_and(|error| error.is_eof())
}
