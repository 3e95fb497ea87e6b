//! Rules on their way to the cloud: batches of one proxy, one call at a time, for a proxy that is being deployed takes no
//! second call. What the cloud will not have is halved until the bad rule stands alone; what has no answer is settled
//! by reading back.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::desk::{Desk, Request, Said, backoff, sleep};
use super::report::{Deed, Progress, Refused, Report, Stopped};
use super::rule::Rule;
use super::{L4Error, Place, plan, settle};
use crate::cloud::limit::LATE;
use crate::cloud::teo::{
    CreateL4ProxyRules, DeleteL4ProxyRules, MOST_RULES, ModifyL4ProxyRules, Row,
};
use crate::cloud::{Answer, Retry, Verdict};
use crate::ledger::{L4Action, L4Item, L4Settlement, NewL4Call};

/// How often a batch is sent before it is given up.
const TRIES: u32 = 6;

/// How often a batch is sent that is refused for no stated reason, before it counts as refused for what it holds.
const TRIES_WITHOUT_REASON: u32 = 3;

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
}

/// What to do after an attempt. What was applied has left the batch.
enum Next {
    Done,
    Again(Duration, String),
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
            .map(|units| Batch {
                units: units.to_vec(),
                tries: 0,
            })
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
                        queue.push_front(Batch { units, tries: 0 });
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

    async fn known_ids(&self, place: &Place) -> Result<Vec<String>, L4Error> {
        let rules = self.desk.ctx.ledger.l4_rules().await?;
        let here = rules
            .into_iter()
            .filter(|row| row.zone == place.zone && row.proxy == place.proxy);
        Ok(here.map(|row| row.rule_id).collect())
    }

    async fn not_applied(&self, said: &Said, verdict: Verdict) -> Result<(), L4Error> {
        let word = match verdict {
            Verdict::Full => "full",
            Verdict::Refused => "refused",
            Verdict::Split => "split",
            Verdict::Stop => "stop",
            Verdict::Reauthenticate | Verdict::Resign { .. } => "reauthenticate",
            Verdict::Applied | Verdict::Retry(_) | Verdict::Unknown => "retry",
        };
        self.settle(said, word, Vec::new()).await
    }

    async fn settle(
        &self,
        said: &Said,
        verdict: &'static str,
        applied: Vec<L4Item>,
    ) -> Result<(), L4Error> {
        let failed = said.answer != Answer::Success;
        let settlement = L4Settlement {
            verdict,
            code: failed.then(|| said.answer.code().into_owned()),
            message: failed.then(|| said.answer.message().into_owned()),
            request_id: said.request_id.clone(),
            duration_ms: i64::try_from(said.took.as_millis()).unwrap_or(i64::MAX),
            applied,
        };
        let now_ms = self.desk.ctx.clock.now_ms();
        let ledger = &self.desk.ctx.ledger;
        Ok(ledger.l4_settle(said.call, &settlement, now_ms).await?)
    }

    /// Takes what is done out of the batch and into the report.
    fn take(
        &mut self,
        target: Target<'_>,
        batch: &mut Batch,
        done: &[L4Item],
        request_id: Option<&str>,
    ) {
        for item in done {
            let is_it = |unit: &Unit| match target.action {
                L4Action::Create => item.rule.as_deref() == Some(&plan::text(&unit.rule)),
                L4Action::Modify | L4Action::Delete => item.rule_id == unit.rule_id,
            };
            let Some(at) = batch.units.iter().position(is_it) else {
                continue;
            };
            let unit = batch.units.remove(at);
            let deed = Deed {
                line: unit.line,
                place: target.place.clone(),
                rule_id: item.rule_id.clone().unwrap_or_default(),
                rule: unit.rule.to_string(),
                request_id: request_id.map(str::to_owned),
                status: None,
            };
            match target.action {
                L4Action::Create => self.report.made.push(deed),
                L4Action::Modify => self.report.changed.push(deed),
                L4Action::Delete => self.report.deleted.push(deed),
            }
        }
    }

    fn refused(&mut self, target: Target<'_>, units: &[Unit], answer: &Answer, id: Option<String>) {
        for unit in units {
            self.report.refused.push(Refused {
                line: unit.line,
                place: target.place.clone(),
                rule: unit.rule.to_string(),
                action: target.action.as_str(),
                code: answer.code().into_owned(),
                message: answer.message().into_owned(),
                request_id: id.clone(),
            });
        }
    }

    fn stopped(&mut self, target: Target<'_>, rules: usize, why: String) {
        self.done(rules);
        self.report.stopped.push(Stopped {
            place: target.place.clone(),
            action: target.action.as_str(),
            rules,
            why,
        });
    }

    fn reason_to_end(&self) -> Option<String> {
        let told = self.cancel.is_cancelled();
        let cancelled = told.then(|| "it was told to stop".to_owned());
        self.halt.clone().or(cancelled)
    }

    fn done(&self, rules: usize) {
        self.progress
            .send_modify(|progress| progress.done += rules as u64);
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

impl Unit {
    pub(super) fn item(&self) -> L4Item {
        L4Item {
            rule_id: self.rule_id.clone(),
            rule: Some(plan::text(&self.rule)),
            tag: self.rule.tag().map(|tag| tag.as_str().to_owned()),
        }
    }
}
