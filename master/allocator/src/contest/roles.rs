//! The tree of roles: what is held below counts for every role on the path.

use std::collections::BTreeMap;

use tepui_model::{FrameworkKey, Quantity, Quota, Role, Scalars};

use super::ranking::{Ranking, Standing};

/// Stands, among the members of a role, for the role's own frameworks (Mesos' virtual leaf `a/.`,
/// which competes with the roles below `a`).
pub(crate) const OWN: u32 = u32::MAX;

/// A role and its place in the tree.
#[derive(Clone, Debug)]
pub(crate) struct RoleNode {
    pub(crate) name: Role,
    /// The slot of the role above.
    pub(crate) parent: Option<u32>,
    /// Roles right below.
    pub(crate) children: u32,
    /// Set by the operator; 1 otherwise (Mesos: WGT-01).
    pub(crate) weight: Option<Quantity>,
    /// Set by the operator; otherwise that of the role above, and 0 at the top.
    pub(crate) priority: Option<i32>,
    /// The priority that counts. Larger comes first, whatever the shares.
    pub(crate) rank: i32,
    /// The scalars held by its clients and those below.
    pub(crate) allocated: Scalars,
    /// Of those, the unreserved and not revocable ones (Mesos: QUO-03).
    pub(crate) charged: Scalars,
    /// The scalars that are reserved to it and to roles below, held or not.
    pub(crate) reserved: Scalars,
    /// What it is guaranteed, and what it may not exceed.
    pub(crate) quota: Quota,
    /// Whether it or a role above has a limit.
    pub(crate) limited: bool,
    /// What has to be kept free for it and the roles below until their guarantees are met.
    pub(crate) need: Scalars,
    /// The sum of that over the roles right below.
    pub(crate) needs_below: Scalars,
    /// Offers made to its clients and those below ever.
    pub(crate) served: u64,
    /// Grows with every role that is made; never used twice.
    pub(crate) age: u32,
    /// When its turn is, where turns are drawn.
    pub(crate) turn: f64,
    /// The turn of the member that was served last.
    pub(crate) clock: f64,
    /// Its own clients.
    pub(crate) own: Group,
    /// The roles right below and its own clients as one ([`OWN`]), those with a client in play,
    /// in order.
    pub(crate) members: Ranking,
    /// Where it stands among its siblings, while a client of it or below is in play.
    pub(crate) standing: Option<Standing>,
    /// At the top: where it stands among those that have something promised.
    pub(crate) needy: Option<Standing>,
    /// At the top: where it stands among those that can be given something.
    pub(crate) open: Option<Standing>,
}

/// The clients of one role.
#[derive(Clone, Debug, Default)]
pub(crate) struct Group {
    pub(crate) clients: BTreeMap<FrameworkKey, u32>,
    /// The scalars that they hold.
    pub(crate) allocated: Scalars,
    /// Offers made to them ever.
    pub(crate) served: u64,
    /// When their turn is among the roles below, where turns are drawn.
    pub(crate) turn: f64,
    /// The turn of the client that was served last.
    pub(crate) clock: f64,
    /// Those in play, in order.
    pub(crate) members: Ranking,
    /// Where they stand among the roles below.
    pub(crate) standing: Option<Standing>,
}

impl RoleNode {
    pub(crate) fn new(name: Role, parent: Option<u32>, age: u32) -> Self {
        Self {
            name,
            parent,
            children: 0,
            weight: None,
            priority: None,
            rank: 0,
            allocated: Scalars::new(),
            charged: Scalars::new(),
            reserved: Scalars::new(),
            quota: Quota::default(),
            limited: false,
            need: Scalars::new(),
            needs_below: Scalars::new(),
            served: 0,
            age,
            turn: 0.0,
            clock: 0.0,
            own: Group::default(),
            members: Ranking::default(),
            standing: None,
            needy: None,
            open: None,
        }
    }

    /// The weight that counts.
    pub(crate) fn weight(&self) -> Quantity {
        self.weight.unwrap_or(Quantity::from_units(1))
    }

    /// What counts against its quota: what is reserved, held or not, and what is held besides
    /// (Mesos: QUO-03).
    pub(crate) fn consumed(&self) -> Scalars {
        let mut consumed = self.reserved.clone();
        consumed.add(&self.charged);
        consumed
    }

    /// Whether nothing would be missed if it were forgotten.
    pub(crate) fn is_idle(&self) -> bool {
        self.own.clients.is_empty()
            && self.children == 0
            && self.weight.is_none()
            && self.priority.is_none()
            && self.quota.is_default()
            && self.reserved.is_empty()
    }
}
