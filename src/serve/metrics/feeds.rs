//! Feeds, each by its name.

use crate::ledger::{BY_HAND, FeedState};
use crate::model::UnixTime;
use crate::status::report::FeedReport;

use super::text::{Text, Value};

type Moment = fn(&FeedReport) -> Option<UnixTime>;

pub(super) fn write(text: &mut Text, feeds: &[FeedReport]) {
    let polled: Vec<&FeedReport> = feeds
        .iter()
        .filter(|feed| feed.configured && feed.name.as_str() != BY_HAND)
        .collect();
    let mut family = text.gauge(
        "feedwall_feeds",
        "Feeds and guard lists, by how their last poll ended.",
    );
    for state in [
        FeedState::New,
        FeedState::Good,
        FeedState::Failed,
        FeedState::Held,
        FeedState::Frozen,
        FeedState::Retired,
    ] {
        let count = polled.iter().filter(|feed| feed.state == state).count();
        family.sample(&[("state", state.as_str())], count as u64);
    }
    let mut each = |name, help, value: fn(&FeedReport) -> Value| {
        let mut family = text.gauge(name, help);
        for feed in &polled {
            family.sample(&[("feed", feed.name.as_str())], value(feed));
        }
    };
    each(
        "feedwall_feed_healthy",
        "Whether the feed's last poll was good.",
        |feed| (feed.state == FeedState::Good).into(),
    );
    each(
        "feedwall_feed_listings",
        "Indicators that the feed lists.",
        |feed| feed.listed.into(),
    );
    each(
        "feedwall_feed_rejected_rows",
        "Rows of the feed's last recorded body that were rejected.",
        |feed| feed.rejected.into(),
    );
    each(
        "feedwall_feed_failures",
        "Failed or held polls since the feed's last good one.",
        |feed| feed.failures.into(),
    );
    each(
        "feedwall_feed_ttl_seconds",
        "How long the feed's listings last after its last good fetch.",
        |feed| feed.ttl_s.into(),
    );
    let moments: [(&str, &str, Moment); 4] = [
        (
            "feedwall_feed_last_poll_timestamp_seconds",
            "When the feed was last asked.",
            |feed| feed.last_poll,
        ),
        (
            "feedwall_feed_last_good_timestamp_seconds",
            "When the feed last gave something good.",
            |feed| feed.last_good,
        ),
        (
            "feedwall_feed_last_change_timestamp_seconds",
            "When the feed last changed.",
            |feed| feed.last_change,
        ),
        (
            "feedwall_feed_next_poll_timestamp_seconds",
            "When the feed is due.",
            |feed| feed.next_poll,
        ),
    ];
    for (name, help, moment) in moments {
        let mut family = text.gauge(name, help);
        for feed in &polled {
            if let Some(at) = moment(feed) {
                family.sample(&[("feed", feed.name.as_str())], at.seconds());
            }
        }
    }
}
