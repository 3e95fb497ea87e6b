//! A story as text.

use jiff::tz::Offset;

use crate::model::{Direction, Indicator, List};
use crate::status::escape::escape;
use crate::status::layout::{bound, count, heading, items, prose};
use crate::status::span::{stamp, when};

use super::{ByHand, CallLine, Claim, EntryStory, OnFirewall, Story};

impl Story {
    /// All of it as text.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = heading(&format!("{} ({})", self.indicator, self.class));
        for firewall in &self.firewalls {
            text += &self.firewall(firewall);
        }
        if self.firewalls.is_empty() {
            text += &prose(
                2,
                "the ledger knows no firewall yet: `feedwall run` takes those of the config",
            );
        }
        text += &format!("\n{}{}", heading("Listings"), self.listings());
        text += &format!("\n{}", heading("Guards"));
        let guards = self
            .subjects
            .iter()
            .map(|subject| (&subject.indicator, escape(&subject.guards)));
        text += &items(guards);
        if !self.by_hand.is_empty() {
            text += &format!("\n{}", heading("By hand"));
            text += &items(
                self.by_hand
                    .iter()
                    .map(|word| (&word.indicator, word.text(self))),
            );
        }
        if !self.calls.is_empty() {
            text += &format!("\n{}", heading("Latest calls"));
            text += &items(
                self.calls
                    .iter()
                    .map(|call| (format!("#{}", call.id), call.text())),
            );
        }
        text
    }

    fn firewall(&self, firewall: &OnFirewall) -> String {
        let verdict = match firewall.blocked.as_slice() {
            [] if firewall.partly => "blocked in part".to_owned(),
            [] => "NOT blocked".to_owned(),
            [one] => format!("blocked {} only", bound(*one)),
            _ => "blocked both ways".to_owned(),
        };
        let mut text = prose(2, &format!("{}: {verdict}", firewall.firewall));
        for told in self.entries(firewall) {
            text += &prose(4, &escape(&told));
        }
        if firewall.inside > 0 {
            let inside = count(firewall.inside, "entry", "entries");
            text += &prose(
                4,
                &format!("{inside} inside it by themselves: `feedwall list` shows them"),
            );
        }
        for reason in &firewall.reasons {
            text += &prose(4, &escape(reason));
        }
        text
    }

    /// A sentence for each thing that is to be said of one or more entries: both directions, and the pieces of
    /// a carved network, are mostly told alike.
    fn entries(&self, firewall: &OnFirewall) -> Vec<String> {
        let mut places: Vec<Place<'_>> = Vec::new();
        for entry in &firewall.entries {
            let same = |place: &&mut Place<'_>| {
                (place.list, place.indicators.as_slice(), place.text)
                    == (entry.list, &[&entry.indicator][..], &*entry.text)
            };
            match places.iter_mut().find(same) {
                Some(place) => place.directions.push(entry.direction),
                None => places.push(Place::new(entry)),
            }
        }
        let mut told: Vec<Place<'_>> = Vec::new();
        for place in places {
            let alike = |first: &&mut Place<'_>| {
                (first.list, &first.directions, first.text)
                    == (place.list, &place.directions, place.text)
            };
            match told.iter_mut().find(alike) {
                Some(first) => first.indicators.extend(place.indicators),
                None => told.push(place),
            }
        }
        told.iter()
            .map(|place| place.sentence(&self.indicator))
            .collect()
    }

    fn listings(&self) -> String {
        let mut rows = Vec::new();
        let mut scores = Vec::new();
        for subject in &self.subjects {
            for claim in &subject.listings {
                let what = if subject.itself {
                    "it".to_owned()
                } else {
                    format!("{}, which holds it,", subject.indicator)
                };
                rows.push((claim.feed.to_string(), claim.text(&what, self)));
            }
            if let Some(score) = subject.score {
                let what = if subject.itself {
                    String::new()
                } else {
                    format!(" of {}", subject.indicator)
                };
                scores.push(format!("score{what}: {score:.2}"));
            }
        }
        if rows.is_empty() {
            return prose(
                2,
                "no feed has listed it, or anything that holds it, as far as the ledger remembers",
            );
        }
        let mut text = items(rows);
        for score in scores {
            text += &prose(2, &score);
        }
        text
    }
}

