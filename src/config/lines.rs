//! The config as lines of key and value: what `check --print` shows, and what a reload compares.

use std::path::Path;
use std::time::Duration;

use toml::Value;

use crate::fetch::Source;
use crate::plan::Quota;

use super::value::{duration_text, size_text, word_of, zone_text};
use super::{Config, Feed, Firewall, Guard, Ledger, credentials, defaults, words};

/// One section of the config.
#[derive(Clone, Debug)]
pub(super) struct Block {
    /// The header: `[[feed]]`.
    pub header: &'static str,
    /// What sentences call it: ``feed `feodo` ``.
    pub title: String,
    /// The feed's or firewall's name.
    pub name: Option<String>,
    pub lines: Vec<Line>,
}

/// One key and the value that is in force.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub key: &'static str,
    pub value: Value,
    /// What would be in force if the file did not say; `None` where it must.
    pub default: Option<Value>,
}

impl Line {
    /// Whether the line need not be written.
    pub fn is_default(&self) -> bool {
        self.default.as_ref() == Some(&self.value)
    }
}

/// Every section, in the order in which a config is best read.
pub(super) fn blocks(config: &Config) -> Vec<Block> {
    let mut blocks = vec![
        Block {
            header: "[ledger]",
            title: "ledger".to_owned(),
            name: None,
            lines: ledger(&config.ledger),
        },
        Block {
            header: "[guard]",
            title: "guard".to_owned(),
            name: None,
            lines: guard(&config.guard),
        },
    ];
    blocks.extend(config.feeds.iter().map(|one| Block {
        header: "[[feed]]",
        title: format!("feed `{}`", one.name),
        name: Some(one.name.to_string()),
        lines: feed(one),
    }));
    blocks.extend(config.firewalls.iter().map(|one| Block {
        header: "[[firewall]]",
        title: format!("firewall `{}`", one.name),
        name: Some(one.name.to_string()),
        lines: firewall(one),
    }));
    blocks.push(Block {
        header: "[l4]",
        title: "l4".to_owned(),
        name: None,
        lines: l4(config),
    });
    blocks
}

/// A path as the config writes it. Config files are UTF-8, so every path read from one is.
pub(super) fn path_text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

fn ledger(ledger: &Ledger) -> Vec<Line> {
    vec![
        optional("path", path_text(&ledger.path), defaults::LEDGER_PATH),
        span("keep_history", ledger.keep_history, defaults::KEEP_HISTORY),
    ]
}

fn guard(guard: &Guard) -> Vec<Line> {
    let prefixes = |prefixes: crate::parse::MinPrefix| {
        let entries = [("v4", prefixes.v4), ("v6", prefixes.v6)];
        let entries = entries.map(|(key, length)| (key.to_owned(), Value::from(length)));
        Value::Table(entries.into_iter().collect())
    };
    let allow: Vec<_> = guard.allow.iter().map(ToString::to_string).collect();
    vec![
        optional(
            "min_prefix",
            prefixes(guard.min_prefix),
            prefixes(defaults::MIN_PREFIX),
        ),
        optional(
            "allow_private",
            guard.allow_private,
            defaults::ALLOW_PRIVATE,
        ),
        optional("allow", allow, Vec::<String>::new()),
        optional("files", guard.files.clone(), Vec::<String>::new()),
    ]
}

fn feed(feed: &Feed) -> Vec<Line> {
    let source = match &feed.source {
        Source::Http(http) => required("url", http.url.as_str()),
        Source::File(path) => required("path", path_text(path)),
        // The config cannot name these yet.
        Source::Taxii(http) | Source::Misp(http) => required("url", http.url.as_str()),
        Source::Glob(pattern) => required("path", pattern.as_str()),
    };
    let (terms, brakes, limits) = (&feed.terms, &feed.brakes, &feed.limits);
    let direction = |directions| word_of(words::DIRECTIONS, &directions);
    let max_age = |age: Option<Duration>| age.map_or("off".to_owned(), duration_text);
    let on_delist = |on_delist| word_of(words::ON_DELIST, &on_delist);
    vec![
        required("name", feed.name.as_str()),
        source,
        optional(
            "format",
            words::format_word(feed.recipe.format),
            words::format_word(defaults::FORMAT),
        ),
        span("interval", feed.interval, defaults::INTERVAL),
        span("ttl", terms.ttl, defaults::TTL),
        optional("confidence", terms.confidence, defaults::CONFIDENCE),
        optional(
            "direction",
            direction(terms.directions),
            direction(defaults::DIRECTION),
        ),
        optional("list", terms.list.as_str(), defaults::LIST.as_str()),
        optional(
            "mode",
            word_of(words::MODES, &terms.mode),
            word_of(words::MODES, &defaults::MODE),
        ),
        optional(
            "on_delist",
            on_delist(terms.on_delist),
            on_delist(defaults::ON_DELIST),
        ),
        optional(
            "max_age",
            max_age(terms.max_age),
            max_age(defaults::MAX_AGE),
        ),
        optional(
            "urls",
            word_of(words::URLS, &feed.recipe.urls),
            word_of(words::URLS, &defaults::URLS),
        ),
        optional("may_be_empty", brakes.may_be_empty, defaults::MAY_BE_EMPTY),
        count("min_entries", brakes.min_entries, defaults::MIN_ENTRIES),
        count("max_entries", brakes.max_entries, defaults::MAX_ENTRIES),
        optional("max_shrink", brakes.max_shrink, defaults::MAX_SHRINK),
        optional("max_growth", brakes.max_growth, defaults::MAX_GROWTH),
        optional(
            "max_size",
            size_text(limits.stored),
            size_text(defaults::MAX_SIZE),
        ),
        optional(
            "max_unpacked",
            size_text(limits.unpacked),
            size_text(defaults::MAX_UNPACKED),
        ),
        span("timeout", limits.total, defaults::TIMEOUT),
    ]
}

