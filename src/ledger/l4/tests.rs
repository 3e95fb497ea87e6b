use super::*;

fn item(rule_id: Option<&str>, rule: Option<&str>) -> L4Item {
    L4Item {
        rule_id: rule_id.map(str::to_owned),
        rule: rule.map(str::to_owned),
        tag: None,
    }
}

fn call<'a>(action: L4Action, items: &'a [L4Item]) -> NewL4Call<'a> {
    NewL4Call {
        set: "web",
        zone: "zone-1",
        proxy: "sid-1",
        action,
        items,
    }
}

fn applied(items: Vec<L4Item>) -> L4Settlement {
    L4Settlement {
        verdict: "applied",
        request_id: Some("r".to_owned()),
        applied: items,
        ..L4Settlement::default()
    }
}

#[tokio::test]
async fn a_rule_lives_from_its_create_to_its_delete() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(&folder.path().join("ledger.db"))
        .await
        .unwrap();
    let id = ledger
        .l4_journal(&call(L4Action::Create, &[item(None, Some("one"))]), 1_000)
        .await
        .unwrap();
    assert!(ledger.l4_last_call().await.unwrap().unwrap().unsettled);
    let open = ledger.l4_unsettled().await.unwrap();
    assert_eq!(
        (open[0].id, &open[0].items),
        (id, &vec![item(None, Some("one"))])
    );
    assert!(ledger.l4_rules().await.unwrap().is_empty());

    let made = applied(vec![item(Some("rule-1"), Some("one"))]);
    ledger.l4_settle(id, &made, 2_000).await.unwrap();
    assert!(ledger.l4_unsettled().await.unwrap().is_empty());
    let rule = &ledger.l4_rules().await.unwrap()[0];
    assert_eq!(
        (rule.rule_id.as_str(), rule.rule.as_str()),
        ("rule-1", "one")
    );
    assert_eq!(
        (rule.status.as_str(), rule.request_id.as_deref()),
        ("progress", Some("r"))
    );

    let changed = item(Some("rule-1"), Some("two"));
    let modify = call(L4Action::Modify, std::slice::from_ref(&changed));
    let id = ledger.l4_journal(&modify, 3_000).await.unwrap();
    ledger
        .l4_settle(id, &applied(vec![changed.clone()]), 4_000)
        .await
        .unwrap();
    ledger
        .l4_observe(&[(rule.id, Some("online".to_owned()))])
        .await
        .unwrap();
    let rule = &ledger.l4_rules().await.unwrap()[0];
    assert_eq!(
        (rule.rule.as_str(), rule.status.as_str()),
        ("two", "online")
    );
    assert_eq!((rule.made_at.seconds(), rule.changed_at.seconds()), (2, 4));

    let gone = item(Some("rule-1"), None);
    let delete = call(L4Action::Delete, std::slice::from_ref(&gone));
    let id = ledger.l4_journal(&delete, 5_000).await.unwrap();
    ledger
        .l4_settle(id, &applied(vec![gone.clone()]), 6_000)
        .await
        .unwrap();
    assert!(ledger.l4_rules().await.unwrap().is_empty());
    assert_eq!(ledger.l4_calls(10).await.unwrap().len(), 3);
}

#[tokio::test]
async fn a_lost_create_is_remembered_for_its_proxy() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(&folder.path().join("ledger.db"))
        .await
        .unwrap();
    let id = ledger
        .l4_journal(&call(L4Action::Create, &[item(None, Some("one"))]), 1_000)
        .await
        .unwrap();
    let lost = L4Settlement {
        verdict: "lost",
        ..L4Settlement::default()
    };
    ledger.l4_settle(id, &lost, 2_000).await.unwrap();
    assert_eq!(
        ledger
            .l4_lost("zone-1", "sid-1", 1_000)
            .await
            .unwrap()
            .len(),
        1
    );
    assert!(
        ledger
            .l4_lost("zone-1", "sid-1", 1_001)
            .await
            .unwrap()
            .is_empty()
    );
    assert!(
        ledger
            .l4_lost("zone-1", "sid-2", 0)
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn old_calls_are_forgotten_and_their_rules_and_open_calls_are_not() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(&folder.path().join("ledger.db"))
        .await
        .unwrap();
    let items = [item(None, Some("one"))];
    let create = call(L4Action::Create, &items);
    let made = applied(vec![item(Some("rule-1"), Some("one"))]);
    for sent_ms in [1_000, 5_000] {
        let id = ledger.l4_journal(&create, sent_ms).await.unwrap();
        ledger.l4_settle(id, &made, 6_000).await.unwrap();
    }
    ledger.l4_journal(&create, 2_000).await.unwrap();
    assert_eq!(ledger.l4_forget(5_000).await.unwrap(), 1);
    let sent: Vec<i64> = ledger
        .l4_calls(9)
        .await
        .unwrap()
        .iter()
        .map(|call| call.sent_ms)
        .collect();
    assert_eq!(sent, [2_000, 5_000]);
    assert_eq!(ledger.l4_rules().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_ledger_from_before_these_tables_keeps_its_rows() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let ledger = Ledger::open(&path).await.unwrap();
    ledger.go_back_to(1).await;
    sqlx::query("INSERT INTO meta (name, value) VALUES ('hand', '7')")
        .execute(&ledger.writer)
        .await
        .unwrap();
    ledger.close().await;
    assert!(matches!(
        Ledger::open_existing(&path).await,
        Err(LedgerError::Older(_))
    ));
    let ledger = Ledger::open(&path).await.unwrap();
    assert_eq!(ledger.hand().await.unwrap(), 7);
    assert!(ledger.l4_rules().await.unwrap().is_empty());
}
