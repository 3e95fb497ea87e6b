//! The cloud, asked as a client asks it. `Desk` leaves HTTP out; `http` has the wire.

mod describe;
mod faults;
mod gateway;
mod http;
mod l4;
mod lists;
mod moods;
mod options;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, Method};
use bytes::Bytes;
use secrecy::SecretString;
use serde_json::{Value, json};

use super::clock::HeldClock;
use super::cloud::{Cloud, Reply};
use super::config::{FAKE_SECRET_ID, FAKE_SECRET_KEY, SimConfig};
use super::gateway::Request;
use super::tc3::{self, Signed};

/// 2026-01-02 03:04:05 UTC, 11:04:05 in Beijing.
const NOW: u64 = 1_767_323_045;
const FOR_EVER: &str = "3000-01-01 00:00:00";

/// A cloud with a clock that stands still and calls that come a second apart, unless told otherwise.
struct Desk {
    cloud: Cloud,
    clock: HeldClock,
    ticks: Arc<AtomicU64>,
}

impl Desk {
    fn new() -> Self {
        Self::with(|_| {})
    }

    fn with(change: impl FnOnce(&mut SimConfig)) -> Self {
        let clock = HeldClock::new(NOW);
        let ticks = Arc::new(AtomicU64::new(0));
        let reading = Arc::clone(&ticks);
        let steady = move || Duration::from_micros(reading.load(Ordering::SeqCst));
        let mut config = SimConfig::new(clock.clock().with_ticks(steady));
        change(&mut config);
        Self {
            cloud: Cloud::new(config),
            clock,
            ticks,
        }
    }

    fn later(&self, span: Duration) {
        self.clock.advance(span);
    }

    /// Sends a good call and returns the inside of `Response`.
    fn call(&mut self, action: &str, body: &Value) -> Value {
        self.send(&request(action, body))
    }

    fn send(&mut self, request: &Request) -> Value {
        self.ticks.fetch_add(1_000_000, Ordering::SeqCst);
        self.send_at_once(request)
    }

    fn send_at_once(&mut self, request: &Request) -> Value {
        match self.reply(request) {
            Reply::Json(answer) => answer["Response"].clone(),
            other => panic!("no plain answer: {other:?}"),
        }
    }

    fn reply(&mut self, request: &Request) -> Reply {
        let call = self.cloud.receive(request.clone());
        let tick_us = self.ticks.load(Ordering::SeqCst);
        self.cloud.answer(&call, tick_us).reply
    }

    fn modify(&mut self, action: &str, iocs: &[(&str, u8)], end: &str) -> Value {
        self.call("ModifyBlockIgnoreList", &modification(action, iocs, end))
    }

    /// Every blocked entry as `ioc/direction until end`, for comparing whole lists.
    fn standing(&mut self) -> Vec<String> {
        let line = |entry: &super::EntryState| {
            format!("{} {} until {}", entry.ioc, entry.direction, entry.end)
        };
        self.cloud.entries().iter().map(line).collect()
    }
}

/// A read-back of the blocklist's first page, as the China site wants it.
fn first_page() -> Value {
    json!({
        "RuleType": 1, "ShowType": "blocklist", "Limit": 20, "Offset": 0, "Direction": "", "Order": "", "By": "",
    })
}

fn modification(action: &str, iocs: &[(&str, u8)], end: &str) -> Value {
    let item = |(ioc, direction): &(&str, u8)| {
        let is_domain = ioc.bytes().any(|byte| byte.is_ascii_alphabetic()) && !ioc.contains(':');
        let (ip, domain) = if is_domain { ("", *ioc) } else { (*ioc, "") };
        json!({ "IP": ip, "Domain": domain, "Direction": direction })
    };
    let items: Vec<Value> = iocs.iter().map(item).collect();
    json!({
        "RuleType": 1, "IocAction": action, "IOC": items,
        "StartTime": "2026-01-01 00:00:00", "EndTime": end,
    })
}

fn request(action: &str, body: &Value) -> Request {
    signed(
        action,
        body.to_string(),
        i64::try_from(NOW).unwrap(),
        FAKE_SECRET_ID,
        FAKE_SECRET_KEY,
    )
}

fn signed(action: &str, body: String, timestamp: i64, id: &str, key: &str) -> Request {
    let mut headers = HeaderMap::new();
    let mut set = |name: &'static str, value: &str| {
        headers.insert(HeaderName::from_static(name), value.parse().unwrap());
    };
    set("content-type", "application/json");
    set("host", "127.0.0.1:8080");
    set("x-tc-action", action);
    let (service, version) = match action.contains("L4") {
        true => ("teo", "2022-09-01"),
        false => ("cfw", "2019-09-04"),
    };
    set("x-tc-version", version);
    set("x-tc-timestamp", &timestamp.to_string());
    let parts = Signed {
        method: "POST",
        path: "/",
        query: "",
        headers: &headers,
        body: body.as_bytes(),
        timestamp,
    };
    let header = tc3::sign(parts, service, id, &SecretString::from(key));
    headers.insert("authorization", header.parse().unwrap());
    Request {
        method: Method::POST,
        uri: "/".parse().unwrap(),
        headers,
        body: Some(Bytes::from(body)),
    }
}

fn code(response: &Value) -> &str {
    response["Error"]["Code"].as_str().unwrap_or("ok")
}