fn firewall(firewall: &Firewall) -> Vec<Line> {
    let terms = &firewall.terms;
    let site = |site| word_of(words::SITES, &site);
    let rate = |rate: u32| format!("{rate}/s");
    let accept = |classes: &[crate::model::Class]| -> Vec<&str> {
        classes.iter().map(|class| class.as_str()).collect()
    };
    let quota = |quota| match quota {
        Quota::Auto => Value::from("auto"),
        Quota::Fixed(places) => whole(places),
    };
    vec![
        required("name", firewall.name.as_str()),
        optional("kind", Firewall::KIND, Firewall::KIND),
        optional("site", site(firewall.site), site(defaults::SITE)),
        optional(
            "endpoint",
            firewall.endpoint.as_str(),
            firewall.site.endpoint(),
        ),
        optional("accept", accept(&terms.accept), accept(&defaults::ACCEPT)),
        optional("rate", rate(firewall.rate), rate(defaults::RATE)),
        count("batch", terms.batch as u64, defaults::BATCH as u64),
        optional("quota", quota(terms.quota), quota(defaults::QUOTA)),
        count("reserve", terms.reserve, defaults::RESERVE),
        optional("margin", terms.margin, defaults::MARGIN),
        optional("expand_networks", "off", "off"),
        optional("max_delete", terms.max_delete, defaults::MAX_DELETE),
        span("lease", terms.lease, defaults::LEASE),
        span("grid", terms.grid, defaults::GRID),
        span("min_term", terms.min_term, defaults::MIN_TERM),
        span(
            "reconcile_interval",
            firewall.reconcile_interval,
            defaults::RECONCILE_INTERVAL,
        ),
        span(
            "confirm_after",
            firewall.confirm_after,
            defaults::CONFIRM_AFTER,
        ),
        optional(
            "time_zone",
            zone_text(firewall.time_zone),
            zone_text(defaults::TIME_ZONE),
        ),
        optional(
            "credentials",
            credentials::write(&firewall.credentials),
            credentials::write(&defaults::CREDENTIALS),
        ),
    ]
}

fn l4(config: &Config) -> Vec<Line> {
    let l4 = &config.l4;
    let (usual, keys) = super::l4::fallback(&config.firewalls);
    let site = |site| word_of(words::SITES, &site);
    vec![
        optional("site", site(l4.site), site(usual)),
        optional(
            "endpoint",
            l4.endpoint.as_str(),
            super::l4::endpoint(l4.site),
        ),
        optional(
            "rate",
            format!("{}/s", l4.rate),
            format!("{}/s", defaults::RATE),
        ),
        optional(
            "credentials",
            credentials::write(&l4.credentials),
            credentials::write(&keys),
        ),
    ]
}

fn required(key: &'static str, value: impl Into<Value>) -> Line {
    Line {
        key,
        value: value.into(),
        default: None,
    }
}

fn optional(key: &'static str, value: impl Into<Value>, default: impl Into<Value>) -> Line {
    Line {
        key,
        value: value.into(),
        default: Some(default.into()),
    }
}

fn span(key: &'static str, value: Duration, default: Duration) -> Line {
    optional(key, duration_text(value), duration_text(default))
}

fn count(key: &'static str, value: u64, default: u64) -> Line {
    optional(key, whole(value), whole(default))
}

/// TOML's integers are signed; every number that a config can hold fits.
fn whole(number: u64) -> Value {
    Value::Integer(i64::try_from(number).unwrap_or(i64::MAX))
}
