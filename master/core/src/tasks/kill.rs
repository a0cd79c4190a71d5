//! KILL: a framework or an operator wants a task's end (Mesos: KIL-02, KIL-03, REC-03).

use tepui_model::FrameworkKey;

use super::KillWish;
use crate::{
    Master,
    calls::{Kill, TaskQuery},
    effects::{AgentCommand, Effects},
};

impl Master {
    pub(crate) fn kill(&mut self, key: FrameworkKey, kill: &Kill, effects: &mut Effects) {
        let Kill {
            task_id,
            agent_id,
            grace,
        } = kill;
        let Some(framework) = self.frameworks.get_mut(key) else {
            return;
        };
        let framework_id = framework.id.clone();
        let wish = KillWish {
            grace: *grace,
            preempted: None,
        };
        if let Some(task) = framework.unreachable.get_mut(task_id) {
            // It is ended when its agent comes back.
            task.kill = Some(wish.clone());
        }
        let Some(task) = framework.task_mut(task_id) else {
            let query = TaskQuery {
                task_id: task_id.clone(),
                agent_id: agent_id.clone(),
            };
            return self.reconcile(key, &[query], effects);
        };
        let there = task.agent_id().clone();
        if agent_id.as_ref().is_some_and(|named| *named != there) {
            return effects.warn(format!(
                "ignoring KILL of task {task_id} of {framework_id}: it is on agent {there}"
            ));
        }
        task.kill = Some(wish);
        let (task_id, grace) = (task_id.clone(), *grace);
        let command = AgentCommand::KillTask {
            framework_id,
            task_id,
            grace,
            preempted: None,
        };
        self.command(&there, command, effects);
    }
}

#[cfg(test)]
mod tests;
