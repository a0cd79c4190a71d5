//! ACKNOWLEDGE_OPERATION_STATUS: a framework has dealt with the end of an operation
//! (Mesos: OPF-01).

use tepui_model::FrameworkKey;

use crate::{Master, calls::AcknowledgeOperation, effects::Effects};

impl Master {
    pub(crate) fn acknowledge_operation(
        &mut self,
        key: FrameworkKey,
        acknowledge: &AcknowledgeOperation,
        effects: &mut Effects,
    ) {
        let AcknowledgeOperation {
            agent_id,
            operation_id,
            uuid,
        } = acknowledge;
        let mut ignore = |why: &str| {
            effects.warn(format!(
                "ignoring an acknowledgement of operation {operation_id}: {why}"
            ));
        };
        let Some((agent, operation)) = self.named_operation(key, operation_id) else {
            return ignore("there is none of that name");
        };
        let place = operation.status.agent_id.as_ref();
        if agent_id.is_some() && agent_id.as_ref() != place {
            return ignore("it is on another agent");
        }
        if operation.status.uuid != Some(*uuid) {
            return ignore("it is not about its newest state");
        }
        let connected = self
            .agents
            .get(agent)
            .is_some_and(|agent| agent.connection.is_some());
        if !connected {
            // The agent tells it again when it is back.
            return ignore("its agent is not connected");
        }
        let (name, over) = (operation.uuid, operation.state().is_terminal());
        self.hear_out(agent, name, Some(*uuid), effects);
        if over {
            self.forget_operation(agent, name);
        }
    }
}
