//! An agent registers under its id (Mesos: TSK-04, AGT-05).

use std::collections::BTreeSet;

use tepui_model::{AgentId, AgentInfo, AgentKey, FrameworkId, FrameworkInfo};

use super::{
    Address,
    register::{dismiss, refuse},
};
use crate::{
    Master,
    effects::{Effect, Effects},
    events::{ConnectionId, KnownExecutor, KnownTask, Registration},
    frameworks::{FrameworkState, Subscriber},
    notices::Notice,
    record::{Change, RecordKind},
};

/// Where an agent was before it came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// In the tables, connected or not.
    Present(AgentKey),
    /// In the registry, or nowhere: its tasks are learned from it.
    Recovered,
    /// Given up: its tasks were reported unreachable or lost (Mesos: TSK-04).
    Unreachable,
}

impl Master {
    pub(super) fn reregister_agent(
        &mut self,
        connection: ConnectionId,
        id: AgentId,
        mut registration: Registration,
        effects: &mut Effects,
    ) {
        if self.agents.gone.is_by_operator(&id) {
            let problem = format!("agent {id} has been marked gone");
            return dismiss(connection, problem, effects);
        }
        if self.agents.gone.contains(&id) {
            let problem = format!("agent {id} has been removed; it must register anew");
            return refuse(connection, problem, true, effects);
        }
        let origin = self.origin(&id);
        if let Err(problem) = self.check_reregistration(origin, &id, &registration.info) {
            return refuse(connection, problem, false, effects);
        }
        let tasks = core::mem::take(&mut registration.tasks);
        let frameworks = core::mem::take(&mut registration.frameworks);
        let operations = core::mem::take(&mut registration.operations);
        let executors = core::mem::take(&mut registration.executors);
        let (key, is_news) = match origin {
            Origin::Present(key) => (key, self.meet_again(key, registration, effects)),
            _ => (self.bring_back(id, registration, effects), true),
        };
        self.admit(key, connection, is_news, effects);
        let used = owners(&tasks, &executors);
        self.learn_frameworks(&used, frameworks, effects);
        self.agree_on_executors(key, executors, effects);
        self.agree_on_tasks(key, origin, tasks, effects);
        self.agree_on_operations(key, operations, effects);
    }

    fn origin(&self, id: &AgentId) -> Origin {
        if let Some(key) = self.agents.by_id.get(id) {
            Origin::Present(*key)
        } else if self.agents.unreachable.contains(id) {
            Origin::Unreachable
        } else {
            Origin::Recovered
        }
    }

    fn check_reregistration(
        &self,
        origin: Origin,
        id: &AgentId,
        info: &AgentInfo,
    ) -> Result<(), String> {
        let known = match origin {
            Origin::Present(key) => self.agents.get(key).map(|agent| &agent.info),
            _ => {
                self.has_room_for_agent()?;
                self.agents.recovered.get(id).map(|agent| &agent.info)
            }
        };
        match known {
            // Mesos: AGT-05.
            Some(known) if Address::of(known) != Address::of(info) => Err(format!(
                "agent {id} was at {}:{} and cannot come back at {}:{}",
                known.hostname, known.port, info.hostname, info.port,
            )),
            _ => Ok(()),
        }
    }

    /// An agent of the tables on a new stream. Whether it is different from before.
    fn meet_again(
        &mut self,
        key: AgentKey,
        registration: Registration,
        effects: &mut Effects,
    ) -> bool {
        if let Some(old) = self.agents.get(key).and_then(|agent| agent.connection) {
            effects.push(Effect::EndAgent { connection: old });
            self.agent_disconnected(old, effects);
        }
        let now = self.now;
        let Some(agent) = self.agents.get_mut(key) else {
            return false;
        };
        let info = registration.info.with_id(agent.id.clone());
        let is_news = agent.info.wire != info.wire
            || agent.version != registration.version
            || agent.capabilities != registration.capabilities;
        let total = info.resources.clone();
        agent.info = info;
        agent.version = registration.version;
        agent.capabilities = registration.capabilities;
        agent.ip = registration.ip;
        agent.reregistered = Some(now);
        self.agents.set_images(key, &registration.images);
        self.restart_ledger(key, total);
        is_news
    }

    /// An agent that is not in the tables.
    fn bring_back(
        &mut self,
        id: AgentId,
        registration: Registration,
        effects: &mut Effects,
    ) -> AgentKey {
        let recovered = self.agents.recovered.remove(&id);
        if self.agents.unreachable.remove(&id).is_some() {
            let kind = RecordKind::Unreachable;
            effects.persist(Change::Delete(kind, id.to_string()));
        }
        let now = self.now;
        let key = self.add_agent(id, registration);
        if let Some(agent) = self.agents.get_mut(key) {
            agent.reregistered = Some(now);
            agent.registered = recovered.map_or(now, |record| record.registered);
        }
        key
    }

    /// Frameworks that only the agents know: they subscribed, and the registry that said so is
    /// lost. They may come back as those that the master remembers.
    fn learn_frameworks(
        &mut self,
        used: &BTreeSet<FrameworkId>,
        frameworks: Vec<FrameworkInfo>,
        effects: &mut Effects,
    ) {
        for info in frameworks {
            let Some(id) = info.id.clone() else { continue };
            if !used.contains(&id) || self.frameworks.by_id.contains_key(&id) {
                continue;
            }
            if self.frameworks.is_removed(&id) {
                let state = FrameworkState::Ending;
                let key = self.add_framework(id, Subscriber::new(info), state);
                // Other agents may have yet to say how operations of it ended.
                self.claim_operations(key);
                self.hear_out_operations(key, effects);
                continue;
            }
            let state = FrameworkState::Recovered;
            let key = self.add_framework(id, Subscriber::new(info), state);
            self.claim_operations(key);
            self.set_recovered_deadline(key, effects);
            if let Some(framework) = self.frameworks.get(key) {
                let view = Box::new(self.framework_view(framework));
                effects.publish(Notice::FrameworkAdded(view));
            }
        }
    }
}

/// The frameworks that have something on an agent.
fn owners(tasks: &[KnownTask], executors: &[KnownExecutor]) -> BTreeSet<FrameworkId> {
    let of_tasks = tasks.iter().map(|task| &task.framework_id);
    let of_executors = executors.iter().map(|executor| &executor.framework_id);
    of_tasks.chain(of_executors).cloned().collect()
}

#[cfg(test)]
mod tests;
