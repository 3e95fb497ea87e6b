//! journald's own protocol (<https://systemd.io/JOURNAL_NATIVE_PROTOCOL/>): one datagram an event, one field a value.
//!
//! `MESSAGE` is the sentence with its values behind it, as on a terminal, so that `journalctl` alone says which feed it
//! was; each value also stands in a field of its own, to be asked for.

use std::fmt::{self, Write as _};
use std::io;
use std::os::fd::AsFd as _;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::net::UnixDatagram;
use std::path::Path;

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

/// Where journald listens.
const SOCKET: &str = "/run/systemd/journal/socket";

/// A longer datagram may not go through; what is longer is cut, for no event of ours should be.
const LONGEST: usize = 32 * 1024;

/// A connection to the journal.
pub struct Journal {
    socket: UnixDatagram,
}

/// The values of an event.
#[derive(Default)]
struct Values {
    message: String,
    /// Behind the message: ` feed=drop listed=7`.
    told: String,
    /// As datagram fields.
    fields: Vec<u8>,
}

/// Whether standard error is a stream that the journal reads: `JOURNAL_STREAM` names its device and inode.
pub fn reads_standard_error() -> bool {
    let Some(stream) = std::env::var_os("JOURNAL_STREAM") else {
        return false;
    };
    let file = io::stderr()
        .as_fd()
        .try_clone_to_owned()
        .map(std::fs::File::from);
    let Ok(metadata) = file.and_then(|file| file.metadata()) else {
        return false;
    };
    stream.to_str() == Some(&format!("{}:{}", metadata.dev(), metadata.ino()))
}

impl Journal {
    /// Connects to the journal of this machine.
    pub fn connect() -> io::Result<Self> {
        Self::at(Path::new(SOCKET))
    }

    fn at(path: &Path) -> io::Result<Self> {
        let socket = UnixDatagram::unbound()?;
        socket.connect(path)?;
        Ok(Self { socket })
    }
}

impl<S: Subscriber> Layer<S> for Journal {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut values = Values::default();
        event.record(&mut values);
        let mut datagram = Vec::new();
        let message = values.message + &values.told;
        put(&mut datagram, "MESSAGE", cut(&message));
        put(
            &mut datagram,
            "PRIORITY",
            priority(*event.metadata().level()),
        );
        put(&mut datagram, "SYSLOG_IDENTIFIER", "feedwall");
        if datagram.len() + values.fields.len() <= LONGEST {
            datagram.extend(values.fields);
        }
        // There is nobody else to tell that the journal does not listen.
        let _ = self.socket.send(&datagram);
    }
}

impl Visit for Values {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value, &format!("{value:?}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let text = format!("{value:?}");
        self.put(field, &text, &text);
    }
}

impl Values {
    fn put(&mut self, field: &Field, value: &str, quoted: &str) {
        if field.name() == "message" {
            value.clone_into(&mut self.message);
            return;
        }
        // Writing to a String cannot fail.
        let _ = write!(self.told, " {}={quoted}", field.name());
        let name: String = field.name().chars().map(field_sign).collect();
        put(&mut self.fields, &format!("FEEDWALL_{name}"), value);
    }
}

/// A field's name is of capitals, digits and underscores.
fn field_sign(sign: char) -> char {
    if sign.is_ascii_alphanumeric() {
        sign.to_ascii_uppercase()
    } else {
        '_'
    }
}

/// A value with a line feed is preceded by its length.
fn put(datagram: &mut Vec<u8>, name: &str, value: &str) {
    datagram.extend(name.as_bytes());
    if value.contains('\n') {
        datagram.push(b'\n');
        datagram.extend((value.len() as u64).to_le_bytes());
    } else {
        datagram.push(b'=');
    }
    datagram.extend(value.as_bytes());
    datagram.push(b'\n');
}

fn cut(text: &str) -> &str {
    let mut end = text.len().min(LONGEST / 2);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}

/// syslog's numbers, as systemd's own Rust programs use them.
fn priority(level: Level) -> &'static str {
    match level {
        Level::ERROR => "3",
        Level::WARN => "4",
        Level::INFO => "6",
        Level::DEBUG | Level::TRACE => "7",
    }
}

#[cfg(test)]
mod tests {
    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;

    fn said(event: impl FnOnce()) -> Vec<u8> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let ear = UnixDatagram::bind(&path).unwrap();
        let subscriber = tracing_subscriber::registry().with(Journal::at(&path).unwrap());
        tracing::subscriber::with_default(subscriber, event);
        let mut datagram = vec![0; 64 * 1024];
        ear.set_nonblocking(true).unwrap();
        let length = ear.recv(&mut datagram).unwrap();
        datagram.truncate(length);
        datagram
    }

    #[test]
    fn the_sentence_says_all_and_each_value_has_its_field() {
        let datagram = said(
            || tracing::warn!(feed = %"drop", why = "too small", duration_ms = 7, "feed held"),
        );
        let text = String::from_utf8(datagram).unwrap();
        assert_eq!(
            text,
            "MESSAGE=feed held feed=drop why=\"too small\" duration_ms=7\nPRIORITY=4\n\
             SYSLOG_IDENTIFIER=feedwall\nFEEDWALL_FEED=drop\nFEEDWALL_WHY=too small\nFEEDWALL_DURATION_MS=7\n"
        );
    }

    #[test]
    fn a_line_feed_in_a_value_makes_no_field() {
        let datagram = said(|| tracing::info!(why = "a\nPRIORITY=0", "held"));
        let expected = b"FEEDWALL_WHY\n\x0c\0\0\0\0\0\0\0a\nPRIORITY=0\n";
        assert!(
            datagram.ends_with(expected),
            "{}",
            String::from_utf8_lossy(&datagram)
        );
        assert!(datagram.starts_with(b"MESSAGE=held why=\"a\\nPRIORITY=0\"\n"));
    }

    #[test]
    fn what_is_too_long_is_cut() {
        let long = "é".repeat(LONGEST);
        let datagram = said(|| tracing::error!(why = %long, "held"));
        assert!(datagram.len() < LONGEST && datagram.starts_with("MESSAGE=held why=é".as_bytes()));
    }
}
