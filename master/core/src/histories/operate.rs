//! The operations of a history: what frameworks and operators want to be made of resources.

use tepui_model::{Filters, Quantity, ResourceOperation, Resources, Role};
use tepui_proto::v1::{
    self,
    master::{Call, call},
};

use super::world::World;
use crate::{
    OperatorError,
    calls::{Accept, Operation},
    testing::operations::{create, destroy, named, reserve, reserved, unreserve, volume},
};

impl World {
    /// Some operations on an offer that a framework believes to stand. Many of them break a rule.
    pub(super) fn operate(&mut self, framework: usize) {
        self.frameworks[framework].listen(&mut self.cluster);
        let Some(connection) = self.frameworks[framework].connection else {
            return;
        };
        let Some((id, offer)) = self.frameworks[framework].offers.pop_last() else {
            return;
        };
        let mut operations = Vec::new();
        for _ in 0..=self.below(3) {
            let operation = self.some_operation(&offer.role, &offer.resources);
            let operation = self.name(framework, operation);
            operations.push(operation);
        }
        let accept = Accept {
            offers: vec![id],
            operations,
            filters: Filters::NONE,
            all_or_nothing: false,
        };
        self.cluster.call(connection, crate::Action::Accept(accept));
    }

    fn name(&mut self, framework: usize, operation: ResourceOperation) -> Operation {
        if self.below(3) == 0 {
            return named("", operation);
        }
        self.launched += 1;
        let operation = named(&format!("o{}", self.launched), operation);
        let own = &mut self.frameworks[framework].operations;
        own.extend(operation.id.clone().map(|id| (id, None)));
        operation
    }

    fn some_operation(&mut self, role: &Role, offered: &Resources) -> ResourceOperation {
        let role = if role.is_default() {
            "a"
        } else {
            role.as_str()
        };
        let size = ["cpus:1;mem:100", "disk:100", "ports:[5-6]", "disk:40"][self.below(4)];
        let volumes = offered.volumes();
        let id = format!("v{}", self.below(3));
        match self.below(7) {
            0..=1 => reserve(&reserved(size, role)),
            2 => create(&volume(&id, 40, role)),
            3 if !volumes.is_empty() => destroy(&volumes),
            4 => unreserve(&reserved(size, role)),
            5 => ResourceOperation::GrowVolume {
                volume: volume(&id, 40, role),
                addition: reserved("disk:40", role),
            },
            6 => ResourceOperation::ShrinkVolume {
                volume: volume(&id, 80, role),
                subtract: Quantity::from_units(40),
            },
            _ => unreserve(&offered.reserved()),
        }
    }

    /// An operator reserves resources of an agent, or takes a reservation back.
    pub(super) fn order(&mut self, agent: usize) {
        let Some(agent_id) = self.agents[agent].id.clone() else {
            return;
        };
        let size = ["cpus:2", "disk:100", "cpus:9", "ports:[1-2]"][self.below(4)];
        let resources = reserved(size, ["a", "b", "b/c"][self.below(3)]).to_proto(None);
        let agent_id = v1::AgentId::from(&agent_id);
        let call = if self.below(2) == 0 {
            let source = Vec::new();
            Call {
                r#type: Some(call::Type::ReserveResources.into()),
                reserve_resources: Some(call::ReserveResources {
                    agent_id,
                    source,
                    resources,
                }),
                ..Call::default()
            }
        } else {
            Call {
                r#type: Some(call::Type::UnreserveResources.into()),
                unreserve_resources: Some(call::UnreserveResources {
                    agent_id,
                    resources,
                }),
                ..Call::default()
            }
        };
        let answer = self.cluster.v1(call);
        let expected = |error: &OperatorError| {
            matches!(
                error,
                OperatorError::Invalid(_) | OperatorError::Conflict(_)
            )
        };
        assert!(answer.as_ref().err().is_none_or(expected), "{answer:?}");
    }
}
