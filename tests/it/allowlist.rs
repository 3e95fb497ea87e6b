//! Feeds that allow: what they list is guarded everywhere, and stands on the cloud's own allowlist.

use std::collections::BTreeSet;

use crate::support::rig::Rig;

fn on_list(rig: &Rig, rule_type: u8) -> BTreeSet<String> {
    let entries = rig.sim.entries().into_iter();
    let of_list = entries.filter(|entry| entry.rule_type == rule_type);
    of_list.map(|entry| entry.ioc).collect()
}

fn texts(texts: &[&str]) -> BTreeSet<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_allow_feed_guards_and_goes_to_the_cloud_s_allowlist() {
    let rig = Rig::new().await;
    let feeds = rig.feed("bad", "on_delist = \"withdraw\"")
        + &rig.feed("ours", "list = \"allow\"\non_delist = \"withdraw\"");
    rig.config(&feeds, "accept = [\"ipv4\", \"domain\"]\nquota = 100");
    rig.write("bad.txt", "45.155.205.7\n45.155.205.8\nbadhost.com\n");
    rig.write("ours.txt", "45.155.206.1\ngoodhost.com\n");
    rig.once().await.exits(0);
    let bad = texts(&["45.155.205.7", "45.155.205.8", "badhost.com"]);
    assert_eq!(on_list(&rig, 1), bad);
    assert_eq!(on_list(&rig, 2), texts(&["45.155.206.1", "goodhost.com"]));
    let writes = rig.writes().len();
    rig.once().await.exits(0);
    assert_eq!(rig.writes().len(), writes, "nothing changed");

    // What begins to be allowed leaves the blocklist, with what lies below an allowed domain.
    rig.write("ours.txt", "45.155.205.8\ngoodhost.com\nbadhost.com\n");
    rig.write(
        "bad.txt",
        "45.155.205.7\n45.155.205.8\nbadhost.com\nwww.badhost.com\n",
    );
    let said = rig.once().await.exits(0).json();
    assert_eq!(on_list(&rig, 1), texts(&["45.155.205.7"]));
    let allowed = texts(&["45.155.205.8", "goodhost.com", "badhost.com"]);
    assert_eq!(on_list(&rig, 2), allowed);
    // Both directions of the address, outbound of the two domains.
    assert_eq!(said["firewalls"][0]["left_out"]["guarded"], 4);

    // What is no longer allowed comes back.
    rig.write("ours.txt", "45.155.206.1\ngoodhost.com\n");
    rig.once().await.exits(0);
    let all = [
        "45.155.205.7",
        "45.155.205.8",
        "badhost.com",
        "www.badhost.com",
    ];
    assert_eq!(on_list(&rig, 1), texts(&all));
    assert_eq!(on_list(&rig, 2), texts(&["45.155.206.1", "goodhost.com"]));
    rig.is_settled().await;
}
