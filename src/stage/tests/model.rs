//! What a ledger and a plan promise, told the slow way: no rows, no deltas, no sheets. It keeps when each feed last said
//! each thing, and asks of each address by itself whether it is to be blocked.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::model::{
    Class, Direction, Directions, FeedTerms, Indicator, List, Mode, OnDelist, UnixTime, spread,
};

/// Addresses, networks that hold them, networks that hold those, names and a name below one.
pub const NAMES: [&str; 14] = [
    "45.0.0.0",
    "45.0.0.1",
    "45.0.0.2",
    "45.0.0.3",
    "45.0.0.4",
    "45.0.0.5",
    "45.0.0.6",
    "45.0.0.7",
    "45.0.0.0/30",
    "45.0.0.4/30",
    "45.0.0.0/29",
    "d.badhost.com",
    "sub.d.badhost.com",
    "e.badhost.com",
];
pub const ADDRESSES: usize = 8;
pub const NETWORKS: std::ops::Range<usize> = 8..11;

/// A place that is blocked or not: an address or a name, in a direction.
pub type Atom = (usize, Direction);

/// What one feed said of one thing.
#[derive(Clone, Debug)]
pub struct Said {
    first: i64,
    confidence: Option<u8>,
    valid_until: Option<i64>,
    /// An end of its own: an incremental body gave it.
    own: Option<i64>,
    /// Since when it is not listed, and when it ends for that.
    gone: Option<(i64, i64)>,
    came_back: u32,
}

/// One row of a body: confidence and own end, both perhaps.
pub type Row = (Option<u8>, Option<i64>);

#[derive(Clone, Debug)]
pub struct Feed {
    pub terms: FeedTerms,
    pub configured: bool,
    pub last_good: Option<i64>,
    pub held: Option<BTreeMap<usize, Row>>,
    said: BTreeMap<usize, Said>,
}

/// What the firewall is like.
#[derive(Clone, Debug)]
pub struct Wall {
    pub accept: Vec<Class>,
    pub expand: bool,
    pub quota: u64,
    pub withdrawn: bool,
}

pub const RESERVE: u64 = 1;
pub const MARGIN: u32 = 50_000;
pub const LEASE: i64 = 3 * 86_400;
pub const GRID: i64 = 3_600;
pub const MIN_TERM: i64 = 600;

#[derive(Clone, Debug)]
pub struct Model {
    pub feeds: Vec<Feed>,
    /// What the config allows, and what the operator's hand does, and until when.
    pub allowed: BTreeSet<usize>,
    pub hand: BTreeMap<usize, i64>,
    /// What the operator blocks: since when and until when.
    pub blocks: BTreeMap<usize, (i64, i64)>,
    pub started: Option<i64>,
    pub wall: Wall,
}

/// What all feeds say of one thing.
#[derive(Clone, Debug, PartialEq)]
pub struct Claim {
    pub score: u32,
    pub first: i64,
    /// By direction: the end, and whether it has passed.
    pub ends: [Option<(i64, bool)>; 2],
}

pub fn indicator(place: usize) -> Indicator {
    Indicator::try_new(NAMES[place]).unwrap()
}

fn seconds(span: Duration) -> i64 {
    i64::try_from(span.as_secs()).unwrap()
}

fn round_up(at: i64) -> i64 {
    UnixTime::from_seconds(at)
        .round_up(Duration::from_secs(GRID.unsigned_abs()))
        .seconds()
}

/// The EndTime that an entry gets.
pub fn end_time(expires: i64, now: i64) -> i64 {
    round_up(expires.min(now + LEASE))
}

impl Feed {
    pub fn new(terms: FeedTerms) -> Self {
        Self {
            terms,
            configured: true,
            last_good: None,
            held: None,
            said: BTreeMap::new(),
        }
    }

    fn ttl(&self) -> i64 {
        seconds(self.terms.ttl)
    }

    /// A body that was believed.
    pub fn body(&mut self, listed: &BTreeMap<usize, Row>, now: i64) {
        let last_listed = self.last_good.unwrap_or(now) + self.ttl();
        let ttl = self.ttl();
        let incremental = self.terms.mode == Mode::Incremental;
        for (place, (confidence, valid_until)) in listed {
            let known = self.said.get(place);
            let ended = known.is_some_and(|said| said.own.is_some_and(|end| end <= now));
            let (first, came_back) = match known {
                Some(said) => match said.gone {
                    Some((since, _)) if now - since <= ttl => (said.first, said.came_back + 1),
                    Some(_) => (now, 0),
                    None if ended => (now, 0),
                    None => (said.first, said.came_back),
                },
                None => (now, 0),
            };
            let said = Said {
                first,
                confidence: *confidence,
                valid_until: *valid_until,
                own: incremental.then_some(now + ttl),
                gone: None,
                came_back,
            };
            self.said.insert(*place, said);
        }
        for (place, said) in &mut self.said {
            let over = said.gone.is_some() || said.own.is_some_and(|end| end <= now);
            if listed.contains_key(place) || over {
                continue;
            }
            if incremental {
                said.own = said.own.or(Some(last_listed));
                continue;
            }
            let end = said.own.unwrap_or(last_listed);
            let at_once = self.terms.on_delist == OnDelist::Withdraw && said.came_back < 2;
            said.gone = Some((now, if at_once { end.min(now) } else { end }));
        }
        self.last_good = Some(now);
        self.held = None;
    }

