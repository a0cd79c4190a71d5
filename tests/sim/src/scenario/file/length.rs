//! How long tasks run: always the same, or drawn from a distribution.

use core::{f64::consts::TAU, fmt, time::Duration};

use serde::{Deserialize, Deserializer, de};

use super::text;
use crate::dice::Dice;

/// The shortest that a drawn length is.
const SHORTEST: Duration = Duration::from_millis(1);

/// How long tasks run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    /// Always as long.
    Fixed(Duration),
    /// Drawn between these, each length as likely.
    Uniform {
        /// The shortest.
        least: Duration,
        /// The longest.
        most: Duration,
    },
    /// Drawn around a mean.
    Normal {
        /// The mean.
        mean: Duration,
        /// The standard deviation.
        deviation: Duration,
    },
    /// Many short ones and a few long ones.
    Exponential {
        /// The mean.
        mean: Duration,
    },
}

impl Length {
    /// One length.
    pub(in crate::scenario) fn draw(self, dice: &mut Dice) -> Duration {
        match self {
            Self::Fixed(length) => length,
            Self::Uniform { least, most } => {
                least + most.saturating_sub(least).mul_f64(dice.unit())
            }
            Self::Normal { mean, deviation } => {
                // Box and Muller 1958; one of the two is enough.
                let radius = (-2.0 * (1.0 - dice.unit()).ln()).sqrt();
                let normal = radius * (TAU * dice.unit()).cos();
                let seconds = mean.as_secs_f64() + normal * deviation.as_secs_f64();
                Duration::from_secs_f64(seconds.max(0.0)).max(SHORTEST)
            }
            Self::Exponential { mean } => mean.mul_f64(-(1.0 - dice.unit()).ln()).max(SHORTEST),
        }
    }
}

/// The keys of a distribution.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Keys {
    #[serde(deserialize_with = "text::optional_span")]
    least: Option<Duration>,
    #[serde(deserialize_with = "text::optional_span")]
    most: Option<Duration>,
    #[serde(deserialize_with = "text::optional_span")]
    mean: Option<Duration>,
    #[serde(deserialize_with = "text::optional_span")]
    deviation: Option<Duration>,
}

impl<'de> Deserialize<'de> for Length {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader)
    }
}

struct Reader;

impl<'de> de::Visitor<'de> for Reader {
    type Value = Length;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(
            "a span such as \"30s\", or { mean, deviation }, { mean } or { least, most }",
        )
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Length, E> {
        text::read_span(text).map(Length::Fixed).map_err(E::custom)
    }

    fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<Length, A::Error> {
        let keys = Keys::deserialize(de::value::MapAccessDeserializer::new(map))?;
        match (keys.least, keys.most, keys.mean, keys.deviation) {
            (Some(least), Some(most), None, None) if least <= most => {
                Ok(Length::Uniform { least, most })
            }
            (None, None, Some(mean), Some(deviation)) => Ok(Length::Normal { mean, deviation }),
            (None, None, Some(mean), None) => Ok(Length::Exponential { mean }),
            _ => Err(de::Error::custom(
                "a distribution has the keys mean and deviation, or mean, or least and most",
            )),
        }
    }
}
