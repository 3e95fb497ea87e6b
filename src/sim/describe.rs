//! DescribeBlockIgnoreList and DescribeOverviewResourceQuota: the lists, read.

use std::cmp::Ordering;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::clock::Moment;
use super::config::{Limits, SimConfig, Site};
use super::ioc::Class;
use super::list::{Key, Lists, Record, Side};
use super::params::Params;
use super::refusal::Refusal;

/// The parameters of the China site; the first six are required.
const CHINA: [&str; 8] = [
    "Limit",
    "Offset",
    "Direction",
    "Order",
    "By",
    "ShowType",
    "SearchValue",
    "RuleType",
];
/// The parameters of the international site; the first six are required.
const INTERNATIONAL: [&str; 7] = [
    "Limit",
    "Offset",
    "Direction",
    "Order",
    "By",
    "RuleType",
    "SearchValue",
];
/// What a row of the international site does not have.
const CHINA_ONLY: [&str; 4] = ["RuleType", "IP", "DirectionList", "LastHitTime"];

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
    /// Bit 0 outbound, bit 1 inbound.
    directions: u8,
}

impl Query {
    /// Reads the call in the form that `config.site` has.
    pub(super) fn read(body: &Value, config: &SimConfig, limits: Limits) -> Result<Self, Refusal> {
        let params = Params::top(body)?;
        let (known, required) = match config.site {
            Site::China => (&CHINA[..], &CHINA[..6]),
            Site::International => (&INTERNATIONAL[..], &INTERNATIONAL[..6]),
        };
        params.expect(known, required)?;
        let (by, descending) = sorting(&params, config.site)?;
        Ok(Self {
            side: side(&params)?,
            limit: bounded(&params, "Limit", 1, limits.page)?,
            offset: bounded(&params, "Offset", 0, usize::MAX)?,
            direction: direction(params.text("Direction")?)?,
            by,
            descending,
            search: search(params.text("SearchValue")?)?,
        })
    }

    /// One page of what shows at `now`, and how many rows there are in all.
    pub(super) fn answer(
        &self,
        lists: &Lists,
        config: &SimConfig,
        visible_after: Duration,
        now: Moment,
    ) -> Value {
        let merge = config.merge_directions && config.site == Site::China;
        let shown = lists.shown(now, visible_after);
        let mut rows = self.rows(shown, merge);
        let total = rows.len();
        let page = self.page(&mut rows);
        let data: Vec<Value> = page
            .iter()
            .map(|row| row.json(self.direction, config))
            .collect();
        json!({ "Data": data, "Total": total, "ReturnCode": 0, "ReturnMsg": "success" })
    }

    /// With `merge`, entries that stand alike in both directions share a row; they are neighbours in the list's order.
    fn rows<'a>(
        &self,
        shown: impl Iterator<Item = (&'a Key, &'a Record)>,
        merge: bool,
    ) -> Vec<Row<'a>> {
        let mut rows: Vec<Row<'a>> = Vec::new();
        for (key, record) in shown {
            if key.side != self.side || !self.search.iter().all(|part| part.is_in(key, record)) {
                continue;
            }
            let direction = 1 << key.direction;
            match rows
                .last_mut()
                .filter(|last| merge && last.stands_alike(key, record))
            {
                Some(last) => last.directions |= direction,
                None => rows.push(Row {
                    key,
                    record,
                    directions: direction,
                }),
            }
        }
        if let Some(wanted) = self.direction {
            rows.retain(|row| row.directions & (1 << wanted) != 0);
        }
        rows
    }

    /// Sorts no more than the page: a read-back of a full list asks for hundreds of them.
    fn page<'r, 'a>(&self, rows: &'r mut [Row<'a>]) -> &'r [Row<'a>] {
        let order = |a: &Row<'_>, b: &Row<'_>| {
            let order = self.by.compare(a.record, b.record);
            if self.descending {
                order.reverse()
            } else {
                order
            }
        };
        if self.offset >= rows.len() {
            return &[];
        }
        rows.select_nth_unstable_by(self.offset, order);
        let (_, rest) = rows.split_at_mut(self.offset);
        if self.limit < rest.len() {
            rest.select_nth_unstable_by(self.limit, order);
        }
        let (page, _) = rest.split_at_mut(self.limit.min(rest.len()));
        page.sort_unstable_by(order);
        page
    }
}

impl By {
    fn read(word: &str) -> Option<Self> {
        match word {
            "" => Some(Self::Serial),
            "EndTime" => Some(Self::EndTime),
            "StartTime" => Some(Self::StartTime),
            "MatchTimes" => Some(Self::MatchTimes),
            _ => None,
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
    fn stands_alike(&self, key: &Key, record: &Record) -> bool {
        let times = |record: &Record| (record.start, record.end);
        self.key.ioc == key.ioc
            && times(self.record) == times(record)
            && self.record.source == record.source
    }

    /// A row's `Direction` is the one that was asked for, or its first.
    fn json(&self, asked: Option<u8>, config: &SimConfig) -> Value {
        let text = &self.key.ioc.text;
        let is_domain = self.key.ioc.class == Class::Domain;
        let directions = match self.directions {
            1 => "0",
            2 => "1",
            _ => "0,1",
        };
        let last_hit = self.record.last_hit.map(|at| config.zone.write(at));
        let row = json!({
            "RuleType": self.key.side as u8,
            "Ioc": text,
            "IP": if is_domain { "" } else { text },
            "Domain": if is_domain { text } else { "" },
            "Direction": asked.unwrap_or(self.key.direction),
            "DirectionList": directions,
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
        });
        match config.site {
            Site::China => row,
            Site::International => abroad(row),
        }
    }
}

/// The international row has fewer fields, and each of them "may return null".
fn abroad(mut row: Value) -> Value {
    if let Some(fields) = row.as_object_mut() {
        fields.retain(|name, _| !CHINA_ONLY.contains(&name.as_str()));
        for value in fields.values_mut().filter(|value| **value == "") {
            *value = Value::Null;
        }
    }
    row
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

/// RuleType decides, where it is given; ShowType, where the site has it, must not contradict it.
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

/// The China page has the column in `By` and the way in `Order`; the international page has them crossed, and nobody
/// says whether it means it, so there both ways round are taken.
fn sorting(params: &Params<'_>, site: Site) -> Result<(By, bool), Refusal> {
    let read = |column: &str, way: &str| match (By::read(column), way) {
        (Some(by), "" | "desc") => Some((by, true)),
        (Some(by), "asc") => Some((by, false)),
        _ => None,
    };
    let (order, by) = (params.text("Order")?, params.text("By")?);
    let crossed = || read(order, by).filter(|_| site == Site::International);
    read(by, order).or_else(crossed).ok_or_else(|| {
        Refusal::invalid("`Order` must be desc or asc, and `By` EndTime, StartTime or MatchTimes.")
    })
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
