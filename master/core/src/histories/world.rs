//! The steps of a history, and what must hold in its end.

use core::time::Duration;
use std::collections::BTreeSet;

use tepui_model::{Filters, FrameworkId, TaskId, TaskState};

use super::{
    agent::FakeAgent,
    demand,
    framework::{FakeFramework, Launched},
};
use crate::{
    Action, OperationState,
    testing::{Cluster, aware, refining, unaware, with_timeout},
};

pub(super) struct World {
    pub(super) cluster: Cluster,
    pub(super) agents: Vec<FakeAgent>,
    pub(super) frameworks: Vec<FakeFramework>,
    random: u64,
    pub(super) launched: u32,
}

impl World {
    pub(super) fn new(seed: u64) -> Self {
        let frameworks = [
            demand::optimistic(&demand::with_budget(&aware(), 1)),
            unaware(),
            demand::optimistic(&refining(&["a", "b/c"])),
            demand::optimistic(&with_timeout(0.0)),
        ];
        Self {
            cluster: Cluster::with(demand::config()),
            agents: (0..4).map(FakeAgent::new).collect(),
            frameworks: frameworks.into_iter().map(FakeFramework::new).collect(),
            random: seed,
            launched: 0,
        }
    }

    /// SplitMix64 (Steele, Lea and Flood 2014).
    pub(super) fn below(&mut self, bound: usize) -> usize {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut number = self.random;
        number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((number ^ (number >> 31)) % bound as u64) as usize
    }

    pub(super) fn step(&mut self) {
        let agent = self.below(self.agents.len());
        let framework = self.below(self.frameworks.len());
        match self.below(50) {
            0..=3 => self.agents[agent].connect(&mut self.cluster),
            4 => self.agents[agent].disconnect(&mut self.cluster),
            5..=8 => self.agents[agent].tell(&mut self.cluster),
            9..=11 => self.end_a_task(agent),
            12..=13 if self.frameworks[framework].connection.is_none() => {
                self.frameworks[framework].connect(&mut self.cluster);
            }
            14 => self.frameworks[framework].connect(&mut self.cluster),
            15 => self.frameworks[framework].disconnect(&mut self.cluster),
            16..=21 => self.launch(framework),
            22 => self.refuse(framework),
            23..=25 => self.frameworks[framework].acknowledge_all(&mut self.cluster),
            26 => self.kill_a_task(framework),
            27 => self.frameworks[framework].reconcile(&mut self.cluster),
            28 => self.call(framework, Action::Revive(Vec::new())),
            29 => self.call(framework, Action::Suppress(Vec::new())),
            30 => self.call(framework, Action::Reconcile(Vec::new())),
            31 if self.below(8) == 0 => self.call(framework, Action::Teardown),
            32 if self.below(4) == 0 => self.restart(),
            33 if self.below(4) == 0 => self.replace(framework),
            34..=37 => self.pass(Duration::from_millis(20)),
            38 => self.pass(Duration::from_secs(7)),
            39..=42 => self.operate(framework),
            43 => self.order(agent),
            44 => self.frameworks[framework].reconcile_operations(&mut self.cluster),
            45..=47 => self.ask(framework),
            48 => self.prioritize(),
            _ => self.pass(Duration::from_secs(40)),
        }
        if self.below(4) != 0 {
            self.listen();
        }
    }

    fn listen(&mut self) {
        for agent in &mut self.agents {
            agent.listen(&mut self.cluster);
        }
        for framework in &mut self.frameworks {
            framework.listen(&mut self.cluster);
        }
    }

    fn pass(&mut self, span: Duration) {
        self.cluster.pass(span);
    }

    fn call(&mut self, framework: usize, action: Action) {
        if let Some(connection) = self.frameworks[framework].connection {
            self.frameworks[framework].removed |= matches!(action, Action::Teardown);
            self.cluster.call(connection, action);
        }
    }

    /// A framework that is removed has a successor.
    fn replace(&mut self, framework: usize) {
        if self.frameworks[framework].removed {
            self.frameworks[framework] = FakeFramework::new(with_timeout(30.0));
        }
    }

    fn restart(&mut self) {
        for agent in &mut self.agents {
            agent.connection = None;
        }
        for framework in &mut self.frameworks {
            framework.connection = None;
            framework.offers.clear();
        }
        self.cluster.restart();
    }

    fn end_a_task(&mut self, agent: usize) {
        let keys: Vec<(FrameworkId, TaskId)> = self.agents[agent].tasks.keys().cloned().collect();
        if keys.is_empty() {
            return;
        }
        let key = &keys[self.below(keys.len())];
        let end = [TaskState::Finished, TaskState::Failed][self.below(2)];
        self.agents[agent].become_state(key, end);
    }

    fn kill_a_task(&mut self, framework: usize) {
        let Some(scheduler) = self.frameworks[framework].scheduler() else {
            return;
        };
        let ids: Vec<TaskId> = self.frameworks[framework].tasks.keys().cloned().collect();
        if !ids.is_empty() {
            let id = &ids[self.below(ids.len())];
            self.cluster.kill(&scheduler, id.as_str());
        }
    }

