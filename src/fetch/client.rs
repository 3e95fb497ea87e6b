//! A source made ready to be asked: its client, its keys as they are now, and a veil over them.

use std::path::{Path, PathBuf};

use reqwest::header::{ACCEPT, ACCEPT_ENCODING, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Certificate, Client, ClientBuilder, Proxy, RequestBuilder};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::kept::{IDLE, Kept};
use super::redact::{Veil, plain, redact};
use super::resolve::Filtered;
use super::source::{HttpSource, Login, Value};
use super::spool::blocking;
use super::{FetchError, FetchPolicy, Fetcher, trouble};

/// `{key}` as it stands in the path of an address.
const KEY_PLACE: &str = "%7Bkey%7D";

/// The client for every feed without settings of its own.
pub(super) fn shared(policy: &FetchPolicy) -> Result<Client, FetchError> {
    finish(builder(policy, policy.allow_private))
}

/// Everything that is needed to ask a source, secrets included.
pub(super) struct Asker {
    pub(super) client: Client,
    pub(super) veil: Veil,
    pub(super) allow_private: bool,
    /// Who has answered this client lately.
    pub(super) kept: Kept,
    /// What another client like this one is made of.
    policy: FetchPolicy,
    proxy: Option<Url>,
    ca_file: Option<PathBuf>,
    home: Url,
    /// As it stands in an address.
    path_key: Option<SecretString>,
    headers: HeaderMap,
    query: Vec<(String, SecretString)>,
    login: Option<ReadLogin>,
}

enum ReadLogin {
    Basic(String, SecretString),
    Bearer(SecretString),
}

impl Asker {
    /// Reads keys and certificates, which may lie on a slow disk, on a blocking thread.
    pub(super) async fn prepare(
        fetcher: &Fetcher,
        source: &HttpSource,
    ) -> Result<Self, FetchError> {
        let (fetcher, source) = (fetcher.clone(), source.clone());
        blocking(move || Self::read(&fetcher, &source)).await
    }

    fn read(fetcher: &Fetcher, source: &HttpSource) -> Result<Self, FetchError> {
        let what = redact(&source.url);
        let (client, kept) = match (&source.proxy, &source.ca_file) {
            (None, None) => (fetcher.client.clone(), fetcher.kept.clone()),
            (proxy, ca_file) => {
                let client = own(&fetcher.policy, proxy.as_ref(), ca_file.as_deref())?;
                (client, Kept::default())
            }
        };
        let mut asker = Self {
            client,
            kept,
            policy: fetcher.policy.clone(),
            proxy: source.proxy.clone(),
            ca_file: source.ca_file.clone(),
            veil: Veil::default(),
            allow_private: fetcher.policy.allow_private,
            home: source.url.clone(),
            path_key: None,
            headers: HeaderMap::new(),
            query: Vec::new(),
            login: None,
        };
        if let Some(key) = &source.path_key {
            let key = in_a_path(asker.value(key, &what)?.expose_secret());
            asker.veil.hide(key.clone());
            asker.path_key = Some(key);
        }
        for (name, value) in &source.headers {
            let value = asker.value(value, &what)?;
            asker.headers.append(name, header(name, &value, &what)?);
        }
        for (name, value) in &source.query {
            let value = asker.value(value, &what)?;
            asker.query.push((name.clone(), value));
        }
        asker.login = match &source.login {
            None => None,
            Some(Login::Basic(user, password)) => Some(ReadLogin::Basic(
                user.clone(),
                asker.value(password, &what)?,
            )),
            Some(Login::Bearer(token)) => Some(ReadLogin::Bearer(asker.value(token, &what)?)),
        };
        Ok(asker)
    }

    /// A client like the source's own that has no connection yet. Certificates are read from the disk for it.
    pub(super) async fn afresh(&self) -> Result<Client, FetchError> {
        let (policy, proxy) = (self.policy.clone(), self.proxy.clone());
        let ca_file = self.ca_file.clone();
        blocking(move || match (proxy, ca_file) {
            (None, None) => shared(&policy),
            (proxy, ca_file) => own(&policy, proxy.as_ref(), ca_file.as_deref()),
        })
        .await
    }

    /// Reads a value; if it is a secret, no address shown from now on holds it.
    fn value(&mut self, value: &Value, what: &str) -> Result<SecretString, FetchError> {
        match value {
            Value::Text(text) => Ok(SecretString::from(text.as_str())),
            Value::Secret(secret) => {
                let read = secret
                    .read(&|name| std::env::var_os(name))
                    .map_err(|reason| FetchError::Secret {
                        what: what.to_owned(),
                        reason,
                    })?;
                self.veil.hide(read.clone());
                Ok(read)
            }
        }
    }

