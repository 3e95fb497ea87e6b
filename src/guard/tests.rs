//! One test for each row of "what must never happen" that is a guard's.

use std::path::PathBuf;

use proptest::prelude::*;
use url::Url;

use super::*;
use crate::model::{Direction, Name};

const MIN_PREFIX: MinPrefix = MinPrefix { v4: 8, v6: 16 };

fn bare() -> Material {
    Material {
        min_prefix: MIN_PREFIX,
        allow: Vec::new(),
        files: Vec::new(),
        by_hand: Vec::new(),
        sets: Vec::new(),
        own_ground: Vec::new(),
    }
}

fn ioc(text: &str) -> Indicator {
    Indicator::try_new(text).unwrap()
}

fn iocs(texts: &[&str]) -> Vec<Indicator> {
    texts.iter().map(|text| ioc(text)).collect()
}

fn name(text: &str) -> Name {
    Name::try_new(text).unwrap()
}

fn allowing(texts: &[&str]) -> Guards {
    let allow = iocs(texts);
    Guards::try_new(Material { allow, ..bare() }).unwrap()
}

fn list(matching: Matching, texts: &[&str]) -> GuardSet {
    GuardSet {
        name: name("public-dns"),
        kind: SetKind::List,
        matching,
        entries: iocs(texts),
    }
}

fn said(guards: &Guards, text: &str) -> String {
    guards.judge(&ioc(text)).to_string()
}

fn is_cleared(judgement: &Judgement) -> bool {
    matches!(judgement, Judgement::Cleared(_))
}

#[test]
fn reserved_addresses_are_struck_by_the_range_that_names_them_best() {
    let guards = allowing(&[]);
    #[rustfmt::skip]
    let rows = [
        ("0.0.0.0", "0.0.0.0/8 is for \"this network\" and the unspecified address (RFC 791 §3.2)"),
        ("10.1.2.3", "10.0.0.0/8 is for private use (RFC 1918)"),
        ("100.64.0.1", "100.64.0.0/10 is for shared address space of carriers (RFC 6598)"),
        ("127.0.0.1", "127.0.0.0/8 is for loopback (RFC 1122 §3.2.1.3)"),
        ("169.254.169.254", "169.254.0.0/16 is for link-local addresses (RFC 3927)"),
        ("172.31.255.255", "172.16.0.0/12 is for private use (RFC 1918)"),
        ("192.0.0.8", "192.0.0.0/24 is for IETF protocol assignments (RFC 6890)"),
        ("192.0.2.1", "192.0.2.0/24 is for documentation (TEST-NET-1) (RFC 5737)"),
        ("192.88.99.1", "192.88.99.0/24 is for 6to4 relays (deprecated) (RFC 7526)"),
        ("192.168.0.1", "192.168.0.0/16 is for private use (RFC 1918)"),
        ("198.19.255.255", "198.18.0.0/15 is for benchmarks (RFC 2544)"),
        ("198.51.100.7", "198.51.100.0/24 is for documentation (TEST-NET-2) (RFC 5737)"),
        ("203.0.113.7", "203.0.113.0/24 is for documentation (TEST-NET-3) (RFC 5737)"),
        ("224.0.0.1", "224.0.0.0/4 is for multicast (RFC 5771)"),
        ("250.1.2.3", "240.0.0.0/4 is for future use (class E) (RFC 1112 §4)"),
        ("255.255.255.255", "255.255.255.255 is for limited broadcast (RFC 919 §7)"),
        ("::", ":: is for the unspecified address (RFC 4291 §2.5.2)"),
        ("::1", "::1 is for loopback (RFC 4291 §2.5.3)"),
        ("::8.8.4.4", "::/96 is for IPv4-compatible addresses (deprecated) (RFC 4291 §2.5.5.1)"),
        ("::ffff:0:8.8.4.4", "::ffff:0:0:0/96 is for IPv4-translated addresses (RFC 2765 §2.1)"),
        ("64:ff9b::5.6.7.8", "64:ff9b::/96 is for IPv4 behind a translator (NAT64) (RFC 6052)"),
        ("64:ff9b:1::1", "64:ff9b:1::/48 is for IPv4 behind a local translator (NAT64) (RFC 8215)"),
        ("100::1", "100::/64 is for discarding (RFC 6666)"),
        ("200::1", "::/3 is for future use (outside 2000::/3) (RFC 4291 §2.4)"),
        ("2001::1", "2001::/32 is for IPv4 in Teredo tunnels (RFC 4380)"),
        ("2001:2::1", "2001:2::/48 is for benchmarks (RFC 5180)"),
        ("2001:10::1", "2001:10::/28 is for ORCHID (deprecated) (RFC 4843)"),
        ("2001:20::1", "2001:20::/28 is for ORCHIDv2 (RFC 7343)"),
        ("2001:100::1", "2001::/23 is for IETF protocol assignments (RFC 2928)"),
        ("2001:db8::1", "2001:db8::/32 is for documentation (RFC 3849)"),
        ("2002:506:708::1", "2002::/16 is for IPv4 in 6to4 tunnels (RFC 3056)"),
        ("3fff:fff::1", "3fff::/20 is for documentation (RFC 9637)"),
        ("fd00::1", "fc00::/7 is for unique local addresses (RFC 4193)"),
        ("fe80::1", "fe80::/10 is for link-local addresses (RFC 4291 §2.5.6)"),
        ("ff02::1", "ff00::/8 is for multicast (RFC 4291 §2.7)"),
        ("192.168.4.0/22", "192.168.0.0/16 is for private use (RFC 1918)"),
    ];
    for (text, clause) in rows {
        assert_eq!(said(&guards, text), format!("reserved: {clause}"), "{text}");
        assert!(guards.covers(&ioc(text)), "{text}");
    }
    // An IPv4-mapped address is the IPv4 address itself, and judged as that.
    let mapped = said(&guards, "::ffff:10.0.0.1");
    assert_eq!(mapped, "reserved: 10.0.0.0/8 is for private use (RFC 1918)");
    assert!(is_cleared(&guards.judge(&ioc("::ffff:5.6.7.8"))));
}

