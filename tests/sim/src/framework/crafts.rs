//! What a framework makes of what it is offered: reservations and persistent volumes, and what
//! they were again.

use tepui_model::{Kind, Offer, ResourceOperation, Resources, Value};
use tepui_proto::v1;

use super::FrameworkNode;
use crate::{dice::Dice, plan, scene::Scene};

/// Operations on resources in one ACCEPT.
const MOST_OPERATIONS: usize = 3;

impl FrameworkNode {
    /// Operations on an offer. What is left is what they leave for tasks.
    pub(super) fn craft(
        &mut self,
        offer: &Offer,
        left: &mut Resources,
        scene: &mut Scene,
    ) -> Vec<v1::offer::Operation> {
        let mut operations = Vec::new();
        while operations.len() < MOST_OPERATIONS && scene.dice.chance(scene.faults.crafts) {
            let number = self.operations.next_number();
            let mut shop = Shop {
                offer,
                left,
                volume: format!("{}-v{number}", self.info.name),
                dice: &mut scene.dice,
            };
            let Some(operation) = shop.any() else { break };
            apply(&operation, left);
            let mut wire = operation.to_proto();
            if scene.dice.chance(0.8) {
                let id = self.operations.ask(number, &offer.agent_id, scene.now);
                wire.id = Some((&id).into());
            }
            operations.push(wire);
        }
        operations
    }
}

/// What is left after an operation. A volume that grows or shrinks is for no task of the same
/// ACCEPT.
fn apply(operation: &ResourceOperation, left: &mut Resources) {
    let Ok(conversions) = operation.conversions() else {
        return;
    };
    let mut after = left.clone();
    if after.apply_all(&conversions).is_err() {
        return;
    }
    if let ResourceOperation::GrowVolume { .. } | ResourceOperation::ShrinkVolume { .. } = operation
    {
        after = after.filter(|traits| traits.persistence().is_none());
    }
    *left = after;
}

/// What an operation is made from.
struct Shop<'a> {
    offer: &'a Offer,
    left: &'a Resources,
    /// The name of a new volume.
    volume: String,
    dice: &'a mut Dice,
}

impl Shop<'_> {
    /// One of the operations that can be done with what there is; now and then one that cannot.
    fn any(&mut self) -> Option<ResourceOperation> {
        match self.dice.between(0, 9) {
            0..=3 => self.reserve(),
            4 | 5 => self.create(),
            6 => self.grow(),
            7 => self.shrink(),
            8 => {
                let volumes = self.first_volume()?;
                Some(ResourceOperation::Destroy { volumes })
            }
            _ => {
                let resources = self.reserved();
                let unreserve = ResourceOperation::Unreserve { resources };
                (!self.reserved().is_empty()).then_some(unreserve)
            }
        }
    }

    fn reserve(&mut self) -> Option<ResourceOperation> {
        let amounts = [
            "disk:64",
            "disk:96",
            "cpus:0.1;mem:32",
            "ports:[31000-31001]",
        ];
        let amount = self.dice.pick(&amounts);
        let is_there = self.left.contains(&plan::resources(amount)) || self.dice.chance(0.05);
        let can = is_there && !self.offer.role.is_default();
        can.then(|| ResourceOperation::Reserve {
            source: None,
            resources: plan::reserved(amount, self.offer.role.as_str()),
        })
    }

    /// What is reserved to the role and no volume.
    fn reserved(&self) -> Resources {
        let role = &self.offer.role;
        self.left.filter(|traits| {
            traits.is_dynamically_reserved()
                && traits.persistence().is_none()
                && traits.reservation_role() == Some(role)
        })
    }

    fn create(&self) -> Option<ResourceOperation> {
        let volumes = plan::volume(&self.reserved(), &self.volume)?;
        Some(ResourceOperation::Create { volumes })
    }

    fn grow(&self) -> Option<ResourceOperation> {
        Some(ResourceOperation::GrowVolume {
            volume: self.first_volume()?,
            addition: plan::reserved_disk(&self.reserved(), plan::VOLUME)?,
        })
    }

    fn shrink(&self) -> Option<ResourceOperation> {
        let volume = self.first_volume()?;
        let subtract = plan::VOLUME;
        let is_larger = volume.disk() > subtract;
        is_larger.then_some(ResourceOperation::ShrinkVolume { volume, subtract })
    }

    fn first_volume(&self) -> Option<Resources> {
        first_volume(self.left)
    }
}

/// One persistent volume of those among the resources.
pub(super) fn first_volume(resources: &Resources) -> Option<Resources> {
    let volumes = resources.volumes();
    let (traits, amounts, _) = volumes.bundles().next()?;
    let size = amounts.scalars().get(&Kind::Disk);
    Some(Resources::from_item(traits, "disk", &Value::Scalar(size)))
}
