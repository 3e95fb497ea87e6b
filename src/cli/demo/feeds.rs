//! The demo's feeds: two small lists on loopback that change as the story goes.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use tokio::net::TcpListener;

/// Serves the two feeds.
pub(super) struct FeedServer {
    address: std::net::SocketAddr,
    chapter: Arc<AtomicU8>,
}

/// Where the story stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Chapter {
    /// Both feeds list all they know.
    Listed = 0,
    /// The scanners' feed has dropped a third of its lines, and has a few new ones.
    Dropped = 1,
    /// Both feeds are gone.
    Silent = 2,
}

/// Addresses on the scanners' feed at the start; one of them is allowed by the config.
pub(super) const SCANNERS: u16 = 60;
/// Of those, the ones that it drops.
pub(super) const DROPPED: u16 = 20;
/// Addresses that it lists then for the first time.
pub(super) const NEW: u16 = 5;
/// Entries of the callbacks' feed.
pub(super) const CALLBACKS: u16 = 20;

impl FeedServer {
    pub(super) async fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let chapter = Arc::new(AtomicU8::new(Chapter::Listed as u8));
        let router = Router::new()
            .route("/scanners.txt", get(scanners))
            .route("/callbacks.txt", get(callbacks))
            .with_state(Arc::clone(&chapter));
        // It ends with the process; nothing in it needs an orderly end.
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(Self { address, chapter })
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(super) fn turn_to(&self, chapter: Chapter) {
        self.chapter.store(chapter as u8, Ordering::SeqCst);
    }
}

async fn scanners(State(chapter): State<Arc<AtomicU8>>) -> Result<String, StatusCode> {
    let chapter = chapter.load(Ordering::SeqCst);
    let listed = match chapter {
        0 => 0..SCANNERS,
        1 => DROPPED..SCANNERS + NEW,
        _ => return Err(StatusCode::SERVICE_UNAVAILABLE),
    };
    let mut text = "# addresses that scan, as seen by nobody: this is a demo\n".to_owned();
    for n in listed {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "45.155.205.{n}\t# seen {} times", 3 + n % 7);
    }
    // What a feed should never hold, and now and then does.
    text.push_str("10.0.0.1\n127.0.0.1\n45.155.205.999\n");
    Ok(text)
}

async fn callbacks(State(chapter): State<Arc<AtomicU8>>) -> Result<String, StatusCode> {
    if chapter.load(Ordering::SeqCst) >= Chapter::Silent as u8 {
        return Err(StatusCode::SERVICE_UNAVAILABLE);
    }
    let mut text = "; hosts that malware calls back, made up\n".to_owned();
    for n in 0..CALLBACKS / 2 {
        let _ = writeln!(text, "hxxp://193[.]32[.]160[.]{n}");
        let _ = writeln!(text, "C{n}.Feedwall-Demo-Botnet.com.");
    }
    Ok(text)
}
