//! Whole jobs on a cluster where everything goes wrong: one seed, one history.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::*;
use tepui_sdk::model::{AgentId, TaskState};

use super::{harness::*, *};
use crate::{ids::Place, plan::Report};

/// Dice that fall the same for the same seed (SplitMix64, Vigna).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % sides as u64) as usize
    }

    fn one_in(&mut self, sides: usize) -> bool {
        self.roll(sides) == 0
    }

    fn take<T>(&mut self, from: &mut Vec<T>) -> Option<T> {
        if from.is_empty() {
            None
        } else {
            Some(from.swap_remove(self.roll(from.len())))
        }
    }
}

/// Agents, the tasks on them, and what they left in their sandboxes.
struct Cluster {
    harness: Harness,
    dice: Dice,
    /// While true, agents die, tasks fail and the framework's process dies.
    faults: bool,
    agents: Vec<String>,
    born: usize,
    running: Vec<Launched>,
    /// Which attempts left an output, and on which agent.
    outputs: BTreeMap<Attempt, AgentId>,
    reports: BTreeMap<Attempt, Report>,
    waiting: Vec<Effect>,
    wants_offers: bool,
    ever_launched: BTreeSet<Attempt>,
    results: BTreeMap<Place, Attempt>,
}

impl Cluster {
    fn new(seed: u64) -> Self {
        let file = "{name: j, cpus: 1, retries: 100, input: {lines: [a, b, c]}, stages: [\
                    {map: {builtin: words}}, {reduce: {builtin: sum}, partitions: 2}, \
                    {reduce: {command: cat}, partitions: 3}]}";
        let mut cluster = Self {
            harness: Harness::new(),
            dice: Dice(seed),
            faults: true,
            agents: ["a", "b", "c"].map(String::from).into(),
            born: 0,
            running: Vec::new(),
            outputs: BTreeMap::new(),
            reports: BTreeMap::new(),
            waiting: Vec::new(),
            wants_offers: false,
            ever_launched: BTreeSet::new(),
            results: BTreeMap::new(),
        };
        let (_, effects) = cluster.harness.submit(file).unwrap();
        cluster.take(effects);
        cluster
    }

    fn lives(&self, agent: &AgentId) -> bool {
        self.agents.iter().any(|name| name == agent.as_str())
    }

    fn apply(&mut self, event: Event) {
        let effects = self.harness.apply(event);
        self.take(effects);
    }

    fn update(&mut self, attempt: &Attempt, state: TaskState) {
        self.apply(Event::Update(status(&attempt.to_string(), state)));
    }

    /// The shell's part: some effects are done later, some never, because the process dies.
    fn take(&mut self, effects: Vec<Effect>) {
        for task in launched(&effects) {
            self.launch(task);
        }
        for effect in effects {
            match effect {
                Effect::Kill(task) => {
                    self.running
                        .retain(|run| run.attempt.to_string() != task.as_str());
                }
                Effect::Inspect(..) | Effect::Collect(..) => self.waiting.push(effect),
                Effect::Revive => self.wants_offers = true,
                Effect::Suppress => self.wants_offers = false,
                _ => {}
            }
        }
    }

    fn launch(&mut self, task: Launched) {
        assert!(
            self.ever_launched.insert(task.attempt.clone()),
            "{} twice",
            task.attempt
        );
        let lost_on_the_way = self.faults && self.dice.one_in(20);
        if self.lives(&task.agent) && !lost_on_the_way {
            self.running.push(task);
        }
    }

    fn step(&mut self) {
        match self.dice.roll(10) {
            0 | 1 => self.offer(),
            2..=4 => self.task_moves(),
            5 | 6 => self.answer(),
            7 => {
                let effects = self.harness.wait(Duration::from_secs(40));
                self.take(effects);
            }
            8 => self.reconcile(),
            _ if !self.faults => {}
            _ => match self.dice.roll(4) {
                0 | 1 => self.agent_dies(),
                2 => self.framework_dies(),
                _ => self.old_news(),
            },
        }
    }

    fn offer(&mut self) {
        if self.wants_offers {
            let free = |name: &String| {
                let used = self
                    .running
                    .iter()
                    .filter(|run| run.agent.as_str() == name)
                    .count();
                offer(
                    name,
                    &format!("cpus:{};mem:4096", 2_usize.saturating_sub(used).max(1)),
                )
            };
            let offers = self.agents.iter().map(free).collect();
            self.apply(Event::Offers(offers));
        }
    }

    fn task_moves(&mut self) {
        let Some(task) = self.dice.take(&mut self.running) else {
            return;
        };
        if self.dice.one_in(2) {
            self.running.push(task.clone());
            return self.update(&task.attempt, TaskState::Running);
        }
        let lost = self.missing(&task);
        if lost.is_empty() && !(self.faults && self.dice.one_in(8)) {
            self.outputs
                .insert(task.attempt.clone(), task.agent.clone());
            return self.update(&task.attempt, TaskState::Finished);
        }
        let report = Report {
            error: "cannot".into(),
            lost,
        };
        self.reports.insert(task.attempt.clone(), report);
        self.update(&task.attempt, TaskState::Failed);
    }

