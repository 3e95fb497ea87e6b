//! The calls of the cloud firewall (`cfw`, version 2019-09-04): its block and allow lists, and their quota.
//!
//! Names and types are those of the vendor's pages and SDKs
//! (<https://www.tencentcloud.com/document/product/1180>). Times are wall-clock texts `yyyy-MM-dd HH:mm:ss` in the
//! firewall's own zone.

use serde::{Deserialize, Serialize, Serializer};

use super::client::Action;
use super::lenient;

const SERVICE: &str = "cfw";
const VERSION: &str = "2019-09-04";

/// `RuleType`: which list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RuleType {
    /// 1
    Blocklist,
    /// 2
    Allowlist,
}

/// `IocAction`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum IocAction {
    /// New entries.
    Add,
    /// New times for entries that are there.
    Edit,
    /// Take entries out.
    Delete,
}

/// One entry of a change: an IP or a domain, never both empty.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Ioc {
    /// An address, or a network where the firewall takes them. Empty beside a domain: the vendor's API
    /// definition says that it is always there.
    #[serde(rename = "IP")]
    pub ip: String,
    /// 0 outbound, 1 inbound.
    #[serde(rename = "Direction")]
    pub direction: u8,
    /// A domain.
    #[serde(rename = "Domain", skip_serializing_if = "Option::is_none")]
    pub domain: Option<String>,
}

/// `ModifyBlockIgnoreList`: adds, edits or deletes entries of one list, all with one time window.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ModifyBlockIgnoreList {
    /// Which list.
    pub rule_type: RuleType,
    /// The entries.
    #[serde(rename = "IOC")]
    pub ioc: Vec<Ioc>,
    /// What to do with them.
    pub ioc_action: IocAction,
    /// With `add` and `edit`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_time: Option<String>,
    /// With `add` and `edit`; later than `start_time` and than now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_time: Option<String>,
}

/// The answer to a change: that it went well is all it says.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Modified {
    /// `success`, where it is there.
    #[serde(default, deserialize_with = "lenient::text")]
    pub return_msg: String,
}

/// `ShowType`, which only the China site knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ShowType {
    /// The blocklist.
    Blocklist,
    /// The allowlist.
    Whitelist,
}

/// The column by which a list is ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum By {
    /// EndTime.
    EndTime,
    /// StartTime.
    StartTime,
    /// Hits.
    MatchTimes,
}

/// Which end comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Order {
    /// The smallest.
    Asc,
    /// The largest.
    Desc,
}

/// `DescribeBlockIgnoreList`: one page of a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct DescribeBlockIgnoreList {
    /// Rows a page. The most is unwritten; the vendor's own tools use 20.
    pub limit: u32,
    /// Rows before this page.
    pub offset: u32,
    /// `"1"` inbound, `"0"` outbound, empty for all.
    pub direction: String,
    /// Which end of `by` comes first.
    pub order: Order,
    /// The column that orders the rows.
    pub by: By,
    /// On the China site; absent on the international one, which does not know it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub show_type: Option<ShowType>,
    /// A JSON object as a text; `{}` for no search.
    pub search_value: String,
    /// Which list.
    pub rule_type: RuleType,
}

/// A page of a list.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Page {
    /// The rows.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub data: Vec<Row>,
    /// Rows on all pages.
    #[serde(default, deserialize_with = "lenient::integer")]
    pub total: Option<i64>,
}

/// An entry as the firewall shows it. A text that is missing or null is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Row {
    /// The entry: an address or a domain.
    #[serde(deserialize_with = "lenient::text")]
    pub ioc: String,
    /// The address, where it is one.
    #[serde(rename = "IP", deserialize_with = "lenient::text")]
    pub ip: String,
    /// The domain, where it is one.
    #[serde(deserialize_with = "lenient::text")]
    pub domain: String,
    /// 0 outbound, 1 inbound.
    #[serde(deserialize_with = "lenient::integer")]
    pub direction: Option<i64>,
    /// All its directions, such as `0,1`: one row may stand for both.
    #[serde(deserialize_with = "lenient::text")]
    pub direction_list: String,
    /// 1 block, 2 allow.
    #[serde(deserialize_with = "lenient::integer")]
    pub action: Option<i64>,
    /// From when it counts.
    #[serde(deserialize_with = "lenient::text")]
    pub start_time: String,
    /// Until when.
    #[serde(deserialize_with = "lenient::text")]
    pub end_time: String,
    /// Where it came from: `手动添加` is by hand, all else the product's own.
    #[serde(deserialize_with = "lenient::text")]
    pub source: String,
    /// The vendor's own id of the entry.
    #[serde(deserialize_with = "lenient::text")]
    pub unique_id: String,
    /// How often it matched.
    #[serde(deserialize_with = "lenient::integer")]
    pub match_times: Option<i64>,
    /// When it last matched.
    #[serde(deserialize_with = "lenient::text")]
    pub last_hit_time: String,
    /// Where the address is said to be.
    #[serde(deserialize_with = "lenient::text")]
    pub country: String,
    /// A remark that only the console can write.
    #[serde(deserialize_with = "lenient::text")]
    pub comment: String,
    /// What brought the product's own entries about.
    #[serde(deserialize_with = "lenient::text")]
    pub event_name: String,
    /// How grave the product thinks it is.
    #[serde(deserialize_with = "lenient::text")]
    pub level: String,
}

