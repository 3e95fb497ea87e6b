//! A row of the cloud's list in our words, and the calls that read it.

use jiff::tz::Offset;

use crate::cloud::cfw::{By, DescribeBlockIgnoreList, Order, Row, ShowType};
use crate::config::Site;
use crate::model::{Direction, Entry, Indicator, List, UnixTime};
use crate::plan::drift::Observed;

use super::rule_type;

/// The page of `list` that begins behind `offset` rows. `search`: one entry alone, as the cloud understands
/// it (fuzzily: the rows must be matched again).
#[must_use]
pub fn page(
    site: Site,
    list: List,
    limit: u32,
    offset: u32,
    search: Option<&Indicator>,
) -> DescribeBlockIgnoreList {
    let search = search.map(|indicator| serde_json::json!({ "common": indicator.to_string() }));
    DescribeBlockIgnoreList {
        limit,
        offset,
        direction: String::new(),
        order: Order::Asc,
        by: By::EndTime,
        // The international site refuses what it does not know.
        show_type: (site == Site::China).then_some(match list {
            List::Block => ShowType::Blocklist,
            List::Allow => ShowType::Whitelist,
        }),
        search_value: search.map_or_else(|| "{}".to_owned(), |search| search.to_string()),
        rule_type: rule_type(list),
    }
}

/// The places that a row stands for: one for each of its directions.
#[must_use]
pub fn observed(row: &Row, list: List, zone: Offset) -> Vec<Observed> {
    let indicator = Indicator::try_new(row.entry()).ok();
    let time = |text: &str| UnixTime::from_wall_clock(text, zone);
    row.directions()
        .into_iter()
        .map(|direction| Observed {
            entry: indicator
                .clone()
                .zip(Direction::from_number(direction))
                .map(|(indicator, direction)| Entry {
                    list,
                    indicator,
                    direction,
                }),
            end_time: time(&row.end_time),
            source: row.source.clone(),
            match_times: row
                .match_times
                .and_then(|times| u64::try_from(times).ok())
                .unwrap_or(0),
            last_hit: time(&row.last_hit_time),
        })
        .collect()
}
