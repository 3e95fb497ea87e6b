//! The other formats of one row a line.
#![no_main]

use feedwall::parse::Format;

libfuzzer_sys::fuzz_target!(|data: &[u8]| feedwall_fuzz::body(
    &[Format::Hosts, Format::Adblock, Format::Dshield],
    data
));
