//! Durations as text: `5ms`, `30s`, `10min`, `1h30min`; Mesos' `10mins` and `1weeks` too.

use std::time::Duration;

/// Why a text is no duration.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error(
    "'{text}' is no duration: {cause}; write a number and a unit, as in 500ms, 30s, 10min, 2h or 1d"
)]
pub struct InvalidSpan {
    text: String,
    cause: humantime::DurationError,
}

/// Reads a duration: one or more numbers, each with its unit.
///
/// # Errors
/// [`InvalidSpan`] when there is no number, no unit, or one too large.
pub fn parse(text: &str) -> Result<Duration, InvalidSpan> {
    humantime::parse_duration(text).map_err(|cause| InvalidSpan {
        text: text.to_owned(),
        cause,
    })
}

/// A text that [`parse`] reads as the same duration.
#[must_use]
pub fn format(span: Duration) -> String {
    humantime::format_duration(span).to_string()
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
            ("2hrs", 7_200_000),
            ("1days", 86_400_000),
            ("2weeks", 1_209_600_000),
            ("0s", 0),
        ];
        for (text, millis) in cases {
            assert_eq!(parse(text), Ok(Duration::from_millis(millis)), "{text}");
        }
    }

    #[test]
    fn what_is_no_duration_is_refused_with_an_example() {
        let wrong = ["", "5", "s", "5 parsecs", "-5s", "1s5", "..s", "1e999s"];
        for text in wrong.into_iter().chain(["99999999999999999w"]) {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.contains("as in 500ms"), "{text}: {error}");
        }
    }

    #[test]
    fn a_printed_duration_reads_as_itself() {
        for millis in [0, 1, 1500, 90 * 60_000, 7 * 86_400_000, 365 * 86_400_000] {
            let span = Duration::from_millis(millis);
            assert_eq!(parse(&format(span)), Ok(span));
        }
        assert_eq!(format(Duration::from_secs(90)), "1m 30s");
    }
}
