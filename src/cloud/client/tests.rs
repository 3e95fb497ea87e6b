//! The client against a server on loopback that can fail in every way that counts.

use std::sync::Arc;
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::*;
use crate::cloud::cfw::{Ioc, IocAction, Modified, ModifyBlockIgnoreList, RuleType};
use crate::cloud::testing::{Act, Received, Server};
use crate::cloud::{Limiter, Retry};

const NOW: UnixTime = UnixTime::from_seconds(1_795_287_898);
const DONE: &str = r#"{"Response":{"ReturnCode":0,"ReturnMsg":"success","RequestId":"req-1"}}"#;

fn keys(token: Option<&str>) -> Keys {
    Keys {
        secret_id: "AKIDEXAMPLEEXAMPLEEXAMPLE".into(),
        secret_key: "FAKEFAKEFAKEFAKEFAKEFAKEFAKEFAKE".into(),
        token: token.map(Into::into),
        expires: None,
        source: "test".into(),
    }
}

fn block(entries: usize) -> ModifyBlockIgnoreList {
    let ioc = Ioc {
        ip: "192.0.2.10".into(),
        direction: 1,
        domain: None,
    };
    ModifyBlockIgnoreList {
        rule_type: RuleType::Blocklist,
        ioc: vec![ioc; entries],
        ioc_action: IocAction::Add,
        start_time: Some("2026-01-01 00:00:00".into()),
        end_time: Some("3000-01-01 00:00:00".into()),
    }
}

/// How a permit ended, by how long its slot stays taken.
#[derive(Debug, PartialEq)]
enum Ended {
    Unsent,
    Answered,
    Lost,
}

async fn attempt(endpoint: &Url, timeout: Duration) -> (Reply<Modified>, Ended) {
    let client = Client::with_timeout(endpoint, timeout).unwrap();
    let limiter = Arc::new(Limiter::new(20));
    let permit = limiter.place().await.permit().await;
    let reply = client.send(&block(1), &keys(None), permit, NOW).await;
    let ended = match limiter.cooling().as_slice() {
        [] => Ended::Unsent,
        [cooling] if *cooling > LATE => Ended::Lost,
        [_] => Ended::Answered,
        more => panic!("one permit took {} slots", more.len()),
    };
    (reply, ended)
}

async fn against(
    script: impl Fn(&Received) -> Act + Send + Sync + 'static,
) -> (Reply<Modified>, Ended) {
    let server = Server::start(script).await;
    attempt(&server.url, Duration::from_secs(20)).await
}

/// The signature as a server checks it, over the Host header as it came.
fn signature(request: &Received, key: &str) -> String {
    let sha = |bytes: &[u8]| hex::encode(Sha256::digest(bytes));
    let mac = |key: &[u8], text: &str| {
        let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
        mac.update(text.as_bytes());
        mac.finalize().into_bytes()
    };
    let header = |name| request.header(name).unwrap();
    let canonical = format!(
        "POST\n/\n\ncontent-type:{}\nhost:{}\n\ncontent-type;host\n{}",
        header("content-type"),
        header("host"),
        sha(&request.body)
    );
    let text = format!(
        "TC3-HMAC-SHA256\n{}\n2026-11-21/cfw/tc3_request\n{}",
        header("x-tc-timestamp"),
        sha(canonical.as_bytes())
    );
    let key = mac(format!("TC3{key}").as_bytes(), "2026-11-21");
    let key = mac(&mac(&key, "cfw"), "tc3_request");
    hex::encode(mac(&key, &text))
}

#[tokio::test]
async fn a_call_goes_out_signed_and_whole() {
    let server = Server::start(|_| Act::api(DONE)).await;
    let client = Client::new(&server.url).unwrap();
    let limiter = Arc::new(Limiter::new(20));
    for token in [None, Some("fake-token")] {
        let permit = limiter.place().await.permit().await;
        let reply = client.send(&block(1), &keys(token), permit, NOW).await;
        assert_eq!(reply.answer, Answer::Success);
        assert_eq!(reply.verdict(), Verdict::Applied);
        assert_eq!(reply.request_id.as_deref(), Some("req-1"));
        assert_eq!(reply.body.unwrap().return_msg, "success");
    }
    let received = server.received();
    for (request, token) in received.iter().zip([None, Some("fake-token")]) {
        let port = server.url.port().unwrap();
        assert_eq!(request.line, "POST / HTTP/1.1");
        for (name, value) in [
            ("host", Some(format!("127.0.0.1:{port}").as_str())),
            ("content-type", Some("application/json")),
            ("x-tc-action", Some("ModifyBlockIgnoreList")),
            ("x-tc-version", Some("2019-09-04")),
            ("x-tc-timestamp", Some("1795287898")),
            ("x-tc-language", Some("en-US")),
            ("x-tc-token", token),
            ("x-tc-region", None),
            ("user-agent", Some(net::USER_AGENT)),
            ("accept-encoding", None),
        ] {
            assert_eq!(request.header(name), value, "{name}");
        }
        assert_eq!(
            request.header("authorization").unwrap(),
            format!(
                "TC3-HMAC-SHA256 Credential=AKIDEXAMPLEEXAMPLEEXAMPLE/2026-11-21/cfw/tc3_request, \
                 SignedHeaders=content-type;host, Signature={}",
                signature(request, "FAKEFAKEFAKEFAKEFAKEFAKEFAKEFAKE")
            )
        );
        let body: serde_json::Value = serde_json::from_slice(&request.body).unwrap();
        assert_eq!(body["IOC"][0]["IP"], "192.0.2.10");
    }
    assert_eq!(received.len(), 2);
}

