use proptest::prelude::*;

use super::*;
use crate::model::UnixTime;
use crate::parse::{Format, Record, Reject, Sink, Tally, Urls, parse as read};

/// What a pattern lists; `None` where it says nothing about hosts.
fn hosts(pattern: &str) -> Result<Option<Vec<String>>, Reason> {
    let recipe = Recipe {
        urls: Urls::Host,
        ..Recipe::new(Format::Stix)
    };
    match pattern::read(&recipe, pattern)? {
        Claim::Hosts(hosts) => Ok(Some(
            hosts
                .iter()
                .map(|host| host.indicator.to_string())
                .collect(),
        )),
        Claim::Detail(_) | Claim::Elsewhere => Ok(None),
    }
}

#[test]
fn patterns_that_accuse_hosts() {
    let table: [(&str, &[&str]); 25] = [
        ("[ipv4-addr:value = '192.0.2.1']", &["192.0.2.1"]),
        ("[ipv4-addr:value='192.0.2.0/24']", &["192.0.2.0/24"]),
        (
            "[ipv4-addr:value ISSUBSET '192.0.2.0/24']",
            &["192.0.2.0/24"],
        ),
        ("[ipv6-addr:value == '2001:db8::1']", &["2001:db8::1"]),
        (
            "[ domain-name : value = 'Evil.example' ]",
            &["evil.example"],
        ),
        (
            "[domain-name:'value' = 'evil[.]example']",
            &["evil.example"],
        ),
        (
            "[url:value = 'hxxp://evil.example/it\\'s']",
            &["evil.example"],
        ),
        ("[url:value = 'http://192.0.2.1:8080/x']", &["192.0.2.1"]),
        (
            "[network-traffic:dst_ref.value = '192.0.2.1']",
            &["192.0.2.1"],
        ),
        (
            "[ipv4-addr:value IN ('192.0.2.1', '192.0.2.2','192.0.2.3')]",
            &["192.0.2.1", "192.0.2.2", "192.0.2.3"],
        ),
        (
            "[ipv4-addr:value = '192.0.2.1' OR domain-name:value = 'evil.example']",
            &["192.0.2.1", "evil.example"],
        ),
        (
            "[ipv4-addr:value = '192.0.2.1'] OR ([ipv4-addr:value = '192.0.2.2'] or [ipv4-addr:value = '192.0.2.3'])",
            &["192.0.2.1", "192.0.2.2", "192.0.2.3"],
        ),
        (
            "[file:hashes.'SHA-256' = 'aa' OR ipv4-addr:value = '192.0.2.1']",
            &["192.0.2.1"],
        ),
        // A detail of how the host is met.
        (
            "[network-traffic:dst_ref.type = 'ipv4-addr' AND network-traffic:dst_ref.value = '192.0.2.1' AND network-traffic:dst_port = 443 AND network-traffic:protocols[*] = 'tcp']",
            &["192.0.2.1"],
        ),
        (
            "[domain-name:value = 'evil.example' AND domain-name:resolves_to_refs[*].value = '192.0.2.1']",
            &["evil.example"],
        ),
        (
            "[ipv4-addr:value = '192.0.2.1' AND (network-traffic:dst_port IN (80, 443) OR network-traffic:dst_port NOT IN (22))]",
            &["192.0.2.1"],
        ),
        (
            "[network-traffic:dst_port = 8443 AND domain-name:x_misp_port = '8443' AND domain-name:value = 'evil.example']",
            &["evil.example"],
        ),
        // The same host twice.
        (
            "[ipv4-addr:value = '192.0.2.1' AND url:value = 'http://192.0.2.1/x']",
            &["192.0.2.1"],
        ),
        (
            "[domain-name:value IN ('a.example', 'b.example')] AND [domain-name:value = 'b.example' OR domain-name:value = 'a.example']",
            &["a.example", "b.example"],
        ),
        // AND binds more than OR: the host alone is enough.
        (
            "[ipv4-addr:value = '192.0.2.1' OR file:name = 'a' AND file:size = 7]",
            &["192.0.2.1"],
        ),
        (
            "[(ipv4-addr:value = '192.0.2.1' OR file:name = 'a') AND (ipv4-addr:value = '192.0.2.1' OR file:name = 'b')]",
            &["192.0.2.1"],
        ),
        (
            "[ipv4-addr:value = '192.0.2.1'] WITHIN 300 SECONDS",
            &["192.0.2.1"],
        ),
        (
            "([ipv4-addr:value = '192.0.2.1'] REPEATS 1 TIMES)",
            &["192.0.2.1"],
        ),
        (
            "[ipv4-addr:value = '192.0.2.1'] START t'2024-01-01T00:00:00Z' STOP t'2025-01-01T00:00:00.5Z'",
            &["192.0.2.1"],
        ),
        (
            "/* x */ [ipv4-addr:value = '192.0.2.1'] // y",
            &["192.0.2.1"],
        ),
    ];
    for (pattern, listed) in table {
        let listed = listed.iter().map(|&text| text.to_owned()).collect();
        assert_eq!(hosts(pattern), Ok(Some(listed)), "{pattern}");
    }
}

