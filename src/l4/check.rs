//! Everything that can be known of a rule file without asking anybody: the vendor's rules for a rule
//! (<https://www.tencentcloud.com/document/product/1145/50474#L4ProxyRule>), and ports that collide inside the file.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use super::fault::Fault;
use super::file::{Draft, Fields, Value, Written};
use super::origin::OriginType;
use super::port::PortRange;
use super::rule::{
    Parts, PassThrough, Protocol, Rule, RuleError, Session, SessionError, Tag, word,
};
use super::{Defaults, Place, RuleFile, Wanted};
use crate::config::parse_duration;
use crate::model::Name;

/// One rule while it is judged: its fields, and what is wrong with them.
struct Judge<'a> {
    draft: &'a Draft,
    faults: &'a mut Vec<Fault>,
}

/// What the head of a file says; `None`: it was complained of, and empty: nothing.
struct Head {
    zone: Option<String>,
    proxy: Option<String>,
}

/// Judges what is written, of which `faults` are known so far.
///
/// # Errors
/// All faults; never none.
pub(super) fn check(
    written: Written,
    path: &Path,
    defaults: &Defaults,
    mut faults: Vec<Fault>,
) -> Result<RuleFile, Vec<Fault>> {
    if written.rules.is_empty() && faults.is_empty() {
        let message = "there is no rule in it; to take rules away, use `feedwall l4 delete`";
        faults.push(Fault::new(0, "", message));
    }
    let set = set(&written.head, path, defaults).map_err(|fault| faults.extend(fault));
    let head = Head {
        zone: id_of(&written.head, "zone", &defaults.zone, &mut faults),
        proxy: id_of(&written.head, "proxy", &defaults.proxy, &mut faults),
    };
    let mut rules = Vec::new();
    for draft in &written.rules {
        let mut judge = Judge {
            draft,
            faults: &mut faults,
        };
        let (place, rule) = (judge.place(&head), judge.rule());
        if let (Some(place), Some(rule)) = (place, rule) {
            let line = draft.line;
            rules.push(Wanted { line, place, rule });
        }
    }
    collisions(&rules, &mut faults);
    match set {
        Ok(set) if faults.is_empty() => Ok(RuleFile { set, rules }),
        _ => Err(faults),
    }
}

/// The set's name; no fault beside the error where `set` itself was complained of.
fn set(head: &Fields, path: &Path, defaults: &Defaults) -> Result<Name, Option<Fault>> {
    let (line, text) = match (head.get("set"), &defaults.set) {
        (Some(value), _) => (value.line, value.texts.as_ref().ok_or(None)?.concat()),
        (None, Some(set)) => return Ok(set.clone()),
        (None, None) => {
            let stem = path.file_stem().unwrap_or_default();
            (0, stem.to_string_lossy().into_owned())
        }
    };
    Name::try_new(&text).map_err(|fault| {
        let message = format!("{text:?} is no name for a set of rules: {fault}");
        Some(Fault::new(line, "set", message))
    })
}

/// An id at the head of the file, else the one of the command line, else nothing; `None` where it was complained of.
fn id_of(
    head: &Fields,
    field: &'static str,
    default: &Option<String>,
    faults: &mut Vec<Fault>,
) -> Option<String> {
    let (line, id) = match head.get(field) {
        Some(value) => (value.line, value.texts.as_ref()?.concat()),
        None => (0, default.clone().unwrap_or_default()),
    };
    let fault = id_fault(line, field, &id).filter(|_| !id.is_empty());
    let sound = fault.is_none();
    faults.extend(fault);
    sound.then_some(id)
}

/// Ids of zones and proxies are the cloud's own; what is no id at all, or the other's, is told here.
fn id_fault(line: usize, field: &'static str, id: &str) -> Option<Fault> {
    let sign = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let (like, other) = match field {
        "zone" => ("zone-24wjy25v1cwi", "sid-"),
        _ => ("sid-2qwk27xf7j9g", "zone-"),
    };
    let sound = (1..=64).contains(&id.len()) && id.bytes().all(sign) && !id.starts_with(other);
    (!sound).then(|| {
        let message = format!("{id:?} is no {field}: its id looks like {like}");
        Fault::new(line, field, message)
    })
}

