//! Every preset as a config reads it, and the rows that its publisher writes.

use crate::config::Config;
use crate::parse::{Reject, Snapshot, Text};

use super::*;

const FIREWALL: &str = "[[firewall]]\nname = \"prod\"\n";

/// A config with one feed by that preset, with the key that it wants.
fn config(preset: &Preset) -> String {
    let place = "{ file = \"/etc/feedwall/it.key\" }";
    let key = match preset.key.as_ref().map(|key| &key.place) {
        None => String::new(),
        Some(KeyPlace::Header(name)) => format!("header = {{ {name} = {place} }}\n"),
        Some(KeyPlace::Query(name)) => format!("query = {{ {name} = {place} }}\n"),
        Some(KeyPlace::Path) => format!("url_key = {place}\n"),
    };
    let name = &preset.name;
    let contact = "[fetch]\ncontact = \"soc@example.org\"\n";
    format!("{contact}[[feed]]\nname = \"{name}\"\npreset = \"{name}\"\n{key}{FIREWALL}")
}

fn parsed(text: &str) -> Config {
    Config::parse(text, "test.toml").unwrap_or_else(|faults| panic!("{faults}"))
}

#[test]
fn every_preset_is_a_feed_without_faults_or_remarks() {
    for preset in catalog::all() {
        let text = config(preset);
        match &preset.standing {
            Standing::Feed => {
                let config = parsed(&text);
                assert_eq!(config.warnings, Vec::<String>::new());
                let feed = &config.feeds[0];
                assert_eq!(feed.preset, Some(preset.name.as_str()));
                assert_eq!(feed.retired, None);
                assert!(feed.floor >= preset.floor, "{}", preset.name);
            }
            Standing::Retired(why) => {
                let config = parsed(&text);
                assert_eq!(config.feeds[0].retired, Some(why.as_str()));
                let remark = format!("preset: {:?} is no more: {why}", preset.name);
                assert!(
                    config.warnings[0].contains(&remark),
                    "{:?}",
                    config.warnings
                );
            }
            Standing::Guard | Standing::Unfit(_) => {
                assert!(
                    Config::parse(&text, "test.toml").is_err(),
                    "{}",
                    preset.name
                );
            }
        }
    }
}

#[test]
fn what_a_preset_says_is_a_default_and_printed_so() {
    let text = config(catalog::find("urlhaus").unwrap());
    let config = parsed(&text);
    let printed = config.to_toml();
    for line in [
        "preset = \"urlhaus\"\n",
        "where = { url_status = \"online\" }",
        "urls = \"host\"",
        "interval = \"30m\"",
    ] {
        assert!(printed.contains(line), "{printed}");
    }
    let feed = printed.split("[[feed]]").nth(1).unwrap();
    let feed = feed.split("[[").next().unwrap();
    let own: Vec<_> = feed
        .lines()
        .filter(|line| line.contains(" = ") && !line.ends_with("# default"))
        .map(|line| line.split(" = ").next().unwrap())
        .collect();
    assert_eq!(own, ["name", "preset", "query"], "{printed}");
    assert_eq!(parsed(&printed), config);
}

#[test]
fn a_feed_s_own_word_goes_before_the_preset_and_that_before_the_defaults() {
    let text = format!(
        "[defaults]\nttl = \"5d\"\nproxy = \"http://proxy.example.net:3128\"\nmax_size = \"1MiB\"\n\
         [[feed]]\nname = \"a\"\npreset = \"cins\"\nconfidence = 7\n{FIREWALL}"
    );
    let feed = parsed(&text).feeds.remove(0);
    assert_eq!(feed.terms.confidence, 7);
    assert_eq!(feed.terms.ttl, Duration::from_secs(3 * 86_400));
    assert_eq!(feed.limits.stored, 1 << 20);
    assert!(matches!(feed.source, Source::Http(http) if http.proxy.is_some()));
}

