//! Feeds: their terms as last in force, their validators, and how their polls went.

use std::time::Duration;

use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use crate::fetch::Validators;
use crate::model::{Directions, FeedTerms, Mode, Name, OnDelist, UnixTime};

use super::guard_lists::{Role, take_role};
use super::leases::list_of;
use super::{Ledger, LedgerError, Result, Tx};

/// A feed as the ledger knows it.
#[derive(Clone, Debug)]
pub struct FeedRow {
    /// Key of its listings.
    pub id: i64,
    /// Its identity.
    pub name: Name,
    /// Whether the config still has it; one that left ages out by its last terms.
    pub configured: bool,
    /// The terms last in force.
    pub terms: FeedTerms,
    /// The recipe by which the recorded body was read.
    pub recipe: Option<String>,
    /// What to ask the publisher with; belongs to the recipe.
    pub validators: Validators,
    /// SHA-256 of the recorded body.
    pub body_sha256: Option<Vec<u8>>,
    /// Since when the recorded body is the same.
    pub body_since: Option<UnixTime>,
    /// Whether its listings block or guard.
    pub role: Role,
    /// Moves with every change of a listing.
    pub revision: i64,
    /// When the operator last withdrew all its listings.
    pub dropped_at: Option<UnixTime>,
    /// Indicators listed now.
    pub listed: u64,
    /// Rejects of the recorded body.
    pub rejected: u64,
    /// The last attempt.
    pub last_poll: Option<UnixTime>,
    /// The last good fetch, from which listings are believed.
    pub last_good: Option<UnixTime>,
    /// The last fetch that changed a listing.
    pub last_change: Option<UnixTime>,
    /// When it is due.
    pub next_poll: Option<UnixTime>,
    /// Attempts so far; seeds the jitter.
    pub polls: u64,
    /// Failed or held attempts since the last good one.
    pub failures: u32,
    /// How the last attempt ended.
    pub state: FeedState,
    /// The sentence that goes with a state other than good.
    pub trouble: Option<String>,
}

/// How a feed's last poll ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum FeedState {
    /// Never polled.
    New,
    /// Its last fetch was good.
    Good,
    /// Its last fetch failed; the last good listings stay until they expire.
    Failed,
    /// Its last snapshot was not believed; it waits for `feedwall approve`.
    Held,
    /// Its body has been the same for too long; nothing renews its listings.
    Frozen,
    /// Its publisher has ended it.
    Retired,
}

/// What a poll that brought no new body leaves in the ledger.
#[derive(Clone, Debug)]
pub struct PollOutcome {
    /// When the poll was made.
    pub at: UnixTime,
    /// When the feed is due again.
    pub next_poll: UnixTime,
    /// How it ended.
    pub state: FeedState,
    /// What to tell the operator.
    pub trouble: Option<String>,
}

impl FeedState {
    /// The word in the ledger and in tables.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Good => "good",
            Self::Failed => "failed",
            Self::Held => "held",
            Self::Frozen => "frozen",
            Self::Retired => "retired",
        }
    }

    fn from_ledger(word: &str) -> Result<Self> {
        let states = [Self::New, Self::Good, Self::Failed, Self::Held];
        states
            .into_iter()
            .chain([Self::Frozen, Self::Retired])
            .find(|state| state.as_str() == word)
            .ok_or_else(|| LedgerError::Row(format!("feed state `{word}`")))
    }
}

