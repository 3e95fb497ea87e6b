//! Format `rpz`: a response policy zone (draft-vixie-dnsop-dns-rpz), of which the rules count that make a
//! name or an answer's address vanish: `CNAME .`, `CNAME *.` and `CNAME rpz-drop.`.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

use super::lines::{Line, each_line};
use super::{Out, Reason, Recipe, Said, Text, token::Found};
use crate::model::{DomainName, Indicator, IndicatorError};

pub(super) fn parse(_: &Recipe, text: Text<'_>, out: &mut Out<'_>) -> io::Result<()> {
    let mut zone = Zone::default();
    each_line(text, out, |out, line| match zone.read(&line) {
        Ok(None) => {}
        Ok(Some(indicator)) => out.row(Found::One(indicator), Said::default()),
        Err(reason) => out.reject(line.place, line.bytes, reason),
    })
}

/// What earlier lines of the zone file (RFC 1035 §5.1) mean for later ones.
#[derive(Default)]
struct Zone {
    /// The zone's name, lower case, without its last dot.
    origin: Option<String>,
    /// The owner of the record before, for lines that begin with a blank.
    owner: String,
    /// The numbers of the SOA go on, for its parenthesis is still open.
    open: bool,
}

impl Zone {
    /// What a line blocks; `None` where it is a comment or belongs to the zone's own upkeep.
    fn read(&mut self, line: &Line<'_>) -> Result<Option<Indicator>, Reason> {
        if line.bytes.trim_ascii_start().starts_with(b";") {
            return Ok(None);
        }
        let text = line.text()?;
        let text = text.split(';').next().unwrap_or_default();
        if self.open && text.split([' ', '\t', ')']).all(is_ttl_or_class) {
            self.open = !text.contains(')');
            return Ok(None);
        }
        self.open = false;
        let same_owner = text.starts_with([' ', '\t']);
        let mut words = text.split_ascii_whitespace();
        if !same_owner {
            match words.next() {
                None => return Ok(None),
                Some(control) if control.starts_with('$') => {
                    return self.control(control, words.next());
                }
                Some(owner) => self.owner = owner.to_ascii_lowercase(),
            }
        }
        let mut words = words
            .skip_while(|word| is_ttl_or_class(word))
            .map(str::to_ascii_uppercase);
        match (words.next().as_deref(), words.next(), words.next()) {
            (None, ..) if same_owner => Ok(None),
            (Some("SOA"), ..) => self.soa(text),
            (Some("NS" | "DNSKEY" | "RRSIG" | "NSEC" | "NSEC3" | "NSEC3PARAM"), ..) => Ok(None),
            (Some("CNAME"), Some(target), None) => self.rule(&target).map(Some),
            (Some("A" | "AAAA" | "TXT" | "MX" | "SRV" | "DNAME"), Some(_), _) => {
                Err(Reason::Rewrites)
            }
            _ => Err(Reason::ZoneSyntax),
        }
    }

    fn control(&mut self, control: &str, value: Option<&str>) -> Result<Option<Indicator>, Reason> {
        match (control.to_ascii_uppercase().as_str(), value) {
            ("$TTL", Some(_)) => Ok(None),
            ("$ORIGIN", Some(origin)) => {
                self.origin = Some(origin.trim_end_matches('.').to_ascii_lowercase());
                Ok(None)
            }
            _ => Err(Reason::ZoneSyntax),
        }
    }

    /// The start of authority names the zone, unless `@` leaves that to `$ORIGIN`.
    fn soa(&mut self, text: &str) -> Result<Option<Indicator>, Reason> {
        if self.origin.is_none()
            && let Some(zone) = self.owner.strip_suffix('.')
        {
            self.origin = Some(zone.to_owned());
        }
        self.open = text.contains('(') && !text.contains(')');
        Ok(None)
    }

    fn rule(&self, target: &str) -> Result<Indicator, Reason> {
        match target {
            "." | "*." | "RPZ-DROP." => {}
            "RPZ-PASSTHRU." => return Err(Reason::PassThru),
            _ => return Err(Reason::Rewrites),
        }
        let owner = self.relative_owner()?;
        let trigger = owner.rsplit_once('.').map_or(owner, |(_, last)| last);
        match trigger {
            "rpz-ip" => {
                let address = owner.strip_suffix(".rpz-ip").and_then(address);
                address.ok_or_else(|| IndicatorError::Address.into())
            }
            "rpz-client-ip" | "rpz-nsip" | "rpz-nsdname" => Err(Reason::Trigger),
            _ => {
                let name = owner.strip_prefix("*.").unwrap_or(owner);
                let name = DomainName::try_new(name).map_err(IndicatorError::from)?;
                Ok(Indicator::Domain(name))
            }
        }
    }

    /// The owner without the zone's own name, which an owner with a last dot carries.
    fn relative_owner(&self) -> Result<&str, Reason> {
        let Some(absolute) = self.owner.strip_suffix('.') else {
            return Ok(&self.owner);
        };
        let inside = self
            .origin
            .as_deref()
            .and_then(|zone| absolute.strip_suffix(zone));
        inside
            .and_then(|owner| owner.strip_suffix('.'))
            .ok_or(Reason::OutOfZone)
    }
}

/// `3600`, `1h`, `IN`, and the nothing between two blanks.
fn is_ttl_or_class(word: &str) -> bool {
    let digits = word.is_empty() || word.starts_with(|sign: char| sign.is_ascii_digit());
    let units = word
        .bytes()
        .all(|byte| byte.is_ascii_digit() || b"smhdwSMHDW".contains(&byte));
    (digits && units) || word.eq_ignore_ascii_case("in")
}

/// The prefix length and then the address from its end: `24.0.2.0.192` is 192.0.2.0/24, and in
/// `48.zz.2.2001` `zz` stands for `::`.
fn address(owner: &str) -> Option<Indicator> {
    let (length, rest) = owner.split_once('.')?;
    let length: u8 = length.parse().ok()?;
    let ip: IpAddr = match rest.parse::<Ipv4Addr>() {
        Ok(reversed) => {
            let [d, c, b, a] = reversed.octets();
            Ipv4Addr::new(a, b, c, d).into()
        }
        Err(_) => {
            let words: Vec<_> = rest
                .rsplit('.')
                .map(|word| if word == "zz" { "" } else { word })
                .collect();
            let (first, last) = (rest.ends_with("zz"), rest.starts_with("zz"));
            let colon = |edge: bool| if edge { ":" } else { "" };
            let text = format!("{}{}{}", colon(first), words.join(":"), colon(last));
            text.parse::<Ipv6Addr>().ok()?.into()
        }
    };
    IpNet::new(ip, length).ok().map(Indicator::from_net)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_from_their_end() {
        let table = [
            ("32.4.3.2.1", "1.2.3.4"),
            ("24.0.2.0.192", "192.0.2.0/24"),
            ("128.1.zz.db8.2001", "2001:db8::1"),
            ("32.zz.db8.2001", "2001:db8::/32"),
            ("128.1.zz", "::1"),
            ("128.8.7.6.5.4.3.2.2001", "2001:2:3:4:5:6:7:8"),
        ];
        for (owner, text) in table {
            assert_eq!(
                address(owner).map(|one| one.to_string()).as_deref(),
                Some(text),
                "{owner}"
            );
        }
        for bad in [
            "33.4.3.2.1",
            "4.3.2.1",
            "32.4.3.2.01",
            "32.4.3.2.256",
            "128.zz.zz",
            "x.4.3.2.1",
            "128.1.db8.2001",
            "",
        ] {
            assert_eq!(address(bad), None, "{bad}");
        }
    }
}
