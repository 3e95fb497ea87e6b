//! URLs: which may be fetched, which may be called, and whether their hosts are our own ground.

use std::net::IpAddr;
use std::path::PathBuf;

use url::{Host, Url};

use crate::fetch;

use super::section::{Item, Problems};
use super::sent::names_a_key;
use super::value::{shown, text, wrong};

/// Where a URL's host stands, as far as the URL itself says. Names are resolved, and judged, by those who connect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ground {
    /// A public address, or a name.
    Public,
    /// This machine.
    Loopback,
    /// A private network (RFC 1918, RFC 4193) or a carrier's shared one (RFC 6598).
    Private,
    /// Link-local (cloud metadata stands there), unspecified, multicast or broadcast: nothing to fetch from.
    Nowhere,
}

/// What stands in a `url` where `url_key` is put in at each fetch.
pub(super) const KEY_PLACE: &str = "{key}";
/// The same in the path of a URL that has been read.
const KEY_PLACE_READ: &str = "%7Bkey%7D";

/// Where a feed's `url` leads.
#[derive(Debug)]
pub(super) enum Address {
    Web(Url),
    File(PathBuf),
}

/// A feed's `url`. No message repeats it: it may hold a password.
pub(super) fn feed_url(item: &Item<'_>) -> Result<Address, Problems> {
    let url = parsed(item)?;
    match url.scheme() {
        "http" | "https" => {}
        "file" => return file(&url),
        other => {
            return wrong(format!(
                "{} URLs cannot be fetched; http, https and file can",
                shown(other)
            ));
        }
    }
    without_user(
        &url,
        "a URL is shown in logs and in `status`, so it may not hold a user name or password; write them as `auth`",
    )?;
    let mut names = url.query_pairs().map(|(name, _)| name);
    if let Some(name) = names.find(|name| names_a_key(name)) {
        let name = shown(&name);
        return wrong(format!(
            "a URL is shown in logs and in `status`, so it may not hold a key, and the parameter {name} looks like one; take it out of the URL, and write `query = {{ {name} = {{ file = \"/path\" }} }}`"
        ));
    }
    Ok(Address::Web(url))
}

/// Whether a part of the URL looks like a key. Where commits are named, their hashes do.
pub(super) fn seems_keyed(url: &Url) -> bool {
    if url.host_str() == Some("raw.githubusercontent.com") {
        return false;
    }
    let parts = url.path_segments().into_iter().flatten();
    let query = url
        .query_pairs()
        .flat_map(|(name, value)| [name.into_owned(), value.into_owned()])
        .collect::<Vec<_>>();
    parts
        .flat_map(|segment| segment.split('.'))
        .chain(query.iter().map(String::as_str))
        .any(fetch::looks_like_a_key)
}

/// Whether a key is to be put into the URL's path.
pub(super) fn has_key_place(url: &Url) -> bool {
    url.path().contains(KEY_PLACE_READ)
}

/// A URL as the config writes it.
pub(super) fn url_text(url: &Url) -> String {
    if has_key_place(url) {
        url.as_str().replace(KEY_PLACE_READ, KEY_PLACE)
    } else {
        url.as_str().to_owned()
    }
}

/// A feed's `proxy`.
pub(super) fn proxy(item: &Item<'_>) -> Result<Option<Url>, Problems> {
    if item.get_ref().as_str() == Some("off") {
        return Ok(None);
    }
    let url = parsed(item)?;
    if !matches!(url.scheme(), "http" | "https") {
        return wrong("takes http://HOST:PORT, https://HOST:PORT or \"off\"");
    }
    without_user(
        &url,
        "a URL is shown in logs and in `status`, so it may not hold a user name or password; a proxy that wants them cannot be used",
    )?;
    if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
        return wrong("takes scheme, host and port of the proxy alone");
    }
    Ok(Some(url))
}

