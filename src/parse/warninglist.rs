//! Format `misp-warninglist`: what must not be blocked (github.com/MISP/misp-warninglists). Its type says
//! how far the names in it [reach](Reach); networks and addresses are read in a list of any type.
//!
//! Nothing in this program ever blocks a top-level domain, nor any public suffix. So a name that is one needs no guard
//! where names stand for themselves alone, and is rejected where they stand for all below them, too: that would guard
//! every domain of the world.

use std::borrow::Cow;
use std::io;

use super::items::{Values, each_item};
use super::lines::as_text;
use super::path::Step::{Element, Key};
use super::{Out, Place, Reason, Recipe, Rejects, Said, Text, token};
use crate::model::names_public_suffix;

/// How far the names of a guard list reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reach {
    /// Each name stands for itself alone (type `string`).
    Exact,
    /// Each name stands for itself and all below it (type `hostname`; `cidr` too, which holds no names).
    Subdomains,
}

pub(super) fn parse(recipe: &Recipe, text: Text<'_>, out: &mut Out<'_>) -> io::Result<()> {
    const ROW: usize = 0;
    const LIST: usize = 1;
    const KIND: usize = 2;
    let mut kind = None;
    let mut list = false;
    let mut suffixes = Suffixes::default();
    // The type mostly stands behind the list.
    let paths = [&[Key("list"), Element][..], &[Key("list")], &[Key("type")]];
    each_item(text, Values::One, &paths, out, |out, item| {
        match item.path {
            ROW => row(recipe, out, item.place, item.bytes, &mut suffixes),
            KIND => kind = serde_json::from_slice::<String>(item.bytes).ok(),
            _ => {}
        }
        list |= item.path == ROW || (item.path == LIST && item.bytes.starts_with(b"["));
    })?;
    let reach = match kind.as_deref() {
        _ if !list => Err(Reason::NoWarninglist),
        Some("string") => Ok(Reach::Exact),
        Some("hostname" | "cidr") => Ok(Reach::Subdomains),
        Some("substring" | "regex") => Err(Reason::Fragments),
        _ => Err(Reason::NoWarninglist),
    };
    suffixes.settle(reach.ok(), out);
    match reach {
        Ok(reach) => out.tally.reach = Some(reach),
        Err(_) if out.tally.broken => {}
        Err(reason) => {
            out.tally.broken = true;
            out.reject(Place { line: 1, byte: 0 }, b"", reason);
        }
    }
    Ok(())
}

/// Rows that are public suffixes, until the type is known: all counted, the first kept.
#[derive(Default)]
struct Suffixes {
    count: u64,
    first: Vec<(Place, String)>,
}

impl Suffixes {
    fn add(&mut self, place: Place, text: &str) {
        self.count += 1;
        if self.first.len() < Rejects::KEPT {
            self.first.push((place, text.to_owned()));
        }
    }

    fn settle(self, reach: Option<Reach>, out: &mut Out<'_>) {
        if reach == Some(Reach::Exact) {
            out.tally.needless += self.count;
            return;
        }
        let first = self.first.iter().map(|(place, text)| (*place, &**text));
        let last = first.clone().last();
        // Of those that are not kept, only the number counts.
        let others = last.map(|(place, _)| (place, ""));
        let all = first.chain(others.into_iter().cycle());
        for (_, (place, text)) in (0..self.count).zip(all) {
            out.reject(place, text.as_bytes(), Reason::SuffixGuard);
        }
    }
}