#[test]
fn the_addresses_on_either_side_of_a_reserved_range_are_cleared() {
    let guards = allowing(&[]);
    #[rustfmt::skip]
    let outside = [
        "1.0.0.0", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255",
        "128.0.0.0", "169.253.255.255", "169.255.0.0", "172.15.255.255", "172.32.0.0",
        "191.255.255.255", "192.0.1.0", "192.0.1.255", "192.0.3.0", "192.167.255.255", "192.169.0.0",
        "198.17.255.255", "198.20.0.0", "198.51.99.255", "198.51.101.0", "203.0.112.255",
        "203.0.114.0", "223.255.255.255", "2000::", "2001:200::", "2001:db7:ffff::1", "2001:db9::",
        "2003::", "3ffe:ffff::1", "3fff:1000::",
    ];
    for text in outside {
        assert!(is_cleared(&guards.judge(&ioc(text))), "{text}");
        assert!(!guards.covers(&ioc(text)), "{text}");
    }
}

#[test]
fn special_use_names_are_struck_with_all_below_them_and_what_lies_above_is_held() {
    let guards = allowing(&[]);
    #[rustfmt::skip]
    let rows = [
        ("a.localhost", "reserved: localhost is for loopback (RFC 6761)"),
        ("printer.local", "reserved: local is for multicast DNS (RFC 6762)"),
        ("x.y.test", "reserved: test is for tests (RFC 6761)"),
        ("x.invalid", "reserved: invalid is for names that never exist (RFC 6761)"),
        ("www.example.com", "reserved: example.com is for documentation (RFC 6761)"),
        ("db.corp.internal", "reserved: internal is for private use (ICANN SAC113)"),
        ("tv.home.arpa", "reserved: home.arpa is for names of homes (RFC 8375)"),
        ("wallet.alt", "reserved: alt is for names outside the DNS (RFC 9476)"),
        ("abcdef.onion", "reserved: onion is for Tor services, which the DNS never sees (RFC 7686)"),
        ("1.10.in-addr.arpa", "reserved: 10.in-addr.arpa is for reverse lookups of private addresses (RFC 6761)"),
        ("169.in-addr.arpa", "it would block 254.169.in-addr.arpa below it: \
            reserved: 254.169.in-addr.arpa is for reverse lookups of link-local addresses (RFC 6762)"),
    ];
    for (text, clause) in rows {
        assert_eq!(said(&guards, text), clause);
    }
    // Phishing has been served from names below ip6.arpa, so the rest of arpa is not sacred.
    for text in [
        "d.d.e.0.6.3.0.0.0.7.4.0.1.0.0.2.ip6.arpa",
        "notlocal.net",
        "test.net",
    ] {
        assert!(is_cleared(&guards.judge(&ioc(text))), "{text}");
    }
}

