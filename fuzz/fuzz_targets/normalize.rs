#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| feedwall_fuzz::normalize(data));
