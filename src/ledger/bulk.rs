//! Thousands of rows in one statement. Keys travel as hex: in JSON arrays on their way in, and in one long
//! text a chunk on their way out, because a row a call costs more than all the rest.

use std::fmt::Write as _;

use crate::model::Indicator;

use super::{LedgerError, Result};

/// Indicators as the JSON array of hex strings that `json_each` unfolds.
pub(super) fn keys_json<'a>(indicators: impl IntoIterator<Item = &'a Indicator>) -> String {
    let mut json = String::from("[");
    let mut key = Vec::with_capacity(32);
    for indicator in indicators {
        if json.len() > 1 {
            json.push(',');
        }
        json.push('"');
        push_hex(&mut json, indicator, &mut key);
        json.push('"');
    }
    json.push(']');
    json
}

/// Appends an indicator's key in hex; `key` is a scratch buffer.
pub(super) fn push_hex(out: &mut String, indicator: &Indicator, key: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    key.clear();
    indicator.write_key(key);
    for byte in key {
        out.push(DIGITS[usize::from(*byte >> 4)] as char);
        out.push(DIGITS[usize::from(*byte & 15)] as char);
    }
}

/// Appends `,value`, or `,null`.
pub(super) fn push_number(out: &mut String, value: Option<i64>) {
    match value {
        // Writing to a String cannot fail.
        Some(value) => {
            let _ = write!(out, ",{value}");
        }
        None => out.push_str(",null"),
    }
}

/// Reads an indicator back from hex.
pub(super) fn indicator(hex_key: &str) -> Result<Indicator> {
    let mut buffer = [0u8; 256];
    let bytes = buffer
        .get_mut(..hex_key.len() / 2)
        .ok_or_else(|| LedgerError::Row(format!("a key of {} digits", hex_key.len())))?;
    hex::decode_to_slice(hex_key, bytes).map_err(|fault| LedgerError::Row(fault.to_string()))?;
    Ok(Indicator::from_key(bytes)?)
}

/// The next of a packed row's `:`-separated numbers; empty is NULL.
pub(super) fn number(field: Option<&str>) -> Result<Option<i64>> {
    match field {
        None | Some("") => Ok(None),
        Some(digits) => digits
            .parse()
            .map(Some)
            .map_err(|_| LedgerError::Row(format!("`{digits}` where a number should stand"))),
    }
}
