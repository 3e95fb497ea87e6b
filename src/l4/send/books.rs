//! What is written down of calls: into the journal, the report, and the progress.

use super::super::desk::Said;
use super::super::report::{Deed, Refused, Stopped};
use super::super::{L4Error, Place, plan};
use super::{Batch, Sender, Target, Unit};
use crate::cloud::{Answer, Verdict};
use crate::ledger::{L4Action, L4Item, L4Settlement};

impl Sender<'_> {
    pub(super) async fn known_ids(&self, place: &Place) -> Result<Vec<String>, L4Error> {
        let rules = self.desk.ctx.ledger.l4_rules().await?;
        let here = rules
            .into_iter()
            .filter(|row| row.zone == place.zone && row.proxy == place.proxy);
        Ok(here.map(|row| row.rule_id).collect())
    }

    pub(super) async fn not_applied(&self, said: &Said, verdict: Verdict) -> Result<(), L4Error> {
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

    pub(super) async fn settle(
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
    pub(super) fn take(
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

    pub(super) fn refused(
        &mut self,
        target: Target<'_>,
        units: &[Unit],
        answer: &Answer,
        id: Option<String>,
    ) {
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

    pub(super) fn stopped(&mut self, target: Target<'_>, rules: usize, why: String) {
        self.done(rules);
        self.report.stopped.push(Stopped {
            place: target.place.clone(),
            action: target.action.as_str(),
            rules,
            why,
        });
    }

    pub(super) fn reason_to_end(&self) -> Option<String> {
        let told = self.cancel.is_cancelled();
        let cancelled = told.then(|| "it was told to stop".to_owned());
        self.halt.clone().or(cancelled)
    }

    pub(super) fn done(&self, rules: usize) {
        self.progress
            .send_modify(|progress| progress.done += rules as u64);
    }
}
