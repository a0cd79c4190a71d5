//! The run: the free resources of the agents where something changed become offers.

use tepui_model::{AgentKey, FrameworkKey, Resources, Role, Time};

use crate::{
    agents::{Choice, Court},
    allocator::Allocator,
    contest::{Load, Stage},
    demand::Demand,
    gang::GangKey,
    pool::View,
    slots::Slots,
};

/// An offer to be made: resources of one agent for one framework in one of its roles. They are
/// held by it until they are recovered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allocation {
    /// For whom.
    pub framework: FrameworkKey,
    /// In which role.
    pub role: Role,
    /// Of which agent.
    pub agent: AgentKey,
    /// What: all that is free there and that this client may have (Mesos: ALL-06).
    pub resources: Resources,
    /// The gang that it is a part of, if it is of one: the others are made at the same time.
    pub gang: Option<GangKey>,
    /// Who else is shown it, or a part of it. They hold nothing of it: see [`Allocator::pass_on`].
    pub views: Vec<View>,
}

impl Allocator {
    /// Gives out what is free on the agents where something changed since the last run: resources
    /// came back, a filter ended, a framework came or was revived.
    ///
    /// First the gangs that fit as a whole. Of the rest, first what guarantees promise, over all of
    /// these agents; then the rest, by fair share (Mesos: ALL-04, ALL-05).
    pub fn allocate(&mut self, now: Time) -> Vec<Allocation> {
        self.expire_holds(now);
        let mut made = self.place_gangs(now);
        if self.contest.is_loosened() {
            self.candidates.add_waiting(&self.agents);
        }
        let mut round = self.candidates.take(now, &self.options, &mut self.agents);
        let keys = core::mem::take(&mut round.keys);
        let (mut looked_at, mut shared_out) = (Slots::new(), Slots::new());
        for stage in [Stage::Guarantees, Stage::Shares] {
            if stage == Stage::Guarantees && !self.contest.has_guarantees() {
                continue;
            }
            for key in &keys {
                if round.is_due(*key, &self.contest) {
                    let before = made.len();
                    self.give_out(*key, stage, now, &mut made);
                    looked_at.insert(key.0);
                    if stage == Stage::Shares && made.len() > before {
                        shared_out.insert(key.0);
                    }
                }
            }
        }
        for key in looked_at.iter() {
            self.leave_agent(AgentKey(key), now);
        }
        self.look_again_for_guarantees(&shared_out);
        self.contest.note_looked();
        made
    }

    /// What is left of an agent after others had their shares may be what somebody with a
    /// guarantee has not refused; the stage of guarantees had passed by then.
    fn look_again_for_guarantees(&mut self, shared_out: &Slots) {
        if self.contest.needy_in_order().next().is_none() {
            return;
        }
        for key in shared_out.iter().map(AgentKey) {
            if let Some(agent) = self.agents.get(key.0) {
                self.candidates.add(key, agent);
            }
        }
    }

    /// The same over all agents.
    pub fn allocate_all(&mut self, now: Time) -> Vec<Allocation> {
        self.candidates.add_all();
        self.allocate(now)
    }

    /// Whether something changed since the last run.
    #[must_use]
    pub fn needs_run(&self) -> bool {
        self.candidates.is_pending()
            || (self.candidates.is_anyone_waiting() && self.contest.is_loosened())
    }

    /// When to run next if nothing changes before: a filter or a hold ends that keeps resources
    /// idle.
    #[must_use]
    pub fn next_expiry(&self) -> Option<Time> {
        let hold = self.holds.first_end().map(|(end, _)| end);
        let times = [self.candidates.next_wake(), hold, self.gangs.next_look()];
        times.into_iter().flatten().min()
    }

    /// Offers all that is free on one agent to one client after another, until nothing is left
    /// that anybody may have in that stage.
    fn give_out(&mut self, key: AgentKey, stage: Stage, now: Time, made: &mut Vec<Allocation>) {
        loop {
            self.contest.settle();
            let court = Court {
                contest: &self.contest,
                options: &self.options,
                stage,
            };
            let Some(agent) = self.agents.get_mut(key.0) else {
                return;
            };
            let Some(choice) = agent.choose(court, now) else {
                return;
            };
            let lead = choice.client;
            let Some(mut allocation) = self.give(key, choice, None) else {
                return;
            };
            if stage == Stage::Shares && self.contest.has_optimists() {
                allocation.views = self.show_to_others(key, lead, &allocation.resources);
            }
            made.push(allocation);
        }
    }

    /// Makes an offer, by itself or as one of a gang.
    pub(crate) fn give(
        &mut self,
        key: AgentKey,
        choice: Choice,
        gang: Option<GangKey>,
    ) -> Option<Allocation> {
        let agent = self.agents.get_mut(key.0)?;
        let client = self.contest.client(choice.client)?;
        let role = self.contest.role(client.role)?;
        let (framework, role) = (client.framework, role.name.clone());
        let first = !agent.ledger().has(choice.client);
        let resources = agent.grant(choice.client, choice.offer);
        for hold in agent.spend_holds(choice.client, &resources) {
            self.holds.remove(hold);
        }
        self.contest
            .take(choice.client, &Load::of(&resources), first);
        self.contest.serve(choice.client);
        let demand = self.contest.demand_mut(choice.client);
        if let Some(demand) = demand.filter(|_| gang.is_none()) {
            demand.show(key, &resources, choice.parts);
            self.look_again_for(choice.client);
        }
        self.count_free(key);
        Some(Allocation {
            framework,
            role,
            agent: key,
            resources,
            gang,
            views: Vec::new(),
        })
    }

    /// Some of what a client asks for is offered: what else it asks for may be offered where it was
    /// not, because the first together with it was refused there or was too little.
    pub(crate) fn look_again_for(&mut self, slot: u32) {
        let Some(client) = self.contest.client(slot) else {
            return;
        };
        let minimum = client.terms.minimum.as_ref();
        let minimum = minimum.unwrap_or(&self.options.min_allocatable);
        let mut open = client.demand.iter().flat_map(Demand::open).peekable();
        if open.peek().is_none() {
            return;
        }
        let has_refused = client.refused.iter().next().is_some();
        if has_refused || open.any(|ask| !minimum.is_met_by(&ask.resources)) {
            self.candidates.add_for(slot);
        }
    }

    /// An agent was looked at: it is again when something changes on it or a filter ends.
    fn leave_agent(&mut self, key: AgentKey, now: Time) {
        let Some(agent) = self.agents.get_mut(key.0) else {
            return;
        };
        let wake = agent.next_look(now);
        self.candidates.set_wake(key, agent, wake);
        self.candidates.set_waiting(key, agent.holds_back());
        if agent.end_run() {
            self.candidates.add(key, agent);
        }
        self.candidates.set_offerable(key, agent);
    }
}
