//! The cloud itself: one account's lists, and how a call on them ends. No I/O.

use serde_json::{Value, json};

use super::clock::Moment;
use super::config::SimConfig;
use super::describe::{self, Query};
use super::faults::{Ending, Facts, FaultSchedule, Plan, Running};
use super::gateway::{self, Action, Request};
use super::l4::Proxies;
use super::list::Lists;
use super::modify;
use super::refusal::Refusal;
use super::state::Foreign;
use super::traffic::{Arrival, Traffic};

#[derive(Debug)]
pub(super) struct Cloud {
    pub(super) config: SimConfig,
    /// How far the cloud's clock is ahead of the injected one.
    pub(super) skew_seconds: i64,
    pub(super) lists: Lists,
    pub(super) proxies: Proxies,
    pub(super) traffic: Traffic,
    faults: Running,
    ids: fastrand::Rng,
}

/// A call on its way, with what is going to become of it.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) plan: Plan,
    request: Request,
    body: Body,
    facts: Facts,
}

/// What goes back.
#[derive(Debug)]
pub(super) struct Answer {
    /// The cloud's clock, for the `Date` header.
    pub(super) unix: i64,
    pub(super) reply: Reply,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Reply {
    Json(Value),
    Status(u16),
    Garbage,
    /// The answer breaks off in its middle.
    Truncated(Value),
    /// The connection ends instead.
    Closed,
    /// The connection is torn down instead.
    Reset,
}

#[derive(Debug)]
enum Body {
    TooLarge,
    Broken,
    Json(Value),
}

/// What the service made of a call.
struct Outcome {
    result: Result<Value, Refusal>,
    applied: bool,
}

impl Cloud {
    pub(super) fn new(mut config: SimConfig) -> Self {
        let faults = std::mem::take(&mut config.faults);
        let start = config.clock.read(0);
        let mut lists = Lists::new();
        lists.keep_for(faults.longest_delay().max(config.visible_after));
        // The start's own time goes into the ids, so that a simulator that is started again does not repeat them.
        let ids_seed = config.seed ^ u64::try_from(start.true_wall.as_micros()).unwrap_or(0);
        Self {
            skew_seconds: 0,
            lists,
            proxies: Proxies::default(),
            traffic: Traffic::new(config.log_capacity),
            faults: Running::new(faults, start.tick_us),
            ids: fastrand::Rng::with_seed(ids_seed),
            config,
        }
    }

    /// Replaces the schedule; its calls and seconds count from now.
    pub(super) fn set_faults(&mut self, faults: FaultSchedule) {
        let now = self.wake();
        self.lists
            .keep_for(faults.longest_delay().max(self.config.visible_after));
        self.faults = Running::new(faults, now.tick_us);
    }

    /// Reads the clock, and lets what has ended go.
    pub(super) fn wake(&mut self) -> Moment {
        let now = self.config.clock.read(self.skew_seconds);
        self.lists.expire(self.config.manners.expired, now);
        now
    }

    /// Takes a request in and decides which faults strike it. Whoever calls then waits for `plan.latency`.
    pub(super) fn receive(&mut self, request: Request) -> Call {
        let body = match request.body.as_deref().map(serde_json::from_slice) {
            None => Body::TooLarge,
            Some(Err(_)) => Body::Broken,
            Some(Ok(value)) => Body::Json(value),
        };
        let facts = request.facts(body.json());
        let tick_us = self.wake().tick_us;
        Call {
            plan: self.faults.plan(&facts, self.config.limits, tick_us),
            request,
            body,
            facts,
        }
    }

    /// Carries a call out as its plan has it, and logs it as arrived at `tick_us`.
    pub(super) fn answer(&mut self, call: &Call, tick_us: u64) -> Answer {
        let mut now = self.wake();
        for (foreign, seconds) in &call.plan.foreign {
            let end_unix = seconds.map(|seconds| now.unix.saturating_add(i64::from(seconds)));
            // The schedule was checked when it was read.
            let _ = self.seed_foreign(&[Foreign {
                end_unix,
                ..foreign.clone()
            }]);
        }
        now.unix = now.unix.saturating_add(call.plan.skew_seconds);
        let request_id = self.request_id();
        let number = self.traffic.next_number();
        let times = self.traffic.arrive(&call.facts.action, tick_us);
        let outcome = match call.plan.ending {
            Ending::Reset | Ending::Http { applied: false, .. } => None,
            _ => Some(self.serve(call, times, now)),
        };
        let verdict = call.plan.ending.verdict(outcome.as_ref());
        let applied = outcome.as_ref().is_some_and(|outcome| outcome.applied);
        let reply = call.plan.ending.reply(outcome, &request_id);
        self.traffic.record(Arrival {
            number,
            at_us: tick_us,
            unix: now.unix,
            action: call.facts.action.clone(),
            ioc_action: call.facts.ioc_action.clone(),
            entries: call.facts.iocs.len(),
            verdict,
            applied,
            answered: matches!(reply, Reply::Json(_) | Reply::Status(_)),
            request_id,
            secret_id: call.request.secret_id().to_owned(),
        });
        Answer {
            unix: now.unix,
            reply,
        }
    }

