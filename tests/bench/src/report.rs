//! Lines of figures, and what is said of a number of samples.

use std::{
    fmt::{Display, Write as _},
    time::Duration,
};

/// Prints the lines of one benchmark.
#[derive(Debug)]
pub(crate) struct Report {
    name: &'static str,
}

impl Report {
    pub(crate) const fn new(name: &'static str) -> Self {
        Self { name }
    }

    /// Starts a line; it is printed when it is dropped.
    pub(crate) fn line(&mut self, figure: &str) -> Line {
        Line {
            text: format!("bench {}.{figure}", self.name),
        }
    }
}

/// One line: `bench NAME key=value ...`.
#[derive(Debug)]
pub(crate) struct Line {
    text: String,
}

impl Line {
    /// Adds a value.
    #[must_use]
    pub(crate) fn with(mut self, key: &str, value: impl Display) -> Self {
        // Writing to a string cannot fail.
        let _ = write!(self.text, " {key}={value}");
        self
    }

    /// Adds the median, the least and the most of some durations, in milliseconds.
    #[must_use]
    pub(crate) fn with_times(self, key: &str, samples: &[Duration]) -> Self {
        let mut samples = samples.to_vec();
        samples.sort_unstable();
        let milliseconds = |at: usize| {
            let sample = samples.get(at).copied().unwrap_or_default();
            format!("{:.3}", sample.as_secs_f64() * 1e3)
        };
        let last = samples.len().saturating_sub(1);
        self.with(&format!("{key}_median_ms"), milliseconds(samples.len() / 2))
            .with(&format!("{key}_min_ms"), milliseconds(0))
            .with(&format!("{key}_max_ms"), milliseconds(last))
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        println!("{}", self.text);
    }
}

/// The memory that this process holds, in megabytes.
pub(crate) fn resident_megabytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes / 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_gives_the_median_the_least_and_the_most() {
        let samples = [9, 1, 5, 7, 3].map(Duration::from_millis);
        let line = Report::new("a")
            .line("b")
            .with("n", 2)
            .with_times("t", &samples);
        assert_eq!(
            line.text,
            "bench a.b n=2 t_median_ms=5.000 t_min_ms=1.000 t_max_ms=9.000"
        );
    }
}
