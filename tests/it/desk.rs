//! The command line as a person has it before them: completions, manual, help, and what stands on a terminal.

use std::process::Command;
use std::time::Duration;

use crate::support::process::{Process, feedwall};
use crate::support::rig::Rig;
use crate::support::{feeds, until};

const FIREWALL: &str = "accept = [\"ipv4\"]\nquota = 20_000";
const FEED: &str = "direction = \"in\"\nttl = \"1d\"";

/// What may follow the words, asked as bash asks.
fn completed(rig: &Rig, words: &[&str]) -> Vec<String> {
    let mut command = feedwall(rig.folder());
    let output = command
        .env("FEEDWALL_COMPLETE", "bash")
        .env("FEEDWALL_CONFIG", rig.path("feedwall.toml"))
        .env("_CLAP_IFS", "\n")
        .env("_CLAP_COMPLETE_INDEX", (words.len() - 1).to_string())
        .env("_CLAP_COMPLETE_COMP_TYPE", "9")
        .args(["--"])
        .args(words)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(str::to_owned)
        .collect()
}

#[tokio::test]
async fn shells_complete_commands_and_the_names_of_the_config() {
    let rig = Rig::new().await;
    rig.config(
        &(rig.feed("drop", FEED) + &rig.feed("dshield", FEED) + &rig.feed("feodo", FEED)),
        FIREWALL,
    );
    assert_eq!(completed(&rig, &["feedwall", "expl"]), ["explain"]);
    assert_eq!(
        completed(&rig, &["feedwall", "feeds", "show", "d"]),
        ["drop", "dshield"]
    );
    assert_eq!(completed(&rig, &["feedwall", "approve", "fe"]), ["feodo"]);
    assert_eq!(
        completed(&rig, &["feedwall", "list", "--feed", "ds"]),
        ["dshield"]
    );
    assert_eq!(
        completed(&rig, &["feedwall", "plan", "--firewall", ""]),
        ["prod"]
    );
    assert_eq!(
        completed(&rig, &["feedwall", "feeds", "try", "feo"]),
        ["feodo"]
    );
    // The config that the line names goes before the environment's.
    rig.write(
        "other.toml",
        &std::fs::read_to_string(rig.path("feedwall.toml"))
            .unwrap()
            .replace("\"prod\"", "\"edge\""),
    );
    let other = rig.path("other.toml");
    let line = [
        "feedwall",
        "--config",
        other.to_str().unwrap(),
        "plan",
        "--firewall",
        "",
    ];
    assert_eq!(completed(&rig, &line), ["edge"]);
    // A faulty config completes nothing, and says nothing.
    rig.write("feedwall.toml", "nonsense");
    assert!(completed(&rig, &["feedwall", "feeds", "show", "d"]).is_empty());
}

#[tokio::test]
async fn the_scripts_are_read_by_their_shells() {
    let rig = Rig::new().await;
    rig.config(&rig.feed("drop", FEED), FIREWALL);
    for (shell, check) in [
        ("bash", &["-n"]),
        ("zsh", &["-n"]),
        ("fish", &["--no-execute"]),
    ] {
        let output = feedwall(rig.folder())
            .args(["completions", shell])
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        let script = rig.path(shell);
        std::fs::write(&script, &output.stdout).unwrap();
        match Command::new(shell).args(check).arg(&script).output() {
            Ok(read) => assert!(read.status.success(), "{read:?}"),
            Err(_) => println!("skipped: there is no {shell} here"),
        }
    }
    // In a real bash: the function that the script defines, called as bash calls it.
    let folder = std::path::Path::new(env!("CARGO_BIN_EXE_feedwall"))
        .parent()
        .unwrap();
    let line = format!(
        "PATH={}:$PATH; source {}; COMP_WORDS=(feedwall feeds show d); COMP_CWORD=3; COMP_TYPE=9; \
         _clap_complete_feedwall feedwall d show; printf '%s\\n' \"${{COMPREPLY[@]}}\"",
        folder.display(),
        rig.path("bash").display()
    );
    let config = rig.path("feedwall.toml");
    let output = Command::new("bash")
        .args(["--norc", "-c", &line])
        .env("FEEDWALL_CONFIG", config)
        .output();
    let output = output.unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(
        String::from_utf8(output.stdout).unwrap().trim(),
        "drop",
        "{said}"
    );
}