#[test]
fn networks_wider_than_the_least_prefix_are_struck_unless_the_config_says_so() {
    let guards = allowing(&[]);
    let wide = "wider than /8, which [guard] min_prefix forbids";
    assert_eq!(said(&guards, "44.0.0.0/7"), wide);
    assert_eq!(said(&guards, "0.0.0.0/0"), wide);
    let wide = "wider than /16, which [guard] min_prefix forbids";
    assert_eq!(said(&guards, "2a00::/15"), wide);
    assert_eq!(said(&guards, "2000::/3"), wide);
    for text in ["45.0.0.0/8", "2a00::/16"] {
        assert!(
            !matches!(guards.judge(&ioc(text)), Judgement::Struck(_)),
            "{text}"
        );
        assert!(is_cleared(&guards.judge_allow(&ioc(text))), "{text}");
    }
    let min_prefix = MinPrefix { v4: 7, v6: 3 };
    let guards = Guards::try_new(Material {
        min_prefix,
        ..bare()
    })
    .unwrap();
    assert!(is_cleared(&guards.judge(&ioc("44.0.0.0/7"))));
}

#[test]
fn a_bare_public_suffix_is_struck_even_where_an_old_ledger_brings_it() {
    let guards = allowing(&[]);
    for text in ["co.uk", "github.io"] {
        assert!(Indicator::try_new(text).is_err());
        let old = Indicator::Domain(DomainName::from_canonical(text).unwrap());
        let struck = Judgement::Struck(Strike::PublicSuffix);
        assert_eq!(guards.judge(&old), struck);
        assert_eq!(guards.judge_allow(&old), struck);
    }
    assert!(is_cleared(&guards.judge(&ioc("evil.github.io"))));
}

#[test]
fn an_allowed_address_is_struck_and_names_the_entry_that_allows_it() {
    let file = AllowFile {
        path: PathBuf::from("/etc/feedwall/allow.d/office.txt"),
        entries: vec![(3, ioc("45.155.206.0/24")), (9, ioc("2a00:1450::/32"))],
    };
    let guards = Guards::try_new(Material {
        allow: iocs(&["45.155.205.7", "partner.ch"]),
        files: vec![file],
        by_hand: iocs(&["45.155.207.1"]),
        sets: vec![
            list(
                Matching::Exact,
                &["4.2.2.1", "45.155.205.7", "time.akamai.com"],
            ),
            GuardSet {
                name: name("partners"),
                kind: SetKind::Feed,
                ..list(Matching::Subdomains, &["4.2.2.2"])
            },
        ],
        ..bare()
    })
    .unwrap();
    #[rustfmt::skip]
    let rows = [
        ("45.155.205.7", "allowed by [guard] allow entry 45.155.205.7"),
        ("45.155.206.9", "allowed by /etc/feedwall/allow.d/office.txt:3 (45.155.206.0/24)"),
        ("45.155.206.0/25", "allowed by /etc/feedwall/allow.d/office.txt:3 (45.155.206.0/24)"),
        ("2a00:1450:4001::1", "allowed by /etc/feedwall/allow.d/office.txt:9 (2a00:1450::/32)"),
        ("45.155.207.1", "allowed by hand (45.155.207.1)"),
        ("4.2.2.1", "guard list public-dns holds 4.2.2.1"),
        ("4.2.2.2", "allow feed partners holds 4.2.2.2"),
        ("vpn.partner.ch", "allowed by [guard] allow entry partner.ch"),
        ("time.akamai.com", "guard list public-dns holds time.akamai.com"),
        ("akamai.com", "it would block time.akamai.com below it: guard list public-dns holds time.akamai.com"),
    ];
    for (text, clause) in rows {
        assert_eq!(said(&guards, text), clause);
    }
    // A download may not delete beyond the brake; the operator may, even where both guard the same.
    let downloaded = |text| match guards.judge(&ioc(text)) {
        Judgement::Struck(Strike::Guarded(by)) => by[0].origin.is_downloaded(),
        other => panic!("{other:?}"),
    };
    assert!(downloaded("4.2.2.1") && downloaded("4.2.2.2"));
    assert!(!downloaded("45.155.205.7") && !downloaded("45.155.206.9") && !downloaded("10.0.0.1"));
}

