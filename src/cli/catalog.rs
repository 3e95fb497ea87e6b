//! `feedwall feeds catalog [NAME]`: the feeds that feedwall knows by name. `--json` gives an array of [`Entry`], or one.

use std::time::Duration;

use serde::Serialize;

use crate::catalog::{self, Commercial, KeyPlace, Preset, Standing};
use crate::config::{Feed, nearest};
use crate::status::layout::{heading, items, prose};
use crate::status::span::span;

use super::{Cli, Exit, Misused, ask, print, print_json};

/// A name of the catalogue, as its JSON.
#[derive(Clone, Debug, Serialize)]
struct Entry {
    /// What `preset` calls it.
    name: &'static str,
    /// `feed`, `guard`, `retired` or `unfit`.
    standing: &'static str,
    /// What stands on it.
    lists: &'static str,
    /// Why it is no more, or no feed, and what to use instead.
    why: Option<&'static str>,
    /// Where it is fetched, and how it is read, in the config's words.
    url: Option<String>,
    format: Option<&'static str>,
    /// Seconds between two polls: by default, and at the least that the publisher takes.
    interval_s: Option<u64>,
    floor_s: Option<u64>,
    /// Seconds that a listing lasts, its worth in percent, and which way it blocks.
    ttl_s: Option<u64>,
    confidence: Option<u8>,
    direction: Option<&'static str>,
    /// As the publisher states it, and whether a company may use it.
    licence: Option<&'static str>,
    commercial: Commercial,
    /// Where the publisher wants a key.
    key: Option<Key>,
    /// The publisher wants `[fetch] contact`.
    contact: bool,
    /// This was not read on the publisher's own page.
    verify: bool,
    page: Option<&'static str>,
    notes: Option<&'static str>,
}

/// Where a publisher's key goes.
#[derive(Clone, Debug, Serialize)]
struct Key {
    /// `header`, `query` or `path`.
    place: &'static str,
    /// The name of the header or parameter.
    name: Option<&'static str>,
    /// The page that gives keys out.
    from: &'static str,
}

pub(super) fn run(cli: &Cli, name: Option<&str>) -> anyhow::Result<Exit> {
    match name {
        Some(name) => one(cli, name)?,
        None if cli.json => print_json(&catalog::all().iter().map(Entry::of).collect::<Vec<_>>())?,
        None => print(whole().trim_end())?,
    }
    Ok(Exit::Done)
}

fn one(cli: &Cli, name: &str) -> anyhow::Result<()> {
    let Some(preset) = catalog::find(name) else {
        let near = nearest(name, catalog::all().iter().map(|one| one.name.as_str()));
        let advice = match near {
            Some(near) => format!("did you mean `{near}`?"),
            None => "without a name, all are shown".to_owned(),
        };
        let shown = ask::shown(name);
        return Err(Misused(format!("the catalogue has no `{shown}`; {advice}")).into());
    };
    let entry = Entry::of(preset);
    if cli.json {
        return print_json(&entry);
    }
    Ok(print(entry.text().trim_end())?)
}

/// The catalogue, for 80 columns.
fn whole() -> String {
    let entries: Vec<_> = catalog::all().iter().map(Entry::of).collect();
    let section = |title: &str, standings: &[&str], text: fn(&Entry) -> String| {
        let found = entries
            .iter()
            .filter(|one| standings.contains(&one.standing));
        heading(title) + &items(found.map(|one| (one.name, text(one)))) + "\n"
    };
    section("Feeds", &["feed"], Entry::line)
        + &section(
            "Guard lists: what must not be blocked",
            &["guard"],
            Entry::line,
        )
        + &section("No more, or no feeds", &["retired", "unfit"], Entry::line)
        + &prose(
            0,
            "`preset = \"NAME\"` in a [[feed]] (or [[guard.list]]) uses one, and `feedwall feeds catalog NAME` shows all of it. Licences are as their publishers state them: read them before you rely on a feed.",
        )
}

impl Entry {
    fn of(preset: &'static Preset) -> Self {
        let alive = matches!(preset.standing, Standing::Feed | Standing::Guard);
        let feed = Feed::of_preset(preset).filter(|_| alive);
        let feed = feed.as_ref();
        let blocks = feed.filter(|_| preset.standing == Standing::Feed);
        Self {
            name: &preset.name,
            standing: match preset.standing {
                Standing::Feed => "feed",
                Standing::Guard => "guard",
                Standing::Retired(_) => "retired",
                Standing::Unfit(_) => "unfit",
            },
            lists: &preset.lists,
            why: match &preset.standing {
                Standing::Retired(why) | Standing::Unfit(why) => Some(why),
                Standing::Feed | Standing::Guard => None,
            },
            url: feed.map(|feed| feed.source.to_string()),
            format: feed.map(Feed::format),
            interval_s: feed.map(|feed| feed.interval.as_secs()),
            floor_s: feed.and_then(|feed| Some(feed.floor?.as_secs())),
            ttl_s: blocks.map(|feed| feed.terms.ttl.as_secs()),
            confidence: blocks.map(|feed| feed.terms.confidence),
            direction: blocks.map(Feed::direction),
            licence: preset.licence.as_deref(),
            commercial: preset.commercial,
            key: preset.key.as_ref().map(Key::of),
            contact: preset.contact,
            verify: preset.verify,
            page: preset.page.as_deref(),
            notes: preset.notes.as_deref(),
        }
    }

