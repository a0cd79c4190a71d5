//! What one task is to do: written by the framework, carried in an environment variable, carried
//! out by [`crate::worker`].

use serde::{Deserialize, Serialize};

use crate::{
    ids::{Attempt, JobId, Place},
    limits::PLAN_BYTES,
    spec::Work,
};

/// The variable that carries the plan.
pub const PLAN_VARIABLE: &str = "TEPUI_BATCH_PLAN";
/// The hidden subcommand that carries it out.
pub const WORKER_COMMAND: &str = "batch-worker";
/// The file of a task's sandbox that has the output of the last stage.
pub const RESULT_FILE: &str = "result";
/// The file of a task's sandbox that says why it failed.
pub const REPORT_FILE: &str = "report.json";

/// The file of a task's sandbox that has its output for one partition of the next stage.
#[must_use]
pub fn part_file(partition: u32) -> String {
    format!("parts/{partition}")
}

/// Why there is no plan.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// The task would have to be told too much.
    #[error(
        "the plan of task {task} has {size} bytes of at most {PLAN_BYTES}: give the stage more \
         partitions, so that each has fewer files or lines"
    )]
    TooLong {
        /// The task.
        task: String,
        /// How long it is.
        size: usize,
    },
    /// The text is no plan, or one of another version.
    #[error("this is no plan of a batch task: {0}")]
    Damaged(#[from] serde_json::Error),
}

/// One task's work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// The job.
    pub job: JobId,
    /// The place of the task in it.
    pub place: Place,
    /// The number of the attempt.
    pub attempt: u32,
    /// Where the input is.
    pub source: Source,
    /// What to do with it.
    pub work: Work,
    /// Where the output goes.
    pub sink: Sink,
}

/// Where the input of a task is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Source {
    /// Map: these files ([`crate::paths`]).
    Files(String),
    /// Map: these lines.
    Lines(Vec<String>),
    /// Reduce: this task's partition of every output of the stage before.
    Shuffle(Shuffle),
}

/// The outputs of a stage, of which a task fetches its partition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shuffle {
    /// The framework whose tasks they are.
    pub framework: String,
    /// The agents that have them, `HOST:PORT`.
    pub agents: Vec<String>,
    /// For each partition of the stage before: the agent, as its place in `agents`, and the number
    /// of the attempt whose output counts.
    pub outputs: Vec<(u32, u32)>,
}

/// Where the output of a task goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Sink {
    /// To [`RESULT_FILE`]: the stage is the last.
    Result,
    /// To [`part_file`], by the hash of the key.
    Partitions {
        /// How many the next stage has.
        count: u32,
        /// Whether the next stage sums up, so that equal keys may be summed up here already.
        sum: bool,
    },
}

/// One output to fetch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// The agent that has it, `HOST:PORT`.
    pub agent: String,
    /// The task that wrote it.
    pub task: Attempt,
}

impl Plan {
    /// The plan as text.
    ///
    /// # Errors
    /// [`PlanError::TooLong`].
    pub fn encode(&self) -> Result<String, PlanError> {
        let text = serde_json::to_string(self)?;
        if text.len() > PLAN_BYTES {
            return Err(PlanError::TooLong {
                task: self.task().to_string(),
                size: text.len(),
            });
        }
        Ok(text)
    }

    /// Reads a plan.
    ///
    /// # Errors
    /// [`PlanError::Damaged`].
    pub fn decode(text: &str) -> Result<Self, PlanError> {
        Ok(serde_json::from_str(text)?)
    }

    /// The task that this plan is for.
    #[must_use]
    pub fn task(&self) -> Attempt {
        Attempt {
            job: self.job.clone(),
            place: self.place,
            number: self.attempt,
        }
    }

    /// What a reduce task fetches from `shuffle`; an output on no known agent is left out.
    pub fn outputs<'a>(&'a self, shuffle: &'a Shuffle) -> impl Iterator<Item = Output> + 'a {
        let stage = self.place.stage.saturating_sub(1);
        shuffle
            .outputs
            .iter()
            .zip(0..)
            .filter_map(move |(&(agent, number), partition)| {
                let task = Attempt {
                    job: self.job.clone(),
                    place: Place { stage, partition },
                    number,
                };
                Some(Output {
                    agent: shuffle.agents.get(agent as usize)?.clone(),
                    task,
                })
            })
    }
}

/// What a task that failed leaves behind for the framework.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// What went wrong.
    pub error: String,
    /// The tasks of the stage before whose output cannot be fetched: partition and attempt.
    #[serde(default)]
    pub lost: Vec<(u32, u32)>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(source: Source) -> Plan {
        Plan {
            job: JobId::new("job", 1),
            place: Place {
                stage: 1,
                partition: 2,
            },
            attempt: 3,
            source,
            work: Work {
                builtin: None,
                command: Some("cat".into()),
            },
            sink: Sink::Partitions {
                count: 2,
                sum: true,
            },
        }
    }

    #[test]
    fn a_plan_survives_its_journey() {
        let shuffle = Shuffle {
            framework: "f".into(),
            agents: vec!["a:1".into(), "b:2".into()],
            outputs: vec![(1, 1), (0, 4)],
        };
        let sent = plan(Source::Shuffle(shuffle.clone()));
        let read = Plan::decode(&sent.encode().unwrap()).unwrap();
        assert_eq!(read, sent);
        let outputs: Vec<_> = read
            .outputs(&shuffle)
            .map(|output| format!("{} {}", output.agent, output.task))
            .collect();
        assert_eq!(outputs, ["b:2 job-1.0.0.1", "a:1 job-1.0.1.4"]);
    }

    #[test]
    fn a_plan_beyond_the_limit_says_what_to_do() {
        let error = plan(Source::Files("x".repeat(PLAN_BYTES)))
            .encode()
            .unwrap_err();
        assert!(error.to_string().contains("task job-1.1.2.3"), "{error}");
        assert!(error.to_string().contains("more partitions"), "{error}");
    }

    #[test]
    fn a_plan_of_another_version_is_refused() {
        let text = plan(Source::Lines(Vec::new())).encode().unwrap();
        let other = text.replace("\"attempt\"", "\"colour\"");
        assert!(
            Plan::decode(&other)
                .unwrap_err()
                .to_string()
                .contains("colour")
        );
    }

    #[test]
    fn the_largest_shuffle_fits_into_a_plan() {
        let partitions = crate::limits::PARTITIONS;
        let agents = (0..partitions)
            .map(|n| format!("{}:{n}", "h".repeat(100)))
            .collect();
        let outputs = (0..partitions)
            .map(|n| (n, crate::limits::LOSSES))
            .collect();
        let shuffle = Shuffle {
            framework: "f".repeat(255),
            agents,
            outputs,
        };
        plan(Source::Shuffle(shuffle)).encode().unwrap();
    }
}
