//! A running simulator, held by the test or command that started it.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::cloud::Cloud;
use super::config::{Credential, SimConfig};
use super::faults::FaultSchedule;
use super::http::{self, Server, Shared, lock};
use super::l4::L4RuleState;
use super::state::{EntryState, Foreign, Hits, SeedError, State};
use super::traffic::Arrival;
use super::wire::{Cutter, Wires};

/// How long a stop waits for answers under way.
const DRAIN: Duration = Duration::from_secs(2);

/// A simulated cloud that serves on a loopback port until it is stopped or dropped.
#[derive(Debug)]
pub struct Sim {
    address: SocketAddr,
    cloud: Shared,
    stop: CancellationToken,
    server: JoinHandle<std::io::Result<()>>,
}

/// A simulator that serves no more, with its state: connections to its address are refused.
#[derive(Debug)]
pub struct Stopped {
    address: SocketAddr,
    cloud: Shared,
}

/// Why a simulator did not start, or did not end well.
#[derive(Debug, thiserror::Error)]
pub enum SimError {
    /// The address is taken, or is not this machine's.
    #[error(
        "the simulated cloud cannot listen on {address} (`--listen` takes another address; with port 0, a free port)"
    )]
    Listen {
        /// The address that was asked for.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// The server broke off.
    #[error("the simulated cloud's server broke off")]
    Serve(#[source] std::io::Error),
}

impl Sim {
    /// Binds the configured address and serves from a task of its own.
    ///
    /// # Errors
    /// When the address cannot be bound.
    pub async fn start(config: SimConfig) -> Result<Self, SimError> {
        let wanted = config.listen;
        Self::serve(Arc::new(Mutex::new(Cloud::new(config))), wanted).await
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The endpoint to configure: `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Everything that stands and was counted.
    #[must_use]
    pub fn state(&self) -> State {
        lock(&self.cloud).state()
    }

    /// Every entry that stands, in the order of list, text, direction.
    #[must_use]
    pub fn entries(&self) -> Vec<EntryState> {
        lock(&self.cloud).entries()
    }

    /// Every layer-4 proxy rule that stands, in the order of zone, proxy and making.
    #[must_use]
    pub fn l4_rules(&self) -> Vec<L4RuleState> {
        lock(&self.cloud).l4_rules()
    }

    /// How many entries stand on the blocklist (1) or the allowlist (2): cheap enough to ask while a sender is timed.
    #[must_use]
    pub fn entry_count(&self, rule_type: u8) -> usize {
        lock(&self.cloud).entry_count(rule_type)
    }

    /// How often calls added or edited this entry, whether it still stands or not.
    #[must_use]
    pub fn writes(&self, rule_type: u8, ioc: &str, direction: u8) -> u64 {
        lock(&self.cloud).writes(rule_type, ioc, direction)
    }

    /// Every arrival that the log still holds, oldest first.
    #[must_use]
    pub fn calls(&self) -> Vec<Arrival> {
        lock(&self.cloud).traffic.log().cloned().collect()
    }

    /// The most calls of one action in any sliding second, since the start.
    #[must_use]
    pub fn max_in_any_second(&self) -> usize {
        lock(&self.cloud).traffic.max_in_any_second()
    }

    /// Puts entries of somebody else's on the lists; over the quota where need be.
    ///
    /// # Errors
    /// When one of them is malformed; then none is put there.
    pub fn seed_foreign(&self, entries: &[Foreign]) -> Result<(), SeedError> {
        lock(&self.cloud).seed_foreign(entries)
    }

    /// Counts traffic that matched entries.
    ///
    /// # Errors
    /// At the first that is malformed or does not stand; what came before it counts.
    pub fn seed_hits(&self, hits: &[Hits]) -> Result<(), SeedError> {
        lock(&self.cloud).seed_hits(hits)
    }

    /// Sets how far the cloud's clock is ahead of the injected one; negative: behind.
    pub fn set_skew(&self, seconds: i64) {
        lock(&self.cloud).skew_seconds = seconds;
    }

    /// Replaces the fault schedule; its calls and seconds count from now.
    pub fn set_faults(&self, faults: FaultSchedule) {
        lock(&self.cloud).set_faults(faults);
    }

    /// Replaces the account's keys, as a rotation does.
    pub fn set_credentials(&self, credentials: Vec<Credential>) {
        lock(&self.cloud).config.credentials = credentials;
    }

    /// Stops taking connections, cuts calls that wait, and gives the others two seconds to finish.
    ///
    /// # Errors
    /// When the server had broken off before.
    pub async fn stop(mut self) -> Result<Stopped, SimError> {
        self.stop.cancel();
        match tokio::time::timeout(DRAIN, &mut self.server).await {
            Ok(Ok(served)) => served.map_err(SimError::Serve)?,
            Ok(Err(broken)) => return Err(SimError::Serve(std::io::Error::other(broken))),
            Err(_) => {
                // The listener is gone since the cancel; what is left are connections that will not end.
                self.server.abort();
                tracing::warn!(address = %self.address, "the simulated cloud stopped with connections open");
            }
        }
        Ok(Stopped {
            address: self.address,
            cloud: Arc::clone(&self.cloud),
        })
    }

    async fn serve(cloud: Shared, wanted: SocketAddr) -> Result<Self, SimError> {
        let fail = |source| SimError::Listen {
            address: wanted,
            source,
        };
        let listener = TcpListener::bind(wanted).await.map_err(fail)?;
        let address = listener.local_addr().map_err(fail)?;
        let stop = CancellationToken::new();
        let router = http::router(Server {
            clock: lock(&cloud).config.clock.clone(),
            cloud: Arc::clone(&cloud),
            stop: stop.clone(),
        });
        let service = router.into_make_service_with_connect_info::<Cutter>();
        let server = axum::serve(Wires::new(listener), service)
            .with_graceful_shutdown(stop.clone().cancelled_owned());
        Ok(Self {
            address,
            cloud,
            stop,
            server: tokio::spawn(server.into_future()),
        })
    }
}

impl Stopped {
    /// Serves again with the same state at the same address.
    ///
    /// # Errors
    /// When somebody else has taken the port meanwhile.
    pub async fn start(self) -> Result<Sim, SimError> {
        Sim::serve(self.cloud, self.address).await
    }
}

impl Drop for Sim {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}
