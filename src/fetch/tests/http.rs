//! Servers that behave.

use sha2::{Digest, Sha256};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::packing::gzip;
use super::server::{Server, answer};
use super::*;

const LIST: &[u8] = b"198.51.100.1\n198.51.100.2\n";

#[tokio::test]
async fn a_body_comes_as_it_was_sent_with_its_validators() {
    let headers = "ETag: W/\"v1\"\r\nLast-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\n";
    let server = Server::giving(answer("200 OK", headers, LIST)).await;
    let url = server.url("/list.txt");
    let body = body(url.clone()).await;
    assert_eq!(body.stored, LIST.len() as u64);
    assert_eq!(body.sha256, <[u8; 32]>::from(Sha256::digest(LIST)));
    assert!(body.ends_surely);
    assert_eq!(body.moved_to, None);
    assert_eq!(read(&body).unwrap(), LIST);
    assert_eq!(read(&body).unwrap(), LIST, "a second reader begins anew");
    let expected = Validators {
        etag: Some("W/\"v1\"".to_owned()),
        last_modified: Some("Sun, 06 Nov 1994 08:49:37 GMT".to_owned()),
        given_by: Some(url.to_string()),
        cursor: None,
    };
    assert_eq!(body.validators, expected);
    let head = server.heads().join("").to_ascii_lowercase();
    assert!(head.contains("accept-encoding: gzip\r\n"), "{head}");
    assert!(head.contains("(+ops@example.net)\r\n"), "{head}");
    assert!(!head.contains("if-none-match"), "{head}");
}

#[tokio::test]
async fn validators_go_back_to_who_gave_them_and_to_nobody_else() {
    let server = Server::giving("HTTP/1.1 304 Not Modified\r\n\r\n").await;
    let (fetcher, _dir) = fetcher();
    let source = Source::http(server.url("/list.txt"));
    let mut validators = Validators {
        etag: Some("\"v1\"".to_owned()),
        last_modified: Some("Sun, 06 Nov 1994 08:49:37 GMT".to_owned()),
        given_by: Some(source.to_string()),
        cursor: None,
    };
    let fetched = fetcher.fetch(&source, &validators, &limits()).await;
    assert!(matches!(fetched, Ok(Fetched::NotModified)), "{fetched:?}");
    let head = server.heads().join("").to_ascii_lowercase();
    assert!(head.contains("if-none-match: \"v1\"\r\n"), "{head}");
    assert!(
        head.contains("if-modified-since: sun, 06 nov 1994 08:49:37 gmt\r\n"),
        "{head}"
    );

    validators.given_by = Some("https://old.example/list.txt".to_owned());
    let fetched = fetcher.fetch(&source, &validators, &limits()).await;
    assert!(
        matches!(fetched, Err(FetchError::NotModified { .. })),
        "{fetched:?}"
    );
    assert!(!server.heads()[1].to_ascii_lowercase().contains("if-"));
}

#[tokio::test]
async fn whether_a_body_surely_ends_depends_on_how_it_was_sent() {
    let table: [(&str, bool); 4] = [
        ("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n1.1", true),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n1.1\r\n0\r\n\r\n",
            true,
        ),
        ("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n1.1", false),
        ("HTTP/1.0 200 OK\r\n\r\n1.1", false),
    ];
    for (sent, surely) in table {
        let server = Server::giving(sent).await;
        let body = body(server.url("/")).await;
        assert_eq!(read(&body).unwrap(), b"1.1");
        assert_eq!(body.ends_surely, surely, "{sent}");
    }
}

#[tokio::test]
async fn permanent_redirects_are_told_and_others_are_not() {
    let server = Server::routing(|path| match path {
        "/old" => answer("301 Moved", "Location: /newer\r\n", b""),
        "/newer" => answer("308 Moved", "Location: newest\r\n", b""),
        "/today" => answer("302 Found", "Location: /newest\r\n", b""),
        "/mixed" => answer("301 Moved", "Location: /today\r\n", b""),
        "/newest" => answer("200 OK", "ETag: \"v1\"\r\n", LIST),
        _ => answer("404 Not Found", "", b""),
    })
    .await;
    let newest = server.url("/newest");
    for (path, moved_to) in [
        ("/old", Some(&newest)),
        ("/today", None),
        ("/mixed", None),
        ("/newest", None),
    ] {
        let body = body(server.url(path)).await;
        assert_eq!(read(&body).unwrap(), LIST);
        assert_eq!(body.moved_to.as_ref(), moved_to, "{path}");
        assert_eq!(body.validators.given_by, Some(newest.to_string()), "{path}");
    }
}

