use super::super::rule::tests::rule;
use super::*;
use crate::model::Name;

const NOW: UnixTime = UnixTime::from_seconds(1_000_000);

fn place() -> Place {
    Place {
        zone: "zone-1".into(),
        proxy: "sid-1".into(),
    }
}

fn file(rules: &[Rule]) -> RuleFile {
    let wanted = |(line, rule): (usize, &Rule)| Wanted {
        line: line + 1,
        place: place(),
        rule: rule.clone(),
    };
    RuleFile {
        set: Name::try_new("web").unwrap(),
        rules: rules.iter().enumerate().map(wanted).collect(),
    }
}

fn seen(id: &str, rule: &Rule) -> Seen {
    Seen {
        place: place(),
        rule_id: id.to_owned(),
        status: "online".to_owned(),
        ports: Some((rule.protocol(), rule.ports().to_vec())),
        rule: Some(rule.clone()),
    }
}

fn held(set: &str, id: &str, rule: &Rule, age: i64) -> Held {
    let at = UnixTime::from_seconds(NOW.seconds() - age);
    Held {
        key: 1,
        set: set.to_owned(),
        place: place(),
        rule_id: id.to_owned(),
        rule: rule.clone(),
        status: "online".to_owned(),
        made_at: at,
        changed_at: at,
    }
}

fn tcp(ports: &str, origin: &str, tag: &str) -> Rule {
    rule(Protocol::Tcp, &[ports], origin, tag)
}

fn made(known: &Known, rules: &[Rule], options: Options) -> Plan {
    plan(&file(rules), known, options, NOW)
}

fn words(plan: &Plan) -> Vec<String> {
    plan.clashes
        .iter()
        .map(|fault| fault.message.clone())
        .collect()
}

#[test]
fn what_stands_is_the_same_and_what_does_not_is_made() {
    let (one, two) = (tcp("80", "1.1.1.1", "a"), tcp("81", "1.1.1.1", "a"));
    let known = Known {
        held: vec![held("web", "rule-1", &one, 1_000)],
        seen: vec![seen("rule-1", &one)],
        ..Known::default()
    };
    let plan = made(&known, &[one, two.clone()], Options::default());
    assert_eq!((plan.same.len(), plan.create.len()), (1, 1));
    assert_eq!(plan.create[0].rule, two);
    assert!(plan.change.is_empty() && plan.left.is_empty() && plan.clashes.is_empty());
}

#[test]
fn a_rule_is_known_again_by_ports_by_tag_and_by_a_shared_port() {
    let before = tcp("80", "1.1.1.1", "a");
    let known = Known {
        held: vec![held("web", "rule-1", &before, 1_000)],
        seen: vec![seen("rule-1", &before)],
        ..Known::default()
    };
    for (after, difference) in [
        (tcp("80", "1.0.0.1", "b"), 2),
        (tcp("90", "1.1.1.1", "a"), 1),
        (tcp("79-81", "1.1.1.1", "b"), 2),
    ] {
        let plan = made(&known, std::slice::from_ref(&after), Options::default());
        assert_eq!(plan.change[0].difference.len(), difference, "{after}");
        assert!(plan.create.is_empty() && plan.left.is_empty());
    }
    let other = tcp("90", "1.1.1.1", "b");
    let plan = made(&known, &[other], Options::default());
    assert_eq!(
        (plan.create.len(), plan.left.len(), plan.change.len()),
        (1, 1, 0)
    );
}

#[test]
fn a_tag_that_the_file_does_not_name_stays() {
    let (tagged, plain) = (tcp("80", "1.1.1.1", "web"), tcp("80", "1.1.1.1", ""));
    let known = Known {
        held: vec![held("web", "rule-1", &tagged, 3600)],
        seen: vec![seen("rule-1", &tagged)],
        ..Known::default()
    };
    let plan = made(&known, &[plain], Options::default());
    assert_eq!((plan.same.len(), plan.change.len()), (1, 0));
    let moved = tcp("80", "1.0.0.1", "");
    let plan = made(&known, &[moved], Options::default());
    let change = &plan.change[0];
    assert_eq!(change.difference, ["origins 1.1.1.1 → 1.0.0.1"]);
    assert_eq!(change.wanted.rule.tag(), tagged.tag());
}

