//! A small cluster for the tests of this crate. It keeps what the master says, each to its own,
//! writes a registry as a shell would, lets time pass from one timer to the next, and checks the
//! invariants after every event.

mod infos;
pub(crate) mod operations;

use core::time::Duration;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use tepui_model::{
    AgentId, AgentInfo, Filters, FrameworkId, FrameworkInfo, Offer, OfferId, OfferOperation,
    StatusUuid, TaskId, TaskInfo, TaskState, TaskStatus, Time,
};
use tepui_proto::v1::{self, master::Call};

use crate::{
    Action, AgentCommand, Change, Config, ConnectionId, Effect, Effects, Ending, Event,
    FrameworkEvent, KnownTask, Master, Notice, OperatorCall, OperatorError, OperatorReply, Record,
    RecordKind, Recovered, Registration, RequestId, SchedulerCall,
    calls::{Accept, Acknowledge, Decline, Kill, Operation, Subscribe},
};

pub(crate) use self::infos::{
    able, agent_info, aware, config, known_task, names, of_roles, refining, resources, role,
    seconds, short, task, task_info, unaware, with_timeout,
};

/// A framework of a test.
#[derive(Clone, Debug)]
pub(crate) struct Scheduler {
    pub(crate) connection: ConnectionId,
    pub(crate) id: FrameworkId,
}

/// An agent of a test.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) connection: ConnectionId,
    pub(crate) id: AgentId,
    pub(crate) info: AgentInfo,
}

/// A master and all that it has said.
pub(crate) struct Cluster {
    pub(crate) master: Master,
    pub(crate) now: Time,
    pub(crate) registry: BTreeMap<(RecordKind, String), Vec<u8>>,
    pub(crate) notices: Vec<Notice>,
    pub(crate) warnings: Vec<String>,
    pub(crate) endings: BTreeMap<ConnectionId, Ending>,
    pub(crate) cut_agents: BTreeSet<ConnectionId>,
    config: Config,
    to_frameworks: BTreeMap<ConnectionId, Vec<FrameworkEvent>>,
    to_agents: BTreeMap<ConnectionId, Vec<AgentCommand>>,
    reply: Option<Result<OperatorReply, OperatorError>>,
    streams: u64,
    updates: u64,
    masters: u32,
}

impl Cluster {
    pub(crate) fn new() -> Self {
        Self::with(config())
    }

    pub(crate) fn with(config: Config) -> Self {
        Self {
            master: Master::new(config.clone(), Recovered::default()).unwrap(),
            now: Time::from_micros(1_000_000_000),
            registry: BTreeMap::new(),
            notices: Vec::new(),
            warnings: Vec::new(),
            endings: BTreeMap::new(),
            cut_agents: BTreeSet::new(),
            config,
            to_frameworks: BTreeMap::new(),
            to_agents: BTreeMap::new(),
            reply: None,
            streams: 0,
            updates: 0,
            masters: 0,
        }
    }

    /// A cluster with one framework that is offered one agent of 4 CPUs and 1024 MB.
    pub(crate) fn pair(info: FrameworkInfo) -> (Self, Scheduler, Node) {
        let mut cluster = Self::new();
        let scheduler = cluster.subscribe(info);
        let node = cluster.register("one", "cpus:4;mem:1024");
        cluster.settle();
        (cluster, scheduler, node)
    }

    /// One event at the present time.
    pub(crate) fn apply(&mut self, event: Event) {
        let mut effects = Effects::new();
        self.master.apply(self.now, event, &mut effects);
        for effect in effects {
            self.take(effect);
        }
        self.master.check().unwrap();
    }

