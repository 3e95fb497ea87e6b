//! A world for the tests of what the cloud may do: a simulated cloud, a feed in a file, a ledger, and a clock
//! that all of them share and that a test can put forward.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use feedwall::clock::Clock;
use feedwall::cloud::cfw::{Ioc, IocAction, ModifyBlockIgnoreList, RuleType};
use feedwall::cloud::{Answer, Client, Keys, Limiter};
use feedwall::config::Config;
use feedwall::daemon::{Daemon, OnceSummary, Session};
use feedwall::ledger::{FirewallRow, LeaseCounts, Ledger};
use feedwall::model::{Name, UnixTime};
use feedwall::sim::{
    self, Arrival, Credential, EntryState, FAKE_SECRET_ID, FAKE_SECRET_KEY, FaultSchedule, Foreign,
    Sim, SimConfig, Then, When,
};
use secrecy::SecretString;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions as _, Connection as _};
use tempfile::TempDir;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

/// A place on the cloud's lists: list, text, direction.
pub type Place = (u8, String, u8);

/// The secret id by which somebody else writes to the same lists.
pub const SOMEBODY: &str = "AKIDsomebodyEXAMPLE";

/// How long a change takes to show, unless a test says otherwise.
pub const CONFIRM_AFTER: i64 = 2;

/// No single run may take longer, whatever the cloud does.
const BOUND: Duration = Duration::from_secs(60);

