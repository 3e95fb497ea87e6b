//! What the cloud can do to us: limits, outages, entries and classes that it will not have, keys that end, clocks that
//! differ. Each time everything that it takes is on the list in the end, and nothing goes on for ever.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::time::Duration;

use feedwall::sim::{
    Class, Credential, FAKE_SECRET_ID, FAKE_SECRET_KEY, FaultSchedule, Foreign, Then, When,
};
use tokio::time::Instant;

use crate::support::rig::{MODIFY, Rig};
use crate::support::{feeds, until, wall};

const IPV4: &str = "accept = [\"ipv4\"]\nquota = 20_000\nbatch = 10";
const SOON: Duration = Duration::from_secs(60);

/// A rig with one feed of so many addresses.
async fn rig(listed: usize) -> (Rig, Vec<Ipv4Addr>) {
    let rig = Rig::new().await;
    rig.config(&rig.feed("f", "direction = \"in\""), IPV4);
    let addresses = feeds::addresses(9, listed);
    rig.write("f.txt", &feeds::lines(&addresses));
    (rig, addresses)
}

fn strike(rig: &Rig, when: When, then: Then) {
    let writes = when.action(MODIFY);
    rig.sim
        .set_faults(FaultSchedule::default().and(writes, then));
}

/// Everything is there, the books agree, and another run has nothing to do.
async fn is_complete(rig: &Rig, addresses: &[Ipv4Addr]) {
    let expected: BTreeSet<Ipv4Addr> = addresses.iter().copied().collect();
    let listed = rig.addresses();
    assert!(
        listed == expected,
        "{} entries for {}",
        listed.len(),
        expected.len()
    );
    rig.is_settled().await;
    rig.keeps_the_rate();
    let writes = rig.writes().len();
    rig.once().await.exits(0);
    assert_eq!(rig.writes().len(), writes, "nothing is left to do");
}

fn answers(rig: &Rig, verdict: &str) -> usize {
    let writes = rig.writes();
    writes.iter().filter(|call| call.verdict == verdict).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lower_limit_of_the_cloud_is_learned_and_kept() {
    let (rig, addresses) = rig(300).await;
    strike(&rig, When::default(), Then::Rate { per_second: 5 });
    rig.once().await.exits(0);
    let refused = answers(&rig, "RequestLimitExceeded");
    // Those that had their place before the first one was refused go out at the lower pace, and no others.
    assert!(
        (1..=19).contains(&refused),
        "{refused} calls were refused for their rate"
    );
    is_complete(&rig, &addresses).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rate_errors_out_of_the_blue_slow_it_down_and_lose_nothing() {
    let (rig, addresses) = rig(400).await;
    let now_and_then = When {
        every: Some(9),
        ..When::default()
    };
    strike(&rig, now_and_then, Then::error("RequestLimitExceeded"));
    rig.once().await.exits(0);
    is_complete(&rig, &addresses).await;
}

/// One answer in ten is a 5xx, half of them after the deed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_percent_of_5xx_lose_nothing() {
    let (rig, addresses) = rig(1_000).await;
    let chance = || {
        When {
            probability: Some(0.05),
            ..When::default()
        }
        .action(MODIFY)
    };
    let http = |status, applied| Then::Http { status, applied };
    let faults = FaultSchedule {
        seed: 4,
        ..FaultSchedule::default()
    };
    rig.sim.set_faults(
        faults
            .and(chance(), http(503, false))
            .and(chance(), http(502, true)),
    );
    rig.once().await.exits(0);
    let (failed, calls) = (
        answers(&rig, "HTTP 503") + answers(&rig, "HTTP 502"),
        rig.writes().len(),
    );
    assert!(failed > 0, "the faults struck");
    println!("{calls} calls for 100 batches, {failed} of them answered 5xx");
    assert!(calls <= 100 + 2 * failed, "{calls} calls for 100 batches");
    rig.sim.set_faults(FaultSchedule::default());
    is_complete(&rig, &addresses).await;
}

/// A service that fails for a while without a reason takes nobody's place for good.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_short_outage_with_failed_operations_ends_without_a_trace() {
    let (rig, addresses) = rig(200).await;
    let early = When {
        seconds: Some(feedwall::sim::Seconds { from: 0.0, to: 5.0 }),
        ..When::default()
    };
    strike(&rig, early, Then::error("FailedOperation"));
    rig.once().await.exits(0);
    let books = rig.books().await;
    assert_eq!((books.quarantined, books.learned), (vec![], vec![]));
    is_complete(&rig, &addresses).await;
}

