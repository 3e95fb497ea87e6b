//! Rules on their way to the cloud: batches of one proxy, one call at a time, for a proxy that is being deployed takes no
//! second call. What the cloud will not have is halved until the bad rule stands alone; what has no answer is settled
//! by reading back.

mod books;

use std::collections::VecDeque;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::desk::{Desk, Request, Said, backoff, sleep};
use super::report::{Progress, Report};
use super::rule::Rule;
use super::{L4Error, Place, plan, settle};
use crate::cloud::limit::LATE;
use crate::cloud::teo::{
    CreateL4ProxyRules, DeleteL4ProxyRules, MOST_RULES, ModifyL4ProxyRules, Row,
};
use crate::cloud::{Answer, Retry, Verdict};
use crate::ledger::{L4Action, L4Item, NewL4Call};

/// How often a batch is sent before it is given up.
const TRIES: u32 = 6;

/// How often a batch is sent that is refused for no stated reason, before it counts as refused for what it holds.
const TRIES_WITHOUT_REASON: u32 = 3;

/// The longest rest between two calls at a proxy that is being deployed.
const LONGEST_REST: Duration = Duration::from_secs(5);

/// After so many lone rules that were refused alike, and none taken, it is not the rules.
const ALIKE: usize = 3;

/// One rule of a call.
#[derive(Clone, Debug)]
pub(super) struct Unit {
    /// The line of the file; 0 where it stands in none.
    pub line: usize,
    /// None while it is to be made.
    pub rule_id: Option<String>,
    pub rule: Rule,
}

/// One run of calls.
pub(super) struct Sender<'a> {
    pub desk: &'a Desk,
    pub cancel: &'a CancellationToken,
    pub progress: &'a watch::Sender<Progress>,
    /// How long a proxy that is being deployed is waited for.
    pub patience: Duration,
    pub report: Report,
    /// Why nothing more is sent anywhere.
    pub halt: Option<String>,
}

/// Whose rules, and where.
#[derive(Clone, Copy, Debug)]
pub(super) struct Target<'a> {
    pub set: &'a str,
    pub place: &'a Place,
    pub action: L4Action,
}

struct Batch {
    units: Vec<Unit>,
    tries: u32,
    /// When it was first told to come later.
    since: Option<Instant>,
}

/// What to do after an attempt. What was applied has left the batch.
enum Next {
    Done,
    Again(Duration, String),
    /// The cloud has something else to do with this proxy just now, perhaps for minutes.
    Later(String),
    Refused(Answer, Option<String>),
    TooLarge(Answer, Option<String>),
    /// Nothing more of this kind at this place.
    Stop(String),
    /// Nothing more anywhere.
    Halt(String),
}

