//! What frameworks hear, and what they make of it.

use core::time::Duration;
use std::sync::Arc;

use tepui_master_core::{FrameworkEvent, InverseOffer};
use tepui_model::{AgentId, Filters, Offer, Resources, TaskState, TaskStatus};

use super::calls::Wanted;
use crate::scenario::{
    file::Behaviour,
    queue::Turn,
    tasks::{self, Belief, Task},
    world::World,
};

/// What "for ever" is for a filter.
const FOR_EVER: Duration = Duration::from_secs(365 * 24 * 3600);

impl World<'_> {
    /// Something is on its way to a framework.
    pub(in crate::scenario) fn tell_framework(
        &mut self,
        framework: u32,
        connection: u64,
        event: FrameworkEvent,
    ) {
        let due = self.now + self.latency();
        let node = &mut self.frameworks[framework as usize];
        if node.connection != Some(connection) {
            return;
        }
        node.inbox.push_back((due, event));
        if node.inbox.len() == 1 {
            self.queue.plan(due, Turn::FrameworkReads(framework));
        }
    }

    /// A framework reads all that has arrived.
    pub(in crate::scenario) fn framework_reads(&mut self, framework: u32) {
        loop {
            let now = self.now;
            let node = &mut self.frameworks[framework as usize];
            match node.inbox.front() {
                Some((due, _)) if *due <= now => {}
                Some((due, _)) => {
                    self.queue.plan(*due, Turn::FrameworkReads(framework));
                    break;
                }
                None => break,
            }
            if let Some((_, event)) = node.inbox.pop_front() {
                self.framework_hears(framework, event);
            }
        }
        self.state_demand(framework);
    }

    fn framework_hears(&mut self, framework: u32, event: FrameworkEvent) {
        match event {
            FrameworkEvent::Subscribed { framework_id, .. } => {
                let node = &mut self.frameworks[framework as usize];
                let info = node.info.take();
                node.info = info.map(|info| info.with_id(framework_id.clone()));
                node.id = Some(framework_id);
            }
            FrameworkEvent::Offers { offers, .. } => match self.group_of(framework).thinks {
                Some(span) => self.think(framework, span, offers),
                None => self.answer(framework, &offers),
            },
            FrameworkEvent::Rescind(id) => {
                self.frameworks[framework as usize].thoughts.drop(&id);
            }
            FrameworkEvent::InverseOffers(asked) => self.asked_to_leave(framework, &asked),
            FrameworkEvent::Update(status) => self.hear_of_task(framework, &status),
            _ => {}
        }
    }

    pub(super) fn answer(&mut self, framework: u32, offers: &[Arc<Offer>]) {
        match self.is_gang(framework) {
            true => self.answer_gang_offers(framework, offers),
            false => self.answer_offers(framework, offers),
        }
    }

    fn answer_offers(&mut self, framework: u32, offers: &[Arc<Offer>]) {
        let (behaviour, filters) = {
            let group = self.group_of(framework);
            (group.behaviour, group.decline)
        };
        let mut refused = Vec::new();
        for offer in offers {
            // Whoever knows that an agent will be away does not go there.
            let count = match offer.unavailability {
                None => self.wanted_of(framework, &offer.resources),
                Some(_) => 0,
            };
            if count == 0 {
                refused.push(offer.id.clone());
            } else {
                self.launch(framework, offer, count, filters);
            }
        }
        let filters = match behaviour {
            Behaviour::Silent => return,
            Behaviour::Dead => Filters::refuse(FOR_EVER),
            _ => filters,
        };
        self.decline(framework, refused, filters);
    }

    /// Agents will be away. Services leave them at once; work that ends by itself may end there.
    /// A notice of preemption, which names resources, needs no answer.
    fn asked_to_leave(&mut self, framework: u32, asked: &[InverseOffer]) {
        let asked = asked.iter().filter(|asked| asked.resources.is_empty());
        let asked: Vec<&InverseOffer> = asked.collect();
        if asked.is_empty() {
            return;
        }
        let behaviour = self.group_of(framework).behaviour;
        if matches!(behaviour, Behaviour::Silent | Behaviour::Dead) {
            return;
        }
        if behaviour == Behaviour::Service {
            asked
                .iter()
                .for_each(|asked| self.leave(framework, &asked.agent_id));
        }
        let offers = asked.iter().map(|asked| asked.id.clone()).collect();
        self.want(framework, Wanted::Leave(offers));
    }

    /// Other tasks shall do the work of those on an agent.
    fn leave(&mut self, framework: u32, id: &AgentId) {
        let agent = self.agents.iter().find(|it| it.id.as_ref() == Some(id));
        let tasks = agent.map_or_else(Vec::new, |agent| agent.tasks.clone());
        for number in tasks {
            let task = &self.tasks[number as usize];
            let is_wanted = matches!(task.belief, Belief::Launched | Belief::Running);
            if task.framework == framework && is_wanted {
                let group = self.frameworks[framework as usize].group as usize;
                self.measures.groups[group].moved += 1;
                self.want(framework, Wanted::Kill(number));
                self.give_up(number);
            }
        }
    }

    /// How many tasks it launches on that.
    pub(super) fn wanted_of(&self, framework: u32, offered: &Resources) -> u32 {
        let group = self.group_of(framework);
        let Some(shape) = &group.task else { return 0 };
        let most = match group.behaviour {
            Behaviour::Greedy => u64::from(u32::MAX),
            _ => self.frameworks[framework as usize].pending,
        };
        let most = most.min(group.per_offer.unwrap_or(u32::MAX).into());
        if most == 0 {
            return 0;
        }
        let free = if offered.is_plain() {
            offered.scalars()
        } else {
            offered.unreserved().scalars()
        };
        let fit = |(kind, amount): (_, tepui_model::Quantity)| {
            free.get(&kind).millis().max(0) / amount.millis().max(1)
        };
        let fit = shape.scalars().iter().map(fit).min().unwrap_or(0);
        u32::try_from(most.min(fit.unsigned_abs())).unwrap_or(u32::MAX)
    }

    fn launch(&mut self, framework: u32, offer: &Offer, count: u32, filters: Filters) {
        if self.too_many_tasks() {
            return;
        }
        let is_greedy = self.group_of(framework).behaviour == Behaviour::Greedy;
        let first = self.tasks.len() as u32;
        if is_greedy {
            let task = Task::new(framework, self.now);
            self.tasks.extend((0..count).map(|_| task.clone()));
        } else {
            let waited = self.frameworks[framework as usize].take(count);
            let waited = waited.into_iter().map(|since| Task::new(framework, since));
            self.tasks.extend(waited);
        }
        let group = self.frameworks[framework as usize].group as usize;
        self.measures.groups[group].launched += u64::from(count);
        self.uses_ask(framework, count);
        let wanted = Wanted::Launch {
            offer: offer.id.clone(),
            agent: offer.agent_id.clone(),
            tasks: first..first + count,
            filters,
        };
        self.want(framework, wanted);
    }

    fn hear_of_task(&mut self, framework: u32, status: &TaskStatus) {
        let Some(number) = tasks::number(status.task_id.as_str()) else {
            return;
        };
        if let (Some(uuid), Some(agent)) = (status.uuid, status.agent_id.clone()) {
            let acknowledge = Wanted::Acknowledge {
                agent,
                task: number,
                uuid,
            };
            self.want(framework, acknowledge);
        }
        let group = self.frameworks[framework as usize].group as usize;
        let task = &mut self.tasks[number as usize];
        match (status.state, task.belief) {
            (TaskState::Running, Belief::Launched) => {
                task.belief = Belief::Running;
                let wait = self.now.since(task.submitted).as_secs_f32();
                if self.scenario.frameworks[group].behaviour != Behaviour::Greedy {
                    self.measures.groups[group].waits.push(wait);
                }
                if self.is_gang(framework) {
                    self.gang_runs(framework);
                }
            }
            // Another task does its work by now.
            (TaskState::Running, Belief::GivenUp) => self.want(framework, Wanted::Kill(number)),
            (TaskState::Finished, Belief::Launched | Belief::Running) => {
                task.belief = Belief::Finished;
                self.measures.groups[group].finished += 1;
                if self.is_gang(framework) {
                    self.gang_member_ends(framework);
                }
            }
            (TaskState::Error, _) => {
                self.refused(status.message.clone().unwrap_or_default());
            }
            (TaskState::Staging | TaskState::Starting | TaskState::Killing, _) => {}
            (_, Belief::Launched | Belief::Running) if status.state != TaskState::Running => {
                self.measures.groups[group].lose(status.reason);
                self.give_up(number);
                if self.is_gang(framework) {
                    self.break_up_gang(framework);
                }
            }
            _ => {}
        }
    }

    /// A task is lost: another shall do its work. One that never ran has waited all the while.
    pub(in crate::scenario) fn give_up(&mut self, number: u32) {
        let task = &mut self.tasks[number as usize];
        let since = if task.belief == Belief::Launched {
            task.submitted
        } else {
            self.now
        };
        task.belief = Belief::GivenUp;
        self.frameworks[task.framework as usize].want(since, 1);
    }

    /// Tells the master whether offers are wanted, if it does not know.
    pub(in crate::scenario) fn state_demand(&mut self, framework: u32) {
        if self.is_gang(framework) {
            return self.ask_for_gang(framework);
        }
        if self.is_asker(framework) {
            return self.ask_for_tasks(framework);
        }
        let group = self.group_of(framework);
        let has_needs = matches!(
            group.behaviour,
            Behaviour::Service | Behaviour::Batch | Behaviour::Flapping
        );
        let says_so = group.suppress && has_needs;
        let node = &mut self.frameworks[framework as usize];
        let is_idle = node.pending == 0;
        if !says_so || node.id.is_none() || node.is_suppressed == is_idle {
            return;
        }
        node.is_suppressed = is_idle;
        let wanted = if is_idle {
            Wanted::Suppress
        } else {
            Wanted::Revive
        };
        self.want(framework, wanted);
    }
}
