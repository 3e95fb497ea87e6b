//! Finding the bad entry in a refused batch, with as few calls and as few innocents as can be.
//!
//! First three of its entries go alone. All three refused alike: it is the call or the class, and nothing is
//! quarantined. Otherwise the rest goes on, halved at each refusal, until the bad entry stands alone. Both
//! halves accepted: the batch was too large. The state between calls lives in the ledger.

use std::collections::HashMap;

use crate::model::{Action, Entry, UnixTime};

/// The entries of a firewall that are under trial.
#[derive(Clone, Debug, Default)]
pub struct Suspects {
    /// Under which trial each entry is, and for what that was done to it.
    pub entries: HashMap<Entry, (i64, Action)>,
    /// The trials, and before when each must not be sent.
    pub trials: HashMap<i64, (Trial, UnixTime)>,
}

/// Why a group of entries is kept together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// A batch that failed for no stated reason and is tried again.
    Retry,
    /// One of the three that go alone.
    Probe,
    /// What waits for the probes.
    Rest,
    /// One half of a refused batch.
    Half,
    /// Holds no entries: two halves of a refused batch report to it.
    Fork,
}

/// A group under trial, as the ledger keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trial {
    /// Its key in the ledger.
    pub id: i64,
    /// The trial to which its outcome is reported.
    pub parent: Option<i64>,
    /// Why it exists.
    pub role: Role,
    /// How many entries it held when it was made.
    pub size: usize,
    /// How often it failed for no stated reason.
    pub tries: u32,
    /// Children whose outcome is still out; until then it is not sent.
    pub waiting: u32,
    /// Children that were accepted.
    pub accepted: u32,
    /// Children that were refused.
    pub refused: u32,
    /// Some of its entries left before it was sent, so that its outcome says nothing of its size.
    pub reduced: bool,
    /// The code of the children's refusal; `None` where they differ or none was refused.
    pub code: Option<String>,
}

/// What becomes of a batch that the cloud refused for its content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused<E> {
    /// Three go alone, the rest waits for them.
    Probe {
        /// The three: first, middle and last.
        probes: Vec<E>,
        /// The others.
        rest: Vec<E>,
    },
    /// Each half goes alone.
    Halve(Vec<E>, Vec<E>),
    /// A probe: its parent decides once all three are back.
    Report,
    /// It stands alone and is the bad one.
    Quarantine,
}

/// What the outcomes of all its children say about a trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Children {
    /// All three probes were refused alike: the class or the call itself is not taken.
    ClassRefused,
    /// Some probes were refused: they are the bad ones, and the rest is sent whole. So it is where the bad one may
    /// have left.
    SendRest,
    /// No probe was refused, so the bad one is in the rest: it is halved.
    HalveRest,
    /// Both halves were accepted: so many entries are too many for one call.
    TooLarge,
    /// A half was refused and goes on by itself.
    Done,
    /// Too many of them were dropped to say anything: what is left goes as if nothing had been.
    Nothing,
}

/// How often an unexplained failure is repeated before it counts as a refusal.
pub const TRIES: u32 = 3;

/// Decides what becomes of a refused batch. `too_large`: the cloud said so, so there is nothing to probe for.
#[must_use]
pub fn refused<E>(role: Option<Role>, mut entries: Vec<E>, too_large: bool) -> Refused<E> {
    if role == Some(Role::Probe) {
        return Refused::Report;
    }
    if entries.len() <= 1 {
        return Refused::Quarantine;
    }
    let fresh = matches!(role, None | Some(Role::Retry));
    if fresh && entries.len() > 3 && !too_large {
        let last = entries.pop();
        let middle = entries.remove(entries.len() / 2);
        let first = entries.remove(0);
        let probes = [Some(first), Some(middle), last]
            .into_iter()
            .flatten()
            .collect();
        return Refused::Probe {
            probes,
            rest: entries,
        };
    }
    let second = entries.split_off(entries.len() / 2);
    Refused::Halve(entries, second)
}

/// Decides what a trial does once no child is out any more.
#[must_use]
pub fn children_done(trial: &Trial) -> Children {
    match trial.role {
        Role::Fork if trial.refused > 0 => Children::Done,
        Role::Fork if trial.accepted < 2 => Children::Nothing,
        Role::Fork => Children::TooLarge,
        _ if trial.accepted == 0 && trial.refused >= 3 && trial.code.is_some() => {
            Children::ClassRefused
        }
        // One that is refused says something of itself only beside others.
        _ if trial.accepted == 0 && trial.refused < 3 => Children::Nothing,
        _ if trial.refused > 0 || trial.accepted < 3 || trial.reduced => Children::SendRest,
        _ => Children::HalveRest,
    }
}

