//! Examples of what a plan does and leaves out, each with the reason.

use std::collections::BTreeMap;

use crate::config::Firewall;
use crate::guard::Judgement;
use crate::model::{Action, Entry, Indicator, List, UnixTime};
use crate::plan::desired::Candidate;
use crate::plan::{Batch, LeftOut, Wanted, admission};
use crate::stage::replan::Ingredients;

use crate::status::layout::bound;

use super::{Example, Group, SHOWN};

/// What examples are picked from.
pub(super) struct Sample<'a> {
    pub config: &'a Firewall,
    pub made: &'a Ingredients,
    pub now: UnixTime,
}

impl Sample<'_> {
    /// What is sent, by action, list, class and EndTime.
    pub fn groups(&self, batches: &[Batch]) -> Vec<Group> {
        let mut groups = BTreeMap::new();
        for batch in batches {
            let (action, list, class, end_time) =
                (batch.action(), batch.list, batch.class, batch.end_time());
            let group = groups
                .entry((action, list, class, end_time))
                .or_insert_with(|| Group {
                    action,
                    list,
                    class,
                    end_time,
                    calls: 0,
                    entries: 0,
                    examples: Vec::new(),
                });
            group.calls += 1;
            group.entries += batch.len() as u64;
            if group.examples.len() < SHOWN {
                self.pick(action, batch.entries(), &mut group.examples);
            }
        }
        groups.into_values().collect()
    }

    fn pick(&self, action: Action, entries: Vec<Entry>, examples: &mut Vec<Example>) {
        for entry in entries {
            let known = examples.iter().any(|one| one.indicator == entry.indicator);
            if examples.len() < SHOWN && !known {
                let why = self.why(action, &entry);
                let indicator = entry.indicator;
                examples.push(Example { indicator, why });
            }
        }
    }

    fn why(&self, action: Action, entry: &Entry) -> String {
        match action {
            Action::Add => match self.wanted(entry) {
                Some(wanted) => format!(
                    "wanted with score {:.2}, and not there",
                    score(wanted.score)
                ),
                None => "wanted, and not there".to_owned(),
            },
            Action::Edit => "still wanted, and due for renewal".to_owned(),
            Action::Delete => self.why_gone(entry),
        }
    }

    /// Why an entry of ours is no longer wanted.
    fn why_gone(&self, entry: &Entry) -> String {
        if self.made.standing.withdrawn {
            return "everything is being taken back".to_owned();
        }
        if let Some(wanted) = self.wanted(entry) {
            return format!(
                "its score of {:.2} is too low for a place",
                score(wanted.score)
            );
        }
        let Some(candidate) = self.candidate(entry) else {
            return "no feed lists it any more".to_owned();
        };
        let indicator = &candidate.indicator;
        match self.judge(entry.list, indicator) {
            Judgement::Cleared(_) if !self.config.terms.accept.contains(&indicator.class()) => {
                format!("the class {} is no longer taken", indicator.class())
            }
            Judgement::Cleared(_) => format!("no longer wanted {}", bound(entry.direction)),
            judgement => judgement.to_string(),
        }
    }

    fn wanted(&self, entry: &Entry) -> Option<&Wanted> {
        let wanted = &self.made.wanted;
        let at = wanted
            .binary_search_by(|wanted| wanted.entry().cmp(entry))
            .ok()?;
        wanted.get(at)
    }

    fn candidate(&self, entry: &Entry) -> Option<&Candidate> {
        let candidates = self.made.say.candidates(entry.list);
        let at = candidates
            .binary_search_by(|one| one.indicator.cmp(&entry.indicator))
            .ok()?;
        candidates.get(at)
    }

    fn judge(&self, list: List, indicator: &Indicator) -> Judgement {
        match list {
            List::Block => self.made.say.guards().judge(indicator),
            List::Allow => self.made.say.guards().judge_allow(indicator),
        }
    }

    /// A few examples of each reason.
    pub fn left_out(&self) -> BTreeMap<LeftOut, Vec<Example>> {
        let mut examples: BTreeMap<LeftOut, Vec<Example>> = BTreeMap::new();
        let mut add = |reason: LeftOut, indicator: &Indicator, why: &dyn Fn() -> String| {
            let kept = examples.entry(reason).or_default();
            let known = kept.last().is_some_and(|last| last.indicator == *indicator);
            if kept.len() < SHOWN && !known {
                let (indicator, why) = (indicator.clone(), why());
                kept.push(Example { indicator, why });
            }
        };
        for list in [List::Block, List::Allow] {
            for candidate in self.made.say.candidates(list) {
                self.of_listed(list, &candidate.indicator, &mut add);
            }
        }
        self.of_wanted(&mut add);
        examples
    }

    /// What the guards and the config leave out of one listed indicator.
    fn of_listed(&self, list: List, indicator: &Indicator, add: &mut Add<'_>) {
        let accept = &self.config.terms.accept;
        let judgement = self.judge(list, indicator);
        let class = |one: &Indicator| format!("{} is not in `accept`", one.class());
        match &judgement {
            Judgement::Struck(strike) => add(LeftOut::Guarded, indicator, &|| strike.to_string()),
            Judgement::Held(hold) => add(LeftOut::HeldByGuard, indicator, &|| hold.to_string()),
            Judgement::Cleared(_) if !accept.contains(&indicator.class()) => {
                add(LeftOut::ClassNotAccepted, indicator, &|| class(indicator));
            }
            Judgement::Cleared(_) => {}
            Judgement::Carved { pieces, .. } => {
                let mut pieces = pieces.iter().map(|piece| piece.indicator());
                if let Some(piece) = pieces.find(|piece| !accept.contains(&piece.class())) {
                    add(LeftOut::ClassNotAccepted, piece, &|| {
                        format!("a piece of {indicator}; {}", class(piece))
                    });
                }
            }
        }
    }

    /// What the firewall and the contest for places leave out of what is wanted.
    fn of_wanted(&self, add: &mut Add<'_>) {
        let standing = &self.made.standing;
        let left = |reason, wanted: &Wanted| {
            let one = wanted.cleared.indicator();
            add(reason, one, &|| match reason {
                LeftOut::EndsTooSoon => format!("its listings end {}", wanted.expires),
                LeftOut::Quota => format!("score {:.2}", score(wanted.score)),
                LeftOut::GuardsUnheard => {
                    "nothing is added before every guard list was fetched well once".to_owned()
                }
                LeftOut::Foreign => format!("somebody else holds it {}", bound(wanted.direction)),
                LeftOut::Quarantined => "the cloud refused it alone".to_owned(),
                LeftOut::ClassRefused => {
                    format!("the firewall refuses the class {}", one.class())
                }
                LeftOut::Covered => "a network on the list holds it".to_owned(),
                LeftOut::Guarded | LeftOut::HeldByGuard | LeftOut::ClassNotAccepted => {
                    reason.as_str().to_owned()
                }
            });
        };
        if !standing.withdrawn {
            let wanted = self.made.wanted.clone();
            admission::admit(&self.config.terms, standing, wanted, left, self.now);
        }
    }
}

/// Takes an example: its reason, the indicator, and why.
type Add<'a> = dyn FnMut(LeftOut, &Indicator, &dyn Fn() -> String) + 'a;

fn score(millionths: u32) -> f64 {
    f64::from(millionths) / 1e6
}
