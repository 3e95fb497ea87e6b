//! One written token: an address, a network, a range, a host with its port, a URL or a domain.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr};

use ipnet::IpNet;

use super::range::Range;
use super::{Reason, Recipe, url};
use crate::model::{DomainName, Indicator, IndicatorError};

/// What a token stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Found {
    One(Indicator),
    Many(Range),
}

/// Reads one token, defanged or not. Nothing is taken out of the middle of it.
pub(super) fn read(recipe: &Recipe, token: &str) -> Result<Found, Reason> {
    let token = &*refang(token)?;
    if let Some((_, rest)) = url::split_scheme(token) {
        return url::host(recipe, rest).map(Found::One);
    }
    if let Some((head, tail)) = token.split_once('/') {
        return with_slash(recipe, token, head, tail).map(Found::One);
    }
    if let Some((start, end)) = token.split_once('-')
        && let Some(range) = range(recipe, start.trim_end(), end.trim_start())
    {
        return range.map(Found::Many);
    }
    without_slash(recipe, token).map(Found::One)
}

/// Reads `start-end`; `None` where it is no range but, perhaps, a name with a hyphen in it.
pub(super) fn range(recipe: &Recipe, start: &str, end: &str) -> Option<Result<Range, Reason>> {
    let start: IpAddr = start.parse().ok()?;
    let letters = end.bytes().any(|byte| byte.is_ascii_alphabetic());
    if start.is_ipv4() && letters && !end.contains(':') {
        return None;
    }
    let range = match end.parse() {
        Ok(end) => Range::try_new(start, end, recipe.min_prefix),
        Err(_) => Err(Reason::RangeEnds),
    };
    Some(range)
}

/// A range whose ends stand in two cells.
pub(super) fn ends(recipe: &Recipe, start: &str, end: &str) -> Result<Range, Reason> {
    Range::try_new(address(start)?, address(end)?, recipe.min_prefix)
}

/// A network whose length stands in another cell: `24`, `/24` or `255.255.255.0`.
pub(super) fn network(start: &str, length: &str) -> Result<Indicator, Reason> {
    let ip = address(start)?;
    let net = match length.parse::<Ipv4Addr>() {
        Ok(mask) if ip.is_ipv4() => {
            IpNet::with_netmask(ip, mask.into()).map_err(|_| Reason::Mask)?
        }
        Ok(_) => return Err(Reason::Mask),
        Err(_) => {
            let digits = length.strip_prefix('/').unwrap_or(length);
            let plain = digits.bytes().all(|byte| byte.is_ascii_digit());
            let length = digits.parse().ok().filter(|_| plain).ok_or(Reason::Mask)?;
            IpNet::new(ip, length).map_err(|_| Reason::Mask)?
        }
    };
    Ok(Indicator::from_net(net))
}

/// A network whose first and last address are said beside its length.
pub(super) fn block(start: &str, end: &str, length: &str) -> Result<Indicator, Reason> {
    let network = network(start, length)?;
    let said = (address(start)?.to_canonical(), address(end)?.to_canonical());
    let net = network.net();
    if net.map(|net| (net.network(), net.broadcast())) != Some(said) {
        return Err(Reason::Disagree);
    }
    Ok(network)
}

fn address(text: &str) -> Result<IpAddr, Reason> {
    Ok(text.parse().map_err(|_| IndicatorError::Address)?)
}

/// Whether `text` is an address, or was surely meant for one: three dots between digits, or two colons.
pub(super) fn looks_like_address(text: &str) -> bool {
    let dots = text.bytes().filter(|byte| *byte == b'.').count();
    let digits = text
        .bytes()
        .all(|byte| byte.is_ascii_digit() || byte == b'.');
    (digits && dots == 3 && !text.starts_with('.')) || text.parse::<IpAddr>().is_ok()
}

/// `address/length`, or a URL without its scheme.
fn with_slash(recipe: &Recipe, token: &str, head: &str, tail: &str) -> Result<Indicator, Reason> {
    if head.is_empty() {
        return Err(Reason::PathAlone);
    }
    let digits = tail.trim_start_matches(|sign: char| sign.is_ascii_digit());
    let number = digits.len() < tail.len() && digits.starts_with(['-', ':']);
    let letterless = tail
        .bytes()
        .all(|byte| byte.is_ascii_digit() || b"./:-".contains(&byte));
    match head.parse::<IpAddr>() {
        Ok(ip) if ip.is_ipv6() || number || letterless => Ok(Indicator::try_new(token)?),
        _ => url::host(recipe, token),
    }
}

fn without_slash(recipe: &Recipe, token: &str) -> Result<Indicator, Reason> {
    let colons = memchr::memchr_iter(b':', token.as_bytes()).take(2).count();
    if colons == 1 || token.starts_with('[') {
        return url::host(recipe, token);
    }
    if colons > 1 && token.contains('%') {
        return Err(Reason::ZoneId);
    }
    if token.contains('@') {
        return Err(Reason::Mail);
    }
    match token.strip_prefix("*.").or(token.strip_prefix('.')) {
        Some(below) => {
            let name = DomainName::try_new(below).map_err(IndicatorError::from)?;
            Ok(Indicator::Domain(name))
        }
        None => Ok(Indicator::try_new(token)?),
    }
}

/// Undoes what keeps people from clicking: `[.]`, `(dot)`, `[:]`, `[://]`. (`hxxp` needs nothing: any
/// scheme will do.)
///
/// # Errors
/// [`Reason::Mail`] for `[at]`.
fn refang(token: &str) -> Result<Cow<'_, str>, Reason> {
    let mut rest = token;
    let mut plain = String::new();
    while let Some(open) = memchr::memchr3(b'[', b'(', b'{', rest.as_bytes()) {
        let (meant, length) = match defanged(&rest[open..]) {
            Some(("@", _)) => return Err(Reason::Mail),
            Some(found) => found,
            None => (&rest[open..=open], 1),
        };
        plain.push_str(&rest[..open]);
        plain.push_str(meant);
        rest = &rest[open + length..];
    }
    if plain.is_empty() {
        return Ok(Cow::Borrowed(token));
    }
    plain.push_str(rest);
    Ok(Cow::Owned(plain))
}

/// What the brackets at the front of `text` stand for, and how long they are.
fn defanged(text: &str) -> Option<(&'static str, usize)> {
    const WORDS: [(&str, &str); 7] = [
        (".", "."),
        ("dot", "."),
        (":", ":"),
        ("://", "://"),
        ("/", "/"),
        ("at", "@"),
        ("@", "@"),
    ];
    let close = match text.as_bytes().first()? {
        b'[' => b']',
        b'(' => b')',
        _ => b'}',
    };
    WORDS.into_iter().find_map(|(word, meant)| {
        let inner = text.as_bytes().get(1..=word.len())?;
        let closed = text.as_bytes().get(word.len() + 1) == Some(&close);
        (closed && inner.eq_ignore_ascii_case(word.as_bytes())).then_some((meant, word.len() + 2))
    })
}

#[cfg(test)]
mod tests;
