//! Operations whose agent is taken out of the tables (Mesos: REC-04).

use tepui_model::{AgentKey, FrameworkKey};

use super::OperationStep;
use crate::{Master, effects::Effects, tasks::Verdict};

impl Master {
    /// What has ended was told; what has not is out of reach, or will never be known.
    pub(crate) fn lose_operations(
        &mut self,
        key: AgentKey,
        (verdict, message): (Verdict, &str),
        effects: &mut Effects,
    ) {
        let step = match verdict {
            Verdict::Unreachable => OperationStep::Lose,
            _ => OperationStep::GiveUp,
        };
        let Some(agent) = self.agents.get(key) else {
            return;
        };
        for uuid in agent.operations.keys().copied().collect::<Vec<_>>() {
            let Some(operation) = self.forget_operation(key, uuid) else {
                continue;
            };
            if let Ok(state) = operation.state().next(step) {
                self.tell_end(&operation, state, message, effects);
            }
        }
    }
}

impl Master {
    /// A removed framework acknowledges nothing any more (Mesos: FWK-11).
    pub(crate) fn hear_out_operations(&mut self, key: FrameworkKey, effects: &mut Effects) {
        let Some(framework) = self.frameworks.get(key) else {
            return;
        };
        let places: Vec<_> = framework.operations.values().copied().collect();
        for (agent, uuid) in places {
            self.pass_on(agent, uuid, effects);
        }
    }

    /// A framework that was not known, and for which agents keep operations.
    pub(crate) fn claim_operations(&mut self, key: FrameworkKey) {
        let Some(framework) = self.frameworks.get_mut(key) else {
            return;
        };
        for agent in self.agents.iter() {
            let own = agent.operations.values().filter_map(|operation| {
                let (owner, id) = operation.listener()?;
                (*owner == framework.id).then(|| (id.clone(), (agent.key, operation.uuid)))
            });
            framework.operations.extend(own);
        }
    }
}

#[cfg(test)]
mod tests;
