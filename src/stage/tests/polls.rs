//! What becomes of a poll, by the feed contract.

use crate::ledger::FeedState;

use super::*;

const FEED: &str = "[[feed]]\nname = \"soc\"\npath = \"DIR/soc.txt\"\nmax_stale = \"3d\"\n";

#[tokio::test]
async fn a_body_that_never_changes_renews_nothing_after_a_while() {
    let scene = Scene::new(FEED).await;
    scene.write("soc.txt", "198.51.100.7\n");
    assert!(matches!(scene.poll("soc").await, PollEnd::Recorded { .. }));
    scene.later(DAY * 3);
    assert_eq!(scene.poll("soc").await, PollEnd::Unchanged);
    let good = scene.row("soc").await.last_good;
    scene.later(DAY);
    for _ in 0..2 {
        let PollEnd::Frozen(why) = scene.poll("soc").await else {
            panic!("it is not frozen");
        };
        assert!(
            why.starts_with("what the body lists is the same since 2026-07-29T14:00:00Z"),
            "{why}"
        );
        let row = scene.row("soc").await;
        assert_eq!((row.state, row.last_good), (FeedState::Frozen, good));
        assert_eq!(
            (row.trouble.as_deref(), row.listed),
            (Some(why.as_str()), 1)
        );
    }
    scene.write("soc.txt", "198.51.100.7\n198.51.100.8\n");
    assert!(matches!(scene.poll("soc").await, PollEnd::Recorded { .. }));
    let row = scene.row("soc").await;
    assert_eq!((row.state, row.trouble), (FeedState::Good, None));
}

/// A feed that died before we came is not believed, whatever lies there; nor is one that only shuffles what it has.
#[tokio::test]
async fn a_body_may_say_itself_that_it_is_frozen() {
    let scene = Scene::new(FEED).await;
    scene.write(
        "soc.txt",
        "# Last updated: 2026-07-20 10:00:00 UTC\n198.51.100.7\n",
    );
    assert!(matches!(scene.poll("soc").await, PollEnd::Frozen(_)));
    let row = scene.row("soc").await;
    assert_eq!((row.listed, row.last_good), (0, None));
    scene.write(
        "soc.txt",
        "# Last updated: 2026-07-29 10:00:00 UTC\n198.51.100.7\n",
    );
    assert!(matches!(scene.poll("soc").await, PollEnd::Recorded { .. }));
    scene.write(
        "soc.txt",
        "# Last updated: 2026-07-20 10:00:00 UTC\n198.51.100.8\n",
    );
    let PollEnd::Frozen(why) = scene.poll("soc").await else {
        panic!("it is not frozen");
    };
    assert!(
        why.starts_with("the body says that it was made at 2026-07-20T10:00:00Z, longer ago than max_stale allows (3 d"),
        "{why}"
    );
    scene.write("soc.txt", "# No date\n198.51.100.8\n");
    assert!(matches!(scene.poll("soc").await, PollEnd::Recorded { .. }));
}

/// The row about the list says when it was made, as in Spamhaus's DROP; of JSON, a place beside the items does.
#[tokio::test]
async fn the_date_in_a_field_says_that_a_body_is_frozen() {
    let bodies: [(&str, &str); 2] = [
        (
            "format = \"ndjson\"\ncolumn = \"cidr\"\nmade_at = \"timestamp\"",
            "{\"cidr\":\"45.155.HOST.0/24\"}\n{\"type\":\"metadata\",\"timestamp\":STAMP,\"size\":1}\n",
        ),
        (
            "format = \"json\"\nitems = \"/data\"\nmade_at = \"/meta/updated\"",
            "{\"meta\": {\"updated\": STAMP}, \"data\": [\"45.155.HOST.0/24\"]}",
        ),
    ];
    for (keys, body) in bodies {
        let scene = Scene::new(&format!("{FEED}{keys}\n")).await;
        let write = |host: &str, made: UnixTime| {
            let stamp = made.seconds().to_string();
            let body = body.replace("HOST", host).replace("STAMP", &stamp);
            scene.write("soc.txt", &body);
        };
        write("205", NOW.minus(DAY * 4));
        let PollEnd::Frozen(why) = scene.poll("soc").await else {
            panic!("{keys}: it is not frozen");
        };
        let words = "what the body lists is the same since 2026-07-25T14:00:00Z";
        assert!(why.starts_with(words), "{why}");
        assert_eq!(scene.row("soc").await.listed, 0);
        write("205", NOW.minus(DAY));
        assert!(matches!(scene.poll("soc").await, PollEnd::Recorded { .. }));
        // The rows change, and the date stands still.
        scene.later(DAY * 3);
        write("206", NOW.minus(DAY));
        let PollEnd::Frozen(why) = scene.poll("soc").await else {
            panic!("{keys}: it is not frozen");
        };
        let words = "the body says that it was made at 2026-07-28T14:00:00Z";
        assert!(why.starts_with(words), "{why}");
        assert_eq!(scene.row("soc").await.last_good, Some(NOW));
        write("206", NOW.plus(DAY * 3));
        assert!(matches!(scene.poll("soc").await, PollEnd::Recorded { .. }));
    }
}