#[tokio::test]
async fn a_login_is_sent_again_on_its_origin_and_not_elsewhere() {
    let other = Server::giving(answer("200 OK", "", LIST)).await;
    let away = other.url("/list.txt");
    let server = Server::routing(move |path| match path {
        "/a" => answer("302 Found", "Location: /b\r\n", b""),
        _ => answer("302 Found", &format!("Location: {away}\r\n"), b""),
    })
    .await;
    let mut url = server.url("/a");
    url.set_username("me").unwrap();
    url.set_password(Some("hunter2")).unwrap();
    body(url).await;
    let told = |server: &Server| -> Vec<bool> {
        server
            .heads()
            .iter()
            .map(|head| {
                head.to_ascii_lowercase()
                    .contains("authorization: basic bwu6ahvudgvymg==")
            })
            .collect()
    };
    assert_eq!(told(&server), [true, true]);
    assert_eq!(told(&other), [false]);
    assert!(
        !other
            .heads()
            .join("")
            .to_ascii_lowercase()
            .contains("referer")
    );
}

#[tokio::test]
async fn packing_is_taken_off_by_what_the_body_is_and_not_by_what_it_is_called() {
    let once = gzip(LIST);
    let twice = gzip(&once);
    let members = [gzip(b"198.51.100.1\n"), gzip(b"198.51.100.2\n")].concat();
    let encoded = "Content-Encoding: gzip\r\n";
    let table = [
        (LIST.to_vec(), ""),
        (LIST.to_vec(), encoded),
        (once.clone(), ""),
        (once.clone(), encoded),
        (once, "Content-Type: text/plain\r\n"),
        (twice, encoded),
        (members, ""),
    ];
    for (sent, headers) in table {
        let server = Server::giving(answer("200 OK", headers, &sent)).await;
        let body = body(server.url("/list.txt.gz")).await;
        assert_eq!(body.stored, sent.len() as u64);
        assert_eq!(read(&body).unwrap(), LIST, "{headers}");
    }
}

#[tokio::test]
async fn only_200_and_304_are_good() {
    let table = [
        ("203 Non-Authoritative Information", false, "200 and 304"),
        ("204 No Content", false, "200 and 304"),
        ("206 Partial Content", false, "200 and 304"),
        ("300 Multiple Choices", false, "200 and 304"),
        ("401 Unauthorized", false, "the feed's key"),
        ("403 Forbidden", false, "the feed's key"),
        ("404 Not Found", false, "has moved or ended"),
        ("429 Too Many Requests", true, "a longer interval"),
        ("500 Internal Server Error", true, "the publisher's fault"),
        ("503 Service Unavailable", true, "the publisher's fault"),
    ];
    for (status, temporary, part) in table {
        let server = Server::giving(answer(status, "Retry-After: 120\r\n", b"")).await;
        let error = failure(server.url("/list.txt")).await;
        assert_eq!(error.is_temporary(), temporary, "{error}");
        assert_eq!(error.retry_after(), Some(Duration::from_secs(120)));
        assert!(error.to_string().contains(part), "{error}");
        assert!(error.to_string().contains(&status[..3]), "{error}");
    }
}

#[tokio::test]
async fn a_fetch_that_is_dropped_leaves_nothing_behind() {
    let (telling, mut told) = tokio::sync::mpsc::unbounded_channel();
    let server = Server::start(move |_, mut stream| {
        let telling = telling.clone();
        async move {
            let head = b"HTTP/1.1 200 OK\r\n\r\n1.1.1.1\n";
            stream.write_all(head).await.unwrap();
            telling.send("begun").unwrap();
            let end = stream.read_u8().await;
            assert!(end.is_err(), "the client has more to say");
            telling.send("closed").unwrap();
        }
    })
    .await;
    let (fetcher, dir) = fetcher();
    let source = Source::http(server.url("/"));
    let (nothing, limits) = (Validators::default(), limits());
    tokio::select! {
        fetched = fetcher.fetch(&source, &nothing, &limits) => panic!("{fetched:?}"),
        told = told.recv() => assert_eq!(told, Some("begun")),
    }
    assert_eq!(told.recv().await, Some("closed"));
    assert_eq!(dir.path().read_dir().unwrap().count(), 0);
}

#[tokio::test]
async fn secrets_are_in_no_text() {
    let server = Server::giving(answer("403 Forbidden", "", b"")).await;
    let mut url = server.url("/list.txt?auth-key=hunter2hunter2hunter2");
    url.set_password(Some("hunter2")).unwrap();
    let source = Source::http(url.clone());
    let error = failure(url).await;
    for text in [
        error.to_string(),
        format!("{error:?}"),
        format!("{source:?}"),
        source.to_string(),
    ] {
        assert!(!text.contains("hunter2"), "{text}");
    }
}
