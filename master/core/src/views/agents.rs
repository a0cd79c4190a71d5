//! GET_AGENTS.

use tepui_proto::v1::{
    self,
    master::response::{GetAgents, get_agents},
};

use super::Allocated;
use crate::{
    Master,
    agents::{Agent, AgentState, Drain, DrainState},
    wire::duration_info,
};

impl Master {
    /// The agents that are connected or disconnected, and those that have not come back yet.
    #[must_use]
    pub fn get_agents(&self) -> GetAgents {
        let recovered = self.agents.recovered.values();
        GetAgents {
            agents: self
                .agents
                .iter()
                .map(|agent| self.agent_view(agent))
                .collect(),
            recovered_agents: recovered
                .map(|agent| v1::AgentInfo::clone(&agent.info.wire))
                .collect(),
        }
    }

    pub(crate) fn agent_view(&self, agent: &Agent) -> get_agents::Agent {
        let deactivation = self.agents.deactivated.get(&agent.id);
        let drain = deactivation.and_then(|deactivation| deactivation.drain);
        let total = self.allocator.total(agent.key);
        get_agents::Agent {
            agent_info: v1::AgentInfo::clone(&agent.info.wire),
            active: agent.state == AgentState::Connected && deactivation.is_none(),
            deactivated: Some(deactivation.is_some()),
            version: agent.version.clone(),
            pid: None,
            registered_time: Some(agent.registered.into()),
            reregistered_time: agent.reregistered.map(Into::into),
            total_resources: total.map(|total| total.to_proto(None)).unwrap_or_default(),
            allocated_resources: self.allocated_on(agent).to_wire(),
            offered_resources: self.offered_on(agent).to_wire(),
            capabilities: agent.capabilities.to_proto(),
            resource_providers: Vec::new(),
            drain_info: drain.map(drain_info),
            estimated_drain_start_time: drain.map(|drain| drain.since.into()),
        }
    }

    fn allocated_on(&self, agent: &Agent) -> Allocated {
        let mut allocated = Allocated::default();
        for (key, id) in &agent.tasks {
            let framework = self.frameworks.get(*key);
            let task = framework.and_then(|framework| framework.tasks.get(id));
            if let Some(task) = task.filter(|task| !task.is_over()) {
                allocated.add(&task.role, &task.resources);
            }
        }
        allocated
    }

    fn offered_on(&self, agent: &Agent) -> Allocated {
        let mut offered = Allocated::default();
        for held in agent
            .offers
            .iter()
            .filter_map(|number| self.offers.get(*number))
            .filter(|held| held.holds())
        {
            offered.add(&held.offer.role, &held.offer.resources);
        }
        offered
    }
}

fn drain_info(drain: Drain) -> v1::DrainInfo {
    let state = match drain.state {
        DrainState::Draining => v1::DrainState::Draining,
        DrainState::Drained => v1::DrainState::Drained,
    };
    v1::DrainInfo {
        state: state.into(),
        config: v1::DrainConfig {
            max_grace_period: drain.max_grace_period.map(duration_info),
            mark_gone: Some(drain.mark_gone),
        },
    }
}
