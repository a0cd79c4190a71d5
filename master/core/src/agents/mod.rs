//! Agents: who is there, who may come back, who must not.

mod agreement;
mod deactivation;
mod images;
mod liveness;
mod lost;
mod register;
mod removal;
mod reregister;
mod state;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use tepui_allocator::AgentProfile;
use tepui_model::{
    AgentCapabilities, AgentId, AgentInfo, AgentKey, ExecutorId, FrameworkKey, ImageNames,
    Resources, TaskId, Time, Unavailability,
};

pub use self::{
    deactivation::{Deactivation, Drain, DrainState},
    state::{AgentState, AgentStep, IllegalAgentStep},
};
pub(crate) use self::{images::KnownImages, lost::LostAgents};
use crate::{
    events::ConnectionId,
    executors::Executor,
    ids::OfferNumber,
    operations::{Ledger, Operation, OperationUuid},
    record::{AgentRecord, Change, Record},
    slab::Slab,
    views::AgentPortrait,
};

/// One agent that is connected or may be again soon.
#[derive(Debug)]
pub(crate) struct Agent {
    pub(crate) key: AgentKey,
    pub(crate) id: AgentId,
    pub(crate) info: AgentInfo,
    pub(crate) version: String,
    pub(crate) capabilities: AgentCapabilities,
    pub(crate) state: AgentState,
    pub(crate) connection: Option<ConnectionId>,
    pub(crate) registered: Time,
    pub(crate) reregistered: Option<Time>,
    /// Pings since it last said anything.
    pub(crate) unanswered_pings: u32,
    /// A new agent has registered at its address since it last registered. If it falls silent, it
    /// is because it lost its id.
    pub(crate) is_superseded: bool,
    /// The address that its stream comes from.
    pub(crate) ip: Option<String>,
    /// When its machine will be away (Mesos: MNT-01).
    pub(crate) unavailability: Option<Unavailability>,
    pub(crate) offers: BTreeSet<OfferNumber>,
    pub(crate) tasks: BTreeSet<(FrameworkKey, TaskId)>,
    pub(crate) executors: BTreeMap<(FrameworkKey, ExecutorId), Executor>,
    /// Those that have not ended, or whose end is not acknowledged, in the order they were sent.
    pub(crate) operations: BTreeMap<OperationUuid, Operation>,
    pub(crate) ledger: Ledger,
    /// Those that tasks need not wait for.
    pub(crate) images: ImageNames,
    /// What was shown of it.
    pub(crate) portrait: Arc<AgentPortrait>,
}

impl Agent {
    pub(crate) fn record(&self) -> Change {
        Change::Put(Record::Agent(AgentRecord {
            info: self.info.clone(),
            version: self.version.clone(),
            registered: self.registered,
        }))
    }

    /// The agent as the allocator sees it, with what it has now.
    pub(crate) fn profile(&self, total: Resources) -> AgentProfile {
        AgentProfile {
            total,
            hostname: self.info.hostname.as_str().into(),
            attributes: self.info.attributes.clone(),
            domain: self.info.domain.clone(),
            capabilities: self.capabilities,
        }
    }

    pub(crate) fn address(&self) -> Address {
        Address::of(&self.info)
    }

    /// Whether nothing is left that a drain waits for.
    pub(crate) fn is_idle(&self) -> bool {
        self.tasks.is_empty() && self.operations.is_empty()
    }
}

/// Where an agent is reached; only one lives there at a time.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Address(String, u16);

impl Address {
    pub(crate) fn of(info: &AgentInfo) -> Self {
        Self(info.hostname.clone(), info.port)
    }
}

/// All agents.
#[derive(Debug)]
pub(crate) struct Agents {
    pub(crate) slab: Slab<AgentKey, Agent>,
    pub(crate) by_id: BTreeMap<AgentId, AgentKey>,
    /// The newest agent at each address.
    pub(crate) by_address: BTreeMap<Address, AgentKey>,
    /// Agents of the registry that have not come back since the master started.
    pub(crate) recovered: BTreeMap<AgentId, AgentRecord>,
    pub(crate) unreachable: LostAgents,
    pub(crate) gone: LostAgents,
    /// Those that operators took out of the offers, of the tables, the registry or unreachable.
    pub(crate) deactivated: BTreeMap<AgentId, Deactivation>,
    /// Agents whose last task may be gone since the present event began.
    pub(crate) emptied: BTreeSet<AgentKey>,
    images: KnownImages,
}

impl Agents {
    pub(crate) fn new() -> Self {
        Self {
            slab: Slab::new(),
            by_id: BTreeMap::new(),
            by_address: BTreeMap::new(),
            recovered: BTreeMap::new(),
            unreachable: LostAgents::default(),
            gone: LostAgents::default(),
            deactivated: BTreeMap::new(),
            emptied: BTreeSet::new(),
            images: KnownImages::default(),
        }
    }

    pub(crate) fn get(&self, key: AgentKey) -> Option<&Agent> {
        self.slab.get(key)
    }

    pub(crate) fn get_mut(&mut self, key: AgentKey) -> Option<&mut Agent> {
        self.slab.get_mut(key)
    }

    pub(crate) fn find(&self, id: &AgentId) -> Option<&Agent> {
        self.slab.get(*self.by_id.get(id)?)
    }

    /// All that are connected or disconnected, in the order of their keys.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Agent> {
        self.slab.iter()
    }

    pub(crate) fn insert_with(&mut self, make: impl FnOnce(AgentKey) -> Agent) -> AgentKey {
        let key = self.slab.insert_with(make);
        if let Some(agent) = self.slab.get(key) {
            self.by_id.insert(agent.id.clone(), key);
            self.by_address.insert(agent.address(), key);
        }
        key
    }

    pub(crate) fn remove(&mut self, key: AgentKey) -> Option<Agent> {
        let agent = self.slab.remove(key)?;
        self.by_id.remove(&agent.id);
        let address = agent.address();
        if self.by_address.get(&address) == Some(&key) {
            self.by_address.remove(&address);
        }
        self.images.remove(&agent.images);
        Some(agent)
    }

    /// An agent has these images.
    fn set_images(&mut self, key: AgentKey, images: &ImageNames) {
        let Some(agent) = self.slab.get_mut(key) else {
            return;
        };
        if agent.images != *images {
            let kept = self.images.add(images);
            let before = core::mem::replace(&mut agent.images, kept);
            self.images.remove(&before);
        }
    }
}
