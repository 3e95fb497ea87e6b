//! feedwall keeps a cloud firewall's blocklist equal to what the threat feeds say, and proves it.
//!
//! The modules stand in the order in which the data moves, and import only from the left:
//!
//! feed ─fetch→ body ─parse→ records ─stage→ LEDGER ─plan→ batches ─firewall, cloud→ verdict ─stage→ LEDGER
//!
//! What holds everywhere:
//! - The ledger is the only memory: kill -9 anywhere, start again, and the same end state comes about.
//! - An addition can enter a batch only as a `Cleared`, which only `guard` can make; a delete or edit only
//!   as a `Lease`, which only the ledger can give.
//! - `parse` and `plan` never see the ledger, `cloud` never sees an indicator, `sim` imports nothing.
//! - No transaction is open across a network call.
//! - The wall clock is read in `clock` alone; everything else takes `now`.

pub mod model;
pub mod clock;
pub mod net;

pub mod fetch;
pub mod parse;
pub mod guard;
pub mod plan;
pub mod ledger;

pub mod cloud;
pub mod catalog;
pub mod config;
pub mod firewall;
pub mod stage;
pub mod l4;
pub mod status;
pub mod serve;
pub mod daemon;

pub mod sim;
pub mod cli;
