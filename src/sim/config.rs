//! How a simulated cloud is set up: what the vendor documents is the default, what nobody documents is a choice.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use secrecy::SecretString;

use super::civil::Zone;
use super::clock::Clock;
use super::faults::FaultSchedule;
use super::ioc::Class;
use super::l4::L4Manners;

/// The secret id that the simulator knows unless told otherwise.
pub const FAKE_SECRET_ID: &str = "AKIDsimulatedEXAMPLE";
/// The secret key that belongs to [`FAKE_SECRET_ID`].
pub const FAKE_SECRET_KEY: &str = "not-a-secret-simulated-EXAMPLE";

/// Everything that a simulator starts with.
#[derive(Clone, Debug)]
pub struct SimConfig {
    /// The time.
    pub clock: Clock,
    /// Where it listens; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The keys of the one account that it serves.
    pub credentials: Vec<Credential>,
    /// Which of the vendor's two sites it stands for.
    pub site: Site,
    /// The zone in which list times are written.
    pub zone: Zone,
    /// Bounds of a call and of the lists.
    pub limits: Limits,
    /// Classes that the blocklist takes.
    pub block_classes: Vec<Class>,
    /// Classes that the allowlist takes.
    pub allow_classes: Vec<Class>,
    /// The answers that nobody documents.
    pub manners: Manners,
    /// How long a change takes to show in a read-back.
    pub visible_after: Duration,
    /// Whether a read-back shows one row for an entry that stands alike in both directions; the international site's
    /// rows have no field for it.
    pub merge_directions: bool,
    /// How the layer-4 proxies behave.
    pub l4: L4Manners,
    /// What goes wrong, and when.
    pub faults: FaultSchedule,
    /// Where RequestIds come from, with the time of the start; the fault schedule has a seed of its own.
    pub seed: u64,
    /// How many arrivals the log keeps; counts and rates are kept for all of them.
    pub log_capacity: usize,
}

/// One pair of keys, with a token where they are temporary.
#[derive(Clone, Debug)]
pub struct Credential {
    /// The public half.
    pub secret_id: String,
    /// The half that signs.
    pub secret_key: SecretString,
    /// What `X-TC-Token` must carry; `None`: the header must be absent.
    pub token: Option<SecretString>,
    /// Unix seconds from which the token is no longer taken.
    pub expires: Option<i64>,
}

/// One of the vendor's two sites.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Site {
    /// `cfw.tencentcloudapi.com`
    China,
    /// `cfw.intl.tencentcloudapi.com`: no ShowType, RuleType required, no quota call, rows with fewer fields and nulls.
    International,
}

/// Bounds of a call and of the lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Entries on each list; each direction costs one.
    pub quota: usize,
    /// Entries in one call.
    pub batch: usize,
    /// Rows on one page of a read-back.
    pub page: usize,
    /// Calls of one action in any sliding second.
    pub rate: u32,
}

/// Answers that the vendor's pages leave open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Manners {
    /// Adding an entry that is there already.
    pub add_present: Repeat,
    /// Deleting an entry that is not there.
    pub delete_absent: Repeat,
    /// Editing an entry that is not there.
    pub edit_absent: EditAbsent,
    /// More entries in a call than it may carry.
    pub batch_code: &'static str,
    /// An entry past its EndTime.
    pub expired: Expired,
}

/// What becomes of a call that asks for what is already so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeat {
    /// It is taken: an add sets the times anew, a delete does nothing.
    Take,
    /// The whole call is refused with this code.
    Refuse(&'static str),
}

/// What becomes of an edit of an entry that is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EditAbsent {
    /// The entry is put on the list, as if it had been added.
    Create,
    /// The call succeeds and the entry stays absent.
    Ignore,
    /// The whole call is refused with this code.
    Refuse(&'static str),
}

/// What becomes of an entry past its EndTime.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expired {
    /// It is off the list at that second.
    Gone,
    /// It blocks no more, but is shown and counted until somebody deletes it.
    Kept,
}

impl SimConfig {
    /// A China site on a free loopback port, with the fake keys and no faults.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        Self {
            clock,
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            credentials: vec![Credential::fake()],
            site: Site::China,
            zone: Zone::BEIJING,
            limits: Limits::default(),
            block_classes: vec![Class::Ipv4, Class::Domain],
            allow_classes: vec![Class::Ipv4, Class::Domain],
            manners: Manners::lenient(),
            visible_after: Duration::ZERO,
            merge_directions: false,
            l4: L4Manners::default(),
            faults: FaultSchedule::default(),
            seed: 0,
            log_capacity: 200_000,
        }
    }
}

impl Credential {
    /// Long-lived keys.
    #[must_use]
    pub fn new(secret_id: &str, secret_key: &str) -> Self {
        Self {
            secret_id: secret_id.to_owned(),
            secret_key: SecretString::from(secret_key),
            token: None,
            expires: None,
        }
    }

    /// [`FAKE_SECRET_ID`] and [`FAKE_SECRET_KEY`].
    #[must_use]
    pub fn fake() -> Self {
        Self::new(FAKE_SECRET_ID, FAKE_SECRET_KEY)
    }

    /// The same keys as temporary ones: `token` must come along, until `expires` in Unix seconds.
    #[must_use]
    pub fn with_token(self, token: &str, expires: Option<i64>) -> Self {
        Self {
            token: Some(SecretString::from(token)),
            expires,
            ..self
        }
    }
}

impl Default for Limits {
    /// The documented quota and rate; 100 entries a call and 100 rows a page, which nobody documents.
    fn default() -> Self {
        Self {
            quota: 20_000,
            batch: 100,
            page: 100,
            rate: 20,
        }
    }
}

impl Manners {
    /// Repeats are harmless: add overwrites, delete of what is absent succeeds, and an edit of what is absent adds it.
    #[must_use]
    pub const fn lenient() -> Self {
        Self {
            add_present: Repeat::Take,
            delete_absent: Repeat::Take,
            edit_absent: EditAbsent::Create,
            batch_code: "InvalidParameter",
            expired: Expired::Gone,
        }
    }

    /// Every repeat refuses its whole call with `code`, such as `FailedOperation` or `InvalidParameter`.
    #[must_use]
    pub const fn strict(code: &'static str) -> Self {
        Self {
            add_present: Repeat::Refuse(code),
            delete_absent: Repeat::Refuse(code),
            edit_absent: EditAbsent::Refuse(code),
            ..Self::lenient()
        }
    }
}
