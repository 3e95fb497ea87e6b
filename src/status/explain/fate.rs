//! One firewall's part of the story: which places there are, what became of each, and why there are none.

use std::collections::{BTreeSet, HashMap, HashSet};

use jiff::tz::Offset;

use crate::config::Firewall;
use crate::guard::Guards;
use crate::ledger::{FirewallRow, LeaseRow, Quarantined};
use crate::model::{Direction, Entry, Indicator, List, Name, UnixTime};
use crate::plan::{Place, Standing, Wanted, lease};
use crate::stage::StageError;
use crate::stage::standing;
use crate::status::layout::count;
use crate::status::span::{when, zoned};

use super::contest::Contest;
use super::gather::{Asked, Known};
use super::related::holds;
use super::{EntryStory, Fate, OnFirewall, why};

/// What is known of one firewall while its part is told.
struct Scene<'a> {
    asked: &'a Asked<'a>,
    row: &'a FirewallRow,
    config: Option<&'a Firewall>,
    /// What was asked for, what could hold it, and the pieces of it that are wanted.
    related: HashSet<Indicator>,
    standing: Standing,
    leases: Vec<LeaseRow>,
    quarantine: Vec<Quarantined>,
    /// How often each entry matched, and when last.
    hits: HashMap<Entry, (u64, Option<UnixTime>)>,
    wanted: Vec<Wanted>,
    /// A guard list that was never heard: nothing is added before it was.
    unheard: Option<&'a Name>,
    /// How the contest for places ended; none where the config no longer has the firewall.
    contest: Option<Contest>,
    now: UnixTime,
}

impl Asked<'_> {
    pub(super) async fn firewalls(
        &self,
        indicator: &Indicator,
        related: &[Indicator],
        known: &[Known],
        guards: &Guards,
        unheard: Option<&Name>,
    ) -> Result<Vec<OnFirewall>, StageError> {
        let mut told = Vec::new();
        for row in self.ctx.ledger.firewalls().await? {
            let config = self.config.firewall(&row.name);
            let mut reasons = Vec::new();
            let mut wanted = config.map_or_else(Vec::new, |config| {
                why::wanted(config, indicator, known, guards, &mut reasons)
            });
            let mut related: HashSet<Indicator> = related.iter().cloned().collect();
            let pieces: BTreeSet<&Indicator> =
                wanted.iter().map(|one| one.cleared.indicator()).collect();
            let pieces: Vec<Indicator> = pieces
                .into_iter()
                .filter(|one| !related.contains(*one))
                .cloned()
                .collect();
            if let Some(config) = config.filter(|_| !pieces.is_empty()) {
                let block = self.candidates(List::Block, &pieces).await?;
                let allow = self.candidates(List::Allow, &pieces).await?;
                let said = [(List::Block, block), (List::Allow, allow)];
                wanted = why::with_pieces(config, indicator, known, said, guards);
            }
            related.extend(pieces);
            let scene = self
                .scene(indicator, &row, config, (related, wanted), unheard)
                .await?;
            let part = scene.tell(indicator, reasons);
            if config.is_some() || !part.entries.is_empty() || part.inside > 0 {
                told.push(part);
            }
        }
        Ok(told)
    }

    async fn scene<'a>(
        &'a self,
        indicator: &Indicator,
        row: &'a FirewallRow,
        config: Option<&'a Firewall>,
        (related, wanted): (HashSet<Indicator>, Vec<Wanted>),
        unheard: Option<&'a Name>,
    ) -> Result<Scene<'a>, StageError> {
        let now = self.ctx.clock.now();
        let mut standing = standing::standing(self.ctx, config, row, now).await?;
        standing.unguarded = unheard.is_some();
        let leased: BTreeSet<&Indicator> = standing
            .leases
            .iter()
            .map(|lease| &lease.entry.indicator)
            .filter(|indicator| related.contains(indicator))
            .collect();
        let mut leases = Vec::new();
        for one in leased {
            leases.extend(self.ctx.ledger.leases_of(row.id, one).await?);
        }
        // What stands inside a network is told here only where it is a piece of it, wanted as such.
        leases.retain(|row| {
            let entry = &row.lease.entry;
            holds(&entry.indicator, indicator) || wanted.iter().any(|one| one.entry() == *entry)
        });
        let held = |wanted: &Wanted| leases.iter().any(|row| row.lease.entry == wanted.entry());
        // Without a plan on record, nobody knows.
        let lost_before = row
            .plan
            .as_ref()
            .is_none_or(|plan| plan.left_out.contains("\"quota\""));
        let doubtful = lost_before || !wanted.iter().all(held);
        let contest = match config {
            Some(config) => Some(Contest::ended(self, config, row, &standing, doubtful).await?),
            None => None,
        };
        let mut hits = HashMap::new();
        for one in &related {
            hits.extend(self.ctx.ledger.hits_of(row.id, one).await?);
        }
        Ok(Scene {
            asked: self,
            hits,
            row,
            config,
            related,
            quarantine: self.ctx.ledger.quarantine(row.id).await?,
            standing,
            leases,
            wanted,
            unheard,
            contest,
            now,
        })
    }
}

