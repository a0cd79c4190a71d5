//! Jobs as they are shown: the same for tables and for JSON.

use serde::Serialize;
use tepui_batch::api::{self, JobState};

/// A job and how far it is.
#[derive(Debug, Serialize)]
pub(super) struct Job {
    id: String,
    name: String,
    state: &'static str,
    reason: String,
    obstacle: String,
    submitted_us: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_us: Option<u64>,
    input_files: u64,
    input_bytes: u64,
    failures: u32,
    losses: u32,
    stages: Vec<Stage>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tasks: Vec<Task>,
}

/// One stage of a job.
#[derive(Debug, Serialize)]
pub(super) struct Stage {
    pub(super) kind: String,
    pub(super) work: String,
    pub(super) waiting: u32,
    pub(super) running: u32,
    pub(super) done: u32,
}

impl Stage {
    pub(super) fn total(&self) -> u32 {
        self.waiting + self.running + self.done
    }
}

/// One task of a job.
#[derive(Debug, Serialize)]
pub(super) struct Task {
    stage: u32,
    partition: u32,
    task_id: String,
    state: String,
    agent_id: String,
    agent_address: String,
    failures: u32,
    losses: u32,
    message: String,
}

impl From<api::Job> for Job {
    fn from(it: api::Job) -> Self {
        let state = match it.state() {
            JobState::Unspecified => "unknown",
            JobState::Running => "running",
            JobState::Succeeded => "succeeded",
            JobState::Failed => "failed",
            JobState::Cancelled => "cancelled",
        };
        Self {
            id: it.id,
            name: it.name,
            state,
            reason: it.reason,
            obstacle: it.obstacle,
            submitted_us: it.submitted_us,
            ended_us: it.ended_us,
            input_files: it.input_files,
            input_bytes: it.input_bytes,
            failures: it.failures,
            losses: it.losses,
            stages: it.stages.into_iter().map(Stage::from).collect(),
            tasks: it.tasks.into_iter().map(Task::from).collect(),
        }
    }
}

impl From<api::Stage> for Stage {
    fn from(it: api::Stage) -> Self {
        let api::Stage {
            kind,
            work,
            waiting,
            running,
            done,
        } = it;
        Self {
            kind,
            work,
            waiting,
            running,
            done,
        }
    }
}

impl From<api::Task> for Task {
    fn from(it: api::Task) -> Self {
        Self {
            stage: it.stage,
            partition: it.partition,
            task_id: it.task_id,
            state: it.state,
            agent_id: it.agent_id,
            agent_address: it.agent_address,
            failures: it.failures,
            losses: it.losses,
            message: it.message,
        }
    }
}

impl Job {
    pub(super) fn id(&self) -> &str {
        &self.id
    }

    pub(super) fn stages(&self) -> &[Stage] {
        &self.stages
    }

    pub(super) fn tasks(&self) -> &[Task] {
        &self.tasks
    }

    /// What keeps it from going on, if anything does.
    pub(super) fn obstacle(&self) -> &str {
        &self.obstacle
    }

    pub(super) fn has_ended(&self) -> bool {
        self.ended_us.is_some()
    }

    pub(super) fn has_succeeded(&self) -> bool {
        self.state == "succeeded"
    }

    /// How it fares, in one sentence.
    pub(super) fn sentence(&self) -> String {
        let Self {
            id,
            state,
            input_files,
            input_bytes,
            ..
        } = self;
        let took = self.ended_us.map(|ended| {
            let millis = ended.saturating_sub(self.submitted_us) / 1000;
            format!(" after {}.{:03} s", millis / 1000, millis % 1000)
        });
        let took = took.unwrap_or_default();
        let input = format!("{input_files} files, {input_bytes} bytes");
        match self.reason.as_str() {
            "" => format!("{id}: {state}{took}; {input}"),
            reason => format!("{id}: {state}{took}: {reason}; {input}"),
        }
    }

    pub(super) fn row(&self) -> Vec<String> {
        let stage = |it: &Stage| format!("{} {}/{}", it.kind, it.done, it.total());
        vec![
            self.id.clone(),
            self.state.to_owned(),
            self.stages.iter().map(stage).collect::<Vec<_>>().join(", "),
            self.input_files.to_string(),
            (self.failures + self.losses).to_string(),
            if self.reason.is_empty() {
                self.obstacle.clone()
            } else {
                self.reason.clone()
            },
        ]
    }
}

impl Task {
    pub(super) fn row(&self) -> Vec<String> {
        vec![
            self.stage.to_string(),
            self.partition.to_string(),
            self.state.clone(),
            self.task_id.clone(),
            self.agent_address.clone(),
            (self.failures + self.losses).to_string(),
            self.message.clone(),
        ]
    }
}
