//! `[guard]`

use crate::model::Indicator;
use crate::parse::MinPrefix;

use super::section::{Found, Item, Problems, Section};
use super::value::{absolute, array, boolean, shown, text, whole, wrong};
use super::{Guard, defaults, keys};

/// Reads `[guard]`; rules elsewhere look at `allow_private` too.
pub(super) fn read(section: &mut Section<'_>) -> (Guard, Found<bool>) {
    let min_prefix = min_prefix(section);
    let allow_private = section.read("allow_private", defaults::ALLOW_PRIVATE, boolean);
    let takes = r#"an array such as ["198.51.100.0/24", "example.org"]"#;
    let allow = section.read("allow", Vec::new(), array(takes, allowed));
    let takes = r#"an array such as ["/etc/feedwall/allow.d/*.txt"]"#;
    let files = section.read("files", Vec::new(), array(takes, pattern));
    for indicator in &allow.value {
        let wide = indicator.net().is_some_and(|net| {
            net.prefix_len()
                < if net.addr().is_ipv4() {
                    min_prefix.v4
                } else {
                    min_prefix.v6
                }
        });
        if wide {
            section.warn(
                &allow.at,
                format!("{indicator} is very wide: nothing inside it can be blocked"),
            );
        }
    }
    let guard = Guard {
        min_prefix,
        allow_private: allow_private.value,
        allow: allow.value,
        files: files.value,
        lists: Vec::new(),
    };
    (guard, allow_private)
}

fn min_prefix(section: &mut Section<'_>) -> MinPrefix {
    let Some(mut inner) = section.inner("min_prefix", keys::MIN_PREFIX, "{ v4 = 8, v6 = 16 }")
    else {
        return defaults::MIN_PREFIX;
    };
    let min_prefix = MinPrefix {
        v4: inner
            .read("v4", defaults::MIN_PREFIX.v4, whole(1..=32))
            .value,
        v6: inner
            .read("v6", defaults::MIN_PREFIX.v6, whole(1..=128))
            .value,
    };
    section.absorb(inner);
    min_prefix
}

fn allowed(item: &Item<'_>) -> Result<Indicator, Problems> {
    let written = text(item, "an address, a network or a domain in quotes")?;
    Indicator::try_new(written)
        .or_else(|broken| wrong(format!("{} cannot be allowed: {broken}", shown(written))))
}

fn pattern(item: &Item<'_>) -> Result<String, Problems> {
    let written = text(item, "a path in quotes, in which * stands for any name")?;
    absolute(written)?;
    match glob::Pattern::new(written) {
        Ok(_) => Ok(written.to_owned()),
        Err(broken) => wrong(format!(
            "{} is no pattern: {} at character {}",
            shown(written),
            broken.msg,
            broken.pos + 1
        )),
    }
}
