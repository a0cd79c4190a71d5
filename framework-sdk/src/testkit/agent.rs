//! An agent as far as the master can see it: it keeps its tasks, and repeats what it said.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use tepui_master_core::{AgentCommand, ConnectionId, Event, KnownTask, Registration};
use tepui_model::{
    AgentCapabilities, AgentCapability, AgentId, AgentInfo, FrameworkId, FrameworkInfo, Source,
    StatusUuid, TaskId, TaskInfo, TaskState, TaskStatus,
};
use tepui_proto::v1;
use tokio::sync::mpsc;

use super::operations::Operations;

/// What every agent of Tepui can do.
const CAPABILITIES: AgentCapabilities = AgentCapabilities::NONE
    .with(AgentCapability::MultiRole)
    .with(AgentCapability::HierarchicalRole)
    .with(AgentCapability::ReservationRefinement)
    .with(AgentCapability::ResizeVolume)
    .with(AgentCapability::AgentOperationFeedback);

#[derive(Debug)]
pub(super) struct Agent {
    /// Tells its updates from those of other agents.
    number: u64,
    info: AgentInfo,
    /// Tasks run when launched and end when killed, without the test's doing.
    automatic: bool,
    launched: mpsc::Sender<v1::TaskInfo>,
    pub(super) connection: Option<ConnectionId>,
    tasks: BTreeMap<TaskId, Held>,
    operations: Operations,
    updates: u64,
}

#[derive(Debug)]
struct Held {
    framework_id: FrameworkId,
    framework: Arc<v1::FrameworkInfo>,
    task: TaskInfo,
    latest: TaskStatus,
    /// One is on its way; the others wait in line (TSK-09).
    unacknowledged: VecDeque<TaskStatus>,
}

impl Agent {
    pub(super) fn new(
        number: u64,
        info: AgentInfo,
        automatic: bool,
        launched: mpsc::Sender<v1::TaskInfo>,
    ) -> Self {
        let (connection, tasks, updates) = (None, BTreeMap::new(), 0);
        Self {
            number,
            operations: Operations::new(info.resources.clone()),
            info,
            automatic,
            launched,
            connection,
            tasks,
            updates,
        }
    }

    pub(super) fn id(&self) -> Option<&AgentId> {
        self.info.id.as_ref()
    }

    pub(super) fn tasks(&self) -> Vec<(String, TaskState)> {
        self.tasks
            .iter()
            .map(|(id, held)| (id.to_string(), held.latest.state))
            .collect()
    }

    /// What it says when it connects.
    pub(super) fn register(&mut self, connection: ConnectionId) -> Event {
        self.connection = Some(connection);
        let known = |held: &Held| KnownTask {
            framework_id: held.framework_id.clone(),
            task: held.task.clone(),
            latest: held.latest.clone(),
        };
        let frameworks = self.tasks.values().filter_map(|held| {
            FrameworkInfo::try_from(v1::FrameworkInfo::clone(&held.framework)).ok()
        });
        let registration = Registration {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            capabilities: CAPABILITIES,
            tasks: self.tasks.values().map(known).collect(),
            frameworks: frameworks.collect(),
            operations: self.operations.known(),
            ..Registration::new(self.info_now())
        };
        Event::RegisterAgent {
            connection,
            registration: Box::new(registration),
        }
    }

    /// The agent with what it has by now.
    fn info_now(&self) -> AgentInfo {
        let mut info = self.info.clone();
        info.resources = self.operations.total().clone();
        Arc::make_mut(&mut info.wire).resources = info.resources.to_proto(None);
        info
    }

