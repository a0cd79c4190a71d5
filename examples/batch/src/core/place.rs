//! Answers offers: the oldest job first, its tasks spread over the agents.

use std::collections::BTreeMap;

use tepui_sdk::{
    Matches, OfferMatcher,
    model::{AgentId, Offer, OfferId, Time},
    v1::{TaskInfo, environment::Variable},
};

use super::{Core, Effect, Effects, Job, JobState, Site, Step, Task};
use crate::{
    ids::Place,
    limits::{LAUNCH_BYTES, LAUNCHES},
    plan::PLAN_VARIABLE,
};

/// One answer to offers in the making.
struct Round {
    now: Time,
    framework: String,
    matcher: OfferMatcher,
    /// How many tasks each agent has: the least busy one is next.
    busy: BTreeMap<AgentId, usize>,
    /// What each task that was placed is to do, by its id: a task is light while its place is
    /// sought.
    plans: BTreeMap<String, String>,
    bytes: usize,
}

impl Core {
    /// Launches what there is room for, and gives the rest back.
    pub(super) fn place(&mut self, now: Time, offers: Vec<Offer>, effects: &mut Effects) {
        let Some(framework) = &self.framework else {
            return decline(offers.into_iter().map(|offer| offer.id).collect(), effects);
        };
        let mut busy = BTreeMap::new();
        for (_, site) in self.jobs.values().flat_map(Job::live) {
            *busy.entry(site.agent.clone()).or_default() += 1;
        }
        let mut round = Round {
            now,
            framework: framework.to_string(),
            matcher: OfferMatcher::new(offers),
            busy,
            plans: BTreeMap::new(),
            bytes: 0,
        };
        for job in self.jobs.values_mut() {
            round.place_job(job, effects);
        }
        round.finish(effects);
    }
}

impl Round {
    /// Places the tasks of a job that may be launched, until one finds no room: the others are of
    /// the same size.
    fn place_job(&mut self, job: &mut Job, effects: &mut Effects) {
        let due = |(_, task): &(Place, &Task)| task.not_before <= self.now;
        let places: Vec<Place> = job.ready().filter(due).map(|(place, _)| place).collect();
        for place in places {
            if self.is_full() {
                return;
            }
            match self.place_task(job, place) {
                Ok(true) => job.store_task(place, effects),
                Ok(false) => return,
                Err(error) => {
                    // No later attempt would be told otherwise.
                    job.end(self.now, JobState::Failed, &error, effects);
                    return;
                }
            }
        }
    }

    /// Places one task: false if no offer has room for it.
    fn place_task(&mut self, job: &mut Job, place: Place) -> Result<bool, String> {
        let Some(task) = job.task(place) else {
            return Ok(false);
        };
        let attempt = task.attempt + 1;
        let avoid = task.failed_on.as_ref().map(|site| site.agent.clone());
        let light = job
            .describe(place, attempt)
            .map_err(|error| error.to_string())?;
        let busy = &self.busy;
        let rank = |offer: &Offer| {
            let failed_there = avoid.as_ref() == Some(&offer.agent_id);
            (
                failed_there,
                busy.get(&offer.agent_id).copied().unwrap_or(0),
            )
        };
        let plan = job.plan(place, attempt, self.framework.clone());
        let plan = plan.encode().map_err(|error| error.to_string())?;
        let Some((offer, _)) = self.matcher.place_where_least(&light, rank) else {
            job.obstacle = obstacle(&self.matcher, &light);
            return Ok(false);
        };
        let site = Site {
            agent: offer.agent_id.clone(),
            address: format!("{}:{}", offer.hostname, offer.port),
        };
        *self.busy.entry(site.agent.clone()).or_default() += 1;
        self.bytes += plan.len();
        self.plans.insert(light.id().to_string(), plan);
        job.obstacle.clear();
        if let Some(task) = job.task_mut(place) {
            task.attempt = attempt;
            task.step(Step::Launch(site));
        }
        Ok(true)
    }

    /// Whether no more goes into one answer.
    fn is_full(&self) -> bool {
        self.plans.len() >= LAUNCHES || self.bytes >= LAUNCH_BYTES
    }

    fn finish(mut self, effects: &mut Effects) {
        let is_full = self.is_full();
        let Matches { launches, unused } = self.matcher.finish();
        for mut launch in launches {
            for info in &mut launch.tasks {
                instruct(info, &mut self.plans);
            }
            effects.push(Effect::Launch {
                offer: launch.offer_id,
                tasks: launch.tasks,
            });
        }
        decline(unused, effects);
        if is_full {
            // There may be more to launch: what is left of the offers is wanted at once.
            effects.push(Effect::Revive);
        }
    }
}

/// Gives a task its plan.
fn instruct(info: &mut TaskInfo, plans: &mut BTreeMap<String, String>) {
    let variable = Variable {
        name: PLAN_VARIABLE.to_owned(),
        value: plans.remove(&info.task_id.value),
        ..Default::default()
    };
    let command = info.command.get_or_insert_default();
    command
        .environment
        .get_or_insert_default()
        .variables
        .push(variable);
}

/// Why no offer has room, for people.
fn obstacle(matcher: &OfferMatcher, task: &tepui_sdk::Task) -> String {
    let reasons = matcher.why_not(task);
    let reasons: Vec<_> = reasons
        .iter()
        .map(|(reason, offers)| format!("{reason} in {offers} offers"))
        .collect();
    format!(
        "no offer has room for the next task: {}",
        reasons.join(", ")
    )
}

fn decline(offers: Vec<OfferId>, effects: &mut Effects) {
    if !offers.is_empty() {
        effects.push(Effect::Decline(offers));
    }
}
