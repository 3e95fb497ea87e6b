//! Every key of the config's language: built, or known and refused by name.

/// A key that may be written, or will be one day.
#[derive(Clone, Copy, Debug)]
pub(super) struct Key {
    pub name: &'static str,
    /// How it is written in a message: `interval`, `[guard]`, `[[feed]]`.
    pub shown: &'static str,
    pub state: State,
}

/// What becomes of a key that is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// It is read.
    Built,
    /// It is read, but not from `[defaults]`: no two feeds share it.
    Own,
    /// It is refused, and the text says what that means for the operator.
    Later(&'static str),
}

const fn built(name: &'static str) -> Key {
    section(name, name)
}

const fn own(name: &'static str) -> Key {
    Key {
        name,
        shown: name,
        state: State::Own,
    }
}

const fn section(name: &'static str, shown: &'static str) -> Key {
    Key {
        name,
        shown,
        state: State::Built,
    }
}

const fn later(name: &'static str, shown: &'static str, what: &'static str) -> Key {
    Key {
        name,
        shown,
        state: State::Later(what),
    }
}

/// The sections.
pub(super) const ROOT: &[Key] = &[
    section("ledger", "[ledger]"),
    section("http", "[http]"),
    section("fetch", "[fetch]"),
    section("defaults", "[defaults]"),
    section("guard", "[guard]"),
    section("feed", "[[feed]]"),
    section("firewall", "[[firewall]]"),
    section("l4", "[l4]"),
];

/// `[ledger]`
pub(super) const LEDGER: &[Key] = &[built("path"), built("keep_history")];

/// `[http]`
pub(super) const HTTP: &[Key] = &[built("listen"), built("token")];

/// `[fetch]`
pub(super) const FETCH: &[Key] = &[built("contact")];

/// `[guard]`
pub(super) const GUARD: &[Key] = &[
    built("min_prefix"),
    built("allow_private"),
    built("allow"),
    built("files"),
    section("list", "[[guard.list]]"),
];

/// `[guard] min_prefix`
pub(super) const MIN_PREFIX: &[Key] = &[built("v4"), built("v6")];

/// `[[guard.list]]`
pub(super) const GUARD_LIST: &[Key] = &[
    own("name"),
    own("preset"),
    own("url"),
    own("url_key"),
    own("path"),
    own("format"),
    own("column"),
    own("where"),
    own("delimiter"),
    own("separator"),
    own("items"),
    own("made_at"),
    own("member"),
    own("header"),
    own("query"),
    own("auth"),
    built("proxy"),
    built("ca_file"),
    own("interval"),
    own("max_stale"),
    own("may_be_empty"),
    own("min_entries"),
    own("max_entries"),
    own("max_shrink"),
    own("max_growth"),
    built("max_size"),
    built("max_unpacked"),
    built("timeout"),
];

/// `[[feed]]` and `[defaults]`
pub(super) const FEED: &[Key] = &[
    own("name"),
    own("preset"),
    own("url"),
    own("url_key"),
    own("path"),
    built("format"),
    built("column"),
    built("confidence_column"),
    built("date_column"),
    built("expires_column"),
    built("where"),
    built("delimiter"),
    built("separator"),
    built("items"),
    built("made_at"),
    built("observables"),
    built("to_ids"),
    built("member"),
    own("header"),
    own("query"),
    own("auth"),
    built("proxy"),
    built("ca_file"),
    built("interval"),
    built("ttl"),
    built("confidence"),
    built("direction"),
    built("list"),
    built("mode"),
    built("on_delist"),
    built("max_age"),
    built("urls"),
    built("max_stale"),
    built("may_be_empty"),
    built("min_entries"),
    built("max_entries"),
    built("max_shrink"),
    built("max_growth"),
    built("max_size"),
    built("max_unpacked"),
    built("timeout"),
    later("tls", "tls", "nothing about TLS can be set but `ca_file`"),
];

