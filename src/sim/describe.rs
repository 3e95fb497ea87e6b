//! DescribeBlockIgnoreList and DescribeOverviewResourceQuota: the lists, read.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::clock::Moment;
use super::config::{Limits, SimConfig, Site};
use super::ioc::Class;
use super::list::{Key, Lists, Record, Side};
use super::params::Params;
use super::refusal::Refusal;

/// A read-back, as asked for.
#[derive(Clone, Debug)]
pub(super) struct Query {
    side: Side,
    limit: usize,
    offset: usize,
    direction: Option<u8>,
    by: By,
    descending: bool,
    search: Vec<Part>,
}

/// A piece of text that a row must hold somewhere: the vendor's search is fuzzy.
#[derive(Clone, Debug)]
enum Part {
    Ioc(String),
    Source(String),
    /// Of a field that stands empty in every entry here.
    Nothing(String),
}

#[derive(Clone, Copy, Debug)]
enum By {
    Serial,
    EndTime,
    StartTime,
    MatchTimes,
}

struct Row<'a> {
    key: &'a Key,
    record: &'a Record,
    directions: Vec<u8>,
}

impl Query {
    /// Reads the call in the form that `config.site` has.
    pub(super) fn read(body: &Value, config: &SimConfig, limits: Limits) -> Result<Self, Refusal> {
        let params = Params::top(body)?;
        let mut known = vec![
            "Limit",
            "Offset",
            "Direction",
            "Order",
            "By",
            "SearchValue",
            "RuleType",
        ];
        let mut required = vec!["Limit", "Offset"];
        match config.site {
            Site::China => known.push("ShowType"),
            Site::International => required.push("RuleType"),
        }
        params.expect(&known, &required)?;
        Ok(Self {
            side: side(&params)?,
            limit: bounded(&params, "Limit", 1, limits.page)?,
            offset: bounded(&params, "Offset", 0, usize::MAX)?,
            direction: direction(params.text("Direction")?)?,
            by: By::read(params.text("By")?)?,
            descending: match params.text("Order")? {
                "" | "desc" => true,
                "asc" => false,
                _ => return Err(Refusal::invalid("`Order` must be desc or asc.")),
            },
            search: search(params.text("SearchValue")?)?,
        })
    }

    /// One page of what shows at `now`, and how many rows there are in all.
    pub(super) fn answer(&self, lists: &Lists, config: &SimConfig, now: Moment) -> Value {
        let mut rows = self.rows(lists, config.merge_directions, now);
        rows.sort_by(|a, b| {
            let order = self.by.compare(a.record, b.record);
            if self.descending {
                order.reverse()
            } else {
                order
            }
        });
        let page = rows.iter().skip(self.offset).take(self.limit);
        let data: Vec<Value> = page.map(|row| row.json(self.direction, config)).collect();
        json!({ "Data": data, "Total": rows.len(), "ReturnCode": 0, "ReturnMsg": "success" })
    }

    /// With `merge`, entries that stand alike in both directions share a row.
    fn rows<'a>(&self, lists: &'a Lists, merge: bool, now: Moment) -> Vec<Row<'a>> {
        let found = lists.shown(now).filter(|(key, record)| {
            key.side == self.side && self.search.iter().all(|part| part.is_in(key, record))
        });
        let mut rows: BTreeMap<_, Row<'a>> = BTreeMap::new();
        for (key, record) in found {
            let alike = (&key.ioc, record.start, record.end, &record.source);
            let apart = (!merge).then_some(key.direction);
            let row = rows.entry((alike, apart)).or_insert(Row {
                key,
                record,
                directions: Vec::new(),
            });
            row.directions.push(key.direction);
        }
        let wanted = |row: &Row<'_>| {
            self.direction
                .is_none_or(|one| row.directions.contains(&one))
        };
        rows.into_values().filter(wanted).collect()
    }
}

impl By {
    fn read(word: &str) -> Result<Self, Refusal> {
        match word {
            "" => Ok(Self::Serial),
            "EndTime" => Ok(Self::EndTime),
            "StartTime" => Ok(Self::StartTime),
            "MatchTimes" => Ok(Self::MatchTimes),
            _ => Err(Refusal::invalid(
                "`By` must be EndTime, StartTime or MatchTimes.",
            )),
        }
    }

    /// Ties go by age, so that pages do not overlap.
    fn compare(self, a: &Record, b: &Record) -> Ordering {
        let first = match self {
            Self::Serial => Ordering::Equal,
            Self::EndTime => a.end.cmp(&b.end),
            Self::StartTime => a.start.cmp(&b.start),
            Self::MatchTimes => a.match_times.cmp(&b.match_times),
        };
        first.then(a.serial.cmp(&b.serial))
    }
}

impl Part {
    fn is_in(&self, key: &Key, record: &Record) -> bool {
        match self {
            Self::Ioc(part) => key.ioc.text.contains(part),
            Self::Source(part) => record.source.contains(part),
            Self::Nothing(part) => part.is_empty(),
        }
    }
}