/// Entries of which the same is to be said.
struct Place<'a> {
    list: List,
    indicators: Vec<&'a Indicator>,
    directions: Vec<Direction>,
    text: &'a str,
}

impl<'a> Place<'a> {
    fn new(entry: &'a EntryStory) -> Self {
        Self {
            list: entry.list,
            indicators: vec![&entry.indicator],
            directions: vec![entry.direction],
            text: &entry.text,
        }
    }

    fn sentence(&self, asked: &Indicator) -> String {
        let who = match self.indicators.as_slice() {
            [one] if *one == asked => String::new(),
            [first] => format!(" by {first}"),
            [first, other] => format!(" by {first} and {other}"),
            [first, rest @ ..] => format!(" by {first} and {} more", rest.len()),
            [] => String::new(),
        };
        let list = match self.list {
            List::Block => "",
            List::Allow => " on the allowlist",
        };
        format!("{}{who}{list}: {}", ways(&self.directions), self.text)
    }
}

impl Claim {
    fn text(&self, what: &str, story: &Story) -> String {
        let now = story.now;
        if self.guards {
            let heard = match self.last_good {
                Some(at) => format!("last good fetch {}", when(at, now)),
                None => "never fetched well".to_owned(),
            };
            return format!("a guard list: {what} must not be blocked ({heard})");
        }
        let allow = match self.list {
            List::Block => "",
            List::Allow => " as allowed",
        };
        let since = format!(
            "{} ({})",
            stamp(self.first_listed),
            when(self.first_listed, now)
        );
        let Some(expires) = self.expires else {
            return format!(
                "lists {what}{allow} since {since}, but was never fetched well: it does not count"
            );
        };
        let ways = if self.directions.is_empty() {
            String::new()
        } else {
            format!(", {}", ways(&self.directions))
        };
        let confidence = format!("confidence {} %{ways}", self.confidence);
        let (listed, end) = match self.delisted_at {
            Some(gone) => (
                format!(
                    "listed {what}{allow} from {since} and delisted it {}",
                    when(gone, now)
                ),
                "counts half, and ends",
            ),
            None => (
                format!("lists {what}{allow} since {since}"),
                "ends, if it says nothing more,",
            ),
        };
        if expires <= now {
            return format!(
                "{listed}; {confidence}; ended {} ({})",
                stamp(expires),
                when(expires, now)
            );
        }
        format!(
            "{listed}; {confidence}; {end} {} ({})",
            stamp(expires),
            when(expires, now)
        )
    }
}

impl ByHand {
    fn text(&self, story: &Story) -> String {
        let what = if self.block {
            "to be blocked"
        } else {
            "not to be blocked"
        };
        let until = match self.until {
            None => ", for good".to_owned(),
            Some(until) => format!(", until {} ({})", stamp(until), when(until, story.now)),
        };
        let (said, reason) = (when(self.at, story.now), escape(&self.reason));
        format!("{what}{until}; said {said}: {reason}")
    }
}

impl CallLine {
    fn text(&self) -> String {
        let at = self.sent_at.wall_clock(Offset::UTC);
        let what = format!(
            "{at} UTC, {}: {} {} {}",
            self.firewall,
            self.action,
            self.indicator,
            ways(&self.directions)
        );
        let verdict = self.verdict.as_deref().unwrap_or("no answer yet");
        let code = match (&self.code, &self.message) {
            (Some(code), Some(message)) if !message.is_empty() => {
                format!(", {}: {}", escape(code), escape(message))
            }
            (Some(code), _) => format!(", {}", escape(code)),
            (None, _) => String::new(),
        };
        let id = self.request_id.as_deref().unwrap_or("none");
        format!("{what}: {verdict}{code}; RequestId {}", escape(id))
    }
}

fn ways(directions: &[Direction]) -> String {
    match directions {
        [one] => bound(*one).to_owned(),
        _ => "both ways".to_owned(),
    }
}
