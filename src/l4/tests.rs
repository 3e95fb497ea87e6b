//! Rule files: every fault with its exact words, and both forms read as the same rules.

use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::*;

const WEB: &str = r#"
set = "web"
zone = "zone-24wjy25v1cwi"
proxy = "sid-2qwk27xf7j9g"

[[rule]]
protocol = "TCP"
ports = ["90", "81-85"]
origin_type = "IP_DOMAIN"
origins = ["93.184.216.34", "1.1.1.1"]
origin_port = "90"
pass_through = "TOA"
session_persist = "1h"
tag = "web"

[[rule]]
protocol = "udp"
ports = 53
origin_type = "ORIGIN_GROUP"
origins = "og-537y24vf5b41"
origin_port = 5353
"#;

const WEB_CSV: &str = "\
# the same rules
zone,proxy,protocol,ports,origin_type,origins,origin_port,pass_through,session_persist,session_persist_time,tag
zone-24wjy25v1cwi,sid-2qwk27xf7j9g,TCP,90 81-85,IP_DOMAIN,93.184.216.34;1.1.1.1,90,TOA,on,3600,web
zone-24wjy25v1cwi,sid-2qwk27xf7j9g,UDP,53,ORIGIN_GROUP,og-537y24vf5b41,5353,,,,
";

fn read(text: &str, file: &str) -> Result<RuleFile, RuleFaults> {
    RuleFile::parse(text.as_bytes(), Path::new(file), &Defaults::default())
}

/// Each file in `bad` has its words in `NAME.txt`. With UPDATE_EXPECT set, the words are written down instead of
/// compared, to be read in the diff.
#[test]
fn every_fault_has_its_words() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/l4/bad");
    let mut files: Vec<PathBuf> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending != "txt"))
        .collect();
    files.sort();
    for path in &files {
        let name = path.file_name().unwrap();
        let bytes = fs::read(path).unwrap();
        let faults = match RuleFile::parse(&bytes, Path::new(name), &Defaults::default()) {
            Ok(_) => panic!("{name:?} has no fault"),
            Err(faults) => format!("{faults}\n"),
        };
        let expected = path.with_extension("txt");
        if std::env::var_os("UPDATE_EXPECT").is_some() {
            fs::write(&expected, &faults).unwrap();
        }
        let words = fs::read_to_string(&expected).unwrap_or_default();
        assert_eq!(faults, words, "the words for {name:?} have changed");
    }
    assert!(
        files.len() >= 12,
        "only {} bad files were found",
        files.len()
    );
}

#[test]
fn both_forms_read_as_the_same_rules() {
    let toml = read(WEB, "rules.toml").unwrap();
    let csv = read(WEB_CSV, "web.csv").unwrap();
    let rules = |file: &RuleFile| {
        file.rules
            .iter()
            .map(|one| (one.place.clone(), one.rule.clone()))
            .collect::<Vec<_>>()
    };
    assert_eq!((&toml.set, rules(&toml)), (&csv.set, rules(&csv)));
    let lines: Vec<_> = toml.rules.iter().map(|one| one.line).collect();
    assert_eq!(lines, [6, 16]);
    let lines: Vec<_> = csv.rules.iter().map(|one| one.line).collect();
    assert_eq!(lines, [3, 4]);
    assert_eq!(toml.rules[0].rule.to_string(), "TCP 81-85,90");
    assert_eq!(toml.rules[0].rule.target(), "1.1.1.1,93.184.216.34 port 90");
}

#[test]
fn the_command_line_stands_in_for_the_head() {
    let text = "protocol,ports,origin_type,origins,origin_port\nTCP,80,LB,lb-1,80\n";
    let defaults = Defaults {
        set: Name::try_new("other").ok(),
        zone: Some("zone-1".into()),
        proxy: Some("sid-1".into()),
    };
    let file = RuleFile::parse(text.as_bytes(), Path::new("rules.csv"), &defaults).unwrap();
    assert_eq!(file.set.as_str(), "other");
    assert_eq!(file.rules[0].place.to_string(), "zone-1/sid-1");
    assert!(read(text, "rules.csv").is_err());
}

#[test]
fn protocols_proxies_and_zones_have_ports_of_their_own() {
    let rule = |zone: u8, proxy: u8, protocol: &str| {
        format!("zone-{zone},sid-{proxy},{protocol},80,LB,lb-1,80\n")
    };
    let rows = [
        rule(1, 1, "TCP"),
        rule(1, 1, "UDP"),
        rule(1, 2, "TCP"),
        rule(2, 1, "TCP"),
    ];
    let text = format!(
        "zone,proxy,protocol,ports,origin_type,origins,origin_port\n{}",
        rows.concat()
    );
    assert_eq!(read(&text, "rules.csv").unwrap().rules.len(), 4);
    let text = format!("{text}{}", rule(1, 2, "TCP"));
    let faults = read(&text, "rules.csv").unwrap_err();
    assert_eq!(faults.faults().len(), 1);
    assert_eq!(faults.faults()[0].line, 6);
}

#[test]
fn a_comment_may_end_a_file_without_a_line_feed() {
    assert_eq!(
        read(&format!("{WEB_CSV}# the end"), "web.csv")
            .unwrap()
            .rules
            .len(),
        2
    );
}

proptest! {
    /// Whatever is cut out of a good file or thrown into it, there is an answer, and each fault is on a line that exists.
    #[test]
    fn no_text_panics(from in 0..WEB.len(), cut in 0usize..60, junk in "[\\PC\n\"\\[\\]={},;]{0,12}", csv in any::<bool>()) {
        let (good, name) = if csv { (WEB_CSV, "web.csv") } else { (WEB, "web.toml") };
        let from = from.min(good.len());
        let to = (from + cut).min(good.len());
        let text = format!("{}{junk}{}", &good[..from], &good[to..]);
        if let Err(faults) = read(&text, name) {
            let lines = text.lines().count();
            prop_assert!(!faults.faults().is_empty());
            prop_assert!(faults.faults().iter().all(|fault| fault.line <= lines.max(1)), "{faults}");
        }
    }
}
