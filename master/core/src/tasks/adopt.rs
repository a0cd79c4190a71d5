//! Tasks that agents bring: the master learns them, and charges for them.

use std::sync::Arc;

use tepui_model::{AgentKey, FrameworkKey, Reason, TaskId, TaskState, TaskStatus, Time};

use super::{Task, from_master};
use crate::{
    Master,
    effects::{AgentCommand, Effects, FrameworkEvent},
    events::KnownTask,
    notices::Notice,
};

impl Master {
    /// Takes in a task that the master does not have. `returned` when it had been given up with its
    /// agent: then the framework hears that it is back (Mesos: TSK-04).
    pub(crate) fn adopt(
        &mut self,
        key: FrameworkKey,
        agent_key: AgentKey,
        returned: bool,
        known: KnownTask,
        effects: &mut Effects,
    ) {
        let (Some(framework), Some(agent)) =
            (self.frameworks.get_mut(key), self.agents.get_mut(agent_key))
        else {
            return;
        };
        let KnownTask {
            task: mut info,
            latest,
            ..
        } = known;
        let role = info.allocation_role.take();
        let role = role
            .or_else(|| framework.info.roles.first().cloned())
            .unwrap_or_default();
        info.allocation_role = Some(role.clone());
        info.agent_id = agent.id.clone();
        let info = Arc::new(info);
        let mut task = Task::staging(&framework.id, &agent.id, &info);
        task.state = latest.state;
        task.keep(latest);
        let lost = framework.unreachable.remove(&info.id);
        // Whoever wanted the room of a task that is back from so far has found another meanwhile.
        let wish = lost.as_ref().and_then(|lost| lost.kill.clone());
        task.kill = wish.filter(|wish| wish.preempted.is_none());
        // Never ahead of the agent's own updates, which may still be on their way.
        let told = lost.and_then(|lost| lost.told);
        let shown = told.map_or(task.state, |told| told.state);
        if !task.is_over() {
            self.allocator
                .charge(key, &role, agent_key, &info.resources);
        }
        let (state, update) = (task.state, back(self.now, &task, shown));
        agent.tasks.insert((key, info.id.clone()));
        framework.tasks.insert(info.id.clone(), Arc::new(task));
        let framework_id = framework.id.clone();
        effects.publish(Notice::TaskAdded {
            framework_id,
            task: info,
            state,
        });
        // The end of a task is told by its agent, which wants to hear that it was heard.
        if returned && !state.is_terminal() {
            self.tell(key, FrameworkEvent::Update(Box::new(update)), effects);
        }
    }

    /// A kill that the agent may not have heard of (Mesos: KIL-03).
    pub(crate) fn remind_of_kill(&self, key: FrameworkKey, id: &TaskId, effects: &mut Effects) {
        let Some(framework) = self.frameworks.get(key) else {
            return;
        };
        let Some(task) = framework.tasks.get(id).filter(|task| !task.is_over()) else {
            return;
        };
        let Some(wish) = task.kill.clone() else {
            return;
        };
        let (framework_id, task_id) = (framework.id.clone(), id.clone());
        let command = AgentCommand::KillTask {
            framework_id,
            task_id,
            grace: wish.grace,
            preempted: wish.preempted,
        };
        self.command(task.agent_id(), command, effects);
    }
}

/// That a task is back with its agent.
fn back(now: Time, task: &Task, shown: TaskState) -> TaskStatus {
    let reason = Reason::AgentReregistered;
    let message = "Unreachable agent re-registered";
    let agent = Some(task.agent_id().clone());
    let mut status = from_master(now, task.id().clone(), agent, shown, reason, message);
    if let Some(latest) = task.statuses.last() {
        status.healthy = latest.healthy;
        status.passengers = latest.passengers.clone();
    }
    status
}
