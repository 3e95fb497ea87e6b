//! Whether the real thing is what the model says.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::bench::{Bench, at};
use crate::ledger::{NewCall, Outcome, Settlement};
use crate::model::{Direction, Lease, List};
use crate::plan::Plan;
use crate::stage::replan;
use crate::stage::tests::model::{Atom, GRID, Model, NAMES, end_time, indicator};

impl Bench {
    async fn plan(&self) -> Plan {
        let firewall = &self.config.firewalls[0];
        replan::turn(&self.ctx, &self.guards, &self.memory, firewall, &self.heard)
            .await
            .unwrap()
    }

    pub(super) async fn leases(&self) -> Vec<Lease> {
        let firewall = self.ctx.ledger.firewalls().await.unwrap().pop().unwrap();
        let mut leases = self.ctx.ledger.leases(firewall.id).await.unwrap();
        leases.retain(|lease| lease.end_time > at(self.now));
        leases
    }

    /// Does what the sender and a cloud that takes everything do, until nothing is left.
    pub(super) async fn settle(&self) {
        let firewall = self.ctx.ledger.firewalls().await.unwrap().pop().unwrap();
        for _ in 0..6 {
            let plan = self.plan().await;
            assert!(plan.left_out.values().all(|count| *count > 0));
            if plan.batches.is_empty() {
                // Nothing has changed, so nothing changes; and a memory that knows nothing finds the same.
                assert_eq!(self.plan().await.batches, []);
                assert_eq!(plan.held, plan.desired);
                return;
            }
            for batch in &plan.batches {
                self.check_ends(batch);
                let entries = batch.entries();
                let call = NewCall {
                    firewall: firewall.id,
                    list: batch.list,
                    action: batch.action(),
                    end_time: batch.end_time(),
                    entries: &entries,
                    trial: None,
                };
                let ledger = &self.ctx.ledger;
                let id = ledger.journal(&call, self.now * 1000).await.unwrap();
                let settlement = Settlement {
                    verdict: "applied",
                    code: None,
                    message: None,
                    request_id: None,
                    duration_ms: 1,
                    outcome: Outcome::Applied,
                };
                ledger
                    .settle(id, &settlement, self.now * 1000 + 1)
                    .await
                    .unwrap();
            }
        }
        panic!("six plans did not settle it");
    }

    /// An EndTime is that of a reason to block the entry.
    fn check_ends(&self, batch: &crate::plan::Batch) {
        let Some(end) = batch.end_time() else { return };
        for entry in batch.entries() {
            for atom in atoms_of(&entry.indicator, entry.direction) {
                let reasons = self.model.reasons(atom, self.now);
                let is_reason =
                    |(expires, _): &(i64, bool)| at(end_time(*expires, self.now)) == end;
                assert!(
                    reasons.iter().any(is_reason),
                    "{entry:?} until {end}: {reasons:?}"
                );
            }
        }
    }

    pub(super) async fn check(&self, before: &BTreeSet<Atom>) {
        self.check_claims().await;
        let leases = self.leases().await;
        let blocked = blocked(&leases);
        if self.tight {
            assert_eq!(blocked, self.model.admitted(before, self.now));
        } else {
            let (must, may) = self.model.bounds(before, self.now);
            let missing: Vec<_> = must.difference(&blocked).collect();
            let wrong: Vec<_> = blocked.difference(&may).collect();
            assert!(
                missing.is_empty() && wrong.is_empty(),
                "missing {missing:?}, wrong {wrong:?}"
            );
        }
        for lease in &leases {
            self.check_lease(lease);
        }
    }

    /// What the feeds say together is what the model says.
    async fn check_claims(&self) {
        let (now, grid) = (at(self.now), Duration::from_secs(GRID.unsigned_abs()));
        let listed = self
            .memory
            .listed(&self.ctx, &self.guards, &self.heard, now)
            .await
            .unwrap();
        let candidates = listed.candidates(List::Block, grid, now);
        for (place, text) in NAMES.iter().enumerate() {
            let ours = candidates
                .iter()
                .find(|one| one.indicator == indicator(place));
            let ours = ours.map(|one| crate::stage::tests::model::Claim {
                score: one.score,
                first: one.first_listed.seconds(),
                ends: one
                    .ends
                    .map(|end| end.map(|(end, lapsed)| (end.seconds(), lapsed))),
            });
            assert_eq!(ours, self.model.claim(place, self.now), "{text}");
        }
    }

    /// On the grid, no longer than a lease, and renewed in time while there is reason to.
    fn check_lease(&self, lease: &Lease) {
        let (end, set) = (lease.end_time.seconds(), lease.set_at.seconds());
        assert_eq!(end % GRID, 0);
        assert!(end <= end_time(i64::MAX, set));
        let left = end - self.now;
        // What holds only a part of the entry is no reason to renew all of it.
        let mut atoms = atoms_of(&lease.entry.indicator, lease.entry.direction);
        let over = |atom: Atom| {
            let claims = self.model.claims_on(atom, self.now).into_iter();
            claims.filter(|(_, (_, passed))| !passed)
        };
        let mut whole: BTreeMap<usize, (i64, bool)> =
            atoms.next().into_iter().flat_map(over).collect();
        for atom in atoms {
            let here: BTreeMap<_, _> = over(atom).collect();
            whole.retain(|claimed, _| here.contains_key(claimed));
        }
        let could = whole.values().map(|(end, _)| end_time(*end, self.now));
        let could = could.min().unwrap_or(0);
        let worthwhile = could >= end + GRID && !self.model.wall.withdrawn;
        assert!(
            !worthwhile || left >= (end - set) / 3 - GRID,
            "{lease:?} is not renewed"
        );
    }
}

/// The places of the universe that an entry blocks.
fn atoms_of(
    entry: &crate::model::Indicator,
    direction: Direction,
) -> impl Iterator<Item = Atom> + use<> {
    let entry = entry.clone();
    let is_held = move |(place, to): &Atom| {
        let here = indicator(*place);
        let inside = entry.net().zip(here.net());
        *to == direction && inside.map_or(here == entry, |(net, here)| net.contains(&here))
    };
    Model::atoms().filter(is_held)
}

pub(super) fn blocked(leases: &[Lease]) -> BTreeSet<Atom> {
    let atoms = leases
        .iter()
        .flat_map(|lease| atoms_of(&lease.entry.indicator, lease.entry.direction));
    atoms.collect()
}
