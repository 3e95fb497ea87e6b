//! `feedwall feeds try NAME|URL|FILE`: fetch (or read) and parse, and record nothing. A name is that of a feed of the
//! config, or else of the catalogue. `--json` gives [`Trial`](crate::status::trial::Trial). The exit code is 3 where the
//! feed contract would hold the body.

use std::path::Path;

use anyhow::{Context as _, anyhow};
use tokio::time::Instant;
use url::Url;

use crate::catalog::{self, Preset, Standing};
use crate::clock::Clock;
use crate::config::{Config, Feed, nearest};
use crate::fetch::{FetchPolicy, Fetched, Fetcher, Source, Validators};
use crate::ledger::FeedRow;
use crate::model::Name;
use crate::parse::Format;
use crate::stage::replan::{self, GuardMaterial};
use crate::status::span::span;
use crate::status::trial::{Measure, Parsed};

use super::ask::{self, Ground};
use super::{Cli, Exit, print, print_json};

/// `feedwall feeds try`
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A feed of the config or of the catalogue, an http(s) URL, or a file.
    #[arg(value_name = "NAME|URL|FILE")]
    what: String,
    /// Read it as this format, whatever the config says.
    #[arg(long, value_parser = format)]
    format: Option<Format>,
}

pub(super) async fn run(cli: &Cli, args: &Args) -> anyhow::Result<Exit> {
    let config = ask::config_if_any(cli)?;
    let known = config.as_ref().and_then(|config| named(config, &args.what));
    let mut config = config.unwrap_or_else(Config::nothing);
    let mut feed = match &known {
        Some(feed) => feed.clone(),
        None => stranger(&config, &args.what)?,
    };
    if let Some(format) = args.format {
        feed.recipe.format = format;
    }
    if known.is_none() {
        // Its own host is our ground now, too.
        config.feeds.push(feed.clone());
    }
    let ground = if config.ledger.path.exists() {
        Some(Ground::open(cli).await?)
    } else {
        None
    };
    let row = match (&ground, &known) {
        (Some(ground), Some(feed)) => ground.ledger().feed(&feed.name).await?,
        _ => None,
    };
    if let (Some(row), Some(ground)) = (&row, &ground) {
        keep_floor(&feed, row, ground)?;
    }
    let begun = Instant::now();
    let parsed = parse(&fetcher(&config)?, &feed).await?;
    let material = GuardMaterial::read(&config)?;
    let guards = match &ground {
        Some(ground) => replan::guards_now(&ground.ctx, &material, &ground.heard()).await?,
        None => material.guards(Vec::new(), Vec::new())?,
    };
    let measure = Measure {
        list: feed.terms.list,
        mode: feed.terms.mode,
        brakes: &feed.brakes,
        guards: &guards,
        row: row.as_ref(),
    };
    let ledger = ground.as_ref().map(Ground::ledger);
    let mut trial = parsed.judge(ledger, &measure).await?;
    let now = Clock::system().now();
    let frozen = || parsed.frozen(feed.max_stale, row.as_ref(), now);
    trial.would_hold = trial.would_hold.or_else(frozen);
    trial.source = feed.source.to_string();
    trial.feed = known.map(|feed| feed.name.to_string());
    trial.duration_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    if cli.json {
        print_json(&trial)?;
    } else {
        print(trial.text().trim_end())?;
    }
    if let Some(ground) = ground {
        ground.close().await;
    }
    Ok(match trial.would_hold {
        Some(_) => Exit::NeedsYou,
        None => Exit::Done,
    })
}

/// Fetches a feed's body and parses it.
pub(super) async fn parse(fetcher: &Fetcher, feed: &Feed) -> anyhow::Result<Parsed> {
    let nothing = Validators::default();
    let body = match fetcher.fetch(&feed.source, &nothing, &feed.limits).await? {
        Fetched::Body(body) => *body,
        Fetched::NotModified => {
            return Err(anyhow!(
                "{} says that nothing changed (304), though it was not asked that",
                feed.source
            ));
        }
    };
    let (recipe, limits) = (feed.recipe.clone(), feed.limits.clone());
    let most = feed.brakes.max_entries;
    tokio::task::spawn_blocking(move || Parsed::read(&body, &recipe, &limits, most))
        .await?
        .context("the body cannot be read")
}

