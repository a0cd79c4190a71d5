//! What has ended and was acknowledged, for operators: bounded, in memory only.

use std::collections::VecDeque;

use tepui_model::{FrameworkId, FrameworkInfo, TaskInfo, TaskStatus};

use crate::{ExecutorKey, executor::Executor};

/// Executors that are remembered (Mesos: 150 for each framework).
const EXECUTORS: usize = 150;

/// Frameworks without tasks that are remembered.
const FRAMEWORKS: usize = 50;

/// A task that has ended and was acknowledged.
#[derive(Clone, Debug)]
pub(crate) struct Completed {
    pub(crate) framework: FrameworkId,
    pub(crate) info: TaskInfo,
    pub(crate) latest: TaskStatus,
}

/// What has ended and was acknowledged.
#[derive(Debug)]
pub(crate) struct History {
    limit: usize,
    tasks: VecDeque<Completed>,
    executors: VecDeque<(ExecutorKey, Executor)>,
    frameworks: VecDeque<FrameworkInfo>,
}

impl History {
    pub(crate) const fn new(limit: usize) -> Self {
        Self {
            limit,
            tasks: VecDeque::new(),
            executors: VecDeque::new(),
            frameworks: VecDeque::new(),
        }
    }

    /// Remembers a task, at the cost of the oldest.
    pub(crate) fn task(&mut self, completed: Completed) {
        self.tasks.push_back(completed);
        while self.tasks.len() > self.limit {
            self.tasks.pop_front();
        }
    }

    /// Remembers an executor that has ended, at the cost of the oldest.
    pub(crate) fn executor(&mut self, key: ExecutorKey, executor: Executor) {
        self.executors.push_back((key, executor));
        while self.executors.len() > EXECUTORS.min(self.limit) {
            self.executors.pop_front();
        }
    }

    /// Remembers a framework whose last task is gone, at the cost of the oldest.
    pub(crate) fn framework(&mut self, framework: FrameworkInfo) {
        self.frameworks.retain(|known| known.id != framework.id);
        self.frameworks.push_back(framework);
        while self.frameworks.len() > FRAMEWORKS.min(self.limit) {
            self.frameworks.pop_front();
        }
    }

    /// The executors, oldest first.
    pub(crate) fn executors(&self) -> impl Iterator<Item = &(ExecutorKey, Executor)> {
        self.executors.iter()
    }

    /// The tasks, oldest first.
    pub(crate) fn tasks(&self) -> impl Iterator<Item = &Completed> {
        self.tasks.iter()
    }

    /// The frameworks, oldest first.
    pub(crate) fn frameworks(&self) -> impl Iterator<Item = &FrameworkInfo> {
        self.frameworks.iter()
    }
}
