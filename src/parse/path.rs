//! Where things stand in JSON: JSON pointers (RFC 6901), and `*` for "each".

use std::fmt;

use thiserror::Error;

/// The way from the top of a JSON body to its items: `/data/list`, or `/*` for all values of an object
/// (all elements of a list). A bare word is a key at the top, and nothing is the top itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Path(Box<[Option<Box<str>>]>);

/// A text that is no way into a body.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PathError {
    /// `data/list`
    #[error("`{0}` may be a path or one key; write /{0}, or ~1 for a / in a key")]
    NoSlash(String),
    /// More steps than any feed has.
    #[error("the path has more than {} steps", Path::LONGEST)]
    Long,
}

/// One step of a way, as it is followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step<'a> {
    /// Into the value of a key.
    Key(&'a str),
    /// Into each element of a list.
    Element,
    /// Into each element of a list, or each value of an object.
    Each,
}

impl Path {
    /// The most steps that a path may have.
    pub const LONGEST: usize = 16;

    /// Reads a path as the config writes it. In a key `~1` stands for `/`, and `~0` for `~`; a key that
    /// is `*` itself cannot be written.
    ///
    /// # Errors
    /// [`PathError`] says what is wrong with it.
    pub fn try_new(text: &str) -> Result<Self, PathError> {
        if !text.starts_with('/') && text.contains('/') {
            return Err(PathError::NoSlash(text.to_owned()));
        }
        let steps = keys(text).map(|key| (&*key != "*").then_some(key));
        let steps: Box<[_]> = steps.collect();
        if steps.len() > Self::LONGEST {
            return Err(PathError::Long);
        }
        Ok(Self(steps))
    }

    /// Whether `*` stands in it, so that it leads to many places.
    #[must_use]
    pub fn is_many(&self) -> bool {
        self.0.iter().any(Option::is_none)
    }

    /// Whether it leads to `other`, or to a place inside of what `other` leads to.
    #[must_use]
    pub fn is_inside(&self, other: &Self) -> bool {
        let pairs = other.0.iter().zip(&self.0);
        let same = |(theirs, ours): (&Option<Box<str>>, &Option<Box<str>>)| {
            theirs.is_none() || theirs == ours
        };
        self.0.len() >= other.0.len() && pairs.into_iter().all(same)
    }

    /// The keys of a path to one place.
    pub(super) fn keys(&self) -> impl Iterator<Item = Box<str>> {
        self.0.iter().flatten().cloned()
    }

    pub(super) fn steps(&self) -> impl DoubleEndedIterator<Item = Step<'_>> {
        self.0.iter().map(|key| match key {
            Some(key) => Step::Key(key),
            None => Step::Each,
        })
    }
}

impl fmt::Display for Path {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for key in &self.0 {
            let key = key.as_deref().unwrap_or("*");
            write!(out, "/{}", key.replace('~', "~0").replace('/', "~1"))?;
        }
        Ok(())
    }
}

/// The keys of a pointer; a text without a leading slash is one key, and an empty one is none.
pub(super) fn keys(pointer: &str) -> impl Iterator<Item = Box<str>> {
    let (bare, steps) = match pointer.strip_prefix('/') {
        Some(steps) => (None, Some(steps)),
        None => (Some(pointer).filter(|key| !key.is_empty()), None),
    };
    let plain = |key: &str| key.replace("~1", "/").replace("~0", "~").into();
    let steps = steps.into_iter().flat_map(|steps| steps.split('/'));
    bare.map(Into::into).into_iter().chain(steps.map(plain))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_as_the_config_writes_them() {
        use Step::{Each, Key};
        let table: [(&str, &[Step<'_>]); 8] = [
            ("", &[]),
            ("data", &[Key("data")]),
            ("/data", &[Key("data")]),
            ("/data/list", &[Key("data"), Key("list")]),
            ("/*/ips", &[Each, Key("ips")]),
            ("/a~1b/~01", &[Key("a/b"), Key("~1")]),
            ("/", &[Key("")]),
            ("a.b", &[Key("a.b")]),
        ];
        for (text, steps) in table {
            let path = Path::try_new(text).unwrap();
            assert!(path.steps().eq(steps.iter().copied()), "{text}");
            assert_eq!(Path::try_new(&path.to_string()), Ok(path), "{text}");
        }
        assert_eq!(
            Path::try_new("data/list"),
            Err(PathError::NoSlash("data/list".into()))
        );
        assert_eq!(Path::try_new(&"/a".repeat(17)), Err(PathError::Long));
    }
}
