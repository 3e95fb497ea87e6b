//! DNS with a filter behind it: an innocent name may lead to an address that must not be asked.

use std::error::Error;
use std::net::SocketAddr;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::address::{Refusal, permit_address};

/// The system's resolver; of what it finds, only the addresses that may be asked are handed on.
///
/// It never sees a host that is written as an address: [`super::permit_url`] judges those.
pub(super) struct Filtered {
    pub(super) allow_private: bool,
}

impl Resolve for Filtered {
    fn resolve(&self, name: Name) -> Resolving {
        let allow_private = self.allow_private;
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0))
                .await
                .map_err(|error| Unresolved(error.to_string()))?;
            permitted(found, allow_private)
        })
    }
}

/// The name led nowhere.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Unresolved(String);

fn permitted(
    found: impl Iterator<Item = SocketAddr>,
    allow_private: bool,
) -> Result<Addrs, Box<dyn Error + Send + Sync>> {
    let mut kept = Vec::new();
    let mut refused: Option<Refusal> = None;
    for socket in found {
        match permit_address(socket.ip(), allow_private) {
            Ok(()) => kept.push(socket),
            Err(refusal) => refused = refused.or(Some(refusal)),
        }
    }
    match (kept.is_empty(), refused) {
        (false, _) => Ok(Box::new(kept.into_iter())),
        (true, Some(refusal)) => Err(refusal.into()),
        (true, None) => Err(Unresolved("it has no address".to_owned()).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sockets(addresses: &[&str]) -> Vec<SocketAddr> {
        addresses
            .iter()
            .map(|address| SocketAddr::new(address.parse().unwrap(), 0))
            .collect()
    }

    #[test]
    fn only_what_may_be_asked_is_handed_on() {
        let mixed = sockets(&["169.254.169.254", "93.184.216.34", "10.0.0.1"]);
        let kept: Vec<_> = permitted(mixed.into_iter(), false).unwrap().collect();
        assert_eq!(kept, sockets(&["93.184.216.34"]));
    }

    #[test]
    fn a_name_with_nothing_but_inside_addresses_is_refused_with_the_reason() {
        let Err(error) = permitted(sockets(&["10.0.0.1"]).into_iter(), false) else {
            panic!("taken");
        };
        assert!(error.downcast_ref::<Refusal>().is_some());
        assert!(permitted(sockets(&["10.0.0.1"]).into_iter(), true).is_ok());
        assert!(permitted(sockets(&[]).into_iter(), true).is_err());
    }
}
