//! URLs: which may be fetched, which may be called, and whether their hosts are our own ground.

use std::net::IpAddr;

use url::{Host, Url};

use crate::fetch::Source;

use super::section::{Item, Problems};
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

/// Parameters that publishers use for keys. A URL is shown in many places, so it may not hold one.
const SECRET_PARAMETERS: [&str; 14] = [
    "access_token",
    "api-key",
    "api_key",
    "apikey",
    "auth",
    "auth-key",
    "auth_key",
    "authkey",
    "key",
    "password",
    "secret",
    "sig",
    "signature",
    "token",
];

/// A feed's `url`. No message repeats it: it may hold a password.
pub(super) fn feed_url(item: &Item<'_>) -> Result<Source, Problems> {
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
        "a URL is shown in logs and in `status`, so it may not hold a user name or password; fetch this feed into a file by other means, and name the file with `path`",
    )?;
    let secret = url.query_pairs().find_map(|(name, _)| {
        let name = name.to_lowercase();
        SECRET_PARAMETERS
            .contains(&name.as_str())
            .then(|| name.clone())
    });
    if let Some(name) = secret {
        return wrong(format!(
            "a URL is shown in logs and in `status`, so it may not hold a key, and the parameter `{name}` looks like one; fetch this feed into a file by other means, and name the file with `path`"
        ));
    }
    Ok(Source::Http(Box::new(url.into())))
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

fn file(url: &Url) -> Result<Source, Problems> {
    let path = url.to_file_path().ok();
    match path.filter(|path| path.to_str().is_some()) {
        Some(path) => Ok(Source::File(path)),
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