#[test]
fn an_allowed_address_inside_a_listed_network_carves_it_exactly() {
    let guards = allowing(&["45.155.205.7"]);
    let Judgement::Carved { pieces, by } = guards.judge(&ioc("45.155.205.0/24")) else {
        panic!("not carved");
    };
    let pieces: Vec<String> = pieces
        .iter()
        .map(|piece| piece.indicator().to_string())
        .collect();
    #[rustfmt::skip]
    assert_eq!(pieces, [
        "45.155.205.0/30", "45.155.205.4/31", "45.155.205.6", "45.155.205.8/29", "45.155.205.16/28",
        "45.155.205.32/27", "45.155.205.64/26", "45.155.205.128/25",
    ]);
    assert_eq!(by.len(), 1);
    assert_eq!(
        by[0].to_string(),
        "allowed by [guard] allow entry 45.155.205.7"
    );
    assert_eq!(
        said(&guards, "45.155.205.0/24"),
        "carved into 8 around: allowed by [guard] allow entry 45.155.205.7"
    );
    assert!(!guards.covers(&ioc("45.155.205.0/24")));
}

#[test]
fn reserved_ranges_carve_and_several_guards_together_strike() {
    let guards = allowing(&["45.155.204.0/23", "45.155.206.0/24"]);
    let Judgement::Carved { pieces, by } = guards.judge(&ioc("198.51.100.0/23")) else {
        panic!("not carved");
    };
    assert_eq!(pieces.len(), 1);
    assert_eq!(pieces[0].indicator(), &ioc("198.51.101.0/24"));
    assert!(matches!(
        &*by[0].origin,
        Origin::Reserved {
            source: "RFC 5737",
            ..
        }
    ));

    let file = AllowFile {
        path: PathBuf::from("b.txt"),
        entries: vec![(1, ioc("45.155.205.0/24"))],
    };
    let allow = iocs(&["45.155.204.0/24"]);
    let guards = Guards::try_new(Material {
        allow,
        files: vec![file],
        ..bare()
    })
    .unwrap();
    assert_eq!(
        said(&guards, "45.155.204.0/23"),
        "allowed by [guard] allow entry 45.155.204.0/24; allowed by b.txt:1 (45.155.205.0/24)"
    );
}

#[test]
fn a_network_that_would_fall_into_more_pieces_than_the_bound_is_held() {
    let one = |at: u16| ioc(&format!("45.155.{}.{}", at >> 8, at & 0xff));
    let entries = (0..257).map(|at| one(at * 4)).collect();
    let sets = vec![GuardSet {
        entries,
        ..list(Matching::Exact, &[])
    }];
    let guards = Guards::try_new(Material { sets, ..bare() }).unwrap();
    assert!(
        matches!(guards.judge(&ioc("45.155.0.0/24")), Judgement::Carved { pieces, .. } if pieces.len() == 128)
    );
    assert_eq!(
        said(&guards, "45.155.0.0/16"),
        "carving it would leave more than 256 pieces around: guard list public-dns holds 45.155.0.0"
    );
}

#[test]
fn an_allowed_name_guards_what_is_below_it_and_holds_what_is_above() {
    let guards = allowing(&["mail.partner.co.uk"]);
    let allowed = "allowed by [guard] allow entry mail.partner.co.uk";
    assert_eq!(said(&guards, "mail.partner.co.uk"), allowed);
    assert_eq!(said(&guards, "a.b.MAIL.Partner.co.uk."), allowed);
    let held = format!("it would block mail.partner.co.uk below it: {allowed}");
    assert_eq!(said(&guards, "partner.co.uk"), held);
    for text in [
        "email.partner.co.uk",
        "www.partner.co.uk",
        "mail.partner.co.uk.ru",
    ] {
        assert!(is_cleared(&guards.judge(&ioc(text))), "{text}");
    }
}

