//! The way to the cloud: each call with its own permit and signature, writes in the journal before they go, and a
//! proxy's rules read whole.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::{L4Error, Place};
use crate::cloud::teo::{
    CreateL4ProxyRules, DeleteL4ProxyRules, DescribeL4ProxyRules, MOST_ROWS, ModifyL4ProxyRules,
    Row,
};
use crate::cloud::{
    Action, Answer, Client, Credentials, Keys, Limiter, Limits, Predecessor, Reply, Retry,
    Surroundings, Verdict,
};
use crate::config::L4;
use crate::ledger::NewL4Call;
use crate::stage::Context;

/// How often a page is asked for before the reading fails.
const TRIES: u32 = 6;

/// How often a reading begins anew because the rules changed while they were read.
const PASSES: u32 = 3;

/// The longest wait between two tries.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// Sends calls on proxy rules, by one `[l4]` of the config.
pub struct Desk {
    pub(super) ctx: Context,
    client: Client,
    credentials: Credentials,
    /// The keys were refused: they are fetched again before the next call.
    refused_keys: AtomicBool,
    limits: Limits,
    rate: u32,
}

/// A call that changes rules.
#[derive(Debug)]
pub(super) enum Request {
    Create(CreateL4ProxyRules),
    Modify(ModifyL4ProxyRules),
    Delete(DeleteL4ProxyRules),
}

/// What was said to one.
#[derive(Debug)]
pub(super) struct Said {
    /// Its key in the journal.
    pub call: i64,
    pub answer: Answer,
    pub verdict: Verdict,
    pub request_id: Option<String>,
    pub took: Duration,
    /// Of a create that went well.
    pub rule_ids: Vec<String>,
}

impl Desk {
    /// Connects nothing yet.
    ///
    /// # Errors
    /// When the endpoint will not do.
    pub fn new(ctx: Context, config: &L4, around: Surroundings) -> Result<Self, L4Error> {
        let client = Client::new(&config.endpoint)?;
        let credentials = Credentials::new(config.credentials.clone(), around)
            .map_err(crate::cloud::ClientError::from)?;
        Ok(Self {
            ctx,
            client,
            credentials,
            refused_keys: AtomicBool::new(false),
            limits: Limits::default(),
            rate: config.rate,
        })
    }

    /// Keeps the calls of the process before this one and ours out of the same second.
    ///
    /// # Errors
    /// When the ledger cannot be read, or there are no keys.
    pub(super) async fn resume(&self) -> Result<(), L4Error> {
        let Some(last) = self.ctx.ledger.l4_last_call().await? else {
            return Ok(());
        };
        let now_ms = self.ctx.clock.now_ms();
        let age = u64::try_from(now_ms.saturating_sub(last.at_ms)).unwrap_or(0) / 1000;
        let age = Duration::from_secs(age);
        let predecessor = if last.unsettled {
            Predecessor::Unanswered(age)
        } else {
            Predecessor::Answered(age)
        };
        let keys = self.keys().await?;
        for action in [
            CreateL4ProxyRules::NAME,
            ModifyL4ProxyRules::NAME,
            DeleteL4ProxyRules::NAME,
        ] {
            self.limiter(&keys, action).resume_after(predecessor);
        }
        Ok(())
    }

    /// Every rule of a proxy, in the order of their ids, from one whole reading.
    ///
    /// # Errors
    /// When they cannot be read, or change each time while they are read.
    pub async fn read(
        &self,
        place: &Place,
        cancel: &CancellationToken,
    ) -> Result<Vec<Row>, L4Error> {
        for _ in 0..PASSES {
            if let Some(rows) = self.pass(place, cancel).await? {
                return Ok(rows);
            }
        }
        let why = "they change while they are read".to_owned();
        Err(L4Error::Read(place.clone(), why))
    }

    /// One reading; `None` where it is not whole.
    async fn pass(
        &self,
        place: &Place,
        cancel: &CancellationToken,
    ) -> Result<Option<Vec<Row>>, L4Error> {
        let mut rows = BTreeMap::new();
        let mut offset = 0;
        let mut total = None;
        loop {
            let call = DescribeL4ProxyRules {
                zone_id: place.zone.clone(),
                proxy_id: place.proxy.clone(),
                offset,
                limit: MOST_ROWS,
            };
            let page = self.ask(place, &call, cancel).await?;
            let count = u32::try_from(page.rules.len()).unwrap_or(u32::MAX);
            let says = page.total_count.and_then(|count| u32::try_from(count).ok());
            if total.is_some_and(|total| says != Some(total)) {
                return Ok(None);
            }
            total = says;
            offset = offset.saturating_add(count);
            for row in page.rules {
                rows.insert(row.rule_id.clone(), row);
            }
            let whole = says.unwrap_or(offset);
            if count == 0 || offset >= whole {
                let complete = u32::try_from(rows.len()).is_ok_and(|have| have == whole);
                return Ok(complete.then(|| rows.into_values().collect()));
            }
        }
    }