    /// The address with the source's own keys, if it is the source's own.
    pub(super) fn address(&self, url: &Url) -> Url {
        let mut url = url.clone();
        if !self.is_home(&url) {
            return url;
        }
        if let Some(key) = &self.path_key {
            let path = url.path().replace(KEY_PLACE, key.expose_secret());
            url.set_path(&path);
        }
        if !self.query.is_empty() {
            let mut pairs = url.query_pairs_mut();
            for (name, value) in &self.query {
                pairs.append_pair(name, value.expose_secret());
            }
        }
        url
    }

    /// A GET of `url` by the source's client, or one [afresh](Self::afresh). Keys go to the source's own origin and to no other. Where the address names an archive, gzip
    /// around it would gain nothing, and a zip archive can be read only as a file.
    pub(super) fn request(
        &self,
        client: &Client,
        url: &Url,
        accept: &'static str,
    ) -> RequestBuilder {
        let encoding = if names_an_archive(url) {
            "identity"
        } else {
            "gzip"
        };
        let get = |url| {
            client
                .get(url)
                .header(ACCEPT, accept)
                .header(ACCEPT_ENCODING, encoding)
        };
        let mut asked = bare(url);
        if !self.is_home(url) {
            return get(asked);
        }
        // The library makes a header of these. They fail only for addresses without a host, which have been refused.
        let _ = asked.set_username(self.home.username());
        let _ = asked.set_password(self.home.password());
        let request = get(asked);
        let request = match &self.login {
            None => request,
            Some(ReadLogin::Basic(user, password)) => {
                request.basic_auth(user, Some(password.expose_secret()))
            }
            Some(ReadLogin::Bearer(token)) => request.bearer_auth(token.expose_secret()),
        };
        request.headers(self.headers.clone())
    }

    /// An address to which a feed moved, without the keys that are added at each fetch.
    pub(super) fn without_keys(&self, url: &Url) -> Url {
        let mut kept = bare(url);
        if let Some(key) = &self.path_key {
            let path = kept.path().replace(key.expose_secret(), KEY_PLACE);
            kept.set_path(&path);
        }
        if self.query.is_empty() {
            return kept;
        }
        let ours = |name: &str| self.query.iter().any(|(own, _)| own == name);
        let pairs: Vec<_> = url.query_pairs().filter(|(name, _)| !ours(name)).collect();
        kept.set_query(None);
        if !pairs.is_empty() {
            kept.query_pairs_mut().extend_pairs(pairs);
        }
        kept
    }

    fn is_home(&self, url: &Url) -> bool {
        url.origin() == self.home.origin()
    }
}

/// The address without what is not sent: user, password and fragment.
pub(super) fn bare(url: &Url) -> Url {
    let mut url = url.clone();
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.set_fragment(None);
    url
}

/// A key as it can stand in a path: all but RFC 3986's unreserved signs are percent-encoded.
fn in_a_path(key: &str) -> SecretString {
    let mut encoded = String::with_capacity(key.len());
    for byte in key.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(char::from(byte));
            }
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    SecretString::from(encoded)
}

fn names_an_archive(url: &Url) -> bool {
    let path = url.path().to_ascii_lowercase();
    [".zip", ".gz", ".bz2", ".zst", ".xz"]
        .iter()
        .any(|end| path.ends_with(end))
}

fn header(name: &HeaderName, value: &SecretString, what: &str) -> Result<HeaderValue, FetchError> {
    let mut value =
        HeaderValue::from_str(value.expose_secret()).map_err(|_| FetchError::HeaderValue {
            what: what.to_owned(),
            name: name.to_string(),
        })?;
    value.set_sensitive(true);
    Ok(value)
}

/// A client for a feed with a proxy or certificates of its own. The resolver is asked for the proxy's name only, and a
/// proxy stands inside more often than not.
fn own(
    policy: &FetchPolicy,
    proxy: Option<&Url>,
    ca_file: Option<&Path>,
) -> Result<Client, FetchError> {
    let mut building = builder(policy, policy.allow_private || proxy.is_some());
    if let Some(url) = proxy {
        let proxy = Some(url)
            .filter(|url| matches!(url.scheme(), "http" | "https"))
            .and_then(|url| Proxy::all(url.as_str()).ok())
            .ok_or_else(|| FetchError::Proxy { what: redact(url) })?;
        building = building.proxy(proxy);
    }
    if let Some(path) = ca_file {
        building = building.tls_certs_only(certificates(path)?);
    }
    finish(building)
}

fn certificates(path: &Path) -> Result<Vec<Certificate>, FetchError> {
    let fault = |reason: String| FetchError::Certificates {
        path: plain(&path.to_string_lossy()).into_owned(),
        reason,
    };
    let pem = std::fs::read(path).map_err(|error| fault(error.to_string()))?;
    let found =
        Certificate::from_pem_bundle(&pem).map_err(|error| fault(trouble::innermost(&error)))?;
    if found.is_empty() {
        return Err(fault("it holds no PEM certificate".to_owned()));
    }
    Ok(found)
}

