//! Guard lists: without them nothing is added; what they list is not blocked, however long ago they were heard.

use crate::model::Action;
use crate::plan::{LeftOut, Plan};
use crate::stage::StageError;
use crate::stage::memory::Memory;
use crate::stage::replan::{self, GuardMaterial, Heard};

use super::*;

const CONFIG: &str = "\
[[guard.list]]
name = \"resolvers\"
path = \"DIR/resolvers.txt\"
may_be_empty = true

[[feed]]
name = \"soc\"
path = \"DIR/soc.txt\"
ttl = \"30d\"
";

impl Scene {
    async fn plan(&self) -> Plan {
        let guards = GuardMaterial::read(&self.config).unwrap();
        let firewall = &self.config.firewalls[0];
        replan::turn(
            &self.ctx,
            &guards,
            &Memory::default(),
            firewall,
            &Heard::default(),
        )
        .await
        .unwrap()
    }

    /// What the plan would add, each indicator once.
    async fn adds(&self) -> Vec<String> {
        let plan = self.plan().await;
        let adds = plan
            .batches
            .iter()
            .filter(|batch| batch.action() == Action::Add);
        let mut found: Vec<_> = adds
            .flat_map(|batch| batch.entries())
            .map(|entry| entry.indicator.to_string())
            .collect();
        found.sort();
        found.dedup();
        found
    }
}

#[tokio::test]
async fn nothing_is_added_before_every_guard_list_was_heard() {
    let scene = Scene::new(CONFIG).await;
    scene.write("soc.txt", "45.155.205.7\n45.155.205.8\nbad-host.ch\n");
    assert!(matches!(scene.poll("soc").await, PollEnd::Recorded { .. }));
    assert!(matches!(scene.poll("resolvers").await, PollEnd::Failed(_)));
    let plan = scene.plan().await;
    assert_eq!(plan.batches.len(), 0);
    // Two addresses both ways, and a domain outbound.
    assert_eq!(plan.left_out.get(&LeftOut::GuardsUnheard), Some(&5));
    let guards = GuardMaterial::read(&scene.config).unwrap();
    let exported = replan::cleared(&scene.ctx, &guards, NOW).await;
    assert!(matches!(exported, Err(StageError::Unguarded(name)) if name.as_str() == "resolvers"));

    scene.write("resolvers.txt", "# nothing yet\n");
    let heard = scene.poll("resolvers").await;
    assert!(matches!(heard, PollEnd::Recorded { .. }), "{heard:?}");
    assert_eq!(
        scene.adds().await,
        ["45.155.205.7", "45.155.205.8", "bad-host.ch"]
    );
    assert!(replan::cleared(&scene.ctx, &guards, NOW).await.is_ok());
}

/// That an empty list was heard for the first time changes every plan.
#[tokio::test]
async fn the_first_word_of_a_list_is_news_even_if_it_is_empty() {
    let scene = Scene::new(CONFIG).await;
    scene.write("resolvers.txt", "# nothing yet\n");
    let list = &scene.config.guard.lists[0];
    let first = intake::turn(&scene.ctx, &scene.fetcher, list)
        .await
        .unwrap();
    assert!(intake::changed(&first));
    scene.write("resolvers.txt", "# still nothing\n");
    let second = intake::turn(&scene.ctx, &scene.fetcher, list)
        .await
        .unwrap();
    assert!(!intake::changed(&second), "{second:?}");
}

#[tokio::test]
async fn what_a_list_holds_is_not_blocked_however_long_ago_it_was_heard() {
    let scene = Scene::new(CONFIG).await;
    scene.write(
        "soc.txt",
        "45.155.205.7\n45.155.206.0/30\nbad-host.ch\nwww.bad-host.ch\n",
    );
    scene.write("resolvers.txt", "45.155.205.7\n45.155.206.1\nbad-host.ch\n");
    scene.poll("soc").await;
    scene.poll("resolvers").await;
    let guarded = ["45.155.206.0", "45.155.206.2/31"];
    assert_eq!(scene.adds().await, guarded);

    // The list is out of reach for longer than any ttl; the feed goes on.
    std::fs::remove_file(scene.path("resolvers.txt")).unwrap();
    scene.later(DAY * 100);
    scene.poll("soc").await;
    assert!(matches!(scene.poll("resolvers").await, PollEnd::Failed(_)));
    assert_eq!(scene.adds().await, guarded);

    // What it no longer lists, it no longer guards.
    scene.write("resolvers.txt", "45.155.206.1\n");
    scene.poll("resolvers").await;
    assert_eq!(
        scene.adds().await,
        [
            "45.155.205.7",
            "45.155.206.0",
            "45.155.206.2/31",
            "bad-host.ch",
            "www.bad-host.ch"
        ]
    );
}

