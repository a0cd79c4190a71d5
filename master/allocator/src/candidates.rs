//! Which agents the next run looks at, and in which order.

use std::collections::BTreeSet;

use tepui_model::{AgentKey, Time};

use crate::{
    agents::Agent,
    contest::{Client, Contest},
    limits::MAX_EAGER,
    mix::mix,
    options::{Options, Placement},
    slots::Slots,
    table::Table,
};

/// Agents where something changed since they were last looked at, and the times at which
/// something will.
///
/// An agent that everybody has refused is in neither before a filter on it ends.
#[derive(Clone, Debug, Default)]
pub(crate) struct Candidates {
    changed: Slots,
    changed_count: usize,
    /// The agents that have something to offer.
    offerable: Slots,
    /// The clients that want more than before: what others left is looked at for them.
    eager: Vec<u32>,
    /// All that is offerable is looked at, whoever wants it.
    everything: bool,
    /// One at most for an agent: its `wake`.
    wakes: BTreeSet<(Time, AgentKey)>,
    /// Agents where somebody would have been offered more, were it not for quota.
    waiting: BTreeSet<AgentKey>,
    runs: u64,
}

/// The agents that a run may look at, in its order.
#[derive(Debug)]
pub(crate) struct Round {
    pub(crate) keys: Vec<AgentKey>,
    changed: Slots,
    eager: Vec<u32>,
    everything: bool,
}

impl Candidates {
    /// Something changed on an agent.
    pub(crate) fn add(&mut self, key: AgentKey, agent: &Agent) {
        if agent.is_offerable() && self.changed.insert(key.0) {
            self.changed_count += 1;
        }
    }

    /// A client wants more than before.
    pub(crate) fn add_for(&mut self, client: u32) {
        if self.eager.len() == MAX_EAGER {
            self.everything = true;
        } else if !self.eager.contains(&client) {
            self.eager.push(client);
        }
    }

    /// Something changed for every agent.
    pub(crate) fn add_all(&mut self) {
        self.everything = true;
    }

    /// Notes whether an agent has something to offer.
    pub(crate) fn set_offerable(&mut self, key: AgentKey, agent: &Agent) {
        if agent.is_offerable() {
            self.offerable.insert(key.0);
        } else {
            self.offerable.remove(key.0);
        }
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
    pub(crate) fn add_waiting(&mut self, agents: &Table<Agent>) {
        for key in core::mem::take(&mut self.waiting) {
            if let Some(agent) = agents.get(key.0) {
                self.add(key, agent);
            }
        }
    }

    /// An agent is gone.
    pub(crate) fn forget(&mut self, key: AgentKey, agent: &mut Agent) {
        self.set_wake(key, agent, None);
        self.waiting.remove(&key);
        self.offerable.remove(key.0);
        self.changed_count -= usize::from(self.changed.remove(key.0));
    }

    /// Whether anybody is held back anywhere.
    pub(crate) fn is_anyone_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Whether there is anything to look at now.
    pub(crate) fn is_pending(&self) -> bool {
        self.everything || self.changed_count > 0 || !self.eager.is_empty()
    }

    /// How often they were taken.
    pub(crate) const fn runs(&self) -> u64 {
        self.runs
    }

    /// When the next agent becomes a candidate by itself.
    pub(crate) fn next_wake(&self) -> Option<Time> {
        self.wakes.first().map(|(time, _)| *time)
    }

    /// Whether the tables say of an agent what is so.
    pub(crate) fn agrees_with(&self, key: AgentKey, agent: &Agent) -> bool {
        self.offerable.contains(key.0) == agent.is_offerable()
            && agent
                .wake
                .is_none_or(|wake| self.wakes.contains(&(wake, key)))
    }

    /// Takes all candidates, in an order that the seed and the number of the run decide and that
    /// does not depend on which agents are among them.
    pub(crate) fn take(
        &mut self,
        now: Time,
        options: &Options,
        agents: &mut Table<Agent>,
    ) -> Round {
        self.runs += 1;
        while let Some((_, key)) = self.wakes.first().copied().filter(|(time, _)| *time <= now) {
            self.wakes.pop_first();
            if let Some(agent) = agents.get_mut(key.0) {
                agent.wake = None;
                self.add(key, agent);
            }
        }
        self.changed_count = 0;
        let mut round = Round {
            keys: Vec::new(),
            changed: core::mem::take(&mut self.changed),
            eager: core::mem::take(&mut self.eager),
            everything: core::mem::take(&mut self.everything),
        };
        let mut all = round.changed.clone();
        if round.everything || !round.eager.is_empty() {
            all.add_all(&self.offerable);
        }
        round.keys = all.iter().map(AgentKey).collect();
        match options.placement {
            Placement::Spread => rotate(&mut round.keys, options.seed, self.runs, agents.places()),
            Placement::BinPack => round.keys.sort_by_cached_key(|key| {
                let free = agents.get(key.0).map(Agent::free_permille);
                (free, *key)
            }),
        }
        round
    }
}

impl Round {
    /// Whether there is a reason to look at an agent: something changed there, or there is still
    /// somebody who wants more than before.
    pub(crate) fn is_due(&mut self, key: AgentKey, contest: &Contest) -> bool {
        if self.everything || self.changed.contains(key.0) {
            return true;
        }
        while let Some(client) = self.eager.last() {
            if contest.client(*client).is_some_and(Client::is_hungry) {
                return true;
            }
            self.eager.pop();
        }
        false
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
