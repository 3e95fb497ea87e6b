//! What people are told: states in words, tables and JSON. Everything here reads; nothing writes.
//!
//! A type that is gathered from the ledger is also its JSON: snake_case keys, times in RFC 3339, spans in
//! the unit that the key ends with (`_s`, `_ms`). A file beside it turns it into text of 80 columns. Text
//! from feeds, clouds and files goes through [`escape::escape`] before it becomes part of a line; JSON
//! escapes by itself.

pub mod calls;
pub mod escape;
pub mod explain;
pub mod export;
pub mod feed;
mod firewalls;
pub mod layout;
pub mod line;
pub mod list;
pub mod needs;
pub mod plan;
pub mod report;
#[cfg(test)]
mod schema;
pub mod span;
pub mod table;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
pub mod trial;
