//! What else blocks an indicator: the networks that hold it, the domains above it.

use ipnet::IpNet;

use crate::model::{DomainName, Indicator};

/// `indicator` itself, then all that could hold it, the narrowest first.
pub(super) fn holders(indicator: &Indicator) -> Vec<Indicator> {
    let mut all = vec![indicator.clone()];
    match indicator {
        Indicator::Domain(name) => {
            let above = name.self_and_parents().skip(1);
            let above = above.filter_map(|name| DomainName::from_canonical(name).ok());
            all.extend(above.map(Indicator::Domain));
        }
        Indicator::Address(_) | Indicator::Network(_) => {
            if let Some(net) = indicator.net() {
                let wider = (1..net.prefix_len()).rev();
                let wider = wider.filter_map(|length| IpNet::new(net.addr(), length).ok());
                all.extend(wider.map(Indicator::from_net));
            }
        }
    }
    all
}

/// Whether an entry of `holder` also blocks `held`.
pub(super) fn holds(holder: &Indicator, held: &Indicator) -> bool {
    match (holder, held) {
        (Indicator::Domain(holder), Indicator::Domain(held)) => {
            held.self_and_parents().any(|name| name == holder.as_str())
        }
        _ => match (holder.net(), held.net()) {
            (Some(holder), Some(held)) => holder.contains(&held),
            _ => false,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ioc(text: &str) -> Indicator {
        Indicator::try_new(text).unwrap()
    }

    #[test]
    fn what_holds_an_indicator_is_found_from_near_to_far() {
        let names: Vec<String> = holders(&ioc("a.b.botnet-panel.net"))
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(
            names,
            [
                "a.b.botnet-panel.net",
                "b.botnet-panel.net",
                "botnet-panel.net"
            ]
        );
        let nets = holders(&ioc("45.155.205.7"));
        assert_eq!(
            (nets.len(), nets[1].to_string(), nets[31].to_string()),
            (32, "45.155.205.6/31".to_owned(), "0.0.0.0/1".to_owned())
        );
        assert_eq!(holders(&ioc("2a06:98c0::/29")).len(), 29);
        for one in &nets {
            assert!(holds(one, &nets[0]), "{one}");
        }
        assert!(!holds(&ioc("45.155.205.0/24"), &ioc("45.155.206.1")));
        assert!(!holds(&ioc("panel.net"), &ioc("botnet-panel.net")));
        assert!(!holds(&ioc("botnet-panel.net"), &ioc("45.155.205.7")));
    }
}
