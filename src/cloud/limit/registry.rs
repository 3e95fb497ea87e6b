//! One limiter for all that share a limit.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use url::{Origin, Url};

use super::Limiter;

/// The limiters of this process, one for each (account, endpoint, action): that is what the vendor counts by.
#[derive(Debug, Default)]
pub struct Limits(Mutex<HashMap<Key, Arc<Limiter>>>);

#[derive(Debug, PartialEq, Eq, Hash)]
struct Key {
    account: String,
    endpoint: Origin,
    action: String,
}

impl Limits {
    /// The limiter for `action` at `endpoint`. Asked twice with two rates, the lower one counts from then on.
    ///
    /// `account` is [`Keys::account`](crate::cloud::Keys::account): it must not change when a role's keys do, or the
    /// last second would be forgotten. Two keys of one account look like two accounts here.
    #[must_use]
    pub fn of(&self, account: &str, endpoint: &Url, action: &str, rate: u32) -> Arc<Limiter> {
        let key = Key {
            account: account.to_owned(),
            endpoint: endpoint.origin(),
            action: action.to_owned(),
        };
        let mut limiters = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let limiter = limiters
            .entry(key)
            .or_insert_with(|| Arc::new(Limiter::new(rate)));
        limiter.at_most(rate);
        Arc::clone(limiter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_shares_a_limit_shares_a_limiter() {
        let limits = Limits::default();
        let china = Url::parse("https://cfw.tencentcloudapi.com").unwrap();
        let international = Url::parse("https://cfw.intl.tencentcloudapi.com").unwrap();
        let one = limits.of("a", &china, "ModifyBlockIgnoreList", 20);
        let same = limits.of("a", &china.join("/").unwrap(), "ModifyBlockIgnoreList", 10);
        assert!(Arc::ptr_eq(&one, &same));
        assert_eq!(one.configured_rate(), 10);
        for other in [
            limits.of("b", &china, "ModifyBlockIgnoreList", 20),
            limits.of("a", &international, "ModifyBlockIgnoreList", 20),
            limits.of("a", &china, "DescribeBlockIgnoreList", 20),
        ] {
            assert!(!Arc::ptr_eq(&one, &other));
            assert_eq!(other.configured_rate(), 20);
        }
    }
}
