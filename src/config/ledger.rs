//! `[ledger]`

use std::path::PathBuf;
use std::time::Duration;

use super::section::{Found, Section};
use super::value::{LONGEST, duration};
use super::{Ledger, defaults, value};

/// What is not kept for an hour cannot even explain the present.
const HOUR: Duration = Duration::from_secs(3600);

/// Reads `[ledger]`; a rule looks at `keep_history` again once the feeds are known.
pub(super) fn read(section: &mut Section<'_>) -> (Ledger, Found<Duration>) {
    let path = section.read("path", PathBuf::from(defaults::LEDGER_PATH), value::path);
    let keep = section.read(
        "keep_history",
        defaults::KEEP_HISTORY,
        duration(HOUR..=LONGEST),
    );
    let ledger = Ledger {
        path: path.value,
        keep_history: keep.value,
    };
    (ledger, keep)
}