#[test]
fn a_list_of_exact_names_lets_the_names_below_them_be_blocked() {
    let names = ["dropbox.com", "bücher.de"];
    let sets = vec![list(Matching::Exact, &names)];
    let guards = Guards::try_new(Material { sets, ..bare() }).unwrap();
    assert!(guards.covers(&ioc("dropbox.com")) && guards.covers(&ioc("xn--bcher-kva.de")));
    assert!(is_cleared(&guards.judge(&ioc("evil.dropbox.com"))));
    let sets = vec![list(Matching::Subdomains, &names)];
    let guards = Guards::try_new(Material { sets, ..bare() }).unwrap();
    assert!(guards.covers(&ioc("evil.dropbox.com")));
}

#[test]
fn our_own_ground_is_never_blocked() {
    let url = |text: &str| Url::parse(text).unwrap();
    let endpoint = OwnGround::endpoint(&name("prod"), &url("https://fw.partner.ch:8443/")).unwrap();
    let guards = Guards::try_new(Material {
        own_ground: vec![
            endpoint.resolved("45.155.205.7".parse().unwrap()),
            endpoint,
            OwnGround::endpoint(&name("lab"), &url("http://[2a00:1450::7]:80/")).unwrap(),
            OwnGround::endpoint(&name("sim"), &url("http://localhost:8080/")).unwrap(),
            OwnGround::feed(
                &name("de"),
                &url("https://lists.blocklist.de/lists/all.txt"),
            )
            .unwrap(),
            OwnGround::feed(&name("s3"), &url("https://s3.amazonaws.com/x/y.txt")).unwrap(),
            OwnGround::feed(&name("ip"), &url("https://45.155.205.9/y.txt")).unwrap(),
        ],
        ..bare()
    })
    .unwrap();
    assert_eq!(OwnGround::feed(&name("f"), &url("file:///srv/x.txt")), None);
    #[rustfmt::skip]
    let rows = [
        ("cfw.tencentcloudapi.com", "own ground: tencentcloudapi.com is the cloud's API"),
        ("cfw.intl.tencentcloudapi.com", "own ground: intl.tencentcloudapi.com is the cloud's API, international site"),
        ("tencentyun.com", "it would block metadata.tencentyun.com below it: \
            own ground: metadata.tencentyun.com is the cloud's metadata service"),
        ("1.1.1.1", "own ground: 1.1.1.1 is Cloudflare's public resolver"),
        ("8.8.8.8", "own ground: 8.8.8.8 is Google's public resolver"),
        ("9.9.9.9", "own ground: 9.9.9.9 is Quad9's public resolver"),
        ("119.29.29.29", "own ground: 119.29.29.29 is DNSPod's public resolver"),
        ("223.5.5.5", "own ground: 223.5.5.5 is Alibaba's public resolver"),
        ("114.114.114.114", "own ground: 114.114.114.114 is 114DNS's public resolver"),
        ("2001:4860:4860::8888", "own ground: 2001:4860:4860::8888 is Google's public resolver"),
        ("fw.partner.ch", "own ground: fw.partner.ch is the endpoint of firewall prod"),
        ("45.155.205.7", "own ground: 45.155.205.7 is an address of fw.partner.ch, the endpoint of firewall prod"),
        ("2a00:1450::7", "own ground: 2a00:1450::7 is the endpoint of firewall lab"),
        ("blocklist.de", "it would block lists.blocklist.de below it: \
            own ground: lists.blocklist.de is the host of feed de"),
        ("amazonaws.com", "it would block s3.amazonaws.com below it: \
            own ground: s3.amazonaws.com is the host of feed s3"),
        ("45.155.205.9", "own ground: 45.155.205.9 is the host of feed ip"),
    ];
    for (text, clause) in rows {
        assert_eq!(said(&guards, text), clause);
    }
    assert!(is_cleared(&guards.judge(&ioc("evil.s3.amazonaws.com"))));
    assert!(
        matches!(guards.judge(&ioc("8.8.8.0/24")), Judgement::Carved { pieces, .. } if pieces.len() == 8)
    );
}

