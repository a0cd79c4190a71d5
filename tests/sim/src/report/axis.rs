//! Axes: where a value lies, and which values are named.

/// What the numbers of an axis are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    /// Plain counts.
    Count,
    /// Parts of a whole.
    Part,
    /// Seconds.
    Seconds,
}

/// How values become places between 0 and 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Axis {
    pub(super) unit: Unit,
    pub(super) least: f64,
    pub(super) most: f64,
    /// Whether each step is ten times the last.
    pub(super) is_log: bool,
}

impl Axis {
    /// From zero to a round number that is not below `most`.
    pub(super) fn linear(unit: Unit, most: f64) -> Self {
        let most = if most > 0.0 { most } else { 1.0 };
        let step = step(unit, most);
        let cover = (most / step - 1e-9).ceil() * step;
        // Use up to everything ends at everything.
        let most = if unit == Unit::Part && most <= 1.0 {
            cover.min(1.0)
        } else {
            cover
        };
        Self {
            unit,
            least: 0.0,
            most,
            is_log: false,
        }
    }

    /// From zero to exactly `most`.
    pub(super) const fn time(most: f64) -> Self {
        Self {
            unit: Unit::Seconds,
            least: 0.0,
            most,
            is_log: false,
        }
    }

    /// Over whole powers of ten.
    pub(super) fn log(unit: Unit, least: f64, most: f64) -> Self {
        let least = least.max(1e-9);
        let low = 10_f64.powf((least.log10() + 1e-9).floor());
        let high = 10_f64.powf((most.max(least).log10() - 1e-9).ceil());
        Self {
            unit,
            least: low,
            most: if high > low { high } else { low * 10.0 },
            is_log: true,
        }
    }

    /// Where a value lies: 0 at the beginning, 1 at the end.
    pub(super) fn place(&self, value: f64) -> f64 {
        let place = if self.is_log {
            (value.max(self.least) / self.least).ln() / (self.most / self.least).ln()
        } else {
            (value - self.least) / (self.most - self.least)
        };
        place.clamp(0.0, 1.0)
    }

    /// The values that are named, and how.
    pub(super) fn ticks(&self) -> Vec<(f64, String)> {
        let values: Vec<f64> = if self.is_log {
            let decades = (self.most / self.least).log10().round() as i32;
            let every = (decades / 7 + 1) as usize;
            // Two powers of ten have too few values of their own.
            let between: &[f64] = if decades <= 2 {
                &[1.0, 2.0, 5.0]
            } else {
                &[1.0]
            };
            let values = (0..=decades).step_by(every).flat_map(|decade| {
                let power = self.least * 10_f64.powi(decade);
                between.iter().map(move |times| times * power)
            });
            let last = self.most * (1.0 + 1e-9);
            values.filter(|value| *value <= last).collect()
        } else {
            let step = step(self.unit, self.most);
            let count = (self.most / step + 1e-9).floor() as u32;
            (0..=count).map(|number| f64::from(number) * step).collect()
        };
        values
            .into_iter()
            .map(|value| (value, self.name(value)))
            .collect()
    }

    /// A value as people read it.
    pub(super) fn name(&self, value: f64) -> String {
        match self.unit {
            Unit::Count => count(value),
            // A power of ten is no round number of minutes.
            Unit::Seconds if self.is_log && value >= 1.0 => format!("{} s", count(value)),
            Unit::Part => format!("{}%", trim((value * 100.0 * 1e6).round() / 1e6)),
            Unit::Seconds => span(value),
        }
    }
}

/// A round step, so that there are four to eight of them.
fn step(unit: Unit, most: f64) -> f64 {
    const ROUND: [f64; 4] = [1.0, 2.0, 5.0, 10.0];
    const TIMES: [f64; 13] = [
        1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 180.0, 300.0, 600.0, 900.0, 1800.0,
    ];
    let rough = most / 5.0;
    if unit == Unit::Seconds && (1.0..=1800.0).contains(&rough) {
        return TIMES
            .into_iter()
            .find(|step| *step >= rough)
            .unwrap_or(3600.0);
    }
    let magnitude = 10_f64.powf(rough.log10().floor());
    let found = ROUND
        .into_iter()
        .find(|step| step * magnitude >= rough * 0.999);
    found.unwrap_or(10.0) * magnitude
}

/// A number without needless zeros.
fn trim(value: f64) -> String {
    let text = format!("{value:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A count with thousands as `k` and millions as `M`.
pub(super) fn count(value: f64) -> String {
    match value {
        v if v >= 1e6 => format!("{}M", trim(v / 1e6)),
        v if v >= 10_000.0 => format!("{}k", trim(v / 1e3)),
        v => trim(v),
    }
}

/// A span of so many seconds in the unit that suits it.
pub(super) fn span(seconds: f64) -> String {
    match seconds {
        0.0 => "0".to_owned(),
        s if s < 1e-6 * 0.9995 => format!("{} ns", trim(s * 1e9)),
        s if s < 1e-3 * 0.9995 => format!("{} µs", trim(s * 1e6)),
        s if s < 0.9995 => format!("{} ms", trim(s * 1e3)),
        s if s < 120.0 => format!("{} s", trim(s)),
        s if s < 7200.0 => format!("{} min", trim(s / 60.0)),
        s => format!("{} h", trim(s / 3600.0)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(axis: Axis) -> Vec<String> {
        axis.ticks().into_iter().map(|(_, name)| name).collect()
    }

    #[test]
    fn an_axis_names_a_handful_of_round_values() {
        assert_eq!(
            names(Axis::linear(Unit::Part, 0.47)),
            ["0%", "10%", "20%", "30%", "40%", "50%"]
        );
        let minutes = names(Axis::time(600.0));
        assert_eq!(minutes, ["0", "2 min", "4 min", "6 min", "8 min", "10 min"]);
        let twelve = names(Axis::time(720.0));
        assert_eq!(twelve, ["0", "3 min", "6 min", "9 min", "12 min"]);
        assert_eq!(
            names(Axis::linear(Unit::Count, 1_000_000.0)),
            ["0", "200k", "400k", "600k", "800k", "1M"]
        );
    }

    #[test]
    fn a_logarithmic_axis_covers_whole_powers_of_ten() {
        let axis = Axis::log(Unit::Seconds, 0.002, 0.5);
        assert_eq!(names(axis), ["1 ms", "10 ms", "100 ms", "1 s"]);
        let long = names(Axis::log(Unit::Seconds, 1.0, 800.0));
        assert_eq!(long, ["1 s", "10 s", "100 s", "1000 s"]);
        let short = names(Axis::log(Unit::Seconds, 12.0, 80.0));
        assert_eq!(short, ["10 s", "20 s", "50 s", "100 s"]);
        let two = names(Axis::log(Unit::Seconds, 1.0, 100.0));
        assert_eq!(two, ["1 s", "2 s", "5 s", "10 s", "20 s", "50 s", "100 s"]);
        assert!((axis.place(0.1) - 2.0 / 3.0).abs() < 1e-9);
        assert_eq!((axis.place(0.0), axis.place(9.0)), (0.0, 1.0));
    }

    #[test]
    fn spans_and_counts_are_short() {
        assert_eq!(span(0.000_25), "250 µs");
        assert_eq!(span(90.0), "90 s");
        assert_eq!(span(180.0), "3 min");
        assert_eq!([count(9999.0), count(12_500.0)], ["9999", "12.5k"]);
    }
}