/// `[[firewall]]`
pub(super) const FIREWALL: &[Key] = &[
    built("name"),
    built("kind"),
    built("site"),
    built("endpoint"),
    built("accept"),
    built("rate"),
    built("batch"),
    built("quota"),
    built("reserve"),
    built("margin"),
    built("expand_networks"),
    built("max_delete"),
    built("lease"),
    built("grid"),
    built("min_term"),
    built("reconcile_interval"),
    built("confirm_after"),
    built("time_zone"),
    built("credentials"),
];

/// `[l4]`
pub(super) const L4: &[Key] = &[
    built("site"),
    built("endpoint"),
    built("rate"),
    built("credentials"),
];

/// `[[firewall]] credentials`
pub(super) const CREDENTIALS: &[Key] =
    &[built("source"), built("env"), built("file"), built("role")];

/// Says what is wrong with a key that is not to be read; `None` for one that is.
///
/// `name` is the key, `shown` how the file writes it, and `in_defaults` whether it stands in `[defaults]`.
pub(super) fn refusal(keys: &[Key], name: &str, shown: &str, in_defaults: bool) -> Option<String> {
    let Some(key) = keys.iter().find(|key| key.name == name) else {
        return Some(unknown(keys, name, shown));
    };
    match key.state {
        State::Built => None,
        State::Own if !in_defaults => None,
        State::Own => Some(format!(
            "`{name}` cannot be shared by feeds; write it into each [[feed]]"
        )),
        State::Later(what) => Some(format!(
            "`{}` is not built yet: {what}; remove it",
            key.shown
        )),
    }
}

/// Whether sections share the key, so that `[defaults]` may hold it for them.
pub(super) fn is_shared(keys: &[Key], name: &str) -> bool {
    keys.iter()
        .any(|key| key.name == name && key.state == State::Built)
}

fn unknown(keys: &[Key], name: &str, shown: &str) -> String {
    let what = if shown.starts_with('[') {
        "section"
    } else {
        "key"
    };
    let advice = if let Some(home) = home(name) {
        format!("it belongs in {home}")
    } else if let Some(near) = nearest(name, keys.iter().map(|key| key.name)) {
        let near = keys.iter().find(|key| key.name == near);
        format!("did you mean `{}`?", near.map_or("", |key| key.shown))
    } else {
        let known: Vec<_> = keys
            .iter()
            .filter(|key| !matches!(key.state, State::Later(_)))
            .map(|key| key.shown)
            .collect();
        format!("known here: {}", known.join(", "))
    };
    format!("unknown {what} `{}`; {advice}", shown.escape_debug())
}

/// The word that `name` was probably meant to be: one slip, and one more for each five letters; the first
/// of several that are equally near.
pub(crate) fn nearest<'a>(name: &str, words: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let name = name.to_lowercase();
    words
        .map(|word| (strsim::damerau_levenshtein(&name, word), word))
        .filter(|(slips, word)| *slips <= 1 + word.len() / 5 && *slips < word.len())
        .min_by_key(|(slips, _)| *slips)
        .map(|(_, word)| word)
}

/// The section in which a key of exactly that name is known.
fn home(name: &str) -> Option<&'static str> {
    [
        (LEDGER, "[ledger]"),
        (HTTP, "[http]"),
        (FETCH, "[fetch]"),
        (GUARD, "[guard]"),
        (FEED, "[[feed]] or [defaults]"),
        (FIREWALL, "[[firewall]]"),
        (L4, "[l4]"),
    ]
    .into_iter()
    .find(|(keys, _)| keys.iter().any(|key| key.name == name))
    .map(|(_, section)| section)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_near() {
        let words = || FEED.iter().map(|key| key.name);
        for (slip, meant) in [
            ("intervall", Some("interval")),
            ("Interval", Some("interval")),
            ("min-entries", Some("min_entries")),
            ("max_groth", Some("max_growth")),
            ("tll", Some("ttl")),
            ("batch", None),
            ("frequency", None),
            ("x", None),
        ] {
            assert_eq!(nearest(slip, words()), meant, "{slip}");
        }
    }
}
