//! The invariants, worked out anew: slow, for tests, the simulator and samples.

use std::collections::{BTreeMap, BTreeSet};

use tepui_model::{AgentKey, Resources, Role, Scalars};

use crate::{
    Violation,
    agents::{Agent, Court, exclusive},
    allocator::Allocator,
    contest::{Client, Load, Stage, larger},
    slots::Slots,
};

impl Allocator {
    /// Whether all is as it must be: nothing in two places or in none, every sum and every order
    /// as if worked out anew, and no call so far that made no sense.
    pub fn check(&self) -> Result<(), Violation> {
        self.misuse.clone().map_or(Ok(()), Err)?;
        for (key, agent) in self.agents.iter() {
            let key = AgentKey(key);
            check_conservation(key, agent)?;
            self.check_tables(key, agent)?;
            self.check_prospect(key, agent)?;
        }
        let holds: usize = self
            .agents
            .iter()
            .map(|(_, agent)| agent.held().iter().len())
            .sum();
        ensure(holds == self.holds.len(), || "what is set aside".to_owned())?;
        self.check_gangs()?;
        self.check_sums()?;
        self.check_promises()?;
        self.check_order()
    }

    /// What concerns one agent only, for who has no time for all: that nothing of it is in two
    /// places or in none, and that the tables know of it; and no call so far that made no sense.
    pub fn check_agent(&self, key: AgentKey) -> Result<(), Violation> {
        self.misuse.clone().map_or(Ok(()), Err)?;
        let Some(agent) = self.agents.get(key.0) else {
            return Ok(());
        };
        check_conservation(key, agent)?;
        self.check_tables(key, agent)
    }

    /// The cached prospect is what it would be anew: as long to see as there are frameworks.
    fn check_prospect(&self, key: AgentKey, agent: &Agent) -> Result<(), Violation> {
        let court = Court {
            contest: &self.contest,
            options: &self.options,
            stage: Stage::Shares,
        };
        ensure(agent.is_prospect_true(court), || {
            format!("who has seen {key}")
        })
    }

    /// Holders and refusers exist, and the next look is noted.
    fn check_tables(&self, key: AgentKey, agent: &Agent) -> Result<(), Violation> {
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
        let known = |slot: u32| client(slot).is_some_and(|client| client.refused.contains(key.0));
        let findable = agent.refusals().iter().all(|refusal| known(refusal.client));
        let holds = agent.held().iter().all(|hold| {
            let holder = client(hold.client);
            self.holds.is_noted(hold.key, key, hold.until)
                && holder.is_some_and(|holder| holder.state.in_play())
        });
        ensure(holds, || format!("what is set aside of {key}"))?;
        ensure(findable, || format!("that {key} was refused"))?;
        let listed = self.candidates.agrees_with(key, agent);
        ensure(holders, || format!("who holds {key}"))?;
        ensure(refusers, || format!("who refused {key}"))?;
        ensure(listed, || format!("when {key} is looked at"))
    }

    /// Whoever asks for a gang takes part, and exactly what one gang collects is set aside for
    /// gangs.
    fn check_gangs(&self) -> Result<(), Violation> {
        let takes_part = |client: u32| {
            let client = self.contest.client(client);
            client.is_some_and(|client| client.state.subscribed && client.state.active)
        };
        let known = self.gangs.clients().into_iter().all(takes_part);
        ensure(known, || "who asks for gangs".to_owned())?;
        let collecting = self.gangs.collecting.as_ref();
        let collected = collecting.map_or(&[][..], |collecting| &collecting.places);
        for (key, agent) in self.agents.iter() {
            let mut for_gangs = agent.held().iter().filter(|hold| hold.for_gang);
            let same = for_gangs.all(|hold| {
                let mut places = collected.iter();
                places.any(|place| place.hold == hold.key && place.place.agent == AgentKey(key))
            });
            ensure(same, || "what is set aside for gangs".to_owned())?;
        }
        let waits = collecting.is_none_or(|collecting| self.gangs.get(collecting.gang).is_some());
        ensure(waits, || "which gang collects".to_owned())
    }

    fn check_sums(&self) -> Result<(), Violation> {
        let mut total = Scalars::new();
        for (_, agent) in self.agents.iter() {
            total.add(&self.contest.counted(&agent.total().scalars()));
        }
        ensure(total == *self.contest.total(), || "the total".to_owned())?;
        let held = self.held_by_client();
        for (slot, client) in self.contest.clients().iter() {
            let (sum, agents) = held.get(&slot).cloned().unwrap_or_default();
            let same = sum.all == client.allocated && agents == client.agents;
            ensure(same, || format!("what {} holds", client.framework))?;
        }
        self.check_roles(&held)
    }