fn row(recipe: &Recipe, out: &mut Out<'_>, place: Place, item: &[u8], suffixes: &mut Suffixes) {
    let text = as_text(item).and_then(|text| {
        let text = serde_json::from_str::<Cow<'_, str>>(text);
        text.map_err(|error| Reason::of_json(&error))
    });
    let text = match &text {
        Ok(text) if text.len() <= Reason::LONGEST => text.trim(),
        Ok(_) => return out.reject(place, item, Reason::LongField),
        Err(reason) => return out.reject(place, item, *reason),
    };
    match token::read(recipe, text) {
        Ok(found) => out.row(found, Said::default()),
        Err(_) if names_public_suffix(text) => suffixes.add(place, text),
        Err(reason) => out.reject(place, text.as_bytes(), reason),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::{Format, Snapshot};

    fn read(body: &str) -> (Option<Reach>, Vec<String>, Vec<Reason>, bool) {
        let recipe = Recipe::new(Format::MispWarninglist);
        let text = Text {
            body: &mut body.as_bytes(),
            ends_surely: true,
        };
        let snapshot = Snapshot::read(&recipe, text, 100).unwrap();
        let rows = snapshot
            .rows()
            .map(|row| row.indicator.to_string())
            .collect();
        let reasons = snapshot.rejects().by_reason();
        let reasons = reasons.iter().map(|(reason, _)| *reason).collect();
        (snapshot.tally().reach, rows, reasons, snapshot.broken())
    }

    #[test]
    fn the_type_says_how_far_names_reach() {
        for (kind, reach) in [
            ("string", Reach::Exact),
            ("hostname", Reach::Subdomains),
            ("cidr", Reach::Subdomains),
        ] {
            let lists = [
                format!(r#"{{"list": ["a.example", "192.0.2.0/24"], "type": "{kind}"}}"#),
                format!(r#"{{"type": "{kind}", "list": [".a.example", "192.0.2.9/24"]}}"#),
            ];
            for list in lists {
                let rows = ["192.0.2.0/24", "a.example"].map(str::to_owned).to_vec();
                assert_eq!(read(&list), (Some(reach), rows, vec![], false), "{list}");
            }
            let list = format!(r#"{{"type": "{kind}", "list": []}}"#);
            assert_eq!(read(&list), (Some(reach), vec![], vec![], false), "{list}");
        }
    }

    /// A list of top-level domains says what holds anyway, unless it would guard every domain below them.
    #[test]
    fn public_suffixes_need_no_guard_and_are_none() {
        let of = |kind: &str, rows: &str| {
            let body = format!(r#"{{"list": [{rows}], "type": "{kind}"}}"#);
            let recipe = Recipe::new(Format::MispWarninglist);
            let text = Text {
                body: &mut body.as_bytes(),
                ends_surely: true,
            };
            Snapshot::read(&recipe, text, 100).unwrap()
        };
        let rows = r#""COM", ".co.uk", "XN--P1AI", "рф", "blogspot.com", "localhost", "a.example""#;
        let list = of("string", rows);
        assert_eq!((list.tally().needless, list.len()), (5, 1));
        let reasons = list.rejects().by_reason();
        assert_eq!(reasons.len(), 1, "{reasons:?}");
        assert_eq!(reasons[0].1.first[0].text, "localhost");
        for kind in ["hostname", "cidr"] {
            let list = of(kind, rows);
            assert_eq!((list.tally().needless, list.len()), (0, 1));
            let reasons = list.rejects().by_reason();
            assert_eq!((reasons[0].0, reasons[0].1.count), (Reason::SuffixGuard, 5));
            assert_eq!(reasons[0].1.first[1].text, ".co.uk");
        }
        let many = of("hostname", &["\"com\""; 1000].join(","));
        assert_eq!((many.tally().rows, many.rejects().total()), (1000, 1000));
        assert_eq!(many.rejects().by_reason()[0].1.first.len(), Rejects::KEPT);
    }

    #[test]
    fn fragments_guard_nothing_and_are_refused() {
        for kind in ["substring", "regex"] {
            let list = format!(r#"{{"list": ["a.example"], "type": "{kind}"}}"#);
            let (reach, _, reasons, broken) = read(&list);
            assert_eq!(
                (reach, reasons, broken),
                (None, vec![Reason::Fragments], true)
            );
        }
    }

    #[test]
    fn what_is_no_warninglist() {
        for body in [
            r#"{"list": ["a.example"]}"#,
            r#"{"list": ["a.example"], "type": 7}"#,
            r#"{"list": ["a.example"], "type": "domain"}"#,
            r#"{"type": "string"}"#,
            r#"{"type": "string", "list": null}"#,
            r#"{"type": "string", "list": {"0": "a.example"}}"#,
            r#"{"message": "Not Found"}"#,
            "[]",
        ] {
            let (reach, _, reasons, broken) = read(body);
            assert_eq!(
                (reach, reasons, broken),
                (None, vec![Reason::NoWarninglist], true),
                "{body}"
            );
        }
        let (_, rows, reasons, broken) = read(r#"{"type": "string", "list": ["a.example", "b.exa"#);
        assert_eq!(
            (rows.len(), reasons, broken),
            (1, vec![Reason::JsonEnds], true)
        );
    }
}