    /// Does as the master says, and what it has to say to that.
    pub(super) fn obey(&mut self, command: AgentCommand) -> Vec<Event> {
        match command {
            AgentCommand::Registered { agent_id, .. } => {
                self.info = self.info.clone().with_id(agent_id);
                self.repeat()
            }
            AgentCommand::Refused { .. } => {
                self.info.id = None;
                self.tasks.clear();
                Vec::new()
            }
            AgentCommand::Ping => self
                .connection
                .map(|connection| Event::AgentPong { connection })
                .into_iter()
                .collect(),
            AgentCommand::RunTask {
                framework, task, ..
            } => self.run(framework, &task),
            AgentCommand::RunGroup {
                framework, tasks, ..
            } => {
                let run = |task: Arc<v1::TaskInfo>| self.run(Arc::clone(&framework), &task);
                tasks.into_iter().flat_map(run).collect()
            }
            AgentCommand::KillTask { task_id, .. } if self.automatic => self
                .report(&task_id, TaskState::Killed, None, "")
                .into_iter()
                .collect(),
            AgentCommand::KillTask { .. } => Vec::new(),
            AgentCommand::Acknowledge { task_id, uuid, .. } => self.acknowledged(&task_id, uuid),
            AgentCommand::ApplyOperation {
                framework_id,
                uuid,
                operation,
            } => {
                let news = self.next_uuid();
                self.operations.apply(framework_id, uuid, operation, news);
                self.repeat()
            }
            AgentCommand::AcknowledgeOperation { uuid, status_uuid } => {
                self.operations.acknowledged(uuid, status_uuid);
                Vec::new()
            }
            // Its tasks run alone.
            AgentCommand::ShutdownExecutor { .. } | AgentCommand::ExecutorMessage { .. } => {
                Vec::new()
            }
            AgentCommand::ShutdownFramework { framework_id } => {
                self.tasks
                    .retain(|_, held| held.framework_id != framework_id);
                Vec::new()
            }
            AgentCommand::Drain { .. } => {
                let ids: Vec<TaskId> = self.tasks.keys().cloned().collect();
                let killed = |id| self.report(id, TaskState::Killed, None, "the agent is drained");
                ids.iter().filter_map(killed).collect()
            }
        }
    }

    fn run(&mut self, framework: Arc<v1::FrameworkInfo>, wire: &v1::TaskInfo) -> Vec<Event> {
        let framework_id = framework
            .id
            .as_ref()
            .and_then(|id| FrameworkId::try_from(id).ok());
        let (Ok(task), Some(framework_id)) = (TaskInfo::try_from(wire.clone()), framework_id)
        else {
            return Vec::new();
        };
        let (id, latest) = (
            task.id.clone(),
            TaskStatus::new(task.id.clone(), TaskState::Staging),
        );
        let unacknowledged = VecDeque::new();
        let held = Held {
            framework_id,
            framework,
            task,
            latest,
            unacknowledged,
        };
        self.tasks.insert(id.clone(), held);
        // A test that does not look at launches lets them fill up.
        let _ = self.launched.try_send(wire.clone());
        if self.automatic {
            return self
                .report(&id, TaskState::Running, None, "")
                .into_iter()
                .collect();
        }
        Vec::new()
    }

    /// Adds an update to a task's line; an event if it is its turn.
    pub(super) fn report(
        &mut self,
        task: &TaskId,
        state: TaskState,
        healthy: Option<bool>,
        message: &str,
    ) -> Option<Event> {
        self.tasks
            .get(task)
            .filter(|held| held.latest.state.is_active())?;
        let uuid = self.next_uuid();
        let held = self.tasks.get_mut(task)?;
        let status = TaskStatus {
            source: Some(Source::Executor),
            healthy,
            message: (!message.is_empty()).then(|| message.to_owned()),
            agent_id: self.info.id.clone(),
            uuid: Some(uuid),
            ..TaskStatus::new(task.clone(), state)
        };
        held.latest = status.clone();
        held.unacknowledged.push_back(status);
        if held.unacknowledged.len() == 1 {
            self.say(task)
        } else {
            None
        }
    }

    fn next_uuid(&mut self) -> StatusUuid {
        self.updates += 1;
        let mut uuid = [0; 16];
        uuid[..8].copy_from_slice(&self.updates.to_be_bytes());
        uuid[8..].copy_from_slice(&self.number.to_be_bytes());
        StatusUuid::from_bytes(uuid)
    }

    fn acknowledged(&mut self, task: &TaskId, uuid: StatusUuid) -> Vec<Event> {
        let Some(held) = self.tasks.get_mut(task) else {
            return Vec::new();
        };
        if held
            .unacknowledged
            .front()
            .is_none_or(|first| first.uuid != Some(uuid))
        {
            return Vec::new();
        }
        held.unacknowledged.pop_front();
        if held.unacknowledged.is_empty() && held.latest.state.is_terminal() {
            self.tasks.remove(task);
        }
        self.say(task).into_iter().collect()
    }

    /// Everything that was said and is not acknowledged.
    pub(super) fn repeat(&self) -> Vec<Event> {
        let operations = self
            .connection
            .map(|connection| self.operations.say(connection));
        let tasks = self.tasks.keys().filter_map(|task| self.say(task));
        tasks.chain(operations.into_iter().flatten()).collect()
    }

    /// The first update of a task that is not acknowledged.
    fn say(&self, task: &TaskId) -> Option<Event> {
        let (connection, held) = (self.connection?, self.tasks.get(task)?);
        let status = held.unacknowledged.front()?;
        Some(Event::AgentUpdate {
            connection,
            framework_id: held.framework_id.clone(),
            status: Box::new(status.clone()),
            latest_state: held.latest.state,
        })
    }
}
