//! GET_TASKS.

use tepui_model::FrameworkId;
use tepui_proto::v1::{self, master::response::GetTasks};

use crate::{Master, tasks::Task};

impl Master {
    /// The tasks that agents have, those out of reach, and those that have ended.
    #[must_use]
    pub fn get_tasks(&self) -> GetTasks {
        let mut view = GetTasks::default();
        for framework in self.frameworks.iter() {
            let id = &framework.id;
            view.tasks
                .extend(framework.tasks.values().map(|task| task_view(id, task)));
            let lost = framework.unreachable.iter();
            view.unreachable_tasks
                .extend(lost.map(|lost| task_view(id, &lost.task)));
            let completed = framework.completed.iter();
            view.completed_tasks
                .extend(completed.map(|task| task_view(id, task)));
        }
        for framework in &self.frameworks.completed {
            let tasks = framework.tasks.iter();
            view.completed_tasks
                .extend(tasks.map(|task| task_view(&framework.id, task)));
        }
        view
    }
}

fn task_view(framework: &FrameworkId, task: &Task) -> v1::Task {
    let told = task.told;
    v1::Task {
        statuses: task.statuses.iter().map(v1::TaskStatus::from).collect(),
        status_update_state: told.map(|told| v1::TaskState::from(told.state).into()),
        status_update_uuid: told
            .and_then(|told| told.uuid)
            .map(tepui_model::StatusUuid::to_vec),
        ..task.info.to_task(framework, task.state)
    }
}