#[test]
fn what_somebody_changed_or_deleted_there_is_seen() {
    let (ours, theirs) = (tcp("80", "1.1.1.1", "a"), tcp("80", "1.0.0.1", "a"));
    let mut known = Known {
        held: vec![held("web", "rule-1", &ours, 1_000)],
        seen: vec![seen("rule-1", &theirs)],
        ..Known::default()
    };
    let plan = made(&known, std::slice::from_ref(&ours), Options::default());
    assert_eq!(plan.change[0].difference, ["origins 1.0.0.1 → 1.1.1.1"]);
    known.seen.clear();
    let plan = made(&known, std::slice::from_ref(&ours), Options::default());
    assert_eq!(
        (plan.gone.as_slice(), plan.create.len()),
        ([1].as_slice(), 1)
    );
    // A reading right after the call may still show what was before it.
    known.held = vec![held("web", "rule-1", &ours, 10)];
    let plan = made(&known, std::slice::from_ref(&ours), Options::default());
    assert_eq!(
        (plan.same.len(), plan.same[0].status.as_str()),
        (1, "progress")
    );
    known.seen = vec![seen("rule-1", &theirs)];
    let plan = made(&known, &[ours], Options::default());
    assert_eq!(plan.same.len(), 1);
}

#[test]
fn ports_of_others_are_told_with_whose_they_are() {
    let theirs = tcp("80", "1.0.0.1", "");
    let wanted = tcp("75-85", "1.1.1.1", "");
    let mut known = Known {
        seen: vec![seen("rule-9", &theirs)],
        ..Known::default()
    };
    let plan = made(&known, std::slice::from_ref(&wanted), Options::default());
    assert_eq!(
        words(&plan),
        ["80 is taken by rule-9, which is not in this file"]
    );
    known.held = vec![held("mail", "rule-9", &theirs, 1_000)];
    let plan = made(&known, std::slice::from_ref(&wanted), Options::default());
    assert_eq!(words(&plan), ["80 is taken by rule-9 of the set `mail`"]);
    // Equal, but another set's: not ours to take, and not to be made twice.
    let plan = made(
        &known,
        std::slice::from_ref(&theirs),
        Options {
            adopt: true,
            ..Options::default()
        },
    );
    assert_eq!(words(&plan), ["80 is taken by rule-9 of the set `mail`"]);
    let udp = rule(Protocol::Udp, &["80"], "1.1.1.1", "");
    assert!(made(&known, &[udp], Options::default()).clashes.is_empty());
}

#[test]
fn a_port_comes_free_with_update_and_with_prune() {
    let (old, new) = (tcp("80", "1.1.1.1", "a"), tcp("81", "1.1.1.1", "a"));
    let next = tcp("80", "1.1.1.1", "b");
    let known = Known {
        held: vec![held("web", "rule-1", &old, 1_000)],
        seen: vec![seen("rule-1", &old)],
        ..Known::default()
    };
    // rule-1 is known again by its port, so the other one is new.
    let plan = made(&known, &[new, next], Options::default());
    assert_eq!((plan.change.len(), plan.create.len()), (1, 1));
    let (wide, other) = (tcp("80-81", "1.1.1.1", ""), tcp("81", "1.0.0.1", ""));
    let first = tcp("80", "1.0.0.1", "");
    let known = Known {
        held: vec![
            held("web", "rule-1", &first, 1_000),
            held("web", "rule-2", &other, 1_000),
        ],
        seen: vec![seen("rule-1", &first), seen("rule-2", &other)],
        ..Known::default()
    };
    let update = Options {
        update: true,
        ..Options::default()
    };
    let plan = made(&known, std::slice::from_ref(&wide), update);
    assert_eq!(
        words(&plan),
        ["81 is taken by rule-2, which has left the file: --prune deletes it first"]
    );
    let both = Options {
        prune: true,
        ..update
    };
    assert!(made(&known, &[wide], both).clashes.is_empty());
}

#[test]
fn an_equal_rule_is_ours_only_where_a_lost_create_carried_it_or_we_are_told_so() {
    let rule = tcp("80", "1.1.1.1", "a");
    let mut known = Known {
        seen: vec![seen("rule-1", &rule)],
        ..Known::default()
    };
    let plan = made(&known, std::slice::from_ref(&rule), Options::default());
    assert_eq!(
        (plan.alien.len(), plan.adopt.len(), plan.create.len()),
        (1, 0, 0)
    );
    assert!(plan.clashes.is_empty());
    let adopt = Options {
        adopt: true,
        ..Options::default()
    };
    assert_eq!(
        made(&known, std::slice::from_ref(&rule), adopt).adopt.len(),
        1
    );
    known.lost.insert((place(), text(&rule)));
    assert_eq!(made(&known, &[rule], Options::default()).adopt.len(), 1);
}
