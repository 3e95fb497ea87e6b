//! The desired set in other programs' formats. Each begins with a comment that says when and from what; what
//! a format cannot hold is counted there, and never dropped in silence.

use std::fmt::Write as _;
use std::net::IpAddr;

use ipnet::IpNet;
use serde_json::json;

use crate::model::{Class, Directions, Indicator, UnixTime};

/// An indicator that should be blocked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// What.
    pub indicator: Indicator,
    /// In which directions.
    pub directions: Directions,
    /// Millionths.
    pub score: u32,
    /// When the first of its listings began.
    pub first_listed: UnixTime,
    /// When the last of its listings ends.
    pub expires: UnixTime,
}

/// One indicator a line.
#[must_use]
pub fn text(listed: &[Listed], from: &str) -> String {
    let mut out = format!("# {from}\n");
    for one in listed {
        let _ = writeln!(out, "{}", one.indicator);
    }
    out
}

/// RFC 4180, after a comment line.
///
/// # Errors
/// When a row cannot be written; a row of ours always can.
pub fn csv(listed: &[Listed], from: &str) -> anyhow::Result<String> {
    let mut out = format!("# {from}\nindicator,class,directions,score,first_listed,expires\n");
    for one in listed {
        // Nothing in a row needs quotes: indicators hold neither commas nor quotes.
        writeln!(
            out,
            "{},{},{},{},{},{}",
            one.indicator,
            one.indicator.class(),
            directions(one.directions),
            score(one.score),
            one.first_listed,
            one.expires
        )?;
    }
    Ok(out)
}

/// `{"from": …, "indicators": […]}`
///
/// # Errors
/// When it cannot be written; what is ours always can.
pub fn json(listed: &[Listed], from: &str) -> anyhow::Result<String> {
    let rows: Vec<_> = listed
        .iter()
        .map(|one| {
            json!({
                "indicator": one.indicator, "class": one.indicator.class(),
                "directions": one.directions.iter().collect::<Vec<_>>(),
                "score": f64::from(one.score) / 1e6,
                "first_listed": one.first_listed, "expires": one.expires,
            })
        })
        .collect();
    Ok(serde_json::to_string_pretty(
        &json!({ "from": from, "indicators": rows }),
    )?)
}

/// A hosts file. It cannot hold addresses, and blocks a name without the names below it.
#[must_use]
pub fn hosts(listed: &[Listed], from: &str) -> String {
    let (domains, others) = split(listed, |one| one.indicator.class() == Class::Domain);
    let mut out = format!("# {from}\n");
    left(&mut out, "#", &others, "are no names");
    for one in domains {
        let _ = writeln!(out, "0.0.0.0 {}", one.indicator);
    }
    out
}

/// A response policy zone (draft-vixie-dnsop-dns-rpz): names, the names below them, and addresses in answers.
#[must_use]
pub fn rpz(listed: &[Listed], from: &str, now: UnixTime) -> String {
    let mut out = format!(
        "; {from}\n$TTL 300\n@ SOA localhost. root.localhost. {} 3600 600 86400 300\n@ NS localhost.\n",
        now.seconds()
    );
    for one in listed {
        let _ = match &one.indicator {
            Indicator::Domain(name) => writeln!(out, "{name} CNAME .\n*.{name} CNAME ."),
            _ => match one.indicator.net() {
                Some(net) => writeln!(out, "{} CNAME .", rpz_ip(net)),
                None => Ok(()),
            },
        };
    }
    out
}

/// Two sets with intervals, to be included in a table: `include "feedwall.nft"`.
#[must_use]
pub fn nftables(listed: &[Listed], from: &str) -> String {
    let (nets, domains) = split(listed, |one| one.indicator.net().is_some());
    let mut out = format!("# {from}\n");
    left(&mut out, "#", &domains, "are domains");
    for (name, kind, four) in [
        ("feedwall4", "ipv4_addr", true),
        ("feedwall6", "ipv6_addr", false),
    ] {
        let members: Vec<String> = nets
            .iter()
            .filter(|one| {
                one.indicator
                    .net()
                    .is_some_and(|net| net.addr().is_ipv4() == four)
            })
            .map(|one| format!("\t\t{}", one.indicator))
            .collect();
        let _ = writeln!(
            out,
            "set {name} {{\n\ttype {kind}\n\tflags interval\n\tauto-merge"
        );
        if !members.is_empty() {
            let _ = writeln!(out, "\telements = {{\n{}\n\t}}", members.join(",\n"));
        }
        out.push_str("}\n");
    }
    out
}

