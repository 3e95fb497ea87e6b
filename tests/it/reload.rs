//! The daemon as a process over its life: feeds change, the config changes, it is told to stop.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::time::Duration;

use feedwall::sim::{Delay, FAKE_SECRET_ID, FAKE_SECRET_KEY, FaultSchedule, Then, When};
use tokio::net::TcpListener;
use tokio::time::Instant;

use crate::support::process::Process;
use crate::support::rig::Rig;
use crate::support::{feeds, until};

const FIREWALL: &str = "accept = [\"ipv4\"]\nquota = 20_000\nbatch = 20";
const FEED: &str = "direction = \"in\"\ninterval = \"1s\"\nttl = \"1h\"\non_delist = \"withdraw\"";
const SOON: Duration = Duration::from_secs(30);

/// Waits until exactly these stand on the list.
async fn becomes(rig: &Rig, daemon: &Process, what: &str, expected: &[&[Ipv4Addr]]) {
    let expected: BTreeSet<Ipv4Addr> = expected.concat().into_iter().collect();
    let there = || rig.sim.entry_count(1) == expected.len() && rig.addresses() == expected;
    let state = || {
        let listed = rig.addresses();
        let missing = expected.difference(&listed).count();
        let strange = listed.difference(&expected).count();
        format!("missing {missing}, strange {strange}\n{}", daemon.said())
    };
    until(what, SOON, there, state).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_follows_its_feeds_and_its_config_and_keeps_the_old_one_where_the_new_one_is_faulty() {
    let rig = Rig::new().await;
    let all = feeds::addresses(5, 600);
    let feed = |part: &[Ipv4Addr]| rig.write("f.txt", &feeds::lines(part));
    let f = rig.feed("f", FEED);
    rig.config(&f, FIREWALL);
    feed(&all[..300]);
    let mut daemon = rig.start(&["run"]);
    becomes(&rig, &daemon, "the first sync", &[&all[..300]]).await;

    feed(&all[30..340]);
    becomes(&rig, &daemon, "a changed feed", &[&all[30..340]]).await;

    // A second feed.
    rig.write("g.txt", &feeds::lines(&all[500..550]));
    let both = f.clone() + &rig.feed("g", FEED);
    rig.config(&both, FIREWALL);
    daemon.signal("HUP");
    daemon.says("reloaded: ", 1, SOON).await;
    becomes(
        &rig,
        &daemon,
        "a feed more",
        &[&all[30..340], &all[500..550]],
    )
    .await;

    // What is allowed from now on leaves the list.
    let allow = format!("allow = [\"{}\", \"{}\"]", all[30], all[500]);
    rig.config_with(&allow, &both, FIREWALL);
    daemon.signal("HUP");
    let allowed: [&[Ipv4Addr]; 2] = [&all[31..340], &all[501..550]];
    becomes(&rig, &daemon, "an allowlist", &allowed).await;

    // Faults of every kind: each is told, and the old config stays in force.
    let broken = rig.path("allow.txt");
    rig.write("allow.txt", "198.51.100.0/24\nour office, second floor\n");
    let files = format!("{allow}\nfiles = [{broken:?}]");
    let kept = "was not reloaded";
    rig.config_with(
        &allow,
        "[[feed]]\nname = \"f\"\nurl = \"ftp://x\"",
        FIREWALL,
    );
    daemon.signal("HUP");
    daemon.says(kept, 1, SOON).await;
    daemon.says("feedwall.toml:", 1, SOON).await;
    rig.config_with(&files, &both, FIREWALL);
    daemon.signal("HUP");
    daemon.says(kept, 2, SOON).await;
    daemon.says("allow.txt", 1, SOON).await;
    rig.config_with(&allow, &both, FIREWALL);
    let good = std::fs::read_to_string(rig.path("feedwall.toml")).unwrap();
    rig.write("feedwall.toml", &good.replace("ledger.db", "other.db"));
    daemon.signal("HUP");
    daemon.says(kept, 3, SOON).await;
    daemon.says("[ledger] path", 1, SOON).await;
    rig.write("feedwall.toml", &good);
    daemon.signal("HUP");
    daemon.says("nothing in it changed", 1, SOON).await;
    assert!(daemon.runs());
    feed(&all[40..350]);
    let now: [&[Ipv4Addr]; 2] = [&all[40..350], &all[501..550]];
    becomes(&rig, &daemon, "a change after them", &now).await;

    // With nothing to do it rests.
    let before = daemon.processor_seconds();
    let writes = rig.writes().len();
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert_eq!(rig.writes().len(), writes);
    if let Some((before, after)) = before.zip(daemon.processor_seconds()) {
        assert!(
            after - before < 1.0,
            "{} s of processor in 4 s",
            after - before
        );
    }

    daemon.signal("TERM");
    let ended = daemon.end_within(Duration::from_secs(10)).await.exits(0);
    assert!(ended.err.contains("stopped"), "{}", ended.err);
    rig.is_settled().await;
    rig.keeps_the_rate();
    rig.once().await.exits(0);
    assert_eq!(
        rig.writes().len(),
        writes,
        "a run after it has nothing to do"
    );
}

/// Answers under way are waited for; where they do not come, it ends all the same, and the next run settles them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn told_to_stop_with_calls_under_way_it_ends_within_seconds_and_the_next_run_completes() {
    futures_util::future::join_all([(1_500, 0), (60_000, 1)].map(|(millis, open)| async move {
        let rig = Rig::new().await;
        rig.config(&rig.feed("f", FEED), FIREWALL);
        let all = feeds::addresses(6, 2_000);
        rig.write("f.txt", &feeds::lines(&all));
        let delay = Delay {
            ms: millis,
            jitter_ms: 0,
        };
        let writes = When::default().action(crate::support::rig::MODIFY);
        rig.sim
            .set_faults(FaultSchedule::default().and(writes, Then::Slow(delay)));
        let daemon = rig.start(&["run"]);
        let there = || rig.sim.entry_count(1) >= 200;
        until("200 entries", SOON, there, || daemon.said()).await;
        daemon.signal("TERM");
        let asked = Instant::now();
        daemon.end_within(Duration::from_secs(14)).await.exits(0);
        println!(
            "answers after {millis} ms: stopped in {:.1} s",
            asked.elapsed().as_secs_f64()
        );
        assert!(rig.sim.entry_count(1) < all.len(), "it was in the middle");
        let books = rig.books().await;
        let left = books.calls.iter().filter(|call| call.settled_ms.is_none());
        assert_eq!(
            left.count().min(1),
            open,
            "calls without an answer on record"
        );
        rig.sim.set_faults(FaultSchedule::default());
        rig.once().await.exits(0);
        let expected: BTreeSet<Ipv4Addr> = all.into_iter().collect();
        assert!(rig.addresses() == expected);
        rig.is_settled().await;
        rig.keeps_the_rate();
    }))
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn told_to_stop_a_single_run_says_that_it_is_not_done() {
    let rig = Rig::new().await;
    // While it waits for a feed that never answers.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let feed = format!("[[feed]]\nname = \"f\"\nurl = \"{url}\"\n");
    rig.config(&feed, FIREWALL);
    let run = rig.start(&["run", "--once"]);
    let (connection, _) = silent.accept().await.unwrap();
    run.signal("TERM");
    let ended = run.end_within(Duration::from_secs(5)).await.exits(1);
    assert!(ended.out.contains("not done: stopped"), "{}", ended.out);
    drop(connection);

    // While it sends.
    rig.config(&rig.feed("f", FEED), FIREWALL);
    let all = feeds::addresses(6, 2_000);
    rig.write("f.txt", &feeds::lines(&all));
    let run = rig.start(&["run", "--once"]);
    let there = || rig.sim.entry_count(1) >= 200;
    until("200 entries", SOON, there, || run.said()).await;
    run.signal("INT");
    let ended = run.end_within(Duration::from_secs(5)).await.exits(1);
    assert!(ended.out.contains("not done: stopped"), "{}", ended.out);
    rig.is_settled().await;
}

/// Keys that are put right are found by a reload, by a restart, and by the daemon's own next try.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_that_were_put_right_need_no_patience() {
    let rig = Rig::new().await;
    let (f, all) = (rig.feed("f", FEED), feeds::addresses(8, 100));
    rig.config(&f, FIREWALL);
    let config = std::fs::read_to_string(rig.path("feedwall.toml")).unwrap();
    let file = rig.path("keys");
    let from_file = format!("credentials = {{ file = {file:?} }}");
    rig.write(
        "feedwall.toml",
        &config.replace("credentials = { env = \"TEST\" }", &from_file),
    );
    rig.write("f.txt", &feeds::lines(&all));
    let keys = |key: &str| {
        let text = format!("[default]\nsecret_id = {FAKE_SECRET_ID}\nsecret_key = {key}\n");
        rig.write("keys", &text);
    };

    keys("wrong");
    let daemon = rig.start(&["run"]);
    daemon.says("AuthFailure.SignatureFailure", 1, SOON).await;
    keys(FAKE_SECRET_KEY);
    daemon.signal("HUP");
    becomes(&rig, &daemon, "after a reload", &[&all[..]]).await;

    keys("wrong");
    rig.write("f.txt", &feeds::lines(&all[..80]));
    daemon.signal("HUP");
    daemon.says("AuthFailure.SignatureFailure", 2, SOON).await;
    daemon.signal("TERM");
    daemon.end_within(Duration::from_secs(10)).await.exits(0);
    keys(FAKE_SECRET_KEY);
    let daemon = rig.start(&["run"]);
    becomes(&rig, &daemon, "after a restart", &[&all[..80]]).await;
}

