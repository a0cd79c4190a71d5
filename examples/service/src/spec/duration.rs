//! Spans of time as people write them: `500ms`, `10s`, `1m30s`, `2h`, `1d`, or a number of seconds.

use std::{fmt, time::Duration};

use serde::{Deserialize, Deserializer, de};
use tepui_sdk::edge::span;

/// A duration in a YAML file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span(pub(super) Duration);

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader)
    }
}

struct Reader;

impl de::Visitor<'_> for Reader {
    type Value = Span;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a duration such as 500ms, 10s or 1m30s, or a number of seconds")
    }

    fn visit_u64<E: de::Error>(self, seconds: u64) -> Result<Span, E> {
        Ok(Span(Duration::from_secs(seconds)))
    }

    fn visit_f64<E: de::Error>(self, seconds: f64) -> Result<Span, E> {
        Duration::try_from_secs_f64(seconds)
            .map(Span)
            .map_err(|_| E::invalid_value(de::Unexpected::Float(seconds), &self))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Span, E> {
        span::parse(text).map(Span).map_err(E::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(yaml: &str) -> Result<Duration, String> {
        let span: Result<Span, _> = serde_yaml_ng::from_str(yaml);
        span.map(|Span(span)| span)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn durations_are_read_as_people_write_them() {
        let cases = [
            ("500ms", 500),
            ("10s", 10_000),
            ("1m30s", 90_000),
            ("2h", 7_200_000),
            ("1d", 86_400_000),
            ("10", 10_000),
            ("1.5", 1_500),
        ];
        for (text, millis) in cases {
            assert_eq!(read(text), Ok(Duration::from_millis(millis)), "{text}");
        }
    }

    #[test]
    fn what_is_no_duration_is_refused_with_an_example() {
        for text in [
            "''",
            "s",
            "10x",
            "-1",
            "-1s",
            ".nan",
            "99999999999999999999s",
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains("500ms"), "{text}: {error}");
        }
    }
}