/// A fetcher for commands: bodies are spooled where anybody may write.
pub(super) fn fetcher(config: &Config) -> anyhow::Result<Fetcher> {
    Ok(Fetcher::new(FetchPolicy {
        allow_private: config.guard.allow_private,
        spool_dir: std::env::temp_dir(),
        contact: config.fetch.contact.clone(),
    })?)
}

/// Why a feed may not be asked just now: its publisher locks out who asks too often.
pub(super) fn too_soon(feed: &Feed, row: &FeedRow, now: crate::model::UnixTime) -> Option<String> {
    let floor = feed.floor?;
    let last = row.last_poll?;
    let again = last.plus(floor);
    (now < again).then(|| {
        format!(
            "its publisher locks out who asks twice within {}, and it was asked {} ago",
            span(floor),
            span(now.since(last))
        )
    })
}

fn keep_floor(feed: &Feed, row: &FeedRow, ground: &Ground) -> anyhow::Result<()> {
    match too_soon(feed, row, ground.now) {
        None => Ok(()),
        Some(why) => Err(anyhow!(
            "{} is not fetched: {why}. A copy in a file can be tried at any time",
            feed.name
        )),
    }
}

fn named(config: &Config, what: &str) -> Option<Feed> {
    let name = Name::try_new(what).ok()?;
    config.polled().find(|feed| feed.name == name).cloned()
}

/// A feed that is in no config. One of the catalogue is read as it says there; of others the format is guessed, and
/// the rest is by default.
fn stranger(config: &Config, what: &str) -> anyhow::Result<Feed> {
    if let Some(preset) = catalog::find(what) {
        return of_catalogue(preset);
    }
    let path = Path::new(what.strip_prefix("file://").unwrap_or(what));
    let source = if what.starts_with("http://") || what.starts_with("https://") {
        let url = Url::parse(what).with_context(|| format!("`{}` is no URL", ask::shown(what)))?;
        Source::http(url)
    } else if path.exists() {
        let path = path.canonicalize();
        Source::File(path.with_context(|| format!("{} cannot be read", ask::shown(what)))?)
    } else {
        let names = ask::words(config.polled().map(|feed| &feed.name));
        let presets = || catalog::all().iter().map(|preset| preset.name.as_str());
        let advice = match nearest(what, names.iter().map(String::as_str).chain(presets())) {
            Some(near) => format!("did you mean `{near}`?"),
            None => {
                "`feedwall feeds` and `feedwall feeds catalog` show what can be tried".to_owned()
            }
        };
        let what = ask::shown(what);
        return Err(anyhow!(
            "`{what}` is no feed of the config or the catalogue, no http:// or https:// URL, and no file that is there; {advice}"
        ));
    };
    let mut feed = Feed::plain(Name::try_new("tried")?, source, config.guard.min_prefix);
    feed.recipe.format = Format::Auto;
    Ok(feed)
}

fn of_catalogue(preset: &'static Preset) -> anyhow::Result<Feed> {
    let name = &preset.name;
    if let Standing::Retired(why) | Standing::Unfit(why) = &preset.standing {
        return Err(anyhow!("{name} is not fetched: {why}"));
    }
    if let Some(key) = &preset.key {
        return Err(anyhow!(
            "{name} wants a key, which {} gives out: write the feed into the config as `feedwall feeds catalog {name}` shows, and try it then",
            key.from
        ));
    }
    Feed::of_preset(preset).ok_or_else(|| anyhow!("{name} has no address"))
}

/// A format by its word in the config.
fn format(word: &str) -> Result<Format, String> {
    serde_json::from_value(serde_json::Value::String(word.to_owned())).map_err(|_| {
        "no format that can be read; `text`, `csv`, `hosts` and `json` are some, `auto` guesses"
            .to_owned()
    })
}