    async fn ask(
        &self,
        place: &Place,
        call: &DescribeL4ProxyRules,
        cancel: &CancellationToken,
    ) -> Result<crate::cloud::teo::Page, L4Error> {
        let mut tries = 0;
        loop {
            let keys = self.keys().await?;
            let limiter = self.limiter(&keys, DescribeL4ProxyRules::NAME);
            let permit = limiter.place().await.permit().await;
            let told_with = self.ctx.clock.offset();
            let now = self.ctx.clock.now();
            let reply = self.client.send(call, &keys, permit, now).await;
            let verdict = reply.verdict();
            self.learn(&keys, DescribeL4ProxyRules::NAME, verdict, told_with);
            tries += 1;
            let wait = match verdict {
                Verdict::Applied => match reply.body {
                    Some(page) => return Ok(page),
                    None => backoff(tries),
                },
                Verdict::Retry(_) | Verdict::Unknown => backoff(tries),
                Verdict::Resign { .. } | Verdict::Reauthenticate if tries < 3 => Duration::ZERO,
                _ => tries_are_over(place, &reply)?,
            };
            if tries >= TRIES {
                tries_are_over(place, &reply)?;
            }
            if !sleep(cancel, wait).await {
                let why = "it was told to stop".to_owned();
                return Err(L4Error::Read(place.clone(), why));
            }
        }
    }

    /// Writes a call into the journal, and sends it once.
    pub(super) async fn write(
        &self,
        call: &NewL4Call<'_>,
        request: &Request,
    ) -> Result<Said, L4Error> {
        match request {
            Request::Create(create) => {
                let (call, reply) = self.send(call, create).await?;
                let rule_ids = reply.body.clone().unwrap_or_default().rule_ids;
                Ok(Said::of(call, reply, rule_ids))
            }
            Request::Modify(modify) => {
                let (call, reply) = self.send(call, modify).await?;
                Ok(Said::of(call, reply, Vec::new()))
            }
            Request::Delete(delete) => {
                let (call, reply) = self.send(call, delete).await?;
                Ok(Said::of(call, reply, Vec::new()))
            }
        }
    }

    async fn send<A: Action>(
        &self,
        call: &NewL4Call<'_>,
        request: &A,
    ) -> Result<(i64, Reply<A::Response>), L4Error> {
        let keys = self.keys().await?;
        let place = self.limiter(&keys, A::NAME).place().await;
        let now_ms = self.ctx.clock.now_ms();
        let id = self.ctx.ledger.l4_journal(call, now_ms).await?;
        let permit = place.permit().await;
        let told_with = self.ctx.clock.offset();
        let now = self.ctx.clock.now();
        let reply = self.client.send(request, &keys, permit, now).await;
        self.learn(&keys, A::NAME, reply.verdict(), told_with);
        Ok((id, reply))
    }

    /// Takes from an answer what concerns every later call.
    fn learn(&self, keys: &Keys, action: &str, verdict: Verdict, told_with: i64) {
        match verdict {
            Verdict::Resign { ahead } if self.ctx.clock.correct(told_with, ahead) => {
                tracing::warn!(
                    seconds = ahead,
                    "this machine's clock is off by this much against the cloud's; calls are signed with the cloud's time. Set the clock right"
                );
            }
            Verdict::Reauthenticate => self.refused_keys.store(true, Ordering::Relaxed),
            Verdict::Retry(Retry::Slower { limit }) => {
                self.limiter(keys, action).slow_down(limit);
            }
            _ => {}
        }
    }

    async fn keys(&self) -> Result<Arc<Keys>, L4Error> {
        let now = self.ctx.clock.now();
        if self.refused_keys.swap(false, Ordering::Relaxed) {
            return Ok(self.credentials.fetch_again(now).await?);
        }
        Ok(self.credentials.keys(now).await?)
    }

    fn limiter(&self, keys: &Keys, action: &str) -> Arc<Limiter> {
        let endpoint = self.client.endpoint();
        self.limits.of(keys.account(), endpoint, action, self.rate)
    }
}

impl Said {
    fn of<T>(call: i64, reply: Reply<T>, rule_ids: Vec<String>) -> Self {
        Self {
            call,
            verdict: reply.verdict(),
            answer: reply.answer,
            request_id: reply.request_id,
            took: reply.took,
            rule_ids,
        }
    }

    /// What was said, in a sentence, raw.
    pub(super) fn sentence(&self) -> String {
        sentence(&self.answer, self.request_id.as_deref())
    }
}

fn tries_are_over<T>(place: &Place, reply: &Reply<T>) -> Result<Duration, L4Error> {
    let why = sentence(&reply.answer, reply.request_id.as_deref());
    Err(L4Error::Read(place.clone(), why))
}

fn sentence(answer: &Answer, request_id: Option<&str>) -> String {
    let (code, message) = (answer.code(), answer.message());
    let id = request_id.map_or(String::new(), |id| format!(" (RequestId {id})"));
    match message.is_empty() {
        true => format!("{code}{id}"),
        false => format!("{code}: {message}{id}"),
    }
}

/// The wait after so many tries: a second doubled, and up to half of it more by chance.
pub(super) fn backoff(tries: u32) -> Duration {
    let wait = Duration::from_millis(500).saturating_mul(2u32.saturating_pow(tries.min(10)));
    wait.min(LONGEST_WAIT).mul_f64(1.0 + fastrand::f64() / 2.0)
}

/// Sleeps, but not past a cancellation. `false` where it was cancelled.
pub(super) async fn sleep(cancel: &CancellationToken, span: Duration) -> bool {
    tokio::select! {
        () = cancel.cancelled() => false,
        () = tokio::time::sleep(span) => true,
    }
}
