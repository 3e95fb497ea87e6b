//! Real feed text to real entries: every form that a text feed writes, over HTTP, through the guards, onto the list.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use feedwall::sim::Class;
use tokio::net::TcpListener;

use crate::support::rig::Rig;

const EVERY_CLASS: &str =
    "accept = [\"ipv4\", \"ipv6\", \"network\", \"domain\"]\nquota = 20_000\nbatch = 100";

async fn rig() -> Rig {
    let every = Class::ALL.to_vec();
    Rig::with(|config| config.block_classes = every).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_form_of_a_text_feed_becomes_its_one_entry() {
    let rig = rig().await;
    rig.config(&rig.feed("f", "direction = \"out\""), EVERY_CLASS);
    let text = "\u{feff}# a comment\r\n; another\r\n// and another\r\n\r\n\
        45.155.205.1\r\n\
        45.155.205.1 # the same again\r\n\
        ::ffff:45.155.205.1\r\n\
        45.155.205.1/32\r\n\
        45[.]155[.]205[.]2 ; defanged\r\n\
        45.155.205.3\tseen 9 times\r\n\
        45.155.205.4,2026-01-01,scanner\r\n\
        45.155.205.5:8080\r\n\
        hxxp://45.155.205.6/gate.php\r\n\
        https://45.155.205.7:8443\r\n\
        45.155.206.99/24\r\n\
        45.155.207.0-45.155.207.3\r\n\
        2a0d:5600::1\r\n\
        [2a0d:5600::2]:443\r\n\
        2a0d:5600:0:1::/64\r\n\
        Evil-Botnet.COM.\r\n\
        evil-botnet(dot)com\r\n\
        b\u{fc}cher-botnet.com\r\n\
        hxxps://c2[.]evil-botnet[.]net\r\n\
        http://files.evil-botnet.org/one/bad/file.exe\r\n\
        45.155.205.999\r\n\
        45.155.205\r\n\
        not an address at all\r\n\
        - 45.155.205.8\r\n\
        com\r\n\
        10.0.0.1\r\n";
    rig.write("f.txt", text);
    let ended = rig.once().await.exits(0);
    let expected = [
        "45.155.205.1",
        "45.155.205.2",
        "45.155.205.3",
        "45.155.205.4",
        "45.155.205.5",
        "45.155.205.6",
        "45.155.205.7",
        "45.155.206.0/24",
        "45.155.207.0/30",
        "2a0d:5600::1",
        "2a0d:5600::2",
        "2a0d:5600:0:1::/64",
        "evil-botnet.com",
        "xn--bcher-botnet-dlb.com",
        "c2.evil-botnet.net",
    ];
    let expected: BTreeSet<String> = expected.map(str::to_owned).into();
    assert_eq!(rig.listed(), expected, "{}", ended.all());
    let end = &ended.json()["polls"][0]["end"];
    // The file on a host, three that are no address, the dash, and the bare suffix.
    assert_eq!(end["rejected"], 6, "{end}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_allowed_is_cut_out_exactly() {
    let rig = rig().await;
    let allow = "allow = [\"45.155.205.7\", \"194.26.192.0/24\", \"good.evil-botnet.com\", \"shop-botnet.net\"]";
    rig.config_with(allow, &rig.feed("f", "direction = \"out\""), EVERY_CLASS);
    rig.write(
        "f.txt",
        "45.155.205.0/29\n194.26.192.66\n194.26.193.66\nevil-botnet.com\nother-botnet.com\n\
         www.shop-botnet.net\nnotshop-botnet.net\n8.8.8.8\n8.8.8.8/31\n127.0.0.1\n0.0.0.0/0\nco.uk\n",
    );
    let ended = rig.once().await.exits(0);
    let expected = [
        "45.155.205.0/30",
        "45.155.205.4/31",
        "45.155.205.6",
        "194.26.193.66",
        "other-botnet.com",
        "notshop-botnet.net",
        "8.8.8.9",
    ];
    let expected: BTreeSet<String> = expected.map(str::to_owned).into();
    assert_eq!(rig.listed(), expected, "{}", ended.all());
}

/// The ETag that a request named, and the status that it got.
type Asked = (Option<String>, StatusCode);

/// What a feed's server was asked, and how it answers.
#[derive(Clone, Default)]
struct Publisher {
    asked: Arc<Mutex<Vec<Asked>>>,
    body: Arc<Mutex<(String, &'static str)>>,
}

/// A published gzip file with an ETag, asked for by three processes after one another.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn validators_outlive_the_process_that_learned_them() {
    let rig = rig().await;
    let publisher = Publisher::default();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/list.gz", listener.local_addr().unwrap());
    let router = Router::new()
        .route("/list.gz", get(publish))
        .with_state(publisher.clone());
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    rig.config(
        &format!("[[feed]]\nname = \"f\"\nurl = \"{url}\"\ndirection = \"in\"\non_delist = \"withdraw\"\n"),
        EVERY_CLASS,
    );
    let says = |text: &str, etag| *publisher.body.lock().unwrap() = (text.to_owned(), etag);

    says("45.155.205.1\n45.155.205.2\n", "\"one\"");
    rig.once().await.exits(0);
    rig.once().await.exits(0);
    says("45.155.205.2\n45.155.205.3\n", "\"two\"");
    rig.once().await.exits(0);
    let asked = publisher.asked.lock().unwrap().clone();
    let one = || Some("\"one\"".to_owned());
    let expected = [
        (None, StatusCode::OK),
        (one(), StatusCode::NOT_MODIFIED),
        (one(), StatusCode::OK),
    ];
    assert_eq!(asked, expected);
    assert_eq!(
        rig.listed(),
        ["45.155.205.2", "45.155.205.3"].map(str::to_owned).into()
    );
}

async fn publish(State(publisher): State<Publisher>, headers: HeaderMap) -> Response {
    let (text, etag) = publisher.body.lock().unwrap().clone();
    let known = headers.get(header::IF_NONE_MATCH);
    let known = known.map(|tag| tag.to_str().unwrap().to_owned());
    let same = known.as_deref() == Some(etag);
    let status = if same {
        StatusCode::NOT_MODIFIED
    } else {
        StatusCode::OK
    };
    publisher.asked.lock().unwrap().push((known, status));
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(text.as_bytes()).unwrap();
    let body = if same {
        Vec::new()
    } else {
        packed.finish().unwrap()
    };
    (status, [(header::ETAG, etag)], body).into_response()
}

/// A dry run polls and plans, says what it would send, and asks the cloud nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dry_run_sends_nothing_and_says_what_it_would_send() {
    let rig = rig().await;
    rig.config(&rig.feed("f", "direction = \"in\""), EVERY_CLASS);
    rig.write("f.txt", "45.155.205.1\n45.155.205.2\n10.0.0.1\n");
    let ended = rig.start(&["run", "--dry-run"]).end().await.exits(0);
    assert!(
        ended.out.contains("would send 1 calls: 2 added"),
        "{}",
        ended.out
    );
    assert_eq!(rig.sim.calls().len(), 0);
    rig.once().await.exits(0);
    assert_eq!(rig.sim.entry_count(1), 2);
}
