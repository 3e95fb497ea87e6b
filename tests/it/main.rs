//! The crate from outside, as one binary: a module a topic.

mod vendor_client;
