//! A job's progress: a bar for each stage on a terminal, a line for each step elsewhere.

use std::io::{IsTerminal, stderr};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use tepui_batch::client::{Client, ClientError};

use super::view::Job;
use crate::failure::Failure;

const BAR: &str = "{prefix:>8} {wide_bar} {pos}/{len} {msg}";

/// Shows the progress of a job until it has ended.
pub(super) async fn follow(client: &mut Client, job: &str) -> Result<Job, Failure> {
    let mut changes = client.watch(job).await?;
    let mut screen = Screen::new();
    while let Some(change) = changes.message().await.map_err(ClientError::from)? {
        let Some(job) = change.job.map(Job::from) else {
            continue;
        };
        screen.show(&job);
        if job.has_ended() {
            screen.clear();
            return Ok(job);
        }
    }
    Err(Failure::failed(
        "the framework ended the stream before the job had ended",
    ))
}

enum Screen {
    Bars {
        all: MultiProgress,
        stages: Vec<ProgressBar>,
    },
    Lines {
        last: String,
    },
}

impl Screen {
    fn new() -> Self {
        if stderr().is_terminal() {
            Self::Bars {
                all: MultiProgress::new(),
                stages: Vec::new(),
            }
        } else {
            Self::Lines {
                last: String::new(),
            }
        }
    }

    fn show(&mut self, job: &Job) {
        match self {
            Self::Bars { all, stages } => {
                for (at, stage) in job.stages().iter().enumerate() {
                    if stages.len() == at {
                        let bar = all.add(ProgressBar::new(u64::from(stage.total())));
                        // The template is our own, and the style falls back to the default.
                        let style = ProgressStyle::with_template(BAR);
                        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
                        bar.set_prefix(stage.kind.clone());
                        stages.push(bar);
                    }
                    stages[at].set_position(u64::from(stage.done));
                    stages[at].set_message(format!("{} running {}", stage.running, job.obstacle()));
                }
            }
            Self::Lines { last } => {
                let stage =
                    |it: &super::view::Stage| format!("{} {}/{}", it.kind, it.done, it.total());
                let line = job
                    .stages()
                    .iter()
                    .map(stage)
                    .collect::<Vec<_>>()
                    .join(", ");
                if *last != line {
                    eprintln!("  {line}");
                    *last = line;
                }
            }
        }
    }

    fn clear(&self) {
        if let Self::Bars { all, .. } = self {
            // A terminal that cannot be cleared shows the last bars, which are true.
            let _ = all.clear();
        }
    }
}
