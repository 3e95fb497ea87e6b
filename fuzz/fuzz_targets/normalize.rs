//! Normalization of indicators: what is taken is in its one form, and what that form says is taken again.
#![no_main]

use feedwall::model::{DomainName, Indicator};
use feedwall::parse::{Column, Condition, Path};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let _ = Indicator::from_key(data).map(|read| assert_eq!(read.key(), data));
    let text = String::from_utf8_lossy(data);
    if let Ok(indicator) = Indicator::try_new(&text) {
        feedwall_fuzz::canonical(&indicator);
    }
    if let Ok(name) = DomainName::try_new(&text) {
        assert_eq!(DomainName::try_new(name.as_str()).as_ref(), Ok(&name));
        assert_eq!(
            DomainName::from_canonical(name.as_str()).as_ref(),
            Ok(&name)
        );
        assert!(name.as_str().len() <= 253);
        assert_eq!(name.self_and_parents().next(), Some(name.as_str()));
    }
    // What the config says of columns, conditions and ways is read by hand, too.
    let _ = (
        Column::from_key(&text),
        Condition::try_new(&text),
        Path::try_new(&text),
    );
});