fn builder(policy: &FetchPolicy, allow_private: bool) -> ClientBuilder {
    let mut agent = crate::net::USER_AGENT.to_owned();
    if let Some(contact) = &policy.contact {
        agent.push_str(&format!(" (+{contact})"));
    }
    crate::net::client_builder()
        .user_agent(agent)
        .dns_resolver(Filtered { allow_private })
        .pool_idle_timeout(IDLE)
}

fn finish(building: ClientBuilder) -> Result<Client, FetchError> {
    building.build().map_err(|error| FetchError::Client {
        reason: trouble::innermost(&error),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fetch::{Secret, header_name};

    fn asker(source: &HttpSource) -> Result<Asker, FetchError> {
        let policy = FetchPolicy {
            allow_private: true,
            spool_dir: std::env::temp_dir(),
            contact: None,
        };
        Asker::read(&Fetcher::new(policy).unwrap(), source)
    }

    fn decorated() -> (HttpSource, tempfile::NamedTempFile) {
        let key = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(key.path(), "s3cret&\n").unwrap();
        let secret = Value::Secret(Secret::File(key.path().to_owned()));
        let mut source =
            HttpSource::from(Url::parse("https://me:p%40ss@a.example/x?limit=5").unwrap());
        source
            .headers
            .push((header_name("Auth-Key").unwrap(), secret.clone()));
        source.query.push(("k".to_owned(), secret));
        (source, key)
    }

    #[test]
    fn keys_go_home_and_nowhere_else() {
        let (source, _key) = decorated();
        let asker = asker(&source).unwrap();
        for (url, home) in [
            ("https://a.example/y", true),
            ("https://a.example:8443/y", false),
            ("http://a.example/y", false),
            ("https://b.example/y", false),
        ] {
            let url = Url::parse(url).unwrap();
            let request = asker
                .request(&asker.client, &asker.address(&url), "*/*")
                .build()
                .unwrap();
            assert_eq!(request.headers().contains_key("auth-key"), home, "{url}");
            assert_eq!(
                request.headers().contains_key("authorization"),
                home,
                "{url}"
            );
            assert_eq!(request.url().query().is_some(), home, "{url}");
            assert!(!format!("{request:?}").contains("p@ss"));
        }
    }

    #[test]
    fn a_key_in_the_query_is_added_hidden_and_taken_off_again() {
        let (source, _key) = decorated();
        let asker = asker(&source).unwrap();
        let address = asker.address(&source.url);
        assert_eq!(address.query(), Some("limit=5&k=s3cret%26"));
        assert_eq!(
            asker.veil.show(&address),
            "https://***@a.example/x?limit=5&k=***"
        );
        assert_eq!(
            asker.without_keys(&address).as_str(),
            "https://a.example/x?limit=5"
        );
        let echoed = Url::parse("https://b.example/s3cret&/x").unwrap();
        assert_eq!(asker.veil.show(&echoed), "https://b.example/***/x");
    }

    #[test]
    fn a_key_in_the_path_is_put_in_hidden_and_taken_out_again() {
        let key = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(key.path(), "s3 cret/\n").unwrap();
        let mut source =
            HttpSource::from(Url::parse("https://a.example/data/{key}/list.csv").unwrap());
        source.path_key = Some(Value::Secret(Secret::File(key.path().to_owned())));
        let asker = asker(&source).unwrap();
        let address = asker.address(&source.url);
        assert_eq!(
            address.as_str(),
            "https://a.example/data/s3%20cret%2F/list.csv"
        );
        assert_eq!(
            asker.veil.show(&address),
            "https://a.example/data/***/list.csv"
        );
        assert_eq!(asker.without_keys(&address), source.url);
        let stranger = Url::parse("https://b.example/data/{key}/list.csv").unwrap();
        assert_eq!(asker.address(&stranger), stranger);
    }

    #[test]
    fn what_cannot_be_used_says_so() {
        let plain = || HttpSource::from(Url::parse("https://a.example/").unwrap());
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut table = Vec::new();
        let mut source = plain();
        source
            .headers
            .push((header_name("x-key").unwrap(), Value::Text("a\nb".into())));
        table.push((source, "x-key"));
        let mut source = plain();
        source.login = Some(Login::Bearer(Value::Secret(Secret::File(
            "/nonexistent/key".into(),
        ))));
        table.push((source, "/nonexistent/key"));
        let mut source = plain();
        source.proxy = Some(Url::parse("socks5://127.0.0.1:1").unwrap());
        table.push((source, "socks5://127.0.0.1:1"));
        let mut source = plain();
        source.ca_file = Some(file.path().to_owned());
        table.push((source, "no PEM certificate"));
        let mut source = plain();
        source.ca_file = Some("/nonexistent/ca.pem".into());
        table.push((source, "/nonexistent/ca.pem"));
        for (source, part) in table {
            let error = asker(&source).err().unwrap().to_string();
            assert!(error.contains(part), "{error}");
        }
    }
}
