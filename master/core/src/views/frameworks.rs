//! GET_FRAMEWORKS.

use tepui_proto::v1::{
    self,
    master::response::{GetFrameworks, get_frameworks},
};

use super::Allocated;
use crate::{
    Master,
    frameworks::{CompletedFramework, Framework, FrameworkState},
};

impl Master {
    /// The frameworks with their offers, and those that are removed.
    #[must_use]
    pub fn get_frameworks(&self) -> GetFrameworks {
        let live = self.frameworks.iter();
        let live = live.filter(|framework| framework.state != FrameworkState::Ending);
        let completed = self.frameworks.completed.iter();
        GetFrameworks {
            frameworks: live
                .map(|framework| self.framework_view(framework))
                .collect(),
            completed_frameworks: completed.map(completed_view).collect(),
            ..GetFrameworks::default()
        }
    }

    pub(crate) fn framework_view(&self, framework: &Framework) -> get_frameworks::Framework {
        let connected = framework.state == FrameworkState::Connected;
        let held: Vec<_> = framework
            .offers
            .iter()
            .filter_map(|number| self.offers.get(*number))
            .collect();
        let mut offered = Allocated::default();
        for held in &held {
            offered.add(&held.offer.role, &held.offer.resources);
        }
        let mut allocated = Allocated::default();
        for task in framework.tasks.values().filter(|task| !task.is_over()) {
            allocated.add(&task.role, &task.resources);
        }
        let inverse = self.inverse_offers.to(framework.key);
        get_frameworks::Framework {
            framework_info: v1::FrameworkInfo::clone(&framework.info.wire),
            active: connected,
            connected,
            recovered: framework.state == FrameworkState::Recovered,
            registered_time: Some(framework.registered.into()),
            reregistered_time: Some(framework.reregistered.into()),
            unregistered_time: None,
            offers: held
                .iter()
                .map(|held| v1::Offer::from(&*held.offer))
                .collect(),
            inverse_offers: inverse.map(Into::into).collect(),
            allocated_resources: allocated.to_wire(),
            offered_resources: offered.to_wire(),
            offer_constraints: framework.terms.stated.as_deref().cloned(),
        }
    }
}

fn completed_view(framework: &CompletedFramework) -> get_frameworks::Framework {
    get_frameworks::Framework {
        framework_info: v1::FrameworkInfo::clone(&framework.info),
        registered_time: Some(framework.registered.into()),
        reregistered_time: Some(framework.reregistered.into()),
        unregistered_time: Some(framework.unregistered.into()),
        offer_constraints: framework.constraints.as_deref().cloned(),
        ..get_frameworks::Framework::default()
    }
}