#[test]
fn patterns_that_say_nothing_about_hosts() {
    for pattern in [
        "[file:hashes.'SHA-256' = 'aa']",
        "[file:hashes.MD5 = 'aa' AND file:size > 7.5]",
        "[file:hashes.SHA-256 = 'aa']",
        "[file:hashes.\"SHA-256\" = 'aa']",
        "[email-message:sender_ref.value = 'a@evil.example']",
        "[email-addr:value LIKE '%@evil.example']",
        "[file:magic_number_hex = h'ffd8' OR artifact:payload_bin = b'/w==']",
        "[file:created >= t'2024-01-01T00:00:00Z' AND process:is_hidden = true]",
        "[network-traffic:dst_port = 4444]",
        "[domain-name:resolves_to_refs[*].value = '192.0.2.1']",
        "[process:name = 'a'] FOLLOWEDBY [process:name NOT MATCHES '^b$'] WITHIN 300 SECONDS",
        "[EXISTS windows-registry-key:values]",
        "[x-custom:'a b'.c[0] != 7] REPEATS 5 TIMES",
        "[autonomous-system:number = 64496]",
    ] {
        assert_eq!(hosts(pattern), Ok(None), "{pattern}");
    }
    assert_eq!(hosts("[ipv4-addr:value IN ()]"), Ok(Some(Vec::new())));
}