impl Judge<'_> {
    fn fault(&mut self, field: &'static str, message: impl ToString) {
        let line = self
            .draft
            .fields
            .get(field)
            .map_or(self.draft.line, |value| value.line);
        self.faults.push(Fault::new(line, field, message));
    }

    /// The values of a field; `None` where it is absent or was complained of.
    fn texts(&self, field: &'static str) -> Option<&[String]> {
        let value: &Value = self.draft.fields.get(field)?;
        value.texts.as_deref()
    }

    fn text(&self, field: &'static str) -> Option<String> {
        self.texts(field).map(<[String]>::concat)
    }

    /// Complains of a field that is not there.
    fn need(&mut self, field: &'static str) {
        if !self.draft.fields.contains_key(field) {
            self.fault(field, "is missing; each rule needs it");
        }
    }

    fn place(&mut self, head: &Head) -> Option<Place> {
        let zone = self.id("zone", head.zone.as_deref(), "--zone");
        let proxy = self.id("proxy", head.proxy.as_deref(), "--proxy");
        Some(Place {
            zone: zone?,
            proxy: proxy?,
        })
    }

    /// The rule's own id, or the head's.
    fn id(&mut self, field: &'static str, head: Option<&str>, option: &str) -> Option<String> {
        let Some(value) = self.draft.fields.get(field) else {
            if head == Some("") {
                let message = format!(
                    "is missing; write it into the rule, once at the head of the file, or give {option}"
                );
                self.fault(field, message);
                return None;
            }
            return head.map(str::to_owned);
        };
        let id = value.texts.as_ref()?.concat();
        let fault = id_fault(value.line, field, &id);
        let sound = fault.is_none();
        self.faults.extend(fault);
        sound.then_some(id)
    }

    fn rule(&mut self) -> Option<Rule> {
        let protocol = self.word("protocol", &Protocol::ALL, Protocol::as_str);
        self.need("protocol");
        let ports = self.ports();
        let origin_type = self.word("origin_type", &OriginType::ALL, OriginType::as_str);
        self.need("origin_type");
        let origins = self.origins(origin_type);
        let origin_port = self.origin_port();
        let absent = !self.draft.fields.contains_key("pass_through");
        let pass_through = self.word("pass_through", &PassThrough::ALL, PassThrough::as_str);
        let pass_through = pass_through.or(absent.then_some(PassThrough::Off));
        let session = self.session();
        let tag = self.tag();
        let parts = Parts {
            protocol: protocol?,
            ports: ports?,
            origin_type: origin_type?,
            origins: origins?,
            origin_port: origin_port?,
            pass_through: pass_through?,
            session: session?,
            tag: tag?,
        };
        match Rule::try_new(parts) {
            Ok(rule) => Some(rule),
            Err(faults) => {
                for fault in faults {
                    self.fault(fault.field(), &fault);
                }
                None
            }
        }
    }

    fn word<T: Copy>(
        &mut self,
        field: &'static str,
        all: &[T],
        name: fn(T) -> &'static str,
    ) -> Option<T> {
        let text = self.text(field)?;
        let found = word(all, name, &text);
        if found.is_none() {
            let known: Vec<_> = all.iter().map(|one| name(*one)).collect();
            self.fault(field, format!("{text:?} is none of {}", known.join(", ")));
        }
        found
    }

    fn ports(&mut self) -> Option<Vec<PortRange>> {
        self.need("ports");
        let texts = self.texts("ports")?.to_vec();
        if texts.is_empty() {
            self.fault("ports", RuleError::NoPorts);
        }
        let mut ports = Vec::new();
        for text in &texts {
            match PortRange::try_new(text) {
                Ok(range) => ports.push(range),
                Err(fault) => self.fault("ports", fault),
            }
        }
        (!ports.is_empty() && ports.len() == texts.len()).then_some(ports)
    }

    fn origin_port(&mut self) -> Option<PortRange> {
        self.need("origin_port");
        let text = self.text("origin_port")?;
        PortRange::try_new(&text)
            .map_err(|fault| self.fault("origin_port", fault))
            .ok()
    }

    fn origins(&mut self, kind: Option<OriginType>) -> Option<Vec<String>> {
        self.need("origins");
        let (texts, kind) = (self.texts("origins")?.to_vec(), kind?);
        let mut origins = Vec::new();
        for text in &texts {
            match kind.origin(text) {
                Ok(origin) => origins.push(origin),
                Err(fault) => self.fault("origins", fault),
            }
        }
        if origins.len() < texts.len() {
            return None;
        }
        kind.origins(origins)
            .map_err(|fault| self.fault("origins", fault))
            .ok()
    }

    /// `session_persist` is `off`, `on`, or for how long; `session_persist_time` says how long where it is `on`.
    /// `None` where one of them was complained of.
    fn session(&mut self) -> Option<Option<Session>> {
        let written = |field| self.draft.fields.contains_key(field);
        let (has_persist, has_time) = (written("session_persist"), written("session_persist_time"));
        let persist = self.text("session_persist");
        let session = match persist.as_deref().map(str::trim) {
            None if has_persist => return None,
            Some("on") if has_time => return self.session_time().map(Some),
            Some("on") => Some(Session::LONGEST),
            None | Some("off") => None,
            Some(text) => match length(text).map(Session::try_new) {
                Some(Ok(session)) => Some(session),
                Some(Err(fault)) => {
                    self.fault("session_persist", format!("{text:?}: {fault}"));
                    return None;
                }
                None => {
                    let message = format!("{text:?} is none of on, off, or a duration such as 30m");
                    self.fault("session_persist", message);
                    return None;
                }
            },
        };
        if has_time {
            self.fault(
                "session_persist_time",
                "counts only with session_persist = \"on\"",
            );
            return None;
        }
        Some(session)
    }

    fn session_time(&mut self) -> Option<Session> {
        let text = self.text("session_persist_time")?;
        let seconds = text.parse().map(Duration::from_secs).ok();
        let length = seconds.or_else(|| length(&text)).ok_or(SessionError);
        length
            .and_then(Session::try_new)
            .map_err(|fault| self.fault("session_persist_time", format!("{text:?}: {fault}")))
            .ok()
    }

    /// `None` where it was complained of.
    fn tag(&mut self) -> Option<Option<Tag>> {
        let Some(text) = self.text("tag") else {
            return (!self.draft.fields.contains_key("tag")).then_some(None);
        };
        Tag::try_new(&text)
            .map_err(|fault| self.fault("tag", fault))
            .ok()
            .map(Some)
    }
}

