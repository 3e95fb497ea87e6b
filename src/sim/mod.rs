//! A simulated cloud: the vendor's API as far as it is known, on loopback, with its state in plain sight.
//!
//! It shares no code with the rest of the crate: what signs, tells time and reads addresses there is checked here by a
//! second hand. Behaviour that the vendor documents is the default; behaviour that nobody documents is a choice of
//! [`SimConfig`], so that a test can hold the program to the right end state under each.
//!
//! Checks come in the order of the vendor's gateway: form of the request, headers, clock, secret id, signature, token,
//! product, action, version, rate, size, then the call's own parameters (unknown, missing, wrong type, wrong value).

mod civil;
mod clock;
mod cloud;
mod config;
mod control;
mod describe;
mod faults;
mod gateway;
mod handle;
mod http;
mod inspect;
mod ioc;
mod l4;
mod list;
mod modify;
mod options;
mod params;
mod refusal;
mod state;
mod tc3;
mod traffic;
mod wire;

#[cfg(test)]
mod tests;

pub use civil::{BadZone, Zone};
pub use clock::{Clock, HeldClock};
pub use config::{
    Credential, EditAbsent, Expired, FAKE_SECRET_ID, FAKE_SECRET_KEY, Limits, Manners, Repeat,
    SimConfig, Site,
};
pub use faults::{Calls, Delay, FaultError, FaultRule, FaultSchedule, Seconds, Then, When};
pub use handle::{Sim, SimError, Stopped};
pub use ioc::{BadClass, Class};
pub use l4::{L4Manners, L4RuleState};
pub use options::{LenientEdit, Options, ServeError, StrictCode, serve};
pub use state::{EntryState, Foreign, Hits, SeedError, State};
pub use traffic::{Arrival, CallCount, Pace};