fn split(listed: &[Listed], fits: impl Fn(&Listed) -> bool) -> (Vec<&Listed>, Vec<&Listed>) {
    listed.iter().partition(|one| fits(one))
}

fn left(out: &mut String, comment: &str, others: &[&Listed], why: &str) {
    if !others.is_empty() {
        let _ = writeln!(out, "{comment} not in here: {} that {why}", others.len());
    }
}

/// `24.0.205.155.45.rpz-ip`; IPv6 in words from the end, the longest run of zeros as `zz`.
fn rpz_ip(net: IpNet) -> String {
    let length = net.prefix_len();
    match net.addr() {
        IpAddr::V4(four) => {
            let [a, b, c, d] = four.octets();
            format!("{length}.{d}.{c}.{b}.{a}.rpz-ip")
        }
        IpAddr::V6(six) => {
            let text = six.to_string();
            let reversed = match text.split_once("::") {
                Some((head, tail)) => compressed(head, tail),
                None => text.rsplit(':').collect::<Vec<_>>().join("."),
            };
            format!("{length}.{reversed}.rpz-ip")
        }
    }
}

/// The two sides of `::` turned round, with `zz` between them.
fn compressed(head: &str, tail: &str) -> String {
    let turned = |side: &str| -> Vec<String> {
        side.split(':')
            .rev()
            .filter(|word| !word.is_empty())
            .map(str::to_owned)
            .collect()
    };
    let mut words = turned(tail);
    words.push("zz".to_owned());
    words.extend(turned(head));
    words.join(".")
}

fn directions(directions: Directions) -> String {
    let words: Vec<&str> = directions.iter().map(|one| one.as_str()).collect();
    words.join("+")
}

fn score(millionths: u32) -> String {
    format!("{:.3}", f64::from(millionths) / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed() -> Vec<Listed> {
        [
            "45.155.205.7",
            "45.155.206.0/24",
            "2a00:1450::7",
            "2a00:1450:1::/48",
            "bad.badhost.com",
        ]
        .map(|text| Listed {
            indicator: Indicator::try_new(text).unwrap(),
            directions: Directions::BOTH,
            score: 840_000,
            first_listed: UnixTime::from_seconds(1_800_000_000),
            expires: UnixTime::from_seconds(1_800_600_000),
        })
        .into()
    }

    #[test]
    fn each_format_says_where_it_is_from_and_what_it_cannot_hold() {
        let from = "from a test";
        insta::assert_snapshot!(text(&listed(), from), @r"
        # from a test
        45.155.205.7
        45.155.206.0/24
        2a00:1450::7
        2a00:1450:1::/48
        bad.badhost.com
        ");
        insta::assert_snapshot!(csv(&listed()[..1], from).unwrap(), @r"
        # from a test
        indicator,class,directions,score,first_listed,expires
        45.155.205.7,ipv4,out+in,0.840,2027-01-15T08:00:00Z,2027-01-22T06:40:00Z
        ");
        insta::assert_snapshot!(hosts(&listed(), from), @r"
        # from a test
        # not in here: 4 that are no names
        0.0.0.0 bad.badhost.com
        ");
        insta::assert_snapshot!(rpz(&listed(), from, UnixTime::from_seconds(1)), @r"
        ; from a test
        $TTL 300
        @ SOA localhost. root.localhost. 1 3600 600 86400 300
        @ NS localhost.
        32.7.205.155.45.rpz-ip CNAME .
        24.0.206.155.45.rpz-ip CNAME .
        128.7.zz.1450.2a00.rpz-ip CNAME .
        48.zz.1.1450.2a00.rpz-ip CNAME .
        bad.badhost.com CNAME .
        *.bad.badhost.com CNAME .
        ");
        insta::assert_snapshot!(nftables(&listed(), from), @r"
        # from a test
        # not in here: 1 that are domains
        set feedwall4 {
        	type ipv4_addr
        	flags interval
        	auto-merge
        	elements = {
        		45.155.205.7,
        		45.155.206.0/24
        	}
        }
        set feedwall6 {
        	type ipv6_addr
        	flags interval
        	auto-merge
        	elements = {
        		2a00:1450::7,
        		2a00:1450:1::/48
        	}
        }
        ");
        assert!(
            json(&listed(), from)
                .unwrap()
                .contains("\"45.155.206.0/24\"")
        );
    }
}
