//! The language as a whole: every fault with its exact words, every key read, printed and read again.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use proptest::prelude::*;
use url::Url;

use crate::fetch::{Secret, Source};
use crate::model::Name;

use super::keys::{self, Key, State};
use super::lines::blocks;
use super::{Config, ConfigError, CredentialSource, Site, defaults};

const SAMPLE: &str = include_str!("../../config/feedwall.toml");
const EVERY_KEY: &str = include_str!("../../tests/data/config/good/every-key.toml");
const SMALLEST: &str = "\
[[feed]]
name = \"a\"
url = \"https://feeds.example.net/a.txt\"

[[firewall]]
name = \"prod\"
";

fn parsed(text: &str) -> Config {
    Config::parse(text, "test.toml").unwrap_or_else(|faults| panic!("{faults}"))
}

fn name(text: &str) -> Name {
    Name::try_new(text).unwrap()
}

/// Each `NAME.toml` in `bad` has its words in `NAME.txt`. With UPDATE_EXPECT set, the words are written
/// down instead of compared, to be read in the diff.
#[test]
fn every_fault_has_its_words() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/config/bad");
    let mut files: Vec<PathBuf> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    let mut read = 0;
    for toml in files {
        if toml.extension().is_some_and(|extension| extension == "txt") {
            assert!(
                toml.with_extension("toml").exists(),
                "{toml:?} has no bad file"
            );
            continue;
        }
        let bytes = fs::read(&toml).unwrap();
        let file = toml.file_name().unwrap().to_str().unwrap();
        let faults = match Config::from_bytes(&bytes, file) {
            Ok(_) => panic!("{file} has no fault"),
            Err(faults) => format!("{faults}\n"),
        };
        let expected = toml.with_extension("txt");
        if std::env::var_os("UPDATE_EXPECT").is_some() {
            fs::write(&expected, &faults).unwrap();
        }
        let words = fs::read_to_string(&expected).unwrap_or_default();
        assert_eq!(faults, words, "the words for {file} have changed");
        read += 1;
    }
    assert!(read > 20, "only {read} bad files were found");
}

#[test]
fn the_sample_passes() {
    let config = parsed(SAMPLE);
    assert_eq!(config.warnings, Vec::<String>::new());
    assert_eq!(config.feeds.len(), 5);
    assert_eq!(
        config.feed(&name("soc")).unwrap().source,
        Source::File(PathBuf::from("/srv/soc/block.txt"))
    );
    assert!(config.feed(&name("prod")).is_none());
    assert_eq!(config.firewall(&name("prod")).unwrap().site, Site::China);
}

/// What the sample shows behind a `#` is a default or, where it says so, an example; either may be written.
#[test]
fn what_the_sample_comments_out_may_be_written() {
    let is_key =
        |line: &&str| line.starts_with('#') && !line.starts_with("# ") && line.contains('=');
    let (again, once): (Vec<_>, Vec<_>) = SAMPLE
        .lines()
        .filter(is_key)
        .partition(|line| line.starts_with("#credentials"));
    let written = once.iter().fold(SAMPLE.to_owned(), |text, line| {
        text.replace(&format!("\n{line}\n"), &format!("\n{}\n", &line[1..]))
    });
    let changes = parsed(&written).changes_from(&parsed(SAMPLE));
    assert_eq!(changes, ["guard: files gains /etc/feedwall/allow.d/*.txt"]);
    assert!(once.len() > 30 && again.len() == 3);
    for line in again {
        let text = SAMPLE.replace("\ncredentials = ", "\n#credentials = ");
        parsed(&text.replace(&format!("\n{line}\n"), &format!("\n{}\n", &line[1..])));
    }
}

#[test]
fn the_smallest_config_is_all_defaults() {
    let config = parsed(SMALLEST);
    for block in blocks(&config) {
        for line in block.lines {
            let must = ["name", "url"].contains(&line.key);
            assert_eq!(line.is_default(), !must, "{} {}", block.title, line.key);
        }
    }
    let firewall = config.firewall(&name("prod")).unwrap();
    assert_eq!(firewall.endpoint.as_str(), defaults::SITE.endpoint());
    assert_eq!(firewall.credentials, CredentialSource::Auto);
}

