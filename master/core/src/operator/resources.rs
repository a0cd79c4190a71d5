//! RESERVE_RESOURCES, CREATE_VOLUMES and their likes: an operator changes the nature of resources
//! that nobody uses (Mesos: RES-02, RES-07, VOL-01 to VOL-03).

use std::sync::Arc;

use tepui_model::{
    AgentId, AgentKey, Conversion, Offer, OperationRules, ResourceOperation, Resources, Value,
};
use tepui_proto::v1::{
    self,
    master::call,
    offer::{Operation, operation},
};

use super::{OperatorError, OperatorReply};
use crate::{Master, effects::Effects, ids::OfferNumber};

/// An operation and the agent it is for.
#[derive(Debug)]
pub(super) struct Order {
    agent: v1::AgentId,
    operation: Operation,
}

impl Master {
    /// All or nothing. What is offered and not accepted yet is taken back as far as it is needed
    /// (Mesos: RES-02).
    pub(super) fn operate_on_resources(
        &mut self,
        order: Order,
        effects: &mut Effects,
    ) -> Result<OperatorReply, OperatorError> {
        let invalid = |problem: &dyn ToString| OperatorError::Invalid(problem.to_string());
        let operation =
            ResourceOperation::try_from(order.operation).map_err(|error| invalid(&error))?;
        let key = self.agent_of(&order.agent)?;
        self.check_order(key, &operation)?;
        let conversions = operation.conversions().map_err(|error| invalid(&error))?;
        self.take_back_for(key, &operation, &conversions, effects)?;
        self.allocator
            .convert_free(key, &conversions)
            .map_err(|error| OperatorError::Conflict(error.to_string()))?;
        self.send_operation(key, (None, None), &operation, conversions, effects);
        Ok(OperatorReply::Done)
    }

    fn agent_of(&self, wire: &v1::AgentId) -> Result<AgentKey, OperatorError> {
        let id = AgentId::try_from(wire).ok();
        let agent = id
            .and_then(|id| self.agents.find(&id))
            .ok_or_else(|| OperatorError::Invalid("No agent found with specified ID".to_owned()))?;
        if agent.connection.is_none() {
            let problem = format!("Agent {} is not connected", agent.id);
            return Err(OperatorError::Conflict(problem));
        }
        self.takes_operation(agent)
            .map_err(OperatorError::Conflict)?;
        Ok(agent.key)
    }

    fn check_order(
        &self,
        key: AgentKey,
        operation: &ResourceOperation,
    ) -> Result<(), OperatorError> {
        let Some(agent) = self.agents.get(key) else {
            return Ok(());
        };
        let total = self.allocator.total(key);
        let rules = OperationRules {
            // Operators are not told apart.
            principal: None,
            allocation_role: None,
            framework: None,
            agent: agent.capabilities,
            checkpointed: &total.map(Resources::checkpointed).unwrap_or_default(),
            used: &self.in_use(agent),
            pending: &Resources::new(),
        };
        let verdict = operation.validate(&rules);
        verdict.map_err(|error| OperatorError::Invalid(error.to_string()))
    }

    /// Sees to it that what is free is enough, by taking offers of the agent back: none if even all
    /// of them were not enough, and none that does not help.
    fn take_back_for(
        &mut self,
        key: AgentKey,
        operation: &ResourceOperation,
        conversions: &[Conversion],
        effects: &mut Effects,
    ) -> Result<(), OperatorError> {
        let mut free = self.allocator.free(key).cloned().unwrap_or_default();
        let enough = |free: &Resources| free.clone().apply_all(conversions);
        let offers = self.offers_of(key);
        let mut wanted = Vec::new();
        for (number, offer) in &offers {
            if enough(&free).is_ok() {
                break;
            }
            if helps(&offer.resources, conversions) {
                free += &offer.resources;
                wanted.push((*number, Arc::clone(offer)));
            }
        }
        if let Err(missing) = enough(&free) {
            let name = operation.name();
            return Err(OperatorError::Conflict(format!(
                "Insufficient resources for {name}: {missing}"
            )));
        }
        for (number, offer) in wanted {
            // An offer may not be needed any more because of one that came after it.
            let without = free.checked_sub(&offer.resources).ok();
            match without.filter(|without| enough(without).is_ok()) {
                Some(without) => free = without,
                None => self.reclaim_offer(number, effects),
            }
        }
        Ok(())
    }

    /// The offers that hold something of an agent, the oldest first.
    fn offers_of(&self, key: AgentKey) -> Vec<(OfferNumber, Arc<Offer>)> {
        let numbers = self.agents.get(key).into_iter();
        let numbers = numbers.flat_map(|agent| agent.offers.iter().copied());
        let held = numbers.filter_map(|number| Some((number, self.offers.get(number)?)));
        held.filter(|(_, held)| held.holds())
            .map(|(number, held)| (number, Arc::clone(&held.offer)))
            .collect()
    }
}

