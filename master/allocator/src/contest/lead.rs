//! Why one client is served before another: by what, and with which figures.

use tepui_model::{Quantity, Role};

use super::{Contest, Yardstick, ranking::Standing, roles::OWN};
use crate::options::Sorter;

const ONE: Quantity = Quantity::from_units(1);

/// Where the ways to two clients part in the tree of roles, and how the two branches stand there.
#[derive(Clone, Debug, PartialEq)]
pub struct Lead {
    /// The branch that is served first.
    pub first: Branch,
    /// The other one.
    pub other: Branch,
}

/// A competitor of one level of the tree.
#[derive(Clone, Debug, PartialEq)]
pub struct Branch {
    /// The role with all below it, or the role whose own frameworks compete; unset for a single
    /// framework among those of its role.
    pub role: Option<Role>,
    /// Its priority.
    pub priority: i32,
    /// Its dominant share, divided by its weight.
    pub share: f64,
    /// Its weight.
    pub weight: Quantity,
    /// Offers made to it ever.
    pub served: u64,
}

impl Contest {
    /// Why one client is served before another; nothing where turns are drawn. The order must be
    /// up to date.
    pub(crate) fn lead(&self, first: u32, other: u32) -> Option<Lead> {
        let (ways, others) = (self.way(first)?, self.way(other)?);
        let parting = ways.iter().zip(&others);
        let (first, other) = parting
            .into_iter()
            .find(|(one, two)| one.slot != two.slot)?;
        let single = first.is_client && other.is_client;
        let sorter = if single {
            self.rules.frameworks
        } else {
            self.rules.roles
        };
        if sorter == Sorter::Random {
            return None;
        }
        Some(Lead {
            first: self.branch(first, single)?,
            other: self.branch(other, single)?,
        })
    }

    /// What competes for a client on each level, from the top down: roles, in the last role its
    /// own frameworks if there are roles below, and the client.
    fn way(&self, slot: u32) -> Option<Vec<Step>> {
        let client = self.clients.get(slot)?;
        let mut way = vec![Step {
            slot,
            role: client.role,
            is_client: true,
            standing: client.standing?,
        }];
        let node = self.roles.get(client.role)?;
        if node.children > 0 {
            way.push(Step {
                slot: OWN,
                role: client.role,
                is_client: false,
                standing: node.own.standing?,
            });
        }
        let mut next = Some(client.role);
        while let Some(role) = next {
            let node = self.roles.get(role)?;
            way.push(Step {
                slot: role,
                role,
                is_client: false,
                standing: node.standing?,
            });
            next = node.parent;
        }
        way.reverse();
        Some(way)
    }

    fn branch(&self, step: &Step, single: bool) -> Option<Branch> {
        let node = self.roles.get(step.role)?;
        let is_role = step.slot != OWN && !step.is_client;
        let (held, weight) = if step.is_client {
            (&self.clients.get(step.slot)?.allocated, ONE)
        } else if is_role {
            (&node.allocated, node.weight())
        } else {
            (&node.own.allocated, ONE)
        };
        Some(Branch {
            role: (!single).then(|| node.name.clone()),
            priority: step.standing.priority,
            share: Yardstick::new(&self.total).dominant_share(held, weight),
            weight,
            served: step.standing.served,
        })
    }
}

/// One level of the way to a client.
struct Step {
    /// The client, the role, or [`OWN`] for a role's own frameworks.
    slot: u32,
    role: u32,
    is_client: bool,
    standing: Standing,
}
