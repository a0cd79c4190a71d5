//! The operations that a framework asked for and has not dealt with yet. As its work, they survive
//! its process.

use core::time::Duration;
use std::collections::BTreeMap;

use tepui_model::{AgentId, InvalidId, OperationId, StatusUuid, Time};
use tepui_proto::v1::{self, OperationState};

use super::{FrameworkNode, calls};
use crate::scene::Scene;

/// Where an operation was asked for, and when it was last heard of.
#[derive(Clone, Debug)]
struct Asked {
    agent: AgentId,
    heard: Time,
}

/// What became of an operation, as its framework hears it.
#[derive(Clone, Debug)]
pub(super) struct News {
    id: OperationId,
    state: OperationState,
    uuid: Option<StatusUuid>,
    agent: Option<AgentId>,
}

impl TryFrom<v1::OperationStatus> for News {
    type Error = String;

    fn try_from(wire: v1::OperationStatus) -> Result<Self, String> {
        let text = |error: InvalidId| error.to_string();
        let id = wire.operation_id.as_ref().ok_or("news of no operation")?;
        let agent = wire.agent_id.as_ref().map(AgentId::try_from).transpose();
        let uuid = wire.uuid.as_ref().map(|uuid| uuid.value.as_slice());
        let uuid = uuid.map(StatusUuid::try_from).transpose();
        Ok(Self {
            id: OperationId::try_from(id).map_err(text)?,
            state: wire.state(),
            uuid: uuid.map_err(|error| error.to_string())?,
            agent: agent.map_err(text)?,
        })
    }
}

/// The operations of a framework that are not over.
#[derive(Clone, Debug)]
pub(crate) struct Operations {
    name: String,
    asked: u64,
    open: BTreeMap<OperationId, Asked>,
}

impl Operations {
    pub(super) const fn new(name: String) -> Self {
        Self {
            name,
            asked: 0,
            open: BTreeMap::new(),
        }
    }

    /// A number that no operation of the framework had before.
    pub(super) const fn next_number(&mut self) -> u64 {
        self.asked += 1;
        self.asked
    }

    /// An operation of that number is asked for by name.
    pub(super) fn ask(&mut self, number: u64, agent: &AgentId, now: Time) -> OperationId {
        #[expect(clippy::unwrap_used, reason = "a short name and a number")]
        let id = OperationId::new(format!("{}-o{number}", self.name)).unwrap();
        let (agent, heard) = (agent.clone(), now);
        self.open.insert(id.clone(), Asked { agent, heard });
        id
    }

    /// Whether it is over: nobody knows it, or it will be the same for ever.
    fn hear(&mut self, news: &News, now: Time) {
        if is_final(news.state) || news.state == OperationState::OperationUnknown {
            self.open.remove(&news.id);
        } else if let Some(asked) = self.open.get_mut(&news.id) {
            asked.heard = now;
        }
    }

    /// The operations that were not heard of for so long.
    fn silent(&self, now: Time, span: Duration) -> Vec<(OperationId, AgentId)> {
        let silent = self.open.iter();
        let silent = silent.filter(|(_, asked)| now.since(asked.heard) >= span);
        silent
            .map(|(id, asked)| (id.clone(), asked.agent.clone()))
            .collect()
    }

    /// The master has removed the framework: nothing more is heard of them.
    pub(super) fn begin_anew(&mut self) {
        self.open.clear();
    }

    /// Whether all are over.
    pub(super) fn is_idle(&self) -> bool {
        self.open.is_empty()
    }

    pub(super) fn describe(&self) -> String {
        let open = self.open.iter();
        let open = open.map(|(id, asked)| format!("{id} on {}", asked.agent));
        open.collect::<Vec<_>>().join(", ")
    }
}

/// Whether an operation in that state never changes again.
pub(crate) const fn is_final(state: OperationState) -> bool {
    use OperationState::{
        OperationDropped, OperationError, OperationFailed, OperationFinished,
        OperationGoneByOperator,
    };
    matches!(
        state,
        OperationFinished
            | OperationFailed
            | OperationError
            | OperationDropped
            | OperationGoneByOperator
    )
}

impl FrameworkNode {
    /// News of an operation; they are acknowledged if that is wanted, but for the few that the
    /// framework forgets at first.
    pub(super) fn operation_updated(&mut self, status: v1::OperationStatus, scene: &mut Scene) {
        let news = News::try_from(status).unwrap_or_else(|error| scene.fail(error));
        let held = scene.checks.fates.tell(&news.id, news.state);
        scene.hold(held);
        self.operations.hear(&news, scene.now);
        let Some(uuid) = news.uuid else { return };
        scene.checks.updates.dealt_with(uuid);
        if self.is_doomed {
            // It has dealt with the news, and dies before it says so.
            return self.die(scene);
        }
        let forgets = scene.dice.chance(scene.faults.forgetfulness);
        let forgotten = self.process.as_mut().map(|process| &mut process.forgotten);
        if forgets && forgotten.is_some_and(|forgotten| forgotten.insert(uuid)) {
            return;
        }
        let call = calls::acknowledge_operation(news.agent.as_ref(), &news.id, uuid);
        self.call(&call, scene);
    }

    /// Asks about every operation that was not heard of for so long, and sometimes about all.
    pub(super) fn ask_for_operations(&self, silence: Duration, scene: &mut Scene) {
        let silent = self.operations.silent(scene.now, silence);
        if !silent.is_empty() {
            self.call(&calls::reconcile_operations(&silent), scene);
            if scene.dice.chance(0.1) {
                self.call(&calls::reconcile_operations(&[]), scene);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operation_is_open_until_its_end_is_known() {
        let (now, agent) = (Time::ZERO, AgentId::new("a").unwrap());
        let mut operations = Operations::new("f".to_owned());
        let id = operations.ask(1, &agent, now);
        let says = |state| News {
            id: id.clone(),
            state,
            uuid: None,
            agent: None,
        };
        operations.hear(&says(OperationState::OperationPending), now);
        operations.hear(&says(OperationState::OperationUnreachable), now);
        let span = Duration::from_secs(1);
        assert_eq!(operations.silent(now + span, span), [(id.clone(), agent)]);
        operations.hear(&says(OperationState::OperationFailed), now);
        assert!(operations.is_idle());
    }
}
