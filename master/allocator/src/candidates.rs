//! Which agents the next run looks at, and in which order.

use std::collections::BTreeSet;

use tepui_model::{AgentKey, Time};

use crate::{
    agents::Agent,
    mix::mix,
    options::{Options, Placement},
    table::Table,
};

/// Agents where something changed since they were last looked at, and the times at which
/// something will.
///
/// An agent that everybody has refused is in neither before a filter on it ends.
#[derive(Clone, Debug, Default)]
pub(crate) struct Candidates {
    changed: Vec<AgentKey>,
    /// Somebody new is to be served: every agent is a candidate.
    everyone: bool,
    /// One at most for an agent: its `wake`.
    wakes: BTreeSet<(Time, AgentKey)>,
    /// Agents where somebody would have been offered more, were it not for quota or for want of
    /// asks.
    waiting: BTreeSet<AgentKey>,
    runs: u64,
}

impl Candidates {
    /// Something changed on an agent.
    pub(crate) fn add(&mut self, key: AgentKey, agent: &mut Agent) {
        if agent.is_offerable() && !agent.candidate {
            agent.candidate = true;
            self.changed.push(key);
        }
    }

    /// Something changed for every agent.
    pub(crate) fn add_all(&mut self) {
        self.everyone = true;
    }

    /// Sets when an agent becomes a candidate by itself.
    pub(crate) fn set_wake(&mut self, key: AgentKey, agent: &mut Agent, wake: Option<Time>) {
        if agent.wake == wake {
            return;
        }
        if let Some(before) = agent.wake {
            self.wakes.remove(&(before, key));
        }
        self.wakes.extend(wake.map(|time| (time, key)));
        agent.wake = wake;
    }

    /// Notes whether somebody is held back on an agent.
    pub(crate) fn set_waiting(&mut self, key: AgentKey, waits: bool) {
        if waits {
            self.waiting.insert(key);
        } else {
            self.waiting.remove(&key);
        }
    }

    /// Whoever was held back may be given more now.
    pub(crate) fn add_waiting(&mut self, agents: &mut Table<Agent>) {
        for key in core::mem::take(&mut self.waiting) {
            if let Some(agent) = agents.get_mut(key.0) {
                self.add(key, agent);
            }
        }
    }

    /// An agent is gone.
    pub(crate) fn forget(&mut self, key: AgentKey, agent: &mut Agent) {
        self.set_wake(key, agent, None);
        self.waiting.remove(&key);
        if agent.candidate {
            self.changed.retain(|changed| *changed != key);
        }
    }

    /// Whether anybody is held back anywhere.
    pub(crate) fn is_anyone_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Whether there is anything to look at now.
    pub(crate) fn is_pending(&self) -> bool {
        self.everyone || !self.changed.is_empty()
    }

    /// How often they were taken.
    pub(crate) const fn runs(&self) -> u64 {
        self.runs
    }

    /// When the next agent becomes a candidate by itself.
    pub(crate) fn next_wake(&self) -> Option<Time> {
        self.wakes.first().map(|(time, _)| *time)
    }

    /// The agents where something changed.
    pub(crate) fn changed(&self) -> BTreeSet<AgentKey> {
        self.changed.iter().copied().collect()
    }

    /// Whether an agent becomes a candidate at that time.
    pub(crate) fn wakes_at(&self, wake: Time, key: AgentKey) -> bool {
        self.wakes.contains(&(wake, key))
    }

    /// Takes all candidates, in an order that the seed and the number of the run decide and that
    /// does not depend on which agents are among them.
    pub(crate) fn take(
        &mut self,
        now: Time,
        options: &Options,
        agents: &mut Table<Agent>,
    ) -> Vec<AgentKey> {
        self.runs += 1;
        while let Some((_, key)) = self.wakes.first().copied().filter(|(time, _)| *time <= now) {
            self.wakes.pop_first();
            if let Some(agent) = agents.get_mut(key.0) {
                agent.wake = None;
                self.add(key, agent);
            }
        }
        let mut keys = core::mem::take(&mut self.changed);
        if core::mem::take(&mut self.everyone) {
            for key in keys.drain(..) {
                if let Some(agent) = agents.get_mut(key.0) {
                    agent.candidate = false;
                }
            }
            let offerable = agents.iter_mut().filter(|(_, agent)| agent.is_offerable());
            keys.extend(offerable.map(|(key, agent)| {
                agent.candidate = true;
                AgentKey(key)
            }));
        }
        match options.placement {
            Placement::Spread => rotate(&mut keys, options.seed, self.runs, agents.places()),
            Placement::BinPack => keys.sort_by_cached_key(|key| {
                let free = agents.get(key.0).map(Agent::free_permille);
                (free, *key)
            }),
        }
        keys
    }
}

/// Sorts by key, beginning at one that looks random among the `places` there are.
///
/// Mesos shuffles its agents. A shuffle would walk the memory of a large cluster back and forth,
/// and in the order of the keys, neighbours, which are often neighbours in a rack, go to
/// different frameworks.
pub(crate) fn rotate(keys: &mut [AgentKey], seed: u64, run: u64, places: u32) {
    keys.sort_unstable();
    let first = AgentKey((mix(seed ^ mix(run)) % u64::from(places.max(1))) as u32);
    keys.rotate_left(keys.partition_point(|key| *key < first));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(keys: impl IntoIterator<Item = u32>, seed: u64, run: u64) -> Vec<u32> {
        let mut keys: Vec<_> = keys.into_iter().map(AgentKey).collect();
        rotate(&mut keys, seed, run, 100);
        keys.into_iter().map(|key| key.0).collect()
    }

    #[test]
    fn the_order_is_another_in_every_run_and_for_every_seed_but_always_the_same() {
        assert_eq!(order(0..100, 1, 1), order((0..100).rev(), 1, 1));
        assert_ne!(order(0..100, 1, 1), order(0..100, 1, 2));
        assert_ne!(order(0..100, 1, 1), order(0..100, 2, 1));
    }

    #[test]
    fn fewer_candidates_keep_their_order() {
        let mut all = order(0..100, 5, 9);
        all.retain(|key| key % 3 == 0);
        assert_eq!(order((0..100).filter(|key| key % 3 == 0), 5, 9), all);
    }

    #[test]
    fn every_agent_comes_first_about_as_often() {
        let mut firsts = [0; 100];
        for run in 0..100_000 {
            firsts[order(0..100, 7, run)[0] as usize] += 1;
        }
        assert!(
            firsts.iter().all(|count| (850..1150).contains(count)),
            "{firsts:?}"
        );
    }
}