/// The firewall's keys of the config; a test replaces some of them.
const TERMS: [(&str, &str); 9] = [
    ("accept", r#"["ipv4", "domain"]"#),
    ("quota", "5000"),
    ("reserve", "0"),
    ("batch", "20"),
    ("max_delete", "1.0"),
    ("lease", r#""2h""#),
    ("grid", r#""1m""#),
    ("min_term", r#""1m""#),
    ("confirm_after", r#""2s""#),
];

/// How a world is made.
pub struct Plan {
    pub cloud: SimConfig,
    pub terms: BTreeMap<&'static str, String>,
    wall: Clock,
}

/// One firewall's world.
pub struct World {
    pub sim: Sim,
    pub folder: TempDir,
    /// The daemon's clock.
    pub clock: Clock,
    /// The cloud's.
    wall: Clock,
    terms: BTreeMap<&'static str, String>,
    batch: usize,
    running: Option<(Daemon, Arc<Session>)>,
    in_force: Option<Config>,
    listed: Mutex<Vec<String>>,
    foreign: Mutex<Vec<(Place, i64)>>,
    poison: Mutex<FaultSchedule>,
}

impl Plan {
    pub fn new() -> Self {
        let wall = Clock::system();
        let told = wall.clone();
        let since_epoch = move || Duration::from_millis(u64::try_from(told.now_ms()).unwrap());
        let mut cloud = SimConfig::new(sim::Clock::new(since_epoch));
        cloud
            .credentials
            .push(Credential::new(SOMEBODY, FAKE_SECRET_KEY));
        let terms = TERMS.map(|(key, value)| (key, value.to_owned()));
        Self {
            cloud,
            terms: BTreeMap::from(terms),
            wall,
        }
    }

    /// Sets a key of the firewall.
    pub fn term(mut self, key: &'static str, value: &str) -> Self {
        self.terms.insert(key, value.to_owned());
        self
    }

    pub fn cloud(mut self, change: impl FnOnce(&mut SimConfig)) -> Self {
        change(&mut self.cloud);
        self
    }

    /// A cloud that refuses to do again what it has done.
    pub fn strict(self, code: &'static str) -> Self {
        self.cloud(|cloud| cloud.manners = sim::Manners::strict(code))
    }

    /// Starts the world with a feed that lists `lines`.
    pub async fn start(self, lines: &[String]) -> World {
        let folder = tempfile::tempdir().unwrap();
        let mut world = World {
            batch: self.cloud.limits.batch,
            sim: Sim::start(self.cloud).await.unwrap(),
            folder,
            clock: Clock::system(),
            wall: self.wall,
            terms: self.terms,
            running: None,
            in_force: None,
            listed: Mutex::default(),
            foreign: Mutex::default(),
            poison: Mutex::default(),
        };
        world.write_keys(FAKE_SECRET_ID, None);
        world.feed(lines);
        world.restart().await;
        world
    }
}

impl World {
    /// Ends the daemon, where one runs, and starts another on the same ledger.
    pub async fn restart(&mut self) {
        let config = self.config();
        self.restart_with(&config).await;
    }

    /// The same with another config.
    pub async fn restart_with(&mut self, config: &str) {
        self.stop().await;
        let config = Config::parse(config, "world.toml").unwrap();
        let daemon = Daemon::open(&config.ledger.path, self.clock.clone())
            .await
            .unwrap();
        let session = Arc::new(daemon.configure(&config).await.unwrap());
        self.running = Some((daemon, session));
        self.in_force = Some(config);
    }

    pub async fn stop(&mut self) {
        if let Some((daemon, session)) = self.running.take() {
            drop(session);
            daemon.close().await;
        }
    }

    pub fn session(&self) -> &Arc<Session> {
        &self.running.as_ref().unwrap().1
    }

    pub fn ledger(&self) -> Arc<Ledger> {
        Arc::clone(&self.running.as_ref().unwrap().0.context().ledger)
    }

    pub fn config(&self) -> String {
        let folder = self.folder.path().display();
        let mut text = format!(
            r#"
            [ledger]
            path = "{folder}/ledger.db"
            [guard]
            allow_private = true
            [defaults]
            interval = "1m"
            ttl = "30d"
            direction = "in"
            on_delist = "withdraw"
            may_be_empty = true
            min_entries = 0
            max_shrink = 1.0
            max_growth = 1000000.0
            [[feed]]
            name = "feed"
            path = "{folder}/feed.txt"
            [[firewall]]
            name = "wall"
            kind = "tencent-cfw"
            endpoint = "{url}"
            credentials = {{ file = "{folder}/keys" }}
            "#,
            url = self.sim.url()
        );
        for (key, value) in &self.terms {
            writeln!(text, "{key} = {value}").unwrap();
        }
        text
    }

    pub fn write_keys(&self, secret_id: &str, token: Option<&str>) {
        let mut keys =
            format!("[default]\nsecret_id = {secret_id}\nsecret_key = {FAKE_SECRET_KEY}\n");
        if let Some(token) = token {
            writeln!(keys, "token = {token}").unwrap();
        }
        std::fs::write(self.folder.path().join("keys"), keys).unwrap();
    }

    /// From the next poll on the feed lists `lines`.
    pub fn feed(&self, lines: &[String]) {
        let body = lines.join("\n") + "\n# the end\n";
        std::fs::write(self.folder.path().join("feed.txt"), body).unwrap();
        *self.listed.lock().unwrap() = lines.to_vec();
    }

    /// Puts both clocks forward.
    pub fn advance(&self, seconds: i64) {
        for clock in [&self.clock, &self.wall] {
            assert!(clock.correct(clock.offset(), seconds));
        }
    }

    /// What goes wrong from now on, beside what the cloud will not have anyway.
    pub fn faults(&self, when: When, then: Then) {
        let poison = self.poison.lock().unwrap().clone();
        self.sim.set_faults(poison.and(when, then));
    }

    /// From now on the cloud refuses calls for what they hold, also when it is calm.
    pub fn poison(&self, when: When, code: &str) {
        let mut poison = self.poison.lock().unwrap();
        *poison = poison.clone().and(when, Then::error(code));
        self.sim.set_faults(poison.clone());
    }

    /// Puts entries of others on the blocklist, inbound, until `end` from now (`None`: for ever).
    pub fn others_hold(&self, iocs: &[String], end: Option<i64>) {
        let now = self.wall.now().seconds();
        let entries: Vec<Foreign> = iocs
            .iter()
            .map(|ioc| Foreign {
                rule_type: 1,
                ioc: ioc.clone(),
                direction: 1,
                end_unix: end.map(|seconds| now + seconds),
                source: None,
            })
            .collect();
        self.sim.seed_foreign(&entries).unwrap();
        let held: BTreeMap<Place, i64> = self.ends();
        let mut foreign = self.foreign.lock().unwrap();
        for ioc in iocs {
            let place = (1, ioc.clone(), 1);
            let end = held[&place];
            foreign.push((place, end));
        }
    }

    /// Another client of the same account changes entries of the blocklist, inbound.
    pub async fn somebody(&self, action: IocAction, iocs: &[String], end: Option<i64>) {
        let zone = jiff::tz::offset(8);
        let keys = Keys {
            secret_id: SOMEBODY.to_owned(),
            secret_key: SecretString::from(FAKE_SECRET_KEY),
            token: None,
            expires: None,
            source: "the test".to_owned(),
        };
        let client = Client::new(&self.sim.url().parse().unwrap()).unwrap();
        let limiter = Arc::new(Limiter::new(20));
        for iocs in iocs.chunks(self.batch) {
            let now = self.wall.now();
            let text =
                |seconds: i64| UnixTime::from_seconds(now.seconds() + seconds).wall_clock(zone);
            let ioc = |ioc: &String| Ioc {
                ip: ioc.clone(),
                direction: 1,
                domain: None,
            };
            let call = ModifyBlockIgnoreList {
                rule_type: RuleType::Blocklist,
                ioc: iocs.iter().map(ioc).collect(),
                ioc_action: action,
                start_time: end.map(|_| text(-300)),
                end_time: end.map(text),
            };
            let permit = limiter.place().await.permit().await;
            let reply = client.send(&call, &keys, permit, now).await;
            assert_eq!(reply.answer, Answer::Success);
        }
    }

    /// One whole run: poll, read back where that is due, plan, send until nothing is left.
    pub async fn once(&self) -> OnceSummary {
        let cancel = CancellationToken::new();
        let run = Arc::clone(self.session()).once(false, &cancel);
        match timeout(BOUND, run).await {
            Ok(summary) => summary.unwrap(),
            Err(_) => panic!("no end: {:#?}\n{:#?}", self.row().await, self.tail()),
        }
    }

    /// One run that brings everything up to date.
    pub async fn once_well(&self) {
        let summary = self.once().await;
        assert_eq!(summary.failures().next(), None);
    }

    /// One run that the ledger puts an end to; what it failed of.
    pub async fn once_badly(&self) -> String {
        let cancel = CancellationToken::new();
        let run = Arc::clone(self.session()).once(false, &cancel);
        let fault = timeout(BOUND, run).await.unwrap().unwrap_err();
        format!("{fault:#}")
    }

    /// Runs the daemon's loops until `done`, or for as long as `most`.
    pub async fn run_until(&self, most: Duration, done: impl Fn(&Self) -> bool) {
        let daemon = &self.running.as_ref().unwrap().0;
        let session = daemon
            .configure(self.in_force.as_ref().unwrap())
            .await
            .unwrap();
        let cancel = CancellationToken::new();
        let watch = async {
            let deadline = Instant::now() + most;
            while !done(self) && Instant::now() < deadline {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            cancel.cancel();
        };
        let (end, ()) = tokio::join!(session.run(&cancel), watch);
        end.unwrap();
    }

    /// Does something to the ledger behind the daemon's back.
    pub async fn sql(&self, statement: &'static str) {
        let mut ledger = self.connect().await;
        sqlx::query(statement).execute(&mut ledger).await.unwrap();
        ledger.close().await.unwrap();
    }

    /// Counts the plans that are made from now on.
    pub async fn count_plans(&self) {
        self.sql("INSERT INTO meta VALUES ('plans', '0')").await;
        self.sql(
            "CREATE TRIGGER plans AFTER UPDATE OF planned_at ON firewalls BEGIN
                 UPDATE meta SET value = CAST(CAST(value AS INTEGER) + 1 AS TEXT) WHERE name = 'plans';
             END",
        )
        .await;
    }

    /// Lets the daemon's loops find every feed due.
    pub fn feeds_are_due(&self) {
        self.advance(120);
    }

    pub async fn plans(&self) -> i64 {
        let mut ledger = self.connect().await;
        sqlx::query_scalar("SELECT CAST(value AS INTEGER) FROM meta WHERE name = 'plans'")
            .fetch_one(&mut ledger)
            .await
            .unwrap()
    }

    async fn connect(&self) -> SqliteConnection {
        let file = self.folder.path().join("ledger.db");
        let options = SqliteConnectOptions::new().filename(file);
        options.connect().await.unwrap()
    }

    /// Ends every fault and runs, with time passing in between, until a run neither writes nor leaves anything
    /// unconfirmed.
    pub async fn calm(&self) {
        self.sim.set_faults(self.poison.lock().unwrap().clone());
        for _ in 0..8 {
            let before = self.writes_sent();
            self.once_well().await;
            if self.writes_sent() == before && self.is_confirmed().await {
                return;
            }
            self.advance(11 * CONFIRM_AFTER);
        }
        let counts = self.counts().await;
        panic!("no calm: {counts:?}\n{:#?}", self.tail());
    }

    /// What the feed lists, as places.
    pub fn desired(&self) -> BTreeSet<Place> {
        let listed = self.listed.lock().unwrap();
        listed.iter().map(|line| (1, line.clone(), 1)).collect()
    }

    /// What stands there and was not put there by others.
    pub fn ours(&self) -> BTreeSet<Place> {
        let entries = self.sim.entries().into_iter();
        entries
            .filter(|entry| !entry.foreign)
            .map(|entry| place(&entry))
            .collect()
    }

    /// Holds the world to its promises: the list is the desired set without `except`, no entry was written more
    /// than `most` times, what others hold is as they put it, and `quarantined` is what was quarantined.
    pub async fn assert_converged(&self, except: &[String], quarantined: &[String], most: u64) {
        let mut desired = self.desired();
        for ioc in except.iter().chain(quarantined) {
            desired.remove(&(1, ioc.clone(), 1));
        }
        let ours = self.ours();
        let missing: Vec<_> = desired.difference(&ours).collect();
        let surplus: Vec<_> = ours.difference(&desired).collect();
        assert!(
            missing.is_empty() && surplus.is_empty(),
            "missing {missing:?}, surplus {surplus:?}, quarantined {:?}, plan {:?}\n{:#?}",
            self.quarantine().await,
            self.row().await.plan,
            self.tail()
        );
        for (list, ioc, direction) in &ours {
            let writes = self.sim.writes(*list, ioc, *direction);
            assert!(writes <= most, "{ioc} was written {writes} times");
        }
        self.assert_foreign_untouched();
        let held: BTreeSet<String> = self.quarantine().await.into_keys().collect();
        assert_eq!(held, quarantined.iter().cloned().collect());
        self.assert_ledger_agrees().await;
    }

    pub fn assert_foreign_untouched(&self) {
        let ends = self.ends();
        let now = self.wall.now().seconds();
        for (place, end) in self.foreign.lock().unwrap().iter() {
            if *end > now {
                assert_eq!(ends.get(place), Some(end), "{place:?} is somebody else's");
            }
            let writes = self.sim.writes(place.0, &place.1, place.2);
            assert!(*end <= now || writes == 0, "{place:?} was written to");
        }
    }

    /// The ledger's leases are what stands there, to the EndTime, and no trial is left over.
    pub async fn assert_ledger_agrees(&self) {
        let ledger = self.ledger();
        let row = self.row().await;
        let now = self.clock.now();
        let leases: BTreeMap<Place, i64> = ledger
            .leases(row.id)
            .await
            .unwrap()
            .into_iter()
            .filter(|lease| lease.end_time > now)
            .map(|lease| {
                assert_eq!(lease.doubt, None, "{:?}", lease.entry);
                let entry = lease.entry;
                let place = (
                    entry.list as u8,
                    entry.indicator.to_string(),
                    entry.direction as u8,
                );
                (place, lease.end_time.seconds())
            })
            .collect();
        let ours = self.ours();
        let mut ends = self.ends();
        ends.retain(|place, _| ours.contains(place));
        assert_eq!(leases, ends);
        let suspects = ledger.suspects(row.id).await.unwrap();
        assert!(
            suspects.entries.is_empty() && suspects.trials.is_empty(),
            "{suspects:?}"
        );
    }

    /// What is quarantined, with its code.
    pub async fn quarantine(&self) -> BTreeMap<String, String> {
        let row = self.row().await;
        let held = self.ledger().quarantine(row.id).await.unwrap();
        held.into_iter()
            .map(|one| (one.entry.indicator.to_string(), one.code))
            .collect()
    }

    pub async fn learned(&self) -> Vec<String> {
        let row = self.row().await;
        let since = UnixTime::from_seconds(0);
        let learned = self.ledger().learned(row.id, since).await.unwrap();
        learned.into_iter().map(|one| one.0).collect()
    }

    pub async fn row(&self) -> FirewallRow {
        let name = Name::try_new("wall").unwrap();
        self.ledger().firewall(&name).await.unwrap().unwrap()
    }

    pub async fn counts(&self) -> LeaseCounts {
        let row = self.row().await;
        let now = self.clock.now();
        self.ledger().lease_counts(row.id, now).await.unwrap()
    }

    async fn is_confirmed(&self) -> bool {
        let counts = self.counts().await;
        // The daemon itself is content when nine tenths are confirmed.
        counts.doubtful == 0 && (counts.held - counts.confirmed) * 10 <= counts.held
    }

    /// Calls of one action that we made.
    pub fn calls(&self, action: &str) -> Vec<Arrival> {
        let calls = self.sim.calls().into_iter();
        calls
            .filter(|call| call.action == action && call.secret_id != SOMEBODY)
            .collect()
    }

    pub fn writes_sent(&self) -> usize {
        self.calls("ModifyBlockIgnoreList").len()
    }

    /// Where each entry stands, and until when.
    pub fn ends(&self) -> BTreeMap<Place, i64> {
        let entries = self.sim.entries().into_iter();
        entries
            .map(|entry| (place(&entry), entry.end_unix))
            .collect()
    }

    /// The last calls, for a failure's message.
    fn tail(&self) -> Vec<String> {
        let calls = self.sim.calls();
        calls[calls.len().saturating_sub(30)..]
            .iter()
            .map(|call| {
                format!(
                    "{} {} {} {}: {}",
                    call.unix, call.action, call.ioc_action, call.entries, call.verdict
                )
            })
            .collect()
    }
}

/// So many addresses that no guard strikes.
pub fn addresses(range: std::ops::Range<u32>) -> Vec<String> {
    range
        .map(|n| format!("45.155.{}.{}", n / 250, n % 250 + 1))
        .collect()
}

fn place(entry: &EntryState) -> Place {
    (entry.rule_type, entry.ioc.clone(), entry.direction)
}
