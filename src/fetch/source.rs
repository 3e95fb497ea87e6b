//! Where feeds come from, and what is sent along to get them.

use std::fmt;
use std::path::PathBuf;

use reqwest::header::HeaderName;
use url::Url;

use super::redact::{plain, redact};
use super::secret::Secret;

/// Where a feed comes from. `Debug` and `Display` hide what may be a secret.
#[derive(Clone, PartialEq)]
pub enum Source {
    /// `http://` or `https://`.
    Http(Box<HttpSource>),
    /// A TAXII 2.1 collection: the address of the collection, or of its objects. A query in it (`match[type]=indicator`)
    /// is kept.
    Taxii(Box<HttpSource>),
    /// A MISP feed: the address of the directory that holds `manifest.json`.
    Misp(Box<HttpSource>),
    /// A file on this machine (`path = …` or `file:///…`).
    File(PathBuf),
    /// Text files on this machine, as `/srv/iocs/*.txt`: read as one, in the order of their names.
    Glob(String),
}

impl Source {
    /// A feed at `url` that asks for nothing special.
    #[must_use]
    pub fn http(url: Url) -> Self {
        Self::Http(Box::new(HttpSource::from(url)))
    }

    /// What a path in the config means: files if it has a wildcard (`*`, `?` or `[`), else one file.
    #[must_use]
    pub fn path(text: &str) -> Self {
        if text.contains(['*', '?', '[']) {
            Self::Glob(text.to_owned())
        } else {
            Self::File(PathBuf::from(text))
        }
    }

    /// The address, of a feed that has one.
    #[must_use]
    pub fn url(&self) -> Option<&Url> {
        match self {
            Self::Http(http) | Self::Taxii(http) | Self::Misp(http) => Some(&http.url),
            Self::File(_) | Self::Glob(_) => None,
        }
    }
}

/// A feed's address, and what is sent along.
#[derive(Clone, PartialEq)]
pub struct HttpSource {
    /// The address. A user and password in it are sent as basic authentication, to its own origin.
    pub url: Url,
    /// Put into the address's path in the place of `{key}`, and never shown.
    pub path_key: Option<Value>,
    /// Headers, sent to the address's own origin. They go before the program's own.
    pub headers: Vec<(HeaderName, Value)>,
    /// Added to the address's query, and never shown.
    pub query: Vec<(String, Value)>,
    /// Who we are.
    pub login: Option<Login>,
    /// An `http://` or `https://` proxy for this feed. It resolves the names, so that only names and addresses as they
    /// are written can be judged before they are asked.
    pub proxy: Option<Url>,
    /// PEM certificates to trust for this feed, and no others.
    pub ca_file: Option<PathBuf>,
}

/// What is sent: plain text, or a secret.
#[derive(Clone, PartialEq, Eq)]
pub enum Value {
    /// As it stands in the config. It may be a key all the same, and is not shown.
    Text(String),
    /// Read at each fetch.
    Secret(Secret),
}

/// How we prove who we are (RFC 7617, RFC 6750).
#[derive(Clone, PartialEq, Eq)]
pub enum Login {
    /// A user and a password.
    Basic(String, Value),
    /// A token.
    Bearer(Value),
}

impl From<Url> for HttpSource {
    fn from(url: Url) -> Self {
        Self {
            url,
            path_key: None,
            headers: Vec::new(),
            query: Vec::new(),
            login: None,
            proxy: None,
            ca_file: None,
        }
    }
}

/// Reads a header's name as the config writes it.
///
/// # Errors
/// When it is no header name (RFC 9110 §5.1), or one that the program itself must set.
pub fn header_name(text: &str) -> Result<HeaderName, HeaderNameError> {
    let name = text
        .parse::<HeaderName>()
        .map_err(|_| HeaderNameError::NotAName)?;
    if OURS.contains(&name.as_str()) {
        return Err(HeaderNameError::Ours);
    }
    Ok(name)
}

/// Headers that frame the message, name the peer, or decide which part of the body comes.
const OURS: [&str; 14] = [
    "accept-encoding",
    "connection",
    "content-length",
    "expect",
    "host",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
    "range",
    "te",
    "transfer-encoding",
    "upgrade",
];

/// Why a text cannot be the name of a feed's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeaderNameError {
    /// It breaks the rules for names.
    #[error("a header's name has letters, digits and dashes only")]
    NotAName,
    /// It is set by the program.
    #[error("this header is set by the program itself")]
    Ours,
}

impl fmt::Display for Source {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Http(http) | Self::Taxii(http) | Self::Misp(http) => {
                out.write_str(&redact(&http.url))
            }
            Self::File(path) => out.write_str(&plain(&path.to_string_lossy())),
            Self::Glob(pattern) => out.write_str(&plain(pattern)),
        }
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Http(http) => out.debug_tuple("Http").field(http).finish(),
            Self::Taxii(http) => out.debug_tuple("Taxii").field(http).finish(),
            Self::Misp(http) => out.debug_tuple("Misp").field(http).finish(),
            Self::File(path) => out.debug_tuple("File").field(path).finish(),
            Self::Glob(pattern) => out.debug_tuple("Glob").field(pattern).finish(),
        }
    }
}

impl fmt::Debug for HttpSource {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("HttpSource")
            .field("url", &redact(&self.url))
            .field("path_key", &self.path_key)
            .field("headers", &self.headers)
            .field("query", &self.query)
            .field("login", &self.login)
            .field("proxy", &self.proxy.as_ref().map(redact))
            .field("ca_file", &self.ca_file)
            .finish()
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(_) => out.write_str("Text(***)"),
            Self::Secret(secret) => secret.fmt(out),
        }
    }
}

impl fmt::Debug for Login {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Basic(_, password) => out
                .debug_tuple("Basic")
                .field(&"***")
                .field(password)
                .finish(),
            Self::Bearer(token) => out.debug_tuple("Bearer").field(token).finish(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_with_a_wildcard_means_files() {
        assert_eq!(
            Source::path("/srv/a.txt"),
            Source::File("/srv/a.txt".into())
        );
        assert_eq!(
            Source::path("/srv/*.txt"),
            Source::Glob("/srv/*.txt".to_owned())
        );
    }

    #[test]
    fn headers_that_frame_the_message_are_ours() {
        assert_eq!(header_name("Auth-Key").unwrap().as_str(), "auth-key");
        assert!(header_name("User-Agent").is_ok());
        assert_eq!(header_name("Host"), Err(HeaderNameError::Ours));
        assert_eq!(header_name("IF-None-Match"), Err(HeaderNameError::Ours));
        for text in ["", "a b", "a:", "a\r\nb", "é"] {
            assert_eq!(
                header_name(text),
                Err(HeaderNameError::NotAName),
                "{text:?}"
            );
        }
    }

    #[test]
    fn what_is_sent_along_is_not_shown() {
        let mut http = HttpSource::from(Url::parse("https://me:hunter2@example.net/").unwrap());
        http.headers.push((
            header_name("X-Thing").unwrap(),
            Value::Text("hunter2".into()),
        ));
        http.query.push(("q".into(), Value::Text("hunter2".into())));
        http.login = Some(Login::Basic("me".into(), Value::Text("hunter2".into())));
        http.proxy = Some(Url::parse("http://me:hunter2@proxy.example:3128").unwrap());
        let shown = format!("{:?}", Source::Http(Box::new(http)));
        assert!(!shown.contains("hunter2"), "{shown}");
        assert!(shown.contains("proxy.example:3128"), "{shown}");
    }
}
