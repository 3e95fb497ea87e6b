//! How addresses and strangers' text are shown: without anything that may be a key, and on one line.

use std::borrow::Cow;
use std::fmt;

use secrecy::{ExposeSecret, SecretString};
use url::{Url, form_urlencoded};

/// What stands in the place of something hidden.
const HIDDEN: &str = "***";

/// Parts of a parameter's name that give it away as a secret.
const KEY_NAMES: [&str; 12] = [
    "key", "token", "auth", "secret", "pass", "pwd", "sig", "cred", "session", "hash", "code",
    "user",
];

/// Path segments whose next segment is a key, whatever it looks like. PhishTank's is `/data/KEY/online-valid.csv`.
const KEY_FOLDERS: [&str; 5] = ["key", "apikey", "api_key", "token", "auth"];

/// Query values longer than this are hidden, whatever their name.
const LONGEST_VALUE: usize = 16;

/// Shows a URL without user info, query values and path segments that may be keys, and the fragment.
///
/// It errs on the hiding side: a commit's hash in a path looks like a key and is hidden too.
#[must_use]
pub fn redact(url: &Url) -> String {
    let mut shown = String::new();
    shown.push_str(url.scheme());
    shown.push_str(if url.cannot_be_a_base() { ":" } else { "://" });
    if !url.username().is_empty() || url.password().is_some() {
        shown.push_str(HIDDEN);
        shown.push('@');
    }
    shown.push_str(url.host_str().unwrap_or_default());
    if let Some(port) = url.port() {
        shown.push_str(&format!(":{port}"));
    }
    push_path(&mut shown, url);
    if let Some(query) = url.query() {
        shown.push('?');
        push_query(&mut shown, query);
    }
    plain(&shown).into_owned()
}

fn push_path(shown: &mut String, url: &Url) {
    let phishtank = url
        .host_str()
        .is_some_and(|host| host.ends_with("phishtank.com"));
    let Some(segments) = url.path_segments() else {
        shown.push_str(HIDDEN);
        return;
    };
    let mut before = "";
    for segment in segments {
        let keyed = KEY_FOLDERS.contains(&before.to_ascii_lowercase().as_str())
            || (phishtank && before == "data" && !segment.contains('.'));
        shown.push('/');
        if !segment.is_empty() && (keyed || segment.split('.').any(looks_like_a_key)) {
            shown.push_str(HIDDEN);
        } else {
            shown.push_str(segment);
        }
        before = segment;
    }
}

fn push_query(shown: &mut String, query: &str) {
    for (index, pair) in query.split('&').enumerate() {
        if index > 0 {
            shown.push('&');
        }
        let (name, value) = match pair.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (pair, None),
        };
        match value {
            // A lone word may be a parameter or a key.
            None if name.len() > LONGEST_VALUE || looks_like_a_key(name) => shown.push_str(HIDDEN),
            None => shown.push_str(name),
            Some(value) => {
                let secret =
                    value.len() > LONGEST_VALUE || names_a_key(name) || looks_like_a_key(value);
                shown.push_str(name);
                shown.push('=');
                shown.push_str(if secret { HIDDEN } else { value });
            }
        }
    }
}

fn names_a_key(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    KEY_NAMES.iter().any(|part| name.contains(part))
}

/// Whether a text may be a key: long hex (UUIDs too), or a long mixture of letters and digits in which no words can be
/// seen.
#[must_use]
pub fn looks_like_a_key(text: &str) -> bool {
    let count = |of: fn(&u8) -> bool| text.bytes().filter(of).count();
    let digits = count(u8::is_ascii_digit);
    let hex = count(u8::is_ascii_hexdigit);
    let dashes = count(|byte| *byte == b'-');
    if hex >= 16 && digits >= 2 && hex + dashes == text.len() {
        return true;
    }
    let cased = count(u8::is_ascii_uppercase) >= 3 && count(u8::is_ascii_lowercase) >= 3;
    let worded = text.len() >= 4 && text.split(['-', '_']).all(|word| word.len() < 12);
    text.len() >= 20 && digits >= 3 && (cased || !worded)
}

/// Keys that were sent with a request: whoever answers may send them back, in places where [`redact()`] sees no key.
#[derive(Clone, Default)]
pub(super) struct Veil {
    hidden: Vec<SecretString>,
}

impl Veil {
    pub(super) fn hide(&mut self, secret: SecretString) {
        self.hidden.push(secret);
    }

