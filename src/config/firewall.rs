//! `[[firewall]]`

use std::time::Duration;

use url::Url;

use crate::model::{Class, Name};
use crate::plan::{FirewallTerms, Quota};

use super::address::{self, Ground};
use super::section::{Found, Item, Problems, Section};
use super::value::{
    LONGEST, SECOND, array, duration, duration_text, number, rate, whole, word, wrong, zone,
};
use super::{CredentialSource, Firewall, credentials, defaults, value, words};

/// One firewall as read, with the places that rules across sections look at.
#[derive(Debug)]
pub(super) struct FirewallRead {
    pub name: Option<Found<Name>>,
    pub endpoint: Found<Url>,
    pub credentials: Found<CredentialSource>,
    /// Absent where the name cannot be read; other faults leave fillers in it.
    pub firewall: Option<Firewall>,
}

/// How leases are cut, while the rules between them are checked.
#[derive(Debug)]
struct Times {
    lease: Found<Duration>,
    grid: Found<Duration>,
    min_term: Found<Duration>,
    confirm_after: Found<Duration>,
}

/// Reads one `[[firewall]]`; `None` only where a built-in endpoint is no URL, which a test excludes.
pub(super) fn read(section: &mut Section<'_>, allow_private: &Found<bool>) -> Option<FirewallRead> {
    let name = section.need("name", "is missing; each firewall needs one", value::name);
    section.read("kind", (), word(words::KINDS));
    let site = section
        .read("site", defaults::SITE, word(words::SITES))
        .value;
    let official = Url::parse(site.endpoint()).ok()?;
    let endpoint = section.read("endpoint", official, address::endpoint);
    let open = address::ground(&endpoint.value) != Ground::Private || allow_private.value;
    section.rule(&[&endpoint.at, &allow_private.at], open, || {
        "the host is a private address; if that is meant, set `allow_private = true` in [guard]"
            .to_owned()
    });
    let rate = section.read("rate", defaults::RATE, rate).value;
    let times = times(section);
    let reconcile = duration(SECOND..=LONGEST);
    let reconcile_interval = section
        .read(
            "reconcile_interval",
            defaults::RECONCILE_INTERVAL,
            reconcile,
        )
        .value;
    let time_zone = section.read("time_zone", defaults::TIME_ZONE, zone).value;
    let credentials = credentials::read(section);
    let terms = terms(section, &times);
    let firewall = name.as_ref().map(|name| Firewall {
        name: name.value.clone(),
        site,
        endpoint: endpoint.value.clone(),
        rate,
        terms,
        reconcile_interval,
        confirm_after: times.confirm_after.value,
        time_zone,
        credentials: credentials.value.clone(),
    });
    Some(FirewallRead {
        name,
        endpoint,
        credentials,
        firewall,
    })
}

fn times(section: &mut Section<'_>) -> Times {
    let span = |least: Duration| duration(least..=LONGEST);
    let times = Times {
        lease: section.read("lease", defaults::LEASE, span(SECOND)),
        grid: section.read("grid", defaults::GRID, grid),
        min_term: section.read("min_term", defaults::MIN_TERM, span(SECOND)),
        confirm_after: section.read(
            "confirm_after",
            defaults::CONFIRM_AFTER,
            span(Duration::ZERO),
        ),
    };
    let Times {
        lease,
        grid,
        min_term,
        confirm_after,
    } = &times;
    section.rule(&[&lease.at, &grid.at], lease.value > grid.value, || {
        format!(
            "a lease of {} is not longer than the grid of {}, so that it could never be renewed in time",
            duration_text(lease.value),
            duration_text(grid.value)
        )
    });
    section.rule(
        &[&min_term.at, &lease.at],
        min_term.value < lease.value,
        || {
            format!(
                "a min_term of {} is not shorter than the lease of {}, so that nothing could ever be added",
                duration_text(min_term.value),
                duration_text(lease.value)
            )
        },
    );
    section.rule(
        &[&confirm_after.at, &lease.at],
        confirm_after.value < lease.value,
        || {
            format!(
                "a confirm_after of {} is not shorter than the lease of {}, so that nothing could ever be confirmed",
                duration_text(confirm_after.value),
                duration_text(lease.value)
            )
        },
    );
    times
}

fn terms(section: &mut Section<'_>, times: &Times) -> FirewallTerms {
    let accept = section.read("accept", defaults::ACCEPT.to_vec(), accept);
    let expand = section.read("expand_networks", None, words::expand_networks);
    let batch = section.read("batch", defaults::BATCH, |item| {
        whole(1..=1000_u16)(item).map(usize::from)
    });
    let quota = section.read("quota", defaults::QUOTA, quota);
    let reserve = section.read("reserve", defaults::RESERVE, whole(0..=1_000_000_000));
    if let Quota::Fixed(places) = quota.value {
        section.rule(&[&reserve.at, &quota.at], reserve.value < places, || {
            format!(
                "a reserve of {} leaves nothing of a quota of {places}; make it smaller",
                reserve.value
            )
        });
    }
    let margin = section.read("margin", defaults::MARGIN, number(0.0..=1.0));
    let max_delete = section.read("max_delete", defaults::MAX_DELETE, |item| {
        match number(0.0..=1.0)(item)? {
            0.0 => wrong("must be more than 0: with 0, nothing that is delisted could ever go"),
            part => Ok(part),
        }
    });
    FirewallTerms {
        accept: accept.value,
        expand_networks: expand.value,
        batch: batch.value,
        quota: quota.value,
        reserve: reserve.value,
        margin: margin.value,
        max_delete: max_delete.value,
        lease: times.lease.value,
        grid: times.grid.value,
        min_term: times.min_term.value,
    }
}

fn accept(item: &Item<'_>) -> Result<Vec<Class>, Problems> {
    let takes = r#"an array of classes such as ["ipv4", "domain"]"#;
    let classes = array(takes, word(words::CLASSES))(item)?;
    if classes.is_empty() {
        return wrong(
            "is empty, so that nothing could ever be blocked; leave it out, or name a class",
        );
    }
    for (place, class) in classes.iter().enumerate() {
        if classes.iter().take(place).any(|before| before == class) {
            return wrong(format!("names {:?} twice", class.as_str()));
        }
    }
    Ok(classes)
}

fn quota(item: &Item<'_>) -> Result<Quota, Problems> {
    if item.get_ref().is_integer() {
        return whole(1..=1_000_000_000)(item).map(Quota::Fixed);
    }
    match item.get_ref().as_str() {
        Some("auto") => Ok(Quota::Auto),
        _ => wrong("takes a number of places, or \"auto\""),
    }
}

/// EndTimes stand on multiples of the grid, counted from midnight UTC; only a divisor of the day gives each
/// day the same ones.
fn grid(item: &Item<'_>) -> Result<Duration, Problems> {
    let day = Duration::from_secs(86_400);
    let grid = duration(SECOND..=day)(item)?;
    if day.as_secs().is_multiple_of(grid.as_secs()) {
        return Ok(grid);
    }
    wrong(format!(
        "{} does not divide a day; write a step that does, such as \"30m\", \"1h\" or \"6h\"",
        duration_text(grid)
    ))
}
