//! GET_AGENTS.

use std::sync::Arc;

use tepui_model::{AgentCapabilities, AgentId, ImageNames, Offer, Resources, Time};
use tepui_proto::v1::{self, master::response::get_agents};

use super::{
    Allocated, shown,
    written::{Portrait, Written},
};
use crate::{
    Master,
    agents::{Agent, AgentState, Drain, DrainState},
    wire::duration_info,
};

/// An agent at one moment; what is large is shared.
#[derive(Clone, Debug)]
pub(super) struct AgentPicture {
    facts: Facts,
    portrait: Arc<AgentPortrait>,
}

/// What was written of an agent, and what it was with what its tasks take.
pub(crate) type AgentPortrait = Portrait<(Facts, Allocated)>;

/// What there is to say of an agent but for what its tasks take.
#[derive(Clone, Debug)]
pub(crate) struct Facts {
    id: AgentId,
    info: Arc<v1::AgentInfo>,
    /// The address that its stream comes from.
    ip: Option<String>,
    active: bool,
    deactivated: bool,
    version: String,
    registered: Time,
    reregistered: Option<Time>,
    total: Resources,
    /// Those that hold what they show.
    offers: Vec<Arc<Offer>>,
    capabilities: AgentCapabilities,
    drain: Option<Drain>,
    images: ImageNames,
}

impl Master {
    pub(super) fn agent_picture(&self, agent: &Agent) -> AgentPicture {
        let deactivation = self.agents.deactivated.get(&agent.id);
        let total = self.allocator.total(agent.key);
        let offers = agent.offers.iter();
        let held = offers.filter_map(|number| self.offers.get(*number));
        let facts = Facts {
            id: agent.id.clone(),
            info: Arc::clone(&agent.info.wire),
            ip: agent.ip.clone(),
            active: agent.state == AgentState::Connected && deactivation.is_none(),
            deactivated: deactivation.is_some(),
            version: agent.version.clone(),
            registered: agent.registered,
            reregistered: agent.reregistered,
            total: total.cloned().unwrap_or_default(),
            offers: held
                .filter(|held| held.holds())
                .map(|held| Arc::clone(&held.offer))
                .collect(),
            capabilities: agent.capabilities,
            drain: deactivation.and_then(|deactivation| deactivation.drain),
            images: agent.images.clone(),
        };
        let portrait = Arc::clone(&agent.portrait);
        AgentPicture { facts, portrait }
    }

    pub(crate) fn agent_view(&self, agent: &Agent) -> get_agents::Agent {
        self.agent_picture(agent).to_wire(&self.allocated_on(agent))
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
        for executor in agent.executors.values() {
            allocated.add(&executor.role, &executor.resources);
        }
        allocated
    }
}

/// What is shared is compared by where it is: it is the same as long as nobody has replaced it.
impl PartialEq for Facts {
    fn eq(&self, other: &Self) -> bool {
        let offers = self.offers.iter().zip(&other.offers);
        self.id == other.id
            && Arc::ptr_eq(&self.info, &other.info)
            && self.ip == other.ip
            && (self.active, self.deactivated) == (other.active, other.deactivated)
            && self.version == other.version
            && (self.registered, self.reregistered) == (other.registered, other.reregistered)
            && self.total == other.total
            && self.offers.len() == other.offers.len()
            && offers.into_iter().all(|(a, b)| Arc::ptr_eq(a, b))
            && self.capabilities == other.capabilities
            && self.drain == other.drain
            && self.images.is_same(&other.images)
    }
}

impl AgentPicture {
    pub(super) const fn id(&self) -> &AgentId {
        &self.facts.id
    }

    pub(super) fn to_wire(&self, allocated: &Allocated) -> get_agents::Agent {
        self.facts.to_wire(allocated)
    }

    /// What is written of it.
    pub(super) fn written(&self, allocated: &Allocated) -> Arc<Written> {
        let is_of =
            |(facts, there): &(Facts, Allocated)| *facts == self.facts && there == allocated;
        self.portrait
            .of(is_of, || (self.facts.clone(), allocated.clone()))
    }
}

impl Facts {
    fn to_wire(&self, allocated: &Allocated) -> get_agents::Agent {
        let mut offered = Allocated::default();
        for offer in &self.offers {
            offered.add(&offer.role, &offer.resources);
        }
        // As libprocess names an agent, which has never been anything but the first there.
        let host = self.ip.as_deref().unwrap_or(&self.info.hostname);
        get_agents::Agent {
            agent_info: info(&self.info),
            active: self.active,
            deactivated: Some(self.deactivated),
            version: self.version.clone(),
            pid: Some(format!("slave(1)@{host}:{}", self.info.port())),
            registered_time: Some(self.registered.into()),
            reregistered_time: self.reregistered.map(Into::into),
            total_resources: shown(&self.total, None),
            allocated_resources: allocated.to_wire(),
            offered_resources: offered.to_wire(),
            capabilities: self.capabilities.to_proto(),
            resource_providers: Vec::new(),
            drain_info: self.drain.map(drain_info),
            estimated_drain_start_time: self.drain.map(|drain| drain.since.into()),
            tepui_images: self.images.to_proto(),
        }
    }
}

/// What an agent said of itself, and that it writes down what it does, as all do.
pub(super) fn info(info: &v1::AgentInfo) -> v1::AgentInfo {
    v1::AgentInfo {
        checkpoint: Some(true),
        ..info.clone()
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