/// Two entries that the cloud will not have, in different batches, one of them the first of its batch.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn poison_is_found_by_halving_and_everything_else_is_on_the_list() {
    let rig = Rig::new().await;
    rig.config(
        &rig.feed("f", "direction = \"in\""),
        "accept = [\"ipv4\"]\nquota = 20_000\nbatch = 100",
    );
    let addresses = feeds::addresses(9, 500);
    rig.write("f.txt", &feeds::lines(&addresses));
    let poison = [addresses[137], addresses[400]].map(|one| one.to_string());
    let refuse = |one: &String| {
        let then = Then::Error {
            code: "InvalidParameter".to_owned(),
            message: Some("illegal IP".to_owned()),
            applied: false,
        };
        (When::default().action(MODIFY).contains(one), then)
    };
    let faults = poison.iter().map(refuse);
    rig.sim.set_faults(
        faults.fold(FaultSchedule::default(), |schedule, (when, then)| {
            schedule.and(when, then)
        }),
    );
    let ended = rig.once().await.exits(3);
    let rest: BTreeSet<String> = addresses
        .iter()
        .map(Ipv4Addr::to_string)
        .filter(|one| !poison.contains(one))
        .collect();
    assert!(rig.listed() == rest, "{}", ended.all());
    let books = rig.is_settled().await;
    assert_eq!(books.quarantined, poison);
    assert_eq!(books.learned, [], "no class and no size is blamed");
    // Five batches; for each poison: three alone, the rest, and at most two for each halving of a hundred.
    let calls = rig.writes().len();
    println!("{calls} calls to find two bad entries among 500");
    assert!(calls <= 5 + 2 * (4 + 2 * 7), "{calls} calls");
    rig.once().await.exits(3);
    assert_eq!(
        rig.writes().len(),
        calls,
        "what is quarantined is not tried again"
    );
    rig.keeps_the_rate();
}

/// The feed lists domains, and the cloud's blocklist takes none: they are held, none of them is blamed, and the
/// addresses of the same feed are on the list.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_class_is_held_and_hurts_only_itself() {
    let rig = Rig::with(|config| config.block_classes = vec![Class::Ipv4]).await;
    rig.config(
        &rig.feed("f", "direction = \"out\""),
        "accept = [\"ipv4\", \"domain\"]\nquota = 20_000\nbatch = 20",
    );
    let addresses = feeds::addresses(9, 100);
    let domains: String = (0..90).map(|n| format!("c{n}.evil-botnet.com\n")).collect();
    rig.write("f.txt", &(feeds::lines(&addresses) + &domains));
    let ended = rig.start(&["run", "--once"]).end().await.exits(3);
    let expected: BTreeSet<Ipv4Addr> = addresses.into_iter().collect();
    assert!(rig.addresses() == expected, "{}", ended.all());
    let books = rig.is_settled().await;
    assert_eq!(books.quarantined, Vec::<String>::new());
    let [(subject, reason)] = &books.learned[..] else {
        panic!("{:?}", books.learned);
    };
    assert_eq!(subject, "class block domain");
    assert!(reason.contains("InvalidParameter"), "{reason}");
    assert!(
        ended.out.contains("90 class refused by the firewall"),
        "{}",
        ended.out
    );
    let calls = rig.writes().len();
    assert!(calls <= 5 + 5 + 5 * 3, "{calls} calls");
    rig.once().await.exits(3);
    assert_eq!(rig.writes().len(), calls, "a held class is not tried again");
}

/// The list has fewer places than the config says: it is filled, and the daemon then leaves it alone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_smaller_quota_is_learned_and_not_run_against_for_ever() {
    let rig = Rig::with(|config| config.limits.quota = 250).await;
    let feed = "direction = \"in\"\ninterval = \"1s\"\nttl = \"1h\"";
    rig.config(&rig.feed("f", feed), IPV4);
    let addresses = feeds::addresses(9, 400);
    rig.write("f.txt", &feeds::lines(&addresses));
    let daemon = rig.start(&["run"]);
    until(
        "a full list",
        SOON,
        || rig.sim.entry_count(1) == 250,
        || daemon.said(),
    )
    .await;
    daemon.says("the list is full", 1, SOON).await;
    // It comes to rest, however long the pauses between its tries are on a busy machine.
    let (mut settled, mut since) = (rig.writes().len(), Instant::now());
    let at_rest = || {
        let writes = rig.writes().len();
        if writes != settled {
            (settled, since) = (writes, Instant::now());
        }
        since.elapsed() >= Duration::from_secs(8)
    };
    until("rest", Duration::from_secs(60), at_rest, || daemon.said()).await;
    daemon.signal("TERM");
    daemon.end_within(Duration::from_secs(10)).await.exits(0);
    let books = rig.is_settled().await;
    let learned: Vec<_> = books
        .learned
        .iter()
        .map(|(subject, _)| subject.as_str())
        .collect();
    assert_eq!(learned, ["full"]);
    rig.once().await;
    assert_eq!(rig.writes().len(), settled, "nor does the next run");
    let full = answers(&rig, "LimitExceeded");
    assert!(full <= 20, "{full} calls were refused for the quota");
}

