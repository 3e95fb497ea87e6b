use proptest::prelude::*;

use super::*;

#[test]
fn one_name_has_one_form() {
    let same = [
        ("example.com", "example.com"),
        ("EXAMPLE.Com.", "example.com"),
        ("www.example.com", "www.example.com"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("BÜCHER.example", "xn--bcher-kva.example"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("XN--BCHER-KVA.EXAMPLE", "xn--bcher-kva.example"),
        ("example。com", "example.com"),
        ("exa\u{ad}mple.com", "example.com"),
        ("_dmarc.example.com", "_dmarc.example.com"),
        ("r3---sn.example.com", "r3---sn.example.com"),
        ("evil.duckdns.org", "evil.duckdns.org"),
        ("hidden.onion", "hidden.onion"),
        ("www.ck", "www.ck"),
    ];
    for (written, canonical) in same {
        let name = DomainName::try_new(written);
        assert_eq!(
            name.as_ref().map(DomainName::as_str),
            Ok(canonical),
            "{written}"
        );
    }
}

#[test]
fn each_broken_rule_is_named() {
    let long = format!("{}.com", "a".repeat(64));
    let longer = format!("{}com", "abcdefg.".repeat(32));
    let bad = [
        ("", DomainError::Empty),
        (".", DomainError::Empty),
        ("example..com", DomainError::Length),
        ("example.com..", DomainError::Length),
        ("example.com。.", DomainError::Length),
        ("a.\u{ad}.com", DomainError::Length),
        (".example.com", DomainError::Length),
        (&long, DomainError::Length),
        (&longer, DomainError::Length),
        ("exa mple.com", DomainError::Character),
        ("-a.com", DomainError::Character),
        ("a-.com", DomainError::Character),
        ("a@b.com", DomainError::Character),
        ("*.example.com", DomainError::Character),
        ("a\u{1b}[2J.com", DomainError::Character),
        ("xn--a.com", DomainError::Idna),
        ("localhost", DomainError::SingleLabel),
        ("com", DomainError::SingleLabel),
        ("1.2.3.4", DomainError::Numeric),
        ("1.2.3.4.", DomainError::Numeric),
        ("１.２.３.４", DomainError::Numeric),
        ("010.1.1.1", DomainError::Numeric),
        ("3232235521", DomainError::Numeric),
        ("0x7f000001", DomainError::Numeric),
        ("example.0x7F", DomainError::Numeric),
        ("co.uk", DomainError::PublicSuffix),
        ("CO.UK.", DomainError::PublicSuffix),
        ("github.io", DomainError::PublicSuffix),
        ("foo.ck", DomainError::PublicSuffix),
        ("compute.amazonaws.com", DomainError::PublicSuffix),
        ("kawasaki.jp", DomainError::PublicSuffix),
    ];
    for (written, error) in bad {
        assert_eq!(DomainName::try_new(written), Err(error), "{written:?}");
    }
}

#[test]
fn suffixes_that_the_list_knows() {
    let suffix = |name: &str| {
        DomainName::try_new(name)
            .unwrap()
            .known_suffix()
            .map(str::to_owned)
    };
    assert_eq!(suffix("a.example.co.uk").as_deref(), Some("co.uk"));
    assert_eq!(suffix("tenant.github.io").as_deref(), Some("github.io"));
    assert_eq!(suffix("setup.exe"), None);
}

proptest! {
    #[test]
    fn normalizing_twice_changes_nothing(text in "\\PC{0,40}") {
        if let Ok(name) = DomainName::try_new(&text) {
            prop_assert_eq!(DomainName::try_new(name.as_str()), Ok(name.clone()));
            prop_assert_eq!(DomainName::from_canonical(name.as_str()), Ok(name));
        }
    }

    #[test]
    fn case_and_the_root_dot_do_not_matter(text in "[a-zA-Z0-9_äßЖ中-]{1,12}(\\.[a-zA-Z0-9Öλ-]{1,8}){1,3}") {
        let name = DomainName::try_new(&text);
        prop_assert_eq!(&name, &DomainName::try_new(&format!("{text}.")));
        prop_assert_eq!(&name, &DomainName::try_new(&text.to_ascii_uppercase()));
    }

    /// The plain names that never reach `idna` would come out of it unchanged.
    #[test]
    fn the_short_way_gives_what_idna_gives(text in "[a-z0-9_.-]{1,30}") {
        let long = idna::domain_to_ascii_cow(text.as_bytes(), AsciiDenyList::EMPTY);
        if let (Ok(short), Ok(long)) = (to_ascii(&text), long) {
            prop_assert_eq!(short, long);
        }
    }
}
