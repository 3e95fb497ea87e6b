//! What all answers are given from: what is in force, and what was gathered a moment ago.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::config::Config;
use crate::model::{Name, UnixTime};
use crate::stage::Context;
use crate::stage::memory::Memory;
use crate::stage::replan::{GuardMaterial, Heard};

use super::ServeError;
use super::metrics::Histogram;
use super::snapshot::Snapshot;

/// What was gathered is given again for so long.
const FRESH: Duration = Duration::from_secs(2);

/// Gathering takes milliseconds; past this the ledger is stuck.
const PATIENCE: Duration = Duration::from_secs(10);

/// Says which of the daemon's loops gave no sign of life in time, and how late each is.
pub type Stuck = Arc<dyn Fn() -> Vec<(String, Duration)> + Send + Sync>;

/// A config in force, and what answers need beside the ledger.
#[derive(Clone)]
pub struct View {
    /// The config.
    pub config: Arc<Config>,
    /// What it says must never be blocked.
    pub guards: Arc<GuardMaterial>,
    /// Which feeds have answered since the start.
    pub heard: Heard,
    /// What the plans are made with.
    pub memory: Arc<Memory>,
    /// Which loops are stuck.
    pub stuck: Stuck,
}

impl fmt::Debug for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("View").finish_non_exhaustive()
    }
}

/// The state behind the answers, from the daemon's start to its end.
#[derive(Debug)]
pub struct Desk {
    pub(super) ctx: Context,
    pub(super) started: UnixTime,
    view: RwLock<Option<Arc<View>>>,
    gathered: tokio::sync::Mutex<Option<(Instant, Arc<Snapshot>)>>,
    /// A story may take as much as a plan does: one at a time.
    pub(super) story: Semaphore,
    pub(super) noted: Mutex<Noted>,
}

/// What is known of this run alone.
#[derive(Debug, Default)]
pub(super) struct Noted {
    /// When a sample last went into the ledger.
    pub sampled: Option<Instant>,
    /// The last read-back of each firewall whose entries were counted.
    pub read: BTreeMap<Name, Option<UnixTime>>,
    /// Seconds from listing to first confirmation, by firewall.
    pub lags: BTreeMap<Name, Histogram>,
}

impl Desk {
    /// A desk at which nothing is shown yet.
    #[must_use]
    pub fn new(ctx: &Context) -> Self {
        Self {
            started: ctx.clock.now(),
            ctx: ctx.clone(),
            view: RwLock::default(),
            gathered: tokio::sync::Mutex::default(),
            story: Semaphore::new(1),
            noted: Mutex::default(),
        }
    }

    /// Puts a config in force here.
    pub fn show(&self, view: View) {
        let mut shown = self.view.write().unwrap_or_else(PoisonError::into_inner);
        *shown = Some(Arc::new(view));
    }

    pub(super) fn view(&self) -> Result<Arc<View>, ServeError> {
        let shown = self.view.read().unwrap_or_else(PoisonError::into_inner);
        shown.clone().ok_or(ServeError::Starting)
    }

    /// How things stand, or stood two seconds ago: however many ask at once, it is gathered once.
    pub(super) async fn snapshot(&self) -> Result<Arc<Snapshot>, ServeError> {
        let gather = async {
            let mut gathered = self.gathered.lock().await;
            if let Some((at, snapshot)) = &*gathered
                && at.elapsed() < FRESH
            {
                return Ok(Arc::clone(snapshot));
            }
            let view = self.view()?;
            let snapshot = Arc::new(Snapshot::gather(&self.ctx, &view.config).await?);
            *gathered = Some((Instant::now(), Arc::clone(&snapshot)));
            Ok(snapshot)
        };
        tokio::time::timeout(PATIENCE, gather)
            .await
            .unwrap_or(Err(ServeError::Slow(PATIENCE.as_secs())))
    }

    pub(super) fn noted(&self) -> MutexGuard<'_, Noted> {
        // No code panics while it holds this lock.
        self.noted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
