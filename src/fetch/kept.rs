//! Which publishers' connections may still be open, to be asked on again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use url::Url;

use super::Limits;

/// A connection that nobody has used for so long is closed.
pub(super) const IDLE: Duration = Duration::from_secs(10);

/// So many origins are remembered at the most, however many redirects lead elsewhere.
const MOST: usize = 1000;

/// When each origin last answered a client. The library does not say on which connection it asks.
#[derive(Clone, Debug, Default)]
pub(super) struct Kept(Arc<Mutex<HashMap<String, Instant>>>);

impl Kept {
    /// An answer has begun; its body may take as long as a fetch may, and then the connection is kept for a while.
    pub(super) fn answered(&self, url: &Url) {
        let mut origins = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if origins.len() >= MOST {
            origins.retain(|_, last| is_recent(*last));
        }
        if origins.len() < MOST {
            origins.insert(url.origin().ascii_serialization(), Instant::now());
        }
    }

    /// Whether the next question to an address may go over a connection that has been used before.
    pub(super) fn may_be_open(&self, url: &Url) -> bool {
        let origins = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let last = origins.get(&url.origin().ascii_serialization());
        last.is_some_and(|last| is_recent(*last))
    }
}

fn is_recent(last: Instant) -> bool {
    last.elapsed() <= Limits::TOTAL + IDLE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_origin_is_remembered_for_as_long_as_a_connection_may_live() {
        let kept = Kept::default();
        let of = |url: &str| Url::parse(url).unwrap();
        kept.answered(&of("https://a.example/x"));
        assert!(kept.may_be_open(&of("https://a.example:443/y")));
        for other in [
            "http://a.example/x",
            "https://a.example:8443/",
            "https://b.example/",
        ] {
            assert!(!kept.may_be_open(&of(other)), "{other}");
        }
        tokio::time::advance(Limits::TOTAL + IDLE).await;
        assert!(kept.may_be_open(&of("https://a.example/x")));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(!kept.may_be_open(&of("https://a.example/x")));
        for host in 0..MOST * 2 {
            kept.answered(&of(&format!("https://h{host}.example/")));
        }
        assert_eq!(kept.0.lock().unwrap().len(), MOST);
    }
}
