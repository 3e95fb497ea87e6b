use super::*;
use crate::model::{DomainError, IndicatorError};
use crate::parse::Format;

fn texts(token: &str) -> Result<Vec<String>, Reason> {
    let found = read(&Recipe::new(Format::Text), token)?;
    Ok(match found {
        Found::One(indicator) => vec![indicator.to_string()],
        Found::Many(range) => range.indicators().map(|one| one.to_string()).collect(),
    })
}

#[test]
fn every_way_to_write_an_indicator() {
    let same = [
        ("192.0.2.7", "192.0.2.7"),
        ("192.0.2.7:443", "192.0.2.7"),
        ("192.0.2.7:0", "192.0.2.7"),
        ("[2001:db8::1]:443", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("2001:DB8::1", "2001:db8::1"),
        ("[2001:db8::1]:80/bot.sh", "2001:db8::1"),
        ("192.0.2.7:8080/bot.sh", "192.0.2.7"),
        ("192.0.2.7/bins/x86", "192.0.2.7"),
        ("192.0.2.7/1.sh", "192.0.2.7"),
        ("192.0.2.0/24", "192.0.2.0/24"),
        ("2001:db8::/32", "2001:db8::/32"),
        ("192.0.2.0-192.0.2.255", "192.0.2.0/24"),
        ("192.0.2.0 - 192.0.2.255", "192.0.2.0/24"),
        ("2001:db8::-2001:db8::f", "2001:db8::/124"),
        ("::ffff:192.0.2.0-192.0.2.1", "192.0.2.0/31"),
        ("Example.com.", "example.com"),
        ("www.example.com", "www.example.com"),
        ("example.com:8443", "example.com"),
        ("example.com/", "example.com"),
        ("*.example.com", "example.com"),
        (".example.com", "example.com"),
        (
            "192-0-2-7.static.example.com",
            "192-0-2-7.static.example.com",
        ),
        (
            "192.0.2.7-static.example.com",
            "192.0.2.7-static.example.com",
        ),
        ("hxxp://example[.]com", "example.com"),
        ("hXXps[:]//example(.)com/", "example.com"),
        ("hxxp[://]192[.]0[.]2[.]7/x.exe", "192.0.2.7"),
        ("evil[dot]example{.}com", "evil.example.com"),
        ("evil(DOT)example[.]com", "evil.example.com"),
        ("2001[:]db8[:]0[:]0[:]0[:]0[:]0[:]1", "2001:db8::1"),
        ("192.0.2[.]7[:]443", "192.0.2.7"),
    ];
    for (written, canonical) in same {
        assert_eq!(texts(written), Ok(vec![canonical.to_owned()]), "{written}");
    }
}

#[test]
fn nothing_is_picked_out_of_a_broken_token() {
    let address: Reason = IndicatorError::Address.into();
    let length: Reason = IndicatorError::PrefixLength(32).into();
    let character: Reason = IndicatorError::Domain(DomainError::Character).into();
    let numeric: Reason = IndicatorError::Domain(DomainError::Numeric).into();
    let bad = [
        ("1.2.3", address),
        ("010.1.1.1", address),
        ("1.2.3.4.5", address),
        ("1.2.3.256", address),
        ("1[.]2.3.4[.]5", address),
        ("1:2:3", address),
        (
            "0x01020304",
            IndicatorError::Domain(DomainError::Numeric).into(),
        ),
        ("1.2.3.4:99999", Reason::Port),
        ("1.2.3.4:", Reason::Port),
        ("1.2.3.4:http", Reason::Port),
        ("1.2.3.4:80:90", address),
        ("1.2.3.4/", length),
        ("1.2.3.4/33", length),
        ("1.2.3.4/24/", length),
        ("1.2.3.4/24:80", length),
        ("1.2.3.4/255.255.255.0", length),
        ("1.2.3.0/24-1.2.4.0/24", length),
        ("1.2.3.0/24-2001:db8::", length),
        ("2001:db8::/x", IndicatorError::PrefixLength(128).into()),
        ("1.2.3.4-10", Reason::RangeEnds),
        ("1.2.3.4-1.2.3.400", Reason::RangeEnds),
        ("1.2.3.4-1.2.3.9-1.2.3.12", Reason::RangeEnds),
        ("1.2.3.4-2001:db8::", Reason::RangeEnds),
        ("2001:db8::-x", Reason::RangeEnds),
        ("1.2.3.9-1.2.3.4", Reason::RangeOrder),
        ("1.0.0.0-3.0.0.0", Reason::RangeWidth(8)),
        ("1.2.3.4-", Reason::RangeEnds),
        ("-1.2.3.4", character),
        ("fe80::1%eth0", Reason::ZoneId),
        ("[fe80::1%eth0]:80", Reason::ZoneId),
        ("[2001:db8::1", address),
        ("[1.2.3.4]", address),
        ("*.1.2.3.4", numeric),
        (".1.2.3.4", numeric),
        ("*.*.example.com", character),
        (
            "*.com",
            IndicatorError::Domain(DomainError::SingleLabel).into(),
        ),
        (
            "*.co.uk",
            IndicatorError::Domain(DomainError::PublicSuffix).into(),
        ),
        ("*", character),
        ("evil[.com", character),
        ("evil[.)com", character),
        ("user[at]example[.]com", Reason::Mail),
        ("user@example.com", Reason::Mail),
        ("/busybotnet", Reason::PathAlone),
        ("example.com/a", Reason::Page),
        ("github.com:443", Reason::SharedHost),
        ("github.com/", Reason::SharedHost),
        ("||example.com^", character),
        ("\"1.2.3.4\"", character),
        ("", IndicatorError::Empty.into()),
    ];
    for (written, reason) in bad {
        assert_eq!(texts(written), Err(reason), "{written}");
    }
}
