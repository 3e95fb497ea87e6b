//! MISP feeds: directories of events.

use std::sync::{Arc, Mutex};

use super::packing::gzip;
use super::server::{Server, answer};
use super::*;

const A: &str = "00000000-0000-4000-8000-00000000000a";
const B: &str = "00000000-0000-4000-8000-00000000000b";
const C: &str = "00000000-0000-4000-8000-00000000000c";

type Files = Arc<Mutex<Vec<(String, Vec<u8>)>>>;

/// A feed of these (uuid, timestamp, document).
fn files(events: &[(&str, i64, &str)]) -> Vec<(String, Vec<u8>)> {
    let listed: Vec<String> = events
        .iter()
        .map(|(uuid, timestamp, _)| {
            format!("\"{uuid}\": {{\"timestamp\": \"{timestamp}\", \"info\": \"x\"}}")
        })
        .collect();
    let manifest = format!("{{{}}}", listed.join(","));
    let documents = events
        .iter()
        .map(|(uuid, _, json)| (format!("/feed/{uuid}.json"), json.as_bytes().to_vec()));
    let manifest = ("/feed/manifest.json".to_owned(), manifest.into_bytes());
    std::iter::once(manifest)
        .chain(documents.filter(|(_, json)| !json.is_empty()))
        .collect()
}

async fn serving(events: &[(&str, i64, &str)]) -> (Server, Source, Files) {
    let files: Files = Arc::new(Mutex::new(files(events)));
    let served = files.clone();
    let server = Server::routing(move |path| {
        let served = served.lock().unwrap();
        match served.iter().find(|(name, _)| name == path) {
            Some((_, bytes)) => answer("200 OK", "ETag: \"v1\"\r\n", bytes),
            None => answer("404 Not Found", "", b""),
        }
    })
    .await;
    let source = Source::Misp(Box::new(HttpSource::from(server.url("/feed/"))));
    (server, source, files)
}

fn paths(server: &Server) -> Vec<String> {
    let heads = server.heads();
    heads
        .iter()
        .map(|head| head.split(' ').nth(1).unwrap().replace("/feed/", ""))
        .collect()
}

#[tokio::test]
async fn new_and_changed_events_are_fetched_and_no_others() {
    let (server, source, files_now) = serving(&[
        (A, 10, "{\"Event\":\n{\"id\": 1}}"),
        (B, 20, "{\"Event\": {}}"),
    ])
    .await;
    let first = body_from(&source, &Validators::default()).await;
    assert_eq!(text(&first), "{\"Event\": {}}\n{\"Event\": {\"id\": 1}}\n");
    assert!(!first.additions);
    assert_eq!(first.notes, Vec::<String>::new());
    assert_eq!(first.validators.etag.as_deref(), Some("\"v1\""));

    let unchanged = fetch_from(&source, &first.validators).await.unwrap();
    assert!(matches!(unchanged, Fetched::NotModified));

    // C is published late: its date is older than all that has been read.
    *files_now.lock().unwrap() = files(&[
        (A, 11, "{\"Event\": 2}"),
        (B, 20, "{}"),
        (C, 5, "{\"Event\": 3}"),
    ]);
    let second = body_from(&source, &first.validators).await;
    assert_eq!(text(&second), "{\"Event\": 2}\n{\"Event\": 3}\n");
    assert!(second.additions);
    let expected = [
        "manifest.json",
        &format!("{B}.json"),
        &format!("{A}.json"),
        "manifest.json",
        "manifest.json",
        &format!("{A}.json"),
        &format!("{C}.json"),
    ];
    assert_eq!(paths(&server), expected);
}

#[tokio::test]
async fn an_event_that_does_not_come_keeps_no_other_and_is_tried_again() {
    let (_server, source, files_now) =
        serving(&[(A, 30, ""), (B, 20, "<html>"), (C, 10, "{\"Event\": 3}")]).await;
    let first = body_from(&source, &Validators::default()).await;
    assert_eq!(text(&first), "{\"Event\": 3}\n");
    assert_eq!(first.notes.len(), 3, "{:?}", first.notes);
    assert!(first.notes[0].contains("answered 404"), "{:?}", first.notes);
    assert!(
        first.notes[1].contains("does not answer as a MISP feed asks"),
        "{:?}",
        first.notes
    );
    assert!(
        first.notes[2].contains("2 of 3 events are left"),
        "{:?}",
        first.notes
    );
    assert_eq!(first.validators.etag, None, "a 304 would hide what is left");

    *files_now.lock().unwrap() = files(&[
        (A, 30, "{\"Event\": 1}"),
        (B, 20, "{\"Event\": 2}"),
        (C, 10, "{}"),
    ]);
    let second = body_from(&source, &first.validators).await;
    assert_eq!(text(&second), "{\"Event\": 1}\n{\"Event\": 2}\n");
}

#[tokio::test]
async fn what_has_come_before_the_room_ran_out_is_kept() {
    let large = format!("{{\"Event\": \"{}\"}}", "x".repeat(600_000));
    let (_server, source, _files) =
        serving(&[(A, 30, &large), (B, 20, &large), (C, 10, &large)]).await;
    let mut validators = Validators::default();
    for left in [Some("2 of 3"), Some("1 of 2"), None] {
        let body = body_from(&source, &validators).await;
        assert_eq!(text(&body).lines().count(), 1);
        assert_eq!(
            body.notes.last().map(|note| &note[..6]),
            left,
            "{:?}",
            body.notes
        );
        validators = body.validators;
    }
}

#[tokio::test]
async fn an_event_that_can_never_fit_does_not_block_the_rest() {
    let bomb = "x".repeat(5 << 20);
    let (_server, source, files_now) = serving(&[(A, 30, "{}"), (B, 20, "{\"Event\": 2}")]).await;
    files_now.lock().unwrap()[1].1 = gzip(format!("{{\"Event\": \"{bomb}\"}}").as_bytes());
    let body = body_from(&source, &Validators::default()).await;
    assert_eq!(text(&body), "{\"Event\": 2}\n");
    assert!(
        body.notes[0].contains("unpacks to more than 4 MiB"),
        "{:?}",
        body.notes
    );
}

#[tokio::test]
async fn a_manifest_that_is_none_says_so() {
    for json in ["<!DOCTYPE html>", "[]", "{\"x\": 1}"] {
        let server = Server::giving(answer("200 OK", "", json.as_bytes())).await;
        let source = Source::Misp(Box::new(HttpSource::from(server.url("/"))));
        let error = fetch_from(&source, &Validators::default())
            .await
            .unwrap_err();
        assert!(
            matches!(error, FetchError::Protocol { .. }),
            "{json}: {error}"
        );
    }
}
