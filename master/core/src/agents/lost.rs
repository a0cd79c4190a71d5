//! Agents that are not there any more, by id and by age (Mesos: TSK-05).

use std::collections::{BTreeMap, BTreeSet};

use tepui_model::{AgentId, Time};

use crate::record::LostAgent;

/// Ids of lost agents and since when they are.
#[derive(Debug, Default)]
pub(crate) struct LostAgents {
    since: BTreeMap<AgentId, Time>,
    /// Those that an operator gave up: their programs must end (Mesos: GON-01).
    by_operator: BTreeSet<AgentId>,
    by_age: BTreeSet<(Time, AgentId)>,
}

impl LostAgents {
    pub(crate) fn len(&self) -> usize {
        self.since.len()
    }

    pub(crate) fn insert(&mut self, lost: LostAgent) {
        self.remove(&lost.id);
        if lost.by_operator {
            self.by_operator.insert(lost.id.clone());
        }
        self.since.insert(lost.id.clone(), lost.since);
        self.by_age.insert((lost.since, lost.id));
    }

    pub(crate) fn remove(&mut self, id: &AgentId) -> Option<Time> {
        let since = self.since.remove(id)?;
        self.by_operator.remove(id);
        self.by_age.remove(&(since, id.clone()));
        Some(since)
    }

    pub(crate) fn is_by_operator(&self, id: &AgentId) -> bool {
        self.by_operator.contains(id)
    }

    pub(crate) fn since(&self, id: &AgentId) -> Option<Time> {
        self.since.get(id).copied()
    }

    pub(crate) fn contains(&self, id: &AgentId) -> bool {
        self.since.contains_key(id)
    }

    /// Takes the oldest one if it was lost before `horizon`, or if there are more than `limit`.
    pub(crate) fn pop_stale(&mut self, horizon: Time, limit: usize) -> Option<AgentId> {
        let (since, _) = self.by_age.first()?;
        if *since >= horizon && self.since.len() <= limit {
            return None;
        }
        let (_, id) = self.by_age.pop_first()?;
        self.since.remove(&id);
        self.by_operator.remove(&id);
        Some(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(name: &str) -> AgentId {
        AgentId::new(name).unwrap()
    }

    fn lost(name: &str, since: u64) -> LostAgent {
        LostAgent {
            id: id(name),
            since: Time::from_micros(since),
            by_operator: since.is_multiple_of(2),
        }
    }

    #[test]
    fn the_oldest_go_first_by_age_and_by_count() {
        let mut agents = LostAgents::default();
        for (name, since) in [("b", 1), ("a", 2), ("c", 3)] {
            agents.insert(lost(name, since));
        }
        assert_eq!(agents.pop_stale(Time::from_micros(2), 9), Some(id("b")));
        assert_eq!(agents.pop_stale(Time::from_micros(2), 9), None);
        assert_eq!(agents.pop_stale(Time::ZERO, 1), Some(id("a")));
        assert_eq!(agents.pop_stale(Time::ZERO, 1), None);
        assert!(agents.contains(&id("c")));
    }

    #[test]
    fn an_agent_lost_twice_is_lost_since_the_second_time() {
        let mut agents = LostAgents::default();
        agents.insert(lost("a", 2));
        assert!(agents.is_by_operator(&id("a")));
        agents.insert(lost("a", 5));
        assert!(!agents.is_by_operator(&id("a")));
        assert_eq!(agents.since(&id("a")), Some(Time::from_micros(5)));
        assert_eq!(agents.pop_stale(Time::from_micros(5), 9), None);
    }
}