impl Ledger {
    /// Every feed, configured or aging out, by name.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub async fn feeds(&self) -> Result<Vec<FeedRow>> {
        sqlx::query("SELECT * FROM feeds ORDER BY name")
            .fetch_all(&self.readers)
            .await?
            .iter()
            .map(read_feed)
            .collect()
    }

    /// One feed by name.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub async fn feed(&self, name: &Name) -> Result<Option<FeedRow>> {
        sqlx::query("SELECT * FROM feeds WHERE name = ?")
            .bind(name.as_str())
            .fetch_optional(&self.readers)
            .await?
            .as_ref()
            .map(read_feed)
            .transpose()
    }

    /// Makes the ledger's feeds those of the config. A feed that is new, or whose recipe or mode changed, is
    /// due at once; one that is gone stays until its listings expire.
    ///
    /// A change of mode also forgets the recorded body: only a body that is read anew gives its listings the
    /// ends of the other mode.
    ///
    /// # Errors
    /// When the ledger cannot be written.
    pub async fn configure_feeds<'a>(
        &self,
        feeds: impl IntoIterator<Item = (&'a Name, &'a FeedTerms, String)>,
    ) -> Result<()> {
        let mut tx = self.begin().await?;
        sqlx::query("UPDATE feeds SET configured = 0")
            .execute(&mut *tx)
            .await?;
        for (name, terms, recipe) in feeds {
            take_role(&mut tx, name, Role::Feed).await?;
            configure(&mut tx, name, terms, &recipe).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// Records a poll after which the listings are as they were. A good one renews them all with this row.
    ///
    /// # Errors
    /// When the ledger cannot be written.
    pub async fn record_poll(&self, feed: i64, outcome: &PollOutcome) -> Result<()> {
        let good = outcome.state == FeedState::Good;
        let mut tx = self.begin().await?;
        sqlx::query(
            "UPDATE feeds SET last_poll = ?2, next_poll = ?3, polls = polls + 1, state = ?4, trouble = ?5,
                 last_good = iif(?6, ?2, last_good), failures = iif(?6, 0, failures + 1)
             WHERE id = ?1",
        )
        .bind(feed)
        .bind(outcome.at.seconds())
        .bind(outcome.next_poll.seconds())
        .bind(outcome.state.as_str())
        .bind(outcome.trouble.as_deref())
        .bind(good)
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(())
    }
}

pub(super) async fn configure(
    tx: &mut Tx,
    name: &Name,
    terms: &FeedTerms,
    recipe: &str,
) -> Result<()> {
    sqlx::query(
        "INSERT INTO feeds (name, configured, ttl, confidence, directions, list, mode, on_delist, max_age)
         VALUES (?1, 1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
         ON CONFLICT (name) DO UPDATE SET configured = 1, ttl = excluded.ttl,
             confidence = excluded.confidence, directions = excluded.directions, list = excluded.list,
             mode = excluded.mode, on_delist = excluded.on_delist, max_age = excluded.max_age,
             validators = iif(mode = excluded.mode, validators, NULL),
             body_sha256 = iif(mode = excluded.mode, body_sha256, NULL),
             next_poll = iif(coalesce(recipe, ?9) = ?9 AND mode = excluded.mode, next_poll, NULL)",
    )
    .bind(name.as_str())
    .bind(seconds(terms.ttl))
    .bind(i64::from(terms.confidence))
    .bind(terms.directions.map(|set| i64::from(set.bits())))
    .bind(terms.list as i64)
    .bind(mode_word(terms.mode))
    .bind(on_delist_word(terms.on_delist))
    .bind(terms.max_age.map(seconds))
    .bind(recipe)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

pub(super) fn read_feed(row: &SqliteRow) -> Result<FeedRow> {
    let name: String = row.try_get("name")?;
    let time = |column: &str| -> Result<Option<UnixTime>> {
        Ok(row
            .try_get::<Option<i64>, _>(column)?
            .map(UnixTime::from_seconds))
    };
    let state: String = row.try_get("state")?;
    Ok(FeedRow {
        id: row.try_get("id")?,
        name: Name::try_new(&name).map_err(|fault| LedgerError::Row(fault.to_string()))?,
        configured: row.try_get("configured")?,
        terms: read_terms(row)?,
        recipe: row.try_get("recipe")?,
        validators: row
            .try_get::<Option<String>, _>("validators")?
            .and_then(|json| serde_json::from_str(&json).ok())
            .unwrap_or_default(),
        body_sha256: row.try_get("body_sha256")?,
        body_since: time("body_since")?,
        role: Role::read(row)?,
        revision: row.try_get("revision")?,
        dropped_at: time("dropped_at")?,
        listed: count(row, "listed")?,
        rejected: count(row, "rejected")?,
        last_poll: time("last_poll")?,
        last_good: time("last_good")?,
        last_change: time("last_change")?,
        next_poll: time("next_poll")?,
        polls: count(row, "polls")?,
        failures: row.try_get("failures")?,
        state: FeedState::from_ledger(&state)?,
        trouble: row.try_get("trouble")?,
    })
}

fn read_terms(row: &SqliteRow) -> Result<FeedTerms> {
    let word = |column: &str| -> Result<String> { Ok(row.try_get(column)?) };
    let (mode, on_delist) = (word("mode")?, word("on_delist")?);
    Ok(FeedTerms {
        ttl: Duration::from_secs(count(row, "ttl")?),
        confidence: row.try_get("confidence")?,
        directions: row
            .try_get::<Option<u8>, _>("directions")?
            .map(Directions::from_bits),
        list: list_of(row.try_get("list")?)?,
        mode: match mode.as_str() {
            "snapshot" => Mode::Snapshot,
            "incremental" => Mode::Incremental,
            other => return Err(LedgerError::Row(format!("feed mode `{other}`"))),
        },
        on_delist: match on_delist.as_str() {
            "age_out" => OnDelist::AgeOut,
            "withdraw" => OnDelist::Withdraw,
            other => return Err(LedgerError::Row(format!("on_delist `{other}`"))),
        },
        max_age: row
            .try_get::<Option<i64>, _>("max_age")?
            .map(|seconds| Duration::from_secs(seconds.unsigned_abs())),
    })
}

pub(super) fn count(row: &SqliteRow, column: &str) -> Result<u64> {
    let number: i64 = row.try_get(column)?;
    Ok(u64::try_from(number).unwrap_or(0))
}

pub(super) fn seconds(span: Duration) -> i64 {
    i64::try_from(span.as_secs()).unwrap_or(i64::MAX)
}

const fn mode_word(mode: Mode) -> &'static str {
    match mode {
        Mode::Snapshot => "snapshot",
        Mode::Incremental => "incremental",
    }
}

const fn on_delist_word(on_delist: OnDelist) -> &'static str {
    match on_delist {
        OnDelist::AgeOut => "age_out",
        OnDelist::Withdraw => "withdraw",
    }
}
