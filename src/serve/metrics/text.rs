//! The Prometheus text format, version 0.0.4 (prometheus.io/docs/instrumenting/exposition_formats). A family is
//! named with its help and type even where it has no sample, so that a dashboard finds it.

use std::fmt::Write as _;

pub(in crate::serve) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What is written so far.
#[derive(Debug, Default)]
pub(super) struct Text(String);

/// A family that is being written.
pub(super) struct Family<'a> {
    text: &'a mut String,
    name: &'static str,
}

/// What a sample can be.
pub(super) struct Value(f64);

impl Text {
    pub fn gauge(&mut self, name: &'static str, help: &str) -> Family<'_> {
        self.family(name, "gauge", help)
    }

    pub fn counter(&mut self, name: &'static str, help: &str) -> Family<'_> {
        self.family(name, "counter", help)
    }

    pub fn family(&mut self, name: &'static str, kind: &str, help: &str) -> Family<'_> {
        // Writing to a string does not fail.
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
        Family {
            text: &mut self.0,
            name,
        }
    }

    pub fn into_string(self) -> String {
        self.0
    }
}

impl Family<'_> {
    pub fn sample(&mut self, labels: &[(&str, &str)], value: impl Into<Value>) {
        self.part("", labels, value);
    }

    /// A sample of a histogram or a summary: `_bucket`, `_sum` or `_count`.
    pub fn part(&mut self, suffix: &str, labels: &[(&str, &str)], value: impl Into<Value>) {
        let Value(value) = value.into();
        let _ = write!(self.text, "{}{suffix}", self.name);
        for (place, (label, value)) in labels.iter().enumerate() {
            let before = if place == 0 { '{' } else { ',' };
            let _ = write!(self.text, "{before}{label}=\"{}\"", escape(value));
        }
        if !labels.is_empty() {
            self.text.push('}');
        }
        let _ = writeln!(self.text, " {value}");
    }
}

/// A label's value: backslash, quote and line feed are escaped, and other controls are not let through.
fn escape(value: &str) -> String {
    let mut escaped = String::with_capacity(value.len());
    for sign in value.chars() {
        match sign {
            '\\' => escaped.push_str("\\\\"),
            '"' => escaped.push_str("\\\""),
            '\n' => escaped.push_str("\\n"),
            sign if sign.is_control() => escaped.push('\u{fffd}'),
            sign => escaped.push(sign),
        }
    }
    escaped
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Self(value)
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self(f64::from(u8::from(value)))
    }
}

impl From<u32> for Value {
    fn from(value: u32) -> Self {
        Self(f64::from(value))
    }
}

impl From<i32> for Value {
    fn from(value: i32) -> Self {
        Self(f64::from(value))
    }
}

// Counts and moments stay far below 2^53, up to which a double counts exactly.
impl From<u64> for Value {
    fn from(value: u64) -> Self {
        Self(value as f64)
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self(value as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_cannot_break_out() {
        let mut text = Text::default();
        text.gauge("x_bytes", "Help.")
            .sample(&[("feed", "a\"} 1\n\\\u{1b}"), ("b", "")], 1.5);
        text.counter("y_total", "Help.");
        let expected = "# HELP x_bytes Help.\n# TYPE x_bytes gauge\n\
            x_bytes{feed=\"a\\\"} 1\\n\\\\\u{fffd}\",b=\"\"} 1.5\n\
            # HELP y_total Help.\n# TYPE y_total counter\n";
        assert_eq!(text.into_string(), expected);
    }
}