impl Sender<'_> {
    /// Sends `units`, and notes in the report what came of each.
    pub(super) async fn send(
        &mut self,
        target: Target<'_>,
        units: Vec<Unit>,
    ) -> Result<(), L4Error> {
        let mut queue: VecDeque<Batch> = units
            .chunks(MOST_RULES)
            .map(|units| Batch::new(units.to_vec()))
            .collect();
        let mut lone: Vec<String> = Vec::new();
        let mut any_taken = false;
        while let Some(mut batch) = queue.pop_front() {
            let rest: usize = queue.iter().map(|batch| batch.units.len()).sum();
            if let Some(why) = self.reason_to_end() {
                self.stopped(target, batch.units.len() + rest, why);
                return Ok(());
            }
            let before = batch.units.len();
            let next = self.attempt(target, &mut batch).await?;
            any_taken |= batch.units.len() < before;
            self.done(before - batch.units.len());
            match next {
                Next::Done => {}
                Next::Again(wait, why) => {
                    batch.tries += 1;
                    if batch.tries >= TRIES {
                        let why = format!("given up after {TRIES} tries: {why}");
                        self.stopped(target, batch.units.len() + rest, why);
                        return Ok(());
                    }
                    sleep(self.cancel, wait).await;
                    queue.push_front(batch);
                }
                Next::Later(why) => {
                    batch.tries += 1;
                    let since = *batch.since.get_or_insert_with(Instant::now);
                    if since.elapsed() >= self.patience {
                        let why = format!("given up after a while: {why}");
                        self.stopped(target, batch.units.len() + rest, why);
                        return Ok(());
                    }
                    sleep(self.cancel, backoff(batch.tries).min(LONGEST_REST)).await;
                    queue.push_front(batch);
                }
                Next::Refused(answer, id) | Next::TooLarge(answer, id)
                    if batch.units.len() == 1 =>
                {
                    lone.push(answer.code().into_owned());
                    self.refused(target, &batch.units, &answer, id);
                    self.done(1);
                    let alike = lone.iter().all(|code| *code == lone[0]);
                    if !any_taken && alike && lone.len() >= ALIKE && rest > 0 {
                        let why = format!(
                            "the first {ALIKE} rules were refused alike ({}), so it is not the rules",
                            answer.code()
                        );
                        self.stopped(target, rest, why);
                        return Ok(());
                    }
                }
                Next::Refused(..) | Next::TooLarge(..) => {
                    let second = batch.units.split_off(batch.units.len() / 2);
                    for units in [second, batch.units] {
                        queue.push_front(Batch::new(units));
                    }
                }
                Next::Stop(why) => {
                    self.stopped(target, batch.units.len() + rest, why);
                    return Ok(());
                }
                Next::Halt(why) => {
                    self.stopped(target, batch.units.len() + rest, why.clone());
                    self.halt = Some(why);
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    async fn attempt(&mut self, target: Target<'_>, batch: &mut Batch) -> Result<Next, L4Error> {
        let items: Vec<L4Item> = batch.units.iter().map(Unit::item).collect();
        let call = NewL4Call {
            set: target.set,
            zone: &target.place.zone,
            proxy: &target.place.proxy,
            action: target.action,
            items: &items,
        };
        let request = request(target, &batch.units);
        let said = self.desk.write(&call, &request).await?;
        self.report.write_calls += 1;
        let whole = target.action != L4Action::Create || said.rule_ids.len() == items.len();
        match said.verdict {
            Verdict::Applied if whole => self.applied(target, batch, items, &said).await,
            // A create without its ids: whatever was made is found by reading.
            Verdict::Applied
            | Verdict::Unknown
            | Verdict::Retry(Retry::Failed | Retry::ThenRefused) => {
                self.settle_by_reading(target, batch, items, said).await
            }
            verdict => {
                self.not_applied(&said, verdict).await?;
                self.after_refusal(target, batch, said).await
            }
        }
    }

    async fn applied(
        &mut self,
        target: Target<'_>,
        batch: &mut Batch,
        mut items: Vec<L4Item>,
        said: &Said,
    ) -> Result<Next, L4Error> {
        if target.action == L4Action::Create {
            for (item, id) in items.iter_mut().zip(&said.rule_ids) {
                item.rule_id = Some(id.clone());
            }
        }
        self.settle(said, "applied", items.clone()).await?;
        self.take(target, batch, &items, said.request_id.as_deref());
        Ok(Next::Done)
    }

    /// What nobody answered for, or may have been done before the failure, is looked for in the cloud.
    async fn settle_by_reading(
        &mut self,
        target: Target<'_>,
        batch: &mut Batch,
        items: Vec<L4Item>,
        said: Said,
    ) -> Result<Next, L4Error> {
        let silent = matches!(
            said.answer,
            Answer::NoAnswer { .. } | Answer::Garbled { .. }
        );
        // Without the wait a call that is still on its way would be taken for lost; it would be found later.
        let wait = if silent { LATE } else { Duration::from_secs(1) };
        sleep(self.cancel, wait).await;
        let rows = match self.desk.read(target.place, self.cancel).await {
            Ok(rows) => rows,
            Err(L4Error::Read(_, why)) => {
                let why = format!(
                    "{}, and the rules cannot be read back ({why}); the next run settles what the call did",
                    said.sentence()
                );
                return Ok(Next::Halt(why));
            }
            Err(fault) => return Err(fault),
        };
        let known = self.known_ids(target.place).await?;
        let found = settle::found(target.action, &items, &rows, &known);
        let word = settle::word(target.action, found.len(), items.len());
        self.settle(&said, word, found.clone()).await?;
        self.take(target, batch, &found, None);
        let reason = said.verdict == Verdict::Retry(Retry::ThenRefused);
        if batch.units.is_empty() {
            Ok(Next::Done)
        } else if reason && batch.tries + 1 >= TRIES_WITHOUT_REASON {
            Ok(Next::Refused(said.answer, said.request_id))
        } else {
            Ok(Next::Again(backoff(batch.tries), said.sentence()))
        }
    }

    /// What to do with a call that was surely not applied.
    async fn after_refusal(
        &mut self,
        target: Target<'_>,
        batch: &mut Batch,
        said: Said,
    ) -> Result<Next, L4Error> {
        let code = said.answer.code().into_owned();
        Ok(match said.verdict {
            Verdict::Full => Next::Stop(format!(
                "the proxy takes no more rules: {}",
                said.sentence()
            )),
            Verdict::Stop => Next::Halt(said.sentence()),
            Verdict::Reauthenticate | Verdict::Resign { .. } => {
                Next::Again(Duration::ZERO, said.sentence())
            }
            Verdict::Split => Next::TooLarge(said.answer, said.request_id),
            Verdict::Refused if is_of_the_call(target.action, &code) => Next::Stop(said.sentence()),
            Verdict::Refused => {
                let found = match target.action {
                    L4Action::Create if code == TAKEN => self.find_lost(target, batch).await?,
                    L4Action::Delete => self.find_gone(target, batch).await?,
                    _ => 0,
                };
                match found {
                    0 => Next::Refused(said.answer, said.request_id),
                    _ if batch.units.is_empty() => Next::Done,
                    _ => Next::Again(Duration::ZERO, said.sentence()),
                }
            }
            Verdict::Retry(Retry::Later) if matches!(said.answer, Answer::Error { .. }) => {
                Next::Later(said.sentence())
            }
            _ => Next::Again(backoff(batch.tries), said.sentence()),
        })
    }

    /// A port is taken: perhaps by a rule that a call of ours made whose answer never came, and which no reading
    /// had shown yet. Returns how many of the batch's rules are such.
    async fn find_lost(&mut self, target: Target<'_>, batch: &mut Batch) -> Result<usize, L4Error> {
        let lost = settle::lost(self.desk, target.place).await?;
        let items: Vec<L4Item> = batch
            .units
            .iter()
            .filter(|unit| lost.contains(&plan::text(&unit.rule)))
            .map(Unit::item)
            .collect();
        if items.is_empty() {
            return Ok(0);
        }
        let rows = self.desk.read(target.place, self.cancel).await?;
        let known = self.known_ids(target.place).await?;
        let found = settle::found(L4Action::Create, &items, &rows, &known);
        let (zone, proxy) = (&target.place.zone, &target.place.proxy);
        let now_ms = self.desk.ctx.clock.now_ms();
        let ledger = &self.desk.ctx.ledger;
        ledger
            .l4_adopt(target.set, zone, proxy, &found, now_ms)
            .await?;
        self.take(target, batch, &found, None);
        Ok(found.len())
    }

    /// A delete is refused: perhaps for a rule that is gone already. Returns how many of the batch's are.
    async fn find_gone(&mut self, target: Target<'_>, batch: &mut Batch) -> Result<usize, L4Error> {
        let rows: Vec<Row> = self.desk.read(target.place, self.cancel).await?;
        let items: Vec<L4Item> = batch.units.iter().map(Unit::item).collect();
        let gone = settle::found(L4Action::Delete, &items, &rows, &[]);
        let is_gone = |row: &&crate::ledger::L4RuleRow| {
            row.zone == target.place.zone
                && row.proxy == target.place.proxy
                && gone
                    .iter()
                    .any(|item| item.rule_id.as_deref() == Some(&row.rule_id))
        };
        let held = self.desk.ctx.ledger.l4_rules().await?;
        let keys: Vec<_> = held
            .iter()
            .filter(is_gone)
            .map(|row| (row.id, None))
            .collect();
        self.desk.ctx.ledger.l4_observe(&keys).await?;
        self.take(target, batch, &gone, None);
        Ok(gone.len())
    }
}

/// `InvalidParameter.RulePortDuplicating`
const TAKEN: &str = "InvalidParameter.RulePortDuplicating";

/// Codes that speak of the zone, the proxy or the account, and not of a rule.
fn is_of_the_call(action: L4Action, code: &str) -> bool {
    let place = code.starts_with("ResourceNotFound") && action == L4Action::Create;
    place || code.starts_with("OperationDenied") || code.starts_with("InvalidParameter.Zone")
}

fn request(target: Target<'_>, units: &[Unit]) -> Request {
    let (zone_id, proxy_id) = (target.place.zone.clone(), target.place.proxy.clone());
    let rules = || {
        let one = |unit: &Unit| unit.rule.request(unit.rule_id.as_deref());
        units.iter().map(one).collect()
    };
    match target.action {
        L4Action::Create => Request::Create(CreateL4ProxyRules {
            zone_id,
            proxy_id,
            rules: rules(),
        }),
        L4Action::Modify => Request::Modify(ModifyL4ProxyRules {
            zone_id,
            proxy_id,
            rules: rules(),
        }),
        L4Action::Delete => Request::Delete(DeleteL4ProxyRules {
            zone_id,
            proxy_id,
            rule_ids: units
                .iter()
                .filter_map(|unit| unit.rule_id.clone())
                .collect(),
        }),
    }
}

impl Batch {
    fn new(units: Vec<Unit>) -> Self {
        Self {
            units,
            tries: 0,
            since: None,
        }
    }
}

impl Unit {
    pub(super) fn item(&self) -> L4Item {
        L4Item {
            rule_id: self.rule_id.clone(),
            rule: Some(plan::text(&self.rule)),
            tag: self.rule.tag().map(|tag| tag.as_str().to_owned()),
        }
    }
}
