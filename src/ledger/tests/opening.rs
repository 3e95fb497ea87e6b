//! Opening, refusing, locking, and what a full or damaged disk does.

use std::path::Path;

use super::*;

fn files(dir: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<_> = std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            (name, std::fs::read(&path).unwrap())
        })
        .collect();
    files.sort();
    files
}

/// A SQLite file of another program, with one table.
async fn stranger(path: &Path, journal: &str, application_id: &str) {
    let options = sqlx::sqlite::SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .pragma("journal_mode", journal.to_owned())
        .pragma("application_id", application_id.to_owned());
    let pool = sqlx::SqlitePool::connect_with(options).await.unwrap();
    sqlx::query("CREATE TABLE orders (id INTEGER PRIMARY KEY)")
        .execute(&pool)
        .await
        .unwrap();
    pool.close().await;
}

#[tokio::test]
async fn a_ledger_is_made_closed_and_opened_again() {
    let ledger = fixture().await;
    ledger.feed("a", &terms()).await;
    ledger.poll("a", &["9.9.9.9"], 0).await;
    assert!(ledger.size() > 4096);
    ledger.close().await;
    let path = ledger.path().to_owned();
    let names: Vec<String> = files(ledger.dir.path())
        .into_iter()
        .map(|file| file.0)
        .collect();
    assert_eq!(
        names,
        ["ledger.db"],
        "the log is folded in when the ledger is closed"
    );
    let again = Ledger::open(&path).await.unwrap();
    assert_eq!(again.feeds().await.unwrap().len(), 1);
    let command = Ledger::open_existing(&path).await.unwrap();
    let feed = command.feed(&name("a")).await.unwrap().unwrap();
    assert_eq!(feed.listed, 1);
    assert!(
        command
            .listing(feed.id, &indicator("9.9.9.9"))
            .await
            .unwrap()
            .is_some()
    );
}

#[tokio::test]
async fn what_is_no_ledger_is_refused_and_left_as_it_is() {
    let texts: [&[u8]; 3] = [
        b"[ledger]\npath = 'x'\n",
        b"x",
        b"SQLite format 3\0 and no more",
    ];
    for text in texts {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notes.txt");
        std::fs::write(&path, text).unwrap();
        refuses(dir.path(), &path).await;
    }
    for (journal, id) in [
        ("delete", "0"),
        ("wal", "0"),
        ("delete", "1196444487"),
        ("wal", "-1"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("shop.db");
        stranger(&path, journal, id).await;
        refuses(dir.path(), &path).await;
    }
}

async fn refuses(dir: &Path, path: &Path) {
    let before = files(dir);
    let fault = Ledger::open(path).await.unwrap_err();
    assert!(matches!(fault, LedgerError::Foreign(_)), "{fault}");
    let fault = Ledger::open_existing(path).await.unwrap_err();
    assert!(matches!(fault, LedgerError::Foreign(_)), "{fault}");
    assert_eq!(files(dir), before);
}

#[tokio::test]
async fn a_folder_and_a_missing_folder_say_so() {
    let dir = tempfile::tempdir().unwrap();
    let fault = Ledger::open(dir.path()).await.unwrap_err();
    assert!(matches!(fault, LedgerError::Open { .. }), "{fault}");
    let fault = Ledger::open(&dir.path().join("no/such/ledger.db"))
        .await
        .unwrap_err();
    assert!(matches!(fault, LedgerError::Open { .. }), "{fault}");
}

#[tokio::test]
async fn a_command_makes_no_ledger() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ledger.db");
    let fault = Ledger::open_existing(&path).await.unwrap_err();
    assert!(matches!(fault, LedgerError::Missing(_)), "{fault}");
    assert!(files(dir.path()).is_empty());
    // A daemon that died before its first migration left an empty file.
    std::fs::write(&path, "").unwrap();
    let fault = Ledger::open_existing(&path).await.unwrap_err();
    assert!(matches!(fault, LedgerError::Older(_)), "{fault}");
    Ledger::open(&path).await.unwrap();
}

#[tokio::test]
async fn a_first_start_that_was_broken_off_is_begun_again() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ledger.db");
    // The migrations' own table is made before the first migration begins.
    let options = sqlx::sqlite::SqliteConnectOptions::new()
        .filename(&path)
        .create_if_missing(true)
        .pragma("journal_mode", "wal");
    let pool = sqlx::SqlitePool::connect_with(options).await.unwrap();
    sqlx::query(
        "CREATE TABLE _sqlx_migrations (version BIGINT PRIMARY KEY, description TEXT NOT NULL,
             installed_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP, success BOOLEAN NOT NULL,
             checksum BLOB NOT NULL, execution_time BIGINT NOT NULL)",
    )
    .execute(&pool)
    .await
    .unwrap();
    pool.close().await;
    assert_eq!(
        Ledger::open(&path)
            .await
            .unwrap()
            .feeds()
            .await
            .unwrap()
            .len(),
        0
    );
}

#[tokio::test]
async fn a_ledger_whose_daemon_was_killed_opens_with_all_it_had() {
    let ledger = fixture().await;
    ledger.feed("a", &terms()).await;
    ledger.poll("a", &["9.9.9.9"], 0).await;
    // What a kill leaves: the file and its log as they are, the header still in the log.
    let dir = tempfile::tempdir().unwrap();
    for (name, bytes) in files(ledger.dir.path()) {
        if !name.ends_with("-shm") {
            std::fs::write(dir.path().join(name), bytes).unwrap();
        }
    }
    let path = dir.path().join("ledger.db");
    let header = std::fs::read(&path).unwrap();
    assert_eq!(header.get(68..72).unwrap(), [0; 4]);
    let command = Ledger::open_existing(&path).await.unwrap();
    assert_eq!(command.feeds().await.unwrap()[0].listed, 1);
    let daemon = Ledger::open(&path).await.unwrap();
    assert_eq!(daemon.feeds().await.unwrap()[0].listed, 1);
}