#[tokio::test]
async fn both_failures_that_hide_in_200_are_seen() {
    let expired = r#"{"Response":{"Error":{"Code":"AuthFailure.SignatureExpire","Message":"late"},"RequestId":"req-2"}}"#;
    let date = "Date: Sat, 21 Nov 2026 19:14:58 GMT\r\nContent-Type: application/json\r\n";
    let (reply, ended) = against(move |_| Act::reply("200 OK", date, expired)).await;
    assert_eq!(reply.verdict(), Verdict::Resign { ahead: 600 });
    assert_eq!(reply.date, Some(UnixTime::from_seconds(1_795_288_498)));
    assert_eq!(reply.request_id.as_deref(), Some("req-2"));
    assert_eq!(
        (reply.answer.code().as_ref(), ended),
        ("AuthFailure.SignatureExpire", Ended::Answered)
    );

    let refused = r#"{"Response":{"ReturnCode":-1,"ReturnMsg":"bad entry","RequestId":"req-3"}}"#;
    let (reply, ended) = against(move |_| Act::api(refused)).await;
    assert_eq!(
        (reply.verdict(), ended),
        (Verdict::Refused, Ended::Answered)
    );
    assert_eq!(reply.answer.message(), "bad entry");
    assert_eq!(reply.date, None);
}

#[tokio::test]
async fn statuses_and_garbage_are_judged() {
    let full = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"Response\":";
    let cut = "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 100\r\n\r\n<html>";
    let cases: Vec<(Act, Verdict)> = vec![
        (
            Act::reply("502 Bad Gateway", "", "<html>"),
            Verdict::Retry(Retry::Failed),
        ),
        (Act::SendAndClose(cut.into()), Verdict::Retry(Retry::Failed)),
        (
            Act::reply("429 Too Many Requests", "", ""),
            Verdict::Retry(Retry::Slower { limit: None }),
        ),
        (Act::reply("403 Forbidden", "", "<html>"), Verdict::Stop),
        (Act::reply("200 OK", "", "<html>"), Verdict::Unknown),
        (Act::reply("200 OK", "", ""), Verdict::Unknown),
        (Act::SendAndClose(full.into()), Verdict::Unknown),
    ];
    for (number, (act, verdict)) in cases.into_iter().enumerate() {
        let act = std::sync::Mutex::new(Some(act));
        let (reply, ended) = against(move |_| act.lock().unwrap().take().unwrap()).await;
        assert_eq!(
            reply.verdict(),
            verdict,
            "case {number}: {:?}",
            reply.answer
        );
        assert_eq!(ended, Ended::Answered, "case {number}");
        assert!(reply.body.is_none());
    }
}

#[tokio::test]
async fn an_answer_without_end_is_not_kept() {
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n",
        MAX_ANSWER + 1
    );
    let (reply, ended) = against(move |_| {
        let mut bytes = head.clone().into_bytes();
        bytes.resize(bytes.len() + MAX_ANSWER + 1, b' ');
        Act::SendAndClose(bytes)
    })
    .await;
    assert!(
        matches!(&reply.answer, Answer::Garbled { why } if why.contains("too long")),
        "{:?}",
        reply.answer
    );
    assert_eq!(ended, Ended::Answered);
}

#[tokio::test]
async fn sent_without_an_answer_is_unknown() {
    for act in [
        || Act::Reset,
        || Act::SendAndClose(Vec::new()),
        || Act::Send("220 mail.example.com ESMTP\r\n".into()),
    ] {
        let (reply, ended) = against(move |_| act()).await;
        assert!(
            matches!(reply.answer, Answer::NoAnswer { .. }),
            "{:?}",
            reply.answer
        );
        // Whoever closed it, the call may have gone on from there.
        assert_eq!((reply.verdict(), ended), (Verdict::Unknown, Ended::Lost));
    }
    let server = Server::start(|_| Act::Hang).await;
    let (reply, ended) = attempt(&server.url, Duration::from_millis(200)).await;
    assert!(
        matches!(reply.answer, Answer::NoAnswer { .. }),
        "{:?}",
        reply.answer
    );
    assert_eq!((reply.verdict(), ended), (Verdict::Unknown, Ended::Lost));
    assert!(reply.took >= Duration::from_millis(200));
    assert_eq!(server.received().len(), 1);
}

