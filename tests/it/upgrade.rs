//! Ledgers of every schema that there was open, migrate, and keep what they hold.
//!
//! `tests/data/ledger/schema-1.sql` holds rows as the first schema had them. Once a schema is released its migration is
//! never touched again, and these rows see to it.

use std::fs;
use std::path::{Path, PathBuf};

use sqlx::migrate::Migrator;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _};

use crate::support::rig::Rig;

/// The migrations in their order.
fn migrations() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations");
    let mut all: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|one| one.unwrap().path())
        .collect();
    all.sort();
    all
}

/// A ledger as it was when there were so many migrations, with the first schema's rows in it.
async fn ledger_of(path: &Path, count: usize) {
    let folder = tempfile::tempdir().unwrap();
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true);
    let mut ledger = options.connect().await.unwrap();
    for (number, file) in migrations().iter().take(count).enumerate() {
        fs::copy(file, folder.path().join(file.file_name().unwrap())).unwrap();
        Migrator::new(folder.path())
            .await
            .unwrap()
            .run(&mut ledger)
            .await
            .unwrap();
        if number == 0 {
            // What came later must carry over what was there before.
            let rows = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/ledger/schema-1.sql");
            let rows = fs::read_to_string(rows).unwrap();
            sqlx::raw_sql(AssertSqlSafe(rows))
                .execute(&mut ledger)
                .await
                .unwrap();
        }
    }
    ledger.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ledger_of_every_schema_opens_with_what_it_holds() {
    let all = migrations().len();
    for count in 1..=all {
        let rig = Rig::new().await;
        rig.write(
            "f.txt",
            "45.155.205.1\n45.155.205.2\n45.155.205.3\nbad-botnet.com\n",
        );
        let feed = rig.feed("f", "direction = \"in\"");
        rig.config(&feed, "accept = [\"ipv4\", \"domain\"]\nquota = 20_000");
        // The rows are from a day that moves away: nothing of them may be swept.
        let config = fs::read_to_string(rig.path("feedwall.toml")).unwrap();
        let config = config.replace("[ledger]\n", "[ledger]\nkeep_history = \"3650d\"\n");
        rig.write("feedwall.toml", &config);
        ledger_of(&rig.ledger_path(), count).await;
        if count < all {
            // Only a start migrates: a command must not, while an older daemon may hold the file.
            let ended = rig.start(&["status"]).end().await.exits(1);
            assert!(ended.err.contains("older feedwall"), "{}", ended.err);
        }
        rig.once().await.exits(0);
        let books = rig.is_settled().await;
        let old = books
            .calls
            .iter()
            .filter(|call| call.sent_ms < 1_770_000_000_000);
        assert_eq!(
            old.count(),
            4,
            "calls of then, after {count} of {all} migrations"
        );
        // What was allowed by hand then is allowed still; the block by hand was for a day, and is over.
        let listed: Vec<String> = rig.listed().into_iter().collect();
        assert_eq!(listed, ["45.155.205.1", "45.155.205.2", "bad-botnet.com"]);
        let story = rig.start(&["explain", "45.155.205.3"]).end().await;
        assert!(story.out.contains("allow"), "{}", story.all());
        let feed = rig
            .start(&["--json", "feeds", "show", "f"])
            .end()
            .await
            .exits(0)
            .json();
        assert!(
            feed.to_string().contains("2026-01-01"),
            "it was first listed then: {feed}"
        );
    }
}
