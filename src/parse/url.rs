//! From a URL to the host that it stands for, if it stands for one.

use super::{Reason, Recipe, Urls, shared};
use crate::model::{Indicator, IndicatorError};

/// Splits `scheme://rest` (RFC 3986 §3.1), whatever the scheme.
pub(super) fn split_scheme(text: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = text.split_once("://")?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
    let first = scheme.as_bytes().first()?;
    (first.is_ascii_alphabetic() && scheme.bytes().all(plain)).then_some((scheme, rest))
}

/// The host of a URL without its scheme: `user:password@host:port/path?query#fragment`.
///
/// An address always stands for itself. A name does where the URL holds nothing else (a lone `/` is
/// nothing) or the recipe says so, and never where strangers share it.
pub(super) fn host(recipe: &Recipe, text: &str) -> Result<Indicator, Reason> {
    if text.contains('\\') {
        return Err(Reason::Backslash);
    }
    let end = text.find(['/', '?', '#']).unwrap_or(text.len());
    let (authority, page) = text.split_at(end);
    let authority = authority
        .rsplit_once('@')
        .map_or(authority, |(_, host)| host);
    let host = host_and_port(authority)?;
    if let Indicator::Domain(name) = &host {
        if shared::is_shared(name) {
            return Err(Reason::SharedHost);
        }
        if recipe.urls == Urls::Reject && !matches!(page, "" | "/") {
            return Err(Reason::Page);
        }
    }
    Ok(host)
}

/// `host`, `host:port`, `[v6]` or `[v6]:port`.
fn host_and_port(text: &str) -> Result<Indicator, Reason> {
    if let Some(rest) = text.strip_prefix('[') {
        let (inner, after) = rest.split_once(']').ok_or(IndicatorError::Address)?;
        if inner.contains('%') {
            return Err(Reason::ZoneId);
        }
        let six: std::net::Ipv6Addr = inner.parse().map_err(|_| IndicatorError::Address)?;
        if !after.is_empty() {
            port(after.strip_prefix(':').ok_or(IndicatorError::Address)?)?;
        }
        return Ok(Indicator::from_ip(six.into()));
    }
    let (name, digits) = match text.split_once(':') {
        Some((name, digits)) => (name, Some(digits)),
        None => (text, None),
    };
    if name.is_empty() {
        return Err(Reason::NoHost);
    }
    let host = Indicator::try_new(name)?;
    digits.map_or(Ok(0), port)?;
    Ok(host)
}

/// The number of a port.
pub(super) fn port(digits: &str) -> Result<u16, Reason> {
    let plain = digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|_| plain).ok_or(Reason::Port)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::Format;

    fn read(urls: Urls, text: &str) -> Result<String, Reason> {
        let recipe = Recipe {
            urls,
            ..Recipe::new(Format::Text)
        };
        let (_, rest) = split_scheme(text).expect("a scheme");
        host(&recipe, rest).map(|host| host.to_string())
    }

    #[test]
    fn a_url_that_is_its_host() {
        let same = [
            ("http://192.0.2.7/bins/x86", "192.0.2.7"),
            ("ftp://user:pass@192.0.2.7:2121/a,b;c", "192.0.2.7"),
            ("tcp://192.0.2.7:4444", "192.0.2.7"),
            ("http://[2001:db8::1]:8080/a", "2001:db8::1"),
            ("http://[::ffff:192.0.2.7]/", "192.0.2.7"),
            ("https://Example.COM", "example.com"),
            ("https://example.com/", "example.com"),
            ("https://example.com:8443/", "example.com"),
            ("https://a@b@example.com", "example.com"),
            ("http://tenant.github.io/", "tenant.github.io"),
        ];
        for (written, canonical) in same {
            assert_eq!(
                read(Urls::Reject, written).as_deref(),
                Ok(canonical),
                "{written}"
            );
            assert_eq!(
                read(Urls::Host, written).as_deref(),
                Ok(canonical),
                "{written}"
            );
        }
    }

    #[test]
    fn a_page_counts_as_its_host_only_when_asked() {
        for page in [
            "https://example.com/a",
            "https://example.com//",
            "https://example.com?a",
            "https://example.com/#/a",
        ] {
            assert_eq!(read(Urls::Reject, page), Err(Reason::Page), "{page}");
            assert_eq!(
                read(Urls::Host, page).as_deref(),
                Ok("example.com"),
                "{page}"
            );
        }
    }

    #[test]
    fn a_shared_host_never_counts() {
        for page in [
            "https://github.com/a",
            "https://github.com",
            "http://raw.githubusercontent.com/a/b",
            "https://a.b.dropbox.com/x",
        ] {
            assert_eq!(read(Urls::Reject, page), Err(Reason::SharedHost), "{page}");
            assert_eq!(read(Urls::Host, page), Err(Reason::SharedHost), "{page}");
        }
    }

    #[test]
    fn a_host_is_never_guessed() {
        let bad = [
            ("http://", Reason::NoHost),
            ("file:///etc/passwd", Reason::NoHost),
            ("http://:80/", Reason::NoHost),
            ("http://example.com:80a/", Reason::Port),
            ("http://example.com:65536/", Reason::Port),
            ("http://example.com:/", Reason::Port),
            ("http://example.com:+80/", Reason::Port),
            ("http://example.com\\@192.0.2.7/", Reason::Backslash),
            ("http://[fe80::1%25eth0]/", Reason::ZoneId),
            ("http://[192.0.2.7]/", IndicatorError::Address.into()),
            ("http://[::1", IndicatorError::Address.into()),
            ("http://[::1]x/", IndicatorError::Address.into()),
            ("http://2001:db8::1/", IndicatorError::Address.into()),
            ("http://1.2.3/", IndicatorError::Address.into()),
        ];
        for (written, reason) in bad {
            assert_eq!(read(Urls::Host, written), Err(reason), "{written}");
        }
    }
}
