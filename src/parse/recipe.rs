//! How a feed's body is to be read.

/// Raised whenever the same body and recipe would give other records than before.
pub const PARSER_VERSION: u32 = 1;

/// The formats that can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// One indicator a line.
    Text,
}

/// How a feed's body is to be read. A change of any of it makes the next body be parsed anew.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Recipe {
    /// The format.
    pub format: Format,
    /// Whether a URL with a path counts as its host.
    pub urls: Urls,
    /// Ranges `a-b` wider than these prefixes are rejected before they are split.
    pub min_prefix: MinPrefix,
}

/// What a URL with a path stands for.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Urls {
    /// Nothing: it is rejected, for one bad file must not block its host.
    #[default]
    Reject,
    /// Its host, unless that is one that many share.
    Host,
}

/// The shortest prefixes that may be blocked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MinPrefix {
    /// For IPv4; 8 unless the config says otherwise.
    pub v4: u8,
    /// For IPv6; 16 unless the config says otherwise.
    pub v6: u8,
}

impl Recipe {
    /// The recipe for `format` with every option at its default.
    #[must_use]
    pub fn new(format: Format) -> Self {
        Self {
            format,
            urls: Urls::default(),
            min_prefix: MinPrefix::default(),
        }
    }

    /// A text that changes when the same body might be read otherwise: with any option, and with
    /// [`PARSER_VERSION`]. The ledger keeps it beside a feed's validators and compares it whole.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        format!("{PARSER_VERSION} {self:?}")
    }
}

impl Default for MinPrefix {
    fn default() -> Self {
        Self { v4: 8, v6: 16 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_option_changes_the_fingerprint() {
        let plain = Recipe::new(Format::Text);
        let urls = Recipe {
            urls: Urls::Host,
            ..plain.clone()
        };
        let width = Recipe {
            min_prefix: MinPrefix { v4: 9, v6: 16 },
            ..plain.clone()
        };
        assert_eq!(
            plain.fingerprint(),
            "1 Recipe { format: Text, urls: Reject, min_prefix: MinPrefix { v4: 8, v6: 16 } }"
        );
        assert_ne!(plain.fingerprint(), urls.fingerprint());
        assert_ne!(plain.fingerprint(), width.fingerprint());
    }
}
