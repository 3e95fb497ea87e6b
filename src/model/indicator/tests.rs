use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

#[test]
fn the_same_thing_written_two_ways_is_one_indicator() {
    let same = [
        ("192.0.2.7", "192.0.2.7"),
        ("192.0.2.7/32", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("::FFFF:c000:207", "192.0.2.7"),
        ("::ffff:192.0.2.7/128", "192.0.2.7"),
        ("192.0.2.77/24", "192.0.2.0/24"),
        ("::ffff:192.0.2.77/120", "192.0.2.0/24"),
        ("2001:DB8:0:0::1", "2001:db8::1"),
        ("2001:db8::1/128", "2001:db8::1"),
        ("2001:db8::1/32", "2001:db8::/32"),
        ("::ffff:0:0/95", "::fffe:0:0/95"),
        ("0.0.0.0/0", "0.0.0.0/0"),
        ("Example.COM.", "example.com"),
    ];
    for (written, canonical) in same {
        let indicator = Indicator::try_new(written).unwrap();
        assert_eq!(indicator.to_string(), canonical, "{written}");
        assert_eq!(Ok(indicator), Indicator::try_new(canonical));
    }
}

#[test]
fn what_is_almost_an_address_is_never_guessed() {
    let address = [
        "010.1.1.1",
        "1.2.3",
        "1.2.3.4.5",
        "1.2.3.256",
        "1.2.3.4.",
        ".1.2.3.4",
        "1::2::3",
        "12345::",
        "1.2.3.4:80",
        "fe80::1%eth0",
        "2130706433",
        "1.2.3/24",
        "/24",
        "example.com/24",
        " 1.2.3.4/8",
    ];
    for text in address {
        assert_eq!(
            Indicator::try_new(text),
            Err(IndicatorError::Address),
            "{text}"
        );
    }
    for text in [
        "1.2.3.4/",
        "1.2.3.4/33",
        "1.2.3.4/+8",
        "1.2.3.4/08",
        "1.2.3.4/8/8",
        "1.2.3.4/255.0.0.0",
    ] {
        assert_eq!(
            Indicator::try_new(text),
            Err(IndicatorError::PrefixLength(32)),
            "{text}"
        );
    }
    assert_eq!(
        Indicator::try_new("::/129"),
        Err(IndicatorError::PrefixLength(128))
    );
    assert_eq!(Indicator::try_new(""), Err(IndicatorError::Empty));
    assert_eq!(
        Indicator::try_new("0x7f.1"),
        Err(DomainError::Numeric.into())
    );
}

fn any_indicator() -> impl Strategy<Value = Indicator> {
    prop_oneof![
        any::<u32>().prop_map(|bits| Indicator::from_ip(Ipv4Addr::from_bits(bits).into())),
        any::<u128>().prop_map(|bits| Indicator::from_ip(Ipv6Addr::from_bits(bits).into())),
        any::<u32>().prop_map(|bits| {
            Indicator::from_ip(Ipv6Addr::from_bits(0xffff_0000_0000 | u128::from(bits)).into())
        }),
        (any::<u32>(), 0..=32_u8).prop_map(|(bits, length)| {
            Indicator::from_net(
                Ipv4Net::new(Ipv4Addr::from_bits(bits), length)
                    .unwrap()
                    .into(),
            )
        }),
        (any::<u128>(), 0..=128_u8).prop_map(|(bits, length)| {
            Indicator::from_net(
                Ipv6Net::new(Ipv6Addr::from_bits(bits), length)
                    .unwrap()
                    .into(),
            )
        }),
        (any::<u32>(), 90..=128_u8).prop_map(|(bits, length)| {
            let six = Ipv6Addr::from_bits(0xffff_0000_0000 | u128::from(bits));
            Indicator::from_net(Ipv6Net::new(six, length).unwrap().into())
        }),
        "[a-z0-9_]{1,8}(-[a-z0-9]{1,3})?\\.(com|example|onion|co\\.uk|中国)"
            .prop_filter_map("a domain", |text| Indicator::try_new(&text).ok()),
    ]
}

proptest! {
    #[test]
    fn the_text_of_an_indicator_gives_it_back(indicator in any_indicator()) {
        prop_assert_eq!(Indicator::try_new(&indicator.to_string()), Ok(indicator));
    }

    #[test]
    fn the_key_of_an_indicator_gives_it_back(indicator in any_indicator()) {
        prop_assert_eq!(Indicator::from_key(&indicator.key()), Ok(indicator.clone()));
        prop_assert_eq!(indicator.borrowed().to_owned(), indicator);
    }

    #[test]
    fn keys_stand_in_the_order_of_indicators(one in any_indicator(), two in any_indicator()) {
        prop_assert_eq!(one.key().cmp(&two.key()), one.cmp(&two));
        prop_assert_eq!(one.borrowed().cmp(&two.borrowed()), one.cmp(&two));
    }

    /// A set of indicators is the same whichever came first and however often.
    #[test]
    fn order_does_not_matter(texts in prop::collection::vec("[12]\\.2\\.3\\.[0-9](/3[0-2])?", 0..12)) {
        let forth: BTreeSet<_> = texts.iter().flat_map(|text| Indicator::try_new(text)).collect();
        let back: BTreeSet<_> = texts.iter().rev().chain(&texts).flat_map(|text| Indicator::try_new(text)).collect();
        prop_assert_eq!(forth, back);
    }

    #[test]
    fn no_text_and_no_key_panics(text in "\\PC{0,40}", key in prop::collection::vec(any::<u8>(), 0..20)) {
        let _ = Indicator::try_new(&text);
        if let Ok(indicator) = Indicator::from_key(&key) {
            prop_assert_eq!(indicator.key(), key);
        }
    }
}

/// Host bits, networks of one address, and IPv4 inside IPv6: found by fuzzing.
#[test]
fn keys_that_were_never_written_are_refused() {
    let mapped = [&[0; 10][..], &[0xff, 0xff, 45, 155, 205, 0]].concat();
    let keys = [
        vec![3, 45, 155, 205, 7, 24],
        vec![3, 45, 155, 205, 7, 32],
        [&[2][..], &mapped].concat(),
        [&[4][..], &mapped, &[120]].concat(),
        [&[4][..], &[0x2a; 16], &[128]].concat(),
        [&[4][..], &[0x2a; 16], &[32]].concat(),
    ];
    for key in keys {
        assert!(Indicator::from_key(&key).is_err(), "{key:?}");
    }
}
