//! The simulator as a command: its options, and its life from start to shutdown.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use secrecy::SecretString;
use serde::Deserialize;
use tokio_util::sync::CancellationToken;

use super::civil::Zone;
use super::clock::Clock;
use super::config::{
    Credential, EditAbsent, Expired, FAKE_SECRET_ID, FAKE_SECRET_KEY, Limits, Manners, SimConfig,
    Site,
};
use super::faults::{FaultError, FaultSchedule};
use super::handle::{Sim, SimError};
use super::ioc::Class;
use super::l4::L4Manners;

/// Serve a simulated cloud firewall: the vendor's list and proxy calls, checked, answered and counted on this machine.
#[derive(Clone, Debug, Args)]
pub struct Options {
    /// Where to listen; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8080")]
    pub listen: SocketAddr,
    /// The secret id that it knows
    #[arg(long, value_name = "ID", default_value = FAKE_SECRET_ID)]
    pub secret_id: String,
    /// The secret key that belongs to it; never a real one
    #[arg(long, value_name = "KEY", default_value = FAKE_SECRET_KEY)]
    pub secret_key: SecretString,
    /// The token that every call must carry, as with temporary keys
    #[arg(long, value_name = "TOKEN")]
    pub token: Option<SecretString>,
    /// Stand for the international site: no ShowType, no quota call
    #[arg(long)]
    pub international: bool,
    /// The zone in which list times are written
    #[arg(long, value_name = "OFFSET", default_value_t = Zone::BEIJING, allow_hyphen_values = true)]
    pub zone: Zone,
    /// Places on each list; each direction of an entry costs one
    #[arg(long, value_name = "PLACES", default_value_t = Limits::default().quota)]
    pub quota: usize,
    /// Entries that one call may carry
    #[arg(long, value_name = "ENTRIES", default_value_t = Limits::default().batch)]
    pub batch_max: usize,
    /// Rows that one page of a read-back may have
    #[arg(long, value_name = "ROWS", default_value_t = Limits::default().page)]
    pub page_max: usize,
    /// Calls of one action in any second
    #[arg(long, value_name = "CALLS", default_value_t = Limits::default().rate)]
    pub rate: u32,
    /// Classes that the blocklist takes: ipv4, ipv6, network, domain
    #[arg(
        long,
        value_name = "CLASSES",
        value_delimiter = ',',
        default_value = "ipv4,domain"
    )]
    pub classes: Vec<Class>,
    /// Classes that the allowlist takes
    #[arg(
        long,
        value_name = "CLASSES",
        value_delimiter = ',',
        default_value = "ipv4,domain"
    )]
    pub allow_classes: Vec<Class>,
    /// Refuse adding what is there, and editing or deleting what is not
    #[arg(long, value_name = "CODE", num_args = 0..=1, default_missing_value = "FailedOperation")]
    pub strict: Option<StrictCode>,
    /// What an edit of an absent entry does; an error with --strict
    #[arg(
        long,
        value_name = "WHAT",
        default_value = "create",
        conflicts_with = "strict"
    )]
    pub edit_absent: LenientEdit,
    /// Show and count entries past their EndTime until somebody deletes them
    #[arg(long)]
    pub keep_expired: bool,
    /// Seconds that a change takes to show in a read-back
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    pub visible_after: u64,
    /// Show one row for an entry that stands alike in both directions
    #[arg(long)]
    pub merge_directions: bool,
    /// Rules that one layer-4 proxy may have
    #[arg(long, value_name = "RULES", default_value_t = L4Manners::default().places)]
    pub l4_rules_max: usize,
    /// Milliseconds that a new or changed layer-4 rule takes to be online
    #[arg(long, value_name = "MS", default_value_t = 0)]
    pub l4_deploy_ms: u64,
    /// Tags of layer-4 rules that fail instead
    #[arg(long, value_name = "TAGS", value_delimiter = ',')]
    pub l4_failing: Vec<String>,
    /// A schedule of faults, in TOML or (with the ending .json) JSON
    #[arg(long, value_name = "FILE")]
    pub faults: Option<PathBuf>,
    /// Draw faults and RequestIds from this seed, instead of the schedule's and 0
    #[arg(long, value_name = "NUMBER")]
    pub seed: Option<u64>,
}