/// `DescribeOverviewResourceQuota`: how many places the lists have. China site only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct DescribeOverviewResourceQuota {}

/// The quota, as deep in the answer as the vendor puts it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Quota {
    #[serde(deserialize_with = "lenient::or_default")]
    data: QuotaData,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct QuotaData {
    #[serde(deserialize_with = "lenient::or_default")]
    detail: QuotaOverview,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct QuotaOverview {
    #[serde(deserialize_with = "lenient::or_default")]
    quota_detail: QuotaDetail,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct QuotaDetail {
    block_list_quota_detail: Option<BlocklistQuota>,
}

/// The places of the blocklist. Each direction of an entry seems to cost one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct BlocklistQuota {
    /// All places, those bought in addition included.
    #[serde(rename = "TotalCnt", deserialize_with = "lenient::integer")]
    pub total: Option<i64>,
    /// Places in use, by whomever.
    #[serde(rename = "UsedCnt", deserialize_with = "lenient::integer")]
    pub used: Option<i64>,
    /// Places that are left.
    #[serde(rename = "RemainCnt", deserialize_with = "lenient::integer")]
    pub remain: Option<i64>,
}

impl Action for ModifyBlockIgnoreList {
    const NAME: &'static str = "ModifyBlockIgnoreList";
    const SERVICE: &'static str = SERVICE;
    const VERSION: &'static str = VERSION;
    type Response = Modified;
}

impl Action for DescribeBlockIgnoreList {
    const NAME: &'static str = "DescribeBlockIgnoreList";
    const SERVICE: &'static str = SERVICE;
    const VERSION: &'static str = VERSION;
    type Response = Page;
}

impl Action for DescribeOverviewResourceQuota {
    const NAME: &'static str = "DescribeOverviewResourceQuota";
    const SERVICE: &'static str = SERVICE;
    const VERSION: &'static str = VERSION;
    type Response = Quota;
}

impl Row {
    /// The entry itself, from whichever field has it.
    #[must_use]
    pub fn entry(&self) -> &str {
        [&self.ioc, &self.ip, &self.domain]
            .into_iter()
            .map(|text| text.trim())
            .find(|text| !text.is_empty())
            .unwrap_or_default()
    }

    /// The directions that the row stands for (0 outbound, 1 inbound), each once; others are the product's own.
    #[must_use]
    pub fn directions(&self) -> Vec<i64> {
        let mut directions: Vec<i64> = self
            .direction_list
            .split(',')
            .filter_map(|part| part.trim().parse().ok())
            .collect();
        if directions.is_empty() {
            directions.extend(self.direction);
        }
        directions.sort_unstable();
        directions.dedup();
        directions
    }
}

impl Quota {
    /// The places of the blocklist, where the answer has them.
    #[must_use]
    pub fn blocklist(&self) -> Option<BlocklistQuota> {
        self.data.detail.quota_detail.block_list_quota_detail
    }
}

impl Serialize for RuleType {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u8(match self {
            Self::Blocklist => 1,
            Self::Allowlist => 2,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{from_str, json, to_value};

    use super::*;

    #[test]
    fn a_change_is_written_as_documented() {
        let add = ModifyBlockIgnoreList {
            rule_type: RuleType::Blocklist,
            ioc: vec![
                Ioc {
                    ip: "192.0.2.10".into(),
                    direction: 1,
                    domain: None,
                },
                Ioc {
                    ip: String::new(),
                    direction: 0,
                    domain: Some("example.com".into()),
                },
            ],
            ioc_action: IocAction::Add,
            start_time: Some("2026-01-01 00:00:00".into()),
            end_time: Some("3000-01-01 00:00:00".into()),
        };
        assert_eq!(
            to_value(&add).unwrap(),
            json!({
                "RuleType": 1,
                "IOC": [{"IP": "192.0.2.10", "Direction": 1}, {"IP": "", "Domain": "example.com", "Direction": 0}],
                "IocAction": "add",
                "StartTime": "2026-01-01 00:00:00",
                "EndTime": "3000-01-01 00:00:00",
            })
        );
        let delete = ModifyBlockIgnoreList {
            rule_type: RuleType::Allowlist,
            ioc_action: IocAction::Delete,
            ioc: Vec::new(),
            start_time: None,
            end_time: None,
        };
        assert_eq!(
            to_value(&delete).unwrap(),
            json!({"RuleType": 2, "IOC": [], "IocAction": "delete"})
        );
    }

    #[test]
    fn a_page_is_asked_for_in_each_site_s_form() {
        let mut page = DescribeBlockIgnoreList {
            limit: 20,
            offset: 40,
            direction: String::new(),
            order: Order::Desc,
            by: By::EndTime,
            show_type: Some(ShowType::Blocklist),
            search_value: "{}".into(),
            rule_type: RuleType::Blocklist,
        };
        let mut china = json!({
            "Limit": 20, "Offset": 40, "Direction": "", "Order": "desc", "By": "EndTime", "ShowType": "blocklist",
            "SearchValue": "{}", "RuleType": 1,
        });
        assert_eq!(to_value(&page).unwrap(), china);
        page.show_type = None;
        china.as_object_mut().unwrap().remove("ShowType");
        assert_eq!(to_value(&page).unwrap(), china);
    }

    #[test]
    fn rows_are_read_however_they_come() {
        let page: Page = from_str(
            r#"{"Data": [
                {"Ioc": "192.0.2.10", "IP": "192.0.2.10", "Domain": "", "Direction": 1, "DirectionList": "1,0", "Action": 1,
                 "StartTime": "2026-01-01 00:00:00", "EndTime": "2026-01-04 00:00:00", "Source": "手动添加",
                 "UniqueId": "abc", "MatchTimes": 3, "LastHitTime": "2026-01-02 00:00:00", "CustomRule": null},
                {"Ioc": null, "Domain": "example.com", "Direction": "0", "Action": "2", "MatchTimes": "", "UniqueId": 7},
                {}
            ], "Total": "3", "ReturnCode": 0, "ReturnMsg": "success", "SourceList": null, "RequestId": "r"}"#,
        )
        .unwrap();
        assert_eq!(page.total, Some(3));
        let [full, loose, bare] = page.data.as_slice() else {
            panic!("three rows: {page:?}");
        };
        assert_eq!(
            (full.entry(), full.directions()),
            ("192.0.2.10", vec![0, 1])
        );
        assert_eq!((full.action, full.match_times), (Some(1), Some(3)));
        assert_eq!(full.source, "手动添加");
        assert_eq!(
            (loose.entry(), loose.directions()),
            ("example.com", vec![0])
        );
        assert_eq!((loose.action, loose.match_times), (Some(2), None));
        assert_eq!(loose.unique_id, "7");
        assert_eq!((bare.entry(), bare.directions()), ("", vec![]));

        let empty: Page = from_str(r#"{"Data": null, "Total": 0}"#).unwrap();
        assert_eq!((empty.data.len(), empty.total), (0, Some(0)));
    }

    #[test]
    fn the_quota_is_found_where_it_is() {
        assert_eq!(
            to_value(DescribeOverviewResourceQuota {}).unwrap(),
            json!({})
        );
        let quota: Quota = from_str(
            r#"{"Data": {"Detail": {"NDRDetail": null, "QuotaDetail": {"BlockListQuotaDetail":
                {"TotalCnt": 20100, "UsedCnt": 31, "RemainCnt": "20069", "BaseTotalCnt": 20000}}}}, "ReturnCode": 0}"#,
        )
        .unwrap();
        let expected = BlocklistQuota {
            total: Some(20_100),
            used: Some(31),
            remain: Some(20_069),
        };
        assert_eq!(quota.blocklist(), Some(expected));
        for without in [
            "{}",
            r#"{"Data": null}"#,
            r#"{"Data": {"Detail": {"QuotaDetail": null}}}"#,
        ] {
            assert_eq!(from_str::<Quota>(without).unwrap().blocklist(), None);
        }
    }
}
