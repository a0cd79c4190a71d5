//! An agent with a disk, a machine and a clock, to tell stories with.

use std::{
    collections::{BTreeMap, VecDeque},
    mem,
    time::Duration,
};

use tepui_model::{
    AgentId, ContainerId, FrameworkId, FrameworkInfo, StatusUuid, TaskId, TaskInfo, TaskState,
    TaskStatus, Time,
};
use tepui_proto::v1::executor;

use super::{config, framework, sleeper};
use crate::{
    Agent, AgentReport, Change, Config, ContainerEvent, ContainerPlan, Effect, Effects, Event,
    Exit, Finding, FoundContainer, Kind, Limits, LinkId, MasterCommand, ProbeOrder, Recovered,
    Registration, StreamId, TaskKey, VolumePlace,
};

/// What became of a container on the machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Machine {
    Runs,
    Ended(Exit),
}

/// An agent with a disk, a machine and a clock.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) agent: Agent,
    pub(super) config: Config,
    pub(super) now: Time,
    pub(super) link: LinkId,
    pub(super) disk: BTreeMap<(Kind, String), Vec<u8>>,
    /// Changes that were in no hurry: a crash loses them.
    later: Vec<Change>,
    pub(super) containers: BTreeMap<ContainerId, Machine>,
    /// Launches that were asked for and not yet answered.
    pub(super) launches: VecDeque<ContainerPlan>,
    /// Every launch that was ever asked for.
    pub(super) launched: Vec<ContainerId>,
    pub(super) sent: Vec<AgentReport>,
    pub(super) signals: Vec<(&'static str, ContainerId)>,
    pub(super) abandoned: Vec<ContainerId>,
    pub(super) disconnected: Vec<String>,
    /// What executors were told, and on which stream.
    pub(super) told: Vec<(StreamId, executor::Event)>,
    pub(super) ended_streams: Vec<StreamId>,
    pub(super) resized: Vec<(ContainerId, Limits)>,
    /// Checks that were asked for and not yet carried out.
    pub(super) probes: Vec<ProbeOrder>,
    /// What was done to the folders of volumes.
    pub(super) volumes: Vec<String>,
    /// The names of all removals of volumes.
    pub(super) removals: Vec<String>,
    pub(super) left: bool,
}

impl Node {
    pub(super) fn new() -> Self {
        Self::with(config())
    }

    pub(super) fn with(config: Config) -> Self {
        let mut fx = Effects::new();
        let agent = Agent::new(config.clone(), Recovered::default(), Time::ZERO, &mut fx).unwrap();
        assert!(fx.is_empty());
        Self {
            agent,
            config,
            now: Time::from_micros(1_000_000),
            link: LinkId(0),
            disk: BTreeMap::new(),
            later: Vec::new(),
            containers: BTreeMap::new(),
            launches: VecDeque::new(),
            launched: Vec::new(),
            sent: Vec::new(),
            signals: Vec::new(),
            abandoned: Vec::new(),
            disconnected: Vec::new(),
            told: Vec::new(),
            ended_streams: Vec::new(),
            resized: Vec::new(),
            probes: Vec::new(),
            volumes: Vec::new(),
            removals: Vec::new(),
            left: false,
        }
    }

    /// An agent that is registered as `m-S0`.
    pub(super) fn registered() -> Self {
        let mut node = Self::new();
        node.connect();
        node.register();
        node
    }

    pub(super) fn apply(&mut self, event: Event) {
        let mut fx = Effects::new();
        self.agent.apply(self.now, event, &mut fx);
        self.carry_out(fx);
    }

    /// Does what the agent wants: first the disk, then the rest.
    pub(super) fn carry_out(&mut self, mut fx: Effects) {
        let sync = fx.must_sync();
        let mut rest = Vec::new();
        for effect in fx.drain() {
            match effect {
                Effect::Persist(change) => self.later.push(change),
                other => rest.push(other),
            }
        }
        if sync {
            self.flush();
        }
        for effect in rest {
            self.act(effect);
        }
        self.agent.check().unwrap();
    }

    pub(super) fn flush(&mut self) {
        for change in mem::take(&mut self.later) {
            match change.value {
                Some(value) => self.disk.insert((change.kind, change.key), value),
                None => self.disk.remove(&(change.kind, change.key)),
            };
        }
    }

    fn act(&mut self, effect: Effect) {
        match effect {
            Effect::Send { link, report } if link == self.link => self.sent.push(report),
            Effect::Disconnect { reason, .. } => self.disconnected.push(reason),
            Effect::Launch(plan) => {
                assert!(
                    !self.containers.contains_key(&plan.container),
                    "started twice"
                );
                self.launched.push(plan.container.clone());
                self.launches.push_back(*plan);
            }
            Effect::Tell { stream, event } => self.told.push((stream, *event)),
            Effect::EndStream { stream } => self.ended_streams.push(stream),
            Effect::Resize { container, limits } => self.resized.push((container, limits)),
            Effect::Probe(order) => self.probes.push(*order),
            Effect::Abandon { container } => self.abandoned.push(container),
            Effect::Terminate { container } => self.signals.push(("TERM", container)),
            Effect::Kill { container } => self.signals.push(("KILL", container)),
            Effect::Remove { container } => {
                assert_ne!(self.containers.remove(&container), Some(Machine::Runs));
            }
            Effect::MakeVolume(place) => self.volume("make", &place),
            Effect::RemoveVolume { removal, place } => {
                self.removals.push(removal);
                self.volume("remove", &place);
            }
            Effect::ForgetVolume { place, .. } => self.volume("forget", &place),
            Effect::Left => self.left = true,
            _ => {}
        }
    }