#[test]
fn a_host_that_is_not_accused_by_itself() {
    use Reason::{Compares, Repeated, Together};
    let page = Recipe::new(Format::Stix);
    let page = pattern::read(
        &page,
        "[url:value = 'http://evil.example/x' OR ipv4-addr:value = '192.0.2.1']",
    );
    assert_eq!(page, Err(Reason::Page));
    for (pattern, reason) in [
        (
            "[ipv4-addr:value = '192.0.2.1' AND file:name = 'a']",
            Together,
        ),
        (
            "[file:name = 'a' AND ipv4-addr:value = '192.0.2.1']",
            Together,
        ),
        (
            "[ipv4-addr:value = '192.0.2.1' AND ipv4-addr:value = '192.0.2.2']",
            Together,
        ),
        (
            "[ipv4-addr:value = '192.0.2.1'] AND [domain-name:value = 'a.example']",
            Together,
        ),
        (
            "[ipv4-addr:value = '192.0.2.1'] FOLLOWEDBY [file:name = 'a']",
            Together,
        ),
        (
            "[file:name = 'a'] FOLLOWEDBY [ipv4-addr:value = '192.0.2.1'] WITHIN 9 SECONDS",
            Together,
        ),
        (
            "[network-traffic:src_ref.value = '192.0.2.1' AND network-traffic:dst_ref.value = '192.0.2.2']",
            Together,
        ),
        (
            "[network-traffic:dst_ref.value = '192.0.2.1' AND network-traffic:src_byte_count > 9000]",
            Together,
        ),
        (
            "[(ipv4-addr:value = '192.0.2.1' OR file:name = 'a') AND file:size = 7]",
            Together,
        ),
        (
            "[domain-name:value = 'cdn.example'] REPEATS 5 TIMES WITHIN 1800 SECONDS",
            Repeated,
        ),
        ("[domain-name:value LIKE '%.evil.example']", Compares),
        ("[url:value MATCHES '^http']", Compares),
        ("[ipv4-addr:value != '192.0.2.1']", Compares),
        ("[ipv4-addr:value NOT IN ('192.0.2.1')]", Compares),
        ("[ipv4-addr:value NOT = '192.0.2.1']", Compares),
        ("[ipv4-addr:value ISSUPERSET '192.0.2.0/24']", Compares),
        ("[domain-name:value ISSUBSET '192.0.2.0/24']", Compares),
        (
            "[ipv4-addr:value ISSUBSET '192.0.2.0/24' AND ipv4-addr:value != '192.0.2.1']",
            Compares,
        ),
        ("[EXISTS ipv4-addr:value]", Compares),
        (
            "[ipv4-addr:value = '192.0.2.1' OR ipv4-addr:value > '192.0.2.2']",
            Compares,
        ),
        (
            "[ipv4-addr:value = 'evil.example']",
            crate::model::IndicatorError::Address.into(),
        ),
        (
            "[ipv4-addr:value = '192.0.2.1-192.0.2.9']",
            crate::model::IndicatorError::Address.into(),
        ),
        ("[url:value = 'https://github.com/a/b']", Reason::SharedHost),
        (
            "[ipv4-addr:value = '192.0.2.1'] START t'x' STOP t'y'",
            Reason::Date,
        ),
    ] {
        assert_eq!(hosts(pattern), Err(reason), "{pattern}");
    }
}

#[test]
fn what_is_no_pattern() {
    let deep = format!("{}[file:name = 'a']{}", "(".repeat(65), ")".repeat(65));
    for pattern in [
        "",
        "ipv4-addr:value = '192.0.2.1'",
        "[ipv4-addr:value = '192.0.2.1'",
        "[ipv4-addr:value = '192.0.2.1]",
        "[ipv4-addr:value = '192.0.2.1']]",
        "[ipv4-addr:value = '192.0.2.1'] [ipv4-addr:value = '192.0.2.2']",
        "[ipv4-addr:value = '192.0.2.1' AND]",
        "[ipv4-addr:value '192.0.2.1']",
        "[ipv4-addr:value = 192]",
        "[ipv4-addr:value IN '192.0.2.1']",
        "[ipv4-addr:value IN ('192.0.2.1',)]",
        "[ipv4-addr:value => '192.0.2.1']",
        "[ipv4-addr:value LIKE 7]",
        "[ipv4-addr:value NEAR '192.0.2.1']",
        "[ipv4-addr.value = '192.0.2.1']",
        "[:value = '192.0.2.1']",
        "[file:hashes[x] = 'a']",
        "[file:name = 'a'] WITHIN SECONDS",
        "[file:name = 'a'] REPEATS 5",
        "[file:name = 'a'] START t'2024-01-01T00:00:00Z'",
        "[file:name = 'a'] OR",
        "([file:name = 'a']",
        "alert tcp any any -> 192.0.2.1 any",
        &deep,
    ] {
        assert_eq!(hosts(pattern), Err(Reason::Pattern), "{pattern}");
    }
    assert_eq!(hosts(&deep[1..deep.len() - 1]), Ok(None));
}

#[derive(Default)]
struct Kept(Vec<String>, Vec<Reason>);

impl Sink for Kept {
    fn record(&mut self, record: Record) {
        let end = record.valid_until.map(UnixTime::seconds);
        let end = end.map(|end| format!(" {end}")).unwrap_or_default();
        self.0.push(format!("{}{end}", record.indicator));
    }

    fn reject(&mut self, reject: Reject) {
        self.1.push(reject.reason);
    }
}

