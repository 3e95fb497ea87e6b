//! The checks that come before a call's own parameters, and the rate.

use std::collections::HashSet;
use std::sync::atomic::Ordering;

use axum::http::Method;
use serde_json::json;

use super::super::config::{Credential, Site};
use super::*;

const NOW_UNIX: i64 = 1_767_323_045;

fn describe() -> Value {
    first_page()
}

fn good() -> Request {
    request("DescribeBlockIgnoreList", &describe())
}

#[test]
fn each_fault_has_its_documented_code() {
    let without = |name: &str| {
        let mut request = good();
        request.headers.remove(name);
        request
    };
    let with = |name: &'static str, value: &str| {
        let mut request = good();
        request.headers.insert(name, value.parse().unwrap());
        request
    };
    let at = |timestamp| {
        signed(
            "DescribeBlockIgnoreList",
            describe().to_string(),
            timestamp,
            FAKE_SECRET_ID,
            FAKE_SECRET_KEY,
        )
    };
    let by = |id, key| {
        signed(
            "DescribeBlockIgnoreList",
            describe().to_string(),
            NOW_UNIX,
            id,
            key,
        )
    };
    let get = Request {
        method: Method::GET,
        ..good()
    };
    let large = Request {
        body: None,
        ..good()
    };
    let broken = signed(
        "DescribeBlockIgnoreList",
        "{".to_owned(),
        NOW_UNIX,
        FAKE_SECRET_ID,
        FAKE_SECRET_KEY,
    );
    let list = signed(
        "DescribeBlockIgnoreList",
        "[]".to_owned(),
        NOW_UNIX,
        FAKE_SECRET_ID,
        FAKE_SECRET_KEY,
    );
    for (what, request, wanted) in [
        ("a good call", good(), "ok"),
        ("a GET", get, "UnsupportedProtocol"),
        (
            "no content type",
            without("content-type"),
            "UnsupportedProtocol",
        ),
        (
            "a form",
            with("content-type", "application/x-www-form-urlencoded"),
            "UnsupportedProtocol",
        ),
        ("no action", without("x-tc-action"), "MissingParameter"),
        ("no version", without("x-tc-version"), "MissingParameter"),
        (
            "no timestamp",
            without("x-tc-timestamp"),
            "MissingParameter",
        ),
        (
            "a timestamp in words",
            with("x-tc-timestamp", "noon"),
            "InvalidParameter",
        ),
        (
            "no signature",
            without("authorization"),
            "AuthFailure.InvalidAuthorization",
        ),
        (
            "another algorithm",
            with("authorization", "Basic Zm9v"),
            "AuthFailure.InvalidAuthorization",
        ),
        ("five minutes late", at(NOW_UNIX - 300), "ok"),
        (
            "later than that",
            at(NOW_UNIX - 301),
            "AuthFailure.SignatureExpire",
        ),
        ("five minutes early", at(NOW_UNIX + 300), "ok"),
        (
            "earlier than that",
            at(NOW_UNIX + 301),
            "AuthFailure.SignatureExpire",
        ),
        (
            "a timestamp at the end of time",
            with("x-tc-timestamp", "9223372036854775807"),
            "AuthFailure.SignatureExpire",
        ),
        (
            "an unknown id",
            by("AKIDnobodyEXAMPLE", FAKE_SECRET_KEY),
            "AuthFailure.SecretIdNotFound",
        ),
        (
            "another key",
            by(FAKE_SECRET_ID, "another-EXAMPLE"),
            "AuthFailure.SignatureFailure",
        ),
        (
            "another host than signed",
            with("host", "cfw.example"),
            "AuthFailure.SignatureFailure",
        ),
        (
            "a token that nobody gave",
            with("x-tc-token", "t"),
            "AuthFailure.TokenFailure",
        ),
        (
            "an action of nobody's",
            with("x-tc-action", "DeleteEverything"),
            "InvalidAction",
        ),
        (
            "another version",
            with("x-tc-version", "2017-03-12"),
            "NoSuchVersion",
        ),
        ("too large", large, "RequestSizeLimitExceeded"),
        ("half an object", broken, "InvalidParameter"),
        ("no object", list, "InvalidParameter"),
    ] {
        let response = Desk::new().send(&request);
        assert_eq!(code(&response), wanted, "{what}: {response}");
        assert_eq!(
            response["RequestId"].as_str().map(str::len),
            Some(36),
            "{what}"
        );
    }
}

#[test]
fn earlier_checks_hide_later_ones() {
    let mut request = signed(
        "Nothing",
        "{".to_owned(),
        NOW_UNIX,
        FAKE_SECRET_ID,
        "another-EXAMPLE",
    );
    let mut order = vec![code(&Desk::new().send(&request)).to_owned()];
    request = signed(
        "Nothing",
        "{".to_owned(),
        NOW_UNIX,
        FAKE_SECRET_ID,
        FAKE_SECRET_KEY,
    );
    request.headers.insert("x-tc-version", "1".parse().unwrap());
    request.headers.insert("x-tc-token", "t".parse().unwrap());
    order.push(code(&Desk::new().send(&request)).to_owned());
    request.headers.remove("x-tc-token");
    order.push(code(&Desk::new().send(&request)).to_owned());
    request
        .headers
        .insert("x-tc-action", "DescribeBlockIgnoreList".parse().unwrap());
    order.push(code(&Desk::new().send(&request)).to_owned());
    request
        .headers
        .insert("x-tc-version", "2019-09-04".parse().unwrap());
    order.push(code(&Desk::new().send(&request)).to_owned());
    assert_eq!(
        order,
        [
            "AuthFailure.SignatureFailure",
            "AuthFailure.TokenFailure",
            "InvalidAction",
            "NoSuchVersion",
            "InvalidParameter"
        ]
    );
}

