//! Agents come, go and change.

use std::{collections::BTreeSet, sync::Arc};

use tepui_model::{AgentKey, FrameworkKey, Resources, Role, Scalars};

use super::Allocator;
use crate::{
    agents::{Agent, AgentProfile, Class},
    violation::Violation,
};

impl Allocator {
    /// An agent is there, and frameworks use some of it already. An agent with that key that was
    /// there before is replaced.
    pub fn add_agent(
        &mut self,
        key: AgentKey,
        profile: AgentProfile,
        used: Vec<(FrameworkKey, Role, Resources)>,
    ) {
        self.remove_agent(key);
        let agent = Agent::new(key, profile.clone());
        if self.agents.insert(key.0, agent).is_err() {
            self.misuse.get_or_insert(Violation::WildKey(key.0));
            return;
        }
        self.contest.grow(&profile.total);
        self.contest.judge(key, &profile);
        self.place(key);
        for (framework, role, resources) in used {
            self.charge(framework, &role, key, &resources);
        }
        self.nominate(key);
    }

    /// An agent is gone, and with it whatever was held of it.
    pub fn remove_agent(&mut self, key: AgentKey) {
        let Some(mut agent) = self.agents.remove(key.0) else {
            return;
        };
        self.candidates.forget(key, &mut agent);
        for hold in agent.held().iter() {
            self.holds.remove(hold.key);
        }
        for client in self.contest.lose_offers_of(key) {
            self.candidates.add_for(client);
        }
        let holds = self.gangs.lose_agent(key);
        self.end_holds(holds);
        self.contest
            .change_available(&agent.available, &Scalars::new());
        let clients: BTreeSet<u32> = agent.ledger().iter().map(|(client, _)| client).collect();
        for client in clients {
            let held = agent.release_all(client);
            self.contest.give_back(client, &held, true);
            self.contest.retire(client);
        }
        self.contest.shrink(agent.total());
    }

    /// An agent is offered from now on, or no longer. What is held of it stays.
    pub fn set_agent_active(&mut self, key: AgentKey, active: bool) {
        if let Some(agent) = self.agents.get_mut(key.0) {
            agent.active = active;
        }
        self.nominate(key);
    }

    /// An agent is described anew. If more is held of something than there is now, nothing of it
    /// is free.
    pub fn update_agent(&mut self, key: AgentKey, profile: AgentProfile) {
        let Some(agent) = self.agents.get_mut(key.0) else {
            return;
        };
        self.contest.grow(&profile.total);
        self.contest.shrink(agent.total());
        self.contest.judge(key, &profile);
        agent.set_profile(profile);
        self.place(key);
        self.nominate(key);
    }

    /// Only these hosts are offered from now on; all of them, if there is no list
    /// (Mesos: OFF-20).
    pub fn set_whitelist(&mut self, hosts: Option<BTreeSet<Arc<str>>>) {
        self.whitelist = hosts;
        self.place_all();
    }

    /// The region of the master: agents of others go to frameworks that know regions
    /// (Mesos: ALL-08).
    pub fn set_region(&mut self, region: Option<Arc<str>>) {
        self.region = region;
        self.place_all();
    }

    fn place_all(&mut self) {
        let keys: Vec<u32> = self.agents.iter().map(|(key, _)| key).collect();
        for key in keys.into_iter().map(AgentKey) {
            self.place(key);
            self.nominate(key);
        }
    }

    /// Says anew who can be offered anything of an agent.
    fn place(&mut self, key: AgentKey) {
        let Some(agent) = self.agents.get_mut(key.0) else {
            return;
        };
        let listed = |hosts: &BTreeSet<Arc<str>>| hosts.contains(&agent.profile().hostname);
        agent.listed = self.whitelist.as_ref().is_none_or(listed);
        let barrier = Class::barrier(agent.profile(), &self.options, self.region.as_deref());
        agent.set_barrier(barrier);
    }
}
