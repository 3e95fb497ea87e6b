//! ModifyBlockIgnoreList: what a call asks for, read and judged before the lists are touched.

use serde_json::{Value, json};

use super::config::{Limits, SimConfig, Site};
use super::ioc::Ioc;
use super::list::{Act, Change, Key, Side};
use super::params::Params;
use super::refusal::Refusal;

/// Reads the whole call; any fault refuses all of it.
pub(super) fn read(
    body: &Value,
    config: &SimConfig,
    limits: Limits,
    now: i64,
) -> Result<Change, Refusal> {
    let params = Params::top(body)?;
    let act = expect(&params, config.site)?;
    let side = params
        .integer("RuleType")?
        .and_then(Side::from_rule_type)
        .ok_or_else(|| Refusal::invalid("`RuleType` must be 1 (blocklist) or 2 (allowlist)."))?;
    let items = params.objects("IOC")?;
    if items.is_empty() {
        return Err(Refusal::invalid("`IOC` must not be empty."));
    }
    if items.len() > limits.batch {
        let message = format!(
            "`IOC` has {} entries and may have at most {}.",
            items.len(),
            limits.batch
        );
        return Err(Refusal::new(config.manners.batch_code, message));
    }
    let keys = items
        .iter()
        .map(|item| key(item, side, config))
        .collect::<Result<_, _>>()?;
    let (start, end) = match act {
        Act::Delete => (0, 0),
        Act::Add | Act::Edit => window(&params, config, now)?,
    };
    Ok(Change {
        act,
        keys,
        start,
        end,
    })
}

/// The answer to a call that was carried out.
pub(super) fn success() -> Value {
    json!({ "ReturnCode": 0, "ReturnMsg": "success" })
}

/// StartTime and EndTime are required of an add and an edit, and may stand, unread, in a delete.
fn expect(params: &Params<'_>, site: Site) -> Result<Act, Refusal> {
    let mut known = vec!["RuleType", "IOC", "IocAction", "StartTime", "EndTime"];
    if site == Site::China {
        known.push("IsFromWeChat");
    }
    params.expect(&known, &["RuleType", "IOC", "IocAction"])?;
    let act = match params.text("IocAction")? {
        "add" => Act::Add,
        "edit" => Act::Edit,
        "delete" => Act::Delete,
        _ => return Err(Refusal::invalid("`IocAction` must be add, edit or delete.")),
    };
    if act != Act::Delete {
        params.expect(&known, &["StartTime", "EndTime"])?;
    }
    params.integer("IsFromWeChat")?;
    Ok(act)
}

/// The vendor's definition requires `IP` and `Direction`: a domain's entry carries an empty `IP`.
fn key(item: &Params<'_>, side: Side, config: &SimConfig) -> Result<Key, Refusal> {
    item.expect(&["IP", "Direction", "Domain"], &["IP", "Direction"])?;
    let (ip, domain) = (item.text("IP")?, item.text("Domain")?);
    let direction = item.integer("Direction")?.and_then(|number| match number {
        0 | 1 => u8::try_from(number).ok(),
        _ => None,
    });
    let Some(direction) = direction else {
        let name = item.name("Direction");
        return Err(Refusal::invalid(format!("`{name}` must be 0 or 1.")));
    };
    let ioc = match (ip, domain) {
        ("", "") => return Err(one_of(item, "are both empty")),
        (ip, "") => Ioc::from_ip(ip).ok_or_else(|| malformed(item, "IP", ip))?,
        ("", domain) => {
            Ioc::from_domain(domain).ok_or_else(|| malformed(item, "Domain", domain))?
        }
        _ => return Err(one_of(item, "are both set")),
    };
    let taken = match side {
        Side::Block => &config.block_classes,
        Side::Allow => &config.allow_classes,
    };
    if !taken.contains(&ioc.class) {
        let message = format!("`{}` is of a kind that this list does not take.", ioc.text);
        return Err(Refusal::invalid(message));
    }
    Ok(Key {
        side,
        ioc,
        direction,
    })
}

fn window(params: &Params<'_>, config: &SimConfig, now: i64) -> Result<(i64, i64), Refusal> {
    let read = |name: &str| {
        let wrong =
            || Refusal::invalid(format!("`{name}` must have the form yyyy-MM-dd HH:mm:ss."));
        config.zone.read(params.text(name)?).ok_or_else(wrong)
    };
    let (start, end) = (read("StartTime")?, read("EndTime")?);
    if end <= start {
        return Err(Refusal::invalid(
            "`EndTime` must be later than `StartTime`.",
        ));
    }
    if end <= now {
        return Err(Refusal::invalid(
            "`EndTime` must be later than the current time.",
        ));
    }
    Ok((start, end))
}

fn one_of(item: &Params<'_>, fault: &str) -> Refusal {
    let (ip, domain) = (item.name("IP"), item.name("Domain"));
    Refusal::invalid(format!(
        "`{ip}` and `{domain}` {fault}: one of them must be set."
    ))
}

fn malformed(item: &Params<'_>, field: &str, value: &str) -> Refusal {
    let name = item.name(field);
    Refusal::invalid(format!("`{name}` has the invalid value `{value}`."))
}
