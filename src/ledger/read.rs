//! Listings read back in the indicators' order, a window of rows a statement.

use sqlx::sqlite::SqlitePool;
use tokio::sync::mpsc::{self, Receiver};

use crate::model::{Indicator, Listing, UnixTime};

use super::bulk::{Numbers, Packed};
use super::{Ledger, Result};

/// Rows in a window.
const WINDOW: i64 = 10_000;

/// Windows that are read ahead of their use: an IPv4 list of a million takes 6 bytes a row, a list of domains
/// with dates some 60, so this is a few MB.
const AHEAD: usize = 16;

/// Reads one feed's listings in the indicators' order, chunk by chunk.
#[derive(Debug)]
pub struct FeedListings {
    windows: ReadAhead,
}

/// Goes through one feed, while what it has read is being used.
#[derive(Debug)]
pub(super) struct ReadAhead {
    readers: SqlitePool,
    feed: i64,
    sql: &'static str,
    ended_after: Option<i64>,
    state: State,
}

#[derive(Debug)]
enum State {
    New,
    Reading(Receiver<Next>),
    Done,
}

/// One window.
#[derive(Debug)]
pub(super) struct Window {
    /// Its rows, packed.
    pub(super) rows: Vec<u8>,
    /// When a listing was first made of which the row does not say so: the rows of a window often came with one body.
    first_listed: i64,
}

/// The next window; `None` at the end.
type Next = Result<Option<Window>>;

/// The keys between which the next window lies.
struct Edges {
    readers: SqlitePool,
    feed: i64,
    after: Option<Vec<u8>>,
}

/// A window of listings for [`read_listing`]; most of them have nothing but a key.
const ROWS: &str = "SELECT CAST(group_concat(
         CASE WHEN plain AND first_listed = ?5
              THEN key
              ELSE key || ':' || first_listed || ':' || ifnull(expires_at, '') || ':'
                   || ifnull(delisted_at, '') || ':' || ifnull(valid_until, '') || ':'
                   || ifnull(dated, '') || ':' || ifnull(confidence, '')
         END, ',') AS BLOB)
     FROM listings WHERE feed_id = ?1 AND key > ?2 AND key <= ?3
         AND (expires_at IS NULL OR expires_at > ?4)";

impl Ledger {
    /// The listings of a feed, those that have ended included.
    #[must_use]
    pub fn listings(&self, feed: i64) -> FeedListings {
        FeedListings {
            windows: ReadAhead::new(&self.readers, feed, ROWS, Some(i64::MIN)),
        }
    }

    /// One feed's listing of one indicator.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub async fn listing(&self, feed: i64, indicator: &Indicator) -> Result<Option<Listing>> {
        let packed: Option<Vec<u8>> = sqlx::query_scalar(
            "SELECT CAST(key || ':' || first_listed || ':' || ifnull(expires_at, '') || ':'
                 || ifnull(delisted_at, '') || ':' || ifnull(valid_until, '') || ':'
                 || ifnull(dated, '') || ':' || ifnull(confidence, '') AS BLOB)
             FROM listings WHERE feed_id = ? AND key = ?",
        )
        .bind(feed)
        .bind(indicator.key())
        .fetch_optional(&self.readers)
        .await?;
        Packed::new(&packed.unwrap_or_default())
            .next()
            .map(|row| read_listing(row?))
            .transpose()
    }
}

impl FeedListings {
    /// Leaves out what had ended by its own `expires_at` at `moment`. A feed that changes much has many more
    /// of those than of live ones, and a plan looks back no further than one step of its grid.
    #[must_use]
    pub fn ended_after(mut self, moment: UnixTime) -> Self {
        self.windows.ended_after = Some(moment.seconds());
        self
    }

    /// The next chunk; empty at the end.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub async fn next_chunk(&mut self) -> Result<Vec<Listing>> {
        while let Some(window) = self.windows.next().await? {
            if !window.rows.is_empty() {
                let listing = |row| read_in_window(row?, Some(window.first_listed));
                return Packed::new(&window.rows).map(listing).collect();
            }
        }
        Ok(Vec::new())
    }
}