/// A mirror, or a copy on this machine, is asked on its own terms.
#[test]
fn what_the_publisher_wants_holds_for_the_publisher_alone() {
    for source in [
        "url = \"https://mirror.example.net/urlhaus.csv\"",
        "path = \"/srv/urlhaus.csv\"",
    ] {
        let text = format!("[[feed]]\nname = \"a\"\npreset = \"urlhaus\"\n{source}\n{FIREWALL}");
        let config = parsed(&text);
        let feed = &config.feeds[0];
        assert_eq!((feed.floor, feed.preset), (None, Some("urlhaus")));
        assert_eq!(parsed(&config.to_toml()), config);
    }
    let text = format!(
        "[[feed]]\nname = \"a\"\npreset = \"sslbl\"\npath = \"/srv/sslbl.csv\"\n{FIREWALL}"
    );
    assert_eq!(parsed(&text).feeds[0].retired, None);
}

/// Rows as the publishers write them, with the addresses and names of the documentation.
#[test]
fn presets_read_what_their_publishers_write() {
    let table: [(&str, &str, &[&str]); 21] = [
        (
            "spamhaus-drop",
            "{\"cidr\":\"192.0.2.0\\/24\",\"sblid\":\"SBL1\",\"rir\":\"ripencc\"}\n\
             {\"type\":\"metadata\",\"timestamp\":1700000000,\"size\":9,\"records\":1}\n",
            &["192.0.2.0/24"],
        ),
        (
            "feodo",
            "################\r\n# Last updated: 2024-01-15 10:25:03 UTC\r\n\
             \"first_seen_utc\",\"dst_ip\",\"dst_port\",\"c2_status\",\"last_online\",\"malware\"\r\n\
             \"2022-06-04 21:24:53\",\"198.51.100.7\",\"8080\",\"offline\",\"2024-01-15\",\"Emotet\"\r\n\
             # END 1 entries\r\n",
            &["198.51.100.7"],
        ),
        ("feodo-recommended", "# nothing\r\n# END 0 entries\r\n", &[]),
        (
            "urlhaus",
            "# banner\r\n# id,dateadded,url,url_status,last_online,threat,tags,urlhaus_link,reporter\r\n\
             \"1\",\"2024-01-15 10:25:03\",\"http://198.51.100.7:81/bin.sh\",\"online\",\"2024-01-15 10:25:03\",\"m\",\"t\",\"https://urlhaus.abuse.ch/url/1/\",\"r\"\r\n\
             \"2\",\"2024-01-15 10:25:03\",\"http://198.51.100.8/x\",\"offline\",\"\",\"m\",\"t\",\"https://urlhaus.abuse.ch/url/2/\",\"r\"\r\n",
            &["198.51.100.7"],
        ),
        (
            "threatfox",
            "# \"first_seen_utc\",\"ioc_id\",\"ioc_value\",\"ioc_type\",\"threat_type\",\"fk_malware\",\"malware_alias\",\"malware_printable\",\"last_seen_utc\",\"confidence_level\",\"is_compromised\",\"reference\",\"tags\",\"anonymous\",\"reporter\"\r\n\
             \"2024-01-15 10:25:03\", \"1\", \"198.51.100.7:443\", \"ip:port\", \"botnet_cc\", \"win.x\", \"None\", \"X\", \"\", \"75\", \"False\", \"None\", \"a,b\", \"0\", \"r\"\r\n\
             \"2024-01-15 10:25:03\", \"2\", \"http://a.example.net/x\", \"url\", \"botnet_cc\", \"win.x\", \"None\", \"X\", \"\", \"75\", \"False\", \"None\", \"a\", \"0\", \"r\"\r\n\
             \"2024-01-15 10:25:03\", \"3\", \"c2.example.net\", \"domain\", \"botnet_cc\", \"win.x\", \"None\", \"X\", \"\", \"50\", \"False\", \"None\", \"a\", \"0\", \"r\"\r\n\
             # Number of entries: 3\r\n",
            &["198.51.100.7", "c2.example.net"],
        ),
        (
            "dshield",
            "# comment\nStart\tEnd\tNetmask\tAttacks\tName\tCountry\temail\n\
             192.0.2.0\t192.0.2.255\t24\t3000\tEXAMPLE\tXX\ta@example.net\n",
            &["192.0.2.0/24"],
        ),
        (
            "dshield-intel",
            "[{\"ip\":\"198.51.100.7\",\"description\":\"x\"}]",
            &["198.51.100.7"],
        ),
        (
            "et-block",
            "# x\n\n192.0.2.0/24\n198.51.100.7\n",
            &["198.51.100.7", "192.0.2.0/24"],
        ),
        (
            "blocklist-de",
            "198.51.100.7\n2001:db8::7\n",
            &["198.51.100.7", "2001:db8::7"],
        ),
        (
            "bruteforceblocker",
            "# IP\t# Last Reported\tCount\tID\n198.51.100.7\t\t# 2024-01-15 10:25:03\t\t3\t99\n",
            &["198.51.100.7"],
        ),
        (
            "dataplane-sshpwauth",
            "# header\n64496  |  EXAMPLE-AS, XX  |    198.51.100.7  |  2024-01-15 10:25:03  |  sshpwauth\n\
             NA     |  NA  |  198.51.100.8  |  2024-01-15 10:25:04  |  sshpwauth\n",
            &["198.51.100.7", "198.51.100.8"],
        ),
        (
            "turris",
            "# For the terms of use see the page\nAddress,Country,Tags,ASN\n198.51.100.7,XX,\"smtp,telnet\",64496\n",
            &["198.51.100.7"],
        ),
        (
            "abuseipdb",
            "198.51.100.7\n2001:db8::7",
            &["198.51.100.7", "2001:db8::7"],
        ),
        (
            "abuseipdb-mirror",
            "# x\n198.51.100.7    # XX    64496    EXAMPLE\n",
            &["198.51.100.7"],
        ),
        (
            "myip-ms",
            "# x\n198.51.100.7\t# 2024-01-15, host.example.net, XXX, 1\n",
            &["198.51.100.7"],
        ),
        (
            "ipthreat",
            "# x\n198.51.100.7 # a\n192.0.2.0-192.0.2.3 # b\n",
            &["198.51.100.7", "192.0.2.0/30"],
        ),
        (
            "tor-exit-addresses",
            "ExitNode 0011BD2485AD45D984EC4159C88FC066E5E3300E\nPublished 2024-01-15 10:25:03\n\
             LastStatus 2024-01-15 11:00:00\nExitAddress 198.51.100.7 2024-01-15 11:05:06\n\
             ExitNode 0020D10A5C1B6D4D2A9D2A1E0F4E7A0C0D1E2F30\nPublished 2024-01-15 10:25:03\n\
             LastStatus 2024-01-15 11:00:00\nExitAddress 198.51.100.8 2024-01-15 11:05:06\n",
            &["198.51.100.7", "198.51.100.8"],
        ),
        (
            "openphish",
            "https://login.example.net/a\nhttps://198.51.100.7/b?c=d\n",
            &["198.51.100.7", "login.example.net"],
        ),
        (
            "phishtank",
            "phish_id,url,phish_detail_url,submission_time,verified,verification_time,online,target\n\
             1,https://login.example.net/x,http://www.phishtank.com/phish_detail.php?phish_id=1,2024-01-15T10:25:03+00:00,yes,2024-01-15T10:26:03+00:00,yes,Other\n",
            &["login.example.net"],
        ),
        (
            "c2intelfeeds",
            "#ip,ioc\n198.51.100.7,Possible Cobaltstrike C2 IP\n",
            &["198.51.100.7"],
        ),
        (
            "viriback",
            "Family,URL,IP,FirstSeen\nX,http://198.51.100.7/panel/,198.51.100.7,15-01-2024\n",
            &["198.51.100.7"],
        ),
    ];
    for (name, body, expected) in table {
        let config = parsed(&config(catalog::find(name).unwrap()));
        let recipe = &config.feeds[0].recipe;
        let text = Text {
            body: &mut body.as_bytes(),
            ends_surely: true,
        };
        let snapshot = Snapshot::read(recipe, text, 100).unwrap();
        let listed: Vec<_> = snapshot
            .rows()
            .map(|row| row.to_record().indicator.to_string())
            .collect();
        assert_eq!(listed, expected, "{name}: {:?}", rejects(&snapshot));
        assert_eq!(
            snapshot.rejects().total(),
            0,
            "{name}: {:?}",
            rejects(&snapshot)
        );
    }
}

fn rejects(snapshot: &Snapshot) -> Vec<Reject> {
    let reasons = snapshot.rejects().by_reason();
    let first = reasons.iter().flat_map(|(_, tally)| tally.first.clone());
    first.collect()
}