    fn volume(&mut self, deed: &str, place: &VolumePlace) {
        self.volumes
            .push(format!("{deed} {}", place.folder.display()));
    }

    pub(super) fn connect(&mut self) {
        self.link = LinkId(self.link.0 + 1);
        self.apply(Event::LinkUp { link: self.link });
    }

    pub(super) fn master(&mut self, command: MasterCommand) {
        self.apply(Event::Master {
            link: self.link,
            command,
        });
    }

    pub(super) fn register(&mut self) {
        self.master(MasterCommand::Registered {
            agent_id: AgentId::new("m-S0").unwrap(),
            silence_limit: Duration::from_secs(75),
        });
    }

    pub(super) fn run_for(&mut self, framework: FrameworkInfo, task: TaskInfo) {
        self.master(MasterCommand::RunTask {
            framework: Box::new(framework),
            task: Box::new(task),
            launch_executor: true,
        });
    }

    pub(super) fn run(&mut self, task: &str) {
        self.run_for(framework("f"), sleeper(task));
    }

    pub(super) fn kill(&mut self, task: &str, grace: Option<u64>) {
        self.master(MasterCommand::KillTask {
            framework_id: FrameworkId::new("f").unwrap(),
            task_id: TaskId::new(task).unwrap(),
            grace: grace.map(Duration::from_secs),
            preempted: None,
        });
    }

    pub(super) fn container(&mut self, container: &ContainerId, event: ContainerEvent) {
        self.apply(Event::Container {
            container: container.clone(),
            event,
        });
    }

    /// Starts the container that was asked for first.
    pub(super) fn start(&mut self) -> ContainerId {
        let container = self.launches.pop_front().expect("a launch").container;
        self.containers.insert(container.clone(), Machine::Runs);
        self.container(
            &container,
            ContainerEvent::Started {
                pid: 42,
                networks: Vec::new(),
                net_class: None,
            },
        );
        container
    }

    /// Answers a check.
    pub(super) fn found(&mut self, order: &ProbeOrder, finding: Finding) {
        self.apply(Event::Probed {
            container: order.container.clone(),
            check: order.check,
            number: order.number,
            finding,
        });
    }

    pub(super) fn exit(&mut self, container: &ContainerId, exit: Exit) {
        self.containers
            .insert(container.clone(), Machine::Ended(exit.clone()));
        self.container(container, ContainerEvent::Exited(exit));
    }

    /// Moves the clock on, firing what is due on the way.
    pub(super) fn pass(&mut self, seconds: u64) {
        let until = self.now + Duration::from_secs(seconds);
        while let Some(at) = self.agent.next_wake().filter(|at| *at <= until) {
            self.now = self.now.max(at);
            self.apply(Event::Wake);
        }
        self.now = until;
    }

    /// `kill -9` of the agent, and its start from what is on disk.
    pub(super) fn restart(&mut self) {
        self.later.clear();
        self.launches.clear();
        self.config.seed += 1;
        let records = self
            .disk
            .iter()
            .map(|((kind, key), value)| (*kind, key.clone(), value.clone()));
        let found = self.containers.iter().map(|(id, state)| FoundContainer {
            id: id.clone(),
            pid: (*state == Machine::Runs).then_some(42),
            networks: Vec::new(),
            net_class: None,
        });
        let recovered = Recovered {
            records: records.collect(),
            containers: found.collect(),
        };
        let mut fx = Effects::new();
        self.agent = Agent::new(self.config.clone(), recovered, self.now, &mut fx).unwrap();
        let ended: Vec<_> = self.containers.clone().into_iter().collect();
        self.carry_out(fx);
        for (container, state) in ended {
            if let Machine::Ended(exit) = state {
                self.container(&container, ContainerEvent::Exited(exit));
            }
        }
    }

    /// The statuses sent since the last time this was asked.
    pub(super) fn updates(&mut self) -> Vec<TaskStatus> {
        let statuses = mem::take(&mut self.sent)
            .into_iter()
            .filter_map(|report| match report {
                AgentReport::Update { status, .. } => Some(*status),
                _ => None,
            });
        statuses.collect()
    }

    /// The one status sent since the last time this was asked.
    pub(super) fn update(&mut self) -> TaskStatus {
        let mut updates = self.updates();
        assert_eq!(updates.len(), 1, "{updates:?}");
        updates.remove(0)
    }

    pub(super) fn states(&mut self) -> Vec<TaskState> {
        self.updates()
            .into_iter()
            .map(|status| status.state)
            .collect()
    }

    /// The last registration sent since the last time anything was asked.
    pub(super) fn registration(&mut self) -> Registration {
        let registrations =
            mem::take(&mut self.sent)
                .into_iter()
                .filter_map(|report| match report {
                    AgentReport::Register(registration) => Some(*registration),
                    _ => None,
                });
        registrations.last().expect("a registration")
    }

    pub(super) fn acknowledge(&mut self, task: &str, uuid: Option<StatusUuid>) {
        self.master(MasterCommand::Acknowledge {
            framework_id: FrameworkId::new("f").unwrap(),
            task_id: TaskId::new(task).unwrap(),
            uuid: uuid.expect("a name to acknowledge"),
        });
    }

    /// Acknowledges the one update that was sent, and says what it was.
    pub(super) fn acknowledge_next(&mut self) -> TaskState {
        let update = self.update();
        self.acknowledge(update.task_id.as_str(), update.uuid);
        update.state
    }

    pub(super) fn knows(&self, task: &str) -> bool {
        let key = TaskKey::new(&FrameworkId::new("f").unwrap(), &TaskId::new(task).unwrap());
        self.agent.statuses().any(|(known, _)| *known == key)
    }
}
