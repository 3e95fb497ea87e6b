//! Tables.
#![no_main]

use feedwall::parse::Format;

libfuzzer_sys::fuzz_target!(|data: &[u8]| feedwall_fuzz::body(&[Format::Csv], data));
