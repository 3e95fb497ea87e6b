//! Servers that do not behave: each ends in a bounded time, with bounded memory, in one sentence.

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};

use super::server::{Server, answer};
use super::*;

/// Sends `head`, then `piece` again and again until nobody listens.
async fn endless(head: &'static str, piece: Vec<u8>, pause: Duration) -> Server {
    Server::start(move |_, mut stream: TcpStream| {
        let piece = piece.clone();
        async move {
            let _ = stream.write_all(head.as_bytes()).await;
            while stream.write_all(&piece).await.is_ok() {
                sleep(pause).await;
            }
        }
    })
    .await
}

/// Fails within a time that has nothing to do with the server's.
async fn failure_within(limits: Limits, server: &Server) -> FetchError {
    let (fetcher, _dir) = fetcher();
    let source = Source::http(server.url("/"));
    let began = Instant::now();
    let fetched = fetcher
        .fetch(&source, &Validators::default(), &limits)
        .await;
    assert!(began.elapsed() < Duration::from_secs(30));
    fetched.unwrap_err()
}

#[tokio::test]
async fn a_drip_of_bytes_is_too_slow() {
    let pause = Duration::from_millis(10);
    let server = endless("HTTP/1.1 200 OK\r\n\r\n", b"1".to_vec(), pause).await;
    let error = failure_within(short(), &server).await;
    assert!(
        matches!(error, FetchError::Slow { got: 0..1_000, .. }),
        "{error}"
    );
}

#[tokio::test]
async fn a_body_that_never_begins_is_too_slow() {
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n";
    let server = endless(head, vec![], Duration::from_millis(10)).await;
    let error = failure_within(short(), &server).await;
    assert!(matches!(error, FetchError::Slow { got: 0, .. }), "{error}");
}

#[tokio::test]
async fn a_head_that_drips_or_never_ends_runs_out_of_time() {
    let table = [
        ("", ""),
        ("HTTP/1.1 200 OK\r\n", "X-More: yes\r\n"),
        ("", "HTTP/1.1 100 Continue\r\n\r\n"),
    ];
    for (head, piece) in table {
        let server = endless(head, piece.into(), Duration::from_millis(10)).await;
        let error = failure_within(short(), &server).await;
        assert!(
            matches!(error, FetchError::FirstByte { .. }),
            "{piece:?}: {error}"
        );
    }
}

#[tokio::test]
async fn a_body_that_is_fast_enough_and_never_ends_meets_the_deadline() {
    let pause = Duration::from_millis(10);
    let server = endless("HTTP/1.1 200 OK\r\n\r\n", vec![b'1'; 100], pause).await;
    let limits = Limits {
        total: Duration::from_millis(700),
        ..limits()
    };
    let error = failure_within(limits, &server).await;
    assert!(matches!(error, FetchError::TotalTime { .. }), "{error}");
}

#[tokio::test]
async fn a_body_without_end_is_too_large() {
    let server = endless(
        "HTTP/1.1 200 OK\r\n\r\n",
        vec![b'1'; 1 << 16],
        Duration::ZERO,
    )
    .await;
    let error = failure(server.url("/")).await;
    let text = error.to_string();
    assert!(matches!(error, FetchError::TooLarge { .. }), "{text}");
    assert!(text.contains("larger than 1 MiB"), "{text}");
}

#[tokio::test]
async fn a_length_over_the_limit_is_refused_before_the_body() {
    let server = Server::giving("HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n").await;
    let error = failure(server.url("/")).await;
    assert!(matches!(error, FetchError::TooLarge { .. }), "{error}");
}

#[tokio::test]
async fn a_body_shorter_than_announced_is_cut() {
    let table = [
        "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n1.1.1.1\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n8\r\n1.1.1.1\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n80\r\n1.1.1.1\n",
    ];
    for sent in table {
        let server = Server::giving(sent).await;
        let error = failure(server.url("/")).await;
        assert!(matches!(error, FetchError::Cut { got: 8, .. }), "{error}");
        assert!(error.is_temporary());
    }
}

#[tokio::test]
async fn a_body_longer_than_announced_ends_where_it_was_announced() {
    let server =
        Server::giving("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n1.1.1.1\n2.2.2.2\n").await;
    let body = body(server.url("/")).await;
    assert_eq!(read(&body).unwrap(), b"1.1.1.1\n");
}