    /// What counts for a role is what is held in it and below.
    fn check_roles(&self, held: &BTreeMap<u32, (Load, u32)>) -> Result<(), Violation> {
        let mut sums: BTreeMap<Role, Sums> = BTreeMap::new();
        for (slot, (load, _)) in held {
            let client = self.contest.client(*slot);
            let role = client.and_then(|client| self.contest.role(client.role));
            let role =
                role.ok_or_else(|| Violation::OutOfDate("the role of a holder".to_owned()))?;
            let own = sums.entry(role.name.clone()).or_default();
            own.own.add(&load.all);
            for above in path(&role.name) {
                let sum = sums.entry(above).or_default();
                sum.all.add(&load.all);
                sum.charged.add(load.charged());
            }
        }
        for (_, agent) in self.agents.iter() {
            for role in agent.total().reservation_roles() {
                let inside = agent.total().reserved_to(&role).scalars();
                // Ranges and sets are not counted, and a role need not be known for them.
                if inside.is_empty() {
                    continue;
                }
                for above in path(&role) {
                    sums.entry(above).or_default().reserved.add(&inside);
                }
            }
        }
        for (_, node) in self.contest.roles() {
            let sum = sums.remove(&node.name).unwrap_or_default();
            let same = sum.own == node.own.allocated
                && sum.all == node.allocated
                && sum.charged == node.charged;
            ensure(same, || format!("what role {} holds", node.name))?;
            ensure(sum.reserved == node.reserved, || {
                format!("what is reserved to role {}", node.name)
            })?;
        }
        ensure(sums.is_empty(), || "the role of what is held".to_owned())
    }

    /// What is kept for guarantees, and what there is to keep; whom constraints exclude.
    fn check_promises(&self) -> Result<(), Violation> {
        let mut required = Scalars::new();
        let mut below: BTreeMap<Role, Scalars> = BTreeMap::new();
        for (_, node) in self.contest.roles() {
            let sum = match node.name.parent() {
                Some(parent) => below.entry(parent).or_default(),
                None => &mut required,
            };
            sum.add(&node.need);
        }
        for (_, node) in self.contest.roles() {
            let below = below.remove(&node.name).unwrap_or_default();
            let unmet = node.quota.guarantees.saturating_sub(&node.consumed());
            let above = |role: Role| self.contest.role_named(&role);
            let mut above = path(&node.name).filter_map(above);
            let limited = above.any(|above| !above.quota.limits.is_empty());
            let same = node.need == larger(&unmet, &below) && node.limited == limited;
            ensure(same, || format!("what role {} is promised", node.name))?;
        }
        ensure(required == *self.contest.required(), || {
            "what is promised".to_owned()
        })?;
        let mut available = Scalars::new();
        let agents = self.agents.iter().filter(|_| self.contest.has_guarantees());
        agents.for_each(|(_, agent)| available.add(&agent.open()));
        let same = !self.contest.has_guarantees() || available == *self.contest.available();
        ensure(same, || "what is available".to_owned())?;
        self.check_terms()
    }

    /// Exactly the agents that its constraints do not admit are kept from a client.
    fn check_terms(&self) -> Result<(), Violation> {
        for (_, client) in self.contest.clients().iter() {
            let Some(constraints) = &client.terms.constraints else {
                continue;
            };
            let same = self.agents.iter().all(|(key, agent)| {
                client.terms.excludes(AgentKey(key)) != constraints.admit(agent.profile())
            });
            ensure(same, || format!("what {} can use", client.framework))?;
        }
        Ok(())
    }

    /// The scalars that each client holds, and on how many agents.
    fn held_by_client(&self) -> BTreeMap<u32, (Load, u32)> {
        let mut held: BTreeMap<u32, (Load, u32)> = BTreeMap::new();
        for (_, agent) in self.agents.iter() {
            let mut here = BTreeSet::new();
            for (client, resources) in agent.ledger().iter() {
                let (sum, agents) = held.entry(client).or_default();
                sum.add(&Load::of(resources));
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
        for (slot, _) in clients {
            in_play.insert(slot);
        }
        let same = in_play.has_the_members_of(contest.live())
            && in_play.without(&Slots::new()).count() == ranked.len();
        ensure(same, || "who is in play".to_owned())
    }
}

/// What is held in a role itself, and what counts for it.
#[derive(Default)]
struct Sums {
    own: Scalars,
    all: Scalars,
    charged: Scalars,
    reserved: Scalars,
}

/// A role and those above it.
fn path(role: &Role) -> impl Iterator<Item = Role> {
    std::iter::successors(Some(role.clone()), Role::parent)
}

/// Free and held are together what there is; or, if more is held than there is, nothing of that
/// is free.
fn check_conservation(key: AgentKey, agent: &Agent) -> Result<(), Violation> {
    let held = agent.ledger().iter();
    let held = held.fold(Resources::new(), |sum, (_, held)| sum + &*exclusive(held));
    let (free, overdrawn) = agent.count();
    let whole =
        overdrawn || exclusive(agent.free()).into_owned() + &held == *exclusive(agent.total());
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
