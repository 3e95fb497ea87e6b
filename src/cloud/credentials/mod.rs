//! The keys that calls are signed with: found where the vendor's own tools look, and fetched again before they end.
//!
//! `auto` looks in this order and takes the first that has keys:
//!
//! 1. systemd's `$CREDENTIALS_DIRECTORY`: the files `secret_id`, `secret_key` and perhaps `token`, or one file
//!    `tencentcloud` in either of the vendor's forms (below);
//! 2. the environment: `TENCENTCLOUD_SECRET_ID`, `TENCENTCLOUD_SECRET_KEY`, `TENCENTCLOUD_TOKEN`;
//! 3. `~/.tencentcloud/credentials`, then `/etc/tencentcloud/credentials`: INI, `[default]`, `secret_id`, `secret_key`;
//! 4. `~/.tccli/default.credential`: JSON, `secretId`, `secretKey`, `token`, `expiresAt`;
//! 5. the role of this machine, from its metadata service.
//!
//! A place that holds half of a key pair is a fault, never passed over: else a slip would sign for another account.

mod files;
mod places;
mod role;

#[cfg(test)]
mod tests;

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use thiserror::Error;

use crate::model::UnixTime;

pub use places::{METADATA, Surroundings};

/// How long before their end keys are fetched again; the vendor's own tools do the same.
const RENEW_BEFORE_END: Duration = Duration::from_secs(300);

/// How long after a fetch that brought nothing newer the next one is made.
const RENEW_AGAIN: Duration = Duration::from_secs(30);

/// Where a firewall's keys come from. Never the keys themselves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CredentialSource {
    /// systemd credentials, then the vendor's own order.
    Auto,
    /// Environment variables `PREFIX_SECRET_ID`, `PREFIX_SECRET_KEY`, `PREFIX_TOKEN`.
    Env(String),
    /// A file in the vendor's INI or JSON form.
    File(PathBuf),
    /// The role of this name that the machine may take.
    Role(String),
}

/// Keys, and where they came from.
#[derive(Clone, Debug)]
pub struct Keys {
    /// `SecretId`: it goes out with each call and is no secret.
    pub secret_id: String,
    /// `SecretKey`.
    pub secret_key: SecretString,
    /// What makes temporary keys valid.
    pub token: Option<SecretString>,
    /// When temporary keys end.
    pub expires: Option<UnixTime>,
    /// The place, in words for an operator: `environment TENCENTCLOUD_SECRET_ID`.
    pub source: String,
}

/// Why there are no keys. The texts hold places and names, never a key.
#[derive(Debug, Error)]
pub enum CredentialError {
    /// No place has any.
    #[error(
        "no credentials were found; looked at {}. Put a key pair into one of these, or name a source in the firewall's `credentials`",
        .looked.join(", ")
    )]
    NotFound {
        /// Each place, with why it was passed over.
        looked: Vec<String>,
    },
    /// A place holds one half of a pair.
    #[error("{place} has no {missing}: give both halves of the key pair, or neither")]
    Incomplete {
        /// The place.
        place: String,
        /// What is not there.
        missing: &'static str,
    },
    /// A file cannot be read.
    #[error("{place} cannot be read: {fault}")]
    Unreadable {
        /// The place.
        place: String,
        /// Why.
        fault: io::Error,
    },
    /// A place holds something else than keys.
    #[error("{place} is not usable: {why}")]
    Malformed {
        /// The place.
        place: String,
        /// Why, without its content.
        why: String,
    },
    /// The metadata service gives no keys for a role.
    #[error("the metadata service gives no keys: {why}")]
    Metadata {
        /// Why.
        why: String,
    },
}

/// The keys of one source, kept while they are good.
pub struct Credentials {
    source: CredentialSource,
    around: Surroundings,
    http: reqwest::Client,
    held: tokio::sync::Mutex<Option<Held>>,
}

struct Held {
    keys: Arc<Keys>,
    /// When to look for newer ones.
    renew: Option<UnixTime>,
}

impl Keys {
    /// What stays the same when temporary keys change, as far as can be told: the key of the account's rate limit.
    #[must_use]
    pub fn account(&self) -> &str {
        match self.token {
            Some(_) => &self.source,
            None => &self.secret_id,
        }
    }
}

impl Credentials {
    /// Credentials from `source`, looked for in `around`; nothing is read yet.
    ///
    /// # Errors
    /// When the HTTP client for the metadata service cannot be made.
    pub fn new(source: CredentialSource, around: Surroundings) -> reqwest::Result<Self> {
        Ok(Self {
            source,
            around,
            http: role::client()?,
            held: tokio::sync::Mutex::new(None),
        })
    }

    /// The keys to sign with at `now`. Temporary ones are fetched again 300 s before they end; while that fails and
    /// they still hold, they are given out with a warning in the log.
    ///
    /// # Errors
    /// [`CredentialError`] says which places were looked at.
    pub async fn keys(&self, now: UnixTime) -> Result<Arc<Keys>, CredentialError> {
        let mut held = self.held.lock().await;
        let still_good = match held.as_ref() {
            Some(held) if held.renew.is_none_or(|renew| now < renew) => {
                return Ok(Arc::clone(&held.keys));
            }
            Some(held) => Some(Arc::clone(&held.keys))
                .filter(|keys| keys.expires.is_none_or(|expires| now < expires)),
            None => None,
        };
        let keys = match (self.find().await, still_good) {
            (Ok(keys), _) => Arc::new(keys),
            (Err(fault), None) => return Err(fault),
            (Err(fault), Some(keys)) => {
                tracing::warn!(source = %keys.source, %fault, "temporary keys could not be renewed; they still hold");
                keys
            }
        };
        Ok(Held::keep(&mut held, keys, now))
    }

    /// Looks again whatever is held: after [`Verdict::Reauthenticate`](crate::cloud::Verdict::Reauthenticate), and before each
    /// new try after [`Verdict::Stop`](crate::cloud::Verdict::Stop), so that a key that was replaced is found.
    ///
    /// # Errors
    /// [`CredentialError`] says which places were looked at; what was held before is forgotten.
    pub async fn fetch_again(&self, now: UnixTime) -> Result<Arc<Keys>, CredentialError> {
        let mut held = self.held.lock().await;
        *held = None;
        let keys = self.find().await?;
        Ok(Held::keep(&mut held, Arc::new(keys), now))
    }
}

impl Held {
    fn keep(held: &mut Option<Self>, keys: Arc<Keys>, now: UnixTime) -> Arc<Keys> {
        let renew = keys
            .expires
            .map(|expires| expires.minus(RENEW_BEFORE_END).max(now.plus(RENEW_AGAIN)));
        *held = Some(Self {
            keys: Arc::clone(&keys),
            renew,
        });
        keys
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Credentials")
            .field("source", &self.source)
            .finish_non_exhaustive()
    }
}