    /// As [`redact()`], and without the hidden keys wherever they stand.
    pub(super) fn show(&self, url: &Url) -> String {
        let mut shown = redact(url);
        for secret in &self.hidden {
            let plain = secret.expose_secret();
            let encoded: String = form_urlencoded::byte_serialize(plain.as_bytes()).collect();
            for form in [plain, &encoded] {
                if !form.is_empty() && shown.contains(form) {
                    shown = shown.replace(form, HIDDEN);
                }
            }
        }
        shown
    }
}

/// Text for one line of a log or a terminal: control and other invisible characters are escaped.
pub(super) fn plain(text: &str) -> Cow<'_, str> {
    let unsafe_char = |c: char| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
    };
    if !text.contains(unsafe_char) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if unsafe_char(c) {
            escaped.extend(c.escape_default());
        } else {
            escaped.push(c);
        }
    }
    Cow::Owned(escaped)
}

/// A number of bytes for people, in the largest binary unit that fits.
pub(super) struct Size(pub(super) u64);

impl fmt::Display for Size {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [(30, "GiB"), (20, "MiB"), (10, "KiB")];
        for (shift, unit) in units {
            if self.0 >= 1 << shift && self.0.trailing_zeros() >= shift {
                return write!(out, "{} {unit}", self.0 >> shift);
            }
        }
        write!(out, "{} bytes", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_a_key_is_hidden_and_the_rest_is_not() {
        let table = [
            (
                "https://lists.blocklist.de/lists/all.txt",
                "https://lists.blocklist.de/lists/all.txt",
            ),
            (
                "https://me:hunter2@example.net/a",
                "https://***@example.net/a",
            ),
            (
                "https://me@example.net:8443/a#top",
                "https://***@example.net:8443/a",
            ),
            (
                "https://example.net/a?auth-key=short&limit=10",
                "https://example.net/a?auth-key=***&limit=10",
            ),
            (
                "https://example.net/a?q=0123456789abcdefg",
                "https://example.net/a?q=***",
            ),
            (
                "https://www.dan.me.uk/torlist/?exit",
                "https://www.dan.me.uk/torlist/?exit",
            ),
            (
                "https://example.net/?0123456789abcdef",
                "https://example.net/?***",
            ),
            (
                "https://data.phishtank.com/data/mykey/online-valid.csv",
                "https://data.phishtank.com/data/***/online-valid.csv",
            ),
            (
                "https://data.phishtank.com/data/online-valid.csv.gz",
                "https://data.phishtank.com/data/online-valid.csv.gz",
            ),
            (
                "https://example.net/v1/0f8fad5b-d9cb-469f-a165-70867728950e/list.txt",
                "https://example.net/v1/***/list.txt",
            ),
            (
                "https://example.net/lists/d41d8cd98f00b204e9800998ecf8427e.txt",
                "https://example.net/lists/***",
            ),
            (
                "https://example.net/token/abc/x",
                "https://example.net/token/***/x",
            ),
            (
                "https://example.net/Xk29fjQpLm38ZsWe71Ab/x",
                "https://example.net/***/x",
            ),
            (
                "https://raw.githubusercontent.com/borestad/blocklist-abuseipdb/main/abuseipdb-s100-1d.ipv4",
                "https://raw.githubusercontent.com/borestad/blocklist-abuseipdb/main/abuseipdb-s100-1d.ipv4",
            ),
            (
                "https://www.team-cymru.org/Services/Bogons/fullbogons-ipv4.txt",
                "https://www.team-cymru.org/Services/Bogons/fullbogons-ipv4.txt",
            ),
            (
                "https://isc.sans.edu/api/intelfeed?json",
                "https://isc.sans.edu/api/intelfeed?json",
            ),
            ("data:text/plain,1.2.3.4", "data:***"),
        ];
        for (url, shown) in table {
            assert_eq!(redact(&Url::parse(url).unwrap()), shown);
        }
    }

    #[test]
    fn strangers_text_stays_on_its_line() {
        assert_eq!(plain("a\u{1b}[2Jb\n"), "a\\u{1b}[2Jb\\n");
        assert_eq!(plain("\u{202e}x"), "\\u{202e}x");
        assert_eq!(plain("naïve"), "naïve");
    }

    #[test]
    fn sizes_are_exact() {
        assert_eq!(Size(64 << 20).to_string(), "64 MiB");
        assert_eq!(Size(1 << 30).to_string(), "1 GiB");
        assert_eq!(Size(1500).to_string(), "1500 bytes");
        assert_eq!(Size(0).to_string(), "0 bytes");
    }
}