/// A pipeline that stamps each day on the rows of the day before is as dead as one that stands still.
#[tokio::test]
async fn a_body_whose_rows_never_change_is_frozen_though_its_date_does() {
    let scene = Scene::new(FEED).await;
    let write = |day: u32, rows: &str| {
        let made = NOW.plus(DAY * day);
        scene.write("soc.txt", &format!("# Last updated: {made}\n{rows}"));
    };
    write(0, "45.155.205.7\n45.155.205.8\n");
    assert!(matches!(scene.poll("soc").await, PollEnd::Recorded { .. }));
    for day in 1..=3 {
        scene.later(DAY);
        write(day, "45.155.205.8\n45.155.205.7\n");
        assert!(matches!(scene.poll("soc").await, PollEnd::Recorded { .. }));
    }
    let good = scene.row("soc").await.last_good;
    for day in 4..=5 {
        scene.later(DAY);
        write(day, "45.155.205.7\n45.155.205.8\n");
        let PollEnd::Frozen(why) = scene.poll("soc").await else {
            panic!("it is not frozen");
        };
        let words = "what the body lists is the same since 2026-07-29T14:00:00Z, for longer than max_stale allows (3 d)";
        assert!(why.starts_with(words), "{why}");
        assert_eq!(scene.row("soc").await.last_good, good);
    }
    write(5, "45.155.205.7\n45.155.205.9\n");
    assert!(matches!(scene.poll("soc").await, PollEnd::Recorded { .. }));
    scene.later(DAY * 3);
    write(8, "45.155.205.9\n45.155.205.7\n");
    assert!(matches!(scene.poll("soc").await, PollEnd::Recorded { .. }));
}

#[tokio::test]
async fn a_body_cut_inside_its_last_line_is_held_until_it_is_approved() {
    let cut = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n198.51.100.7\n198.51.100.89";
    let address = server(Box::leak(Box::new([("/list", cut)]))).await;
    let scene = Scene::new(&web(&address, "/list")).await;
    let PollEnd::Held(why) = scene.poll("web").await else {
        panic!("it is not held");
    };
    assert!(
        why.starts_with("the body stops inside its last line"),
        "{why}"
    );
    assert_eq!(scene.row("web").await.listed, 0);
    let id = scene.row("web").await.id;
    assert!(scene.ctx.ledger.approve_snapshot(id, NOW).await.unwrap());
    assert!(matches!(scene.poll("web").await, PollEnd::Recorded { .. }));
    assert_eq!(scene.row("web").await.listed, 1);
}

#[tokio::test]
async fn json_that_breaks_off_is_held_and_cannot_be_approved() {
    let feed = "[[feed]]\nname = \"soc\"\npath = \"DIR/soc.json\"\nformat = \"json\"\n";
    let scene = Scene::new(feed).await;
    scene.write("soc.json", "[\"198.51.100.7\", \"198.51.");
    let PollEnd::Held(why) = scene.poll("soc").await else {
        panic!("it is not held");
    };
    assert_eq!(
        why,
        "the body cannot be taken: the JSON ends early, so that the body is cut short; it cannot be approved, and the last good listings stay"
    );
    let row = scene.row("soc").await;
    assert_eq!((row.listed, row.state), (0, FeedState::Held));
    assert!(
        scene
            .ctx
            .ledger
            .held_snapshot(row.id)
            .await
            .unwrap()
            .is_none()
    );
}

#[tokio::test]
async fn a_feed_that_moved_stays_good_and_says_where_to() {
    const ANSWERS: &[(&str, &str)] = &[
        (
            "/old",
            "HTTP/1.1 301 Moved\r\nLocation: /new?token=abc\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
        ),
        (
            "/new?token=abc",
            "HTTP/1.1 200 OK\r\nETag: \"1\"\r\nContent-Length: 13\r\nConnection: close\r\n\r\n198.51.100.7\n",
        ),
    ];
    let address = server(ANSWERS).await;
    let mut scene = Scene::new(&web(&address, "/old")).await;
    assert!(matches!(scene.poll("web").await, PollEnd::Recorded { .. }));
    for end in ["recorded", "unchanged"] {
        let row = scene.row("web").await;
        let note = format!(
            "{address}/old has moved for good to {address}/new?token=***: write that as its `url`, for the old address will not lead there for ever"
        );
        assert_eq!(
            (row.state, row.trouble),
            (FeedState::Good, Some(note)),
            "{end}"
        );
        assert_eq!(scene.poll("web").await, PollEnd::Unchanged);
    }
    scene
        .configure(&web(&address, "/new?token=abc").replace("?token=abc", ""))
        .await;
    assert!(matches!(scene.poll("web").await, PollEnd::Failed(_)));
}

#[tokio::test]
async fn a_feed_that_is_gone_for_good_is_retired() {
    const GONE: &[(&str, &str)] = &[(
        "/list",
        "HTTP/1.1 410 Gone\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
    )];
    let address = server(GONE).await;
    let scene = Scene::new(&web(&address, "/list")).await;
    let PollEnd::Retired(why) = scene.poll("web").await else {
        panic!("it is not retired");
    };
    assert_eq!(
        why,
        format!(
            "{address}/list answered 410 (gone for good); its publisher has ended it. Its last listings end in their time; take it out of the config"
        )
    );
    let row = scene.row("web").await;
    assert_eq!((row.state, row.trouble), (FeedState::Retired, Some(why)));
    assert!(row.next_poll.unwrap() >= NOW.plus(DAY));
}

/// Nobody is asked for what the catalogue knows to be no more.
#[tokio::test]
async fn a_preset_that_is_no_more_is_not_fetched() {
    let scene = Scene::new("[[feed]]\nname = \"ssl\"\npreset = \"sslbl\"\n").await;
    let PollEnd::Retired(why) = scene.poll("ssl").await else {
        panic!("it is not retired");
    };
    assert!(
        why.starts_with("abuse.ch retired it on 2025-01-03; use threatfox or feodo instead."),
        "{why}"
    );
    assert_eq!(scene.row("ssl").await.state, FeedState::Retired);
}