    /// Launches one or two tasks on an offer that it believes to stand, sometimes too large ones.
    fn launch(&mut self, framework: usize) {
        self.frameworks[framework].listen(&mut self.cluster);
        let Some(scheduler) = self.frameworks[framework].scheduler() else {
            return;
        };
        let keep = self.below(8) == 0;
        let Some((id, offer)) = self.frameworks[framework].offers.pop_last() else {
            return;
        };
        let mut tasks = Vec::new();
        for _ in 0..=self.below(2) {
            self.launched += 1;
            let name = format!("t{}", self.launched);
            let size = ["cpus:1;mem:100", "cpus:0.5;ports:[3-4]", "cpus:9"][self.below(3)];
            let priority = self.below(3);
            tasks.push(demand::task(&name, &offer.agent_id, size, priority));
            let launched = Launched {
                agent: offer.agent_id.clone(),
                state: None,
            };
            self.frameworks[framework]
                .tasks
                .insert(TaskId::new(&name).unwrap(), launched);
        }
        self.cluster.accept(&scheduler, &[&id], tasks);
        if keep {
            // It will use the same offer again, which is not valid any more.
            self.frameworks[framework].offers.insert(id, offer);
        }
    }

    fn refuse(&mut self, framework: usize) {
        let spans = [0, 1, 100].map(Duration::from_secs);
        let filters = Filters::refuse(spans[self.below(3)]);
        self.frameworks[framework].decline_all(filters, &mut self.cluster);
    }

    /// Everybody is there and does what is due, until there is nothing left to say.
    pub(super) fn come_to_rest(&mut self) {
        for round in 0..80 {
            for agent in &mut self.agents {
                agent.listen(&mut self.cluster);
                if agent.connection.is_none() {
                    agent.connect(&mut self.cluster);
                }
                agent.tell(&mut self.cluster);
            }
            for framework in &mut self.frameworks {
                framework.listen(&mut self.cluster);
                if framework.connection.is_none() && !framework.removed {
                    framework.connect(&mut self.cluster);
                }
                framework.ask_for_nothing(&mut self.cluster);
                framework.acknowledge_all(&mut self.cluster);
                if round % 20 == 19 {
                    framework.reconcile(&mut self.cluster);
                    framework.reconcile_operations(&mut self.cluster);
                }
                framework.listen(&mut self.cluster);
            }
            self.pass(Duration::from_secs(10));
        }
        self.listen();
    }

    /// How many tasks gave way to others.
    pub(super) fn preempted(&self) -> usize {
        self.agents.iter().map(|agent| agent.preempted).sum()
    }

    /// Every state that a framework of the end was told.
    pub(super) fn told(&self) -> impl Iterator<Item = TaskState> + '_ {
        self.frameworks
            .iter()
            .flat_map(|framework| framework.told.iter().copied())
    }

    /// Every operation was heard of, and master and agents know what each agent has.
    fn agree_on_operations(&self) {
        let seed = self.random;
        assert_eq!(self.cluster.shown_operations(), [], "{seed}");
        for agent in &self.agents {
            assert!(!agent.operations.has_unheard(), "{seed}: {agent:?}");
            let id = agent.id.as_ref().unwrap();
            let known = self.cluster.master.agents.by_id[id];
            let total = self.cluster.master.allocator.total(known);
            assert_eq!(total, Some(agent.operations.total()), "{seed}: {id}");
        }
        let live = self
            .frameworks
            .iter()
            .filter(|framework| !framework.removed);
        for (id, state) in live.flat_map(|framework| &framework.operations) {
            let told = state.unwrap_or_else(|| panic!("{seed}: {id} was never told of"));
            let open = matches!(told, OperationState::Pending | OperationState::Recovering);
            assert!(!open, "{seed}: {id} is {told:?}");
        }
    }

    /// Master, agents and frameworks know of the same tasks.
    pub(super) fn agree(&self) {
        self.agree_on_operations();
        let seed = self.random;
        let view = self.cluster.snapshot().get_tasks();
        assert!(
            view.unreachable_tasks.is_empty(),
            "{seed}: all agents are there"
        );
        let key = |task: &tepui_proto::v1::Task| {
            let framework = FrameworkId::new(&task.framework_id.value).unwrap();
            (framework, TaskId::new(&task.task_id.value).unwrap())
        };
        let masters: BTreeSet<_> = view.tasks.iter().map(key).collect();
        let agents = self
            .agents
            .iter()
            .flat_map(|agent| agent.tasks.keys().cloned());
        let agents: Vec<_> = agents.collect();
        assert_eq!(
            agents.len(),
            masters.len(),
            "{seed}: {agents:?} {masters:?}"
        );
        assert_eq!(
            agents.iter().cloned().collect::<BTreeSet<_>>(),
            masters,
            "{seed}"
        );
        for framework in self
            .frameworks
            .iter()
            .filter(|framework| !framework.removed)
        {
            let own = framework.id.clone().unwrap();
            for (id, task) in &framework.tasks {
                let lives = masters.contains(&(own.clone(), id.clone()));
                let state = task
                    .state
                    .unwrap_or_else(|| panic!("{seed}: {id} was never told of"));
                assert_eq!(state.is_active(), lives, "{seed}: {id} is {state}");
            }
        }
    }
}
