//! Notice: the victims' frameworks get an inverse offer, on the wire as Mesos has it (OFF-13).

use std::collections::BTreeMap;

use tepui_model::{FrameworkKey, Reason, Resources, Role, Time, Unavailability};

use super::PlanKey;
use crate::{
    Master,
    effects::{Effects, FrameworkEvent},
    frameworks::FrameworkState,
    maintenance::InverseOffer,
    notices::Notice,
    tasks::from_master,
};

type Losses = BTreeMap<Role, Resources>;

impl Master {
    /// Tells each framework what it will lose on the agent and when, and the operators.
    pub(super) fn send_notices(&mut self, key: PlanKey, until: Time, effects: &mut Effects) {
        let Some(plan) = self.preemptions.plans.get(&key) else {
            return;
        };
        let (why, agent) = (plan.why.clone(), plan.agent);
        let Some(agent_id) = self.agents.get(agent).map(|agent| agent.id.clone()) else {
            return;
        };
        let mut losses: BTreeMap<FrameworkKey, Losses> = BTreeMap::new();
        let left = until.since(self.now).as_secs_f64();
        for (owner, id) in &plan.victims {
            let Some(framework) = self.frameworks.get(*owner) else {
                continue;
            };
            let Some(task) = framework.tasks.get(id) else {
                continue;
            };
            let lost = losses.entry(*owner).or_default();
            *lost.entry(task.role.clone()).or_default() += &task.resources;
            let message = format!("{why}, in {left:.1} s");
            let (id, agent) = (id.clone(), Some(agent_id.clone()));
            let reason = Reason::ContainerPreempted;
            let status = from_master(self.now, id, agent, task.state, reason, message);
            effects.publish(Notice::TaskUpdated {
                framework_id: framework.id.clone(),
                status: Box::new(status),
                state: task.state,
            });
        }
        for (owner, resources) in losses {
            let known = self.frameworks.get(owner);
            let there = known.filter(|it| it.state == FrameworkState::Connected);
            let Some(framework_id) = there.map(|framework| framework.id.clone()) else {
                continue;
            };
            let (number, id) = self.ids.next_offer();
            let offer = InverseOffer {
                id: id.clone(),
                framework_id,
                agent_id: agent_id.clone(),
                unavailability: Unavailability {
                    start: until,
                    duration: None,
                },
                resources: resources.into_iter().collect(),
            };
            self.tell(owner, FrameworkEvent::InverseOffers(vec![offer]), effects);
            self.preemptions.by_notice.insert(number, owner);
            if let Some(plan) = self.preemptions.plans.get_mut(&key) {
                plan.notices.push((owner, number, id));
            }
        }
    }

    /// The inverse offers of a plan stand no longer.
    pub(super) fn rescind_notices(&mut self, key: PlanKey, effects: &mut Effects) {
        let plan = self.preemptions.plans.get_mut(&key);
        let notices = plan.map(|plan| core::mem::take(&mut plan.notices));
        for (owner, number, id) in notices.unwrap_or_default() {
            if self.preemptions.by_notice.remove(&number).is_some() {
                self.tell(owner, FrameworkEvent::RescindInverseOffer(id), effects);
            }
        }
    }

    /// A framework that is away, or comes back as another process, does not know of them.
    pub(crate) fn forget_notices_of(&mut self, framework: FrameworkKey) {
        let notices = &mut self.preemptions.by_notice;
        notices.retain(|_, owner| *owner != framework);
    }
}
