//! The feed contract: when a snapshot that was fetched well is still not believed.

use std::fmt;

use crate::model::{Brakes, Mode};
use crate::parse::{Reason, Snapshot};

/// What is known of a parsed body when it is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Indicators in it.
    pub indicators: u64,
    /// Rows of a guard list that need no guard: they say something, and what they name is never blocked anyway.
    pub needless: u64,
    /// It holds more than `max_entries`, so that some of them were not counted.
    pub overflowed: bool,
    /// Rows that say something, taken and rejected.
    pub rows: u64,
    /// Rows rejected.
    pub rejected: u64,
    /// Why most of those were.
    pub reason: Option<Reason>,
    /// It begins like a web page.
    pub html: bool,
    /// It stops inside its last line, and nothing says that it ends there.
    pub cut: bool,
    /// Indicators in the last good snapshot; `None` before the first one.
    pub before: Option<u64>,
}

/// Why a snapshot is held. Its text is a sentence for the operator.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Doubt {
    /// A web page with a good status: an error page, a login, a block page.
    Html,
    /// It stops inside its last line.
    Cut,
    /// Nothing in it.
    Empty,
    /// More than half of the rows were rejected.
    MostlyRejected {
        /// Rows rejected.
        rejected: u64,
        /// Rows in all.
        rows: u64,
        /// Why most of the rejected ones were.
        reason: Option<Reason>,
    },
    /// Fewer than `min_entries`.
    TooFew {
        /// Indicators.
        found: u64,
        /// The limit.
        least: u64,
    },
    /// More than `max_entries`.
    TooMany {
        /// The limit.
        most: u64,
    },
    /// More vanished at once than `max_shrink` allows.
    Shrunk {
        /// Indicators before.
        before: u64,
        /// Indicators now.
        found: u64,
    },
    /// It grew past `max_growth`.
    Grown {
        /// Indicators before.
        before: u64,
        /// Indicators now.
        found: u64,
    },
}

/// Fewer indicators than this in either snapshot are too few to judge a change of size by.
const FEW: u64 = 20;

/// What is known of a body once it has been parsed; `before` are the indicators of the last good snapshot.
#[must_use]
pub fn facts(snapshot: &Snapshot, html: bool, before: Option<u64>) -> Facts {
    let rejects = snapshot.rejects();
    let by_reason = rejects.by_reason();
    let of = |wanted| by_reason.iter().find(|(reason, _)| *reason == wanted);
    // Understood, and passed over on purpose: such a row says nothing against the body.
    let shared = of(Reason::SharedHost).map_or(0, |(_, tally)| tally.count);
    Facts {
        indicators: snapshot.len() as u64,
        needless: snapshot.tally().needless,
        overflowed: snapshot.overflowed(),
        rows: snapshot.tally().rows,
        rejected: rejects.total() - shared,
        reason: by_reason.first().map(|(reason, _)| *reason),
        html,
        cut: of(Reason::CutShort).is_some(),
        before,
    }
}

/// Why a body is never recorded, whoever approves it: it breaks off, or is a list that must not be read.
#[must_use]
pub fn unreadable(snapshot: &Snapshot) -> Option<String> {
    const REASONS: [Reason; 6] = [
        Reason::JsonEnds,
        Reason::JsonBroken,
        Reason::JsonGoesOn,
        Reason::KeyTwice,
        Reason::Fragments,
        Reason::NoWarninglist,
    ];
    if !snapshot.broken() {
        return None;
    }
    let found = snapshot.rejects().by_reason();
    let is_there = |reason: &&Reason| found.iter().any(|(one, _)| one == *reason);
    let reason = REASONS.iter().find(is_there).unwrap_or(&Reason::JsonEnds);
    Some(format!("the body cannot be taken: {reason}"))
}

/// Judges a parsed body.
///
/// # Errors
/// The first [`Doubt`] that strikes.
pub fn judge(brakes: &Brakes, mode: Mode, facts: &Facts) -> Result<(), Doubt> {
    let found = facts.indicators;
    if facts.html {
        return Err(Doubt::Html);
    }
    if facts.cut {
        return Err(Doubt::Cut);
    }
    if facts.rejected.saturating_mul(2) > facts.rows {
        return Err(Doubt::MostlyRejected {
            rejected: facts.rejected,
            rows: facts.rows,
            reason: facts.reason,
        });
    }
    if facts.overflowed || found > brakes.max_entries {
        return Err(Doubt::TooMany {
            most: brakes.max_entries,
        });
    }
    if mode == Mode::Incremental {
        return Ok(());
    }
    let said = found.saturating_add(facts.needless);
    if said == 0 {
        return if brakes.may_be_empty {
            Ok(())
        } else {
            Err(Doubt::Empty)
        };
    }
    if said < brakes.min_entries {
        return Err(Doubt::TooFew {
            found: said,
            least: brakes.min_entries,
        });
    }
    let Some(before) = facts.before.filter(|before| found.max(*before) >= FEW) else {
        return Ok(());
    };
    if ratio(before.saturating_sub(found), before) > brakes.max_shrink {
        return Err(Doubt::Shrunk { before, found });
    }
    if before > 0 && ratio(found, before) > brakes.max_growth {
        return Err(Doubt::Grown { before, found });
    }
    Ok(())
}

