//! What others may see of the allocator.

use tepui_model::{
    AgentKey, FrameworkKey, Quantity, Quota, Resources, Role, Scalars, Traits, Value,
};

use crate::{
    allocator::Allocator,
    contest::{RoleNode, Yardstick},
};

/// How a role stands.
#[derive(Clone, Debug, PartialEq)]
pub struct RoleShare {
    /// Its name.
    pub role: Role,
    /// Its weight.
    pub weight: Quantity,
    /// Its priority: its own, or that of the role above.
    pub priority: i32,
    /// Its dominant share, divided by its weight.
    pub share: f64,
    /// The scalars that its frameworks hold, offers included.
    pub allocated: Resources,
    /// The frameworks that have the role or hold something in it.
    pub frameworks: Vec<FrameworkKey>,
}

impl Allocator {
    /// Every role that a framework has or holds something in, or that has a weight, by name
    /// (Mesos: ROL-06).
    #[must_use]
    pub fn role_shares(&self) -> Vec<RoleShare> {
        let yardstick = Yardstick::new(self.contest.total());
        let share = |node: &RoleNode| RoleShare {
            role: node.name.clone(),
            weight: node.weight(),
            priority: node.rank,
            share: yardstick.dominant_share(&node.allocated, node.weight()),
            allocated: quantities(&node.allocated),
            frameworks: node.own.clients.keys().copied().collect(),
        };
        self.contest.roles().map(|(_, node)| share(node)).collect()
    }

    /// The weights that were set, by role.
    pub fn weights(&self) -> impl Iterator<Item = (&Role, Quantity)> + '_ {
        self.contest
            .roles()
            .filter_map(|(_, node)| Some((&node.name, node.weight?)))
    }

    /// The priority that counts for a role: its own, or that of the closest role above that has
    /// one.
    #[must_use]
    pub fn priority(&self, role: &Role) -> i32 {
        let path = std::iter::successors(Some(role.clone()), Role::parent);
        let mut known = path.filter_map(|role| self.contest.role_named(&role));
        known.next().map_or(0, |node| node.rank)
    }

    /// Whether one role is served before another, whatever the shares: where their ways down the
    /// tree part, the first one's has the higher priority.
    #[must_use]
    pub fn is_before(&self, role: &Role, other: &Role) -> bool {
        let way = |role: &Role| {
            let mut way: Vec<Role> =
                std::iter::successors(Some(role.clone()), Role::parent).collect();
            way.reverse();
            way
        };
        let (way, others) = (way(role), way(other));
        let shared = way.iter().zip(&others).take_while(|(one, two)| one == two);
        let shared = shared.count();
        // Where one is above the other, its own frameworks are the ones that compete.
        let branch = |way: &[Role], role: &Role| self.priority(way.get(shared).unwrap_or(role));
        branch(&way, role) > branch(&others, other)
    }

    /// The quotas that were set, by role.
    pub fn quotas(&self) -> impl Iterator<Item = (&Role, &Quota)> + '_ {
        let nodes = self.contest.roles().map(|(_, node)| node);
        let with_quota = nodes.filter(|node| !node.quota.is_default());
        with_quota.map(|node| (&node.name, &node.quota))
    }

    /// What counts against the quota of a role: all that is reserved to it and to roles below,
    /// and what else of the unreserved and not revocable scalars is held there, offers included
    /// (Mesos: QUO-03).
    #[must_use]
    pub fn consumption(&self, role: &Role) -> Scalars {
        let node = self.contest.role_named(role);
        node.map_or_else(Scalars::new, RoleNode::consumed)
    }

    /// What is reserved to a role and to roles below, over all agents.
    #[must_use]
    pub fn reserved(&self, role: &Role) -> Scalars {
        let node = self.contest.role_named(role);
        node.map_or_else(Scalars::new, |node| node.reserved.clone())
    }

    /// All scalars of all agents that are not revocable: what guarantees can promise.
    #[must_use]
    pub const fn capacity(&self) -> &Scalars {
        self.contest.capacity()
    }

    /// What an agent has.
    #[must_use]
    pub fn total(&self, agent: AgentKey) -> Option<&Resources> {
        self.agents.get(agent.0).map(|agent| agent.total())
    }

    /// What is free on an agent.
    #[must_use]
    pub fn free(&self, agent: AgentKey) -> Option<&Resources> {
        self.agents.get(agent.0).map(|agent| agent.free())
    }

    /// Who holds what on an agent, by framework and role; nothing of an agent that is not there.
    #[must_use]
    pub fn allocated(&self, agent: AgentKey) -> Vec<(FrameworkKey, Role, Resources)> {
        let mut held: Vec<(FrameworkKey, Role, Resources)> = Vec::new();
        let holdings = self
            .agents
            .get(agent.0)
            .into_iter()
            .flat_map(|agent| agent.ledger().iter());
        for (client, resources) in holdings {
            let Some(client) = self.contest.client(client) else {
                continue;
            };
            let Some(role) = self.contest.role(client.role) else {
                continue;
            };
            let own = |(framework, name, _): &&mut (FrameworkKey, Role, Resources)| {
                *framework == client.framework && *name == role.name
            };
            match held.iter_mut().find(own) {
                Some((.., sum)) => *sum += resources,
                None => held.push((client.framework, role.name.clone(), resources.clone())),
            }
        }
        held.sort_by(|left, right| (left.0, &left.1).cmp(&(right.0, &right.1)));
        held
    }

    /// How often it has run.
    #[must_use]
    pub const fn runs(&self) -> u64 {
        self.candidates.runs()
    }

    /// The number of refusals that are remembered, ended ones included.
    #[must_use]
    pub fn refusals(&self) -> usize {
        self.agents
            .iter()
            .map(|(_, agent)| agent.refusals().len())
            .sum()
    }
}

fn quantities(scalars: &Scalars) -> Resources {
    let mut resources = Resources::new();
    for (kind, quantity) in scalars.iter() {
        resources.insert(&Traits::plain(), kind.name(), &Value::Scalar(quantity));
    }
    resources
}
