//! What was asked for, as people write it.

use thiserror::Error;

use crate::model::Indicator;
use crate::parse::{Format, Recipe, Snapshot, Text, Urls};
use crate::status::escape::escape;

/// Why there is nothing to explain, or to block.
#[derive(Debug, Error)]
pub enum AskError {
    /// Several networks in one.
    #[error("`{0}` is a range of several networks: ask for one of them")]
    Range(String),
    /// No indicator at all.
    #[error("`{written}` is no address, network or domain that could be blocked: {reason}")]
    Nothing {
        /// What was written, escaped.
        written: String,
        /// What a feed's line would be told.
        reason: String,
    },
    /// Text in memory is always readable.
    #[error("`{written}` cannot be read: {reason}")]
    Unreadable {
        /// What was written, escaped.
        written: String,
        /// Why.
        reason: String,
    },
}

/// Reads an indicator as a feed's line would be read: `hxxp://bad[.]example[.]net/x` is its host.
///
/// # Errors
/// Where nothing that could be blocked is written, or more than one thing.
pub fn asked_for(written: &str) -> Result<Indicator, AskError> {
    if let Ok(indicator) = Indicator::try_new(written) {
        return Ok(indicator);
    }
    let recipe = Recipe {
        urls: Urls::Host,
        ..Recipe::new(Format::Text)
    };
    let mut bytes = written.as_bytes();
    let text = Text {
        body: &mut bytes,
        ends_surely: true,
    };
    let shown = || escape(written).into_owned();
    let read = Snapshot::read(&recipe, text, 2).map_err(|fault| AskError::Unreadable {
        written: shown(),
        reason: fault.to_string(),
    })?;
    let mut rows = read.rows();
    match (rows.next(), rows.next()) {
        (Some(row), None) => Ok(row.indicator.to_owned()),
        (Some(_), Some(_)) => Err(AskError::Range(shown())),
        (None, _) => {
            let rejects = read.rejects().by_reason();
            let reason = rejects.first().map(|(reason, _)| reason.to_string());
            Err(AskError::Nothing {
                written: shown(),
                reason: reason.unwrap_or_else(|| "nothing is written there".to_owned()),
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indicators_are_read_as_people_write_them() {
        for (written, meant) in [
            ("45.155.205.7", "45.155.205.7"),
            ("45.155.205.7/24", "45.155.205.0/24"),
            ("hxxp://Bad[.]botnet-panel[.]net/x", "bad.botnet-panel.net"),
            ("https://botnet-panel.net:8443", "botnet-panel.net"),
            ("2A06:98C0::1", "2a06:98c0::1"),
        ] {
            assert_eq!(asked_for(written).unwrap().to_string(), meant);
        }
        for (written, sentence) in [
            ("com", "one label only"),
            ("co.uk", "public suffix"),
            ("45.155.205.999", "looks like an address but is none"),
            ("", "nothing is written there"),
            ("\u{1b}[2J.net", r"\u{1b}[2J.net"),
            ("1.2.3.0-1.2.5.9", "range of several"),
        ] {
            let fault = asked_for(written).unwrap_err().to_string();
            assert!(fault.contains(sentence), "{fault}");
        }
    }
}