impl Scene<'_> {
    fn tell(&self, indicator: &Indicator, reasons: Vec<String>) -> OnFirewall {
        let entries = self.entries();
        let there = |entry: &&EntryStory| entry.list == List::Block && entry.fate.is_there();
        let whole = entries
            .iter()
            .filter(there)
            .filter(|one| holds(&one.indicator, indicator));
        let blocked: BTreeSet<Direction> = whole.map(|one| one.direction).collect();
        let pieces = entries
            .iter()
            .filter(there)
            .any(|one| !holds(&one.indicator, indicator));
        let inside = self.standing.leases.iter().filter(|lease| {
            let entry = &lease.entry;
            entry.list == List::Block
                && entry.indicator != *indicator
                && holds(indicator, &entry.indicator)
                && !self.leases.iter().any(|row| row.lease.entry == *entry)
        });
        let inside = inside.count() as u64;
        OnFirewall {
            firewall: self.row.name.clone(),
            partly: blocked.is_empty() && (pieces || inside > 0),
            blocked: blocked.into_iter().collect(),
            inside,
            entries,
            reasons,
        }
    }

    /// Every place that concerns the indicator, by entry.
    fn entries(&self) -> Vec<EntryStory> {
        let mut entries: BTreeSet<Entry> = self.wanted.iter().map(Wanted::entry).collect();
        entries.extend(self.leases.iter().map(|row| row.lease.entry.clone()));
        let concerns = |entry: &&Entry| self.related.contains(&entry.indicator);
        entries.extend(self.standing.foreign.iter().filter(concerns).cloned());
        entries.extend(self.standing.quarantined.keys().filter(concerns).cloned());
        let stories = entries.into_iter().map(|entry| self.entry(entry));
        stories.collect()
    }

    fn entry(&self, entry: Entry) -> EntryStory {
        let lease = self.leases.iter().find(|row| row.lease.entry == entry);
        let wanted = self.wanted.iter().find(|wanted| wanted.entry() == entry);
        let (fate, mut text) = match lease {
            Some(lease) => self.leased(lease, wanted),
            None => self.absent(&entry, wanted),
        };
        let (match_times, last_hit) = self.hits.get(&entry).copied().unwrap_or_default();
        if match_times > 0 {
            let last = last_hit.map(|at| format!(", last {}", when(at, self.now)));
            let times = count(match_times, "time", "times");
            text += &format!("; it matched {times}{}", last.unwrap_or_default());
        }
        let Entry {
            list,
            indicator,
            direction,
        } = entry;
        EntryStory {
            indicator,
            list,
            direction,
            fate,
            end_time: lease.map(|lease| lease.lease.end_time),
            match_times,
            last_hit,
            text,
        }
    }

    fn leased(&self, row: &LeaseRow, wanted: Option<&Wanted>) -> (Fate, String) {
        let zone = self.config.map_or(Offset::UTC, |config| config.time_zone);
        let end = row.lease.end_time;
        let until = format!("until {} ({})", zoned(end, zone), when(end, self.now));
        let since = when(row.leased_at, self.now);
        let set = when(row.lease.set_at, self.now);
        let confirmed = match row.confirmed_at {
            Some(at) if at >= row.lease.set_at => {
                format!("seen in a read-back {}", when(at, self.now))
            }
            _ => "not read back since".to_owned(),
        };
        let mut story = format!("{until}; first put there {since}, last set {set}, {confirmed}");
        if let Some(one) = self.quarantine_of(&row.lease.entry) {
            story += &format!("; {}", self.quarantined(one));
        }
        if let Some(doubt) = row.lease.doubt {
            let text = format!("in doubt, for its last {doubt} is not settled: {story}");
            return (Fate::Doubtful, text);
        }
        match self.leaving(wanted) {
            Some(why) => (Fate::Leaving, format!("{why}: {story}")),
            None => (Fate::Held, story),
        }
    }

    /// Why an entry that is there goes.
    fn leaving(&self, wanted: Option<&Wanted>) -> Option<String> {
        let Some(config) = self.config else {
            let name = &self.row.name;
            return Some(format!(
                "{name} has left the config, and it runs out by itself"
            ));
        };
        if self.standing.withdrawn {
            let why = "everything is being taken back (`feedwall resume` ends that)";
            return Some(why.to_owned());
        }
        let Some(wanted) = wanted else {
            let why = "no longer wanted; it is taken off, unless max_delete holds it";
            return Some(why.to_owned());
        };
        let contest = self.contest.as_ref()?;
        match self.place(contest, wanted, config) {
            Place::Has => None,
            Place::Inside(network) => Some(format!("{network} is on the list and holds it")),
            Place::Lost => Some(contest.lost(wanted, config)),
        }
    }

    fn place<'a>(&'a self, contest: &Contest, one: &Wanted, config: &Firewall) -> Place<'a> {
        contest.place(config, &self.standing, &self.wanted, one, self.now)
    }

    fn absent(&self, entry: &Entry, wanted: Option<&Wanted>) -> (Fate, String) {
        let standing = &self.standing;
        if standing.withdrawn {
            return (
                Fate::Withdrawn,
                "everything was taken back; `feedwall resume` ends that".to_owned(),
            );
        }
        if let (Some(list), Some(_)) = (self.unheard, wanted) {
            let text =
                format!("nothing is added before the guard list {list} was fetched well once");
            return (Fate::GuardsUnheard, text);
        }
        if standing.foreign.contains(entry) {
            return (
                Fate::Foreign,
                "somebody else holds the same entry, and it is left alone".to_owned(),
            );
        }
        if let Some(one) = self.quarantine_of(entry) {
            return (Fate::Quarantined, self.quarantined(one));
        }
        if standing
            .refused_classes
            .contains(&(entry.list, entry.class()))
        {
            let class = entry.class();
            let text = format!(
                "{} turned out to refuse the class {class}; it is tried again a day after that",
                self.row.name
            );
            return (Fate::ClassRefused, text);
        }
        match (wanted, self.config) {
            (Some(wanted), Some(config)) => self.contested(entry, wanted, config),
            // Only what is wanted, leased, foreign or quarantined is asked about.
            _ => (Fate::Pending, self.pending()),
        }
    }

    fn contested(&self, entry: &Entry, wanted: &Wanted, config: &Firewall) -> (Fate, String) {
        let end = lease::end_time(&config.terms, wanted.expires, self.now);
        if wanted.lapsed || end < self.now.plus(config.terms.min_term) {
            let ends = when(wanted.expires, self.now);
            return (
                Fate::EndsTooSoon,
                format!("its listings end {ends}, too soon to add it"),
            );
        }
        let contest = self.contest.as_ref();
        match contest.map(|contest| (contest, self.place(contest, wanted, config))) {
            Some((_, Place::Inside(network))) => {
                let stands = |row: &LeaseRow| row.lease.entry.indicator == *network;
                let when = match self.leases.iter().any(stands) {
                    true => "is on the list",
                    false => "is about to be on the list",
                };
                return (Fate::Covered, format!("{network} holds it, and {when}"));
            }
            Some((contest, Place::Lost)) => return (Fate::Quota, contest.lost(wanted, config)),
            Some((_, Place::Has)) | None => {}
        }
        if self.standing.suspects.entries.contains_key(entry) {
            let text = "a call with it was refused, and it is being found out why";
            return (Fate::UnderTrial, text.to_owned());
        }
        (Fate::Pending, self.pending())
    }

    fn quarantine_of(&self, entry: &Entry) -> Option<&Quarantined> {
        self.quarantine.iter().find(|one| one.entry == *entry)
    }

    fn quarantined(&self, one: &Quarantined) -> String {
        let id = one
            .request_id
            .as_deref()
            .map_or(String::new(), |id| format!(" (RequestId {id})"));
        format!(
            "quarantined {}: the {} was answered with {}: {}{id}. `feedwall quarantine release {}` tries it again",
            when(one.since, self.now),
            one.action,
            one.code,
            one.message,
            one.entry.indicator
        )
    }

    fn pending(&self) -> String {
        match &self.row.trouble {
            Some(trouble) => format!(
                "to be added, but {} takes no calls: {trouble}",
                self.row.name
            ),
            None if !self.asked.daemon_running => {
                "to be added, and no daemon is running: `feedwall run`".to_owned()
            }
            None => "to be added with the next plan".to_owned(),
        }
    }
}
