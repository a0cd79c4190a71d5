//! What tasks use of an agent, as far as operations ask.

use tepui_model::Resources;

use crate::{Master, agents::Agent};

impl Master {
    /// The reserved resources and the volumes that tasks and executors of an agent use. Plain
    /// resources are left out: no operation asks whether they are in use.
    pub(crate) fn in_use(&self, agent: &Agent) -> Resources {
        let mut used = Resources::new();
        for (key, id) in &agent.tasks {
            let framework = self.frameworks.get(*key);
            let task = framework.and_then(|framework| framework.tasks.get(id));
            if let Some(task) = task.filter(|task| !task.is_over() && !task.resources.is_plain()) {
                used += &task.resources.filter(|traits| !traits.is_plain());
            }
        }
        let executors = agent.executors.values();
        for executor in executors.filter(|executor| !executor.resources.is_plain()) {
            used += &executor.resources.filter(|traits| !traits.is_plain());
        }
        used
    }
}