#[test]
fn what_may_be_blocked_or_allowed_proves_nothing_for_the_other_list() {
    let guards = allowing(&["45.155.205.7"]);
    let Judgement::Cleared(block) = guards.judge(&ioc("45.155.205.8")) else {
        panic!("not cleared");
    };
    assert_eq!(block.list(), List::Block);
    assert_eq!(block.entry(Direction::In).list, List::Block);
    let Judgement::Cleared(allow) = guards.judge_allow(&ioc("45.155.205.7")) else {
        panic!("not cleared");
    };
    assert_eq!(allow.entry(Direction::Out).list, List::Allow);
    for text in ["10.1.2.3", "2002::1", "x.local"] {
        let judged = guards.judge_allow(&ioc(text));
        assert!(
            matches!(judged, Judgement::Struck(Strike::Guarded(_))),
            "{text}"
        );
    }
    assert!(matches!(
        guards.judge_allow(&ioc("0.0.0.0/0")),
        Judgement::Struck(Strike::TooWide(8))
    ));
}

#[test]
fn an_allow_entry_too_wide_to_be_meant_is_a_fault_of_the_config() {
    let file = AllowFile {
        path: PathBuf::from("/etc/feedwall/allow.d/office.txt"),
        entries: vec![(4, ioc("2a00::/12"))],
    };
    let faults = Guards::try_new(Material {
        allow: iocs(&["45.155.205.0/0", "45.0.0.0/8"]),
        files: vec![file],
        ..bare()
    })
    .unwrap_err();
    assert_eq!(
        faults.to_string(),
        "an allowlist that cannot be taken whole stops the start:\n  \
         [guard] allow: 0.0.0.0/0 is wider than /8, and allowing it would end most blocking; \
         write it narrower, or lower [guard] min_prefix\n  \
         /etc/feedwall/allow.d/office.txt:4: 2a00::/12 is wider than /16, and allowing it would end \
         most blocking; write it narrower, or lower [guard] min_prefix"
    );
}

#[test]
fn a_downloaded_entry_too_wide_to_be_meant_guards_nothing_and_is_shown() {
    let entries = ["0.0.0.0/0", "224.0.0.0/4", "::/0", "4.2.2.0/24"];
    let sets = vec![list(Matching::Exact, &entries)];
    let guards = Guards::try_new(Material { sets, ..bare() }).unwrap();
    let refused: Vec<String> = guards.refused().iter().map(ToString::to_string).collect();
    assert_eq!(
        refused,
        [
            "guard list public-dns holds 0.0.0.0/0",
            "guard list public-dns holds ::/0"
        ]
    );
    assert!(is_cleared(&guards.judge(&ioc("45.155.205.8"))));
    assert!(guards.covers(&ioc("4.2.2.1")));
}

#[test]
fn the_fingerprint_moves_with_what_is_guarded_and_not_with_its_order() {
    let print = |material| Guards::try_new(material).unwrap().fingerprint();
    let some = |texts: &[&str]| {
        let allow = iocs(texts);
        print(Material { allow, ..bare() })
    };
    let base = some(&["45.155.205.7", "partner.ch"]);
    assert_eq!(base, some(&["partner.ch", "45.155.205.7", "partner.ch"]));
    let file = |line| {
        let entries = vec![(line, ioc("partner.ch"))];
        let files = vec![AllowFile {
            path: "a.txt".into(),
            entries,
        }];
        print(Material { files, ..bare() })
    };
    assert_eq!(file(1), file(2));
    let set = |matching, kind| {
        let sets = vec![GuardSet {
            kind,
            ..list(matching, &["partner.ch"])
        }];
        print(Material { sets, ..bare() })
    };
    let min_prefix = MinPrefix { v4: 9, v6: 16 };
    let mut prints = vec![
        base,
        file(1),
        some(&[]),
        some(&["partner.ch"]),
        some(&["45.155.205.6/31", "partner.ch"]),
        print(Material {
            min_prefix,
            ..bare()
        }),
        print(Material {
            by_hand: iocs(&["partner.ch"]),
            ..bare()
        }),
        set(Matching::Exact, SetKind::List),
        set(Matching::Subdomains, SetKind::List),
        set(Matching::Exact, SetKind::Feed),
    ];
    let all = prints.len();
    prints.sort_unstable();
    prints.dedup();
    assert_eq!(prints.len(), all);
}

