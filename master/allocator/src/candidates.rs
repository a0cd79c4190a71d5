//! Which agents the next run looks at, and in which order.

use std::collections::BTreeSet;

use tepui_model::{AgentKey, Time};

use crate::{agents::Agent, table::Table};

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

    /// Whether there is anything to look at now.
    pub(crate) fn is_pending(&self) -> bool {
        self.everyone || !self.changed.is_empty()
    }

    /// When the next agent becomes a candidate by itself.
    pub(crate) fn next_wake(&self) -> Option<Time> {
        self.wakes.first().map(|(time, _)| *time)
    }

    /// Whether an agent is listed for the next run.
    pub(crate) fn lists(&self, key: AgentKey) -> bool {
        self.changed.contains(&key)
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
        seed: u64,
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
        shuffle(&mut keys, seed, self.runs);
        keys
    }
}

/// Sorts by numbers that look random.
pub(crate) fn shuffle(keys: &mut [AgentKey], seed: u64, run: u64) {
    let salt = mix(seed ^ mix(run));
    keys.sort_by_cached_key(|key| (mix(salt ^ u64::from(key.0)), *key));
}

/// The finalizer of SplitMix64 (Steele, Lea and Flood 2014): every bit of the input moves about
/// half of the output.
const fn mix(number: u64) -> u64 {
    let number = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(keys: impl IntoIterator<Item = u32>, seed: u64, run: u64) -> Vec<u32> {
        let mut keys: Vec<_> = keys.into_iter().map(AgentKey).collect();
        shuffle(&mut keys, seed, run);
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
        let mut firsts = [0; 10];
        for run in 0..10_000 {
            firsts[order(0..10, 7, run)[0] as usize] += 1;
        }
        assert!(
            firsts.iter().all(|count| (850..1150).contains(count)),
            "{firsts:?}"
        );
    }
}
