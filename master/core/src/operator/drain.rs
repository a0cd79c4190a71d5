//! DRAIN_AGENT, DEACTIVATE_AGENT and REACTIVATE_AGENT (Mesos: DRN-01, DRN-03).

use core::time::Duration;

use tepui_model::{AgentCapability, AgentId, MachineId};
use tepui_proto::v1::{self, master::call};

use super::{OperatorError, OperatorReply};
use crate::{
    Master,
    agents::{Deactivation, Drain, DrainState},
    effects::Effects,
};

type Answer = Result<OperatorReply, OperatorError>;

fn invalid(problem: impl Into<String>) -> OperatorError {
    OperatorError::Invalid(problem.into())
}

impl Master {
    /// Ends every task of an agent, now or when it returns, and offers it no more. Draining an
    /// agent that is drained already changes how.
    pub(super) fn drain_agent(&mut self, wire: &call::DrainAgent, effects: &mut Effects) -> Answer {
        let max_grace_period = grace(wire)?;
        let id = self.agent_to_change(&wire.agent_id)?;
        if let Some(agent) = self.agents.find(&id)
            && !agent.capabilities.has(AgentCapability::AgentDraining)
        {
            return Err(invalid("Agent is not capable of draining"));
        }
        if let Some(machine) = self.scheduled_machine(&id) {
            return Err(invalid(format!(
                "Agent is currently part of a maintenance schedule under machine '{machine}'; take \
                 the machine out of the schedule first"
            )));
        }
        let earlier = self.agents.deactivated.get(&id).copied();
        let earlier = earlier.filter(Deactivation::is_draining);
        let since = earlier.and_then(|deactivation| deactivation.drain);
        let drain = Drain {
            state: DrainState::Draining,
            max_grace_period,
            mark_gone: wire.mark_gone(),
            since: since.map_or(self.now, |drain| drain.since),
        };
        self.deactivate(&id, Deactivation { drain: Some(drain) }, effects);
        Ok(OperatorReply::Done)
    }

    /// Offers an agent no more; its tasks go on.
    pub(super) fn deactivate_agent(&mut self, id: &v1::AgentId, effects: &mut Effects) -> Answer {
        let id = self.agent_to_change(id)?;
        if !self.agents.deactivated.contains_key(&id) {
            self.deactivate(&id, Deactivation::default(), effects);
        }
        Ok(OperatorReply::Done)
    }

    /// Offers an agent again.
    pub(super) fn reactivate_agent(&mut self, id: &v1::AgentId, effects: &mut Effects) -> Answer {
        let id = self.agent_to_change(id)?;
        let deactivation = self.agents.deactivated.get(&id);
        let deactivation = deactivation.ok_or_else(|| invalid("Agent is not deactivated"))?;
        if deactivation.is_draining() {
            return Err(invalid("Agent is still in the DRAINING state"));
        }
        self.reactivate(&id, effects);
        Ok(OperatorReply::Done)
    }

    /// The machine of an agent, if it is in the maintenance schedule.
    fn scheduled_machine(&self, id: &AgentId) -> Option<&MachineId> {
        if let Some(agent) = self.agents.find(id) {
            return self
                .maintenance
                .machine_of(&agent.info, agent.ip.as_deref());
        }
        let recovered = self.agents.recovered.get(id)?;
        self.maintenance.machine_of(&recovered.info, None)
    }

    /// An agent that is there or may come back.
    fn agent_to_change(&self, wire: &v1::AgentId) -> Result<AgentId, OperatorError> {
        let id = AgentId::try_from(wire).ok();
        let known = |id: &AgentId| {
            self.agents.by_id.contains_key(id)
                || self.agents.recovered.contains_key(id)
                || self.agents.unreachable.contains(id)
        };
        id.filter(known)
            .ok_or_else(|| invalid(format!("Unknown agent {}", wire.value)))
    }
}

fn grace(wire: &call::DrainAgent) -> Result<Option<Duration>, OperatorError> {
    let Some(wire) = &wire.max_grace_period else {
        return Ok(None);
    };
    let seconds = u64::try_from(wire.seconds).ok();
    let nanos = u32::try_from(wire.nanos).ok();
    match (seconds, nanos.filter(|nanos| *nanos < 1_000_000_000)) {
        (Some(seconds), Some(nanos)) => Ok(Some(Duration::new(seconds, nanos))),
        _ => Err(invalid(
            "drain_agent.max_grace_period must not be negative, and have less than a second of \
             nanoseconds",
        )),
    }
}

#[cfg(test)]
mod tests;