#[tokio::test]
async fn lengths_that_contradict_each_other_are_refused() {
    let server = Server::giving(
        "HTTP/1.1 200 OK\r\nContent-Length: 8\r\nContent-Length: 9\r\n\r\n1.1.1.1\n",
    )
    .await;
    let error = failure(server.url("/")).await;
    assert!(matches!(error, FetchError::Connection { .. }), "{error}");
}

#[tokio::test]
async fn a_reset_is_a_cut() {
    let server = Server::start(|_, mut stream: TcpStream| async move {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n1.1.1.1\n").await;
        sleep(Duration::from_millis(50)).await;
        let _ = stream.set_zero_linger();
    })
    .await;
    let error = failure(server.url("/")).await;
    assert!(matches!(error, FetchError::Cut { got: 8, .. }), "{error}");
    assert!(error.to_string().contains("reset"), "{error}");
}

#[tokio::test]
async fn a_server_that_hangs_up_or_is_not_there_cannot_be_reached() {
    let server = Server::giving("").await;
    let error = failure(server.url("/")).await;
    assert!(matches!(error, FetchError::Connection { .. }), "{error}");

    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let gone = format!("http://{}/", listener.local_addr().unwrap());
    drop(listener);
    let error = failure(Url::parse(&gone).unwrap()).await;
    assert!(error.to_string().contains("refused"), "{error}");
}

#[tokio::test]
async fn redirects_end() {
    let server = Server::giving(answer("302 Found", "Location: /\r\n", b"")).await;
    let error = failure(server.url("/")).await;
    assert!(
        matches!(error, FetchError::Redirects { limit: 5, .. }),
        "{error}"
    );
    assert_eq!(server.heads().len(), 6);
}

#[tokio::test]
async fn redirects_lead_to_no_file_and_to_no_metadata() {
    let table = [
        ("file:///etc/passwd", "`file:`"),
        ("ftp://example.net/", "`ftp:`"),
        ("http://169.254.169.254/latest/meta-data/", "metadata"),
        ("http://metadata.tencentyun.com/latest/", "metadata"),
        ("http://[fd00:ec2::254]/", "metadata"),
        ("http://0.0.0.0/", "unspecified"),
        ("", "Location"),
    ];
    for (location, part) in table {
        let headers = match location {
            "" => String::new(),
            location => format!("Location: {location}\r\n"),
        };
        let server = Server::giving(answer("302 Found", &headers, b"")).await;
        let error = failure(server.url("/")).await;
        assert!(error.to_string().contains(part), "{location}: {error}");
        assert!(!error.is_temporary());
    }
}

#[tokio::test]
async fn loopback_is_not_asked_unless_allowed() {
    let server = Server::giving(answer("200 OK", "", b"")).await;
    let (_, dir) = fetcher();
    let policy = FetchPolicy {
        allow_private: false,
        spool_dir: dir.path().to_owned(),
        contact: None,
    };
    let fetcher = Fetcher::new(policy).unwrap();
    let mut by_name = server.url("/");
    by_name.set_host(Some("localhost")).unwrap();
    for url in [server.url("/"), by_name.clone()] {
        let fetched = fetcher
            .fetch(&Source::http(url), &Validators::default(), &limits())
            .await;
        let error = fetched.unwrap_err().to_string();
        assert!(error.contains("allow_private = true"), "{error}");
    }
    // Past the judgement of names, the resolver still keeps its word.
    let error = fetcher.client.get(by_name).send().await.unwrap_err();
    let error = trouble::before_the_answer("it", &error);
    assert!(matches!(error, FetchError::Host { .. }), "{error}");
    assert!(server.heads().is_empty());
}

#[tokio::test]
async fn encodings_that_were_not_asked_for_are_refused() {
    for encoding in ["br", "deflate", "gzip, br", "\u{e9}\t"] {
        let headers = format!("Content-Encoding: {encoding}\r\n");
        let server = Server::giving(answer("200 OK", &headers, b"x")).await;
        let error = failure(server.url("/")).await;
        assert!(matches!(error, FetchError::Encoding { .. }), "{error}");
    }
}

#[tokio::test]
async fn what_is_no_list_still_arrives_intact() {
    for sent in [
        &b"<!DOCTYPE html><html>\x00\xff\xfe\r\n"[..],
        b"",
        b"\0\0\0",
        b"\x1f\x8b",
    ] {
        let server = Server::giving(answer("200 OK", "Content-Type: text/html\r\n", sent)).await;
        assert_eq!(read(&body(server.url("/")).await).unwrap(), sent);
    }
}
