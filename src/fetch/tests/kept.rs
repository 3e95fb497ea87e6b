//! Connections that are kept from one question to the next, and closed by who answers.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::*;

/// What a connection does with its questions, one after the other.
#[derive(Clone, Copy)]
enum Turn {
    /// Answers, and waits for the next.
    Answer,
    /// Reads the question, and closes without a word.
    Hang,
    /// Reads the question, says something that is no HTTP, and closes.
    Garble,
    /// Answers, and closes though it said that it would not.
    AnswerAndClose,
}

/// Plays `turns` connection by connection; the number of questions on each is written down.
async fn server(turns: &'static [&'static [Turn]]) -> (Url, Arc<Mutex<Vec<usize>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/list.txt", listener.local_addr().unwrap());
    let asked = Arc::new(Mutex::new(Vec::new()));
    let seen = asked.clone();
    tokio::spawn(async move {
        for (number, turns) in turns.iter().enumerate() {
            let Ok((stream, _)) = listener.accept().await else {
                return;
            };
            seen.lock().unwrap().push(0);
            tokio::spawn(play(stream, turns, number, seen.clone()));
        }
    });
    (Url::parse(&url).unwrap(), asked)
}

async fn play(mut stream: TcpStream, turns: &[Turn], number: usize, seen: Arc<Mutex<Vec<usize>>>) {
    for turn in turns {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            match stream.read_u8().await {
                Ok(byte) => head.push(byte),
                Err(_) => return,
            }
        }
        seen.lock().unwrap()[number] += 1;
        let answer: &[u8] = match turn {
            Turn::Answer | Turn::AnswerAndClose => {
                b"HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n198.51.100.1\n"
            }
            Turn::Garble => b"what?\r\n\r\n",
            Turn::Hang => return,
        };
        let _ = stream.write_all(answer).await;
        if matches!(turn, Turn::AnswerAndClose | Turn::Garble) {
            return;
        }
    }
    // What is left open stays open, until the client has done.
    let _ = stream.read_u8().await;
}

/// Fetches so many times with one fetcher; whether each brought the body.
async fn fetches(url: &Url, times: usize) -> Vec<bool> {
    let (fetcher, _dir) = fetcher();
    let source = Source::http(url.clone());
    let mut good = Vec::new();
    for _ in 0..times {
        let fetched = fetcher
            .fetch(&source, &Validators::default(), &limits())
            .await;
        good.push(matches!(fetched, Ok(Fetched::Body(_))));
    }
    good
}

#[tokio::test]
async fn a_connection_that_is_kept_is_asked_again() {
    const TURNS: &[&[Turn]] = &[&[Turn::Answer, Turn::Answer]];
    let (url, asked) = server(TURNS).await;
    assert_eq!(fetches(&url, 2).await, [true, true]);
    assert_eq!(*asked.lock().unwrap(), [2]);
}

/// The publisher gives the connection up just as it is asked: it never meant to refuse.
#[tokio::test]
async fn a_kept_connection_that_is_closed_unanswered_costs_no_poll() {
    const TURNS: &[&[Turn]] = &[&[Turn::Answer, Turn::Hang], &[Turn::Answer]];
    let (url, asked) = server(TURNS).await;
    assert_eq!(fetches(&url, 2).await, [true, true]);
    assert_eq!(*asked.lock().unwrap(), [2, 1]);
}

#[tokio::test]
async fn a_connection_that_was_closed_meanwhile_costs_no_poll() {
    const TURNS: &[&[Turn]] = &[&[Turn::AnswerAndClose], &[Turn::Answer], &[Turn::Answer]];
    let (url, _asked) = server(TURNS).await;
    assert_eq!(fetches(&url, 2).await, [true, true]);
}

/// Once, and on a connection of its own.
#[tokio::test]
async fn nobody_is_asked_a_third_time() {
    const TURNS: &[&[Turn]] = &[&[Turn::Answer, Turn::Hang], &[Turn::Hang], &[Turn::Answer]];
    let (url, asked) = server(TURNS).await;
    assert_eq!(fetches(&url, 2).await, [true, false]);
    assert_eq!(*asked.lock().unwrap(), [2, 1]);
}

#[tokio::test]
async fn silence_on_a_new_connection_is_an_answer() {
    const TURNS: &[&[Turn]] = &[&[Turn::Hang], &[Turn::Answer]];
    let (url, asked) = server(TURNS).await;
    assert_eq!(fetches(&url, 1).await, [false]);
    assert_eq!(*asked.lock().unwrap(), [1]);
}

/// Something came, so that it was an answer, and a bad one.
#[tokio::test]
async fn an_answer_that_is_no_http_is_not_asked_for_again() {
    const TURNS: &[&[Turn]] = &[&[Turn::Answer, Turn::Garble], &[Turn::Answer]];
    let (url, asked) = server(TURNS).await;
    assert_eq!(fetches(&url, 2).await, [true, false]);
    assert_eq!(*asked.lock().unwrap(), [2]);
}
