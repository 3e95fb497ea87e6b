//! How a feed's body is to be read.

use super::{Fields, Path};

/// Raised whenever the same body and recipe would give other records than before.
pub const PARSER_VERSION: u32 = 1;

/// The formats that can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// Any of the others, by what the body's head looks like: [`guess`](super::guess).
    Auto,
    /// One indicator a line.
    Text,
    /// A table.
    Csv,
    /// Names sent to nowhere: `0.0.0.0 name`.
    Hosts,
    /// `||name^`
    Adblock,
    /// block.txt of the Internet Storm Center: first address, last address, prefix length.
    Dshield,
    /// A response policy zone.
    Rpz,
    /// One JSON value with a list of items in it.
    Json,
    /// One JSON object a line.
    Ndjson,
    /// STIX 2.0 or 2.1, from a file or a TAXII server.
    Stix,
    /// Events of MISP.
    Misp,
    /// A list of what must not be blocked, as MISP keeps them.
    MispWarninglist,
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
    /// Which fields of a row count. Formats without fields do not look at it, so that the config refuses
    /// it for them: [`Format::has_fields`].
    pub fields: Fields,
    /// What divides a table's cells, an ASCII sign; absent, the first of `,` `;` TAB `|` that fits.
    pub delimiter: Option<u8>,
    /// `text` alone: an ASCII sign that ends a row as the end of a line does.
    pub separator: Option<u8>,
    /// `json` and `ndjson`: where the body says when it was made, from the top or in the row about the list.
    pub made_at: Option<Path>,
    /// `json` alone: the way to the items. Where it leads to a list, its elements are the items; what it
    /// leads to otherwise is one.
    pub items: Path,
    /// `stix` alone: objects that name an address, a domain or a URL count too, without an indicator that
    /// says what they mean. Most are no threats but what threats were seen with.
    pub observables: bool,
    /// `misp` alone: attributes count that are not meant for detection (`to_ids`) too.
    pub all_attributes: bool,
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

impl Format {
    /// Whether [`Recipe::fields`] means anything to the format.
    #[must_use]
    pub const fn has_fields(self) -> bool {
        matches!(self, Self::Auto | Self::Csv | Self::Json | Self::Ndjson)
    }
}

impl Recipe {
    /// The recipe for `format` with every option at its default.
    #[must_use]
    pub fn new(format: Format) -> Self {
        Self {
            format,
            urls: Urls::default(),
            min_prefix: MinPrefix::default(),
            fields: Fields::default(),
            delimiter: None,
            separator: None,
            made_at: None,
            items: Path::default(),
            observables: false,
            all_attributes: false,
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
    use std::collections::HashSet;

    use super::*;
    use crate::parse::{Column, Condition, Filter, Take};

    #[test]
    fn every_option_changes_the_fingerprint() {
        let plain = || Recipe::new(Format::Text);
        let changes: [fn(&mut Recipe); 15] = [
            |recipe| recipe.separator = Some(b','),
            |recipe| recipe.made_at = Some(Path::try_new("timestamp").unwrap()),
            |recipe| recipe.all_attributes = true,
            |recipe| recipe.observables = true,
            |recipe| recipe.items = Path::try_new("/data").unwrap(),
            |recipe| recipe.format = Format::Csv,
            |recipe| recipe.urls = Urls::Host,
            |recipe| recipe.min_prefix.v4 = 9,
            |recipe| recipe.delimiter = Some(b';'),
            |recipe| recipe.fields.indicator = Take::One(Column::Number(2)),
            |recipe| recipe.fields.indicator = Take::One(Column::Name("2".into())),
            |recipe| recipe.fields.confidence = Some(Column::Number(2)),
            |recipe| recipe.fields.dated = Some(Column::Number(2)),
            |recipe| recipe.fields.filters = vec![filter(">=75")],
            |recipe| recipe.fields.filters = vec![filter(">=75.5")],
        ];
        let mut seen = HashSet::from([plain().fingerprint()]);
        for change in changes {
            let mut recipe = plain();
            change(&mut recipe);
            assert!(seen.insert(recipe.fingerprint()), "{recipe:?}");
            assert_ne!(recipe, plain());
        }
        assert_eq!(
            plain().fingerprint(),
            "1 Recipe { format: Text, urls: Reject, min_prefix: MinPrefix { v4: 8, v6: 16 }, \
             fields: Fields { indicator: One(Number(1)), filters: [], confidence: None, dated: None, \
             valid_until: None }, delimiter: None, separator: None, made_at: None, items: Path([]), observables: false, \
             all_attributes: false }"
        );
    }

    fn filter(condition: &str) -> Filter {
        Filter {
            column: Column::Number(1),
            condition: Condition::try_new(condition).unwrap(),
        }
    }
}
