//! `feedwall list`: what the ledger holds, a line each. Without `--feed`: the entries of firewalls
//! ([`EntryRow`]); with `--feed` alone: that feed's listings ([`ListingRow`]); with both `--feed` and
//! `--firewall`: that firewall's entries that the feed lists. `--json` gives an array, a row a line.

use std::collections::HashSet;
use std::time::Duration;

use clap::ValueEnum;
use serde::Serialize;

use crate::ledger::{FeedRow, FirewallRow};
use crate::model::{Class, Entry, Indicator};
use crate::status::list::{EntryRow, EntryState, ListingRow, ListingState};

use super::ask::Ground;
use super::{Cli, Exit, Misused, print};

/// `feedwall list`
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Entries of this firewall alone.
    #[arg(long, value_name = "NAME")]
    firewall: Option<String>,
    /// What this feed lists.
    #[arg(long, value_name = "NAME")]
    feed: Option<String>,
    /// Rows in this state alone: of entries held (confirmed ones too), confirmed, doubtful, ending
    /// (within the hour), quarantined, foreign; of a feed's listings listed, delisted, ended.
    #[arg(long, value_enum, hide_possible_values = true)]
    state: Option<State>,
    /// Rows of this class alone.
    #[arg(long, value_parser = class)]
    class: Option<Class>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum State {
    Held,
    Confirmed,
    Doubtful,
    Ending,
    Quarantined,
    Foreign,
    Listed,
    Delisted,
    Ended,
}

/// What ends within this is `ending`.
const SOON: Duration = Duration::from_secs(3600);

/// Rows as lines, or as the items of a JSON array; nothing is gathered before it is printed.
struct Rows {
    json: bool,
    printed: u64,
}

pub(super) async fn run(cli: &Cli, args: &Args) -> anyhow::Result<Exit> {
    let of_listings = args.feed.is_some() && args.firewall.is_none();
    if let Some(state) = args
        .state
        .filter(|state| state.is_of_listings() != of_listings)
    {
        return Err(Misused(state.misplaced()).into());
    }
    let ground = Ground::open(cli).await?;
    let feed = match &args.feed {
        Some(name) => Some(ground.feed(name).await?),
        None => None,
    };
    let mut rows = Rows {
        json: cli.json,
        printed: 0,
    };
    match feed {
        Some(feed) if of_listings => listings(&ground, args, &feed, &mut rows).await?,
        feed => entries(&ground, args, feed.as_ref(), &mut rows).await?,
    }
    rows.end()?;
    ground.close().await;
    Ok(Exit::Done)
}

async fn listings(
    ground: &Ground,
    args: &Args,
    feed: &FeedRow,
    rows: &mut Rows,
) -> anyhow::Result<()> {
    let mut listings = ground.ledger().listings(feed.id);
    loop {
        let chunk = listings.next_chunk().await?;
        if chunk.is_empty() {
            return Ok(());
        }
        for listing in chunk {
            let row = ListingRow::new(feed, listing, ground.now);
            let state = args.state.is_none_or(|state| state.fits_listing(row.state));
            if state && args.takes(row.class) {
                rows.print(&row, || row.line())?;
            }
        }
    }
}

async fn entries(
    ground: &Ground,
    args: &Args,
    feed: Option<&FeedRow>,
    rows: &mut Rows,
) -> anyhow::Result<()> {
    let firewalls = match &args.firewall {
        Some(name) => vec![ground.firewall(name).await?],
        None => ground.ledger().firewalls().await?,
    };
    let listed = match feed {
        Some(feed) => Some(listed_by(ground, feed).await?),
        None => None,
    };
    let width = firewalls.iter().map(|row| row.name.as_str().len()).max();
    for firewall in &firewalls {
        for row in entries_of(ground, firewall).await? {
            let wanted = listed
                .as_ref()
                .is_none_or(|listed| listed.contains(&row.indicator));
            let soon = row.end_time.is_some_and(|end| end < ground.now.plus(SOON));
            let state = args
                .state
                .is_none_or(|state| state.fits_entry(row.state, soon));
            if wanted && state && args.takes(row.class) {
                rows.print(&row, || row.line(width.unwrap_or(0)))?;
            }
        }
    }
    Ok(())
}

