//! The whole story of one indicator: who lists it, what the guards say, where it stands on which firewall,
//! which calls put it there, and where it is not blocked, why not.
//!
//! What bears on an address is also every listed network that holds it, and on a domain every listed domain
//! above it: a firewall blocks by those as well.

mod asked;
mod contest;
mod fate;
mod gather;
mod related;
#[cfg(test)]
pub(crate) mod tests;
mod why;
mod words;

use serde::Serialize;

use crate::model::{Action, Class, Direction, Indicator, List, Name, UnixTime};

pub use self::asked::{AskError, asked_for};
pub use self::gather::Asked;

/// Everything that is known of one indicator; as JSON with `--json`.
#[derive(Clone, Debug, Serialize)]
pub struct Story {
    /// When it was gathered.
    pub now: UnixTime,
    /// What was asked for, in canonical form.
    pub indicator: Indicator,
    /// By which firewalls take or refuse it.
    pub class: Class,
    /// The indicator itself, then what holds it, the narrowest first; of the latter only what feeds list.
    pub subjects: Vec<Subject>,
    /// What the operator said of any of these by hand.
    pub by_hand: Vec<ByHand>,
    /// By name.
    pub firewalls: Vec<OnFirewall>,
    /// The latest calls that carried it or what holds it, newest first.
    pub calls: Vec<CallLine>,
}

/// The indicator itself, or a listed network or domain that holds it.
#[derive(Clone, Debug, Serialize)]
pub struct Subject {
    /// What is listed.
    pub indicator: Indicator,
    /// Whether it is what was asked for.
    pub itself: bool,
    /// Each feed's listing.
    pub listings: Vec<Claim>,
    /// What the guards say of it, as a clause.
    pub guards: String,
    /// Whether they let it onto a blocklist whole.
    pub cleared: bool,
    /// 0 to 1: what its unexpired listings on blocklists are worth together; null without any.
    pub score: Option<f64>,
}

/// A word of the operator's.
#[derive(Clone, Debug, Serialize)]
pub struct ByHand {
    /// Of what.
    pub indicator: Indicator,
    /// That it is to be blocked; else that it is not to be.
    pub block: bool,
    /// When it was said.
    pub at: UnixTime,
    /// Until when it counts; null is for good.
    pub until: Option<UnixTime>,
    /// Why.
    pub reason: String,
}

/// One feed's listing.
#[derive(Clone, Debug, Serialize)]
pub struct Claim {
    /// The feed.
    pub feed: Name,
    /// For which list.
    pub list: List,
    /// Whether the feed is a guard list: then it says what must not be blocked.
    pub guards: bool,
    /// When it was first listed.
    pub first_listed: UnixTime,
    /// Since when it is listed no longer.
    pub delisted_at: Option<UnixTime>,
    /// When the listing ends, if the feed says nothing more; null where the feed was never fetched well.
    pub expires: Option<UnixTime>,
    /// Whether it counts.
    pub counts: bool,
    /// Percent.
    pub confidence: u8,
    /// In which directions.
    pub directions: Vec<Direction>,
    /// The feed's last good fetch.
    pub last_good: Option<UnixTime>,
}

/// One firewall.
#[derive(Clone, Debug, Serialize)]
pub struct OnFirewall {
    /// Its name.
    pub firewall: Name,
    /// In which directions it is blocked there, by an entry of its own or one that holds it.
    pub blocked: Vec<Direction>,
    /// Whether not all of it, but something inside it is blocked there.
    pub partly: bool,
    /// Entries inside it that stand there by themselves.
    pub inside: u64,
    /// Each place that it has, or could have, there.
    pub entries: Vec<EntryStory>,
    /// Why what feeds list gives it no place there, in sentences.
    pub reasons: Vec<String>,
}

/// One place on a firewall.
#[derive(Clone, Debug, Serialize)]
pub struct EntryStory {
    /// What stands there, or would.
    pub indicator: Indicator,
    /// On which list.
    pub list: List,
    /// In which direction.
    pub direction: Direction,
    /// How it is with it.
    pub fate: Fate,
    /// When the cloud drops it by itself, where we hold it.
    pub end_time: Option<UnixTime>,
    /// How often traffic matched it, as last read.
    pub match_times: u64,
    /// When it last did.
    pub last_hit: Option<UnixTime>,
    /// The same as a sentence, raw: escape it to print it.
    pub text: String,
}

/// How it is with a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// It is there.
    Held,
    /// It may be there: a call was never answered.
    Doubtful,
    /// It is there, and no longer wanted.
    Leaving,
    /// It is to be added.
    Pending,
    /// A call with it was refused, and it is being found out why.
    UnderTrial,
    /// The cloud refused it alone.
    Quarantined,
    /// Somebody else holds it.
    Foreign,
    /// The firewall turned out to refuse its class.
    ClassRefused,
    /// Its score is too low for a place.
    Quota,
    /// A network on the list holds it, so that it needs no place of its own.
    Covered,
    /// It would end too soon to be worth a call.
    EndsTooSoon,
    /// The operator took everything back.
    Withdrawn,
    /// Nothing is added before every guard list was fetched well once.
    GuardsUnheard,
}

impl Fate {
    /// Whether the entry stands on the firewall's list, as far as anybody knows.
    #[must_use]
    pub const fn is_there(self) -> bool {
        matches!(
            self,
            Self::Held | Self::Doubtful | Self::Leaving | Self::Foreign
        )
    }
}

/// One call of the journal.
#[derive(Clone, Debug, Serialize)]
pub struct CallLine {
    /// Its key.
    pub id: i64,
    /// When it was sent.
    pub sent_at: UnixTime,
    /// To which firewall.
    pub firewall: String,
    /// What it did.
    pub action: Action,
    /// With what.
    pub indicator: Indicator,
    /// In which directions.
    pub directions: Vec<Direction>,
    /// Until when; none for a delete.
    pub end_time: Option<UnixTime>,
    /// What its answer meant; null while there is none.
    pub verdict: Option<String>,
    /// The cloud's code, where it was not applied.
    pub code: Option<String>,
    /// The cloud's message.
    pub message: Option<String>,
    /// The cloud's name for the call.
    pub request_id: Option<String>,
}