#[tokio::test]
async fn an_answer_that_stops_halfway_is_unknown_but_heard() {
    let server =
        Server::start(|_| Act::Send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{".into())).await;
    let (reply, ended) = attempt(&server.url, Duration::from_millis(200)).await;
    assert_eq!(
        (reply.verdict(), ended),
        (Verdict::Unknown, Ended::Answered)
    );
}

#[tokio::test]
async fn without_a_connection_nothing_was_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let refused = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    // A server that does not speak TLS: the handshake fails before the request.
    let plain = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let no_tls = format!("https://{}", plain.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = plain.accept().await {
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        }
    });
    for endpoint in [refused, no_tls] {
        let endpoint = Url::parse(&endpoint).unwrap();
        let (reply, ended) = attempt(&endpoint, Duration::from_secs(20)).await;
        assert!(
            matches!(reply.answer, Answer::NotSent { .. }),
            "{endpoint}: {:?}",
            reply.answer
        );
        assert_eq!(
            (reply.verdict(), ended),
            (Verdict::Retry(Retry::Later), Ended::Unsent)
        );
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let other = Server::start(|_| Act::api(DONE)).await;
    let location = format!("Location: {}\r\n", other.url);
    let (reply, _) = against(move |_| Act::reply("307 Temporary Redirect", &location, "")).await;
    assert_eq!(reply.answer, Answer::Status { status: 307 });
    assert_eq!(reply.verdict(), Verdict::Stop);
    assert!(other.received().is_empty());
}

#[tokio::test]
async fn what_cannot_be_sent_is_not() {
    let server = Server::start(|_| Act::api(DONE)).await;
    let client = Client::new(&server.url).unwrap();
    let limiter = Arc::new(Limiter::new(20));
    let permit = limiter.place().await.permit().await;
    let reply = client.send(&block(400_000), &keys(None), permit, NOW).await;
    assert!(matches!(reply.answer, Answer::TooLarge { bytes } if bytes > MAX_REQUEST));
    assert_eq!(reply.verdict(), Verdict::Split);

    let permit = limiter.place().await.permit().await;
    let reply = client
        .send(&block(1), &keys(Some("two\nlines")), permit, NOW)
        .await;
    assert_eq!(reply.verdict(), Verdict::Stop);
    assert!(!format!("{reply:?}").contains("two"));

    assert!(limiter.cooling().is_empty());
    assert!(server.received().is_empty());
}

/// In real time, through the real client: what the server sees in any second.
#[tokio::test]
async fn the_rate_holds_at_a_server() {
    let server = Server::start(|_| Act::api(DONE)).await;
    let client = Client::new(&server.url).unwrap();
    let limiter = Arc::new(Limiter::new(20));
    let mut callers = JoinSet::new();
    for _ in 0..8 {
        let (client, limiter) = (client.clone(), Arc::clone(&limiter));
        callers.spawn(async move {
            for _ in 0..6 {
                let permit = limiter.place().await.permit().await;
                let reply = client.send(&block(100), &keys(None), permit, NOW).await;
                assert_eq!(reply.answer, Answer::Success);
            }
        });
    }
    while let Some(done) = callers.join_next().await {
        done.unwrap();
    }
    let mut arrivals: Vec<Instant> = server.received().iter().map(|request| request.at).collect();
    arrivals.sort();
    assert_eq!(arrivals.len(), 48);
    for (first, after) in arrivals.iter().zip(arrivals.iter().skip(20)) {
        assert!(
            *after - *first > Duration::from_secs(1),
            "21 calls in {:?}",
            *after - *first
        );
    }
}

#[test]
fn an_endpoint_is_a_host_and_perhaps_a_port() {
    for (endpoint, host) in [
        ("https://cfw.tencentcloudapi.com", "cfw.tencentcloudapi.com"),
        (
            "https://CFW.tencentcloudapi.com:443/",
            "cfw.tencentcloudapi.com",
        ),
        (
            "https://cfw.tencentcloudapi.com:80",
            "cfw.tencentcloudapi.com:80",
        ),
        ("http://127.0.0.1:8080", "127.0.0.1:8080"),
        ("http://[::1]:8080", "[::1]:8080"),
        ("http://localhost:80", "localhost"),
    ] {
        let client = Client::new(&Url::parse(endpoint).unwrap()).unwrap();
        assert_eq!(client.host, host);
    }
    for endpoint in [
        "https://cfw.tencentcloudapi.com/v2",
        "https://cfw.tencentcloudapi.com/?a=b",
        "https://cfw.tencentcloudapi.com/#a",
        "https://user:password@cfw.tencentcloudapi.com",
        "ftp://cfw.tencentcloudapi.com",
        "mailto:cfw@example.com",
    ] {
        let fault = Client::new(&Url::parse(endpoint).unwrap())
            .unwrap_err()
            .to_string();
        assert!(
            fault.contains("will not do") && !fault.contains("password"),
            "{fault}"
        );
    }
}

#[test]
fn the_date_header_is_read() {
    for (text, seconds) in [
        ("Mon, 25 Feb 2019 16:44:25 GMT", Some(1_551_113_065)),
        ("Mon, 25 Feb 2019 16:44:25 +0000", Some(1_551_113_065)),
        ("yesterday", None),
        ("", None),
    ] {
        let date = date(&HeaderValue::from_static(text));
        assert_eq!(date, seconds.map(UnixTime::from_seconds), "{text}");
    }
}
