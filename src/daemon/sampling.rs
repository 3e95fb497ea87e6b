//! The loop that notes each minute how things stand.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::serve::ServeError;

use super::pulse::WORKING;
use super::{Session, sleep};

/// A row a minute.
const STEP: i64 = 60;

pub(super) async fn run(session: Arc<Session>, cancel: CancellationToken) -> anyhow::Result<()> {
    loop {
        session.pulse.promise("samples", WORKING);
        let past = session.ctx.clock.now().seconds().rem_euclid(STEP);
        let left = Duration::from_secs((STEP - past).unsigned_abs());
        if !sleep(&cancel, left).await {
            return Ok(());
        }
        // A clock that is not believed says no minute.
        if session.ctx.clock.doubt().is_some() {
            continue;
        }
        match session.desk.sample().await {
            Err(ServeError::Ledger(fault)) => return Err(fault.into()),
            // A busy minute has no row; the page shows the gap.
            Err(fault) => tracing::warn!("no sample was taken: {fault}"),
            Ok(()) => {}
        }
    }
}
