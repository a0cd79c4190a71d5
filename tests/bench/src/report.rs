//! Lines of figures, and what is said of a number of samples.

use std::{
    fmt::{Display, Write as _},
    time::{Duration, Instant},
};

use rustix::time::{ClockId, clock_gettime};

/// Prints the lines of one benchmark.
#[derive(Debug)]
pub(crate) struct Report {
    name: &'static str,
}

impl Report {
    pub(crate) const fn new(name: &'static str) -> Self {
        Self { name }
    }

    /// Starts a line; it is printed when it is dropped, with the load of the machine in the last
    /// minute: on a busy one, only times on a processor say something.
    pub(crate) fn line(&mut self) -> Line {
        Line {
            text: format!("bench {}", self.name),
        }
    }

    /// Starts a line of figures of another kind than the rest of the benchmark's.
    pub(crate) fn part(&mut self, part: &str) -> Line {
        Line {
            text: format!("bench {}.{part}", self.name),
        }
    }
}

/// One line: `bench NAME key=value ...`, printed when it is dropped.
#[derive(Debug)]
pub(crate) struct Line {
    text: String,
}

impl Line {
    /// Adds a value.
    pub(crate) fn with(mut self, key: &str, value: impl Display) -> Self {
        // Writing to a string cannot fail.
        let _ = write!(self.text, " {key}={value}");
        self
    }

    /// Adds the median, the least and the most of some spans, and the median of their processor
    /// time, in milliseconds.
    pub(crate) fn with_times(self, key: &str, spans: &[Span]) -> Self {
        let mut walls: Vec<Duration> = spans.iter().map(|span| span.wall).collect();
        let mut busy: Vec<Duration> = spans.iter().map(|span| span.busy).collect();
        walls.sort_unstable();
        busy.sort_unstable();
        self.with(&format!("{key}_median_ms"), at(&walls, 50))
            .with(&format!("{key}_min_ms"), at(&walls, 0))
            .with(&format!("{key}_max_ms"), at(&walls, 100))
            .with(&format!("{key}_cpu_median_ms"), at(&busy, 50))
    }

    /// Adds the percentiles 50 and 99, the least and the most of some times, in milliseconds.
    pub(crate) fn with_percentiles(self, key: &str, times: &[Duration]) -> Self {
        let mut sorted = times.to_vec();
        sorted.sort_unstable();
        self.with(&format!("{key}_p50_ms"), at(&sorted, 50))
            .with(&format!("{key}_p99_ms"), at(&sorted, 99))
            .with(&format!("{key}_min_ms"), at(&sorted, 0))
            .with(&format!("{key}_max_ms"), at(&sorted, 100))
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        println!("{} load={}", self.text, load().unwrap_or_default());
    }
}

/// The time that this share of them does not exceed, in milliseconds.
fn at(sorted: &[Duration], percent: usize) -> String {
    let rank = (sorted.len() * percent).div_ceil(100);
    let time = sorted
        .get(rank.saturating_sub(1))
        .copied()
        .unwrap_or_default();
    format!("{:.3}", time.as_secs_f64() * 1e3)
}

/// How long a piece of work took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Span {
    /// On the clock.
    pub(crate) wall: Duration,
    /// On a processor, which on a busy machine is less. Of this thread only.
    pub(crate) busy: Duration,
}

/// Does a piece of work and takes its time.
pub(crate) fn timed<T>(work: impl FnOnce() -> T) -> (T, Span) {
    let (start, busy) = (Instant::now(), processor_time());
    let result = work();
    let busy = processor_time().saturating_sub(busy);
    let wall = start.elapsed();
    (result, Span { wall, busy })
}

fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(
        time.tv_sec.unsigned_abs(),
        time.tv_nsec.unsigned_abs() as u32,
    )
}

/// How many processes wanted a processor at a time in the last minute.
fn load() -> Option<String> {
    let text = std::fs::read_to_string("/proc/loadavg").ok()?;
    text.split_whitespace().next().map(str::to_owned)
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
        let span = |milliseconds| Span {
            wall: Duration::from_millis(milliseconds),
            busy: Duration::from_millis(1),
        };
        let line = Report::new("a")
            .part("b")
            .with("n", 2)
            .with_times("t", &[9, 1, 5, 7, 3].map(span));
        let times = "t_median_ms=5.000 t_min_ms=1.000 t_max_ms=9.000 t_cpu_median_ms=1.000";
        assert_eq!(line.text, format!("bench a.b n=2 {times}"));
    }

    #[test]
    fn a_percentile_is_the_least_time_that_so_many_do_not_exceed() {
        let times: Vec<_> = (1..=200).map(Duration::from_millis).collect();
        let line = Report::new("a").line().with_percentiles("t", &times);
        let expected = "t_p50_ms=100.000 t_p99_ms=198.000 t_min_ms=1.000 t_max_ms=200.000";
        assert_eq!(line.text, format!("bench a {expected}"));
    }
}
