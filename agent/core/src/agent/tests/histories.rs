//! Random histories: whatever happens in whatever order, the promises hold.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use tepui_model::{StatusUuid, TaskState, TaskStatus};

use super::{
    modern,
    node::{Machine, Node},
    sleeper,
};
use crate::{AgentReport, ContainerEvent, Event, Exit, ExitStatus, MasterCommand, TaskKey};

#[derive(Clone, Debug)]
enum Step {
    Run(u8),
    Kill(u8, u8),
    Start,
    LaunchFails,
    Exit(u8, i32),
    Acknowledge(u8),
    Disconnect,
    Connect,
    Restart,
    Pass(u8),
    /// The agent dies after asking for a container and before hearing of it.
    StartUnseen,
    Flush,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..6u8).prop_map(Step::Run),
        2 => (0..6u8, 0..20u8).prop_map(|(task, grace)| Step::Kill(task, grace)),
        4 => Just(Step::Start),
        1 => Just(Step::LaunchFails),
        3 => (any::<u8>(), 0..2i32).prop_map(|(which, code)| Step::Exit(which, code)),
        6 => any::<u8>().prop_map(Step::Acknowledge),
        1 => Just(Step::Disconnect),
        2 => Just(Step::Connect),
        1 => Just(Step::Restart),
        1 => Just(Step::StartUnseen),
        1 => Just(Step::Flush),
        2 => (0..40u8).prop_map(Step::Pass),
    ]
}

/// A node, and what its master and framework saw.
struct World {
    node: Node,
    /// What each task's framework has seen, with the names of updates.
    seen: BTreeMap<TaskKey, Vec<(StatusUuid, TaskState)>>,
    /// Updates that arrived and are not acknowledged.
    inbox: Vec<TaskStatus>,
    /// Tasks whose end was acknowledged.
    over: BTreeSet<TaskKey>,
    /// Containers that have ever been seen to start.
    starts: BTreeSet<tepui_model::ContainerId>,
}