/// A key that is built is read, printed and compared; one that is not is refused by name.
#[test]
fn every_key_is_read_printed_and_refused_as_its_table_says() {
    let config = parsed(EVERY_KEY);
    let shown = blocks(&config);
    let tables = [
        ("[ledger]", keys::LEDGER),
        ("[http]", keys::HTTP),
        ("[guard]", keys::GUARD),
        ("[[guard.list]]", keys::GUARD_LIST),
        ("[[feed]]", keys::FEED),
        ("[[firewall]]", keys::FIREWALL),
        ("[l4]", keys::L4),
    ];
    for (header, table) in tables {
        let lines = || {
            shown
                .iter()
                .filter(|block| block.header == header)
                .flat_map(|block| &block.lines)
        };
        let mut printed: BTreeSet<_> = lines().map(|line| line.key).collect();
        if header == "[guard]" {
            // Its sections are printed after it, each under its own header.
            printed.insert("list");
        }
        let is_built = |key: &&Key| !matches!(key.state, State::Later(_));
        let built: BTreeSet<_> = table.iter().filter(is_built).map(|key| key.name).collect();
        assert_eq!(printed, built, "{header}");
        for key in built {
            // These have one value only, as long as nothing else is built.
            let alone = ["kind", "list"].contains(&key);
            let changed = lines().any(|line| line.key == key && !line.is_default());
            assert!(changed || alone, "{header} {key} is not tried");
        }
        for key in table.iter().filter(|key| !is_built(key)) {
            let text = format!("{header}\n{} = 1\n", key.name);
            let faults = Config::parse(&text, "later.toml").unwrap_err().to_string();
            let words = format!("`{}` is not built yet: ", key.shown);
            assert!(faults.contains(&words), "{faults}");
        }
    }
}

#[test]
fn what_is_printed_reads_as_the_same_config() {
    let many: String = (0..40)
        .map(|host| format!("\"192.0.2.{host}\", "))
        .collect();
    let many = format!("\u{feff}[guard]\nallow = [{many}]\n{SMALLEST}").replace('\n', "\r\n");
    for text in [SAMPLE, EVERY_KEY, SMALLEST, &many] {
        let mut config = parsed(text);
        config.warnings.clear();
        let printed = config.to_toml();
        assert_eq!(parsed_without_warnings(&printed), config, "{printed}");
        assert_eq!(parsed(&printed).to_toml(), printed);
    }
}

fn parsed_without_warnings(text: &str) -> Config {
    Config {
        warnings: Vec::new(),
        ..parsed(text)
    }
}

#[test]
fn defaults_are_dealt_out_and_overridden() {
    let config = parsed(EVERY_KEY);
    let (web, file) = (&config.feeds[0], &config.feeds[1]);
    assert_eq!((web.terms.confidence, file.terms.confidence), (90, 1));
    assert_eq!(file.terms.ttl, Duration::from_secs(90));
    assert_eq!(web.limits.first_byte, Duration::from_secs(20));
    assert_eq!(file.limits.first_byte, defaults::FIRST_BYTE);
    assert_eq!(web.recipe.min_prefix, config.guard.min_prefix);
}

