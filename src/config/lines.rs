//! The config as lines of key and value: what `check --print` shows, and what a reload compares.

use std::path::Path;
use std::time::Duration;

use toml::Value;

use crate::plan::Quota;

use super::value::{duration_text, word_of, zone_text};
use super::{
    Config, Fetch, Firewall, Guard, Http, Ledger, credentials, defaults, feed_lines, sent, words,
};

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
    let plain = |header, title: &str, lines| Block {
        header,
        title: title.to_owned(),
        name: None,
        lines,
    };
    let mut blocks = vec![plain("[ledger]", "ledger", ledger(&config.ledger))];
    blocks.extend(
        config
            .http
            .iter()
            .map(|one| plain("[http]", "http", http(one))),
    );
    blocks.push(plain("[fetch]", "fetch", fetch(&config.fetch)));
    blocks.push(plain("[guard]", "guard", guard(&config.guard)));
    blocks.extend(config.guard.lists.iter().map(|one| Block {
        header: "[[guard.list]]",
        title: format!("guard list `{}`", one.name),
        name: Some(one.name.to_string()),
        lines: feed_lines::of_guard_list(one),
    }));
    blocks.extend(config.feeds.iter().map(|one| Block {
        header: "[[feed]]",
        title: format!("feed `{}`", one.name),
        name: Some(one.name.to_string()),
        lines: feed_lines::lines(one),
    }));
    blocks.extend(config.firewalls.iter().map(|one| Block {
        header: "[[firewall]]",
        title: format!("firewall `{}`", one.name),
        name: Some(one.name.to_string()),
        lines: firewall(one),
    }));
    blocks.push(plain("[l4]", "l4", l4(config)));
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

fn http(http: &Http) -> Vec<Line> {
    let token = match &http.token {
        None => Value::from("off"),
        Some(place) => sent::write_place(place),
    };
    let listen = |address: std::net::SocketAddr| address.to_string();
    vec![
        optional("listen", listen(http.listen), listen(defaults::HTTP_LISTEN)),
        optional("token", token, "off"),
    ]
}

fn fetch(fetch: &Fetch) -> Vec<Line> {
    let contact = |contact: Option<&str>| contact.unwrap_or("off").to_owned();
    let (written, default) = (fetch.contact.as_deref(), defaults::CONTACT.as_deref());
    vec![optional("contact", contact(written), contact(default))]
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
        optional(
            "expand_networks",
            expand(terms.expand_networks),
            expand(None),
        ),
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
pub(super) fn whole(number: u64) -> Value {
    Value::Integer(i64::try_from(number).unwrap_or(i64::MAX))
}

fn expand(least: Option<u8>) -> Value {
    least.map_or("off".into(), |least| i64::from(least).into())
}