    fn take(&mut self, effect: Effect) {
        match effect {
            Effect::Persist(Change::Put(record)) => {
                self.registry
                    .insert((record.kind(), record.key()), record.encode());
            }
            Effect::Persist(Change::Delete(kind, key)) => {
                self.registry.remove(&(kind, key));
            }
            Effect::ToFramework { connection, event } => {
                assert!(
                    !self.endings.contains_key(&connection),
                    "a word after the end: {event:?}"
                );
                self.to_frameworks
                    .entry(connection)
                    .or_default()
                    .push(event);
            }
            Effect::EndFramework { connection, ending } => {
                self.endings.insert(connection, ending);
            }
            Effect::ToAgent {
                connection,
                command,
            } => {
                assert!(
                    !self.cut_agents.contains(&connection),
                    "a word after the end"
                );
                self.to_agents.entry(connection).or_default().push(command);
            }
            Effect::EndAgent { connection } => {
                self.cut_agents.insert(connection);
            }
            Effect::Reply { result, .. } => self.reply = Some(result),
            Effect::Publish(notice) => self.notices.push(notice),
            Effect::Warn(text) => self.warnings.push(text),
        }
    }

    /// Lets time pass, waking the master whenever it asks for it.
    pub(crate) fn pass(&mut self, span: Duration) {
        let end = self.now + span;
        while let Some(wake) = self.master.next_wake().filter(|wake| *wake <= end) {
            self.now = self.now.max(wake);
            self.apply(Event::Wake);
        }
        self.now = end;
    }

    /// Lets the allocation happen.
    pub(crate) fn settle(&mut self) {
        self.pass(Duration::from_millis(6));
    }

    /// The master dies; another goes on from the registry. Every stream is over.
    pub(crate) fn restart(&mut self) {
        let mut recovered = Recovered::default();
        for ((kind, key), bytes) in &self.registry {
            recovered.insert(Record::decode(*kind, key, bytes).unwrap());
        }
        self.masters += 1;
        self.config.master.id = format!("m{}", self.masters);
        self.master = Master::new(self.config.clone(), recovered).unwrap();
        self.apply(Event::Wake);
    }

    pub(crate) fn stream(&mut self) -> ConnectionId {
        self.streams += 1;
        ConnectionId(self.streams)
    }

    pub(crate) fn call(&mut self, connection: ConnectionId, action: Action) {
        self.apply(Event::Call {
            connection,
            call: SchedulerCall::from(action),
        });
    }

    /// Subscribes on a new stream; the framework is there.
    pub(crate) fn subscribe(&mut self, info: FrameworkInfo) -> Scheduler {
        let connection = self.try_subscribe(info);
        let events = self.events(connection);
        let id = events.into_iter().find_map(|event| match event {
            FrameworkEvent::Subscribed { framework_id, .. } => Some(framework_id),
            _ => None,
        });
        Scheduler {
            connection,
            id: id.expect("SUBSCRIBED"),
        }
    }

    pub(crate) fn try_subscribe(&mut self, info: FrameworkInfo) -> ConnectionId {
        let connection = self.stream();
        self.call(
            connection,
            Action::Subscribe(Box::new(Subscribe::new(info))),
        );
        connection
    }

    /// Registers a new agent on a new stream.
    pub(crate) fn register(&mut self, hostname: &str, resources: &str) -> Node {
        let info = agent_info(hostname, resources);
        let connection = self.try_register(able(info.clone()));
        let commands = self.commands(connection);
        let id = commands.into_iter().find_map(|command| match command {
            AgentCommand::Registered { agent_id, .. } => Some(agent_id),
            _ => None,
        });
        let id = id.expect("Registered");
        Node {
            connection,
            info: info.with_id(id.clone()),
            id,
        }
    }

    /// Registers without the checks, which take long in a large cluster.
    pub(crate) fn master_only_register(&mut self, hostname: &str, resources: &str) {
        let connection = self.stream();
        let registration = Box::new(Registration::new(agent_info(hostname, resources)));
        let mut effects = Effects::new();
        let event = Event::RegisterAgent {
            connection,
            registration,
        };
        self.master.apply(self.now, event, &mut effects);
    }

