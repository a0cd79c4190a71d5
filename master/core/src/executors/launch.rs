//! Tasks that run in an executor: it is checked, and charged with the first of them.

use std::sync::Arc;

use tepui_model::{AgentKey, ExecutorId, FrameworkKey, Resources, Role, TaskInfo};
use tepui_proto::v1;

use super::{Executor, Started};
use crate::Master;

impl Master {
    /// What the executor of a task takes, if the task starts it; or what is wrong with it, in
    /// Mesos' order and words.
    pub(crate) fn check_executor(
        &self,
        (key, agent): (FrameworkKey, AgentKey),
        task: &TaskInfo,
        started: &Started,
    ) -> Result<Option<Resources>, String> {
        let Some(info) = &task.wire.executor else {
            return Ok(None);
        };
        let id = ExecutorId::try_from(&info.executor_id)
            .map_err(|error| format!("Executor has an invalid ID: {error}"))?;
        self.check_executor_owner(key, info)?;
        let resources = Resources::try_from(info.resources.as_slice())
            .map_err(|error| format!("Executor uses invalid resources: {error}"))?;
        if !resources.shared().is_empty() {
            return Err("Executor resources must not be shared".to_owned());
        }
        if info.r#type.is_some() && info.r#type() != v1::executor_info::Type::Custom {
            return Err("'ExecutorInfo.type' must be 'CUSTOM'".to_owned());
        }
        if info.command.is_none() {
            return Err("'ExecutorInfo.command' must be set".to_owned());
        }
        let is_there = self.has_executor((key, agent), (&id, info, &resources), started)?;
        Ok((!is_there).then_some(resources))
    }

    /// Whether there is such an executor, or one is started along with it. One that is described
    /// otherwise is an error (Mesos: EXE-05).
    pub(crate) fn has_executor(
        &self,
        (key, agent): (FrameworkKey, AgentKey),
        (id, info, resources): (&ExecutorId, &v1::ExecutorInfo, &Resources),
        started: &Started,
    ) -> Result<bool, String> {
        let known = self.agents.get(agent);
        let known = known.and_then(|agent| agent.executors.get(&(key, id.clone())));
        match known {
            Some(known) if !is_same(&known.info, info, &known.resources, resources) => Err(
                "ExecutorInfo is not compatible with existing ExecutorInfo with same ExecutorID."
                    .to_owned(),
            ),
            Some(_) => Ok(true),
            None => Ok(started.contains(&(agent, id.clone()))),
        }
    }

    fn check_executor_owner(
        &self,
        key: FrameworkKey,
        info: &v1::ExecutorInfo,
    ) -> Result<(), String> {
        let expected = self.frameworks.get(key).map(|framework| &framework.id);
        match (&info.framework_id, expected) {
            (Some(named), Some(expected)) if named.value != expected.as_str() => Err(format!(
                "ExecutorInfo has an invalid FrameworkID (Actual: {} vs Expected: {expected})",
                named.value
            )),
            _ => Ok(()),
        }
    }

    /// Notes the executor that a task starts. What it takes was taken from the offers.
    pub(crate) fn add_executor(&mut self, key: FrameworkKey, agent: AgentKey, executor: Executor) {
        let Ok(id) = ExecutorId::try_from(&executor.info.executor_id) else {
            return;
        };
        if let (Some(framework), Some(agent)) =
            (self.frameworks.get_mut(key), self.agents.get_mut(agent))
            && agent.executors.insert((key, id), executor).is_none()
        {
            framework.executors += 1;
        }
    }

    /// The task with its executor as the agent gets it: whose it is, and which role pays for it.
    pub(crate) fn complete_executor(&self, key: FrameworkKey, role: &Role, task: &mut TaskInfo) {
        let Some(framework) = self.frameworks.get(key) else {
            return;
        };
        let wire = Arc::make_mut(&mut task.wire);
        let Some(info) = &mut wire.executor else {
            return;
        };
        info.framework_id = Some((&framework.id).into());
        if let Ok(resources) = Resources::try_from(info.resources.as_slice()) {
            info.resources = resources.to_proto(Some(role));
        }
    }
}

/// Mesos: EXE-05. The order and the role of resources make no difference.
fn is_same(
    known: &v1::ExecutorInfo,
    asked: &v1::ExecutorInfo,
    known_resources: &Resources,
    asked_resources: &Resources,
) -> bool {
    let bare = |info: &v1::ExecutorInfo| v1::ExecutorInfo {
        resources: Vec::new(),
        framework_id: None,
        ..info.clone()
    };
    known_resources == asked_resources && bare(known) == bare(asked)
}