/// Whether an offer has anything that is to be converted.
fn helps(offer: &Resources, conversions: &[Conversion]) -> bool {
    let consumed = conversions.iter().map(|conversion| &conversion.consumed);
    consumed
        .flat_map(Resources::bundles)
        .any(|(traits, wanted, _)| {
            let same = offer.filter(|held| held == traits);
            wanted.iter().any(|(name, value)| {
                same.bundles()
                    .flat_map(|(_, held, _)| held.iter())
                    .any(|(held, there)| held == name && overlap(&there, &value))
            })
        })
}

fn overlap(here: &Value, wanted: &Value) -> bool {
    match (here, wanted) {
        (Value::Scalar(_), Value::Scalar(_)) => true,
        (Value::Ranges(here), Value::Ranges(wanted)) => !here.intersect(wanted).is_empty(),
        (Value::Set(here), Value::Set(wanted)) => wanted.iter().any(|item| here.has(item)),
        _ => false,
    }
}

/// The call as the operation that a framework would send, if it is one.
pub(super) fn order(call: &v1::master::Call) -> Option<Result<Order, OperatorError>> {
    use call::Type;
    let unset = |field: &str| OperatorError::Invalid(format!("{field} must be set"));
    Some(match call.r#type() {
        Type::ReserveResources => call
            .reserve_resources
            .as_ref()
            .map(reserve)
            .ok_or_else(|| unset("reserve_resources")),
        Type::UnreserveResources => call
            .unreserve_resources
            .as_ref()
            .map(unreserve)
            .ok_or_else(|| unset("unreserve_resources")),
        Type::CreateVolumes => call
            .create_volumes
            .as_ref()
            .map(create)
            .ok_or_else(|| unset("create_volumes")),
        Type::DestroyVolumes => call
            .destroy_volumes
            .as_ref()
            .map(destroy)
            .ok_or_else(|| unset("destroy_volumes")),
        Type::GrowVolume => call
            .grow_volume
            .as_ref()
            .map(grow)
            .unwrap_or_else(|| Err(unset("grow_volume"))),
        Type::ShrinkVolume => call
            .shrink_volume
            .as_ref()
            .map(shrink)
            .unwrap_or_else(|| Err(unset("shrink_volume"))),
        _ => return None,
    })
}

fn of(kind: operation::Type) -> Operation {
    Operation {
        r#type: Some(kind.into()),
        ..Operation::default()
    }
}

fn reserve(call: &call::ReserveResources) -> Order {
    let reserve = operation::Reserve {
        source: call.source.clone(),
        resources: call.resources.clone(),
    };
    Order {
        agent: call.agent_id.clone(),
        operation: Operation {
            reserve: Some(reserve),
            ..of(operation::Type::Reserve)
        },
    }
}

fn unreserve(call: &call::UnreserveResources) -> Order {
    let resources = call.resources.clone();
    Order {
        agent: call.agent_id.clone(),
        operation: Operation {
            unreserve: Some(operation::Unreserve { resources }),
            ..of(operation::Type::Unreserve)
        },
    }
}

fn create(call: &call::CreateVolumes) -> Order {
    let volumes = call.volumes.clone();
    Order {
        agent: call.agent_id.clone(),
        operation: Operation {
            create: Some(operation::Create { volumes }),
            ..of(operation::Type::Create)
        },
    }
}

fn destroy(call: &call::DestroyVolumes) -> Order {
    let volumes = call.volumes.clone();
    Order {
        agent: call.agent_id.clone(),
        operation: Operation {
            destroy: Some(operation::Destroy { volumes }),
            ..of(operation::Type::Destroy)
        },
    }
}

/// The agent of a volume must be named: there are no storage providers that would know it.
fn named(agent: Option<&v1::AgentId>, field: &str) -> Result<v1::AgentId, OperatorError> {
    agent
        .cloned()
        .ok_or_else(|| OperatorError::Invalid(format!("{field}.agent_id must be set")))
}

fn grow(call: &call::GrowVolume) -> Result<Order, OperatorError> {
    let grow = operation::GrowVolume {
        volume: call.volume.clone(),
        addition: call.addition.clone(),
    };
    Ok(Order {
        agent: named(call.agent_id.as_ref(), "grow_volume")?,
        operation: Operation {
            grow_volume: Some(grow),
            ..of(operation::Type::GrowVolume)
        },
    })
}

fn shrink(call: &call::ShrinkVolume) -> Result<Order, OperatorError> {
    let shrink = operation::ShrinkVolume {
        volume: call.volume.clone(),
        subtract: call.subtract,
    };
    Ok(Order {
        agent: named(call.agent_id.as_ref(), "shrink_volume")?,
        operation: Operation {
            shrink_volume: Some(shrink),
            ..of(operation::Type::ShrinkVolume)
        },
    })
}

#[cfg(test)]
mod tests;
