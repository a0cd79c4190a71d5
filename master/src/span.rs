//! Durations as text: `5ms`, `30s`, `10min`, `1h30min`; Mesos' `10mins` and `1weeks` too.

use std::time::Duration;

const UNITS: [(&[&str], f64); 8] = [
    (&["ns"], 1e-9),
    (&["us"], 1e-6),
    (&["ms"], 1e-3),
    (&["s", "sec", "secs"], 1.0),
    (&["m", "min", "mins"], 60.0),
    (&["h", "hr", "hrs", "hour", "hours"], 3600.0),
    (&["d", "day", "days"], 86_400.0),
    (&["w", "week", "weeks"], 604_800.0),
];

/// Why a text is no duration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no duration: write a number and a unit, as in 500ms, 30s, 10min, 2h or 1d")]
pub struct InvalidSpan(String);

/// Reads a duration: one or more numbers, each with its unit.
///
/// # Errors
/// [`InvalidSpan`] when there is no number, no unit, or one too large.
pub fn parse(text: &str) -> Result<Duration, InvalidSpan> {
    let invalid = || InvalidSpan(text.to_owned());
    let mut rest = text.trim();
    let mut seconds = 0.0;
    while let Some(end) = rest.find(|c: char| !c.is_ascii_digit() && c != '.') {
        let (number, tail) = rest.split_at(end);
        let tail = tail.trim_start();
        let unit_end = tail
            .find(|c: char| !c.is_ascii_alphabetic())
            .unwrap_or(tail.len());
        let (unit, after) = tail.split_at(unit_end);
        let (_, scale) = UNITS
            .iter()
            .find(|(names, _)| names.contains(&unit))
            .ok_or_else(invalid)?;
        seconds += number.parse::<f64>().map_err(|_| invalid())? * scale;
        rest = after.trim_start();
        if rest.is_empty() {
            return Duration::try_from_secs_f64(seconds).map_err(|_| invalid());
        }
    }
    Err(invalid())
}

/// The shortest text that [`parse`] reads as the same duration.
#[must_use]
pub fn format(span: Duration) -> String {
    if span.is_zero() {
        return "0s".to_owned();
    }
    let (nanos, second) = (span.as_nanos(), 1_000_000_000);
    let units = [
        ("d", 86_400 * second),
        ("h", 3600 * second),
        ("min", 60 * second),
        ("s", second),
        ("ms", 1_000_000),
        ("us", 1000),
    ];
    let whole = units
        .iter()
        .find(|(_, unit)| nanos >= *unit && nanos % unit == 0);
    whole.map_or_else(
        || format!("{nanos}ns"),
        |(name, unit)| format!("{}{name}", nanos / unit),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_texts_are_read() {
        let cases = [
            ("5ms", 5),
            ("30s", 30_000),
            (" 10 mins ", 600_000),
            ("1h30min", 5_400_000),
            ("1.5s", 1500),
            ("1days", 86_400_000),
            ("2weeks", 1_209_600_000),
            ("0s", 0),
        ];
        for (text, millis) in cases {
            assert_eq!(parse(text), Ok(Duration::from_millis(millis)), "{text}");
        }
    }

    #[test]
    fn what_is_no_duration_is_refused() {
        for text in [
            "",
            "5",
            "s",
            "5 parsecs",
            "-5s",
            "1s5",
            "..s",
            "1e999s",
            "99999999999999w",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_printed_duration_reads_as_itself() {
        for text in ["1d", "90min", "1s", "1500ms", "7us", "1ns"] {
            assert_eq!(format(parse(text).unwrap()), text);
        }
        assert_eq!(format(Duration::ZERO), "0s");
    }
}