/// A firewall's `endpoint`: scheme, host and port.
pub(super) fn endpoint(item: &Item<'_>) -> Result<Url, Problems> {
    let url = parsed(item)?;
    if !matches!(url.scheme(), "http" | "https") {
        return wrong("takes an https URL");
    }
    without_user(
        &url,
        "holds a user name or password, which the API has no use for; the keys' place is `credentials`",
    )?;
    if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
        return wrong("takes scheme, host and port alone: the API's path is always `/`");
    }
    match (url.scheme(), ground(&url)) {
        (_, Ground::Nowhere) => wrong("no API can stand at this address"),
        ("http", ground) if ground != Ground::Loopback => wrong(
            "a plain http endpoint would send signed requests readable by anyone; use https, or a loopback address",
        ),
        _ => Ok(url),
    }
}

/// Judges the host of a URL by itself.
pub(super) fn ground(url: &Url) -> Ground {
    match url.host() {
        Some(Host::Ipv4(four)) => ground_of(four.into()),
        Some(Host::Ipv6(six)) => ground_of(IpAddr::V6(six).to_canonical()),
        // RFC 6761 §6.3
        Some(Host::Domain(name)) if is_localhost(name) => Ground::Loopback,
        Some(Host::Domain(_)) => Ground::Public,
        None => Ground::Nowhere,
    }
}

fn ground_of(ip: IpAddr) -> Ground {
    let shared = |octets: [u8; 4]| octets[0] == 100 && octets[1] & 0xc0 == 64;
    match ip {
        _ if ip.is_loopback() => Ground::Loopback,
        _ if ip.is_unspecified() || ip.is_multicast() => Ground::Nowhere,
        IpAddr::V4(four) if four.is_link_local() || four.is_broadcast() => Ground::Nowhere,
        IpAddr::V6(six) if six.is_unicast_link_local() => Ground::Nowhere,
        IpAddr::V4(four) if four.is_private() || shared(four.octets()) => Ground::Private,
        IpAddr::V6(six) if six.is_unique_local() => Ground::Private,
        _ => Ground::Public,
    }
}

fn is_localhost(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    name == "localhost" || name.ends_with(".localhost")
}

fn parsed(item: &Item<'_>) -> Result<Url, Problems> {
    let written = text(item, "a URL in quotes")?;
    Url::parse(written).or_else(|error| match error {
        url::ParseError::RelativeUrlWithoutBase => {
            wrong("is no URL: it does not begin with a scheme such as https://")
        }
        error => wrong(format!("is no URL: {error}")),
    })
}

fn file(url: &Url) -> Result<Address, Problems> {
    let path = url.to_file_path().ok();
    match path.filter(|path| path.to_str().is_some()) {
        Some(path) => Ok(Address::File(path)),
        None => wrong("a file URL names a file on this machine: file:///, then its path in UTF-8"),
    }
}

fn without_user(url: &Url, message: &str) -> Result<(), Problems> {
    if url.username().is_empty() && url.password().is_none() {
        return Ok(());
    }
    wrong(message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_judged_however_they_are_written() {
        for (host, expected) in [
            ("feeds.example.net", Ground::Public),
            ("192.0.2.1", Ground::Public),
            ("100.63.255.255", Ground::Public),
            ("[2001:db8::1]", Ground::Public),
            ("127.0.0.1", Ground::Loopback),
            ("0x7f.1", Ground::Loopback),
            ("2130706433", Ground::Loopback),
            ("[::1]", Ground::Loopback),
            ("[::ffff:127.0.0.1]", Ground::Loopback),
            ("LOCALHOST", Ground::Loopback),
            ("sim.localhost.", Ground::Loopback),
            ("10.1.2.3", Ground::Private),
            ("172.31.0.1", Ground::Private),
            ("192.168.0.1", Ground::Private),
            ("100.64.0.1", Ground::Private),
            ("[fd00::1]", Ground::Private),
            ("[::ffff:10.0.0.1]", Ground::Private),
            ("0.0.0.0", Ground::Nowhere),
            ("169.254.169.254", Ground::Nowhere),
            ("224.0.0.1", Ground::Nowhere),
            ("255.255.255.255", Ground::Nowhere),
            ("[::]", Ground::Nowhere),
            ("[fe80::1]", Ground::Nowhere),
            ("[ff02::1]", Ground::Nowhere),
        ] {
            let url = Url::parse(&format!("http://{host}/")).unwrap();
            assert_eq!(ground(&url), expected, "{host}");
        }
    }
}
