//! Dotted quads read by hand: most lines of most feeds are one, and `std` is five times slower at it.

use std::net::Ipv4Addr;

/// The address at the front of `text`, and what follows it: four decimal octets, none with a leading zero
/// (which some programs read as octal), the last not followed by a further digit.
pub(crate) fn leading(text: &[u8]) -> Option<(Ipv4Addr, &[u8])> {
    let (mut value, mut rest) = octet(text)?;
    for _ in 0..3 {
        let (next, after) = octet(rest.strip_prefix(b".")?)?;
        value = value << 8 | next;
        rest = after;
    }
    Some((Ipv4Addr::from_bits(value), rest))
}

#[inline]
fn octet(text: &[u8]) -> Option<(u32, &[u8])> {
    let (mut value, mut rest) = digit(text)?;
    if value == 0 {
        return digit(rest).is_none().then_some((0, rest));
    }
    while let Some((next, after)) = digit(rest) {
        value = value * 10 + next;
        rest = after;
        if value > 255 {
            return None;
        }
    }
    Some((value, rest))
}

#[inline]
fn digit(text: &[u8]) -> Option<(u32, &[u8])> {
    match text {
        [byte @ b'0'..=b'9', rest @ ..] => Some((u32::from(byte - b'0'), rest)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_follows_is_given_back() {
        let (ip, rest) = leading(b"192.0.2.7:80").unwrap();
        assert_eq!((ip.to_string().as_str(), rest), ("192.0.2.7", &b":80"[..]));
        for bad in [
            "",
            "1.2.3",
            "1.2.3.",
            "01.2.3.4",
            "1.2.3.04",
            "1.2.3.256",
            "1.2.3.1000",
            "1..2.3",
        ] {
            assert_eq!(leading(bad.as_bytes()), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn it_agrees_with_std(text in "[0-9]{1,4}(\\.[0-9]{1,4}){2,4}") {
            let whole = leading(text.as_bytes()).filter(|(_, rest)| rest.is_empty());
            prop_assert_eq!(whole.map(|(ip, _)| ip), text.parse().ok());
        }
    }
}
