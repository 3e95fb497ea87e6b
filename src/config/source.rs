//! Where a feed comes from, and how it is asked for.

use std::path::PathBuf;

use reqwest::header::HeaderName;
use url::Url;

use crate::fetch::{HttpSource, Login, Source, Value};

use super::address::{self, Address, Ground};
use super::preset::Taken;
use super::section::{Found, Item, Origin, Problems, Section};
use super::value::{absolute, text, wrong};
use super::words::Protocol;
use super::{sent, value};

/// What may go along with a request.
#[derive(Debug)]
struct Along {
    url_key: Found<Option<Value>>,
    header: Found<Vec<(HeaderName, Value)>>,
    query: Found<Vec<(String, Value)>>,
    auth: Found<Option<Login>>,
    proxy: Found<Option<Url>>,
    ca_file: Found<Option<PathBuf>>,
}

/// Reads what `[defaults]` may hold of it, to tell what is wrong there.
pub(super) fn read_defaults(section: &mut Section<'_>) {
    along(section);
}

/// Reads where a feed comes from; the `protocol` belongs to its format.
pub(super) fn read(
    section: &mut Section<'_>,
    preset: &Taken,
    protocol: &Found<Protocol>,
    allow_private: &Found<bool>,
) -> Option<Found<Source>> {
    let along = along(section);
    let (url, path) = (section.origin("url"), section.origin("path"));
    if (url, path) == (Origin::Own, Origin::Own) {
        let whole = section.at("", Origin::BuiltIn);
        section.fault(&whole, "has both `url` and `path`; keep one of them");
        return None;
    }
    if url < path {
        let url = section.need("url", "", address::feed_url)?;
        return match url.value {
            Address::Web(address) => {
                let url = Found {
                    value: address,
                    at: url.at,
                };
                judge_url(section, &url, protocol.value, &along, allow_private);
                along.remark(section);
                let source = protocol.value.source(along.into_http(url.value));
                Some(Found {
                    value: source,
                    at: url.at,
                })
            }
            Address::File(path) => {
                let file = Found {
                    value: Source::File(path),
                    at: url.at,
                };
                along.refuse(section, protocol);
                Some(file)
            }
        };
    }
    if path == Origin::BuiltIn {
        let whole = section.at("", Origin::BuiltIn);
        if !preset.is_faulty() {
            section.fault(
                &whole,
                "names no source; give it a `url`, a `path` or a `preset`",
            );
        }
        return None;
    }
    let path = section.need("path", "", file_or_files)?;
    along.refuse(section, protocol);
    Some(path)
}

fn along(section: &mut Section<'_>) -> Along {
    Along {
        url_key: section.read("url_key", None, sent::url_key),
        header: section.read("header", Vec::new(), sent::headers),
        query: section.read("query", Vec::new(), sent::query),
        auth: section.read("auth", None, sent::login),
        proxy: section.read("proxy", None, address::proxy),
        ca_file: section.read("ca_file", None, |item| match item.get_ref().as_str() {
            Some("off") => Ok(None),
            _ => value::path(item).map(Some),
        }),
    }
}

fn judge_url(
    section: &mut Section<'_>,
    url: &Found<Url>,
    protocol: Protocol,
    along: &Along,
    allow_private: &Found<bool>,
) {
    let ground = address::ground(&url.value);
    section.rule(&[&url.at], ground != Ground::Nowhere, || {
        "no feed can stand at this address".to_owned()
    });
    let open = matches!(ground, Ground::Public | Ground::Nowhere) || allow_private.value;
    section.rule(&[&url.at, &allow_private.at], open, || {
        "the host is a private address; if that is meant, set `allow_private = true` in [guard]"
            .to_owned()
    });
    let key = &along.url_key;
    let place = address::has_key_place(&url.value);
    let told = url.at.origin == Origin::Preset;
    section.rule(&[&url.at, &key.at], !place || key.value.is_some() || told, || {
        "has a place for a key, `{key}`, and nothing says which; write `url_key = { file = \"/path\" }`".to_owned()
    });
    section.rule(&[&key.at, &url.at], place || key.value.is_none(), || {
        "has no place to go to; write `{key}` into the path of the `url`".to_owned()
    });
    // A TAXII collection's own name looks like a key.
    let plain = protocol == Protocol::Plain && url.at.origin == Origin::Own;
    if plain && !place && address::seems_keyed(&url.value) {
        section.warn(
            &url.at,
            "a part of it looks like a key, which `check --print` would show; if it is one, write `{key}` in its place, and where the key is found as `url_key`",
        );
    }
}

/// A path from `/`, or a pattern of such paths.
fn file_or_files(item: &Item<'_>) -> Result<Source, Problems> {
    let written = text(item, "a path in quotes")?;
    absolute(written)?;
    if let Err(broken) = glob::Pattern::new(written) {
        return wrong(format!(
            "is no pattern of paths: {} at character {}",
            broken.msg,
            broken.pos + 1
        ));
    }
    Ok(Source::path(written))
}

impl Along {
    fn into_http(self, url: Url) -> HttpSource {
        HttpSource {
            path_key: self.url_key.value,
            headers: self.header.value,
            query: self.query.value,
            login: self.auth.value,
            proxy: self.proxy.value,
            ca_file: self.ca_file.value,
            ..HttpSource::from(url)
        }
    }

    /// Remarks on what may be keys.
    fn remark(&self, section: &mut Section<'_>) {
        let headers = self.header.value.iter();
        let headers = headers.map(|(name, value)| (name.as_str(), value));
        sent::remark(section, &self.header.at, headers);
        let query = self.query.value.iter();
        let query = query.map(|(name, value)| (name.as_str(), value));
        sent::remark(section, &self.query.at, query);
        let login = self.auth.value.iter().map(|login| match login {
            Login::Basic(_, password) => ("password", password),
            Login::Bearer(token) => ("bearer", token),
        });
        sent::remark(section, &self.auth.at, login);
        let key = self.url_key.value.iter().map(|key| ("url_key", key));
        sent::remark(section, &self.url_key.at, key);
    }

    /// Refuses it all where nobody is asked.
    fn refuse(&self, section: &mut Section<'_>, protocol: &Found<Protocol>) {
        let asked = [
            &self.url_key.at,
            &self.header.at,
            &self.query.at,
            &self.auth.at,
            &self.proxy.at,
            &self.ca_file.at,
        ];
        for at in asked.into_iter().filter(|at| at.origin == Origin::Own) {
            section.fault(
                at,
                "has no effect: a file is read, and nobody is asked; remove it",
            );
        }
        let word = protocol.value.in_a_file();
        section.rule(&[&protocol.at], word.is_none(), || {
            let word = word.unwrap_or_default();
            format!("asks a server, and the feed is a file; for a file write {word:?}")
        });
    }
}
