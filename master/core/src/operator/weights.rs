//! UPDATE_WEIGHTS: how much more of the cluster one role may have than another (Mesos: WGT-01).

use tepui_model::{Quantity, Role};
use tepui_proto::v1;

use super::{OperatorError, OperatorReply};
use crate::{
    Master,
    effects::Effects,
    frameworks::{Framework, FrameworkState},
    limits::MAX_WEIGHTS_PER_CALL,
    record::{Change, Record},
};

impl Master {
    /// All or nothing.
    pub(super) fn update_weights(
        &mut self,
        wire: &[v1::WeightInfo],
        effects: &mut Effects,
    ) -> Result<OperatorReply, OperatorError> {
        if wire.len() > MAX_WEIGHTS_PER_CALL {
            let problem = format!("more than {MAX_WEIGHTS_PER_CALL} weights");
            return Err(OperatorError::Invalid(problem));
        }
        let weights = wire.iter().map(weight).collect::<Result<Vec<_>, _>>()?;
        if let Some((role, _)) = weights.iter().find(|(role, _)| !self.config.has_role(role)) {
            return Err(OperatorError::Invalid(format!("Unknown role '{role}'")));
        }
        for (role, weight) in &weights {
            self.weights.insert(role.clone(), *weight);
            self.allocator.set_weight(role, *weight);
            let (role, weight) = (role.clone(), *weight);
            effects.persist(Change::Put(Record::Weight { role, weight }));
        }
        let weighted = |role: &Role| weights.iter().any(|(weighted, _)| weighted == role);
        self.offer_anew(weighted, effects);
        Ok(OperatorReply::Done)
    }

    /// A new order counts for what is offered already too, when anybody is subscribed to the roles
    /// that it concerns.
    pub(super) fn offer_anew(&mut self, concerns: impl Fn(&Role) -> bool, effects: &mut Effects) {
        let concerned = |framework: &Framework| {
            framework.state == FrameworkState::Connected
                && framework.info.roles.iter().any(&concerns)
        };
        if !self.frameworks.iter().any(concerned) {
            return;
        }
        for key in self.frameworks.keys() {
            self.rescind_offers_of_framework(key, |_| true, effects);
        }
    }
}

fn weight(wire: &v1::WeightInfo) -> Result<(Role, Quantity), OperatorError> {
    let name = wire.role();
    let role = Role::new(name).map_err(|error| OperatorError::Invalid(error.to_string()))?;
    match Quantity::from_f64(wire.weight) {
        Ok(weight) if weight.is_positive() => Ok((role, weight)),
        _ => Err(OperatorError::Invalid(format!(
            "Invalid weight '{}' for role '{role}': Weights must be positive",
            wire.weight,
        ))),
    }
}

#[cfg(test)]
mod tests;