    pub(crate) fn try_register(&mut self, registration: Registration) -> ConnectionId {
        let connection = self.stream();
        let registration = Box::new(registration);
        self.apply(Event::RegisterAgent {
            connection,
            registration,
        });
        connection
    }

    /// The agent comes back on a new stream with these tasks of that framework.
    pub(crate) fn reregister(
        &mut self,
        node: &mut Node,
        framework: Option<(&FrameworkId, FrameworkInfo)>,
        tasks: &[(&str, &str, TaskState)],
    ) {
        self.reregister_with(node, framework, tasks, None);
    }

    /// The same, with the uuid of the newest update.
    pub(crate) fn reregister_with(
        &mut self,
        node: &mut Node,
        framework: Option<(&FrameworkId, FrameworkInfo)>,
        tasks: &[(&str, &str, TaskState)],
        uuid: Option<StatusUuid>,
    ) {
        let mut registration = able(node.info.clone());
        if let Some((id, info)) = framework {
            registration.frameworks = vec![info.with_id(id.clone())];
            let known = |(task, resources, state): &(&str, &str, TaskState)| KnownTask {
                framework_id: id.clone(),
                task: TaskInfo::try_from(task_info(task, &node.id, resources)).unwrap(),
                latest: TaskStatus {
                    uuid,
                    ..TaskStatus::new(TaskId::new(task).unwrap(), *state)
                },
            };
            registration.tasks = tasks.iter().map(known).collect();
        }
        node.connection = self.try_register(registration);
    }

    /// What operators see now.
    pub(crate) fn snapshot(&self) -> crate::Snapshot {
        self.master.snapshot()
    }

    /// What a stream of a framework heard since it was last asked.
    pub(crate) fn events(&mut self, connection: ConnectionId) -> Vec<FrameworkEvent> {
        self.to_frameworks.remove(&connection).unwrap_or_default()
    }

    /// What a stream of an agent heard since it was last asked.
    pub(crate) fn commands(&mut self, connection: ConnectionId) -> Vec<AgentCommand> {
        self.to_agents.remove(&connection).unwrap_or_default()
    }

    /// The offers that a framework heard of since it was last asked for anything.
    pub(crate) fn offers(&mut self, scheduler: &Scheduler) -> Vec<Arc<Offer>> {
        let events = self.events(scheduler.connection).into_iter();
        let offers = events.filter_map(|event| match event {
            FrameworkEvent::Offers { offers, .. } => Some(offers),
            _ => None,
        });
        offers.flatten().collect()
    }

    pub(crate) fn offer(&mut self, scheduler: &Scheduler) -> Arc<Offer> {
        let mut offers = self.offers(scheduler);
        assert_eq!(offers.len(), 1, "{offers:?}");
        offers.remove(0)
    }

    /// The states of tasks that a framework heard of since it was last asked for anything.
    pub(crate) fn updates(&mut self, scheduler: &Scheduler) -> Vec<TaskStatus> {
        let events = self.events(scheduler.connection).into_iter();
        let updates = events.filter_map(|event| match event {
            FrameworkEvent::Update(status) => Some(*status),
            _ => None,
        });
        updates.collect()
    }

    pub(crate) fn update(&mut self, scheduler: &Scheduler) -> TaskStatus {
        let mut updates = self.updates(scheduler);
        assert_eq!(updates.len(), 1, "{updates:?}");
        updates.remove(0)
    }

    pub(crate) fn error(&mut self, connection: ConnectionId) -> Option<String> {
        self.events(connection)
            .into_iter()
            .find_map(|event| match event {
                FrameworkEvent::Error(text) => Some(text),
                _ => None,
            })
    }

    pub(crate) fn accept(
        &mut self,
        scheduler: &Scheduler,
        offers: &[&OfferId],
        tasks: Vec<v1::TaskInfo>,
    ) {
        let launch = Operation {
            id: None,
            kind: OfferOperation::Launch(tasks),
        };
        self.accept_with(scheduler, offers, vec![launch]);
    }

