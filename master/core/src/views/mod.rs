//! The state of the cluster as the v1 operator API shows it. Nothing here changes anything.

mod agents;
mod executors;
mod figures;
mod frameworks;
mod operations;
mod parts;
mod roles;
mod snapshot;
mod written;

pub use figures::{Amounts, Figures, FrameworkFigures, QuotaFigures};
pub use parts::{List, Part};
pub use snapshot::Snapshot;
use tepui_model::{ReservationForm, Resources, Role};
use tepui_proto::v1::{self, master::response};
pub use written::Form;
pub(crate) use {agents::AgentPortrait, written::Written};

use crate::Master;

impl Master {
    /// The master itself.
    #[must_use]
    pub fn get_master(&self) -> response::GetMaster {
        let start = self.started.map(tepui_model::Time::as_seconds);
        response::GetMaster {
            master_info: Some(v1::MasterInfo::clone(&self.info)),
            start_time: start,
            elected_time: start,
        }
    }
}

/// Resources by the role they are allocated to, for the wire.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Allocated(std::collections::BTreeMap<Role, Resources>);

impl Allocated {
    fn add(&mut self, role: &Role, resources: &Resources) {
        match self.0.get_mut(role) {
            Some(sum) => *sum += resources,
            None => {
                self.0.insert(role.clone(), resources.clone());
            }
        }
    }

    fn to_wire(&self) -> Vec<v1::Resource> {
        self.0
            .iter()
            .flat_map(|(role, resources)| shown(resources, Some(role)))
            .collect()
    }
}

/// Resources as Mesos shows them of agents and frameworks: in both forms of reservations.
fn shown(resources: &Resources, allocation: Option<&Role>) -> Vec<v1::Resource> {
    resources.to_proto_as(ReservationForm::Both, allocation)
}

#[cfg(test)]
mod tests;
