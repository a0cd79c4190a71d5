//! GET_FRAMEWORKS.

use std::sync::Arc;

use tepui_model::{Offer, Time};
use tepui_proto::v1::{self, master::response::get_frameworks};

use super::Allocated;
use crate::{
    Master,
    frameworks::{CompletedFramework, Framework, FrameworkState},
    maintenance::InverseOffer,
    tasks::Task,
};

/// A framework at one moment; what is large is shared.
#[derive(Clone, Debug)]
pub(super) struct FrameworkPicture {
    info: Arc<v1::FrameworkInfo>,
    connected: bool,
    recovered: bool,
    /// It is removed, and its tasks have not ended yet.
    pub(super) is_ending: bool,
    registered: Time,
    reregistered: Time,
    offers: Vec<Arc<Offer>>,
    inverse_offers: Vec<InverseOffer>,
    constraints: Option<Arc<v1::scheduler::OfferConstraints>>,
    pub(super) tasks: Vec<Arc<Task>>,
    /// The tasks out of reach.
    pub(super) lost: Vec<Arc<Task>>,
    pub(super) ended: Vec<Arc<Task>>,
}

impl Master {
    pub(super) fn framework_picture(&self, framework: &Framework) -> FrameworkPicture {
        let held = framework.offers.iter();
        let held = held.filter_map(|number| self.offers.get(*number));
        let lost = framework.unreachable.iter();
        FrameworkPicture {
            info: Arc::clone(&framework.info.wire),
            connected: framework.state == FrameworkState::Connected,
            recovered: framework.state == FrameworkState::Recovered,
            is_ending: framework.state == FrameworkState::Ending,
            registered: framework.registered,
            reregistered: framework.reregistered,
            offers: held.map(|held| Arc::clone(&held.offer)).collect(),
            inverse_offers: self.inverse_offers.to(framework.key).cloned().collect(),
            constraints: framework.terms.stated.clone(),
            tasks: framework.tasks.values().cloned().collect(),
            lost: lost.map(|lost| Arc::clone(&lost.task)).collect(),
            ended: framework.completed.iter().cloned().collect(),
        }
    }

    pub(crate) fn framework_view(&self, framework: &Framework) -> get_frameworks::Framework {
        self.framework_picture(framework).to_wire()
    }
}

impl FrameworkPicture {
    pub(super) fn to_wire(&self) -> get_frameworks::Framework {
        let mut offered = Allocated::default();
        for offer in &self.offers {
            offered.add(&offer.role, &offer.resources);
        }
        let mut allocated = Allocated::default();
        for task in self.tasks.iter().filter(|task| !task.is_over()) {
            allocated.add(&task.role, &task.resources);
        }
        get_frameworks::Framework {
            framework_info: v1::FrameworkInfo::clone(&self.info),
            active: self.connected,
            connected: self.connected,
            recovered: self.recovered,
            registered_time: Some(self.registered.into()),
            reregistered_time: Some(self.reregistered.into()),
            unregistered_time: None,
            offers: self
                .offers
                .iter()
                .map(|offer| v1::Offer::from(&**offer))
                .collect(),
            inverse_offers: self.inverse_offers.iter().map(Into::into).collect(),
            allocated_resources: allocated.to_wire(),
            offered_resources: offered.to_wire(),
            offer_constraints: Some(self.constraints.as_deref().cloned().unwrap_or_default()),
        }
    }
}

pub(super) fn completed_view(framework: &CompletedFramework) -> get_frameworks::Framework {
    get_frameworks::Framework {
        framework_info: v1::FrameworkInfo::clone(&framework.info),
        registered_time: Some(framework.registered.into()),
        reregistered_time: Some(framework.reregistered.into()),
        unregistered_time: Some(framework.unregistered.into()),
        offer_constraints: Some(
            framework
                .constraints
                .as_deref()
                .cloned()
                .unwrap_or_default(),
        ),
        ..get_frameworks::Framework::default()
    }
}
