//! What people are told: states in words, tables and JSON.

pub mod words;