#[tokio::test]
async fn a_list_that_leaves_the_config_guards_nothing_any_more() {
    let mut scene = Scene::new(CONFIG).await;
    scene.write("soc.txt", "45.155.205.7\n");
    scene.write("resolvers.txt", "45.155.205.7\n");
    scene.poll("soc").await;
    scene.poll("resolvers").await;
    assert_eq!(scene.adds().await, Vec::<String>::new());
    let (_, feed) = CONFIG.split_once("\n\n").unwrap();
    scene.configure(feed).await;
    assert_eq!(scene.adds().await, ["45.155.205.7"]);
    scene.configure(CONFIG).await;
    assert_eq!(scene.adds().await, Vec::<String>::new());
}

/// A list obeys the feed contract: half of it gone is doubted, and the rest goes on guarding.
#[tokio::test]
async fn a_list_that_shrinks_at_once_is_held() {
    let scene = Scene::new(CONFIG).await;
    let all: String = (0..40).map(|host| format!("45.155.205.{host}\n")).collect();
    scene.write("soc.txt", "45.155.205.7\n");
    scene.write("resolvers.txt", &all);
    scene.poll("soc").await;
    scene.poll("resolvers").await;
    scene.write("resolvers.txt", "45.155.205.39\n");
    assert!(matches!(scene.poll("resolvers").await, PollEnd::Held(_)));
    assert_eq!(scene.adds().await, Vec::<String>::new());
}

/// A warninglist's type says how far its names reach.
#[tokio::test]
async fn names_of_a_warninglist_reach_as_far_as_its_type_says() {
    for (kind, expected) in [("string", &["www.bad-host.ch"][..]), ("hostname", &[][..])] {
        let config = CONFIG.replace(
            "resolvers.txt\"",
            "resolvers.json\"\nformat = \"misp-warninglist\"",
        );
        let scene = Scene::new(&config).await;
        scene.write("soc.txt", "bad-host.ch\nwww.bad-host.ch\n");
        let list = format!("{{\"type\": \"{kind}\", \"list\": [\"bad-host.ch\"]}}");
        scene.write("resolvers.json", &list);
        scene.poll("soc").await;
        assert!(matches!(
            scene.poll("resolvers").await,
            PollEnd::Recorded { .. }
        ));
        assert_eq!(scene.adds().await, expected, "{kind}");
    }
}

/// A list of top-level domains says what holds anyway: it must not keep every add waiting. One that would guard all the
/// domains below them is not taken, and says why.
#[tokio::test]
async fn a_list_of_top_level_domains_lets_the_others_pass() {
    let config = CONFIG
        .replace(
            "resolvers.txt\"",
            "resolvers.json\"\nformat = \"misp-warninglist\"",
        )
        .replace("may_be_empty = true\n", "");
    let list = |kind: &str| {
        format!(
            "{{\"type\": \"{kind}\", \"list\": [\"AAA\", \"CH\", \"COM\", \"XN--P1AI\", \"co.uk\"]}}"
        )
    };
    let scene = Scene::new(&config).await;
    scene.write("soc.txt", "bad-host.ch\n");
    scene.write("resolvers.json", &list("string"));
    scene.poll("soc").await;
    assert!(matches!(
        scene.poll("resolvers").await,
        PollEnd::Recorded { rejected: 0, .. }
    ));
    assert_eq!(scene.adds().await, ["bad-host.ch"]);

    let scene = Scene::new(&config).await;
    scene.write("soc.txt", "bad-host.ch\n");
    scene.write("resolvers.json", &list("hostname"));
    scene.poll("soc").await;
    let PollEnd::Held(why) = scene.poll("resolvers").await else {
        panic!("it is not held");
    };
    assert!(
        why.starts_with("5 of 5 rows could not be read, mostly because it is a public suffix: a guard of all below it would let every domain there pass"),
        "{why}"
    );
    assert_eq!(scene.adds().await, Vec::<String>::new());
}