#[test]
fn a_token_is_taken_until_it_expires() {
    let mut desk = Desk::with(|config| {
        config.credentials = vec![Credential::fake().with_token("fake-token", Some(NOW_UNIX + 60))];
    });
    assert_eq!(code(&desk.send(&good())), "AuthFailure.TokenFailure");
    let mut request = good();
    request
        .headers
        .insert("x-tc-token", "fake-token".parse().unwrap());
    assert_eq!(code(&desk.send(&request)), "ok");
    desk.later(Duration::from_secs(60));
    assert_eq!(code(&desk.send(&request)), "AuthFailure.TokenFailure");
    desk.cloud.config.credentials = vec![Credential::fake().with_token("next-token", None)];
    request
        .headers
        .insert("x-tc-token", "next-token".parse().unwrap());
    assert_eq!(code(&desk.send(&request)), "ok");
}

#[test]
fn another_product_is_not_here() {
    let mut request = good();
    let parts = Signed {
        method: "POST",
        path: "/",
        query: "",
        headers: &request.headers,
        body: request.body.as_deref().unwrap(),
        timestamp: NOW_UNIX,
    };
    let header = tc3::sign(
        parts,
        "cvm",
        FAKE_SECRET_ID,
        &SecretString::from(FAKE_SECRET_KEY),
    );
    request
        .headers
        .insert("authorization", header.parse().unwrap());
    assert_eq!(code(&Desk::new().send(&request)), "NoSuchProduct");
}

#[test]
fn the_quota_call_is_china_s_alone() {
    let ask = |site| {
        Desk::with(|config| config.site = site).call("DescribeOverviewResourceQuota", &json!({}))
    };
    let detail = &ask(Site::China)["Data"]["Detail"]["QuotaDetail"]["BlockListQuotaDetail"];
    assert_eq!(detail["TotalCnt"], 20_000);
    assert_eq!(detail["RemainCnt"], 20_000);
    assert_eq!(code(&ask(Site::International)), "InvalidAction");
}

#[test]
fn the_twenty_first_call_in_a_second_is_refused() {
    let mut desk = Desk::new();
    let mut codes = Vec::new();
    for _ in 0..21 {
        desk.ticks.fetch_add(49_999, Ordering::SeqCst);
        codes.push(desk.send_at_once(&good()));
    }
    assert!(codes[..20].iter().all(|response| code(response) == "ok"));
    assert_eq!(code(&codes[20]), "RequestLimitExceeded");
    assert_eq!(
        codes[20]["Error"]["Message"],
        "Your current request times equals to `21` in a second, which exceeds the frequency limit `20` for a second. \
         Please reduce the frequency of calls."
    );
    assert_eq!(desk.cloud.traffic.max_in_any_second(), 21);
    let other = request(
        "ModifyBlockIgnoreList",
        &modification("add", &[("192.0.2.1", 1)], FOR_EVER),
    );
    assert_eq!(
        code(&desk.send_at_once(&other)),
        "ok",
        "the limit is each action's own"
    );
}

#[test]
fn fifty_milliseconds_apart_is_just_slow_enough() {
    let mut desk = Desk::new();
    for _ in 0..100 {
        desk.ticks.fetch_add(50_000, Ordering::SeqCst);
        assert_eq!(code(&desk.send_at_once(&good())), "ok");
    }
    assert_eq!(desk.cloud.traffic.max_in_any_second(), 20);
}

#[test]
fn a_jump_of_the_wall_clock_is_no_burst() {
    let mut desk = Desk::new();
    for _ in 0..40 {
        desk.cloud.skew_seconds = if desk.cloud.skew_seconds == 0 {
            -200
        } else {
            0
        };
        assert_eq!(code(&desk.send(&good())), "ok");
    }
}

#[test]
fn every_answer_has_its_own_id_and_every_arrival_its_line() {
    let mut desk = Desk::new();
    desk.modify("add", &[("192.0.2.1", 0), ("192.0.2.1", 1)], FOR_EVER);
    let mut unsigned = good();
    unsigned.headers.remove("authorization");
    desk.send(&unsigned);
    let log: Vec<_> = desk.cloud.traffic.log().cloned().collect();
    let ids: HashSet<_> = log.iter().map(|line| line.request_id.as_str()).collect();
    assert_eq!(ids.len(), 2);
    let line = &log[0];
    assert_eq!((line.number, line.entries, line.at_us), (1, 2, 1_000_000));
    assert_eq!(
        (line.action.as_str(), line.ioc_action.as_str()),
        ("ModifyBlockIgnoreList", "add")
    );
    assert_eq!((line.verdict.as_str(), line.applied), ("ok", true));
    assert_eq!(line.secret_id, FAKE_SECRET_ID);
    assert_eq!(
        (log[1].verdict.as_str(), log[1].applied),
        ("AuthFailure.InvalidAuthorization", false)
    );
}

#[test]
fn the_log_is_bounded_and_the_counts_are_not() {
    let mut desk = Desk::with(|config| config.log_capacity = 3);
    for _ in 0..10 {
        desk.send(&good());
    }
    let numbers: Vec<u64> = desk.cloud.traffic.log().map(|line| line.number).collect();
    assert_eq!(numbers, [8, 9, 10]);
    let state = desk.cloud.state();
    assert_eq!((state.calls_total, state.calls[0].calls), (10, 10));
}
