//! Instants as numbers: the cores read no clock, they are told the time.

use std::{
    fmt,
    ops::{Add, AddAssign, Sub},
    time::Duration,
};

use tepui_proto::v1;

/// Microseconds since the UNIX epoch. The shells see to it that it never runs backwards.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(u64);

impl Time {
    /// The UNIX epoch.
    pub const ZERO: Self = Self(0);
    /// Later than any event: "never".
    pub const MAX: Self = Self(u64::MAX);

    /// A time from microseconds since the UNIX epoch.
    #[must_use]
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// Microseconds since the UNIX epoch.
    #[must_use]
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// A time from the double seconds of Mesos' timestamps; what is no time becomes the nearest
    /// one.
    #[must_use]
    pub fn from_seconds(seconds: f64) -> Self {
        // A cast of a float saturates, and NaN becomes 0.
        Self((seconds * 1e6).round() as u64)
    }

    /// Double seconds since the UNIX epoch, as in Mesos' timestamps.
    #[must_use]
    pub fn as_seconds(self) -> f64 {
        self.0 as f64 / 1e6
    }

    /// The span from `earlier` to this time; zero if `earlier` is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Time {
    type Output = Self;

    /// Saturates: a span too long leads to [`Time::MAX`].
    fn add(self, span: Duration) -> Self {
        let micros = u64::try_from(span.as_micros()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(micros))
    }
}

impl AddAssign<Duration> for Time {
    fn add_assign(&mut self, span: Duration) {
        *self = *self + span;
    }
}

impl Sub<Duration> for Time {
    type Output = Self;

    /// Saturates at the epoch.
    fn sub(self, span: Duration) -> Self {
        let micros = u64::try_from(span.as_micros()).unwrap_or(u64::MAX);
        Self(self.0.saturating_sub(micros))
    }
}

impl Sub for Time {
    type Output = Duration;

    /// Saturates: the span to a later time is zero.
    fn sub(self, earlier: Self) -> Duration {
        self.since(earlier)
    }
}

impl fmt::Display for Time {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{}.{:06}",
            self.0 / 1_000_000,
            self.0 % 1_000_000
        )
    }
}

impl From<Time> for v1::TimeInfo {
    fn from(time: Time) -> Self {
        let nanoseconds = time.0.saturating_mul(1000);
        Self {
            nanoseconds: i64::try_from(nanoseconds).unwrap_or(i64::MAX),
        }
    }
}

impl From<&v1::TimeInfo> for Time {
    /// A time before the epoch becomes the epoch.
    fn from(wire: &v1::TimeInfo) -> Self {
        Self(u64::try_from(wire.nanoseconds).unwrap_or(0) / 1000)
    }
}

/// A span from the wire; none if it is negative.
#[must_use]
pub fn span_from(wire: &v1::DurationInfo) -> Option<Duration> {
    u64::try_from(wire.nanoseconds)
        .ok()
        .map(Duration::from_nanos)
}

/// A span for the wire; saturates at 292 years.
#[must_use]
pub fn span_to(span: Duration) -> v1::DurationInfo {
    v1::DurationInfo {
        nanoseconds: i64::try_from(span.as_nanos()).unwrap_or(i64::MAX),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_and_differences_saturate() {
        let second = Duration::from_secs(1);
        assert_eq!(Time::MAX + second, Time::MAX);
        assert_eq!(Time::ZERO + Duration::MAX, Time::MAX);
        assert_eq!(Time::ZERO - second, Time::ZERO);
        assert_eq!(Time::ZERO - Time::MAX, Duration::ZERO);
        assert_eq!(
            (Time::from_micros(5) + second) - Time::from_micros(5),
            second
        );
    }

    #[test]
    fn double_seconds_keep_the_microsecond() {
        for micros in [0, 1, 999_999, 1_700_000_000_123_456] {
            let time = Time::from_micros(micros);
            assert_eq!(Time::from_seconds(time.as_seconds()), time);
        }
        assert_eq!(Time::from_seconds(-1.0), Time::ZERO);
        assert_eq!(Time::from_seconds(f64::NAN), Time::ZERO);
        assert_eq!(Time::from_seconds(f64::INFINITY), Time::MAX);
    }

    #[test]
    fn nanoseconds_of_the_wire_are_cut_to_microseconds() {
        let wire = v1::TimeInfo {
            nanoseconds: 1_234_567,
        };
        assert_eq!(Time::from(&wire), Time::from_micros(1_234));
        assert_eq!(
            v1::TimeInfo::from(Time::from_micros(1_234)).nanoseconds,
            1_234_000
        );
        assert_eq!(Time::from(&v1::TimeInfo { nanoseconds: -1 }), Time::ZERO);
    }

    #[test]
    fn a_time_is_printed_in_seconds() {
        assert_eq!(Time::from_micros(1_500_000).to_string(), "1.500000");
    }
}
