//! The tasks that are alive as far as the session knows, and what to ask about them.
//!
//! After each subscription the master is asked about all of them; those that nobody answers for
//! (their agent has not come back yet, REC-02) are asked about again, at doubling distances. While
//! all is answered the whole round is repeated at a long interval.

use std::{collections::BTreeMap, time::Duration};

use tepui_model::{AgentId, TaskId, TaskState, TaskStatus};
use tepui_proto::v1::offer::Operation;
use tokio::time::Instant;

use crate::{KnownTask, limits};

#[derive(Debug, Default)]
struct Entry {
    agent: Option<AgentId>,
    kill: Option<Kill>,
    unanswered: bool,
}

#[derive(Debug, Clone, Copy)]
struct Kill {
    grace: Option<Duration>,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Tracked {
    tasks: BTreeMap<TaskId, Entry>,
    interval: Duration,
    retry: Duration,
    /// When there is something to ask.
    due: Instant,
    /// When everything is to be asked again.
    round_due: Instant,
}

/// What to say to the master now.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Questions {
    pub(crate) tasks: Vec<KnownTask>,
    pub(crate) kills: Vec<(TaskId, Option<AgentId>, Option<Duration>)>,
    /// Ask for every task that the master knows.
    pub(crate) everything: bool,
}

impl Tracked {
    pub(crate) fn new(tasks: Vec<KnownTask>, interval: Duration) -> Self {
        let entry = |task: KnownTask| {
            (
                task.task_id,
                Entry {
                    agent: task.agent_id,
                    ..Default::default()
                },
            )
        };
        let now = Instant::now();
        Self {
            tasks: tasks.into_iter().map(entry).collect(),
            interval,
            retry: limits::FIRST_RECONCILE_RETRY,
            due: now,
            round_due: now,
        }
    }

    /// When [`ask`](Self::ask) has something to say.
    pub(crate) fn due(&self) -> Instant {
        self.due
    }

    /// A new subscription: everything is in question.
    pub(crate) fn subscribed(&mut self, now: Instant) {
        self.due = now;
        self.round_due = now;
    }

    /// Tasks are on their way to an agent.
    pub(crate) fn launched(&mut self, operations: &[Operation], now: Instant) {
        let tasks = operations
            .iter()
            .filter_map(|operation| operation.launch.as_ref());
        for task in tasks.flat_map(|launch| &launch.task_infos) {
            let (Ok(id), agent) = (
                TaskId::try_from(&task.task_id),
                AgentId::try_from(&task.agent_id).ok(),
            ) else {
                continue;
            };
            self.tasks.insert(
                id,
                Entry {
                    agent,
                    kill: None,
                    unanswered: true,
                },
            );
            self.due = self.due.min(now + limits::FIRST_RECONCILE_RETRY);
        }
    }

    /// The master or an agent spoke of a task.
    pub(crate) fn heard(&mut self, status: &TaskStatus) {
        if is_over(status.state) {
            self.tasks.remove(&status.task_id);
            return;
        }
        let entry = self.tasks.entry(status.task_id.clone()).or_default();
        entry.unanswered = false;
        if status.agent_id.is_some() {
            entry.agent.clone_from(&status.agent_id);
        }
    }

    /// A task is to end, and the master to be reminded until it has. Returns its agent.
    pub(crate) fn kill(
        &mut self,
        task: &TaskId,
        grace: Option<Duration>,
        now: Instant,
    ) -> Option<AgentId> {
        self.due = self.due.min(now + limits::FIRST_RECONCILE_RETRY);
        let entry = self.tasks.entry(task.clone()).or_default();
        entry.kill = Some(Kill { grace });
        entry.agent.clone()
    }

    /// What to say at `now`; plans the next time.
    pub(crate) fn ask(&mut self, now: Instant) -> Questions {
        let round = now >= self.round_due;
        let mut questions = Questions {
            everything: round,
            ..Default::default()
        };
        for (id, entry) in &mut self.tasks {
            entry.unanswered |= round;
            if entry.unanswered {
                let (task_id, agent_id) = (id.clone(), entry.agent.clone());
                questions.tasks.push(KnownTask { task_id, agent_id });
            }
            if let Some(Kill { grace }) = entry.kill {
                questions
                    .kills
                    .push((id.clone(), entry.agent.clone(), grace));
            }
        }
        if round {
            self.round_due = now + self.interval;
            self.retry = limits::FIRST_RECONCILE_RETRY;
        }
        let pending = !questions.tasks.is_empty() || !questions.kills.is_empty();
        self.due = if pending {
            self.round_due.min(now + self.retry)
        } else {
            self.round_due
        };
        self.retry = self.retry.saturating_mul(2).min(self.interval);
        questions
    }
}

/// Nobody knows of the task any more, or it has ended; only a task on an agent that is away may yet
/// come back, and is asked about.
fn is_over(state: TaskState) -> bool {
    !state.is_active() && state != TaskState::Unreachable
}

#[cfg(test)]
mod tests;