/// A duration such as `30m`.
fn length(text: &str) -> Option<Duration> {
    Duration::try_from(parse_duration(text)?).ok()
}

/// Ports that a rule of the file takes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Taken {
    range: PortRange,
    /// The rule's number in the file.
    number: usize,
    line: usize,
}

/// A proxy has each port of a protocol once.
fn collisions(rules: &[Wanted], faults: &mut Vec<Fault>) {
    let mut taken: HashMap<(&Place, Protocol), Vec<Taken>> = HashMap::new();
    for (number, wanted) in rules.iter().enumerate() {
        let line = wanted.line;
        let ports = wanted.rule.ports().iter();
        taken
            .entry((&wanted.place, wanted.rule.protocol()))
            .or_default()
            .extend(ports.map(|range| Taken {
                range: *range,
                number,
                line,
            }));
    }
    for ranges in taken.values_mut() {
        ranges.sort_unstable();
        // The range so far that reaches farthest: whatever begins before its end collides with it.
        let mut farthest: Option<Taken> = None;
        for here in ranges.iter().copied() {
            if let Some(before) = farthest
                && let Some(both) = before.range.overlap(here.range)
                && before.number != here.number
            {
                faults.push(collision(before.in_order(here), both));
            }
            if farthest.is_none_or(|before| before.range.last() < here.range.last()) {
                farthest = Some(here);
            }
        }
    }
}

/// The fault of the later rule of two that share ports.
fn collision((first, second): (Taken, Taken), both: PortRange) -> Fault {
    let words = match both.length() {
        1 => ("port", "is"),
        _ => ("ports", "are"),
    };
    let (noun, verb) = words;
    let line = first.line;
    let message = format!("{noun} {both} {verb} taken by the rule on line {line}");
    Fault::new(second.line, "ports", message)
}

impl Taken {
    /// Both, in the order of the file.
    fn in_order(self, other: Self) -> (Self, Self) {
        if self.number < other.number {
            (self, other)
        } else {
            (other, self)
        }
    }
}
