//! GET_TASKS.

use tepui_proto::v1::master::response::GetTasks;

use crate::{Master, tasks::Task};

impl Master {
    /// The tasks that agents have, those out of reach, and those that have ended.
    #[must_use]
    pub fn get_tasks(&self) -> GetTasks {
        let mut view = GetTasks::default();
        for framework in self.frameworks.iter() {
            view.tasks
                .extend(framework.tasks.values().map(|task| task.to_wire()));
            let lost = framework.unreachable.iter();
            view.unreachable_tasks
                .extend(lost.map(|lost| lost.task.to_wire()));
            let completed = framework.completed.iter();
            view.completed_tasks.extend(completed.map(Task::to_wire));
        }
        for framework in &self.frameworks.completed {
            let tasks = framework.tasks.iter();
            view.completed_tasks.extend(tasks.map(Task::to_wire));
        }
        view
    }
}