proptest! {
    /// In a small universe: a judgement agrees, address for address, with the plain list of guards.
    #[test]
    fn a_network_is_cleared_struck_or_carved_as_its_addresses_are(
        guards in prop::collection::vec((0u32..1024, 22u8..=32), 0..8),
        listed in (0u32..1024, 22u8..=32),
    ) {
        const BASE: u32 = 0x2d9b_cc00;
        let net = |(at, length): (u32, u8)| {
            let net = ipnet::Ipv4Net::new((BASE + at).into(), length).unwrap();
            Indicator::from_net(net.into())
        };
        let allow: Vec<Indicator> = guards.iter().copied().map(net).collect();
        let nets: Vec<IpNet> = allow.iter().map(|entry| entry.net().unwrap()).collect();
        let judge = Guards::try_new(Material { allow, ..bare() }).unwrap();
        let listed = net(listed);
        let span = match listed.net().unwrap() {
            IpNet::V4(four) => Span::of4(four),
            IpNet::V6(_) => unreachable!(),
        };
        let free = |at: &u32| !nets.iter().any(|net| net.contains(&std::net::IpAddr::V4((*at).into())));
        let expected: Vec<u32> = (span.first..=span.last).filter(free).collect();
        let judgement = judge.judge(&listed);
        let cleared = match &judgement {
            Judgement::Cleared(one) => std::slice::from_ref(one),
            Judgement::Carved { pieces, by } => {
                prop_assert!(by.len() == 1 && !pieces.is_empty());
                pieces
            }
            Judgement::Struck(Strike::Guarded(by)) => {
                prop_assert_eq!(by.len(), 1);
                &[]
            }
            other => panic!("{other:?}"),
        };
        let mut found = Vec::new();
        for piece in cleared {
            prop_assert!(is_cleared(&judge.judge(piece.indicator())));
            if let Some(IpNet::V4(four)) = piece.indicator().net() {
                let within = Span::of4(four);
                found.extend(within.first..=within.last);
            }
        }
        prop_assert_eq!(judge.covers(&listed), expected.is_empty());
        prop_assert_eq!(found, expected);
    }

    /// Cleared exactly where no guard covers the name and none lies below it.
    #[test]
    fn a_name_is_judged_as_the_plain_list_of_guards_says(
        allow in prop::collection::vec("([ab]\\.){0,3}[cd]\\.de", 0..6),
        exact in prop::collection::vec("([ab]\\.){0,3}[cd]\\.de", 0..6),
        name in "([ab]\\.){0,4}[cd]\\.de",
    ) {
        let texts = |names: &[String]| names.iter().map(|name| ioc(name)).collect::<Vec<_>>();
        let guards = Guards::try_new(Material {
            allow: texts(&allow),
            sets: vec![GuardSet { entries: texts(&exact), ..list(Matching::Exact, &[]) }],
            ..bare()
        }).unwrap();
        let below = |lower: &str, upper: &str| lower.ends_with(&format!(".{upper}"));
        let covered = exact.contains(&name)
            || allow.iter().any(|entry| *entry == name || below(&name, entry));
        let above = allow.iter().chain(&exact).any(|entry| below(entry, &name));
        let judgement = guards.judge(&ioc(&name));
        match judgement {
            Judgement::Struck(Strike::Guarded(_)) => prop_assert!(covered),
            Judgement::Held(Hold::AboveGuarded(_)) => prop_assert!(!covered && above),
            Judgement::Cleared(_) => prop_assert!(!covered && !above),
            other => panic!("{other:?}"),
        }
        prop_assert_eq!(guards.covers(&ioc(&name)), covered);
    }
}