/// What a feed lists, and what it listed and still counts.
async fn listed_by(ground: &Ground, feed: &FeedRow) -> anyhow::Result<HashSet<Indicator>> {
    let mut listed = HashSet::new();
    let mut listings = ground.ledger().listings(feed.id);
    loop {
        let chunk = listings.next_chunk().await?;
        if chunk.is_empty() {
            return Ok(listed);
        }
        let rows = chunk
            .into_iter()
            .map(|listing| ListingRow::new(feed, listing, ground.now));
        let counts = rows.filter(|row| row.state != ListingState::Ended);
        listed.extend(counts.map(|row| row.indicator));
    }
}

/// Everything that is known to stand on a firewall, or was refused there, in the order of entries.
async fn entries_of(ground: &Ground, firewall: &FirewallRow) -> anyhow::Result<Vec<EntryRow>> {
    let (ledger, name) = (ground.ledger(), &firewall.name);
    let confirmed = ledger.confirmed(firewall.id).await?;
    let mut leases = ledger.leases(firewall.id).await?;
    leases.retain(|lease| lease.end_time > ground.now);
    let mut rows: Vec<EntryRow> = leases
        .into_iter()
        .map(|lease| {
            let confirmed = confirmed.contains(&lease.entry);
            EntryRow::leased(name, lease, confirmed)
        })
        .collect();
    let other = |entry: Entry, state| EntryRow {
        firewall: name.clone(),
        list: entry.list,
        class: entry.class(),
        indicator: entry.indicator,
        direction: entry.direction,
        state,
        end_time: None,
    };
    let quarantined = ledger.quarantine(firewall.id).await?;
    rows.extend(
        quarantined
            .into_iter()
            .map(|one| other(one.entry, EntryState::Quarantined)),
    );
    let foreign = ledger.foreign_entries(firewall.id).await?;
    rows.extend(
        foreign
            .into_iter()
            .map(|entry| other(entry, EntryState::Foreign)),
    );
    rows.sort_by(|one, other| {
        let key = |row: &EntryRow| (row.list, row.direction);
        one.indicator
            .cmp(&other.indicator)
            .then_with(|| key(one).cmp(&key(other)))
    });
    Ok(rows)
}

impl Args {
    fn takes(&self, class: Class) -> bool {
        self.class.is_none_or(|wanted| wanted == class)
    }
}

/// A class by its word.
fn class(word: &str) -> Result<Class, String> {
    Class::ALL
        .into_iter()
        .find(|class| class.as_str() == word)
        .ok_or_else(|| "a class is ipv4, ipv6, network or domain".to_owned())
}

impl State {
    fn is_of_listings(self) -> bool {
        matches!(self, Self::Listed | Self::Delisted | Self::Ended)
    }

    fn misplaced(self) -> String {
        if self.is_of_listings() {
            "`listed`, `delisted` and `ended` are states of a feed's listings: add --feed NAME, without --firewall".to_owned()
        } else {
            "a feed's listings are `listed`, `delisted` or `ended`; the other states are those of a firewall's entries: add --firewall NAME, or leave out --feed".to_owned()
        }
    }

    fn fits_entry(self, state: EntryState, soon: bool) -> bool {
        match self {
            Self::Held => matches!(state, EntryState::Held | EntryState::Confirmed),
            Self::Confirmed => state == EntryState::Confirmed,
            Self::Doubtful => state == EntryState::Doubtful,
            Self::Ending => soon,
            Self::Quarantined => state == EntryState::Quarantined,
            Self::Foreign => state == EntryState::Foreign,
            Self::Listed | Self::Delisted | Self::Ended => false,
        }
    }

    fn fits_listing(self, state: ListingState) -> bool {
        match self {
            Self::Listed => state == ListingState::Listed,
            Self::Delisted => state == ListingState::Delisted,
            Self::Ended => state == ListingState::Ended,
            _ => false,
        }
    }
}

impl Rows {
    fn print<T: Serialize>(
        &mut self,
        row: &T,
        line: impl FnOnce() -> String,
    ) -> anyhow::Result<()> {
        if self.json {
            let sign = if self.printed == 0 { '[' } else { ',' };
            print(format_args!("{sign} {}", serde_json::to_string(row)?))?;
        } else {
            print(line())?;
        }
        self.printed += 1;
        Ok(())
    }

    fn end(&self) -> anyhow::Result<()> {
        match (self.json, self.printed) {
            (true, 0) => print("[]")?,
            (true, _) => print("]")?,
            (false, _) => {}
        }
        Ok(())
    }
}