impl World {
    fn new() -> Self {
        Self {
            node: Node::registered(),
            seen: BTreeMap::new(),
            inbox: Vec::new(),
            over: BTreeSet::new(),
            starts: BTreeSet::new(),
        }
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Run(task) => self.run(*task),
            Step::Kill(task, grace) => self.node.kill(&task.to_string(), Some((*grace).into())),
            Step::Start => self.start(),
            Step::LaunchFails => self.launch_fails(),
            Step::Exit(which, code) => self.exit(*which, *code),
            Step::Acknowledge(which) => self.acknowledge(*which),
            Step::Disconnect => self.node.apply(Event::LinkDown {
                link: self.node.link,
            }),
            Step::Connect => self.connect(),
            Step::Restart => self.restart(),
            Step::StartUnseen => self.start_unseen(),
            Step::Flush => self.node.flush(),
            Step::Pass(seconds) => self.node.pass((*seconds).into()),
        }
        self.receive();
    }

    /// A real master never reuses the id of a task that it has seen.
    fn run(&mut self, task: u8) {
        let task = sleeper(&task.to_string());
        let key = TaskKey::new(modern("f").id.as_ref().unwrap(), &task.id);
        if !self.over.contains(&key) {
            self.node.run_for(modern("f"), task);
        }
    }

    fn start(&mut self) {
        if self.node.launches.is_empty() {
            return;
        }
        let container = self.node.start();
        assert!(self.starts.insert(container), "a container started twice");
    }

    fn start_unseen(&mut self) {
        if let Some(plan) = self.node.launches.pop_front() {
            assert!(
                self.starts.insert(plan.container.clone()),
                "a container started twice"
            );
            self.node.containers.insert(plan.container, Machine::Runs);
        }
        self.restart();
    }

    fn launch_fails(&mut self) {
        if let Some(plan) = self.node.launches.pop_front() {
            let event = ContainerEvent::LaunchFailed {
                message: "no".to_owned(),
            };
            self.node.container(&plan.container, event);
        }
    }

    fn exit(&mut self, which: u8, code: i32) {
        let running: Vec<_> = self.running();
        if !running.is_empty() {
            let container = running[usize::from(which) % running.len()].clone();
            self.node.exit(&container, Exit::code(code));
        }
    }

    fn running(&self) -> Vec<tepui_model::ContainerId> {
        let containers = self.node.containers.iter();
        containers
            .filter(|(_, state)| **state == Machine::Runs)
            .map(|(id, _)| id.clone())
            .collect()
    }

    fn acknowledge(&mut self, which: u8) {
        if self.inbox.is_empty() || !self.node.agent.is_registered() {
            return;
        }
        let update = self.inbox.remove(usize::from(which) % self.inbox.len());
        self.node.acknowledge(update.task_id.as_str(), update.uuid);
    }

    fn connect(&mut self) {
        self.inbox.clear();
        self.node.connect();
        self.node.register();
    }

    fn restart(&mut self) {
        self.inbox.clear();
        self.node.restart();
    }

    /// The framework takes in what was sent, and checks that it makes sense.
    fn receive(&mut self) {
        for report in std::mem::take(&mut self.node.sent) {
            let AgentReport::Update {
                framework_id,
                status,
                latest,
            } = report
            else {
                continue;
            };
            let key = TaskKey::new(&framework_id, &status.task_id);
            let name = status
                .uuid
                .expect("every update of a live framework has a name");
            let seen = self.seen.entry(key.clone()).or_default();
            match seen.iter().position(|(known, _)| *known == name) {
                Some(position) => {
                    assert_eq!(
                        position,
                        seen.len() - 1,
                        "{key}: an old update came after a new one"
                    );
                }
                None => {
                    let last = seen.last().map_or(TaskState::Staging, |(_, state)| *state);
                    assert!(!last.is_terminal(), "{key}: {} after {last}", status.state);
                    last.next(status.state).expect("a legal step");
                    seen.push((name, status.state));
                }
            }
            status
                .state
                .next(latest)
                .expect("the latest state is ahead");
            if status.state.is_terminal() {
                self.over.insert(key);
            }
            self.inbox.push(*status);
        }
    }

    /// Faults stop: everything that runs ends, everything that waits is acknowledged.
    fn come_to_rest(&mut self) {
        self.connect();
        self.receive();
        for _ in 0..100 {
            self.start();
            self.exit(0, 0);
            self.receive();
            self.acknowledge(0);
            self.receive();
        }
        assert_eq!(self.node.agent.task_count(), 0, "nothing waits for ever");
        assert!(
            self.node.containers.is_empty(),
            "nothing is left on the machine"
        );
        self.node.flush();
        assert_eq!(
            self.node.disk.len(),
            1,
            "nothing is left on disk but the identity"
        );
        for (key, seen) in &self.seen {
            assert!(
                seen.last().is_some_and(|(_, state)| state.is_terminal()),
                "{key}: no end"
            );
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn updates_stay_in_order_and_nothing_is_started_twice(
        steps in prop::collection::vec(step(), 1..80),
    ) {
        let mut world = World::new();
        for step in &steps {
            world.step(step);
        }
        world.come_to_rest();
    }

    #[test]
    fn an_agent_made_from_the_records_of_another_is_like_it(
        steps in prop::collection::vec(step(), 1..60),
    ) {
        let mut world = World::new();
        for step in &steps {
            world.step(step);
        }
        world.node.flush();
        // What was asked for and not answered would be asked for again: settle it first.
        while !world.node.launches.is_empty() {
            world.start();
        }
        let before: Vec<_> = world.node.agent.statuses().map(|(key, s)| (key.clone(), s.clone())).collect();
        world.node.restart();
        let after: Vec<_> = world.node.agent.statuses().map(|(key, s)| (key.clone(), s.clone())).collect();
        prop_assert_eq!(before, after);
    }

    #[test]
    fn one_history_gives_the_same_messages_twice(steps in prop::collection::vec(step(), 1..60)) {
        let tell = || {
            let mut world = World::new();
            let mut told = Vec::new();
            for step in &steps {
                world.step(step);
                told.push(format!("{:?} {:?}", world.inbox, world.node.signals));
            }
            told
        };
        prop_assert_eq!(tell(), tell());
    }
}

#[test]
fn an_unknown_exit_of_a_recovered_container_is_an_end_too() {
    let mut world = World::new();
    world.run(1);
    world.start();
    world.receive();
    world.acknowledge(0);
    let container = world.running().remove(0);
    let unknown = Exit {
        status: ExitStatus::Unknown,
        limitation: None,
    };
    world
        .node
        .containers
        .insert(container, Machine::Ended(unknown));
    world.node.flush();
    world.restart();
    world.come_to_rest();
    world.node.master(MasterCommand::Ping);
}
