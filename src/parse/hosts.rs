//! Format `hosts`: names that a resolver is told to find nowhere, `0.0.0.0 evil.example`.

use std::io;

use super::lines::{Line, each_line, is_comment};
use super::{Out, Reason, Recipe, Text};
use crate::model::{DomainName, Indicator, IndicatorError};

/// Where names are sent that shall not be found.
const NOWHERE: [&str; 5] = ["0.0.0.0", "127.0.0.1", "127.0.1.1", "::", "::1"];

/// Names of the machine itself and of its network, which a hosts file has beside what it blocks.
const OWN: [&str; 14] = [
    "0.0.0.0",
    "broadcasthost",
    "ip6-allhosts",
    "ip6-allnodes",
    "ip6-allrouters",
    "ip6-localhost",
    "ip6-localnet",
    "ip6-loopback",
    "ip6-mcastprefix",
    "local",
    "localhost",
    "localhost.localdomain",
    "localhost4",
    "localhost6",
];

pub(super) fn parse(_: &Recipe, text: Text<'_>, out: &mut Out<'_>) -> io::Result<()> {
    let mut names = Vec::new();
    each_line(text, out, |out, line| {
        names.clear();
        match read(&line, &mut names) {
            Ok(()) if names.is_empty() => {}
            Ok(()) => out.row_of_many(names.drain(..)),
            Err(reason) => out.reject(line.place, line.bytes, reason),
        }
    })
}

/// Puts what the line blocks into `names`: nothing where it is blank, a comment, or of the machine's own.
fn read(line: &Line<'_>, names: &mut Vec<Indicator>) -> Result<(), Reason> {
    if is_comment(line.bytes.trim_ascii_start()) {
        return Ok(());
    }
    let text = line.text()?;
    let text = text.split('#').next().unwrap_or_default();
    let mut words = text.split_ascii_whitespace();
    let Some(address) = words.next() else {
        return Ok(());
    };
    let mut words = words.peekable();
    if words.peek().is_none() {
        return Err(Reason::NoName);
    }
    let own = |word: &str| OWN.iter().any(|own| own.eq_ignore_ascii_case(word));
    for word in words.filter(|word| !own(word)) {
        if !NOWHERE.contains(&address) {
            return Err(Reason::Somewhere);
        }
        let name = DomainName::try_new(word).map_err(IndicatorError::from)?;
        names.push(Indicator::Domain(name));
    }
    Ok(())
}
