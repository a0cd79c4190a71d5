//! ACKNOWLEDGE: the framework has dealt with an update, so its agent may send the next
//! (Mesos: TSK-09).

use tepui_model::FrameworkKey;

use crate::{
    Master,
    calls::Acknowledge,
    effects::{AgentCommand, Effects},
};

impl Master {
    pub(crate) fn acknowledge(
        &mut self,
        key: FrameworkKey,
        acknowledge: &Acknowledge,
        effects: &mut Effects,
    ) {
        let Acknowledge {
            agent_id,
            task_id,
            uuid,
        } = acknowledge;
        let agent = self.agents.find(agent_id);
        if agent.is_none_or(|agent| agent.connection.is_none()) {
            // The agent tells the update again when it is back.
            return effects.warn(format!(
                "ignoring an acknowledgement of task {task_id}: agent {agent_id} is not connected"
            ));
        }
        let Some(framework) = self.frameworks.get(key) else {
            return;
        };
        let command = AgentCommand::Acknowledge {
            framework_id: framework.id.clone(),
            task_id: task_id.clone(),
            uuid: *uuid,
        };
        self.command(agent_id, command, effects);
        let task = framework
            .tasks
            .get(task_id)
            .filter(|task| task.agent_id() == agent_id);
        if task.is_some_and(|task| task.ended_with(*uuid)) {
            self.drop_task(key, task_id);
        }
    }
}