#[tokio::test]
async fn every_manual_page_is_one_that_man_reads() {
    let rig = Rig::new().await;
    let output = feedwall(rig.folder())
        .args(["man", "--out", "pages"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let pages: Vec<_> = std::fs::read_dir(rig.path("pages"))
        .unwrap()
        .map(|one| one.unwrap().path())
        .collect();
    assert!(pages.len() > 25, "{pages:?}");
    let ask = |command: &mut Command| {
        command
            .env("MANWIDTH", "80")
            .env("LC_ALL", "C.UTF-8")
            .output()
    };
    for page in pages {
        match ask(Command::new("man").args(["--warnings", "-l"]).arg(&page)) {
            Ok(shown) => {
                let (text, said) = (
                    String::from_utf8_lossy(&shown.stdout),
                    String::from_utf8_lossy(&shown.stderr),
                );
                assert!(
                    shown.status.success() && said.is_empty(),
                    "{}: {said}",
                    page.display()
                );
                assert!(text.contains("SYNOPSIS"), "{text}");
            }
            Err(_) => {
                println!("skipped: there is no man here");
                return;
            }
        }
    }
}

#[tokio::test]
async fn a_screen_is_drawn_on_a_terminal_only() {
    let rig = Rig::new().await;
    rig.config(&rig.feed("f", FEED), FIREWALL);
    let ended = rig.start(&["status", "--watch"]).end().await.exits(2);
    assert!(
        ended
            .err
            .contains("draws on a terminal, and standard input is none"),
        "{}",
        ended.err
    );
    let ended = rig
        .start(&["--json", "status", "--watch"])
        .end()
        .await
        .exits(2);
    assert!(ended.err.contains("--json"), "{}", ended.err);
}

/// A pane of tmux; dropped, its server ends.
struct Pane {
    socket: std::path::PathBuf,
}

impl Pane {
    fn open(rig: &Rig, columns: u16, rows: u16, words: &[&str]) -> Option<Self> {
        let socket = rig.path(&format!("tmux-{columns}x{rows}"));
        let pane = Self { socket };
        let inner = rig.command(words);
        let line: Vec<_> = inner
            .get_args()
            .map(|word| word.to_str().unwrap().to_owned())
            .collect();
        let line = format!(
            "{} {}; echo ended with $?; exec sleep 60",
            env!("CARGO_BIN_EXE_feedwall"),
            line.join(" ")
        );
        let (columns, rows) = (columns.to_string(), rows.to_string());
        let begun = pane.tmux(&[
            "-f",
            "/dev/null",
            "new-session",
            "-d",
            "-x",
            &columns,
            "-y",
            &rows,
            &line,
        ]);
        begun.then_some(pane)
    }

    fn tmux(&self, words: &[&str]) -> bool {
        let status = Command::new("tmux")
            .arg("-S")
            .arg(&self.socket)
            .args(words)
            .status();
        status.is_ok_and(|status| status.success())
    }

    fn shows(&self) -> String {
        let output = Command::new("tmux")
            .arg("-S")
            .arg(&self.socket)
            .args(["capture-pane", "-p"])
            .output();
        String::from_utf8(output.unwrap().stdout).unwrap()
    }

    async fn until(&self, words: &str) -> String {
        until(
            words,
            Duration::from_secs(20),
            || self.shows().contains(words),
            || self.shows(),
        )
        .await;
        self.shows()
    }
}

impl Drop for Pane {
    fn drop(&mut self) {
        self.tmux(&["kill-server"]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn watched_the_status_moves_in_place_and_leaves_the_terminal_as_it_was() {
    let rig = Rig::new().await;
    rig.write("f.txt", &feeds::lines(&feeds::addresses(51, 20)));
    rig.config(&rig.feed("f", FEED), FIREWALL);
    rig.once().await.exits(0);
    let Some(wide) = Pane::open(&rig, 100, 30, &["status", "--watch"]) else {
        println!("skipped: there is no tmux here");
        return;
    };
    let first = wide.until("q quits").await;
    assert!(
        first.contains("no daemon is running") && first.contains("Coverage"),
        "{first}"
    );

    // What changes is seen without a key.
    let daemon: Process = rig.start(&["run"]);
    wide.until("the daemon is running").await;

    // A small screen breaks lines, and scrolls.
    let small = Pane::open(&rig, 46, 10, &["status", "--watch"]).unwrap();
    let top = small.until("arrows").await;
    assert!(
        top.contains("feedwall ") && !top.contains("Nothing needs you"),
        "{top}"
    );
    assert!(small.tmux(&["send-keys", "End"]));
    small.until("Nothing needs you").await;
    assert!(small.tmux(&["resize-window", "-x", "46", "-y", "40"]));
    small.until("Coverage").await;

    for (pane, key) in [(&wide, "q"), (&small, "C-c")] {
        assert!(pane.tmux(&["send-keys", key]));
        let after = pane.until("ended with 0").await;
        assert!(!after.contains("Coverage"), "{after}");
    }
    daemon.signal("TERM");
    daemon.end_within(Duration::from_secs(10)).await.exits(0);
}

/// With UPDATE_EXPECT set, the page is written down instead of compared, to be read in the diff.
#[tokio::test]
async fn the_reference_is_what_the_program_says_of_itself() {
    let rig = Rig::new().await;
    let output = feedwall(rig.folder())
        .args(["man", "--reference"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let page = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/reference.md");
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::write(&page, &text).unwrap();
    }
    let written = std::fs::read_to_string(&page).unwrap();
    assert!(
        written == text,
        "docs/reference.md is not what the program says: UPDATE_EXPECT=1 writes it anew"
    );
}

#[tokio::test]
async fn status_names_the_chapter_and_help_prints_it() {
    let rig = Rig::new().await;
    rig.write("f.txt", "<html>not a list</html>\n");
    rig.config(&rig.feed("f", FEED), FIREWALL);
    rig.once().await.exits(3);
    let ended = rig.start(&["status"]).end().await.exits(3);
    assert!(
        ended.out.contains("      feedwall help feed-held\n"),
        "{}",
        ended.out
    );
    let ended = rig.start(&["help", "feed-held"]).end().await.exits(0);
    assert!(
        ended.out.starts_with("Feed held\n") && ended.out.contains("feedwall approve NAME"),
        "{}",
        ended.out
    );
    let ended = rig.start(&["help", "topics"]).end().await.exits(0);
    assert!(
        ended.out.contains("  feed-held ") && ended.out.contains("backing-up"),
        "{}",
        ended.out
    );
    let ended = rig.start(&["help", "feeds", "show"]).end().await.exits(0);
    assert!(
        ended.out.contains("Usage: feedwall feeds show"),
        "{}",
        ended.out
    );
    let ended = rig.start(&["help", "feed-hled"]).end().await.exits(1);
    assert!(
        ended.err.contains("did you mean `feed-held`?"),
        "{}",
        ended.err
    );
}

/// Every link in the docs leads to a file that is there, and to a heading of it where it names one.
#[test]
fn links_in_the_docs_lead_somewhere() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut pages = vec![root.join("README.md")];
    pages.extend(
        std::fs::read_dir(root.join("docs"))
            .unwrap()
            .map(|one| one.unwrap().path()),
    );
    pages.retain(|page| page.extension().is_some_and(|ending| ending == "md"));
    let slug = |title: &str| -> String {
        let kept = title
            .chars()
            .filter(|sign| sign.is_alphanumeric() || [' ', '-', '_'].contains(sign));
        kept.flat_map(char::to_lowercase)
            .map(|sign| if sign == ' ' { '-' } else { sign })
            .collect()
    };
    for page in pages {
        let text = std::fs::read_to_string(&page).unwrap();
        let links = text
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split_once(')'));
        for (link, _) in links.filter(|(link, _)| !link.contains("://") && !link.contains(' ')) {
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() {
                page.clone()
            } else {
                page.parent().unwrap().join(file)
            };
            assert!(target.exists(), "{}: {link}", page.display());
            if !anchor.is_empty() {
                let there = std::fs::read_to_string(&target).unwrap();
                let titles = there.lines().filter_map(|line| line.strip_prefix('#'));
                let found = titles
                    .map(|title| slug(title.trim_start_matches('#').trim()))
                    .any(|one| one == anchor);
                assert!(found, "{}: {link} names no heading", page.display());
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_table_fits_eighty_columns_however_long_the_names() {
    let rig = Rig::new().await;
    let name = "scanners-of-the-partner-with-the-long-name";
    rig.write(
        &format!("{name}.txt"),
        &feeds::lines(&feeds::addresses(52, 3000)),
    );
    rig.config(&rig.feed(name, "ttl = \"1d\""), FIREWALL);
    let config = std::fs::read_to_string(rig.path("feedwall.toml")).unwrap();
    let long = config.replace("\"prod\"", "\"production-of-the-western-region\"");
    rig.write("feedwall.toml", &long);
    rig.once().await.exits(0);
    let indicator = rig.listed().into_iter().next().unwrap();
    for words in [
        &["status"][..],
        &["feeds"],
        &["feeds", "show", name],
        &["plan"],
        &["calls"],
        &["quarantine"],
        &["explain", &indicator],
        &["check", "--online"],
    ] {
        let ended = rig.start(words).end().await;
        for line in ended.out.lines() {
            // A path or a URL is one word, and longer than that it cannot be broken.
            let word = line.split_whitespace().map(str::len).max().unwrap_or(0);
            assert!(
                line.chars().count() <= 80 || word > 60,
                "{words:?}: {line}\n{}",
                ended.out
            );
        }
    }
}