#[test]
fn what_is_probably_not_meant_is_a_warning() {
    let text = "\
[guard]
allow = [\"192.0.0.0/3\"]

[[feed]]
name = \"a\"
url = \"https://feeds.example.net/a.txt\"
mode = \"incremental\"
on_delist = \"withdraw\"

[[feed]]
name = \"b\"
url = \"https://feeds.example.net/a.txt\"

[[feed]]
name = \"tor\"
preset = \"tor-exits\"
interval = \"10m\"

[[feed]]
name = \"gone\"
preset = \"sslbl\"

[[firewall]]
name = \"prod\"
";
    insta::assert_snapshot!(parsed(text).warnings.join("\n"), @r#"
    test.toml:2: [guard]: allow: 192.0.0.0/3 is very wide: nothing inside it can be blocked
    test.toml:8: [[feed]] "a": on_delist: has no effect: an incremental feed only adds, so nothing is missing from it
    test.toml:12: [[feed]] "b": url: the feed on line 6 reads the same, so that one source counts as two witnesses
    test.toml:17: [[feed]] "tor": interval: its publisher locks out who asks more than once in 30m, so that it is asked no more often
    test.toml:21: [[feed]] "gone": preset: "sslbl" is no more: abuse.ch retired it on 2025-01-03; use threatfox or feodo instead
    "#);
}

#[test]
fn a_reload_says_what_it_changes() {
    let old = parsed(EVERY_KEY);
    assert_eq!(old.changes_from(&old), Vec::<String>::new());
    let text = EVERY_KEY
        .replace("interval = \"15m\"", "interval = \"20m\"")
        .replace("max_age = \"90d\"\n", "")
        .replace("\"203.0.113.7\", ", "\"192.0.2.1\", ")
        .replace("name = \"file\"", "name = \"disk\"")
        .replace("{ v4 = 12, v6 = 24 }", "{ v4 = 12 }")
        .replace("{ env = \"LAB\" }", "{ file = \"/etc/feedwall/lab\" }")
        .replace("quota = 12_345\n", "");
    insta::assert_snapshot!(parsed(&text).changes_from(&old).join("\n"), @r#"
    guard: min_prefix { v4 = 12, v6 = 24 } → { v4 = 12, v6 = 16 }
    guard: allow gains 192.0.2.1, loses 203.0.113.7
    feed `web`: interval 15m → 20m
    feed `web`: max_age 90d → off
    feed `disk` added
    firewall `lab`: quota 12345 → auto
    firewall `lab`: credentials { env = "LAB" } → { file = "/etc/feedwall/lab" }
    feed `file` removed: its listings age out; `feedwall feeds drop file` withdraws them at once
    "#);
}

#[test]
fn a_listener_for_others_wants_a_token_and_no_section_listens_nowhere() {
    assert_eq!(parsed(SMALLEST).http, None);
    let http = |keys: &str| parsed(&format!("[http]\n{keys}{SMALLEST}")).http.unwrap();
    assert_eq!(http("").listen, defaults::HTTP_LISTEN);
    assert_eq!(http("listen = \"[::1]:0\"\n").token, None);
    let guarded = http("listen = \"0.0.0.0:80\"\ntoken = { env = \"TOKEN\" }\n");
    assert_eq!(guarded.token, Some(Secret::Env("TOKEN".to_owned())));
    let without = parsed(SMALLEST);
    let with = parsed(&format!("[http]\n{SMALLEST}"));
    assert_eq!(with.changes_from(&without), ["http added"]);
    let gone = "http removed: nothing is served any more";
    assert_eq!(without.changes_from(&with), [gone]);
}

#[test]
fn check_print_shows_what_is_in_force() {
    insta::assert_snapshot!(parsed(SAMPLE).to_toml());
}

#[test]
fn a_file_that_is_not_there_says_where_it_was_looked_for() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("feedwall.toml");
    let missing = Config::load(&path).unwrap_err();
    assert_eq!(
        missing.to_string(),
        format!(
            "there is no config at {}; `--config FILE` names another",
            path.display()
        )
    );
    fs::write(&path, SMALLEST).unwrap();
    assert_eq!(Config::load(&path).unwrap(), parsed(SMALLEST));
    assert!(matches!(
        Config::load(folder.path()),
        Err(ConfigError::Unreadable { .. })
    ));
    fs::write(&path, vec![b'#'; (8 << 20) + 1]).unwrap();
    assert!(matches!(
        Config::load(&path),
        Err(ConfigError::TooLarge { .. })
    ));
}

#[test]
fn the_sites_endpoints_are_urls() {
    for site in [Site::China, Site::International] {
        assert_eq!(
            Url::parse(super::l4::endpoint(site)).unwrap().as_str(),
            super::l4::endpoint(site)
        );
        assert_eq!(
            Url::parse(site.endpoint()).unwrap().as_str(),
            site.endpoint()
        );
    }
}

/// Somebody will paste a key into the file. It must not come out again.
#[test]
fn no_message_repeats_a_secret() {
    let secret = "not-a-real-secret-0123456789";
    let firewall = "[[firewall]]\nname = \"prod\"\n";
    let feed = "[[feed]]\nname = \"a\"\n";
    for text in [
        format!("{firewall}credentials = \"{secret}\"\n"),
        format!("{firewall}credentials = {{ secret_key = \"{secret}\" }}\n"),
        format!("{firewall}credentials = {{ source = \"{secret}\" }}\n"),
        format!("{firewall}credentials = {{ env = \"{secret}\" }}\n"),
        format!("{firewall}credentials = {{ file = \"{secret}\" }}\n"),
        format!("{firewall}credentials = {{ role = \"{secret}!\" }}\n"),
        format!("{firewall}endpoint = \"https://u:{secret}@cfw.example.net\"\n"),
        format!("{feed}url = \"https://u:{secret}@feeds.example.net/\"\n"),
        format!("{feed}url = \"https://feeds.example.net/?auth-key={secret}\"\n"),
        format!("{feed}url = \"https://feeds.example.net:{secret}/\"\n"),
        format!("{feed}header = {{ Auth-Key = \"{secret}\" }}\n"),
        format!("{feed}header = {{ Auth-Key = {{ value = \"{secret}\" }} }}\n"),
        format!("{feed}header = {{ Auth-Key = {{ env = \"{secret}!\" }} }}\n"),
        format!("{feed}header = {{ Auth-Key = {{ file = \"{secret}\" }} }}\n"),
        format!("{feed}header = {{ Auth-Key = {{ credential = \"{secret}/\" }} }}\n"),
        format!("{feed}header = {{ Auth-Key = \"{secret}\\n\" }}\n"),
        format!("{feed}query = {{ key = [\"{secret}\"] }}\n"),
        format!("{feed}auth = \"{secret}\"\n"),
        format!("{feed}auth = {{ bearer = [\"{secret}\"] }}\n"),
        format!("{feed}auth = {{ basic = {{ user = \"me\", pass = \"{secret}\" }} }}\n"),
        format!("{feed}auth = {{ basic = \"me:{secret}\" }}\n"),
        format!("{feed}proxy = \"http://u:{secret}@proxy.example.net\"\n"),
        format!("{feed}url_key = \"{secret}\"\n"),
    ] {
        let faults = Config::parse(&text, "secret.toml").unwrap_err();
        assert!(!faults.to_string().contains(secret), "{faults}");
        assert!(!format!("{faults:?}").contains(secret), "{faults:?}");
    }
}

/// A key that stands in the file is used, remarked on, and shown nowhere.
#[test]
fn a_key_in_the_file_is_remarked_on_and_not_shown() {
    let secret = "not-a-real-secret-0123456789";
    let text = format!(
        "[[feed]]
name = \"a\"
url = \"https://feeds.example.net/{{key}}/a.txt\"
url_key = \"{secret}\"
header = {{ Auth-Key = \"{secret}\", Accept = \"text/plain\" }}
query = {{ token = \"{secret}\", days = 7 }}
auth = {{ bearer = \"{secret}\" }}
ttl = \"1d\"

[[feed]]
name = \"b\"
url = \"https://feeds.example.net/0123456789abcdef0123/b.txt\"
auth = {{ basic = {{ user = \"me\", password = \"{secret}\" }} }}

[[firewall]]
name = \"prod\"
"
    );
    let config = parsed(&text);
    insta::assert_snapshot!(config.warnings.join("\n"), @r#"
    test.toml:4: [[feed]] "a": url_key: the value of "url_key" looks like a key, and this file is no place for one; write the key's place: { file = "/path" }, { env = "NAME" } or { credential = "NAME" }
    test.toml:5: [[feed]] "a": header: the value of "auth-key" looks like a key, and this file is no place for one; write the key's place: { file = "/path" }, { env = "NAME" } or { credential = "NAME" }
    test.toml:6: [[feed]] "a": query: the value of "token" looks like a key, and this file is no place for one; write the key's place: { file = "/path" }, { env = "NAME" } or { credential = "NAME" }
    test.toml:7: [[feed]] "a": auth: the value of "bearer" looks like a key, and this file is no place for one; write the key's place: { file = "/path" }, { env = "NAME" } or { credential = "NAME" }
    test.toml:12: [[feed]] "b": url: a part of it looks like a key, which `check --print` would show; if it is one, write `{key}` in its place, and where the key is found as `url_key`
    test.toml:13: [[feed]] "b": auth: the value of "password" looks like a key, and this file is no place for one; write the key's place: { file = "/path" }, { env = "NAME" } or { credential = "NAME" }
    "#);
    let printed = config.to_toml();
    assert!(printed.contains("header = { accept = \"text/plain\", auth-key = \"***\" }"));
    let mut cooler = config.clone();
    cooler.feeds[0].terms.ttl = Duration::from_secs(86_400 * 2);
    let changes = config.changes_from(&cooler);
    for shown in [
        printed,
        format!("{config:?}"),
        changes.join("\n"),
        config.warnings.join("\n"),
    ] {
        assert!(!shown.contains(secret), "{shown}");
    }
    let refused = Config::parse(&config.to_toml(), "hidden.toml").unwrap_err();
    assert_eq!(refused.faults().len(), 5, "{refused}");
}

proptest! {
    /// Whatever is cut out of a good file or thrown into it, there is an answer, and each fault is on a line that exists.
    #[test]
    fn no_text_panics(from in 0..EVERY_KEY.len(), cut in 0usize..60, junk in "[\\PC\n\"\\[\\]={}]{0,12}") {
        let to = (from + cut).min(EVERY_KEY.len());
        let text = format!("{}{junk}{}", &EVERY_KEY[..from], &EVERY_KEY[to..]);
        if let Err(faults) = Config::parse(&text, "junk.toml") {
            let lines = text.lines().count();
            prop_assert!(!faults.faults().is_empty());
            prop_assert!(faults.faults().iter().all(|fault| fault.line <= lines), "{faults}");
        }
    }
}