    /// The operator drops it.
    pub fn drop_all(&mut self, now: i64) {
        for said in self.said.values_mut() {
            let end = said.gone.map(|(_, end)| end).or(said.own);
            if end.is_none_or(|end| end > now) {
                said.gone = Some((now, now));
            }
        }
        self.held = None;
    }

    /// When what it said of a thing ends, its weight, and when it was first said.
    fn word(&self, place: usize, now: i64) -> Option<(i64, f64, i64)> {
        let (said, good) = (self.said.get(&place)?, self.last_good?);
        if said.gone.is_some_and(|(since, end)| end <= since) {
            return None;
        }
        let half = self.ttl() / 2;
        let silent = self.terms.mode == Mode::Snapshot && now >= good + half;
        let grace = match silent {
            true => i64::try_from(spread(&indicator(place), 0) % half.unsigned_abs()).unwrap(),
            false => 0,
        };
        let listed = good + self.ttl() + grace;
        let end = said.gone.map(|(_, end)| end).or(said.own).unwrap_or(listed);
        let end = said.valid_until.map_or(end, |valid| valid.min(end));
        let percent = f64::from(said.confidence.unwrap_or(self.terms.confidence));
        let weight = percent / 100.0 / if said.gone.is_some() { 2.0 } else { 1.0 };
        Some((end, weight, said.first))
    }

    /// After a start its silence alone ends nothing, for a while.
    fn is_patient(&self, started: Option<i64>, now: i64) -> bool {
        let waits = |start: &i64| {
            self.configured
                && self.last_good.is_none_or(|good| good < *start)
                && now < start + self.ttl() / 4
        };
        started.as_ref().is_some_and(waits)
    }

    fn directions(&self, place: usize) -> Directions {
        let by_class = match indicator(place).class() {
            Class::Domain => Directions::OUT,
            _ => Directions::BOTH,
        };
        self.terms.directions.unwrap_or(by_class)
    }
}