fn kept(body: &str, observables: bool) -> (Vec<String>, Vec<Reason>, Tally) {
    let recipe = Recipe {
        observables,
        ..Recipe::new(Format::Stix)
    };
    let mut kept = Kept::default();
    let text = Text {
        body: &mut body.as_bytes(),
        ends_surely: true,
    };
    let tally = read(&recipe, text, &mut kept).unwrap();
    (kept.0, kept.1, tally)
}

const ONE: &str = r#"{"type": "indicator", "pattern": "[ipv4-addr:value = '192.0.2.1']"}"#;

#[test]
fn objects_in_every_wrapping() {
    for body in [
        ONE.to_owned(),
        format!("{{\"type\": \"bundle\", \"id\": \"bundle--1\", \"objects\": [{ONE}]}}"),
        format!("{{\"objects\": [{ONE}], \"type\": \"bundle\"}}"),
        format!("{{\"more\": true, \"next\": \"7\", \"objects\": [{ONE}]}}"),
        format!("[{ONE}]"),
        format!("[{{\"type\": \"bundle\", \"objects\": [{ONE}]}}, {{\"type\": \"bundle\"}}]"),
        format!("{{}}\n{ONE}\n"),
        format!("{{\"objects\": [{ONE}]}}{{\"objects\": []}}"),
    ] {
        let (taken, rejected, _) = kept(&body, false);
        assert_eq!(taken, ["192.0.2.1"], "{body}");
        assert_eq!(rejected, [], "{body}");
    }
    for body in [
        "{}",
        "{ }",
        "[]",
        r#"{"more": false}"#,
        r#"{"objects": []}"#,
        r#"{"type": "bundle", "objects": []}"#,
    ] {
        let (taken, rejected, tally) = kept(body, false);
        assert_eq!(
            (taken.len(), rejected.len(), tally.passed_over),
            (0, 0, 0),
            "{body}"
        );
    }
    for (body, reason) in [
        (
            r#"{"title": "Unauthorized", "http_status": "401"}"#,
            Reason::NoType,
        ),
        (r#"{"objects": {}}"#, Reason::BadField),
        (r#"{"type": "bundle", "objects": "none"}"#, Reason::BadField),
        ("7", Reason::NoType),
        ("null", Reason::NoType),
        ("[[]]", Reason::NoType),
        (r#"[{"type": "indicator"}]"#, Reason::NoField),
        (
            r#"{"type": "indicator", "type": "x", "pattern": "[]"}"#,
            Reason::BadField,
        ),
        ("", Reason::JsonEnds),
    ] {
        let (taken, rejected, _) = kept(body, false);
        assert_eq!((taken.len(), rejected), (0, vec![reason]), "{body}");
    }
}

#[test]
fn the_earliest_end_counts() {
    let pattern = "[ipv4-addr:value = '192.0.2.1'] START t'1970-01-01T00:00:00Z' STOP t'1970-01-01T00:00:09Z' OR [ipv4-addr:value = '192.0.2.2']";
    let body = |until: &str| {
        format!(
            "{{\"type\": \"indicator\", \"pattern\": \"{pattern}\", \"valid_until\": \"{until}\"}}"
        )
    };
    let (taken, ..) = kept(&body("1970-01-01T00:00:07Z"), false);
    assert_eq!(taken, ["192.0.2.1 7", "192.0.2.2 7"]);
    let (taken, ..) = kept(&body("1970-01-01T00:00:11Z"), false);
    assert_eq!(taken, ["192.0.2.1 9", "192.0.2.2 11"]);
    let (taken, ..) = kept(&body(""), false);
    assert_eq!(taken, ["192.0.2.1 9", "192.0.2.2"]);
}

#[test]
fn observables_count_only_where_asked_for() {
    let body = r#"{"type": "bundle", "objects": [
        {"type": "ipv4-addr", "value": "192.0.2.1"},
        {"type": "ipv6-addr", "value": "2001:db8::/32"},
        {"type": "domain-name", "value": "evil[.]example", "resolves_to_refs": ["x"]},
        {"type": "url", "value": "http://192.0.2.2/x"},
        {"type": "url", "value": "http://evil.example/x"},
        {"type": "ipv4-addr"},
        {"type": "file", "name": "a"},
        {"type": "observed-data", "number_observed": 1, "last_observed": "2024-01-31T10:00:00Z",
         "objects": {"0": {"type": "ipv4-addr", "value": "192.0.2.3"}, "1": {"type": "file"},
                     "2": {"type": "domain-name", "value": "192.0.2.256"}}},
        {"type": "observed-data", "revoked": true, "objects": {"0": {"type": "ipv4-addr", "value": "192.0.2.4"}}},
        {"type": "observed-data", "object_refs": ["ipv4-addr--1"]}
    ]}"#;
    let (taken, rejected, tally) = kept(body, true);
    assert_eq!(
        taken,
        [
            "192.0.2.1",
            "2001:db8::/32",
            "evil.example",
            "192.0.2.2",
            "192.0.2.3"
        ]
    );
    let broken = crate::model::IndicatorError::Address.into();
    assert_eq!(rejected, [Reason::Page, Reason::NoField, broken]);
    assert_eq!((tally.rows, tally.passed_over), (8, 4));
    let (taken, rejected, tally) = kept(body, false);
    assert_eq!(
        (taken.len(), rejected.len(), tally.rows, tally.passed_over),
        (0, 0, 0, 10)
    );
}

/// A comparison expression over a few atoms.
#[derive(Clone, Debug)]
enum Expression {
    Atom(usize),
    And(Box<Self>, Box<Self>),
    Or(Box<Self>, Box<Self>),
}

const ATOMS: [&str; 5] = [
    "ipv4-addr:value = '192.0.2.1'",
    "domain-name:value = 'evil.example'",
    "file:name = 'a'",
    "network-traffic:dst_port = 443",
    "domain-name:resolves_to_refs[*].value = '192.0.2.9'",
];

impl Expression {
    fn text(&self) -> String {
        match self {
            Self::Atom(atom) => ATOMS[*atom].to_owned(),
            Self::And(one, two) => format!("({} AND {})", one.text(), two.text()),
            Self::Or(one, two) => format!("({} OR {})", one.text(), two.text()),
        }
    }

    fn holds(&self, seen: &[usize]) -> bool {
        match self {
            Self::Atom(atom) => seen.contains(atom),
            Self::And(one, two) => one.holds(seen) && two.holds(seen),
            Self::Or(one, two) => one.holds(seen) || two.holds(seen),
        }
    }
}

fn expression() -> impl Strategy<Value = Expression> {
    let atom = (0..ATOMS.len()).prop_map(Expression::Atom);
    atom.prop_recursive(4, 12, 2, |inner| {
        let both = || {
            (
                inner.clone().prop_map(Box::new),
                inner.clone().prop_map(Box::new),
            )
        };
        prop_oneof![
            both().prop_map(|(one, two)| Expression::And(one, two)),
            both().prop_map(|(one, two)| Expression::Or(one, two)),
        ]
    })
}

proptest! {
    /// Whatever host is listed, meeting it alone (with the details that are its own) matches the pattern.
    #[test]
    fn a_listed_host_is_accused_by_itself(expression in expression()) {
        for host in hosts(&format!("[{}]", expression.text())).unwrap_or_default().unwrap_or_default() {
            let seen: &[usize] = if host == "192.0.2.1" { &[0, 3] } else { &[1, 3, 4] };
            prop_assert!(expression.holds(seen), "{host}");
        }
    }

    #[test]
    fn no_pattern_panics(pattern in "[\\[\\]()'\"a-z:.*=<>!,0-9 \\\\/é-]{0,60}") {
        let _ = hosts(&pattern);
        let _ = hosts(&format!("[{pattern}]"));
        let _ = hosts(&format!("[ipv4-addr:value = '{pattern}'] {pattern}"));
    }
}
