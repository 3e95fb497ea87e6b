//! The places where keys are looked for, and their order.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use url::Url;

use super::files::{self, Found};
use super::{CredentialError, CredentialSource, Credentials, Keys, role};

/// The metadata service of the vendor's machines, at the list of roles.
pub const METADATA: &str =
    "http://metadata.tencentyun.com/latest/meta-data/cam/security-credentials/";

/// Looks up an environment variable.
type Environment = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// What of the machine the search for keys can see, so that a test can be a machine of its own.
#[derive(Clone)]
pub struct Surroundings {
    environment: Environment,
    home: Option<PathBuf>,
    etc: PathBuf,
    metadata: Option<Url>,
}

impl Surroundings {
    /// This process's environment and home directory, `/etc`, and the vendor's metadata service.
    #[must_use]
    pub fn of_this_process() -> Self {
        Self {
            environment: Arc::new(|name| std::env::var(name).ok()),
            home: std::env::home_dir().filter(|home| home.is_absolute()),
            etc: PathBuf::from("/etc"),
            metadata: Url::parse(METADATA).ok(),
        }
    }

    /// A machine with this environment, and with `home` and `etc` under `root`; without a metadata service.
    #[must_use]
    pub fn at(
        root: &Path,
        environment: impl Fn(&str) -> Option<String> + Send + Sync + 'static,
    ) -> Self {
        Self {
            environment: Arc::new(environment),
            home: Some(root.join("home")),
            etc: root.join("etc"),
            metadata: None,
        }
    }

    /// The same with another metadata service: the address of its list of roles, with a slash at the end.
    #[must_use]
    pub fn with_metadata(self, roles: Url) -> Self {
        Self {
            metadata: Some(roles),
            ..self
        }
    }

    fn variable(&self, name: &str) -> Option<String> {
        (self.environment)(name)
    }
}

impl fmt::Debug for Surroundings {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The environment holds keys.
        out.debug_struct("Surroundings")
            .field("home", &self.home)
            .field("etc", &self.etc)
            .field("metadata", &self.metadata)
            .finish_non_exhaustive()
    }
}

/// What looking at one place gives: keys, or why it was passed over.
type Look = Result<Result<Keys, String>, CredentialError>;

impl Credentials {
    pub(super) async fn find(&self) -> Result<Keys, CredentialError> {
        let looked = match &self.source {
            CredentialSource::Auto => return self.find_anywhere().await,
            CredentialSource::Env(prefix) => self.environment(prefix),
            CredentialSource::File(path) => self.file(path),
            CredentialSource::Role(name) => self.role(Some(name)).await,
        };
        looked?.map_err(|why| CredentialError::NotFound { looked: vec![why] })
    }

    async fn find_anywhere(&self) -> Result<Keys, CredentialError> {
        let mut looked = Vec::new();
        for place in [
            Self::systemd,
            |this: &Self| this.environment("TENCENTCLOUD"),
            |this: &Self| this.at_home(".tencentcloud/credentials"),
            |this: &Self| this.file_if_there(&this.around.etc.join("tencentcloud/credentials")),
            |this: &Self| this.at_home(".tccli/default.credential"),
        ] {
            match place(self)? {
                Ok(keys) => return Ok(keys),
                Err(why) => looked.push(why),
            }
        }
        match self.role(None).await {
            Ok(Ok(keys)) => return Ok(keys),
            Ok(Err(why)) => looked.push(why),
            Err(fault) => looked.push(format!("the role of this machine ({fault})")),
        }
        Err(CredentialError::NotFound { looked })
    }

    fn systemd(&self) -> Look {
        let Some(directory) = self.around.variable("CREDENTIALS_DIRECTORY") else {
            return Ok(Err("systemd's credentials (none were passed in)".into()));
        };
        let directory = Path::new(&directory);
        let read = |name: &str| {
            let path = directory.join(name);
            files::text(&path).map_err(|fault| CredentialError::Unreadable {
                place: format!("systemd credential {}", path.display()),
                fault,
            })
        };
        let found = Found::new(read("secret_id")?, read("secret_key")?, read("token")?);
        let place = format!("systemd credential secret_id in {}", directory.display());
        match found.keys(&place)? {
            Some(keys) => Ok(Ok(keys)),
            None => self.file_if_there(&directory.join("tencentcloud")),
        }
    }

    fn environment(&self, prefix: &str) -> Look {
        let names = ["SECRET_ID", "SECRET_KEY", "TOKEN"].map(|part| format!("{prefix}_{part}"));
        let [id, key, token] = names.each_ref().map(|name| self.around.variable(name));
        let place = format!("environment {prefix}_SECRET_ID");
        let found = Found::new(
            id.map(Into::into),
            key.map(Into::into),
            token.map(Into::into),
        );
        Ok(found.keys(&place)?.ok_or(place))
    }

    fn at_home(&self, name: &str) -> Look {
        match &self.around.home {
            Some(home) => self.file_if_there(&home.join(name)),
            None => Ok(Err(format!("file ~/{name} (there is no home directory)"))),
        }
    }

    /// A file that need not be there, nor be ours to read: a hardened service cannot see `/root`.
    fn file_if_there(&self, path: &Path) -> Look {
        match self.file(path) {
            Err(CredentialError::Unreadable { place, fault })
                if matches!(
                    fault.kind(),
                    io::ErrorKind::NotFound
                        | io::ErrorKind::NotADirectory
                        | io::ErrorKind::PermissionDenied
                ) =>
            {
                Ok(Err(match fault.kind() {
                    io::ErrorKind::PermissionDenied => format!("{place} (may not be read)"),
                    _ => place,
                }))
            }
            look => look,
        }
    }

    fn file(&self, path: &Path) -> Look {
        let place = format!("file {}", path.display());
        let unreadable = |fault| CredentialError::Unreadable {
            place: place.clone(),
            fault,
        };
        let text = files::text(path)
            .and_then(|text| text.ok_or_else(|| io::ErrorKind::NotFound.into()))
            .map_err(unreadable)?;
        let found = files::parse(&text).map_err(|why| CredentialError::Malformed {
            place: place.clone(),
            why,
        })?;
        Ok(found
            .keys(&place)?
            .ok_or_else(|| format!("{place} (holds no keys)")))
    }

    async fn role(&self, name: Option<&str>) -> Look {
        let Some(roles) = &self.around.metadata else {
            return Ok(Err("the role of this machine (no metadata service)".into()));
        };
        let keys = role::fetch(&self.http, roles, name).await?;
        Ok(keys.ok_or_else(|| "the role of this machine (it has none)".into()))
    }
}
