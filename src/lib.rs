//! feedwall keeps a cloud firewall's blocklist equal to what the threat feeds say, and proves it.

pub mod cloud;
pub mod config;
pub mod fetch;
pub mod model;
pub mod net;
pub mod parse;
pub mod plan;