impl Row<'_> {
    /// A row's `Direction` is the one that was asked for, or its first.
    fn json(&self, asked: Option<u8>, config: &SimConfig) -> Value {
        let text = &self.key.ioc.text;
        let is_domain = self.key.ioc.class == Class::Domain;
        let directions: Vec<String> = self.directions.iter().map(u8::to_string).collect();
        let last_hit = self.record.last_hit.map(|at| config.zone.write(at));
        json!({
            "RuleType": self.key.side as u8,
            "Ioc": text,
            "IP": if is_domain { "" } else { text },
            "Domain": if is_domain { text } else { "" },
            "Direction": asked.unwrap_or(self.key.direction),
            "DirectionList": directions.join(","),
            "Action": self.key.side as u8,
            "StartTime": config.zone.write(self.record.start),
            "EndTime": config.zone.write(self.record.end),
            "Source": self.record.source,
            "UniqueId": format!("sim-{:08}", self.record.serial),
            "MatchTimes": self.record.match_times,
            "LastHitTime": last_hit.unwrap_or_default(),
            "Country": "",
            "Comment": "",
            "EventName": "",
            "Level": "",
        })
    }
}

/// The quota call's answer: the blocklist's places, base package only.
pub(super) fn quota(body: &Value, lists: &Lists, limits: Limits) -> Result<Value, Refusal> {
    let params = Params::top(body)?;
    params.expect(&["Scene"], &[])?;
    params.text("Scene")?;
    let total = limits.quota;
    let used = lists.used(Side::Block);
    let inbound = lists
        .standing()
        .filter(|(key, ..)| key.side == Side::Block && key.direction == 1)
        .count();
    let left = total.saturating_sub(used);
    let detail = json!({
        "BlockListQuota": {
            "TotalCnt": total, "UsedCnt": used, "InUsedCnt": inbound, "OutUsedCnt": used.saturating_sub(inbound),
        },
        "BlockListQuotaDetail": {
            "TotalCnt": total, "UsedCnt": used, "RemainCnt": left,
            "BaseTotalCnt": total, "BaseUsedCnt": used, "BaseRemainCnt": left,
            "ExtensionTotalCnt": 0, "ExtensionUsedCnt": 0, "ExtensionRemainCnt": 0,
        },
    });
    Ok(json!({
        "Data": { "Detail": { "QuotaDetail": detail } },
        "ReturnCode": 0,
        "ReturnMsg": "success",
    }))
}

/// RuleType decides; ShowType, where the site has it, may stand in for it and must not contradict it.
fn side(params: &Params<'_>) -> Result<Side, Refusal> {
    let shown = match params.text("ShowType")? {
        "" => None,
        "blocklist" => Some(Side::Block),
        "whitelist" => Some(Side::Allow),
        _ => {
            return Err(Refusal::invalid(
                "`ShowType` must be blocklist or whitelist.",
            ));
        }
    };
    let ruled = match params.integer("RuleType")? {
        None => None,
        Some(number) => Some(
            Side::from_rule_type(number)
                .ok_or_else(|| Refusal::invalid("`RuleType` must be 1 or 2."))?,
        ),
    };
    match (ruled, shown) {
        (Some(ruled), Some(shown)) if ruled != shown => Err(Refusal::invalid(
            "`RuleType` and `ShowType` name different lists.",
        )),
        (Some(side), _) | (None, Some(side)) => Ok(side),
        (None, None) => Err(Refusal::missing("RuleType")),
    }
}

fn bounded(params: &Params<'_>, name: &str, least: i64, most: usize) -> Result<usize, Refusal> {
    let number = params.integer(name)?.filter(|number| *number >= least);
    number
        .and_then(|number| usize::try_from(number).ok())
        .filter(|number| *number <= most)
        .ok_or_else(|| match name {
            "Limit" => Refusal::invalid(format!("`Limit` must be between {least} and {most}.")),
            _ => Refusal::invalid(format!("`{name}` must be at least {least}.")),
        })
}

fn direction(word: &str) -> Result<Option<u8>, Refusal> {
    match word {
        "" => Ok(None),
        "0" => Ok(Some(0)),
        "1" => Ok(Some(1)),
        _ => Err(Refusal::invalid("`Direction` must be 0, 1 or empty.")),
    }
}

/// `SearchValue` is a JSON object written as a string; the SDK names its fields.
fn search(text: &str) -> Result<Vec<Part>, Refusal> {
    let wrong = |why: &str| Refusal::invalid(format!("`SearchValue` {why}."));
    let fields: Map<String, Value> = match text {
        "" => Map::new(),
        text => {
            serde_json::from_str(text).map_err(|_| wrong("must be a JSON object in a string"))?
        }
    };
    let part = |(name, value): (String, Value)| {
        let part = value.as_str().ok_or_else(|| wrong("must hold strings"))?;
        match name.as_str() {
            "common" | "domain" => Ok(Part::Ioc(part.to_ascii_lowercase())),
            "rule_source" => Ok(Part::Source(part.to_owned())),
            "level" | "ignore_reason" | "address" => Ok(Part::Nothing(part.to_owned())),
            _ => Err(wrong("has an unknown field")),
        }
    };
    fields.into_iter().map(part).collect()
}