impl Model {
    /// What all feeds say of a thing at `now`.
    pub fn claim(&self, place: usize, now: i64) -> Option<Claim> {
        let mut doubt = 1.0;
        let mut claim: Option<Claim> = None;
        let mut say = |end: i64, weight: f64, first: i64, directions: Directions, patient: bool| {
            let passed = end <= now;
            if passed && round_up(end) <= now && !(patient && end + 86_400 > now) {
                return;
            }
            if !passed {
                doubt *= 1.0 - weight;
            }
            let claim = claim.get_or_insert(Claim {
                score: 0,
                first,
                ends: [None; 2],
            });
            claim.first = claim.first.min(first);
            for direction in directions.iter() {
                let known = &mut claim.ends[direction as usize];
                let better = known.is_none_or(|(other, gone)| (!passed, end) > (!gone, other));
                if better {
                    *known = Some((end, passed));
                }
            }
        };
        for feed in self
            .feeds
            .iter()
            .filter(|feed| feed.terms.list == List::Block)
        {
            if let Some((end, weight, first)) = feed.word(place, now) {
                let patient = feed.is_patient(self.started, now);
                say(end, weight, first, feed.directions(place), patient);
            }
        }
        if let Some((since, until)) = self.blocks.get(&place)
            && until > since
        {
            let class = indicator(place).class();
            let directions = match class {
                Class::Domain => Directions::OUT,
                _ => Directions::BOTH,
            };
            say(*until, 1.0, *since, directions, false);
        }
        let score = (1.0 - doubt) * 1e6;
        claim.map(|claim| Claim {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "at most a million"
            )]
            score: score.round() as u32,
            ..claim
        })
    }

    fn guards(&self, now: i64) -> BTreeSet<usize> {
        let by_hand = self.hand.iter().filter(|(_, until)| **until > now);
        let by_hand = by_hand.map(|(place, _)| *place);
        self.allowed.iter().copied().chain(by_hand).collect()
    }

    /// Whether an address of the universe is guarded.
    fn is_guarded(&self, address: usize, now: i64) -> bool {
        self.guards(now).iter().any(|guard| holds(*guard, address))
    }

    /// Whether a name is guarded, or must wait for the sake of a guarded one below it.
    fn is_spared(&self, name: usize, now: i64) -> bool {
        let related = |guard: &usize| is_below(name, *guard) || is_below(*guard, name);
        self.guards(now).iter().any(related)
    }

    /// As which class an address of a listed network goes in; `None` where it is guarded.
    fn class_in(&self, network: usize, address: usize, now: i64) -> Option<Class> {
        if self.is_guarded(address, now) {
            return None;
        }
        // The widest block around it that holds no guarded address.
        let (first, size) = block(network);
        let mut widest = 1;
        for bits in 1..=3usize {
            let length = 1 << bits;
            let start = address / length * length;
            let inside = start >= first && start + length <= first + size;
            if inside && !(start..start + length).any(|one| self.is_guarded(one, now)) {
                widest = length;
            }
        }
        Some(if widest == 1 || self.wall.expand {
            Class::Ipv4
        } else {
            Class::Network
        })
    }

    /// The ends of all claims under which a place would be blocked, and whether they have passed.
    pub fn reasons(&self, atom: Atom, now: i64) -> Vec<(i64, bool)> {
        self.claims_on(atom, now).into_values().collect()
    }

    /// Every thing for whose sake a place would be blocked: (end, whether it has passed).
    pub fn claims_on(&self, (place, direction): Atom, now: i64) -> BTreeMap<usize, (i64, bool)> {
        let mut reasons = BTreeMap::new();
        let mut add = |claimed: usize, class: Option<Class>| {
            let taken = class.is_some_and(|class| self.wall.accept.contains(&class));
            let claim = self.claim(claimed, now).filter(|_| taken);
            let end = claim.and_then(|claim| claim.ends[direction as usize]);
            reasons.extend(end.map(|end| (claimed, end)));
        };
        if place < ADDRESSES {
            add(place, (!self.is_guarded(place, now)).then_some(Class::Ipv4));
            for network in NETWORKS.filter(|network| holds(*network, place)) {
                add(network, self.class_in(network, place, now));
            }
        } else {
            add(
                place,
                (!self.is_spared(place, now)).then_some(Class::Domain),
            );
        }
        reasons
    }

    pub fn atoms() -> impl Iterator<Item = Atom> {
        let places = (0..ADDRESSES).chain(NETWORKS.end..NAMES.len());
        places.flat_map(|place| Direction::ALL.map(|direction| (place, direction)))
    }

    /// What has to be blocked, and what may be, given what was before.
    pub fn bounds(&self, before: &BTreeSet<Atom>, now: i64) -> (BTreeSet<Atom>, BTreeSet<Atom>) {
        let (mut must, mut may) = (BTreeSet::new(), BTreeSet::new());
        if self.wall.withdrawn {
            return (must, may);
        }
        for atom in Self::atoms() {
            let reasons = self.reasons(atom, now);
            let sendable =
                |(end, passed): &(i64, bool)| !passed && end_time(*end, now) >= now + MIN_TERM;
            if reasons.iter().any(sendable) {
                must.insert(atom);
                may.insert(atom);
            } else if !reasons.is_empty() && before.contains(&atom) {
                may.insert(atom);
            }
        }
        (must, may)
    }

    /// Where there are fewer places than claims, and no networks: exactly what is blocked.
    pub fn admitted(&self, before: &BTreeSet<Atom>, now: i64) -> BTreeSet<Atom> {
        if self.wall.withdrawn {
            return BTreeSet::new();
        }
        let mut ranked = Vec::new();
        for atom in Self::atoms() {
            let Some((end, passed)) = self.reasons(atom, now).first().copied() else {
                continue;
            };
            let held = before.contains(&atom);
            if !held && (passed || end_time(end, now) < now + MIN_TERM) {
                continue;
            }
            let claim = self.claim(atom.0, now).unwrap();
            let score = claim.score + if held { MARGIN } else { 0 };
            ranked.push((
                std::cmp::Reverse(score),
                !held,
                claim.first,
                indicator(atom.0),
                atom.1,
                atom,
            ));
        }
        ranked.sort();
        let places = usize::try_from(self.wall.quota - RESERVE).unwrap();
        ranked.into_iter().take(places).map(|one| one.5).collect()
    }
}

/// The first address of a network of the universe, and how many it has.
fn block(network: usize) -> (usize, usize) {
    match network {
        8 => (0, 4),
        9 => (4, 4),
        _ => (0, 8),
    }
}

/// Whether a thing of the universe holds one of its addresses.
pub fn holds(thing: usize, address: usize) -> bool {
    if NETWORKS.contains(&thing) {
        let (first, size) = block(thing);
        return (first..first + size).contains(&address);
    }
    thing == address
}

fn is_below(name: usize, other: usize) -> bool {
    name == other || NAMES[name].ends_with(&format!(".{}", NAMES[other]))
}
