//! Where keys come from. They are read anew for every fetch, so that a rotated key needs no restart.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use secrecy::SecretString;

use super::redact::plain;

/// The place of a key, never the key itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Secret {
    /// A file that holds nothing else; a line end after it does not count.
    File(PathBuf),
    /// An environment variable.
    Env(String),
    /// A systemd credential: a file of this name in `$CREDENTIALS_DIRECTORY` (systemd.exec(5), `LoadCredential=`).
    Credential(String),
}

/// Why a key cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// No such variable.
    #[error("the environment variable {name} is not set")]
    NoVariable {
        /// Its name.
        name: String,
    },
    /// No credentials at all, or a name that cannot be one.
    #[error(
        "the credential {name} was not given to this service; add LoadCredential={name}:/path/of/the/key to its unit"
    )]
    NoCredential {
        /// Its name.
        name: String,
    },
    /// The file cannot be read.
    #[error(
        "the key file {path} cannot be read: {reason}; check that it exists and that the service's user may read it"
    )]
    Unreadable {
        /// Its path.
        path: String,
        /// What the system says.
        reason: io::Error,
    },
    /// Not one line of text.
    #[error("{place} holds no key: it is {kind}")]
    NoKey {
        /// The file or variable.
        place: String,
        /// What it is instead.
        kind: &'static str,
    },
}

/// The environment as a function, so that a test can have its own.
pub type Environment<'a> = &'a dyn Fn(&str) -> Option<OsString>;

impl Secret {
    /// No key is longer.
    const LONGEST: u64 = 16 << 10;

    /// Reads the key.
    ///
    /// # Errors
    /// When it is not there, or is not one line of text.
    pub fn read(&self, environment: Environment<'_>) -> Result<SecretString, SecretError> {
        match self {
            Self::File(path) => read_file(path),
            Self::Env(name) => {
                let value = environment(name).ok_or_else(|| SecretError::NoVariable {
                    name: plain(name).into_owned(),
                })?;
                one_line(value.into_encoded_bytes(), || {
                    format!("the environment variable {}", plain(name))
                })
            }
            Self::Credential(name) => {
                let given = environment("CREDENTIALS_DIRECTORY")
                    .filter(|_| !name.contains('/') && !matches!(name.as_str(), "" | "." | ".."))
                    .map(|directory| Path::new(&directory).join(name))
                    .filter(|path| path.exists());
                let path = given.ok_or_else(|| SecretError::NoCredential {
                    name: plain(name).into_owned(),
                })?;
                read_file(&path)
            }
        }
    }
}

fn read_file(path: &Path) -> Result<SecretString, SecretError> {
    let shown = plain(&path.to_string_lossy()).into_owned();
    let mut bytes = Vec::new();
    let read = || {
        if !std::fs::metadata(path)?.is_file() {
            return Err(io::Error::other("it is not a file"));
        }
        File::open(path)?
            .take(Secret::LONGEST + 1)
            .read_to_end(&mut bytes)
    };
    match { read }() {
        Ok(_) => one_line(bytes, || format!("the key file {shown}")),
        Err(reason) => Err(SecretError::Unreadable {
            path: shown,
            reason,
        }),
    }
}

fn one_line(bytes: Vec<u8>, place: impl Fn() -> String) -> Result<SecretString, SecretError> {
    let fault = |kind| SecretError::NoKey {
        place: place(),
        kind,
    };
    if bytes.len() as u64 > Secret::LONGEST {
        return Err(fault("too long"));
    }
    let text = String::from_utf8(bytes).map_err(|_| fault("not text"))?;
    let line = text.trim_end_matches(['\r', '\n']);
    if line.trim().is_empty() {
        return Err(fault("empty"));
    }
    if line.chars().any(char::is_control) {
        return Err(fault("more than one line, or has control characters"));
    }
    Ok(SecretString::from(line))
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    fn read(secret: &Secret, directory: &Path) -> Result<String, String> {
        let environment = |name: &str| match name {
            "FEED_KEY" => Some("from-the-environment".into()),
            "EMPTY" => Some("".into()),
            "CREDENTIALS_DIRECTORY" => Some(directory.into()),
            _ => None,
        };
        secret
            .read(&environment)
            .map(|key| key.expose_secret().to_owned())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn keys_come_from_files_variables_and_credentials() {
        let dir = tempfile::tempdir().unwrap();
        let file = |name: &str, bytes: &[u8]| {
            let path = dir.path().join(name);
            std::fs::write(&path, bytes).unwrap();
            Secret::File(path)
        };
        let long = vec![b'k'; 20_000];
        let table = [
            (file("a", b"from-a-file\r\n"), Ok("from-a-file")),
            (file("b", b"rotated"), Ok("rotated")),
            (Secret::Env("FEED_KEY".into()), Ok("from-the-environment")),
            (Secret::Credential("a".into()), Ok("from-a-file")),
            (file("c", b"\n"), Err("it is empty")),
            (file("d", b"two\nlines\n"), Err("more than one line")),
            (file("e", b"\xff\xfe"), Err("not text")),
            (file("f", &long), Err("too long")),
            (Secret::File(dir.path().to_owned()), Err("not a file")),
            (
                Secret::File("/nonexistent/key".into()),
                Err("cannot be read"),
            ),
            (Secret::Env("NOT_SET".into()), Err("is not set")),
            (Secret::Env("EMPTY".into()), Err("it is empty")),
            (Secret::Credential("z".into()), Err("LoadCredential=z:")),
            (Secret::Credential("../a".into()), Err("was not given")),
        ];
        for (secret, expected) in table {
            match (read(&secret, dir.path()), expected) {
                (Ok(key), Ok(expected)) => assert_eq!(key, expected),
                (Err(error), Err(part)) => assert!(error.contains(part), "{error}"),
                (read, _) => panic!("{secret:?}: {read:?}"),
            }
        }
    }
}
