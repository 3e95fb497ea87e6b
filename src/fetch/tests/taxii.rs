//! TAXII 2.1 collections, from servers that page well and from servers that do not.

use super::server::{Server, answer};
use super::*;

const OLD: &str = "2026-01-01T00:00:00.000000Z";
const NEW: &str = "2026-01-02T00:00:00.000000Z";

fn page(added_last: &str, json: &str) -> Vec<u8> {
    let headers = format!(
        "Content-Type: application/taxii+json;version=2.1\r\nX-TAXII-Date-Added-Last: {added_last}\r\n"
    );
    answer("200 OK", &headers, json.as_bytes())
}

fn empty() -> Vec<u8> {
    answer("200 OK", "", b"{}")
}

fn collection(server: &Server) -> Source {
    Source::Taxii(Box::new(HttpSource::from(
        server.url("/api/collections/1/"),
    )))
}

#[tokio::test]
async fn pages_become_one_body_and_the_cursor_asks_for_what_is_new() {
    let server = Server::routing(|path| match path {
        "/api/collections/1/objects/?limit=1000" => page(
            OLD,
            "{\"more\": true, \"next\": \"a b\", \"objects\": [{\"id\": 1,\r\n \"s\": \"x\\ny\"}, {\"id\": 2}]}",
        ),
        "/api/collections/1/objects/?limit=1000&next=a+b" => page(NEW, "{\"objects\": [{\"id\": 3}], \"more\": false}"),
        path if path.contains("added_after=2026-01-02T00%3A00%3A00.000000Z") => empty(),
        _ => answer("404 Not Found", "", b""),
    })
    .await;
    let source = collection(&server);
    let body = body_from(&source, &Validators::default()).await;
    assert_eq!(
        text(&body),
        "{\"id\": 1,   \"s\": \"x\\ny\"}\n{\"id\": 2}\n{\"id\": 3}\n"
    );
    assert!(!body.additions);
    assert_eq!(body.validators.cursor.as_deref(), Some(NEW));
    let head = server.heads()[0].to_ascii_lowercase();
    assert!(
        head.contains("accept: application/taxii+json;version=2.1\r\n"),
        "{head}"
    );

    let again = fetch_from(&source, &body.validators).await;
    assert!(matches!(again, Ok(Fetched::NotModified)), "{again:?}");
    let elsewhere = Validators {
        given_by: Some("https://other.example/".to_owned()),
        ..body.validators
    };
    assert_eq!(
        text(&body_from(&source, &elsewhere).await).lines().count(),
        3
    );
}

#[tokio::test]
async fn what_was_added_since_the_cursor_is_no_snapshot() {
    let server = Server::routing(|path| match path {
        path if path.contains("added_after") => page(NEW, "{\"objects\": [{\"id\": 4}]}"),
        _ => page(OLD, "{\"objects\": [{\"id\": 3}]}"),
    })
    .await;
    let source = collection(&server);
    let first = body_from(&source, &Validators::default()).await;
    let second = body_from(&source, &first.validators).await;
    assert_eq!(text(&second), "{\"id\": 4}\n");
    assert!(second.additions);
    assert_eq!(second.validators.cursor.as_deref(), Some(NEW));
}

#[tokio::test]
async fn a_server_without_next_is_asked_on_from_the_last_date() {
    let server = Server::routing(|path| match path {
        path if path.contains("added_after=2026-01-01") => {
            page(NEW, "{\"objects\": [{\"id\": 2}]}")
        }
        _ => page(OLD, "{\"more\": true, \"objects\": [{\"id\": 1}]}"),
    })
    .await;
    let body = body_from(&collection(&server), &Validators::default()).await;
    assert_eq!(text(&body), "{\"id\": 1}\n{\"id\": 2}\n");
}

#[tokio::test]
async fn a_server_that_gives_its_last_page_for_ever_is_left() {
    // `added_after` taken to include the date itself, and a token that leads to its own page.
    let inclusive = "{\"more\": true, \"objects\": [{\"id\": 1}]}";
    let circle = "{\"more\": true, \"next\": \"1\", \"objects\": [{\"id\": 1}]}";
    for json in [inclusive, circle] {
        let server = Server::giving(page(OLD, json)).await;
        let error = fetch_from(&collection(&server), &Validators::default())
            .await
            .unwrap_err();
        assert!(matches!(error, FetchError::Paging { .. }), "{error}");
        assert_eq!(server.heads().len(), 2);
    }
}

#[tokio::test]
async fn answers_that_are_no_envelope_say_so() {
    let table = [
        "<!DOCTYPE html>",
        "[]",
        "{\"objects\": {}}",
        "{\"objects\": [{\"id\": 1}",
        "{\"objects\": []} {}",
        "{\"objects\": [\u{1}]}",
    ];
    for json in table {
        let server = Server::giving(page(OLD, json)).await;
        let error = fetch_from(&collection(&server), &Validators::default())
            .await
            .unwrap_err();
        let text = error.to_string();
        assert!(
            matches!(error, FetchError::Protocol { .. }),
            "{json}: {text}"
        );
        assert!(text.contains("does not answer as TAXII 2.1 asks"), "{text}");
    }
}

#[tokio::test]
async fn a_collection_without_end_meets_the_limits() {
    // Each page names another one: only the limits on bytes end this.
    let count = std::sync::atomic::AtomicU64::new(0);
    let server = Server::routing(move |_| {
        let next = count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let padding = "x".repeat(100_000);
        page(
            OLD,
            &format!(
                "{{\"more\": true, \"next\": {next}, \"objects\": [{{\"p\": \"{padding}\"}}]}}"
            ),
        )
    })
    .await;
    let error = fetch_from(&collection(&server), &Validators::default())
        .await
        .unwrap_err();
    assert!(matches!(error, FetchError::TooLarge { .. }), "{error}");
    assert!(server.heads().len() < 15);
}
