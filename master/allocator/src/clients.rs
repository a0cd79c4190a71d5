//! The records of those who compete: roles, and a client for each framework in each of its roles.

use std::collections::BTreeMap;

use tepui_model::{FrameworkKey, Quantity, Role, Scalars};

use crate::{
    class::Class,
    ranking::{Ranking, Standing},
};

/// One framework in one role: whom an offer is made to.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    pub(crate) framework: FrameworkKey,
    /// The slot of its role.
    pub(crate) role: u32,
    pub(crate) state: ClientState,
    /// The scalars that it holds over all agents: offers and tasks alike.
    pub(crate) allocated: Scalars,
    /// On how many agents it holds something.
    pub(crate) agents: u32,
    /// Offers made to it ever.
    pub(crate) served: u64,
    /// Where it stands within its role, while it is in play.
    pub(crate) standing: Option<Standing>,
    /// Whether the standing is out of date.
    pub(crate) moved: bool,
}

/// What decides whether a client is offered anything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ClientState {
    /// The framework has this role. Without it the client only holds what it still has.
    pub(crate) subscribed: bool,
    /// The framework asked for no offers in this role (Mesos: OFF-10).
    pub(crate) suppressed: bool,
    /// The framework is connected.
    pub(crate) active: bool,
    /// What it can be offered.
    pub(crate) class: Class,
}

impl ClientState {
    /// Whether offers are made to it.
    pub(crate) const fn in_play(self) -> bool {
        self.subscribed && self.active && !self.suppressed
    }
}

impl Client {
    pub(crate) fn new(framework: FrameworkKey, role: u32) -> Self {
        Self {
            framework,
            role,
            state: ClientState::default(),
            allocated: Scalars::new(),
            agents: 0,
            served: 0,
            standing: None,
            moved: false,
        }
    }
}

/// A role and its place among the others.
///
/// Roles are flat here. In a tree, the members of a node are its clients and its child nodes, and
/// what is allocated below counts for every node on the path.
#[derive(Clone, Debug)]
pub(crate) struct RoleNode {
    pub(crate) name: Role,
    /// Set by the operator; 1 otherwise (Mesos: WGT-01).
    pub(crate) weight: Option<Quantity>,
    /// The scalars that its clients hold.
    pub(crate) allocated: Scalars,
    /// Offers made to its clients ever.
    pub(crate) served: u64,
    /// Grows with every role that is made; never used twice.
    pub(crate) age: u32,
    /// Its clients that are in play, in order.
    pub(crate) members: Ranking,
    /// All its clients.
    pub(crate) clients: BTreeMap<FrameworkKey, u32>,
    /// Where it stands among the roles, while a client of it is in play.
    pub(crate) standing: Option<Standing>,
}

impl RoleNode {
    pub(crate) fn new(name: Role, age: u32) -> Self {
        Self {
            name,
            weight: None,
            allocated: Scalars::new(),
            served: 0,
            age,
            members: Ranking::default(),
            clients: BTreeMap::new(),
            standing: None,
        }
    }

    /// The weight that counts.
    pub(crate) fn weight(&self) -> Quantity {
        self.weight.unwrap_or(Quantity::from_units(1))
    }
}