    /// Which outputs the task looks for in vain: those whose agent died.
    fn missing(&self, task: &Launched) -> Vec<(u32, u32)> {
        let Source::Shuffle(shuffle) = &task.plan.source else {
            return Vec::new();
        };
        let before = task.attempt.place.stage as usize - 1;
        assert_eq!(
            shuffle.outputs.len(),
            self.harness.job().stages[before].len()
        );
        let is_missing = |output: &Attempt, address: &str| match self.outputs.get(output) {
            Some(agent) => {
                assert_eq!(format!("{agent}:5051"), address, "{output} is elsewhere");
                !self.lives(agent)
            }
            None => panic!(
                "{} is to fetch {output}, which never finished",
                task.attempt
            ),
        };
        let outputs = task.plan.outputs(shuffle);
        let missing = outputs.filter(|output| is_missing(&output.task, &output.agent));
        missing
            .map(|output| (output.task.place.partition, output.task.number))
            .collect()
    }

    fn answer(&mut self) {
        match self.dice.take(&mut self.waiting) {
            Some(Effect::Inspect(attempt, site)) => {
                let report = self
                    .reports
                    .get(&attempt)
                    .filter(|_| self.lives(&site.agent))
                    .cloned();
                self.apply(Event::Inspected { attempt, report });
            }
            Some(Effect::Collect(attempt, site)) => {
                assert_eq!(self.outputs.get(&attempt), Some(&site.agent));
                let result = if self.lives(&site.agent) {
                    Ok(())
                } else {
                    Err("gone".into())
                };
                if result.is_ok() {
                    self.results.insert(attempt.place, attempt.clone());
                }
                self.apply(Event::Collected { attempt, result });
            }
            _ => {}
        }
    }

    /// The master says what it knows of the tasks that the core takes for alive.
    fn reconcile(&mut self) {
        let live: Vec<_> = self
            .harness
            .core
            .live()
            .map(|(attempt, _)| attempt)
            .collect();
        for attempt in live {
            let runs = self.running.iter().any(|run| run.attempt == attempt);
            self.update(
                &attempt,
                if runs {
                    TaskState::Running
                } else {
                    TaskState::Gone
                },
            );
        }
    }

    fn agent_dies(&mut self) {
        let Some(name) = self.dice.take(&mut self.agents) else {
            return;
        };
        let dead = agent(&name);
        let died: Vec<_> = self
            .running
            .extract_if(.., |run| run.agent == dead)
            .map(|run| run.attempt)
            .collect();
        self.born += 1;
        self.agents.push(format!("{name}{}", self.born));
        if self.dice.one_in(2) {
            self.apply(Event::AgentLost(dead));
        }
        for attempt in died {
            self.update(&attempt, TaskState::Unreachable);
        }
    }

    fn framework_dies(&mut self) {
        self.waiting.clear();
        self.wants_offers = true;
        let effects = self.harness.restart();
        self.take(effects);
        self.reconcile();
    }

    /// An update that was delivered long ago comes again.
    fn old_news(&mut self) {
        let old: Vec<_> = self.ever_launched.iter().cloned().collect();
        let runs = |attempt: &Attempt| self.running.iter().any(|run| run.attempt == *attempt);
        let mut old: Vec<_> = old.into_iter().filter(|attempt| !runs(attempt)).collect();
        if let Some(attempt) = self.dice.take(&mut old)
            && !self.harness.core.live().any(|(live, _)| live == attempt)
        {
            let states = [TaskState::Running, TaskState::Failed, TaskState::Finished];
            let state = states[self.dice.roll(states.len())];
            self.update(&attempt, state);
        }
    }

    fn ended(&self) -> bool {
        self.harness.job().state.has_ended()
    }

    /// A history of faults, then peace: the job must come to its end.
    fn run(&mut self) {
        for _ in 0..300 {
            self.step();
        }
        self.faults = false;
        for _ in 0..5000 {
            if self.ended() {
                break;
            }
            self.step();
        }
        let job = self.harness.job();
        assert_eq!(
            job.state,
            JobState::Succeeded,
            "{} {:?}",
            job.reason,
            job.progress()
        );
        for partition in 0..3 {
            let place = Place {
                stage: 2,
                partition,
            };
            let collected = &self.results[&place];
            assert_eq!(collected.number, self.harness.task(2, partition).attempt);
        }
        self.reconcile();
        assert_eq!(self.harness.core.live().count(), 0);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_job_survives_whatever_happens_to_its_cluster(seed in any::<u64>()) {
        Cluster::new(seed).run();
    }
}
