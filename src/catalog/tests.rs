use std::collections::BTreeSet;

use super::*;

#[test]
fn every_name_is_good_for_a_feed_and_stands_once() {
    let names: BTreeSet<_> = all().iter().map(|preset| &preset.name).collect();
    assert_eq!(names.len(), all().len());
    assert!(all().len() > 80, "{}", all().len());
    for preset in all() {
        assert!(
            crate::model::Name::try_new(&preset.name).is_ok(),
            "{}",
            preset.name
        );
        let has_url = preset.keys().contains_key("url");
        let unfit = matches!(preset.standing, Standing::Unfit(_));
        assert_eq!(has_url, !unfit, "{}", preset.name);
    }
}

#[test]
fn what_may_be_fetched_says_on_which_terms() {
    let alive = |preset: &&Preset| matches!(preset.standing, Standing::Feed | Standing::Guard);
    for preset in all().iter().filter(alive) {
        assert!(preset.page.is_some(), "{} has no page", preset.name);
        assert!(preset.licence.is_some(), "{} has no licence", preset.name);
        assert!(
            preset.keys().contains_key("interval"),
            "{} has no interval",
            preset.name
        );
        let feed = preset.standing == Standing::Feed;
        for key in ["ttl", "confidence", "direction"] {
            assert_eq!(
                preset.keys().contains_key(key),
                feed,
                "{} {key}",
                preset.name
            );
        }
        // What was not looked up is not given much weight, nor taken for dead.
        assert!(
            !preset.verify || preset.changes.is_none(),
            "{}",
            preset.name
        );
    }
}

#[test]
fn what_is_no_more_is_known_by_name_and_says_what_to_use() {
    for (name, words) in [
        (
            "sslbl",
            "abuse.ch retired it on 2025-01-03; use threatfox or feodo instead",
        ),
        (
            "spamhaus-edrop",
            "Spamhaus merged it into DROP, and its file is empty; use spamhaus-drop instead",
        ),
        (
            "bambenek",
            "it is sold under a licence now, and not open any more; use threatfox or feodo instead",
        ),
    ] {
        let standing = &find(name).unwrap().standing;
        assert_eq!(*standing, Standing::Retired(words.to_owned()));
    }
    for preset in all() {
        let words = match &preset.standing {
            Standing::Retired(words) | Standing::Unfit(words) => words,
            Standing::Feed | Standing::Guard => continue,
        };
        let named = words.split("; use ").nth(1).unwrap_or_default();
        let named = named.trim_end_matches(" instead").split(" or ");
        for name in named.filter(|name| !name.is_empty()) {
            let known = find(name).unwrap_or_else(|| panic!("{} names {name}", preset.name));
            assert_eq!(
                known.standing,
                Standing::Feed,
                "{} names {name}",
                preset.name
            );
        }
    }
    assert!(find("no-such-feed").is_none());
}

#[test]
fn siblings_differ_in_what_they_say_and_in_nothing_else() {
    let (all, ssh) = (
        find("blocklist-de").unwrap(),
        find("blocklist-de-ssh").unwrap(),
    );
    assert_eq!((&all.licence, all.changes), (&ssh.licence, ssh.changes));
    assert_ne!(all.lists, ssh.lists);
    let written = |preset: &Preset, key| {
        let item = preset.keys().get(key).unwrap();
        item.get_ref().as_str().unwrap().to_owned()
    };
    assert_ne!(written(all, "url"), written(ssh, "url"));
    assert_eq!(written(all, "interval"), written(ssh, "interval"));
    assert!(!ssh.keys().contains_key("lists"));
}

/// A test of ours must not be the first to hear of a feed's own rules.
#[test]
fn publishers_who_lock_out_have_their_floors_here_too() {
    for preset in all() {
        let url = preset
            .keys()
            .get("url")
            .and_then(|url| url.get_ref().as_str());
        let url = url.and_then(|url| url::Url::parse(url).ok());
        let (Some(url), Standing::Feed) = (url, &preset.standing) else {
            continue;
        };
        let by_host = crate::fetch::floor_for(&crate::fetch::Source::http(url));
        assert!(preset.floor >= by_host, "{}", preset.name);
    }
}

/// Every name that there is, so that none goes by accident: a config that has it would no longer be read.
#[test]
fn the_names_are_these() {
    let expected = [
        (
            "feed",
            "abuseipdb abuseipdb-mirror binary-defense bitwire-inbound bitwire-outbound blocklist-de \
         blocklist-de-apache blocklist-de-bots blocklist-de-bruteforcelogin blocklist-de-ftp \
         blocklist-de-imap blocklist-de-ircbot blocklist-de-mail blocklist-de-sip blocklist-de-ssh \
         blocklist-de-strongips bruteforceblocker c2intelfeeds cins circl-osint dan-me-uk-tor dataplane-dnsrd \
         dataplane-proto41 dataplane-sipquery dataplane-smtpgreet dataplane-sshclient dataplane-sshpwauth \
         dataplane-telnetlogin dataplane-vncrfb dshield dshield-intel et-block et-compromised feodo \
         feodo-recommended firehol-level1 firehol-level2 firehol-level3 firehol-level4 greensnow hagezi-tif \
         ipsum ipsum-2 ipsum-3 ipsum-4 ipsum-5 ipsum-6 ipsum-7 ipsum-8 ipthreat myip-ms openphish phishtank \
         spamhaus-drop spamhaus-drop-text spamhaus-drop-v6 spamhaus-drop-v6-text stopforumspam \
         stopforumspam-toxic threatfox threatview tor-exit-addresses tor-exits turris uceprotect-1 urlhaus \
         viriback voipbl",
        ),
        ("guard", "fullbogons-ipv4 fullbogons-ipv6"),
        (
            "retired",
            "alienvault-reputation badips bambenek dshield-domains malware-domain-list montysecurity-c2 nixspam \
         openbl ransomware-tracker spamhaus-edrop sslbl talos zeus-tracker",
        ),
        (
            "unfit",
            "alienvault-otx botvrij dshield-topips spamhaus-asndrop uceprotect-2 uceprotect-3 vxvault",
        ),
    ];
    for (standing, names) in expected {
        let is_meant = |preset: &&Preset| {
            standing
                == match preset.standing {
                    Standing::Feed => "feed",
                    Standing::Guard => "guard",
                    Standing::Retired(_) => "retired",
                    Standing::Unfit(_) => "unfit",
                }
        };
        let found: Vec<_> = all()
            .iter()
            .filter(is_meant)
            .map(|preset| preset.name.as_str())
            .collect();
        let names: Vec<_> = names.split(' ').collect();
        assert_eq!(found, names, "{standing}");
    }
}