impl Suspects {
    /// The trial that `entry` is under for `action`.
    #[must_use]
    pub fn of(&self, entry: &Entry, action: Action) -> Option<i64> {
        let (trial, tried) = self.entries.get(entry)?;
        (*tried == action).then_some(*trial)
    }

    /// Whether a trial's entries may go now: it waits for nobody, and its time has come.
    #[must_use]
    pub fn may_go(&self, trial: i64, now: UnixTime) -> bool {
        self.trials
            .get(&trial)
            .is_none_or(|(trial, not_before)| trial.waiting == 0 && *not_before <= now)
    }
}

impl Role {
    /// The word in the ledger.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Retry => "retry",
            Self::Probe => "probe",
            Self::Rest => "rest",
            Self::Half => "half",
            Self::Fork => "fork",
        }
    }

    /// The role that [`Role::as_str`] names.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Retry, Self::Probe, Self::Rest, Self::Half, Self::Fork]
            .into_iter()
            .find(|role| role.as_str() == word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trial(role: Role, accepted: u32, refused: u32, code: Option<&str>) -> Trial {
        Trial {
            id: 1,
            parent: None,
            role,
            size: 97,
            tries: 0,
            waiting: 0,
            accepted,
            refused,
            reduced: false,
            code: code.map(str::to_owned),
        }
    }

    #[test]
    fn a_fresh_refusal_sends_three_alone() {
        let Refused::Probe { probes, rest } = refused(None, (0..100).collect(), false) else {
            panic!("100 entries are probed");
        };
        assert_eq!(probes, [0, 49, 99]);
        assert_eq!(rest.len(), 97);
    }

    #[test]
    fn what_is_too_large_or_small_is_halved_and_one_alone_is_the_bad_one() {
        assert_eq!(
            refused(None, vec![1, 2, 3, 4, 5], true),
            Refused::Halve(vec![1, 2], vec![3, 4, 5])
        );
        assert_eq!(
            refused(None, vec![1, 2, 3], false),
            Refused::Halve(vec![1], vec![2, 3])
        );
        assert_eq!(
            refused(Some(Role::Half), (0..10).collect(), false),
            Refused::Halve((0..5).collect(), (5..10).collect())
        );
        assert_eq!(
            refused(Some(Role::Half), vec![7], false),
            Refused::Quarantine
        );
        assert_eq!(refused(Some(Role::Probe), vec![7], false), Refused::Report);
    }

    #[test]
    fn the_children_decide() {
        let alike = Some("InvalidParameter");
        assert_eq!(
            children_done(&trial(Role::Rest, 0, 3, alike)),
            Children::ClassRefused
        );
        assert_eq!(
            children_done(&trial(Role::Rest, 0, 3, None)),
            Children::SendRest
        );
        assert_eq!(
            children_done(&trial(Role::Rest, 2, 1, alike)),
            Children::SendRest
        );
        assert_eq!(
            children_done(&trial(Role::Rest, 3, 0, None)),
            Children::HalveRest
        );
        // Where some were dropped, the rest is no more suspect than before.
        for (accepted, refused) in [(0, 0), (0, 1), (0, 2)] {
            let probed = trial(Role::Rest, accepted, refused, alike);
            assert_eq!(children_done(&probed), Children::Nothing);
        }
        assert_eq!(
            children_done(&trial(Role::Rest, 1, 1, alike)),
            Children::SendRest
        );
        assert_eq!(
            children_done(&trial(Role::Rest, 2, 0, None)),
            Children::SendRest
        );
        let reduced = Trial {
            reduced: true,
            ..trial(Role::Rest, 3, 0, None)
        };
        assert_eq!(children_done(&reduced), Children::SendRest);
        assert_eq!(
            children_done(&trial(Role::Fork, 1, 0, None)),
            Children::Nothing
        );
        assert_eq!(
            children_done(&trial(Role::Fork, 2, 0, None)),
            Children::TooLarge
        );
        assert_eq!(
            children_done(&trial(Role::Fork, 1, 1, alike)),
            Children::Done
        );
    }
}
