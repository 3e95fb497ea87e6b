//! A moment in whole seconds, the only unit in which feeds and the cloud tell time.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::Offset;

/// Seconds since 1970-01-01T00:00:00Z. All arithmetic saturates, so no input can make it panic.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixTime(i64);

impl UnixTime {
    /// The moment that is `seconds` after the Unix epoch.
    #[must_use]
    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds)
    }

    /// Seconds since the Unix epoch.
    #[must_use]
    pub const fn seconds(self) -> i64 {
        self.0
    }

    /// This moment moved later, to the whole second.
    #[must_use]
    pub fn plus(self, by: Duration) -> Self {
        Self(self.0.saturating_add(whole_seconds(by)))
    }

    /// This moment moved earlier, to the whole second.
    #[must_use]
    pub fn minus(self, by: Duration) -> Self {
        Self(self.0.saturating_sub(whole_seconds(by)))
    }

    /// How long ago `earlier` was; zero where it lies ahead.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_secs(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// The next multiple of `grid` at or after this moment; a grid below one second changes nothing.
    #[must_use]
    pub fn round_up(self, grid: Duration) -> Self {
        let step = whole_seconds(grid);
        if step <= 1 {
            return self;
        }
        match self.0.rem_euclid(step) {
            0 => self,
            past => Self(self.0.saturating_add(step - past)),
        }
    }

    /// The wall-clock text `yyyy-MM-dd HH:mm:ss` in `zone`, as the firewall writes its times.
    ///
    /// A moment outside jiff's years (-9999 to 9999) is shown as its nearest bound.
    #[must_use]
    pub fn wall_clock(self, zone: Offset) -> String {
        let bounded = self.timestamp();
        zone.to_datetime(bounded)
            .strftime("%Y-%m-%d %H:%M:%S")
            .to_string()
    }

    /// Reads `yyyy-MM-dd HH:mm:ss` in `zone`; `None` where the text has another shape.
    #[must_use]
    pub fn from_wall_clock(text: &str, zone: Offset) -> Option<Self> {
        let civil = jiff::civil::DateTime::strptime("%Y-%m-%d %H:%M:%S", text).ok()?;
        let stamp = zone.to_timestamp(civil).ok()?;
        Some(Self(stamp.as_second()))
    }

    fn timestamp(self) -> Timestamp {
        let bounded = self.0.clamp(
            Timestamp::MIN.as_second().saturating_add(86_400),
            Timestamp::MAX.as_second().saturating_sub(86_400),
        );
        Timestamp::from_second(bounded).unwrap_or(Timestamp::UNIX_EPOCH)
    }
}

impl fmt::Display for UnixTime {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}", self.timestamp())
    }
}

impl serde::Serialize for UnixTime {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

fn whole_seconds(span: Duration) -> i64 {
    i64::try_from(span.as_secs()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_wall_clock_is_the_zone_s_own() {
        let zone = jiff::tz::offset(8);
        let moment = UnixTime::from_seconds(1_551_113_065);
        assert_eq!(moment.wall_clock(zone), "2019-02-26 00:44:25");
        assert_eq!(
            UnixTime::from_wall_clock("2019-02-26 00:44:25", zone),
            Some(moment)
        );
        assert_eq!(UnixTime::from_wall_clock("2019-02-26", zone), None);
    }

    proptest! {
        #[test]
        fn rounding_up_reaches_the_grid_and_never_goes_back(at in -1_000_000i64..4_000_000_000, grid in 1u64..100_000) {
            let rounded = UnixTime::from_seconds(at).round_up(Duration::from_secs(grid));
            prop_assert!(rounded.seconds() >= at);
            prop_assert!(rounded.seconds() - at < i64::try_from(grid).unwrap());
            prop_assert_eq!(rounded.seconds().rem_euclid(i64::try_from(grid).unwrap()), 0);
        }

        #[test]
        fn no_moment_panics(at in any::<i64>(), by in any::<u64>()) {
            let moment = UnixTime::from_seconds(at).plus(Duration::from_secs(by)).minus(Duration::from_secs(by));
            let _ = moment.wall_clock(jiff::tz::offset(-11));
            let _ = moment.to_string();
        }
    }
}
