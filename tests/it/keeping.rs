//! The ledger's upkeep from outside: a copy, and a feed that is dropped.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use crate::asking::Place;

#[test]
fn a_backup_is_a_ledger_for_its_owner_alone_and_overwrites_nothing() {
    let place = Place::new("45.155.205.7\n45.155.205.8\n");
    assert_eq!(place.feedwall(&["run", "--once"]).code, 0);
    let copy = place.path("copy.db");
    let file = copy.to_str().unwrap();
    let (code, said) = place.json(&["backup", file]);
    let meta = fs::metadata(&copy).unwrap();
    assert_eq!((code, &said["bytes"]), (0, &meta.len().into()));
    assert_eq!(meta.permissions().mode() & 0o777, 0o600);
    let again = place.feedwall(&["backup", file]);
    assert_eq!(again.code, 1);
    assert!(
        again.err.contains("a backup overwrites nothing"),
        "{}",
        again.err
    );

    // Put in the ledger's place, it is the ledger.
    for name in ["ledger.db", "ledger.db-wal", "ledger.db-shm"] {
        let _ = fs::remove_file(place.path(name));
    }
    fs::rename(&copy, place.path("ledger.db")).unwrap();
    assert_eq!(place.json(&["feeds"]).1[0]["listed"], 2);
    let said = place.feedwall(&["backup", file]);
    assert!(said.out.contains("Only you may read it"), "{}", said.out);
}

#[test]
fn a_dropped_feed_goes_at_once_whatever_the_brake_says() {
    let many: String = (0..=250)
        .map(|last| format!("45.155.205.{last}\n"))
        .filter(|line| !line.starts_with("45.155.205.99\n"))
        .collect();
    let place = Place::new(&many);
    assert_eq!(place.feedwall(&["run", "--once"]).code, 0);
    let (code, status) = place.json(&["status"]);
    assert_eq!(
        (code, &status["firewalls"][0]["coverage"]["held"]),
        (0, &500.into())
    );

    let (code, said) = place.json(&["feeds", "drop", "one"]);
    assert_eq!((code, &said["withdrawn"]), (0, &250.into()));
    assert_eq!(said["in_config"], true);
    // Its poll brings it back, so the run that shows that it went must not poll it.
    place.write("two.txt", "45.155.206.1\n");
    let config = fs::read_to_string(place.path("feedwall.toml")).unwrap();
    let config = config.replace("name = \"one\"", "name = \"two\"");
    place.write("feedwall.toml", &config.replace("one.txt", "two.txt"));
    let again = place.feedwall(&["feeds", "drop", "one"]);
    assert!(
        again.out.starts_with("Withdrawn: 0 listings of one."),
        "{}",
        again.out
    );
    assert_eq!(place.feedwall(&["run", "--once"]).code, 0);
    let (_, status) = place.json(&["status"]);
    assert_eq!(status["firewalls"][0]["coverage"]["held"], 2);
    let nobody = place.feedwall(&["feeds", "drop", "on"]);
    assert!(nobody.err.contains("did you mean `one`?"), "{}", nobody.err);
}
