//! Why somebody waits: the reasons for which agents are not offered, from the functions that
//! decide, off the path of allocation and at a bounded cost.

mod reason;

use std::sync::Arc;

use tepui_model::{AgentKey, FrameworkKey, Role, Time};

pub use self::reason::Reason;
pub use crate::contest::{Branch, Lead};
use crate::{
    agents::Court,
    allocator::Allocator,
    contest::{Client, Contest, Stage},
    limits::{MAX_AGENTS_EXPLAINED, MAX_AHEAD, MAX_CLIENTS_EXPLAINED, MAX_REASONS},
};

/// Whose waiting is to be explained.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Query {
    /// A framework's, in each of its roles.
    Framework(FrameworkKey),
    /// That of the frameworks of a role and of roles below.
    Role(Role),
    /// Everybody's for one agent.
    Agent(AgentKey),
}

/// Why frameworks wait.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Explanation {
    /// One for each framework in each role, in the order in which they are served; those that are
    /// not in play come last.
    pub waiting: Vec<Waiting>,
    /// How many more there are than were explained.
    pub left_out: usize,
}

/// Why a framework waits in a role.
#[derive(Clone, Debug, PartialEq)]
pub struct Waiting {
    /// The framework.
    pub framework: FrameworkKey,
    /// Its role.
    pub role: Role,
    /// Why it is made no offers at all, if so.
    pub idle: Option<Idle>,
    /// The first of those that are served before it.
    pub ahead: Vec<(FrameworkKey, Role)>,
    /// Why the first of them is.
    pub why_behind: Option<Lead>,
    /// How many are served before it.
    pub ahead_count: usize,
    /// Why agents are not offered, the most frequent reason first.
    pub reasons: Vec<Count>,
    /// How many agents were looked at.
    pub looked_at: usize,
    /// How many there are.
    pub agents: usize,
}

/// Why a framework is made no offers at all in a role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Idle {
    /// It does not have the role.
    NotSubscribed,
    /// It is not connected.
    Disconnected,
    /// It asked for no offers (Mesos: OFF-10).
    Suppressed,
}

/// A reason, and on how many agents it holds.
#[derive(Clone, Debug, PartialEq)]
pub struct Count {
    /// The reason where it is the nearest miss.
    pub reason: Reason,
    /// That agent.
    pub agent: AgentKey,
    /// All agents on which a reason of this sort holds.
    pub agents: Vec<AgentKey>,
}

impl Allocator {
    /// Why somebody waits, as things are at that time.
    #[must_use]
    pub fn explain(&self, query: &Query, now: Time) -> Explanation {
        // The order may be out of date; this one is not kept.
        let mut contest = self.contest.clone();
        contest.settle();
        let order: Vec<u32> = contest.in_order().collect();
        let idle = contest.clients().iter();
        let idle = idle.filter(|(_, client)| !client.state.in_play());
        let everybody = order.iter().copied().chain(idle.map(|(slot, _)| slot));
        let wanted: Vec<u32> = everybody
            .filter(|slot| self.is_asked_for(query, *slot))
            .collect();
        let only = match query {
            Query::Agent(key) => Some(*key),
            _ => None,
        };
        let explained = wanted.iter().take(MAX_CLIENTS_EXPLAINED);
        Explanation {
            waiting: explained
                .filter_map(|slot| self.waiting(&contest, *slot, &order, (only, now)))
                .collect(),
            left_out: wanted.len().saturating_sub(MAX_CLIENTS_EXPLAINED),
        }
    }

    fn is_asked_for(&self, query: &Query, slot: u32) -> bool {
        let Some(client) = self.contest.client(slot) else {
            return false;
        };
        match query {
            Query::Framework(key) => client.framework == *key,
            Query::Agent(_) => client.state.subscribed,
            Query::Role(wanted) => self
                .contest
                .role(client.role)
                .is_some_and(|node| node.name == *wanted || node.name.is_below(wanted)),
        }
    }

    fn waiting(
        &self,
        contest: &Contest,
        slot: u32,
        order: &[u32],
        (only, now): (Option<AgentKey>, Time),
    ) -> Option<Waiting> {
        let client = self.contest.client(slot)?;
        let name = |slot: &u32| {
            let client = self.contest.client(*slot)?;
            let role = self.contest.role(client.role)?;
            Some((client.framework, role.name.clone()))
        };
        let idle = idle(client);
        let place = order.iter().position(|other| *other == slot);
        let ahead = &order[..place.unwrap_or_default()];
        let (reasons, looked_at) = match idle {
            Some(_) => (Vec::new(), 0),
            None => self.reasons(slot, only, now),
        };
        let (framework, role) = name(&slot)?;
        Some(Waiting {
            framework,
            role,
            idle,
            ahead: ahead.iter().filter_map(name).take(MAX_AHEAD).collect(),
            why_behind: ahead.first().and_then(|first| contest.lead(*first, slot)),
            ahead_count: ahead.len(),
            reasons,
            looked_at,
            agents: self.agents.iter().count(),
        })
    }

    /// The reasons on all agents, or on one, counted, and how many agents were looked at.
    fn reasons(&self, slot: u32, only: Option<AgentKey>, now: Time) -> (Vec<Count>, usize) {
        let mut counts: Vec<Count> = Vec::new();
        let mut looked_at = 0;
        let agents = self.agents.iter().map(|(key, _)| AgentKey(key));
        let agents = agents.filter(|key| only.is_none_or(|only| only == *key));
        for key in agents.take(MAX_AGENTS_EXPLAINED) {
            let Some(reason) = self.reason(slot, key, now) else {
                continue;
            };
            looked_at += 1;
            let same = counts.iter().position(|it| it.reason.is_like(&reason));
            match same {
                Some(at) => {
                    let count = &mut counts[at];
                    count.agents.push(key);
                    if reason.is_nearer_than(&count.reason) {
                        (count.reason, count.agent) = (reason, key);
                    }
                }
                None if counts.len() < MAX_REASONS => counts.push(Count {
                    reason,
                    agent: key,
                    agents: vec![key],
                }),
                None => {}
            }
        }
        counts.sort_by_key(|count| core::cmp::Reverse(count.agents.len()));
        (counts, looked_at)
    }

    /// Why a client is not offered anything of an agent.
    pub(crate) fn reason(&self, slot: u32, key: AgentKey, now: Time) -> Option<Reason> {
        let agent = self.agents.get(key.0)?;
        let court = Court {
            contest: &self.contest,
            options: &self.options,
            stage: Stage::Shares,
        };
        let reason = match agent.verdict(court, slot, now) {
            Reason::NothingAsked => self.no_ask(slot),
            reason => reason,
        };
        if reason != Reason::NobodyElse && self.contest.has_guarantees() {
            let stage = Stage::Guarantees;
            let first = agent.verdict(Court { stage, ..court }, slot, now);
            if first == Reason::NobodyElse {
                return Some(first);
            }
        }
        Some(reason)
    }

    /// Why a client that asks for nothing by itself waits: perhaps for the place of a gang.
    fn no_ask(&self, slot: u32) -> Reason {
        let gang = self.waiting_gang(slot);
        gang.map_or(Reason::NothingAsked, |gang| Reason::GangIncomplete {
            name: Arc::clone(&gang.name),
            missing: gang.missing,
        })
    }
}

fn idle(client: &Client) -> Option<Idle> {
    let state = client.state;
    match (state.subscribed, state.active, state.suppressed) {
        (false, ..) => Some(Idle::NotSubscribed),
        (_, false, _) => Some(Idle::Disconnected),
        (.., true) => Some(Idle::Suppressed),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
