use super::*;

pub fn rule(protocol: Protocol, ports: &[&str], origin: &str, tag: &str) -> Rule {
    Rule::try_new(Parts {
        protocol,
        ports: ports
            .iter()
            .map(|text| PortRange::try_new(text).unwrap())
            .collect(),
        origin_type: OriginType::IpDomain,
        origins: vec![origin.to_owned()],
        origin_port: PortRange::try_new("9000").unwrap(),
        pass_through: PassThrough::Off,
        session: None,
        tag: Tag::try_new(tag).ok(),
    })
    .unwrap()
}

#[test]
fn a_rule_comes_back_from_the_cloud_as_the_same_value() {
    let sent = Rule::try_new(Parts {
        protocol: Protocol::Tcp,
        ports: ["90", "81-85"]
            .map(|text| PortRange::try_new(text).unwrap())
            .to_vec(),
        origin_type: OriginType::IpDomain,
        origins: vec!["93.184.216.34".into(), "1.1.1.1".into()],
        origin_port: PortRange::try_new("90").unwrap(),
        pass_through: PassThrough::Toa,
        session: Session::try_new(Duration::from_secs(60)).ok(),
        tag: Tag::try_new("网站").ok(),
    })
    .unwrap();
    let request = sent.request(None);
    let mut row: Row = serde_json::from_value(serde_json::to_value(request).unwrap()).unwrap();
    assert_eq!(Rule::of_row(&row).as_ref(), Some(&sent));
    row.port_range.reverse();
    row.origin_value.reverse();
    assert_eq!(Rule::of_row(&row).as_ref(), Some(&sent), "in another order");
    let kept = serde_json::to_string(&sent).unwrap();
    assert_eq!(serde_json::from_str::<Rule>(&kept).unwrap(), sent);
    row.client_ip_pass_through_mode = "QUIC".into();
    assert_eq!(Rule::of_row(&row), None);
}

#[test]
fn what_the_vendor_fills_in_is_no_difference() {
    let sent = rule(Protocol::Udp, &["53"], "1.1.1.1", "");
    let row = Row {
        protocol: "UDP".into(),
        port_range: vec!["53".into()],
        origin_type: "IP_DOMAIN".into(),
        origin_value: vec!["1.1.1.1".into()],
        origin_port_range: "9000".into(),
        session_persist: "off".into(),
        session_persist_time: Some(3600),
        ..Row::default()
    };
    assert_eq!(Rule::of_row(&row), Some(sent));
}

#[test]
fn sessions_and_tags_have_bounds() {
    for (seconds, good) in [
        (29, false),
        (30, true),
        (3600, true),
        (3601, false),
        (65566, false),
    ] {
        assert_eq!(
            Session::try_new(Duration::from_secs(seconds)).is_ok(),
            good,
            "{seconds}"
        );
    }
    assert!(Session::try_new(Duration::from_millis(30_500)).is_err());
    for (text, good) in [
        ("", false),
        ("a", true),
        (&"网".repeat(50), true),
        (&"a".repeat(51), false),
    ] {
        assert_eq!(Tag::try_new(text).is_ok(), good, "{text}");
    }
}

#[test]
fn a_difference_names_its_fields() {
    let old = rule(Protocol::Tcp, &["80"], "1.1.1.1", "web");
    let new = rule(Protocol::Tcp, &["80"], "1.0.0.1", "");
    assert_eq!(
        old.difference(&new),
        ["origins 1.1.1.1 → 1.0.0.1", "tag \"web\" → none"]
    );
    assert!(old.difference(&old).is_empty());
}
