//! What a framework does with offers: launches what fits, refuses the rest, and sometimes errs.

use core::time::Duration;

use tepui_model::{
    Filters, Offer, OfferId, Quantity, Ranges, Resources, TaskId, Traits, Value, time,
};
use tepui_proto::v1;

use super::{FrameworkNode, FrameworkTurn, calls, crafts::first_volume};
use crate::{behaviour::Behaviour, scene::Scene};

/// Tasks in one ACCEPT.
const MOST_TASKS: usize = 3;

impl FrameworkNode {
    pub(super) fn offered(&mut self, offers: Vec<v1::Offer>, scene: &mut Scene) {
        let mut ids = Vec::new();
        for offer in offers {
            let offer = Offer::try_from(offer).unwrap_or_else(|error| scene.fail(error));
            ids.push(offer.id.clone());
            self.process.iter_mut().for_each(|process| {
                process.offers.insert(offer.id.clone(), offer.clone());
            });
        }
        let span = match scene.dice.between(0, 9) {
            0 if scene.dice.chance(scene.faults.mischief) => return,
            0 => scene.dice.seconds(0, 35),
            1..=3 => scene.dice.millis(0, 2000),
            _ => scene.dice.millis(0, 10),
        };
        scene.after(span, self.happening(FrameworkTurn::Consider(ids)));
    }

    /// Decides on offers, as far as they still stand as far as the framework knows.
    pub(super) fn consider(&mut self, ids: &[OfferId], scene: &mut Scene) {
        for id in ids {
            let Some(process) = self.process.as_mut().filter(|it| it.subscribed) else {
                return;
            };
            let Some(offer) = process.offers.remove(id) else {
                continue;
            };
            let mut offers = vec![offer];
            if scene.dice.chance(0.3) {
                offers.extend(process.others_like(&offers[0]));
            }
            self.use_offers(&offers, scene);
        }
    }

    /// Some machines go down: the framework says whether it leaves in time, or says nothing.
    pub(super) fn asked_to_leave(&self, asked: Vec<v1::InverseOffer>, scene: &mut Scene) {
        let ids = asked.into_iter().map(|asked| asked.id).collect();
        let refuse = scene.dice.pick(&[0, 5, 60]);
        let filters = Filters::refuse(Duration::from_secs(refuse));
        match scene.dice.between(0, 9) {
            0 => {}
            throw => {
                let answer = calls::answer_inverse_offers(ids, throw > 3, filters);
                self.call(&answer, scene);
            }
        }
    }

    fn use_offers(&mut self, offers: &[Offer], scene: &mut Scene) {
        let ids: Vec<OfferId> = offers.iter().map(|offer| offer.id.clone()).collect();
        let refuse = scene.dice.pick(&[0, 0, 5, 5, 20]);
        let filters = Filters::refuse(Duration::from_secs(refuse));
        let mut left: Resources = offers.iter().map(|offer| &offer.resources).sum();
        let operations = self.craft(&offers[0], &mut left, scene);
        let tasks = self.choose(&offers[0], left, scene);
        if tasks.is_empty() && operations.is_empty() {
            return self.call(&calls::decline(&ids, filters), scene);
        }
        if self.is_doomed {
            // It has written down what it launches, and dies before it says so.
            return self.die(scene);
        }
        if scene.dice.chance(scene.faults.mischief) {
            let nothing = calls::accept(&ids, Vec::new(), Vec::new(), filters);
            self.call(&nothing, scene);
        }
        let accept = calls::accept(&ids, operations, tasks, filters);
        self.call(&accept, scene);
    }

    /// Tasks for what is wanted, as far as what is left of an offer goes.
    fn choose(
        &mut self,
        offer: &Offer,
        mut left: Resources,
        scene: &mut Scene,
    ) -> Vec<v1::TaskInfo> {
        let most = scene.dice.between(1, MOST_TASKS as u64) as usize;
        let mut chosen = Vec::new();
        for (index, item) in self.work.needy(scene.now) {
            let reserved = item.reserved.get(&offer.role);
            let reserved = reserved.filter(|reserved| left.contains(reserved));
            let mut wanted = reserved.unwrap_or(&item.resources).clone();
            if item.wants_port {
                let port = left.ports().take_first(1);
                if port.is_empty() {
                    continue;
                }
                wanted += &ports(&port);
            }
            if let Some(volume) = first_volume(&left).filter(|_| !item.is_service)
                && scene.dice.chance(0.5)
            {
                wanted += &volume;
            }
            if chosen.len() < most && left.subtract(&wanted).is_ok() {
                chosen.push((index, item.is_service, wanted));
            }
        }
        let agent = &offer.agent_id;
        let mut tasks = Vec::new();
        for (index, is_service, wanted) in chosen {
            let id = self.work.launch(index, agent, scene.now);
            tasks.push(task(&id, offer, &wanted, is_service, scene));
        }
        tasks
    }
}

impl super::Process {
    /// The other offers that can be accepted together with one.
    fn others_like(&mut self, offer: &Offer) -> Vec<Offer> {
        let is_like = |it: &Offer| it.agent_id == offer.agent_id && it.role == offer.role;
        self.offers
            .extract_if(.., |_, it| is_like(it))
            .map(|(_, it)| it)
            .collect()
    }
}

fn ports(ports: &Ranges) -> Resources {
    let value = Value::Ranges(ports.clone());
    Resources::from_item(&Traits::plain(), "ports", &value)
}

fn task(
    id: &TaskId,
    offer: &Offer,
    wanted: &Resources,
    is_service: bool,
    scene: &mut Scene,
) -> v1::TaskInfo {
    let behaviour = match is_service {
        true => Behaviour::service(&mut scene.dice),
        false => Behaviour::job(&mut scene.dice),
    };
    let mut wanted = wanted.clone();
    if scene.dice.chance(scene.faults.mischief) {
        let cpus = Value::Scalar(Quantity::from_units(1000));
        wanted.insert(&Traits::plain(), "cpus", &cpus);
    }
    let grace = scene.dice.chance(0.5).then(|| scene.dice.seconds(0, 8));
    let limit = scene
        .dice
        .chance(scene.faults.mischief)
        .then(|| scene.dice.seconds(1, 20));
    let role = scene.dice.chance(0.5).then_some(&offer.role);
    v1::TaskInfo {
        name: id.to_string(),
        task_id: id.into(),
        agent_id: (&offer.agent_id).into(),
        resources: wanted.to_proto(role),
        command: Some(v1::CommandInfo {
            value: Some(behaviour.to_string()),
            ..v1::CommandInfo::default()
        }),
        kill_policy: grace.map(calls::kill_policy),
        max_completion_time: limit.map(time::span_to),
        ..v1::TaskInfo::default()
    }
}