    pub(crate) fn accept_with(
        &mut self,
        scheduler: &Scheduler,
        offers: &[&OfferId],
        operations: Vec<Operation>,
    ) {
        let offers = offers.iter().copied().cloned().collect();
        let accept = Accept {
            offers,
            operations,
            filters: Filters::NONE,
            all_or_nothing: false,
        };
        self.call(scheduler.connection, Action::Accept(accept));
    }

    pub(crate) fn decline(&mut self, scheduler: &Scheduler, offer: &OfferId, filters: Filters) {
        let decline = Decline {
            offers: vec![offer.clone()],
            filters,
        };
        self.call(scheduler.connection, Action::Decline(decline));
    }

    /// Launches a task on the first offer that comes.
    pub(crate) fn launch(&mut self, scheduler: &Scheduler, task: &str, resources: &str) {
        let offer = self.offer(scheduler);
        let task = task_info(task, &offer.agent_id, resources);
        self.accept(scheduler, &[&offer.id], vec![task]);
    }

    /// The agent tells a state of a task; gives the update's uuid.
    pub(crate) fn report(
        &mut self,
        node: &Node,
        framework: &FrameworkId,
        task: &str,
        state: TaskState,
    ) -> StatusUuid {
        self.updates += 1;
        let uuid = StatusUuid::from_bytes(u128::from(self.updates).to_be_bytes());
        self.report_again(node, framework, (task, state, uuid), state);
        uuid
    }

    pub(crate) fn report_again(
        &mut self,
        node: &Node,
        framework: &FrameworkId,
        (task, state, uuid): (&str, TaskState, StatusUuid),
        latest_state: TaskState,
    ) {
        let status = TaskStatus {
            uuid: Some(uuid),
            ..TaskStatus::new(TaskId::new(task).unwrap(), state)
        };
        self.apply(Event::AgentUpdate {
            connection: node.connection,
            framework_id: framework.clone(),
            status: Box::new(status),
            latest_state,
        });
    }

    pub(crate) fn acknowledge(
        &mut self,
        scheduler: &Scheduler,
        node: &Node,
        task: &str,
        uuid: StatusUuid,
    ) {
        let task_id = TaskId::new(task).unwrap();
        let acknowledge = Acknowledge {
            agent_id: node.id.clone(),
            task_id,
            uuid,
        };
        self.call(scheduler.connection, Action::Acknowledge(acknowledge));
    }

    pub(crate) fn kill(&mut self, scheduler: &Scheduler, task: &str) {
        let kill = Kill {
            task_id: TaskId::new(task).unwrap(),
            agent_id: None,
            grace: None,
        };
        self.call(scheduler.connection, Action::Kill(kill));
    }

    pub(crate) fn operate(&mut self, call: OperatorCall) -> Result<OperatorReply, OperatorError> {
        self.apply(Event::Operator {
            request: RequestId(1),
            call,
        });
        self.reply.take().expect("every operator is answered")
    }

    pub(crate) fn v1(&mut self, call: Call) -> Result<OperatorReply, OperatorError> {
        self.operate(OperatorCall::V1(Box::new(call)))
    }

    pub(crate) fn disconnect_framework(&mut self, scheduler: &Scheduler) {
        self.apply(Event::FrameworkDisconnected {
            connection: scheduler.connection,
        });
    }

    pub(crate) fn disconnect_agent(&mut self, node: &Node) {
        self.apply(Event::AgentDisconnected {
            connection: node.connection,
        });
    }

    /// The state of a task as operators see it, wherever it is listed.
    pub(crate) fn state_of(&self, task: &str) -> Vec<&'static str> {
        let view = self.master.snapshot().get_tasks();
        let all = [view.tasks, view.unreachable_tasks, view.completed_tasks].concat();
        let named = all.iter().filter(|seen| seen.task_id.value == task);
        named.map(|seen| seen.state().as_str_name()).collect()
    }
}
