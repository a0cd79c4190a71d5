//! An agent that does what it is told, in memory.

use std::collections::{BTreeMap, VecDeque};

use tepui_model::{
    AgentId, AgentInfo, FrameworkId, FrameworkInfo, StatusUuid, TaskId, TaskInfo, TaskState,
    TaskStatus,
};

use crate::{
    AgentCommand, ConnectionId, Event, KnownTask,
    histories::machine::Machine,
    testing::{Cluster, able, agent_info},
};

/// A task on the agent, with the updates that nobody has acknowledged.
#[derive(Debug)]
pub(super) struct FakeTask {
    info: TaskInfo,
    framework: FrameworkInfo,
    pub(super) state: TaskState,
    uuid: StatusUuid,
    pending: VecDeque<(TaskState, StatusUuid)>,
}

#[derive(Debug)]
pub(super) struct FakeAgent {
    info: AgentInfo,
    pub(super) id: Option<AgentId>,
    pub(super) connection: Option<ConnectionId>,
    pub(super) tasks: BTreeMap<(FrameworkId, TaskId), FakeTask>,
    updates: u64,
    /// Tasks that it was told to end for others.
    pub(super) preempted: usize,
    pub(super) operations: Machine,
}

impl FakeAgent {
    pub(super) fn new(number: usize) -> Self {
        let all = "cpus:4;mem:1024;disk:1000;ports:[1-9]";
        let info = agent_info(&format!("host-{number}"), all);
        Self {
            operations: Machine::new(number, info.resources.clone()),
            info,
            id: None,
            connection: None,
            tasks: BTreeMap::new(),
            updates: (number as u64) << 32,
            preempted: 0,
        }
    }

    pub(super) fn connect(&mut self, cluster: &mut Cluster) {
        let mut wire = tepui_proto::v1::AgentInfo::clone(&self.info.wire);
        wire.resources = self.operations.total().to_proto(None);
        let info = AgentInfo::try_from(wire).unwrap();
        let mut registration = able(match &self.id {
            Some(id) => info.with_id(id.clone()),
            None => info,
        });
        registration.operations = self.operations.known();
        for ((framework_id, id), task) in &self.tasks {
            registration.tasks.push(KnownTask {
                framework_id: framework_id.clone(),
                task: task.info.clone(),
                latest: TaskStatus {
                    uuid: Some(task.uuid),
                    ..TaskStatus::new(id.clone(), task.state)
                },
            });
            registration.frameworks.push(task.framework.clone());
        }
        self.connection = Some(cluster.try_register(registration));
        self.listen(cluster);
    }

    /// Drops the stream; what was on its way is lost.
    pub(super) fn disconnect(&mut self, cluster: &mut Cluster) {
        if let Some(connection) = self.connection.take() {
            cluster.commands(connection);
            cluster.apply(Event::AgentDisconnected { connection });
        }
    }

    /// Does what the master said.
    pub(super) fn listen(&mut self, cluster: &mut Cluster) {
        let Some(connection) = self.connection else {
            return;
        };
        for command in cluster.commands(connection) {
            self.obey(connection, command, cluster);
        }
        if cluster.cut_agents.contains(&connection) {
            self.connection = None;
        }
    }

    fn obey(&mut self, connection: ConnectionId, command: AgentCommand, cluster: &mut Cluster) {
        match command {
            AgentCommand::Registered { agent_id, .. } => self.id = Some(agent_id),
            AgentCommand::Refused {
                forget_identity: true,
                ..
            } => {
                self.id = None;
                self.tasks.clear();
                self.operations.forget();
            }
            AgentCommand::Refused { message, .. } => panic!("refused: {message}"),
            // Its tasks run alone.
            AgentCommand::ShutdownExecutor { .. } | AgentCommand::ExecutorMessage { .. } => {}
            AgentCommand::Ping => cluster.apply(Event::AgentPong { connection }),
            AgentCommand::RunTask {
                framework, task, ..
            } => self.run(&framework, &task),
            AgentCommand::RunGroup {
                framework, tasks, ..
            } => tasks.iter().for_each(|task| self.run(&framework, task)),
            AgentCommand::KillTask {
                framework_id,
                task_id,
                preempted,
                ..
            } => {
                let end = match preempted {
                    None => TaskState::Killed,
                    Some(_) => {
                        self.preempted += 1;
                        TaskState::Gone
                    }
                };
                self.become_state(&(framework_id, task_id), end);
            }
            AgentCommand::Acknowledge {
                framework_id,
                task_id,
                uuid,
            } => {
                self.acknowledged(&(framework_id, task_id), uuid);
            }
            AgentCommand::Drain { .. } => {
                for id in self.tasks.keys().cloned().collect::<Vec<_>>() {
                    self.become_state(&id, TaskState::Killed);
                }
            }
            AgentCommand::ApplyOperation {
                framework_id,
                uuid,
                operation,
            } => self.operations.apply(framework_id, uuid, operation),
            AgentCommand::AcknowledgeOperation { uuid, status_uuid } => {
                self.operations.acknowledged(uuid, status_uuid);
            }
            AgentCommand::ShutdownFramework { framework_id } => {
                self.tasks
                    .retain(|(framework, _), _| *framework != framework_id);
            }
        }
    }

    fn run(
        &mut self,
        framework: &tepui_proto::v1::FrameworkInfo,
        task: &tepui_proto::v1::TaskInfo,
    ) {
        let framework = FrameworkInfo::try_from(framework).unwrap();
        let info = TaskInfo::try_from(task).unwrap();
        let key = (framework.id.clone().unwrap(), info.id.clone());
        assert!(!self.tasks.contains_key(&key), "launched twice: {key:?}");
        let task = FakeTask {
            info,
            framework,
            state: TaskState::Staging,
            uuid: StatusUuid::from_bytes([0; 16]),
            pending: VecDeque::new(),
        };
        // What a task is to use may have been made by an operation that failed.
        let there = self.operations.total().contains(&task.info.resources);
        self.tasks.insert(key.clone(), task);
        let state = if there {
            TaskState::Running
        } else {
            TaskState::Failed
        };
        self.become_state(&key, state);
    }

    pub(super) fn become_state(&mut self, key: &(FrameworkId, TaskId), state: TaskState) {
        let Some(task) = self.tasks.get_mut(key) else {
            return;
        };
        if task.state.is_terminal() {
            return;
        }
        self.updates += 1;
        task.uuid = StatusUuid::from_bytes(u128::from(self.updates).to_be_bytes());
        task.state = state;
        task.pending.push_back((state, task.uuid));
    }

    fn acknowledged(&mut self, key: &(FrameworkId, TaskId), uuid: StatusUuid) {
        let Some(task) = self.tasks.get_mut(key) else {
            return;
        };
        if task
            .pending
            .front()
            .is_some_and(|(_, first)| *first == uuid)
        {
            task.pending.pop_front();
            if task.pending.is_empty() && task.state.is_terminal() {
                self.tasks.remove(key);
            }
        }
    }

    /// Tells the first update of every task that has one, for the first time or again.
    pub(super) fn tell(&mut self, cluster: &mut Cluster) {
        let Some(connection) = self.connection else {
            return;
        };
        self.operations.tell(connection, cluster);
        for ((framework_id, id), task) in &self.tasks {
            let Some((state, uuid)) = task.pending.front() else {
                continue;
            };
            let status = TaskStatus {
                uuid: Some(*uuid),
                ..TaskStatus::new(id.clone(), *state)
            };
            cluster.apply(Event::AgentUpdate {
                connection,
                framework_id: framework_id.clone(),
                status: Box::new(status),
                latest_state: task.state,
            });
        }
    }
}
