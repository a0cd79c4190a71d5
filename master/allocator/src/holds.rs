//! Holds: what is set aside of an agent for one client until a time.
//!
//! While a hold stands, what is free of those resources, or becomes free, is offered to its client
//! only. It takes nothing from anybody: what others use stays theirs. Where several holds ask for
//! the same, the older one is filled first.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use tepui_model::{AgentKey, FrameworkKey, Resources, Role, Time};

use crate::limits::MAX_HOLDS;

/// Names a hold. Holds are never renamed, and a name is never given again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HoldKey(u64);

impl fmt::Display for HoldKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "hold {}", self.0)
    }
}

/// A hold as others see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HoldView {
    /// Its name.
    pub key: HoldKey,
    /// Of which agent.
    pub agent: AgentKey,
    /// For whom.
    pub framework: FrameworkKey,
    /// In which role.
    pub role: Role,
    /// What, whether it is free already or not.
    pub resources: Resources,
    /// When it ends.
    pub until: Time,
}

/// Why nothing is set aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HoldRefused {
    /// There is nothing to set aside.
    #[error("there is nothing to set aside: the resources are empty, or shared volumes only")]
    Nothing,
    /// The agent is not there.
    #[error("no agent {0} is there to set something aside of")]
    NoAgent(AgentKey),
    /// The framework takes no offers in that role: it left, is disconnected or suppressed.
    #[error("{0} takes no offers in that role, so nothing is set aside for it")]
    NotInPlay(FrameworkKey),
    /// There are too many.
    #[error("{MAX_HOLDS} holds stand already; wait for some of them to end")]
    TooMany,
}

/// Where the holds are and when they end. What they are is kept by their agents.
#[derive(Clone, Debug, Default)]
pub(crate) struct Holds {
    made: u64,
    places: BTreeMap<HoldKey, (AgentKey, Time)>,
    ends: BTreeSet<(Time, HoldKey)>,
}

impl Holds {
    /// Notes a new hold and names it; none beyond the limit.
    pub(crate) fn insert(&mut self, agent: AgentKey, until: Time) -> Option<HoldKey> {
        if self.places.len() >= MAX_HOLDS {
            return None;
        }
        self.made += 1;
        let key = HoldKey(self.made);
        self.places.insert(key, (agent, until));
        self.ends.insert((until, key));
        Some(key)
    }

    /// A hold ended. Returns where it was.
    pub(crate) fn remove(&mut self, key: HoldKey) -> Option<AgentKey> {
        let (agent, until) = self.places.remove(&key)?;
        self.ends.remove(&(until, key));
        Some(agent)
    }

    /// The first to end.
    pub(crate) fn first_end(&self) -> Option<(Time, HoldKey)> {
        self.ends.first().copied()
    }

    /// The holds and their agents, the oldest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (HoldKey, AgentKey)> + '_ {
        self.places.iter().map(|(key, (agent, _))| (*key, *agent))
    }

    /// Whether a hold stands.
    pub(crate) fn has(&self, key: HoldKey) -> bool {
        self.places.contains_key(&key)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Whether a hold is here, on that agent and until that time.
    pub(crate) fn is_noted(&self, key: HoldKey, agent: AgentKey, until: Time) -> bool {
        self.places.get(&key) == Some(&(agent, until)) && self.ends.contains(&(until, key))
    }

    pub(crate) fn len(&self) -> usize {
        debug_assert_eq!(self.places.len(), self.ends.len());
        self.places.len()
    }
}