    /// What it lists and on what terms, in a few words.
    fn line(&self) -> String {
        if let Some(why) = self.why {
            return format!("{}: {why}", self.lists);
        }
        let mut parts = vec![self.lists.to_owned()];
        parts.extend(
            self.interval_s
                .map(|every| format!("every {}", seconds(every))),
        );
        parts.extend(self.licence.map(|licence| format!("licence: {licence}")));
        parts.push(self.companies().to_owned());
        parts.extend(self.key.as_ref().map(|_| "needs a key".to_owned()));
        parts.extend(self.verify.then(|| "verify".to_owned()));
        parts.join("; ")
    }

    fn companies(&self) -> &'static str {
        match self.commercial {
            Commercial::Yes => "companies may use it",
            Commercial::No => "not for companies",
            Commercial::Unclear => "unclear for companies",
        }
    }

    /// All of it, for 80 columns.
    fn text(&self) -> String {
        let mut rows = vec![("lists", self.lists.to_owned())];
        rows.extend(self.why.map(|why| (self.standing, why.to_owned())));
        rows.extend(self.url.clone().map(|url| ("URL", url)));
        rows.extend(self.format.map(|format| ("format", format.to_owned())));
        let floor = self
            .floor_s
            .map(|floor| format!("; its publisher takes one poll in {}", seconds(floor)));
        rows.extend(self.interval_s.map(|every| {
            let every = format!("every {}{}", seconds(every), floor.unwrap_or_default());
            ("polled", every)
        }));
        rows.extend(self.ttl_s.map(|ttl| ("believed for", seconds(ttl))));
        rows.extend(
            self.confidence
                .map(|percent| ("confidence", format!("{percent} %"))),
        );
        rows.extend(self.direction.map(|way| ("direction", way.to_owned())));
        rows.extend(
            self.licence
                .map(|licence| ("licence", format!("{licence}; {}", self.companies()))),
        );
        rows.extend(self.key.as_ref().map(|key| ("key", key.text())));
        if self.contact {
            rows.push(("contact", "its publisher wants [fetch] contact".to_owned()));
        }
        rows.extend(self.page.map(|page| ("page", page.to_owned())));
        rows.extend(self.notes.map(|notes| ("note", notes.to_owned())));
        if self.verify {
            let verify = "this was not read on its publisher's own page: look there first";
            rows.push(("verify", verify.to_owned()));
        }
        heading(self.name) + &items(rows) + &self.example()
    }

    /// What to write into the config.
    fn example(&self) -> String {
        let section = match self.standing {
            "feed" => "[[feed]]",
            "guard" => "[[guard.list]]",
            _ => return String::new(),
        };
        let key = self.key.as_ref().map(|key| key.example(self.name));
        format!(
            "\n  {section}\n  name = \"{name}\"\n  preset = \"{name}\"\n{}",
            key.unwrap_or_default(),
            name = self.name
        )
    }
}

impl Key {
    fn of(key: &'static catalog::Key) -> Self {
        let (place, name) = match &key.place {
            KeyPlace::Header(name) => ("header", Some(name.as_str())),
            KeyPlace::Query(name) => ("query", Some(name.as_str())),
            KeyPlace::Path => ("path", None),
        };
        Self {
            place,
            name,
            from: &key.from,
        }
    }

    fn text(&self) -> String {
        let place = match self.name {
            Some(name) => format!("in the {} `{name}`", self.place),
            None => "in the URL's path".to_owned(),
        };
        format!("needed, {place}; {} gives it out", self.from)
    }

    fn example(&self, feed: &str) -> String {
        let file = format!("{{ file = \"/etc/feedwall/{feed}.key\" }}");
        match self.name {
            Some(name) => format!("  {} = {{ {name} = {file} }}\n", self.place),
            None => format!("  url_key = {file}\n"),
        }
    }
}

fn seconds(seconds: u64) -> String {
    span(Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[test]
    fn the_whole_catalogue_is_told() {
        let text = anstream::adapter::strip_str(&whole()).to_string();
        for preset in catalog::all() {
            assert!(
                text.contains(&format!("\n  {} ", preset.name)),
                "{}",
                preset.name
            );
        }
        assert!(
            text.lines().all(|line| line.chars().count() <= 80),
            "{text}"
        );
    }

    #[test]
    fn one_of_each_kind() {
        let of = |name| {
            let text = Entry::of(catalog::find(name).unwrap()).text();
            anstream::adapter::strip_str(&text).to_string()
        };
        let names = [
            "urlhaus",
            "phishtank",
            "fullbogons-ipv6",
            "sslbl",
            "dshield-topips",
        ];
        insta::assert_snapshot!(names.map(of).join("\n"));
    }

    #[test]
    fn the_json_of_one() {
        let entry = Entry::of(catalog::find("abuseipdb").unwrap());
        insta::assert_snapshot!(serde_json::to_string_pretty(&entry).unwrap());
    }

    /// What is shown can be pasted.
    #[test]
    fn examples_can_be_pasted() {
        for preset in catalog::all() {
            let text = format!(
                "[fetch]\ncontact = \"soc@example.org\"\n{}\n[[feed]]\nname = \"one\"\npath = \"/srv/one\"\n[[firewall]]\nname = \"prod\"\n",
                Entry::of(preset).example()
            );
            let config =
                Config::parse(&text, "test.toml").unwrap_or_else(|faults| panic!("{faults}"));
            assert_eq!(config.warnings, Vec::<String>::new());
        }
    }
}