impl ReadAhead {
    /// `sql` packs the rows of one window, given the feed, the keys around the window, and `ended_after`.
    pub(super) fn new(
        readers: &SqlitePool,
        feed: i64,
        sql: &'static str,
        ended_after: Option<i64>,
    ) -> Self {
        Self {
            readers: readers.clone(),
            feed,
            sql,
            ended_after,
            state: State::New,
        }
    }

    pub(super) async fn next(&mut self) -> Next {
        if let State::New = self.state {
            self.state = State::Reading(self.start());
        }
        let State::Reading(windows) = &mut self.state else {
            return Ok(None);
        };
        // The reading task ends with a word: without one it was lost, and this is not the feed's end.
        let window = windows.recv().await.ok_or(sqlx::Error::WorkerCrashed)?;
        if !matches!(window, Ok(Some(_))) {
            self.state = State::Done;
        }
        window
    }

    fn start(&self) -> Receiver<Next> {
        let (window, windows) = mpsc::channel(AHEAD);
        let (sql, ended_after) = (self.sql, self.ended_after);
        let mut edges = Edges {
            readers: self.readers.clone(),
            feed: self.feed,
            after: Some(Vec::new()),
        };
        tokio::spawn(async move {
            loop {
                let next = edges.next(sql, ended_after).await;
                let more = matches!(next, Ok(Some(_)));
                if window.send(next).await.is_err() || !more {
                    return;
                }
            }
        });
        windows
    }
}

impl Edges {
    async fn next(&mut self, sql: &'static str, ended_after: Option<i64>) -> Next {
        let Some(after) = self.after.take() else {
            return Ok(None);
        };
        let mut reader = self.readers.acquire().await?;
        let edge: Option<(Vec<u8>, i64)> = sqlx::query_as(
            "SELECT key, first_listed FROM listings WHERE feed_id = ? AND key > ?
             ORDER BY key LIMIT 1 OFFSET ?",
        )
        .bind(self.feed)
        .bind(&after)
        .bind(WINDOW - 1)
        .fetch_optional(&mut *reader)
        .await?;
        let (edge, first_listed) = edge.unzip();
        let first_listed = first_listed.unwrap_or(0);
        // No key begins with a byte above those of the tags.
        let mut query = sqlx::query_scalar(sql)
            .bind(self.feed)
            .bind(after)
            .bind(edge.as_deref().unwrap_or(b"\xff"));
        if let Some(moment) = ended_after {
            query = query.bind(moment).bind(first_listed);
        }
        let rows: Option<Vec<u8>> = query.fetch_one(&mut *reader).await?;
        self.after = edge;
        let rows = rows.unwrap_or_default();
        Ok(Some(Window { rows, first_listed }))
    }
}

/// Reads one row that says when it was first listed.
pub(super) fn read_listing(row: (Indicator, Numbers<'_>)) -> Result<Listing> {
    read_in_window(row, None)
}

/// Reads one row; `first_listed` stands in for what a row does not say that has nothing but its key.
fn read_in_window(
    (indicator, mut numbers): (Indicator, Numbers<'_>),
    first_listed: Option<i64>,
) -> Result<Listing> {
    let first_listed = match first_listed {
        Some(seconds) if numbers.is_empty() => seconds,
        _ => numbers.expect()?,
    };
    let first_listed = UnixTime::from_seconds(first_listed);
    let mut time =
        || -> Result<Option<UnixTime>> { Ok(numbers.next()?.map(UnixTime::from_seconds)) };
    let (expires_at, delisted_at, valid_until, dated) = (time()?, time()?, time()?, time()?);
    let confidence = numbers.next()?;
    Ok(Listing {
        indicator,
        first_listed,
        expires_at,
        delisted_at,
        valid_until,
        dated,
        confidence: confidence.and_then(|percent| u8::try_from(percent).ok()),
    })
}
