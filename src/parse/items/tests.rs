use std::io::BufReader;

use proptest::prelude::*;
use serde_json::Value;

use super::Step::{Each, Element, Key};
use super::*;
use crate::parse::{Reason, Record, Reject, Sink, Tally};

#[derive(Default)]
struct Rejected(Vec<(u64, u64, Reason)>);

impl Sink for Rejected {
    fn record(&mut self, _: Record) {}

    fn reject(&mut self, reject: Reject) {
        self.0.push((reject.line, reject.byte, reject.reason));
    }
}

#[derive(Debug, PartialEq)]
struct Seen {
    items: Vec<(usize, u64, String)>,
    rejects: Vec<(u64, u64, Reason)>,
    tally: Tally,
    met: bool,
}

impl Seen {
    fn texts(&self) -> Vec<&str> {
        self.items.iter().map(|(.., text)| text.as_str()).collect()
    }
}

fn read(body: &[u8], buffer: usize, values: Values, paths: &[&[Step<'_>]]) -> Seen {
    let mut rejected = Rejected::default();
    let mut out = Out::new(&mut rejected);
    let mut items = Vec::new();
    let mut reader = BufReader::with_capacity(buffer, body);
    let text = Text {
        body: &mut reader,
        ends_surely: true,
    };
    let met = each_item(text, values, paths, &mut out, |_, item| {
        let start = usize::try_from(item.place.byte).unwrap();
        assert!(body[start..].starts_with(item.bytes), "the item's place");
        let line = 1 + body[..start].iter().filter(|byte| **byte == b'\n').count();
        assert_eq!(item.place.line, line as u64);
        let text = String::from_utf8_lossy(item.bytes).into_owned();
        items.push((item.path, item.place.byte, text));
    })
    .unwrap();
    let tally = out.tally;
    Seen {
        items,
        rejects: rejected.0,
        tally,
        met,
    }
}

fn one(body: &str, paths: &[&[Step<'_>]]) -> Seen {
    read(body.as_bytes(), 64, Values::One, paths)
}

#[test]
fn items_stand_where_paths_lead() {
    let list: &[&[Step<'_>]] = &[&[Key("a")], &[Key("a"), Element]];
    let each: &[&[Step<'_>]] = &[&[Each], &[Each, Element]];
    let deep: &[&[Step<'_>]] = &[&[Key("a"), Each, Key("b")]];
    let top: &[&[Step<'_>]] = &[&[], &[Element]];
    type Paths<'a> = &'a [&'a [Step<'a>]];
    let table: [(Paths<'_>, &str, &[&str]); 17] = [
        (
            list,
            r#"{"a": [1, "x", {"y": []}, null]}"#,
            &["1", r#""x""#, r#"{"y": []}"#, "null"],
        ),
        (list, r#"{"b": [2], "a": [] , "c": {"a": [3]}}"#, &["[]"]),
        (list, r#"{"a": {"b": 1}}"#, &[r#"{"b": 1}"#]),
        (list, r#"{"a": "x"}"#, &[r#""x""#]),
        (list, "\u{feff}\n{\"\\u0061\": [7]}\n", &["7"]),
        (list, "[1]", &[]),
        (list, "{}", &[]),
        (
            each,
            r#"{"1": [{"x": 1}], "2": [{"x": 2}, {"x": 3}], "n": 0}"#,
            &[r#"{"x": 1}"#, r#"{"x": 2}"#, r#"{"x": 3}"#, "0"],
        ),
        (each, "[[1, 2], 3]", &["1", "2", "3"]),
        (
            deep,
            r#"{"a": {"x": {"b": 1, "c": 2}, "y": {"b": 3}}}"#,
            &["1", "3"],
        ),
        (
            deep,
            r#"{"a": [{"b": 1}, {"c": 2}, 5, [{"b": 9}]]}"#,
            &["1"],
        ),
        (
            top,
            r#"[{"a": "]}\"["}, "\\"]"#,
            &[r#"{"a": "]}\"["}"#, r#""\\""#],
        ),
        (top, r#"{"a": [1]}"#, &[r#"{"a": [1]}"#]),
        (top, " 42 ", &["42"]),
        (top, "42", &["42"]),
        (top, "[]", &["[]"]),
        (top, "[[[1]]]", &["[[1]]"]),
    ];
    for (paths, body, items) in table {
        let seen = one(body, paths);
        assert_eq!(seen.texts(), items, "{body}");
        assert_eq!(seen.rejects, [], "{body}");
        assert_eq!(seen.met, !items.is_empty(), "{body}");
        assert_eq!(seen.tally.bytes, body.len() as u64);
    }
}

#[test]
fn many_values_stand_one_after_the_other() {
    let paths: &[&[Step<'_>]] = &[&[], &[Key("a"), Element]];
    let body = b"{\"b\":1}\n{\"a\":[2,3]}{\"b\":4}\n\n5\n6";
    let seen = read(body, 5, Values::Many, paths);
    assert_eq!(
        seen.texts(),
        [r#"{"b":1}"#, "2", "3", r#"{"b":4}"#, "5", "6"]
    );
    assert_eq!((seen.rejects.len(), seen.tally.lines), (0, 5));
    let seen = read(body, 5, Values::One, paths);
    assert_eq!(seen.texts(), [r#"{"b":1}"#]);
    assert_eq!(seen.rejects, [(2, 8, Reason::JsonGoesOn)]);
    assert!(seen.tally.broken);
}

#[test]
fn what_came_before_a_break_is_kept() {
    let paths: &[&[Step<'_>]] = &[&[Key("a"), Element]];
    let table = [
        ("{\"a\": [1,\n2, {\"x\": 3", (2, 13, Reason::JsonEnds)),
        ("{\"a\": [1,\n2, \"3", (2, 13, Reason::JsonEnds)),
        ("{\"a\": [1,\n2,", (2, 12, Reason::JsonEnds)),
        ("{\"a\": [1,\n2]", (2, 12, Reason::JsonEnds)),
        ("{\"a\": [1,\n2]\n", (2, 13, Reason::JsonEnds)),
        ("{\"a\": [1,\n2}]}", (2, 11, Reason::JsonBroken)),
        ("{\"a\": [1,\n2,]}", (2, 12, Reason::JsonBroken)),
        ("{\"a\": [1,\n2 3]}", (2, 12, Reason::JsonBroken)),
        ("{\"a\": [1,\n2, <html>]}", (2, 13, Reason::JsonBroken)),
        ("{\"a\": [1,\n2, {\"x\": 3]]}", (2, 20, Reason::JsonBroken)),
        ("{\"a\": [1,\n2], b: 3}", (2, 14, Reason::JsonBroken)),
        ("{\"a\": [1,\n2], \"b\": nul}", (2, 19, Reason::JsonBroken)),
        (
            "{\"a\": [1,\n2], \"b\": [<p>]}",
            (2, 20, Reason::JsonBroken),
        ),
        ("{\"a\": [1,\n2], \"a\": [3]}", (2, 16, Reason::KeyTwice)),
        ("{\"a\": [1,\n2]} {}", (2, 14, Reason::JsonGoesOn)),
    ];
    for (body, reject) in table {
        let seen = one(body, paths);
        assert_eq!(&seen.texts()[..2], ["1", "2"], "{body}");
        assert_eq!(seen.rejects, [reject], "{body}");
        assert!(seen.tally.broken, "{body}");
    }
    for body in ["", " \n", "\u{feff}"] {
        let seen = one(body, paths);
        assert_eq!(seen.rejects[0].2, Reason::JsonEnds, "{body:?}");
        assert!(seen.tally.broken);
    }
}

#[test]
fn the_largest_item_is_read_and_one_byte_more_is_not() {
    let paths: &[&[Step<'_>]] = &[&[Element]];
    let text = |length: usize| format!("\"{}\"", "x".repeat(length - 2));
    let body = format!(
        "[{},\n{},\n{},1]",
        text(Reason::LARGEST),
        text(Reason::LARGEST + 1),
        text(4 << 20)
    );
    for buffer in [64 * 1024, body.len()] {
        let seen = read(body.as_bytes(), buffer, Values::One, paths);
        let lengths: Vec<_> = seen.items.iter().map(|(.., text)| text.len()).collect();
        assert_eq!(lengths, [Reason::LARGEST, 1]);
        let reasons: Vec<_> = seen
            .rejects
            .iter()
            .map(|(line, _, why)| (*line, *why))
            .collect();
        assert_eq!(reasons, [(2, Reason::TooLarge), (3, Reason::TooLarge)]);
        assert!(!seen.tally.broken);
    }
}

#[test]
fn nothing_grows_with_depth_or_length() {
    let deep = format!(
        "[{}1{}, 2]",
        "[{\"x\":".repeat(300_000),
        "}]".repeat(300_000)
    );
    let seen = one(&deep, &[&[Element]]);
    assert_eq!((seen.texts(), seen.tally.broken), (vec!["2"], false));
    assert_eq!(seen.rejects, [(1, 1, Reason::TooLarge)]);

    let paths: &[&[Step<'_>]] = &[&[Key("a")]];
    let body = format!("{{\"{}\": 1, \"a\": 2}}", "k".repeat(8 << 20));
    assert_eq!(
        read(body.as_bytes(), 4096, Values::One, paths).texts(),
        ["2"]
    );
    assert!(
        read(&body.as_bytes()[..5 << 20], 4096, Values::One, paths)
            .tally
            .broken
    );
}

fn json() -> impl Strategy<Value = Value> {
    let text = prop::sample::select(vec!["", "a", "b", "]", "{\"", "\\", "é", "\n", "a b"]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-9..9_i64).prop_map(Value::from),
        text.clone().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, move |inner| {
        let keys = prop::sample::select(vec!["a", "b", "c\"", "\\d"]);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::hash_map(keys.prop_map(str::to_owned), inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// The values to which `path` leads, as `serde_json` finds them.
fn found<'v>(value: &'v Value, path: &[Step<'_>]) -> Vec<&'v Value> {
    let Some((step, rest)) = path.split_first() else {
        return vec![value];
    };
    let inner: Vec<_> = match (step, value) {
        (Key(key), Value::Object(map)) => map.get(*key).into_iter().collect(),
        (Each, Value::Object(map)) => map.values().collect(),
        (Each | Element, Value::Array(list)) => list.iter().collect(),
        _ => Vec::new(),
    };
    inner
        .into_iter()
        .flat_map(|value| found(value, rest))
        .collect()
}

proptest! {
    /// The items are those that `serde_json` finds in the whole, whatever the buffer and the blanks.
    #[test]
    fn items_are_those_of_the_whole(value in json(), buffer in 1..40_usize, pretty: bool) {
        let body = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) }.unwrap();
        for path in [&[][..], &[Element], &[Key("a")], &[Key("c\""), Each], &[Each, Key("b")], &[Each, Each, Each]] {
            let seen = read(body.as_bytes(), buffer, Values::One, &[path]);
            let texts: Vec<Value> = seen.texts().iter().map(|text| serde_json::from_str(text).unwrap()).collect();
            prop_assert_eq!(texts.iter().collect::<Vec<_>>(), found(&value, path));
            prop_assert_eq!(&seen.rejects, &[]);
            prop_assert!(!seen.tally.broken);
            prop_assert_eq!(seen.tally.lines, body.lines().count() as u64);
            prop_assert_eq!(&seen, &read(body.as_bytes(), body.len(), Values::One, &[path]));
        }
    }

    /// A body that is cut anywhere is known to be.
    #[test]
    fn a_cut_shows(value in json().prop_filter("a word may be a shorter word", |value| value.is_array() || value.is_object()), cut in any::<prop::sample::Index>()) {
        let body = serde_json::to_string_pretty(&value).unwrap();
        let cut = cut.index(body.len());
        let seen = read(&body.as_bytes()[..cut], 7, Values::One, &[&[Key("a"), Element]]);
        prop_assert!(seen.tally.broken);
        prop_assert_eq!(seen.rejects.len(), 1);
    }

    /// Whatever the bytes: no panic, one reject at most that breaks off, and the buffer decides nothing.
    #[test]
    fn no_body_panics(body in prop::collection::vec(prop_oneof![4 => prop::sample::select(b"{}[]\",:\\a1 \n".as_slice()), 1 => any::<u8>()], 0..80), buffer in 1..9_usize) {
        let paths: &[&[Step<'_>]] = &[&[], &[Element], &[Key("a")], &[Each, Element]];
        for values in [Values::One, Values::Many] {
            let seen = read(&body, buffer, values, paths);
            let whole = read(&body, 100, values, paths);
            prop_assert_eq!(&seen.items, &whole.items);
            prop_assert_eq!(&seen.rejects, &whole.rejects);
            prop_assert_eq!(seen.tally, whole.tally);
            prop_assert_eq!(seen.tally.broken, seen.rejects.len() == 1);
        }
    }
}
