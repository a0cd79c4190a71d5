//! Agents that are not there any more, by id and by age (Mesos: TSK-05).

use std::collections::{BTreeMap, BTreeSet};

use tepui_model::{AgentId, Time};

/// Ids of lost agents and since when they are.
#[derive(Debug, Default)]
pub(crate) struct LostAgents {
    since: BTreeMap<AgentId, Time>,
    by_age: BTreeSet<(Time, AgentId)>,
}

impl LostAgents {
    pub(crate) fn insert(&mut self, id: AgentId, since: Time) {
        self.remove(&id);
        self.by_age.insert((since, id.clone()));
        self.since.insert(id, since);
    }

    pub(crate) fn remove(&mut self, id: &AgentId) -> Option<Time> {
        let since = self.since.remove(id)?;
        self.by_age.remove(&(since, id.clone()));
        Some(since)
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
        Some(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(name: &str) -> AgentId {
        AgentId::new(name).unwrap()
    }

    #[test]
    fn the_oldest_go_first_by_age_and_by_count() {
        let mut lost = LostAgents::default();
        for (name, since) in [("b", 1), ("a", 2), ("c", 3)] {
            lost.insert(id(name), Time::from_micros(since));
        }
        assert_eq!(lost.pop_stale(Time::from_micros(2), 9), Some(id("b")));
        assert_eq!(lost.pop_stale(Time::from_micros(2), 9), None);
        assert_eq!(lost.pop_stale(Time::ZERO, 1), Some(id("a")));
        assert_eq!(lost.pop_stale(Time::ZERO, 1), None);
        assert!(lost.contains(&id("c")));
    }

    #[test]
    fn an_agent_lost_twice_is_lost_since_the_second_time() {
        let mut lost = LostAgents::default();
        lost.insert(id("a"), Time::from_micros(1));
        lost.insert(id("a"), Time::from_micros(5));
        assert_eq!(lost.since(&id("a")), Some(Time::from_micros(5)));
        assert_eq!(lost.pop_stale(Time::from_micros(5), 9), None);
    }
}
