//! What is sent along: keys, and through whom.

use super::server::{Server, answer};
use super::*;

const LIST: &[u8] = b"198.51.100.1\n";

async fn fetch_from(source: HttpSource) -> Result<Fetched, FetchError> {
    let (fetcher, _dir) = fetcher();
    fetcher
        .fetch(
            &Source::Http(Box::new(source)),
            &Validators::default(),
            &limits(),
        )
        .await
}

fn key_file(key: &str) -> (Value, tempfile::NamedTempFile) {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), key).unwrap();
    (Value::Secret(Secret::File(file.path().to_owned())), file)
}

#[tokio::test]
async fn a_rotated_key_is_sent_at_the_next_fetch() {
    let server = Server::giving(answer("200 OK", "", LIST)).await;
    let (key, file) = key_file("first-fake-key\n");
    let mut source = HttpSource::from(server.url("/"));
    source.headers.push((header_name("Auth-Key").unwrap(), key));
    fetch_from(source.clone()).await.unwrap();
    std::fs::write(file.path(), "second-fake-key").unwrap();
    fetch_from(source).await.unwrap();
    let heads = server.heads();
    assert!(
        heads[0].contains("auth-key: first-fake-key\r\n"),
        "{heads:?}"
    );
    assert!(
        heads[1].contains("auth-key: second-fake-key\r\n"),
        "{heads:?}"
    );
}

#[tokio::test]
async fn every_way_to_prove_who_we_are_reaches_the_server() {
    let server = Server::giving(answer("200 OK", "", LIST)).await;
    let (key, _file) = key_file("hunter2");
    let mut source = HttpSource::from(server.url("/a?limit=5"));
    source.query.push(("auth-key".to_owned(), key.clone()));
    source.login = Some(Login::Basic("me".to_owned(), key.clone()));
    source.headers.push((
        header_name("User-Agent").unwrap(),
        Value::Text("phishtank/me".to_owned()),
    ));
    fetch_from(source.clone()).await.unwrap();
    source.login = Some(Login::Bearer(key));
    fetch_from(source).await.unwrap();
    let heads = server.heads();
    assert!(
        heads[0].starts_with("GET /a?limit=5&auth-key=hunter2 "),
        "{heads:?}"
    );
    assert!(
        heads[0].contains("authorization: Basic bWU6aHVudGVyMg==\r\n"),
        "{heads:?}"
    );
    assert!(
        heads[0].contains("user-agent: phishtank/me\r\n"),
        "{heads:?}"
    );
    assert!(!heads[0].contains("feedwall"), "{heads:?}");
    assert!(
        heads[1].contains("authorization: Bearer hunter2\r\n"),
        "{heads:?}"
    );
}

#[tokio::test]
async fn a_redirect_to_a_stranger_takes_no_keys_along() {
    let stranger = Server::giving(answer("200 OK", "", LIST)).await;
    let headers = format!("Location: {}\r\n", stranger.url("/"));
    let server = Server::giving(answer("302 Found", &headers, b"")).await;
    let (key, _file) = key_file("hunter2");
    let mut source = HttpSource::from(server.url("/"));
    source
        .headers
        .push((header_name("Auth-Key").unwrap(), key.clone()));
    source.query.push(("k".to_owned(), key.clone()));
    source.login = Some(Login::Bearer(key));
    fetch_from(source).await.unwrap();
    assert!(server.heads()[0].contains("hunter2"));
    assert!(!stranger.heads()[0].contains("hunter2"));
}

#[tokio::test]
async fn a_key_that_a_server_sends_back_is_in_no_text() {
    let server = Server::routing(|path| match path {
        "/?k=s3" => answer("302 Found", "Location: /login/s3/?back=s3\r\n", b""),
        _ => answer("403 Forbidden", "", b""),
    })
    .await;
    let (key, _file) = key_file("s3");
    let mut source = HttpSource::from(server.url("/"));
    source.query.push(("k".to_owned(), key));
    let error = fetch_from(source).await.unwrap_err();
    assert!(matches!(error, FetchError::Status { .. }), "{error}");
    assert!(
        error.to_string().contains("/login/***/?back=***"),
        "{error}"
    );
}

#[tokio::test]
async fn a_proxy_is_asked_for_names_that_this_machine_does_not_know() {
    let proxy = Server::giving(answer("200 OK", "", LIST)).await;
    let mut source = HttpSource::from(Url::parse("http://feed.invalid/list.txt").unwrap());
    let mut address = proxy.url("/");
    address.set_host(Some("localhost")).unwrap();
    source.proxy = Some(address);
    let dir = tempfile::tempdir().unwrap();
    let policy = FetchPolicy {
        allow_private: false,
        spool_dir: dir.path().to_owned(),
        contact: None,
    };
    let fetcher = Fetcher::new(policy).unwrap();
    let nothing = Validators::default();
    let through = Source::Http(Box::new(source.clone()));
    fetcher.fetch(&through, &nothing, &limits()).await.unwrap();
    assert!(
        proxy.heads()[0].starts_with("GET http://feed.invalid/list.txt "),
        "{:?}",
        proxy.heads()
    );

    source.url = Url::parse("http://169.254.169.254/latest/meta-data").unwrap();
    let inside = Source::Http(Box::new(source));
    let error = fetcher
        .fetch(&inside, &nothing, &limits())
        .await
        .unwrap_err();
    assert!(matches!(error, FetchError::Host { .. }), "{error}");
    assert_eq!(proxy.heads().len(), 1);
}
