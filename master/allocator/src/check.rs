//! The invariants, worked out anew: slow, for tests, the simulator and samples.

use std::collections::{BTreeMap, BTreeSet};

use tepui_model::{AgentKey, Resources, Scalars};

use crate::{Violation, agents::Agent, allocator::Allocator, clients::Client, slots::Slots};

impl Allocator {
    /// Whether all is as it must be: nothing in two places or in none, every sum and every order
    /// as if worked out anew, and no call so far that made no sense.
    pub fn check(&self) -> Result<(), Violation> {
        self.misuse.clone().map_or(Ok(()), Err)?;
        let changed = self.candidates.changed();
        for (key, agent) in self.agents.iter() {
            let key = AgentKey(key);
            check_conservation(key, agent)?;
            self.check_agent(key, agent)?;
            let listed = agent.candidate == changed.contains(&key);
            ensure(listed, || format!("whether {key} is a candidate"))?;
        }
        self.check_sums()?;
        self.check_order()
    }

    /// Holders and refusers exist, the cached prospect is true, and the next look is noted.
    fn check_agent(&self, key: AgentKey, agent: &Agent) -> Result<(), Violation> {
        let client = |slot: u32| self.contest.client(slot);
        let subscribed = |slot: u32| client(slot).is_some_and(|client| client.state.subscribed);
        let holders = agent
            .ledger()
            .iter()
            .all(|(holder, _)| client(holder).is_some());
        let refusers = agent
            .refusals()
            .iter()
            .all(|refusal| subscribed(refusal.client));
        let prospect = agent.is_prospect_true(&self.contest, &self.options);
        let wake = agent
            .wake
            .is_none_or(|wake| self.candidates.wakes_at(wake, key));
        ensure(holders, || format!("who holds {key}"))?;
        ensure(refusers, || format!("who refused {key}"))?;
        ensure(prospect, || format!("who has seen {key}"))?;
        ensure(wake, || format!("when {key} is looked at"))
    }

    fn check_sums(&self) -> Result<(), Violation> {
        let mut total = Scalars::new();
        for (_, agent) in self.agents.iter() {
            total.add(&self.contest.counted(&agent.total().scalars()));
        }
        ensure(total == *self.contest.total(), || "the total".to_owned())?;
        let held = self.held_by_client();
        let mut held_by_role: BTreeMap<u32, Scalars> = BTreeMap::new();
        for (slot, client) in self.contest.clients().iter() {
            let (sum, agents) = held.get(&slot).cloned().unwrap_or_default();
            held_by_role.entry(client.role).or_default().add(&sum);
            let same = sum == client.allocated && agents == client.agents;
            ensure(same, || format!("what {} holds", client.framework))?;
        }
        for (slot, node) in self.contest.roles() {
            let sum = held_by_role.remove(&slot).unwrap_or_default();
            ensure(sum == node.allocated, || {
                format!("what role {} holds", node.name)
            })?;
        }
        Ok(())
    }

    /// The scalars that each client holds, and on how many agents.
    fn held_by_client(&self) -> BTreeMap<u32, (Scalars, u32)> {
        let mut held: BTreeMap<u32, (Scalars, u32)> = BTreeMap::new();
        for (_, agent) in self.agents.iter() {
            let mut here = BTreeSet::new();
            for (client, resources) in agent.ledger().iter() {
                let (sum, agents) = held.entry(client).or_default();
                sum.add(&resources.scalars());
                *agents += u32::from(here.insert(client));
            }
        }
        held
    }

    /// Exactly the clients in play are ranked, in the order that their shares have.
    fn check_order(&self) -> Result<(), Violation> {
        let mut contest = self.contest.clone();
        contest.settle();
        let ranked: Vec<u32> = contest.in_order().collect();
        contest.rebuild();
        ensure(ranked == contest.in_order().collect::<Vec<_>>(), || {
            "the order".to_owned()
        })?;
        let mut in_play = Slots::new();
        let playing = |(_, client): &(u32, &Client)| client.state.in_play();
        let clients = contest.clients().iter().filter(playing);
        clients.for_each(|(slot, _)| in_play.insert(slot));
        let same = in_play.has_the_members_of(contest.live())
            && in_play.without(&Slots::new()).count() == ranked.len();
        ensure(same, || "who is in play".to_owned())
    }
}

/// Free and held are together what there is; or, if more is held than there is, nothing of that
/// is free.
fn check_conservation(key: AgentKey, agent: &Agent) -> Result<(), Violation> {
    let held = agent.ledger().iter();
    let held = held.fold(Resources::new(), |sum, (_, held)| sum + held);
    let (free, overdrawn) = agent.count();
    let whole = overdrawn || agent.free().clone() + &held == *agent.total();
    if free == *agent.free() && whole {
        return Ok(());
    }
    Err(Violation::NotConserved {
        agent: key,
        free: agent.free().to_string(),
        held: held.to_string(),
        total: agent.total().to_string(),
    })
}

fn ensure(condition: bool, what: impl FnOnce() -> String) -> Result<(), Violation> {
    if condition {
        Ok(())
    } else {
        Err(Violation::OutOfDate(what()))
    }
}
