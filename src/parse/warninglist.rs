//! Format `misp-warninglist`: what must not be blocked (github.com/MISP/misp-warninglists). Its type says
//! how far the names in it [reach](Reach); networks and addresses are read in a list of any type.
//!
//! A bare top-level domain, or any public suffix, is rejected: nothing in this program ever blocks one.

use std::borrow::Cow;
use std::io;

use super::items::{Values, each_item};
use super::lines::as_text;
use super::path::Step::{Element, Key};
use super::{Out, Place, Reason, Recipe, Said, Text, token};

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
    // The type mostly stands behind the list.
    let paths = [&[Key("list"), Element][..], &[Key("list")], &[Key("type")]];
    each_item(text, Values::One, &paths, out, |out, item| {
        match item.path {
            ROW => row(recipe, out, item.place, item.bytes),
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

fn row(recipe: &Recipe, out: &mut Out<'_>, place: Place, item: &[u8]) {
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
