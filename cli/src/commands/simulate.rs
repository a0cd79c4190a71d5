//! `tepui simulate`: a described cluster and workload in virtual time, over the real master.

mod view;

use std::{
    fs,
    io::{IsTerminal, stderr},
    path::PathBuf,
    process::ExitCode,
    time::Duration,
};

use indicatif::{HumanCount, ProgressBar, ProgressStyle};
use tepui_edge::span;
use tepui_sim::{
    report,
    scenario::{Progress, Scenario, simulate},
};

use super::file;
use crate::{failure::Failure, output::Format};

/// How finely the bar moves.
const STEPS: u64 = 1000;

/// Where there is no terminal, a line is printed for each so many percent.
const PERCENT: u64 = 10;

#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// The scenario, a TOML file; `examples/scenarios` has some
    scenario: PathBuf,
    /// Another seed than the scenario's
    #[arg(long)]
    seed: Option<u64>,
    /// This part of the agents and of the tasks, such as 0.1
    #[arg(long, default_value_t = 1.0, value_name = "FACTOR")]
    scale: f64,
    /// Write a report with plots here: one HTML page that needs nothing else
    #[arg(long, value_name = "FILE.html")]
    report: Option<PathBuf>,
    /// The form of the answer
    #[arg(short, long, value_enum, default_value_t, value_name = "FORM")]
    output: Format,
}

/// Runs a scenario. That it did not come out as expected is a failure.
pub(crate) fn run(options: &Options) -> Result<ExitCode, Failure> {
    let name = options.scenario.display();
    let text = file::read(&options.scenario)?;
    let usage = |problem: &dyn std::fmt::Display| Failure::Usage(format!("{name}: {problem}"));
    let scenario = Scenario::parse(&text).map_err(|problem| usage(&problem))?;
    let mut scenario = scenario
        .scaled(options.scale)
        .map_err(|problem| usage(&problem))?;
    scenario.seed = options.seed.unwrap_or(scenario.seed);
    let mut reporter = Reporter::new();
    let figures = simulate(&scenario, &mut |progress| reporter.show(progress));
    reporter.end();
    let figures = figures.map_err(Failure::failed)?;
    if let Some(path) = &options.report {
        let page = report::page(&scenario, &text, &figures);
        fs::write(path, page)
            .map_err(|error| Failure::Failed(format!("{}: {error}", path.display())))?;
    }
    view::print(options.output, &figures)?;
    if figures.is_as_expected() {
        Ok(ExitCode::SUCCESS)
    } else {
        Err(Failure::Failed(format!("{name}: not as expected")))
    }
}

/// Says on standard error how far the run is.
struct Reporter {
    bar: Option<ProgressBar>,
    said: u64,
}

impl Reporter {
    fn new() -> Self {
        let bar = stderr().is_terminal().then(|| {
            let style = ProgressStyle::with_template("{bar:40} {percent:>3}%  {msg}");
            ProgressBar::new(STEPS)
                .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
        });
        Self { bar, said: 0 }
    }

    fn show(&mut self, progress: &Progress) {
        let part = progress.at.div_duration_f64(progress.duration);
        let message = format!(
            "{} of {}: {} agents, {} tasks run, {} wait, {} finished",
            span::format(whole(progress.at)),
            span::format(progress.duration),
            HumanCount(progress.agents),
            HumanCount(progress.running),
            HumanCount(progress.pending),
            HumanCount(progress.finished),
        );
        if let Some(bar) = &self.bar {
            bar.set_position((part * STEPS as f64) as u64);
            bar.set_message(message);
            return;
        }
        let reached = (part * 100.0) as u64 / PERCENT;
        if reached > self.said {
            self.said = reached;
            eprintln!("{:>3}%  {message}", reached * PERCENT);
        }
    }

    fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn whole(span: Duration) -> Duration {
    Duration::from_millis(span.as_millis().try_into().unwrap_or(u64::MAX))
}
