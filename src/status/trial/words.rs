//! A trial as text.

use crate::status::feed::format_word;

use super::{Effect, Rejected, SHOWN, Trial};
use crate::status::escape::escape;
use crate::status::layout::Side::{Left, Right};
use crate::status::layout::{count, grid, heading, items, prose, warn};

impl Trial {
    /// All of it as text.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = match &self.feed {
            Some(feed) => heading(&format!("Feed {feed}, tried and not recorded")),
            None => heading("Tried and not recorded"),
        };
        text += &items(self.facts());
        if !self.first.is_empty() {
            text += &format!(
                "\n{}",
                heading(&format!("First of the {} accepted", self.indicators))
            );
            for indicator in &self.first {
                text += &format!("  {}\n", escape(indicator));
            }
        }
        if !self.rejects.is_empty() {
            text += &format!(
                "\n{}",
                heading(&count(self.rejected, "row rejected", "rows rejected"))
            );
            for rejected in &self.rejects {
                text += &rejected.text();
            }
        }
        if !self.guarded.is_empty() {
            text += &format!("\n{}", heading("What the guards would do"));
            text += &self.guards();
        }
        text + "\n" + &self.verdict()
    }

    fn facts(&self) -> Vec<(&'static str, String)> {
        let classes = self.by_class.iter().filter(|(_, number)| **number > 0);
        let classes: Vec<String> = classes
            .map(|(class, number)| format!("{number} {class}"))
            .collect();
        let listed = match classes.is_empty() {
            true => "nothing".to_owned(),
            false => classes.join(", "),
        };
        // Of a body that was refused by its beginning, nothing is known to be packed.
        let bytes = if [0, self.bytes].contains(&self.unpacked_bytes) {
            count(self.bytes, "byte", "bytes")
        } else {
            format!("{} bytes, {} unpacked", self.bytes, self.unpacked_bytes)
        };
        let read_as = match &self.because {
            Some(because) => format!("{}: {}", format_word(self.read_as), escape(because)),
            None => format_word(self.read_as),
        };
        let mut facts = vec![
            ("source", escape(&self.source).into_owned()),
            ("read as", read_as),
            (
                "body",
                format!(
                    "{bytes}, {} in {} ms",
                    count(self.rows, "row", "rows"),
                    self.duration_ms
                ),
            ),
            ("lists", listed),
        ];
        if self.passed_over > 0 {
            let rows = count(self.passed_over, "row or object", "rows and objects");
            let text = format!(
                "{rows} that `where` does not ask for, or that say nothing about hosts (files' hashes, reports)"
            );
            facts.push(("passed over", text));
        }
        if self.needless > 0 {
            let rows = count(self.needless, "row", "rows");
            let text = format!("{rows} of public suffixes, which nothing ever blocks");
            facts.push(("needs no guard", text));
        }
        if let Some(changes) = self.changes {
            let text = format!(
                "{} new, {} back again, {} delisted, {} as before",
                changes.added, changes.relisted, changes.delisted, changes.unchanged
            );
            facts.push(("against ledger", text));
        }
        facts
    }

    fn guards(&self) -> String {
        let header = [("indicators", Right), ("guard", Left), ("effect", Left)];
        let mut text = String::new();
        let rows = self.guarded.iter().map(|guarded| {
            let effect = match guarded.effect {
                Effect::Struck => "not listed",
                Effect::Held => "held",
                Effect::Carved => "listed but for what is guarded",
            };
            let by = escape(&guarded.by).into_owned();
            vec![guarded.indicators.to_string(), by, effect.to_owned()]
        });
        text += &grid(&header, rows.collect());
        let examples = self
            .guarded
            .iter()
            .map(|guarded| (&guarded.example, escape(&guarded.why)));
        text + &items(examples)
    }

    fn verdict(&self) -> String {
        match &self.would_hold {
            None => prose(0, "The feed contract would let it be recorded."),
            Some(doubt) => warn(&prose(
                0,
                &format!("The feed contract would hold it: {doubt}."),
            )),
        }
    }
}

impl Rejected {
    fn text(&self) -> String {
        let mut text = prose(2, &format!("{} of them: {}", self.count, self.reason));
        let lines = self.first.iter();
        text += &items(lines.map(|line| (format!("line {}", line.line), escape(&line.text))));
        if self.count > SHOWN as u64 {
            text += &format!("  and {} more\n", self.count - SHOWN as u64);
        }
        text
    }
}