    /// The gateway, then the service, then the error that a fault puts in place of a success.
    fn serve(&mut self, call: &Call, times: usize, now: Moment) -> Outcome {
        let admitted = self.admit(call, times, now);
        let done = match (&admitted, &call.plan.ending) {
            (
                Ok(_),
                Ending::Error { applied: false, .. } | Ending::ReturnCode { applied: false, .. },
            ) => Ok(None),
            (Ok((action, body)), _) => self.act(*action, body, &call.plan, now).map(Some),
            (Err(refusal), _) => Err(refusal.clone()),
        };
        let applied = matches!(done, Ok(Some(_)));
        let result = match (done, &call.plan.ending) {
            (Err(refusal), _) => Err(refusal),
            (Ok(_), Ending::Error { refusal, .. }) => Err(refusal.clone()),
            (Ok(_), Ending::ReturnCode { code, message, .. }) => {
                Ok(json!({ "ReturnCode": code, "ReturnMsg": message }))
            }
            (Ok(value), _) => Ok(value.unwrap_or_default()),
        };
        Outcome { result, applied }
    }

    fn admit<'a>(
        &self,
        call: &'a Call,
        times: usize,
        now: Moment,
    ) -> Result<(Action, &'a Value), Refusal> {
        let action = gateway::admit(&call.request, &self.config, &call.plan, now)?;
        let rate = call.plan.limits.rate;
        if times > rate as usize {
            return Err(Refusal::too_often(times, rate));
        }
        match &call.body {
            Body::TooLarge => Err(Refusal::new(
                "RequestSizeLimitExceeded",
                "The request body exceeds 10 MB.",
            )),
            Body::Broken => Err(Refusal::invalid("The request body is not valid JSON.")),
            Body::Json(body) => Ok((action, body)),
        }
    }

    fn act(
        &mut self,
        action: Action,
        body: &Value,
        plan: &Plan,
        now: Moment,
    ) -> Result<Value, Refusal> {
        let limits = plan.limits;
        match action {
            Action::Modify => {
                let change = modify::read(body, &self.config, limits, now.unix)?;
                self.lists.apply(
                    &change,
                    plan.manners(self.config.manners),
                    limits.quota,
                    now,
                )?;
                Ok(modify::success())
            }
            Action::Describe => {
                let query = Query::read(body, &self.config, limits)?;
                let visible_after = plan.visible_after.unwrap_or(self.config.visible_after);
                Ok(query.answer(&self.lists, &self.config, visible_after, now))
            }
            Action::Quota => describe::quota(body, &self.lists, limits),
            Action::L4Create => {
                let (manners, ids) = (&self.config.l4, &mut self.ids);
                self.proxies.create(body, manners, now, ids)
            }
            Action::L4Describe => self.proxies.describe(body, &self.config.l4, now),
            Action::L4Modify => self.proxies.modify(body, &self.config.l4, now),
            Action::L4Delete => self.proxies.delete(body, &self.config.l4),
        }
    }

    /// A random UUID (RFC 9562, version 4), which the vendor's RequestIds look like.
    fn request_id(&mut self) -> String {
        let bits = self.ids.u128(..) & !(0xf << 76) & !(0x3 << 62) | (0x4 << 76) | (0x2 << 62);
        let hex = format!("{bits:032x}");
        let parts = [0..8, 8..12, 12..16, 16..20, 20..32].map(|part| hex.get(part).unwrap_or(""));
        parts.join("-")
    }
}

impl Body {
    fn json(&self) -> Option<&Value> {
        match self {
            Self::Json(value) => Some(value),
            Self::TooLarge | Self::Broken => None,
        }
    }
}

impl Ending {
    /// What the log says of the call; `None`: it never reached the service.
    fn verdict(&self, outcome: Option<&Outcome>) -> String {
        match (self, outcome.map(|outcome| &outcome.result)) {
            (Self::Http { status, .. }, _) => format!("HTTP {status}"),
            (Self::ReturnCode { code, .. }, Some(Ok(_))) => format!("ReturnCode {code}"),
            (_, Some(Ok(_))) => "ok".to_owned(),
            (_, Some(Err(refusal))) => refusal.code.clone().into_owned(),
            (_, None) => "reset".to_owned(),
        }
    }

    fn reply(&self, outcome: Option<Outcome>, request_id: &str) -> Reply {
        match (self, outcome) {
            (Self::Http { status, .. }, _) => Reply::Status(*status),
            (Self::Garbage, _) => Reply::Garbage,
            (Self::LoseAnswer | Self::Late(_), _) => Reply::Closed,
            (Self::Truncate, Some(outcome)) => {
                Reply::Truncated(envelope(outcome.result, request_id))
            }
            (_, Some(outcome)) => Reply::Json(envelope(outcome.result, request_id)),
            (_, None) => Reply::Reset,
        }
    }
}

fn envelope(outcome: Result<Value, Refusal>, request_id: &str) -> Value {
    let mut response = outcome.unwrap_or_else(
        |refusal| json!({ "Error": { "Code": refusal.code, "Message": refusal.message } }),
    );
    if let Some(response) = response.as_object_mut() {
        response.insert("RequestId".to_owned(), json!(request_id));
    }
    json!({ "Response": response })
}
