//! Master and agent agree again on the agent's executors.

use std::collections::BTreeMap;

use tepui_model::{AgentKey, ExecutorId, FrameworkKey, Resources};

use super::Executor;
use crate::{
    Master,
    effects::{AgentCommand, Effects},
    events::KnownExecutor,
};

impl Master {
    /// What the agent does not know has ended or never was; what it has and the master does not is
    /// taken in and charged for.
    pub(crate) fn agree_on_executors(
        &mut self,
        agent_key: AgentKey,
        executors: Vec<KnownExecutor>,
        effects: &mut Effects,
    ) {
        let Some(agent) = self.agents.get(agent_key) else {
            return;
        };
        let (agent_id, known) = (agent.id.clone(), agent.executors.clone());
        let mut there: BTreeMap<(FrameworkKey, ExecutorId), KnownExecutor> = BTreeMap::new();
        for executor in executors {
            let framework_id = executor.framework_id.clone();
            match self.frameworks.by_id.get(&framework_id) {
                Some(key) => {
                    there.insert((*key, executor.executor_id.clone()), executor);
                }
                None => {
                    let command = AgentCommand::ShutdownFramework { framework_id };
                    self.command(&agent_id, command, effects);
                }
            }
        }
        for (key, id) in known.into_keys() {
            if there.remove(&(key, id.clone())).is_none() {
                self.free_executor(agent_key, key, &id);
            }
        }
        for ((key, _), executor) in there {
            self.adopt_executor(agent_key, key, executor);
        }
    }

    fn adopt_executor(&mut self, agent_key: AgentKey, key: FrameworkKey, known: KnownExecutor) {
        let Some(framework) = self.frameworks.get(key) else {
            return;
        };
        let Ok((resources, role)) = Resources::from_proto(&known.info.resources) else {
            return;
        };
        let role = role
            .or_else(|| framework.info.roles.first().cloned())
            .unwrap_or_default();
        self.allocator.charge(key, &role, agent_key, &resources);
        let executor = Executor {
            info: known.info,
            resources,
            role,
        };
        self.add_executor(key, agent_key, executor);
    }
}