/// The code with which a strict cloud refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Deserialize)]
pub enum StrictCode {
    /// `FailedOperation`
    #[value(name = "FailedOperation")]
    FailedOperation,
    /// `InvalidParameter`
    #[value(name = "InvalidParameter")]
    InvalidParameter,
}

/// What a lenient cloud makes of an edit of an absent entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LenientEdit {
    /// Add it.
    Create,
    /// Do nothing and succeed.
    Ignore,
}

/// Why the command ended badly.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The fault file does not open.
    #[error("the fault schedule {path} does not open: {source}", path = path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The fault file makes no sense.
    #[error("{path}: {source}", path = path.display())]
    Faults {
        /// The file.
        path: PathBuf,
        /// What is wrong in it.
        source: FaultError,
    },
    /// The server.
    #[error(transparent)]
    Sim(#[from] SimError),
}

impl Options {
    /// The simulator that these options describe; reads the fault file.
    ///
    /// # Errors
    /// When the fault file does not open or makes no sense.
    pub fn config(&self, clock: Clock) -> Result<SimConfig, ServeError> {
        let mut faults = self.read_faults()?;
        if let Some(seed) = self.seed {
            faults.seed = seed;
        }
        Ok(SimConfig {
            listen: self.listen,
            credentials: vec![Credential {
                secret_id: self.secret_id.clone(),
                secret_key: self.secret_key.clone(),
                token: self.token.clone(),
                expires: None,
            }],
            site: if self.international {
                Site::International
            } else {
                Site::China
            },
            zone: self.zone,
            limits: Limits {
                quota: self.quota,
                batch: self.batch_max,
                page: self.page_max,
                rate: self.rate,
            },
            block_classes: self.classes.clone(),
            allow_classes: self.allow_classes.clone(),
            manners: self.manners(),
            visible_after: Duration::from_secs(self.visible_after),
            merge_directions: self.merge_directions,
            l4: L4Manners {
                places: self.l4_rules_max,
                deploy: Duration::from_millis(self.l4_deploy_ms),
                failing: self.l4_failing.clone(),
                proxies: Vec::new(),
            },
            faults,
            seed: self.seed.unwrap_or(0),
            ..SimConfig::new(clock)
        })
    }

    fn manners(&self) -> Manners {
        let manners = match (self.strict, self.edit_absent) {
            (Some(code), _) => Manners::strict(code.as_str()),
            (None, LenientEdit::Create) => Manners::lenient(),
            (None, LenientEdit::Ignore) => Manners {
                edit_absent: EditAbsent::Ignore,
                ..Manners::lenient()
            },
        };
        Manners {
            expired: if self.keep_expired {
                Expired::Kept
            } else {
                Expired::Gone
            },
            ..manners
        }
    }

    fn read_faults(&self) -> Result<FaultSchedule, ServeError> {
        let Some(path) = self.faults.clone() else {
            return Ok(FaultSchedule::default());
        };
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(source) => return Err(ServeError::Open { path, source }),
        };
        let is_json = path
            .extension()
            .is_some_and(|end| end.eq_ignore_ascii_case("json"));
        let read = if is_json {
            FaultSchedule::from_json(&text)
        } else {
            FaultSchedule::from_toml(&text)
        };
        read.map_err(|source| ServeError::Faults { path, source })
    }
}

impl StrictCode {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::FailedOperation => "FailedOperation",
            Self::InvalidParameter => "InvalidParameter",
        }
    }
}

/// Runs the simulator until `shutdown`; `ready` is told the address that it listens on.
///
/// # Errors
/// When the fault file is bad, the address cannot be bound, or the server breaks off.
pub async fn serve(
    options: &Options,
    clock: Clock,
    shutdown: CancellationToken,
    ready: impl FnOnce(SocketAddr),
) -> Result<(), ServeError> {
    let sim = Sim::start(options.config(clock)?).await?;
    tracing::info!(address = %sim.address(), "the simulated cloud listens");
    ready(sim.address());
    shutdown.cancelled().await;
    sim.stop().await?;
    Ok(())
}
