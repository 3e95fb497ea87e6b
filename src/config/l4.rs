//! `[l4]`: where the calls on layer-4 proxy rules go, and by whose keys.

use url::Url;

use super::address::{self, Ground};
use super::section::{Found, Section};
use super::value::{rate, word};
use super::{CredentialSource, Firewall, Site, credentials, defaults, words};

/// What drives layer-4 proxies.
#[derive(Clone, Debug, PartialEq)]
pub struct L4 {
    /// Which of the vendor's two sites it belongs to.
    pub site: Site,
    /// The API's address: the site's own, or the one in the config.
    pub endpoint: Url,
    /// Calls a second, 1 to 20.
    pub rate: u32,
    /// Where the keys come from.
    pub credentials: CredentialSource,
}

impl L4 {
    /// What drives layer-4 proxies of that site with those keys, where nothing else is said.
    #[must_use]
    #[expect(
        clippy::expect_used,
        reason = "the sites' endpoints are constants that a test parses"
    )]
    pub fn new(site: Site, credentials: CredentialSource) -> Self {
        Self {
            site,
            endpoint: Url::parse(endpoint(site)).expect("a site's endpoint is a URL"),
            rate: defaults::RATE,
            credentials,
        }
    }
}

/// The site and the keys where the file does not say: those of the one firewall, where there is one alone.
pub(super) fn fallback(firewalls: &[Firewall]) -> (Site, CredentialSource) {
    match firewalls {
        [only] => (only.site, only.credentials.clone()),
        _ => (defaults::SITE, defaults::CREDENTIALS),
    }
}

/// Where the site's API for layer-4 proxies listens.
pub(super) const fn endpoint(site: Site) -> &'static str {
    match site {
        Site::China => "https://teo.tencentcloudapi.com/",
        Site::International => "https://teo.intl.tencentcloudapi.com/",
    }
}

/// Reads `[l4]`.
pub(super) fn read(
    section: &mut Section<'_>,
    firewalls: &[Firewall],
    allow_private: &Found<bool>,
) -> L4 {
    let (site, keys) = fallback(firewalls);
    let site = section.read("site", site, word(words::SITES)).value;
    let usual = L4::new(site, keys);
    let endpoint = section.read("endpoint", usual.endpoint, address::endpoint);
    let open = address::ground(&endpoint.value) != Ground::Private || allow_private.value;
    section.rule(&[&endpoint.at, &allow_private.at], open, || {
        "the host is a private address; if that is meant, set `allow_private = true` in [guard]"
            .to_owned()
    });
    let rate = section.read("rate", usual.rate, rate).value;
    let credentials = if section.has("credentials") {
        credentials::read(section).value
    } else {
        usual.credentials
    };
    L4 {
        site,
        endpoint: endpoint.value,
        rate,
        credentials,
    }
}

#[cfg(test)]
mod tests {
    use super::super::Config;
    use super::*;

    const FEED: &str = "[[feed]]\nname = \"a\"\nurl = \"https://feeds.example.net/a.txt\"\n";

    fn read(text: &str) -> L4 {
        Config::parse(text, "test.toml").unwrap().l4
    }

    #[test]
    fn it_follows_the_one_firewall_there_is() {
        let firewall = |name: &str| {
            format!(
                "[[firewall]]\nname = \"{name}\"\nsite = \"international\"\ncredentials = {{ env = \"{name}\" }}\n"
            )
        };
        let one = read(&format!("{FEED}{}", firewall("A")));
        assert_eq!(
            one.endpoint.as_str(),
            "https://teo.intl.tencentcloudapi.com/"
        );
        assert_eq!(one.credentials, CredentialSource::Env("A".into()));
        let two = read(&format!("{FEED}{}{}", firewall("A"), firewall("B")));
        assert_eq!(two.endpoint.as_str(), "https://teo.tencentcloudapi.com/");
        assert_eq!(two.credentials, CredentialSource::Auto);
    }

    #[test]
    fn it_may_stand_without_feeds_and_firewalls() {
        let l4 = read("[l4]\nsite = \"international\"\nrate = \"5/s\"\n");
        assert_eq!((l4.site, l4.rate), (Site::International, 5));
        for text in ["", "[guard]\n", "[l4]\n[[firewall]]\nname = \"prod\"\n"] {
            let faults = Config::parse(text, "test.toml").unwrap_err().to_string();
            assert!(faults.contains("there is no [[feed]]"), "{faults}");
        }
    }
}
