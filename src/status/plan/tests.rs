use crate::config::Config;
use crate::model::Name;
use crate::stage::replan::{GuardMaterial, Heard, Ingredients};
use crate::status::explain::tests::{CONFIG, place};
use crate::status::testing::{Fixture, NOW};

use super::Outlook;

async fn outlook(fixture: &Fixture, firewall: &str) -> Outlook {
    let config = Config::parse(CONFIG, "feedwall.toml").unwrap();
    let firewall = config.firewall(&Name::try_new(firewall).unwrap()).unwrap();
    let material = GuardMaterial::read(&config).unwrap();
    let made = Ingredients::read(&fixture.ctx(), &material, firewall, &Heard::default())
        .await
        .unwrap();
    Outlook::new(firewall, &made, NOW)
}

#[tokio::test]
async fn what_is_sent_and_left_out_is_told_with_the_reason() {
    let fixture = place().await;
    let texts =
        outlook(&fixture, "lab").await.text() + "\n" + &outlook(&fixture, "prod").await.text();
    let texts = anstream::adapter::strip_str(&texts).to_string();
    assert!(
        texts.lines().all(|line| line.chars().count() <= 80),
        "{texts}"
    );
    insta::assert_snapshot!(texts);
}

#[tokio::test]
async fn asking_records_nothing() {
    let fixture = place().await;
    outlook(&fixture, "prod").await;
    let row = fixture.ledger.firewalls().await.unwrap();
    assert!(row.iter().all(|row| row.plan.is_none()));
}

#[tokio::test]
async fn deletes_say_why_and_the_sums_are_right() {
    let fixture = place().await;
    fixture
        .ledger
        .withdraw(fixture.firewall("prod").await, true)
        .await
        .unwrap();
    let outlook = outlook(&fixture, "prod").await;
    // Whether the two in doubt are there at all, a reading must tell first.
    let deletes = &outlook.groups[0];
    // Two of the six leases are in doubt, and wait for a reading.
    assert_eq!(
        (outlook.withdrawn, outlook.desired, deletes.entries),
        (true, 0, 4)
    );
    assert!(
        deletes
            .examples
            .iter()
            .all(|one| one.why == "everything is being taken back")
    );
    let json = serde_json::to_value(&outlook).unwrap();
    assert_eq!(json["groups"][0]["action"], "delete");
    assert_eq!(json["groups"][0]["end_time"], serde_json::Value::Null);
}
