//! Values that are written as text: spans of time, resources, quantities.

use core::{fmt::Display, str::FromStr, time::Duration};

use serde::{Deserialize, Deserializer, de::Error};
use tepui_model::{Filters, Quantity};

/// Whatever is read from a text.
pub(super) fn parsed<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr<Err: Display>,
{
    let text = String::deserialize(deserializer)?;
    text.parse().map_err(D::Error::custom)
}

/// The same of a key that may be left out.
pub(super) fn optional<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr<Err: Display>,
{
    parsed(deserializer).map(Some)
}

/// A plain number.
pub(super) fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Quantity, D::Error> {
    Quantity::from_f64(f64::deserialize(deserializer)?).map_err(D::Error::custom)
}

/// The same of a key that may be left out.
pub(super) fn optional_number<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Quantity>, D::Error> {
    number(deserializer).map(Some)
}

/// A span such as `500ms`, `10s` or `1m 30s`.
pub(super) fn span<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    read_span(&text).map_err(D::Error::custom)
}

/// The same of a key that may be left out.
pub(super) fn optional_span<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Duration>, D::Error> {
    span(deserializer).map(Some)
}

/// A span, or `none`.
pub(super) fn filters<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Filters, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text == "none" {
        return Ok(Filters::NONE);
    }
    let span = read_span(&text).map_err(D::Error::custom)?;
    Ok(Filters::refuse(span))
}

pub(super) fn read_span(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text).map_err(|error| {
        format!("'{text}' is not a span of time such as 500ms, 10s or 1h 30m: {error}")
    })
}
