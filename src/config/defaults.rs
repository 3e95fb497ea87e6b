//! What holds where the file says nothing. `check --print` marks each of these lines `# default`.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use crate::model::{Class, Directions, List, Mode, OnDelist};
use crate::parse::{Format, MinPrefix, Urls};
use crate::plan::Quota;

use super::{CredentialSource, Site};

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;
const MIB: u64 = 1 << 20;

/// Where the config is looked for when `--config` names no other.
pub const CONFIG_PATH: &str = "/etc/feedwall/feedwall.toml";

/// `[ledger] path`: the service's state directory.
pub const LEDGER_PATH: &str = "/var/lib/feedwall/ledger.db";
/// `[ledger] keep_history`: a quarter, so that last quarter's incident can still be explained.
pub const KEEP_HISTORY: Duration = Duration::from_secs(90 * DAY);

/// `[http] listen`: this machine alone.
pub const HTTP_LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9753);

/// `[fetch] contact`: nobody is named to publishers unless the config does.
pub const CONTACT: Option<String> = None;

/// `[guard] min_prefix`: no feed has a reason to list more than a /8, or a registry's /16 of IPv6.
pub const MIN_PREFIX: MinPrefix = MinPrefix { v4: 8, v6: 16 };
/// `[guard] allow_private`: a feed that leads into one's own network is a mistake or an attack.
pub const ALLOW_PRIVATE: bool = false;

/// `[[feed]] format`
pub const FORMAT: Format = Format::Text;
/// `[[feed]] interval`: no publisher that we know of minds being asked once an hour.
pub const INTERVAL: Duration = Duration::from_secs(HOUR);
/// `[[feed]] ttl`: a feed may be away for a week before what it said is forgotten.
pub const TTL: Duration = Duration::from_secs(7 * DAY);
/// `[[feed]] confidence`, in percent.
pub const CONFIDENCE: u8 = 60;
/// `[[feed]] direction`: both ways for addresses and networks, outbound for domains.
pub const DIRECTION: Option<Directions> = None;
/// `[[feed]] list`
pub const LIST: List = List::Block;
/// `[[feed]] mode`: nearly every public feed is complete each time.
pub const MODE: Mode = Mode::Snapshot;
/// `[[feed]] on_delist`
pub const ON_DELIST: OnDelist = OnDelist::AgeOut;
/// `[[feed]] max_age`: off.
pub const MAX_AGE: Option<Duration> = None;
/// `[[feed]] observables`: most are no threats but what threats were seen with.
pub const OBSERVABLES: bool = false;
/// `[[feed]] to_ids`: the other attributes of an event are there for people to read.
pub const TO_IDS: bool = true;
/// `[[feed]] urls`: one bad file must not block its host.
pub const URLS: Urls = Urls::Reject;
/// `[[feed]] max_stale`: off, but for feeds of the catalogue whose rhythm is known.
pub const MAX_STALE: Option<Duration> = None;
/// `[[feed]] may_be_empty`: an empty download must not unblock everything.
pub const MAY_BE_EMPTY: bool = false;
/// `[[feed]] min_entries`
pub const MIN_ENTRIES: u64 = 1;
/// `[[feed]] max_entries`
pub const MAX_ENTRIES: u64 = 2_000_000;
/// `[[feed]] max_shrink`: half of the last good snapshot.
pub const MAX_SHRINK: f64 = 0.5;
/// `[[feed]] max_growth`: three times the last good snapshot.
pub const MAX_GROWTH: f64 = 3.0;
/// `[[feed]] max_size`: bytes as sent.
pub const MAX_SIZE: u64 = 64 * MIB;
/// `[[feed]] max_unpacked`: bytes once unpacked.
pub const MAX_UNPACKED: u64 = 512 * MIB;
/// `[[feed]] timeout`: until the last byte.
pub const TIMEOUT: Duration = Duration::from_secs(10 * MINUTE);
/// Until the first byte of an answer, or `timeout` where that is shorter: some publishers make the file when they
/// are asked for it. It has no key of its own.
pub const FIRST_BYTE: Duration = Duration::from_secs(MINUTE);

/// `[[guard.list]] interval`: what must not be blocked changes slowly.
pub const LIST_INTERVAL: Duration = Duration::from_secs(DAY);

/// `[[firewall]] site`
pub const SITE: Site = Site::China;
/// `[[firewall]] accept`: what the cloud does not take of it is learned and held.
pub const ACCEPT: [Class; 2] = [Class::Ipv4, Class::Domain];
/// `[[firewall]] rate`: the vendor's limit, in calls a second.
pub const RATE: u32 = 20;
/// `[[firewall]] batch`: entries in one call.
pub const BATCH: usize = 100;
/// `[[firewall]] quota`: asked for or learned, so that nothing is ever deleted for a number that nobody wrote.
pub const QUOTA: Quota = Quota::Auto;
/// `[[firewall]] reserve`: places kept free for entries made by hand.
pub const RESERVE: u64 = 200;
/// `[[firewall]] margin`: by how much a challenger's score must beat a holder's.
pub const MARGIN: f64 = 0.05;
/// `[[firewall]] max_delete`: the part of the leases that may be deleted within a day.
pub const MAX_DELETE: f64 = 0.3;
/// `[[firewall]] lease`: long enough for a weekend without the daemon.
pub const LEASE: Duration = Duration::from_secs(3 * DAY);
/// `[[firewall]] grid`: the step of EndTimes.
pub const GRID: Duration = Duration::from_secs(HOUR);
/// `[[firewall]] min_term`: how far ahead an EndTime lies when it is sent.
pub const MIN_TERM: Duration = Duration::from_secs(10 * MINUTE);
/// `[[firewall]] reconcile_interval`
pub const RECONCILE_INTERVAL: Duration = Duration::from_secs(6 * HOUR);
/// `[[firewall]] confirm_after`: the vendor says that a change takes up to a minute.
pub const CONFIRM_AFTER: Duration = Duration::from_secs(90);
/// `[[firewall]] time_zone`: Beijing's, which the vendor's pages use.
pub const TIME_ZONE: jiff::tz::Offset = jiff::tz::offset(8);
/// `[[firewall]] credentials`
pub const CREDENTIALS: CredentialSource = CredentialSource::Auto;