/// Temporary keys end in the middle of a sync; whoever hands them out has put new ones in the file.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_ends_is_replaced_on_the_way() {
    let old = Credential::fake().with_token("old-token-EXAMPLE", None);
    let rig = Rig::with(|config| config.credentials = vec![old]).await;
    rig.config(&rig.feed("f", "direction = \"in\""), IPV4);
    let file = rig.path("keys");
    let config = std::fs::read_to_string(rig.path("feedwall.toml")).unwrap();
    let from_file = format!("credentials = {{ file = {file:?} }}");
    rig.write(
        "feedwall.toml",
        &config.replace("credentials = { env = \"TEST\" }", &from_file),
    );
    let keys = |token: &str| {
        let text = format!(
            "{{\"secretId\": \"{FAKE_SECRET_ID}\", \"secretKey\": \"{FAKE_SECRET_KEY}\", \"token\": \"{token}\"}}"
        );
        rig.write("keys", &text);
    };
    keys("old-token-EXAMPLE");
    let addresses = feeds::addresses(9, 800);
    rig.write("f.txt", &feeds::lines(&addresses));
    let run = rig.start(&["run", "--once"]);
    let some = || rig.sim.entry_count(1) >= 200;
    until("200 entries", SOON, some, || run.said()).await;
    keys("new-token-EXAMPLE");
    rig.sim.set_credentials(vec![
        Credential::fake().with_token("new-token-EXAMPLE", None),
    ]);
    let ended = run.end().await.exits(0);
    assert!(
        !ended.all().contains("token-EXAMPLE"),
        "a token is never shown"
    );
    let refused = answers(&rig, "AuthFailure.TokenFailure");
    assert!(
        (1..20).contains(&refused),
        "{refused} calls with the old token"
    );
    is_complete(&rig, &addresses).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_is_off_by_ten_minutes_is_corrected_by_the_cloud_s() {
    futures_util::future::join_all([600, -600, 86_400].map(|seconds| async move {
        let (rig, addresses) = rig(200).await;
        rig.sim.set_skew(seconds);
        let ended = rig.once().await.exits(0);
        is_complete(&rig, &addresses).await;
        assert!(
            rig.writes().iter().all(|call| call.applied),
            "the reading before had told the time"
        );
        // Its own clock is the one to be mended.
        let said = ended.err.contains("clock");
        assert!(said, "{seconds}: {}", ended.err);
        let cloud = i64::try_from(wall().as_secs()).unwrap() + seconds;
        for entry in rig.sim.entries() {
            let (start, end) = (cloud - entry.start_unix, entry.end_unix - cloud);
            assert!(
                (240..600).contains(&start),
                "{seconds}: begun {start} s ago"
            );
            assert!(
                (3 * 86_400 - 60..3 * 86_400 + 3_600).contains(&end),
                "{seconds}: {end} s left"
            );
        }
    }))
    .await;
}

/// What others hold is left as it is, not added over, and counted against the places.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn entries_of_others_are_neither_touched_nor_added_over() {
    let (rig, addresses) = rig(100).await;
    rig.config(
        &rig.feed("f", "direction = \"in\"\non_delist = \"withdraw\""),
        "accept = [\"ipv4\"]\nquota = 100\nbatch = 10",
    );
    let foreign = |ioc: &str| Foreign {
        rule_type: 1,
        ioc: ioc.to_owned(),
        direction: 1,
        end_unix: None,
        source: None,
    };
    let theirs = [addresses[0].to_string(), "45.155.205.9".to_owned()];
    rig.sim
        .seed_foreign(&theirs.clone().map(|ioc| foreign(&ioc)))
        .unwrap();
    rig.once().await.exits(0);
    assert_eq!(rig.sim.entry_count(1), 100, "98 of ours beside their two");
    rig.write("f.txt", &feeds::lines(&addresses[..80]));
    rig.once().await.exits(0);
    assert_eq!(rig.sim.entry_count(1), 81, "79 of ours beside their two");
    for ioc in theirs {
        assert_eq!(rig.sim.writes(1, &ioc, 1), 0, "{ioc} was written to");
        assert!(rig.listed().contains(&ioc));
    }
}

/// A stranger's words in an answer move no cursor and forge no line.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn words_of_the_cloud_and_of_feeds_are_shown_and_not_obeyed() {
    let (rig, _) = rig(10).await;
    let evil = "\u{1b}[2J\u{7}gone\nfeed f: unchanged\u{202e}";
    let then = Then::Error {
        code: "AuthFailure.UnauthorizedOperation".to_owned(),
        message: Some(evil.to_owned()),
        applied: false,
    };
    rig.sim
        .set_faults(FaultSchedule::default().and(When::default(), then));
    for words in [&["run", "--once"][..], &["status"]] {
        let ended = rig.start(words).end().await;
        let said = ended.all();
        assert!(said.contains("gone"), "{words:?}: {said:?}");
        for sign in ['\u{1b}', '\u{7}', '\u{202e}'] {
            assert!(!said.contains(sign), "{words:?}: {said:?}");
        }
        assert!(
            !said
                .lines()
                .any(|line| line.starts_with("feed f: unchanged")),
            "{said:?}"
        );
    }
}
