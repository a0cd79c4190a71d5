//! GET_ROLES and GET_WEIGHTS (Mesos: ROL-06, WGT-01).

use std::collections::BTreeMap;

use tepui_model::{FrameworkId, Quantity, Resources, Role};
use tepui_proto::v1::{
    self,
    master::response::{GetRoles, GetWeights},
};

use crate::{Master, frameworks::FrameworkState};

/// What is known of one role.
#[derive(Debug, Default)]
struct Known {
    frameworks: Vec<FrameworkId>,
    allocated: Resources,
}

impl Master {
    /// The weights that have been set.
    #[must_use]
    pub fn get_weights(&self) -> GetWeights {
        let info = |(role, weight): (&Role, &Quantity)| v1::WeightInfo {
            weight: weight.as_f64(),
            role: Some(role.to_string()),
        };
        GetWeights {
            weight_infos: self.weights.iter().map(info).collect(),
        }
    }

    /// The roles that anybody is subscribed to, has something of, or that are reserved to or
    /// have a weight, a quota or a priority, and their ancestors.
    #[must_use]
    pub fn get_roles(&self) -> GetRoles {
        let roles = self.known_roles();
        let view = |(role, known): (Role, Known)| v1::Role {
            weight: self
                .weights
                .get(&role)
                .map_or(1.0, |weight| weight.as_f64()),
            name: role.to_string(),
            frameworks: known.frameworks.iter().map(Into::into).collect(),
            resources: known.allocated.to_plain_quantities().to_proto(None),
        };
        GetRoles {
            roles: roles.into_iter().map(view).collect(),
        }
    }

    fn known_roles(&self) -> BTreeMap<Role, Known> {
        let mut roles: BTreeMap<Role, Known> = BTreeMap::new();
        for framework in self.frameworks.iter() {
            if framework.state != FrameworkState::Ending {
                for role in &framework.info.roles {
                    let known = roles.entry(role.clone()).or_default();
                    known.frameworks.push(framework.id.clone());
                }
            }
            for task in framework.tasks.values().filter(|task| !task.is_over()) {
                let known = roles.entry(task.role.clone()).or_default();
                known.allocated += &task.resources;
            }
        }
        for (_, held) in self.offers.iter().filter(|(_, held)| held.holds()) {
            let known = roles.entry(held.offer.role.clone()).or_default();
            known.allocated += &held.offer.resources;
        }
        let set = self.weights.keys().chain(self.quotas.keys());
        for role in set.chain(self.priorities.keys()) {
            roles.entry(role.clone()).or_default();
        }
        let totals = self.agents.iter();
        for total in totals.filter_map(|agent| self.allocator.total(agent.key)) {
            for role in total.reservation_roles() {
                roles.entry(role).or_default();
            }
        }
        for role in roles.keys().cloned().collect::<Vec<_>>() {
            let mut ancestor = role.parent();
            while let Some(role) = ancestor {
                ancestor = role.parent();
                roles.entry(role).or_default();
            }
        }
        roles
    }
}
