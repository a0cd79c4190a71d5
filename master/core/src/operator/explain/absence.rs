//! Why an agent is offered to nobody, which the allocator does not know.

use std::collections::BTreeMap;

use tepui_allocator::explain::{Count, Reason, Waiting};
use tepui_model::AgentKey;

use crate::{
    Master,
    agents::{Agent, AgentState, DrainState},
};

/// A reason in words, and on how many agents it holds.
pub(super) struct Told<'a> {
    pub(super) reason: &'a Reason,
    pub(super) text: String,
    /// Where it is the nearest miss.
    pub(super) agent: AgentKey,
    pub(super) agents: usize,
}

/// What keeps an agent from being offered.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Absence {
    is_away: bool,
    deactivation: Option<Deactivated>,
}

/// What an operator made of it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Deactivated {
    WithItsTasks,
    Draining,
    Drained,
}

impl Absence {
    /// With how many tasks are left of those that are to end.
    fn words(self, left: usize) -> String {
        let deactivation = self.deactivation.map(|it| match it {
            Deactivated::WithItsTasks => "deactivated",
            Deactivated::Draining => "draining",
            Deactivated::Drained => "drained",
        });
        let away = self.is_away.then_some("away");
        let all: Vec<&str> = away.into_iter().chain(deactivation).collect();
        let text = format!("the agent is {}", all.join(" and "));
        match (self.deactivation, left) {
            (Some(Deactivated::Draining), 1) => format!("{text}: 1 task is left"),
            (Some(Deactivated::Draining), left) if left > 1 => {
                format!("{text}: {left} tasks are left")
            }
            _ => text,
        }
    }
}

impl Master {
    /// The reasons for which somebody waits, the most frequent first.
    pub(super) fn told_reasons<'a>(&self, waiting: &'a Waiting) -> Vec<Told<'a>> {
        let counts = waiting.reasons.iter();
        let mut told: Vec<_> = counts.flat_map(|it| self.told_reason(it)).collect();
        told.sort_by_key(|told| core::cmp::Reverse(told.agents));
        told
    }

    fn told_reason<'a>(&self, count: &'a Count) -> Vec<Told<'a>> {
        let reason = &count.reason;
        if *reason != Reason::AgentInactive {
            return vec![Told {
                reason,
                text: self.words(reason),
                agent: count.agent,
                agents: count.agents.len(),
            }];
        }
        let mut absent: BTreeMap<Absence, Vec<&Agent>> = BTreeMap::new();
        for agent in count.agents.iter().filter_map(|key| self.agents.get(*key)) {
            absent.entry(self.absence(agent)).or_default().push(agent);
        }
        let told = absent.into_iter().filter_map(|(absence, agents)| {
            let left = agents.iter().map(|agent| agent.tasks.len()).sum();
            Some(Told {
                reason,
                text: absence.words(left),
                agent: agents.first()?.key,
                agents: agents.len(),
            })
        });
        told.collect()
    }

    fn absence(&self, agent: &Agent) -> Absence {
        let deactivation = self.agents.deactivated.get(&agent.id);
        let deactivation = deactivation.map(|it| match it.drain.map(|drain| drain.state) {
            None => Deactivated::WithItsTasks,
            Some(DrainState::Draining) => Deactivated::Draining,
            Some(DrainState::Drained) => Deactivated::Drained,
        });
        Absence {
            is_away: agent.state != AgentState::Connected,
            deactivation,
        }
    }
}
