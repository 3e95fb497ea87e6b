use super::*;
use crate::parse::{Format, Record, Reject, Sink, Tally, Urls, parse as read};

#[derive(Default)]
struct Kept(Vec<String>, Vec<Reason>);

impl Sink for Kept {
    fn record(&mut self, record: Record) {
        self.0.push(record.indicator.to_string());
    }

    fn reject(&mut self, reject: Reject) {
        self.1.push(reject.reason);
    }
}

fn kept(recipe: &Recipe, body: &str) -> (Vec<String>, Vec<Reason>, Tally) {
    let mut kept = Kept::default();
    let text = Text {
        body: &mut body.as_bytes(),
        ends_surely: true,
    };
    let tally = read(recipe, text, &mut kept).unwrap();
    (kept.0, kept.1, tally)
}

const ONE: &str = r#"{"type": "ip-dst", "value": "192.0.2.1", "to_ids": true}"#;

#[test]
fn events_in_every_wrapping() {
    let recipe = Recipe::new(Format::Misp);
    let event = format!("{{\"Event\": {{\"info\": \"x\", \"Attribute\": [{ONE}]}}}}");
    let object =
        format!("{{\"Event\": {{\"Object\": [{{\"Attribute\": [{ONE}]}}], \"Attribute\": []}}}}");
    for body in [
        event.clone(),
        object.clone(),
        format!("[{event}]"),
        format!("{{\"response\": [{event}]}}"),
        format!("{{\"response\": [{object}]}}"),
        format!("{{\"response\": {{\"Attribute\": [{ONE}]}}}}"),
        format!("{{\"Attribute\": [{ONE}]}}"),
        format!("{{\"info\": \"x\", \"Object\": [{{\"Attribute\": [{ONE}]}}]}}"),
        format!("{{\"Event\": {{}}}}\n{event}\n{{\"Event\": {{\"Attribute\": []}}}}\n"),
        format!(
            "[{{\"info\": \"x\", \"Attribute\": [{ONE}]}}, {{\"info\": \"y\", \"Attribute\": []}}]"
        ),
    ] {
        let (taken, rejected, _) = kept(&recipe, &body);
        assert_eq!(taken, ["192.0.2.1"], "{body}");
        assert_eq!(rejected, [], "{body}");
    }
    for body in [
        "[]",
        r#"{"response": []}"#,
        r#"{"response": {"Attribute": []}}"#,
        r#"{"Event": {"info": "x"}}"#,
        r#"[{"Event": {"info": "x", "Object": []}}]"#,
        r#"{"response": [{"Event": {}}]}"#,
    ] {
        let (taken, rejected, tally) = kept(&recipe, body);
        assert_eq!(
            (taken.len(), rejected.len(), tally.rows),
            (0, 0, 0),
            "{body}"
        );
    }
    for (body, reason) in [
        (
            r#"{"message": "Authentication failed.", "errors": ["x"]}"#,
            Reason::NoItems,
        ),
        (r#"{"response": {"errors": "x"}}"#, Reason::NoItems),
        (
            r#"[{"type": "ip-dst", "value": "192.0.2.1"}]"#,
            Reason::NoItems,
        ),
        (r#"{"Event": "x"}"#, Reason::BadField),
        (r#"{"Event": {"Attribute": {"0": 1}}}"#, Reason::BadField),
        ("7", Reason::BadField),
        ("", Reason::JsonEnds),
    ] {
        let (taken, rejected, _) = kept(&recipe, body);
        assert_eq!((taken.len(), rejected), (0, vec![reason]), "{body}");
    }
}

#[test]
fn options_of_the_recipe() {
    let body = r#"{"Event": {"Attribute": [
        {"type": "ip-dst", "value": "192.0.2.1", "to_ids": false},
        {"type": "ip-dst", "value": "192.0.2.2"},
        {"type": "ip-dst", "value": "192.0.2.3", "to_ids": false, "deleted": true},
        {"type": "url", "value": "http://evil.example/x", "to_ids": true},
        {"type": "text", "value": "192.0.2.4", "to_ids": false}
    ]}}"#;
    let mut recipe = Recipe::new(Format::Misp);
    let (taken, rejected, tally) = kept(&recipe, body);
    assert_eq!((taken.len(), rejected), (0, vec![Reason::Page]));
    assert_eq!((tally.rows, tally.passed_over), (1, 4));
    recipe.all_attributes = true;
    recipe.urls = Urls::Host;
    let (taken, rejected, tally) = kept(&recipe, body);
    assert_eq!(taken, ["192.0.2.1", "192.0.2.2", "evil.example"]);
    assert_eq!((rejected.len(), tally.rows, tally.passed_over), (0, 3, 2));
}