#[tokio::test]
async fn another_version_s_schema_is_refused() {
    let ledger = fixture().await;
    let path = ledger.path().to_owned();
    ledger
        .execute(
            "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
             VALUES (9999, 'later', 1, x'00', 0)",
        )
        .await;
    let fault = Ledger::open(&path).await.unwrap_err();
    assert!(matches!(fault, LedgerError::Newer(_)), "{fault}");
    let fault = Ledger::open_existing(&path).await.unwrap_err();
    assert!(matches!(fault, LedgerError::Newer(_)), "{fault}");
    ledger.execute("DELETE FROM _sqlx_migrations").await;
    let fault = Ledger::open_existing(&path).await.unwrap_err();
    assert!(matches!(fault, LedgerError::Older(_)), "{fault}");
}

#[test]
fn one_daemon_holds_a_ledger() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("new/ledger.db");
    assert!(!DaemonLock::is_held(&path));
    let lock = DaemonLock::take(&path).unwrap();
    assert!(DaemonLock::is_held(&path));
    let fault = DaemonLock::take(&path).unwrap_err();
    assert!(matches!(fault, LedgerError::Locked(_)), "{fault}");
    drop(lock);
    assert!(!DaemonLock::is_held(&path));
    DaemonLock::take(&path).unwrap();
}

#[test]
fn asking_for_the_lock_keeps_nobody_from_taking_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ledger.db");
    drop(DaemonLock::take(&path).unwrap());
    let asking = std::thread::spawn({
        let path = path.clone();
        move || (0..20_000).filter(|_| DaemonLock::is_held(&path)).count()
    });
    for _ in 0..2_000 {
        drop(DaemonLock::take(&path).unwrap());
    }
    asking.join().unwrap();
}

#[tokio::test]
async fn the_sqlite_inside_is_sound() {
    let ledger = fixture().await;
    let version: String = sqlx::query_scalar("SELECT sqlite_version()")
        .fetch_one(&ledger.readers)
        .await
        .unwrap();
    assert!(open::is_sound(&version), "{version}");
    for (version, sound) in [
        ("3.46.0", false),
        ("3.51.2", false),
        ("3.51.3", true),
        ("3.51.10", true),
        ("3.52", true),
        ("4", true),
        ("", false),
    ] {
        assert_eq!(open::is_sound(version), sound, "{version}");
    }
}

#[tokio::test]
async fn a_full_disk_says_so_and_loses_nothing() {
    let ledger = fixture().await;
    ledger.feed("a", &terms()).await;
    ledger.poll("a", &["9.9.9.9"], 0).await;
    ledger.execute("PRAGMA max_page_count = 60").await;
    let many: Vec<String> = (0..60_000u32)
        .map(|n| std::net::Ipv4Addr::from(0x0b00_0000 + n).to_string())
        .collect();
    let records: Vec<Record> = many.iter().map(|text| record(text)).collect();
    let feed = ledger.feed_row("a").await;
    let fault = ledger
        .record_body(&feed, &body(), records.clone().into_iter(), at(10))
        .await
        .unwrap_err();
    assert!(matches!(fault, LedgerError::DiskFull), "{fault}");
    assert_eq!(ledger.feed_row("a").await.last_good, Some(at(0)));
    let row = ledger.one_listing("a", "9.9.9.9").await;
    assert_eq!(row.first_listed, at(0));
    ledger.execute("PRAGMA max_page_count = 1000000").await;
    assert_eq!(ledger.poll_records("a", records, 20).await.listed, 60_000);
}

#[tokio::test]
async fn a_damaged_ledger_says_so() {
    let ledger = fixture().await;
    ledger.feed("a", &terms()).await;
    let many: Vec<String> = (0..6_000u32)
        .map(|n| std::net::Ipv4Addr::from(0x0b00_0000 + n).to_string())
        .collect();
    ledger
        .poll_records("a", many.iter().map(|text| record(text)).collect(), 0)
        .await;
    ledger.close().await;
    let path = ledger.path().to_owned();
    let whole = std::fs::read(&path).unwrap();
    // The pages behind the schema's first.
    let mut damaged = whole.clone();
    for page in damaged.chunks_mut(4096).skip(30) {
        page.fill(0xa5);
    }
    std::fs::write(&path, &damaged).unwrap();
    let read = async {
        let ledger = Ledger::open(&path).await?;
        let feed = ledger.feed(&name("a")).await?.unwrap();
        let mut chunks = ledger.listings(feed.id);
        while !chunks.next_chunk().await?.is_empty() {}
        Ok(())
    };
    let fault: LedgerError = read.await.unwrap_err();
    assert!(matches!(fault, LedgerError::Corrupt(_)), "{fault}");
    // The schema itself.
    let mut damaged = whole;
    damaged[100..4096].fill(0xa5);
    std::fs::write(&path, &damaged).unwrap();
    let fault = Ledger::open(&path).await.unwrap_err();
    assert!(matches!(fault, LedgerError::Corrupt(_)), "{fault}");
}
