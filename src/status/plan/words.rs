//! A plan as text.

use crate::model::{Action, List};

use crate::status::escape::escape;
use crate::status::layout::{count, heading, held_deletes, items, prose, warn};
use crate::status::span::{stamp, when, zoned};

use super::{Example, Group, Outlook, SHOWN};

impl Outlook {
    /// All of it as text.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = heading(&format!("Firewall {}", self.firewall));
        text += &prose(2, &self.summary());
        if self.withdrawn {
            let withdrawn =
                "Everything is being taken back: nothing is wanted here until `feedwall resume`.";
            text += &warn(&prose(2, withdrawn));
        }
        if self.held_deletes > 0 {
            let held = format!(
                "{}. `feedwall approve --firewall {}` lets them go; until then what they would take off is renewed.",
                held_deletes(self.held_deletes, self.wanted_deletes, self.allowed_deletes),
                self.firewall
            );
            text += &warn(&prose(2, &held));
        }
        for group in &self.groups {
            text += &prose(2, &self.group(group));
            text += &examples(&group.examples);
        }
        for omission in &self.left_out {
            let entries = count(omission.entries, "entry", "entries");
            text += &prose(
                2,
                &format!("Left out: {entries}, {}", omission.reason.as_str()),
            );
            text += &examples(&omission.examples);
        }
        text
    }

    fn summary(&self) -> String {
        let sendable: u64 = self.groups.iter().map(|group| group.calls).sum();
        let send = match sendable {
            0 => "nothing to send now".to_owned(),
            calls => format!("{} to send", count(calls, "call", "calls")),
        };
        let waiting = match self.waiting {
            0 => String::new(),
            waiting => format!("; {waiting} wait for a trial"),
        };
        let next = match self.next_due {
            Some(at) if at > self.now => format!(
                "; next change by itself {} ({})",
                when(at, self.now),
                stamp(at)
            ),
            _ => String::new(),
        };
        let desired = count(self.desired, "entry", "entries");
        format!(
            "{desired} desired, {} there; {send}{waiting}{next}.",
            self.held
        )
    }

    fn group(&self, group: &Group) -> String {
        let verb = match group.action {
            Action::Add => "Add",
            Action::Edit => "Renew",
            Action::Delete => "Delete",
        };
        let list = match group.list {
            List::Block => "",
            List::Allow => " of the allowlist",
        };
        let until = match group.end_time {
            Some(end) => format!(" until {}", zoned(end, self.zone)),
            None => String::new(),
        };
        let (entries, calls) = (
            count(group.entries, "entry", "entries"),
            count(group.calls, "call", "calls"),
        );
        format!("{verb} {entries} ({}{list}) in {calls}{until}", group.class)
    }
}

fn examples(examples: &[Example]) -> String {
    let mut text = String::new();
    let rows = examples
        .iter()
        .map(|one| (format!("  {}", one.indicator), escape(&one.why)));
    text += &items(rows);
    if examples.len() == SHOWN {
        text += "    …\n";
    }
    text
}
