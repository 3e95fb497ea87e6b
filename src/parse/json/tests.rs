use proptest::prelude::*;

use super::*;
use crate::parse::{Format, Path, Record, Reject, Sink, Take, parse as read};

#[derive(Default)]
struct Kept(Vec<String>, Vec<(u64, Reason)>);

impl Sink for Kept {
    fn record(&mut self, record: Record) {
        self.0.push(record.indicator.to_string());
    }

    fn reject(&mut self, reject: Reject) {
        self.1.push((reject.byte, reject.reason));
    }
}

fn kept(items: &str, indicator: Column, mut body: &[u8]) -> (Vec<String>, Vec<(u64, Reason)>) {
    let mut recipe = Recipe::new(Format::Json);
    recipe.items = Path::try_new(items).unwrap();
    recipe.fields.indicator = Take::One(indicator);
    let mut kept = Kept::default();
    let text = Text {
        body: &mut body,
        ends_surely: true,
    };
    read(&recipe, text, &mut kept).unwrap();
    (kept.0, kept.1)
}

fn listed(recipe: &Recipe, mut body: &[u8]) -> (Vec<String>, Vec<Reason>) {
    let mut kept = Kept::default();
    let text = Text {
        body: &mut body,
        ends_surely: false,
    };
    read(recipe, text, &mut kept).unwrap();
    (
        kept.0,
        kept.1.into_iter().map(|(_, reason)| reason).collect(),
    )
}

fn name(word: &str) -> Column {
    Column::Name(word.into())
}

/// The shapes of real exports.
#[test]
fn items_of_every_shape() {
    let first = || Column::Number(1);
    let table = [
        ("", first(), r#"["192.0.2.7"]"#),
        ("/list", first(), r#"{"list": ["192.0.2.7"]}"#),
        ("/", name("ip"), r#"{"": [{"ip": "192.0.2.7"}]}"#),
        ("", name("ip"), r#"{"ip": "192.0.2.7"}"#),
        ("data", name("ip"), r#"{"data": {"ip": "192.0.2.7"}}"#),
        ("/data", first(), r#"{"data": "192.0.2.7"}"#),
        ("/data/ips", first(), r#"{"data": {"ips": ["192.0.2.7"]}}"#),
        (
            "/data/*/ips",
            first(),
            r#"{"data": [{"ips": ["192.0.2.7"]}, {"ips": []}, {}]}"#,
        ),
        (
            "/rows",
            Column::Number(2),
            r#"{"rows": [[5, "192.0.2.7"]]}"#,
        ),
        (
            "/rows",
            name("/1/ip"),
            r#"{"rows": [[5, {"ip": "192.0.2.7"}]]}"#,
        ),
        (
            "",
            name("/ioc/value"),
            r#"[{"ioc": {"value": "192.0.2.7"}}]"#,
        ),
        (
            "/*",
            name("ioc_value"),
            r#"{"1192": [{"ioc_value": "192.0.2.7:80"}], "1193": []}"#,
        ),
        (
            "/prefixes",
            name("ip_prefix"),
            r#"{"prefixes": [{"ip_prefix": "192.0.2.7/32"}]}"#,
        ),
        ("/0", first(), r#"{"0": ["192.0.2.7"]}"#),
    ];
    for (items, indicator, body) in table {
        let (taken, rejected) = kept(items, indicator, body.as_bytes());
        assert_eq!(taken, ["192.0.2.7"], "{body}");
        assert_eq!(rejected, [], "{body}");
    }
}

#[test]
fn an_empty_list_is_a_list_and_a_missing_one_is_none() {
    for (items, body) in [
        ("", "[]"),
        ("/data", r#"{"data": [ ]}"#),
        ("/data", r#"{"data": null}"#),
        ("/*", "{}"),
        ("/*", "[]"),
        ("/*", r#"{"1192": []}"#),
        ("/data/*", r#"{"data": null}"#),
    ] {
        let (taken, rejected) = kept(items, name("ip"), body.as_bytes());
        assert_eq!((taken.len(), rejected), (0, Vec::new()), "{body}");
    }
    for (items, body, reason) in [
        ("/data", "{}", Reason::NoItems),
        ("/data", "[]", Reason::NoItems),
        ("/data", r#"{"error": "no such key"}"#, Reason::NoItems),
        ("/*", "7", Reason::NoItems),
        ("/data/*", r#"{"data": "no"}"#, Reason::NoItems),
        ("", r#"{"error": "no such key"}"#, Reason::NoField),
        ("/*", r#"{"query_status": "no_result"}"#, Reason::NoField),
        ("", "", Reason::JsonEnds),
    ] {
        let (taken, rejected) = kept(items, name("ip"), body.as_bytes());
        assert_eq!(taken.len(), 0, "{body}");
        assert_eq!(rejected.len(), 1, "{body}");
        assert_eq!(rejected[0].1, reason, "{body}");
    }
}

/// An item as feeds write them, and as they should not.
fn item() -> impl Strategy<Value = String> {
    let ioc = prop::sample::select(vec![
        r#""192.0.2.1""#,
        r#""evil.example""#,
        r#""http:\/\/192.0.2.2\/x""#,
        r#""192.0.2.256""#,
        r#""a\ud800.example""#,
        "null",
        "[]",
        "7",
        "nul",
    ]);
    let score = prop::sample::select(vec!["100", "\"75\"", "10", "null", "{}", "1e999"]);
    let rest = prop::sample::select(vec!["", r#", "x": [{"ioc": "]}"}]"#, r#", "ioc": 1"#, ","]);
    (ioc, score, rest)
        .prop_map(|(ioc, score, rest)| format!("{{\"ioc\": {ioc}, \"score\": {score}{rest}}}"))
}

proptest! {
    /// A list and its elements, a line each, say the same, and no item spoils another.
    #[test]
    fn a_list_and_lines_say_the_same(items in prop::collection::vec(item(), 1..8)) {
        let mut recipe = Recipe::new(Format::Json);
        recipe.fields.indicator = Take::One(name("ioc"));
        recipe.fields.confidence = Some(name("score"));
        let whole = listed(&recipe, format!("[{}]", items.join(", ")).as_bytes());
        recipe.format = Format::Ndjson;
        let lines = listed(&recipe, (items.join("\n") + "\n").as_bytes());
        prop_assert_eq!(&whole, &lines);
        let mut alone = (Vec::new(), Vec::new());
        for item in &items {
            let (taken, rejected) = listed(&recipe, item.as_bytes());
            alone.0.extend(taken);
            alone.1.extend(rejected);
        }
        prop_assert_eq!(&whole, &alone);
    }
}