/// Whether these bytes are the beginning of a web page.
#[must_use]
pub fn looks_like_html(start: &[u8]) -> bool {
    let start = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(start);
    let start = start.trim_ascii_start();
    let begins = |with: &[u8]| {
        start
            .get(..with.len())
            .is_some_and(|head| head.eq_ignore_ascii_case(with))
    };
    begins(b"<!doctype html") || begins(b"<html") || begins(b"<head") || begins(b"<body")
}

impl fmt::Display for Doubt {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Html => out.write_str("the body is a web page, not a feed"),
            Self::Cut => out.write_str(
                "the body stops inside its last line, and nothing says that it ends there: it may be cut short",
            ),
            Self::Empty => out.write_str("the body lists nothing"),
            Self::MostlyRejected {
                reason: Some(reason),
                ..
            } if reason.is_of_the_body() => write!(out, "{reason}"),
            Self::MostlyRejected {
                rejected,
                rows,
                reason,
            } => {
                write!(out, "{rejected} of {rows} rows could not be read")?;
                match reason {
                    Some(reason) => write!(out, ", mostly because {reason}"),
                    None => Ok(()),
                }
            }
            Self::TooFew { found, least } => write!(
                out,
                "the body lists {found} indicators, fewer than min_entries = {least}"
            ),
            Self::TooMany { most } => write!(
                out,
                "the body lists more indicators than max_entries = {most}"
            ),
            Self::Shrunk { before, found } => write!(
                out,
                "the feed shrank from {before} to {found} indicators, by more than max_shrink allows"
            ),
            Self::Grown { before, found } => write!(
                out,
                "the feed grew from {before} to {found} indicators, by more than max_growth allows"
            ),
        }
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "counts of indicators are far below 2^52"
)]
fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        return 0.0;
    }
    part as f64 / whole as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::{Format, Recipe, Text, Urls};

    fn brakes() -> Brakes {
        Brakes {
            may_be_empty: false,
            min_entries: 10,
            max_entries: 10_000,
            max_shrink: 0.5,
            max_growth: 3.0,
        }
    }

    fn facts(indicators: u64, before: Option<u64>) -> Facts {
        Facts {
            indicators,
            needless: 0,
            overflowed: false,
            rows: indicators,
            rejected: 0,
            reason: None,
            html: false,
            cut: false,
            before,
        }
    }

    fn snapshot(facts: Facts) -> Result<(), Doubt> {
        judge(&brakes(), Mode::Snapshot, &facts)
    }

    #[test]
    fn a_good_snapshot_passes_and_the_first_one_has_nothing_to_be_held_against() {
        assert_eq!(snapshot(facts(1000, None)), Ok(()));
        assert_eq!(snapshot(facts(1000, Some(900))), Ok(()));
    }

    #[test]
    fn what_looks_wrong_is_held() {
        assert_eq!(snapshot(facts(0, Some(900))), Err(Doubt::Empty));
        assert_eq!(
            snapshot(facts(9, None)),
            Err(Doubt::TooFew {
                found: 9,
                least: 10
            })
        );
        assert_eq!(
            snapshot(facts(10_001, None)),
            Err(Doubt::TooMany { most: 10_000 })
        );
        let overflowed = Facts {
            overflowed: true,
            ..facts(10, None)
        };
        assert_eq!(snapshot(overflowed), Err(Doubt::TooMany { most: 10_000 }));
        let shrunk = Doubt::Shrunk {
            before: 1000,
            found: 499,
        };
        assert_eq!(snapshot(facts(499, Some(1000))), Err(shrunk));
        assert_eq!(snapshot(facts(500, Some(1000))), Ok(()));
        let grown = Doubt::Grown {
            before: 1000,
            found: 3001,
        };
        assert_eq!(snapshot(facts(3001, Some(1000))), Err(grown));
        assert_eq!(snapshot(facts(3000, Some(1000))), Ok(()));
        let html = Facts {
            html: true,
            ..facts(1000, None)
        };
        assert_eq!(snapshot(html), Err(Doubt::Html));
        let cut = Facts {
            cut: true,
            ..facts(1000, None)
        };
        assert_eq!(snapshot(cut), Err(Doubt::Cut));
        let rejected = Facts {
            rows: 1000,
            rejected: 501,
            ..facts(499, None)
        };
        assert!(matches!(
            snapshot(rejected),
            Err(Doubt::MostlyRejected { .. })
        ));
    }

    fn read(format: Format, body: &str, ends_surely: bool) -> Snapshot {
        let text = Text {
            body: &mut body.as_bytes(),
            ends_surely,
        };
        let recipe = Recipe {
            urls: Urls::Host,
            ..Recipe::new(format)
        };
        Snapshot::read(&recipe, text, 100).unwrap()
    }

    #[test]
    fn a_line_that_may_be_cut_short_holds_the_body() {
        let body = "192.0.2.1\n192.0.2.89";
        let whole = super::facts(&read(Format::Text, body, true), false, None);
        assert_eq!((whole.cut, whole.indicators), (false, 2));
        let cut = super::facts(&read(Format::Text, body, false), false, None);
        assert_eq!((cut.cut, cut.indicators), (true, 1));
    }

    /// A body that was refused by its beginning has no rows to be counted.
    #[test]
    fn a_body_that_is_no_list_is_told_in_its_own_words() {
        let list = read(
            Format::Auto,
            "{\"name\": \"x\", \"matching_attributes\": [\"domain\"], \"type\": \"string\", \"list\": [\"a.ch\"]}",
            true,
        );
        let doubt = snapshot(super::facts(&list, false, None)).unwrap_err();
        let words = doubt.to_string();
        assert!(
            words.starts_with("the body is a warninglist of MISP"),
            "{words}"
        );
    }

    /// What a feed of pages on shared hosts lists is understood, and not taken: no reason to doubt the rest.
    #[test]
    fn hosts_that_many_share_do_not_count_against_a_body() {
        let body =
            "https://github.com/a/b\nhttps://github.com/c/d\nhttps://phish.example.net/\n?!\n";
        let facts = super::facts(&read(Format::Text, body, true), false, None);
        assert_eq!((facts.rows, facts.rejected), (4, 1));
    }

    #[test]
    fn json_that_breaks_off_is_never_taken() {
        for (format, body, words) in [
            (
                Format::Json,
                "[\"192.0.2.1\", \"192.0.2",
                Some(
                    "the body cannot be taken: the JSON ends early, so that the body is cut short",
                ),
            ),
            (Format::Json, "[\"192.0.2.1\"]", None),
            (
                Format::Ndjson,
                "\"192.0.2.1\"\n{\"ip\": \"192.0",
                Some(
                    "the body cannot be taken: the JSON ends early, so that the body is cut short",
                ),
            ),
            (Format::Text, "192.0.2.1\n?\n", None),
        ] {
            let snapshot = read(format, body, false);
            assert_eq!(unreadable(&snapshot).as_deref(), words, "{body}");
        }
        let list = "{\"type\": \"regex\", \"list\": [\"a\"]}";
        let why = unreadable(&read(Format::MispWarninglist, list, true)).unwrap();
        assert!(why.starts_with("the body cannot be taken: "), "{why}");
    }

    /// A list of top-level domains guards nothing that is not safe anyway, and is heard all the same.
    #[test]
    fn a_guard_list_of_what_is_never_blocked_is_not_empty() {
        let list = |needless, before| Facts {
            needless,
            ..facts(0, before)
        };
        assert_eq!(snapshot(list(1438, None)), Ok(()));
        assert_eq!(snapshot(list(1438, Some(0))), Ok(()));
        let few = Doubt::TooFew {
            found: 9,
            least: 10,
        };
        assert_eq!(snapshot(list(9, None)), Err(few));
        let shrunk = Doubt::Shrunk {
            before: 1000,
            found: 0,
        };
        assert_eq!(snapshot(list(1438, Some(1000))), Err(shrunk));
    }

    #[test]
    fn an_empty_one_passes_where_it_may_be_empty() {
        let brakes = Brakes {
            may_be_empty: true,
            ..brakes()
        };
        assert_eq!(judge(&brakes, Mode::Snapshot, &facts(0, Some(5))), Ok(()));
    }

    #[test]
    fn the_shrink_and_empty_brakes_do_not_hold_incremental_feeds() {
        for found in [0, 1, 9] {
            assert_eq!(
                judge(&brakes(), Mode::Incremental, &facts(found, Some(1000))),
                Ok(())
            );
        }
    }

    #[test]
    fn web_pages_are_told_by_their_beginning() {
        for page in ["<!DOCTYPE html><p>", "\n  <HTML>", "\u{feff}<html lang=en>"] {
            assert!(looks_like_html(page.as_bytes()), "{page}");
        }
        for feed in ["# <html>", "1.2.3.4", "", "<?xml"] {
            assert!(!looks_like_html(feed.as_bytes()), "{feed}");
        }
    }
}
