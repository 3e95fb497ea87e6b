//! A rule in words: what it is known by, and what two of them differ in.

use std::fmt;

use super::{PortRange, Protocol, Rule, Session};

impl Rule {
    /// What is different in `other`, field by field, for people: `origins 1.1.1.1 → 1.0.0.1`.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Vec<String> {
        let before = self.fields();
        let pairs = before.into_iter().zip(other.fields());
        pairs
            .filter(|((_, old), (_, new))| old != new)
            .map(|((field, old), (_, new))| format!("{field} {old} → {new}"))
            .collect()
    }

    fn fields(&self) -> [(&'static str, String); 8] {
        let session = |session: Session| format!("{}s", session.seconds());
        [
            ("protocol", self.protocol.as_str().to_owned()),
            ("ports", join(&self.ports)),
            ("origin_type", self.origin_type.as_str().to_owned()),
            ("origins", self.origins.join(",")),
            ("origin_port", self.origin_port.to_string()),
            ("pass_through", self.pass_through.as_str().to_owned()),
            (
                "session_persist",
                self.session.map_or("off".to_owned(), session),
            ),
            (
                "tag",
                self.tag
                    .as_ref()
                    .map_or("none".to_owned(), |tag| format!("{:?}", tag.as_str())),
            ),
        ]
    }
}

fn join(ports: &[PortRange]) -> String {
    let ports: Vec<String> = ports.iter().map(ToString::to_string).collect();
    ports.join(",")
}

impl fmt::Display for Protocol {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(self.as_str())
    }
}

/// What a rule is known by: `TCP 90,81-85`.
impl fmt::Display for Rule {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} {}", self.protocol, join(&self.ports))
    }
}