/// One change of each kind, one after the other: each is told in a sentence, and each has its effect without a restart.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_kind_of_change_is_told_and_takes_effect() {
    let rig = Rig::new().await;
    let all = feeds::addresses(9, 100);
    let reload = async |daemon: &Process, sentences: &[&str]| {
        let before: Vec<usize> = sentences.iter().map(|one| daemon.times(one)).collect();
        daemon.signal("HUP");
        for (sentence, before) in sentences.iter().zip(before) {
            daemon.says(sentence, before + 1, SOON).await;
        }
    };
    rig.write("f.txt", &feeds::lines(&all[..50]));
    rig.write("g.txt", &feeds::lines(&all[50..]));
    let (f, g) = (rig.feed("f", FEED), rig.feed("g", FEED));
    let both = f.clone() + &g;
    rig.config(&both, FIREWALL);
    let daemon = rig.start(&["run"]);
    becomes(&rig, &daemon, "the first sync", &[&all[..]]).await;

    // A key of a feed: its listings are weighed, and end, by the new words at once.
    let other = f.replace("ttl = \"1h\"", "ttl = \"2h\"\nconfidence = 90");
    rig.config(&(other.clone() + &g), FIREWALL);
    reload(
        &daemon,
        &[
            "reloaded: feed `f`: ttl 1h → 2h",
            "reloaded: feed `f`: confidence 60 → 90",
        ],
    )
    .await;
    // A key of the firewall: with fewer places, what is worth less goes.
    rig.config(
        &(other.clone() + &g),
        &FIREWALL
            .replace("20_000", "60")
            .replace("batch = 20", "batch = 20\nmax_delete = 1"),
    );
    reload(&daemon, &["reloaded: firewall `prod`: quota 20000 → 60"]).await;
    until(
        "sixty places",
        SOON,
        || rig.sim.entry_count(1) == 60,
        || daemon.said(),
    )
    .await;
    assert!(
        all[..50].iter().all(|one| rig.addresses().contains(one)),
        "the better half stays"
    );
    rig.config(&both, FIREWALL);
    reload(&daemon, &["quota 60 → 20000"]).await;
    becomes(&rig, &daemon, "all places again", &[&all[..]]).await;

    // A file of the allowlist, and later its content alone.
    rig.write("allow.txt", &format!("{}\n", all[0]));
    let files = format!("files = [{:?}]", rig.path("allow.txt"));
    rig.config_with(&files, &both, FIREWALL);
    reload(&daemon, &["reloaded: guard: files gains"]).await;
    becomes(&rig, &daemon, "an allowlist's file", &[&all[1..]]).await;
    rig.write("allow.txt", &format!("{}\n{}\n", all[0], all[1]));
    daemon.signal("HUP");
    becomes(&rig, &daemon, "an allowlist's new line", &[&all[2..]]).await;

    // A guard list.
    rig.write("guard.txt", &format!("{}\n", all[2]));
    let list = format!(
        "[[guard.list]]\nname = \"ours\"\npath = {:?}\n",
        rig.path("guard.txt")
    );
    rig.config_with(&files, &(list.clone() + &both), FIREWALL);
    reload(&daemon, &["reloaded: guard list `ours` added"]).await;
    becomes(&rig, &daemon, "a guard list", &[&all[3..]]).await;

    // A feed that goes ages out, and the sentence says how to have it gone at once.
    rig.config_with(&files, &(list + &f), FIREWALL);
    reload(
        &daemon,
        &["reloaded: feed `g` removed: its listings age out"],
    )
    .await;
    let dropped = rig.start(&["feeds", "drop", "g"]).end().await;
    assert_eq!(dropped.code, Some(0), "{}", dropped.all());
    becomes(&rig, &daemon, "a feed that was dropped", &[&all[3..50]]).await;

    // A firewall more, of another account, and its end.
    let config = std::fs::read_to_string(rig.path("feedwall.toml")).unwrap();
    let at = config.find("[[firewall]]").unwrap();
    let second = config[at..]
        .replace("\"prod\"", "\"spare\"")
        .replace("env = \"TEST\"", "env = \"OTHER\"");
    rig.write("feedwall.toml", &format!("{config}{second}"));
    reload(&daemon, &["reloaded: firewall `spare` added"]).await;
    rig.write("feedwall.toml", &config);
    reload(
        &daemon,
        &["reloaded: firewall `spare` removed: its leases run out by themselves"],
    )
    .await;

    daemon.signal("TERM");
    daemon.end_within(Duration::from_secs(10)).await.exits(0);
    rig.keeps_the_rate();
}
