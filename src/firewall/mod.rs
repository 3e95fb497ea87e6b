//! What a firewall takes: the only place that knows both the model and the cloud.

mod observe;
mod outcome;

use std::time::Duration;

use jiff::tz::Offset;

use crate::cloud::cfw::{Ioc, IocAction, ModifyBlockIgnoreList, RuleType};
use crate::model::{Action, Direction, Entry, Indicator, List, UnixTime};
use crate::plan::Batch;

pub use self::observe::{observed, page};
pub use self::outcome::{Upshot, settlement};

/// How far back a StartTime lies, so that no difference of clocks makes an entry begin in the future.
const HEAD_START: Duration = Duration::from_secs(300);

/// The call that carries `batch`, with times in the firewall's `zone`.
#[must_use]
pub fn request(batch: &Batch, zone: Offset, now: UnixTime) -> ModifyBlockIgnoreList {
    let end_time = batch.end_time();
    ModifyBlockIgnoreList {
        rule_type: rule_type(batch.list),
        ioc: batch.entries().iter().map(ioc).collect(),
        ioc_action: match batch.action() {
            Action::Delete => IocAction::Delete,
            Action::Edit => IocAction::Edit,
            Action::Add => IocAction::Add,
        },
        start_time: end_time.map(|_| now.minus(HEAD_START).wall_clock(zone)),
        end_time: end_time.map(|end| end.wall_clock(zone)),
    }
}

fn rule_type(list: List) -> RuleType {
    match list {
        List::Block => RuleType::Blocklist,
        List::Allow => RuleType::Allowlist,
    }
}

fn ioc(entry: &Entry) -> Ioc {
    let text = entry.indicator.to_string();
    let (ip, domain) = match entry.indicator {
        Indicator::Domain(_) => (String::new(), Some(text)),
        Indicator::Address(_) | Indicator::Network(_) => (text, None),
    };
    Ioc {
        ip,
        direction: match entry.direction {
            Direction::Out => 0,
            Direction::In => 1,
        },
        domain,
    }
}
