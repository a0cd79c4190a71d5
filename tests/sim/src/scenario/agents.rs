//! Agents as light as they can be: a registration, pongs, and a timer for each task.
//!
//! They tell a task's state until it is acknowledged, and bring their tasks when they register
//! again, as real agents do. What they do not have is disks, containers and executors.

use core::time::Duration;

use tepui_master_core::{AgentCommand, ConnectionId, Event, KnownTask, Registration};
use tepui_model::{
    AgentCapability, AgentId, AgentInfo, FrameworkInfo, InvalidAgent, Resources, TaskInfo,
    TaskStatus, Time,
};
use tepui_proto::v1;

use super::{
    file::AgentClass,
    master::Kind,
    queue::Turn,
    tasks::{self, Phase},
    world::{Broken, Peer, World},
};

/// How long an agent waits for an acknowledgement before it tells again.
const TELL_AGAIN: Duration = Duration::from_secs(10);

/// How long an agent waits before it tries to register again.
const TRY_AGAIN: Duration = Duration::from_secs(1);

/// One agent.
#[derive(Debug)]
pub(super) struct AgentNode {
    pub(super) class: u32,
    /// Its number within its class.
    number: u32,
    pub(super) id: Option<AgentId>,
    pub(super) connection: Option<u64>,
    /// Whether its machine runs.
    pub(super) is_up: bool,
    /// Until when it cannot reach the master.
    pub(super) away_until: Time,
    /// The tasks whose end is not acknowledged.
    pub(super) tasks: Vec<u32>,
}

impl AgentNode {
    /// Its rack, by the name in its attributes.
    pub(super) fn rack(&self, class: &AgentClass) -> Option<String> {
        let racks = class.racks?;
        let rack = u64::from(self.number) * u64::from(racks) / u64::from(class.count.max(1));
        Some(format!("r{rack}"))
    }

    fn zone(&self, class: &AgentClass) -> Option<String> {
        let zones = u64::from(class.zones?.max(1));
        let rack = class
            .racks
            .map(|racks| u64::from(self.number) * u64::from(racks) / u64::from(class.count.max(1)));
        Some(format!("z{}", rack.unwrap_or(self.number.into()) % zones))
    }

    /// What it says of itself.
    fn info(&self, agent: u32, class: &AgentClass) -> Result<AgentInfo, InvalidAgent> {
        let places = [("rack", self.rack(class)), ("zone", self.zone(class))];
        let places = places
            .into_iter()
            .filter_map(|(name, place)| Some(attribute(name, place?)));
        let mut attributes = class.attributes.to_proto();
        attributes.extend(places);
        AgentInfo::try_from(v1::AgentInfo {
            id: self.id.as_ref().map(Into::into),
            hostname: hostname(agent),
            resources: class.resources.to_proto(None),
            attributes,
            ..v1::AgentInfo::default()
        })
    }
}

pub(super) fn hostname(agent: u32) -> String {
    format!("agent-{agent}")
}

fn attribute(name: &str, text: String) -> v1::Attribute {
    v1::Attribute {
        name: name.to_owned(),
        r#type: v1::value::Type::Text.into(),
        text: Some(v1::value::Text { value: text }),
        ..v1::Attribute::default()
    }
}

impl World<'_> {
    /// Every agent of the scenario, each with the time of its first start.
    pub(super) fn place_agents(&mut self) {
        let scenario = self.scenario;
        for (class_number, class) in (0..).zip(&scenario.agents) {
            for number in 0..class.count {
                let agent = self.agents.len() as u32;
                self.agents.push(AgentNode {
                    class: class_number,
                    number,
                    id: None,
                    connection: None,
                    is_up: false,
                    away_until: Time::ZERO,
                    tasks: Vec::new(),
                });
                let at = self.now + class.arrive + class.gap * number;
                self.queue.plan(at, Turn::AgentStarts(agent));
            }
        }
    }

    pub(super) fn class_of(&self, agent: u32) -> &AgentClass {
        &self.scenario.agents[self.agents[agent as usize].class as usize]
    }

    /// The process starts, or tries to reach the master again.
    pub(super) fn start_agent(&mut self, agent: u32) {
        let class = self.agents[agent as usize].class as usize;
        let node = &mut self.agents[agent as usize];
        if node.connection.is_some() || self.now < node.away_until {
            return;
        }
        if !node.is_up {
            node.is_up = true;
            self.measures.agent_came(class);
        }
        if !self.master.is_up() {
            return self.after(TRY_AGAIN, Turn::AgentStarts(agent));
        }
        let connection = self.connect(Peer::Agent(agent));
        self.agents[agent as usize].connection = Some(connection);
        let registration = match self.registration(agent) {
            Ok(registration) => Box::new(registration),
            Err(problem) => return self.refused(problem.to_string()),
        };
        let connection = ConnectionId(connection);
        self.apply(
            Kind::Others,
            Event::RegisterAgent {
                connection,
                registration,
            },
        );
    }

    fn registration(&self, agent: u32) -> Result<Registration, InvalidAgent> {
        let node = &self.agents[agent as usize];
        let mut registration = Registration::new(node.info(agent, self.class_of(agent))?);
        let drains = registration
            .capabilities
            .with(AgentCapability::AgentDraining);
        registration.capabilities = drains;
        for number in &node.tasks {
            let Some(known) = self.known_task(*number) else {
                continue;
            };
            let framework = &self.frameworks[self.tasks[*number as usize].framework as usize];
            let info: Option<&FrameworkInfo> = framework.info.as_ref();
            let is_new = |info: &&FrameworkInfo| {
                let known = registration.frameworks.iter();
                !known.map(|known| &known.id).any(|id| *id == info.id)
            };
            if let Some(info) = info.filter(is_new) {
                let info = info.clone();
                registration.frameworks.push(info);
            }
            registration.tasks.push(known);
        }
        Ok(registration)
    }

    /// A task as its agent knows it.
    fn known_task(&self, number: u32) -> Option<KnownTask> {
        let task = &self.tasks[number as usize];
        let framework = &self.frameworks[task.framework as usize];
        let agent_id = self.agents[task.agent as usize].id.as_ref()?;
        let mut wire = self.task_info(number, agent_id).ok()?;
        let shape: &Resources = self.shape_of(task.framework)?;
        wire.resources = shape.to_proto(Some(&framework.role));
        Some(KnownTask {
            framework_id: framework.id.clone()?,
            task: TaskInfo::try_from(wire).ok()?,
            latest: task.status(number, framework.is_partition_aware()).ok()?,
        })
    }

    pub(super) fn command_agent(&mut self, agent: u32, connection: u64, command: AgentCommand) {
        let latency = self.latency();
        if self.agents[agent as usize].connection != Some(connection) {
            return;
        }
        match command {
            AgentCommand::Registered { agent_id, .. } => {
                self.agents[agent as usize].id = Some(agent_id);
                for task in self.agents[agent as usize].tasks.clone() {
                    self.tell(task);
                }
            }
            AgentCommand::Refused {
                forget_identity,
                shut_down,
                ..
            } => {
                if forget_identity {
                    self.agents[agent as usize].id = None;
                    self.end_tasks(agent);
                }
                match shut_down {
                    true => self.stop_agent(agent),
                    false => self.after(TRY_AGAIN, Turn::AgentStarts(agent)),
                }
            }
            AgentCommand::Ping => self.after(latency * 2, Turn::Pong(connection)),
            AgentCommand::RunTask { task, .. } => {
                if let Some(task) = tasks::number(&task.task_id.value) {
                    self.after(latency, Turn::TaskArrives { task, agent });
                }
            }
            // No framework of a scenario changes the nature of resources, or has executors.
            AgentCommand::ApplyOperation { .. }
            | AgentCommand::AcknowledgeOperation { .. }
            | AgentCommand::RunGroup { .. }
            | AgentCommand::ShutdownExecutor { .. }
            | AgentCommand::ExecutorMessage { .. } => {}
            AgentCommand::KillTask {
                task_id, preempted, ..
            } => {
                if let Some(task) = tasks::number(task_id.as_str()) {
                    let phase = preempted.map_or(Phase::Killed, |_| Phase::Preempted);
                    self.end_task(task, phase);
                }
            }
            AgentCommand::Acknowledge { task_id, uuid, .. } => {
                if let Some(task) = tasks::number(task_id.as_str()) {
                    self.acknowledged(agent, task, tasks::is_end(uuid));
                }
            }
            AgentCommand::ShutdownFramework { framework_id } => {
                for task in self.agents[agent as usize].tasks.clone() {
                    let framework = self.tasks[task as usize].framework as usize;
                    if self.frameworks[framework].id.as_ref() == Some(&framework_id) {
                        self.end_task(task, Phase::Killed);
                    }
                }
            }
            AgentCommand::Drain { .. } => {
                for task in self.agents[agent as usize].tasks.clone() {
                    self.end_task(task, Phase::Killed);
                }
            }
        }
    }

    /// The process ends, until somebody starts it again.
    fn stop_agent(&mut self, agent: u32) {
        let node = &mut self.agents[agent as usize];
        let class = node.class as usize;
        (node.connection, node.away_until) = (None, Time::MAX);
        if core::mem::take(&mut node.is_up) {
            self.measures.agent_went(class);
        }
    }

    fn acknowledged(&mut self, agent: u32, number: u32, is_end: bool) {
        let task = &mut self.tasks[number as usize];
        task.running_heard = true;
        if is_end && task.has_ended() {
            task.end_heard = true;
            self.agents[agent as usize].tasks.retain(|it| *it != number);
        }
    }

    pub(super) fn task_arrives(&mut self, number: u32, agent: u32) {
        let node = &mut self.agents[agent as usize];
        let task = &mut self.tasks[number as usize];
        if !node.is_up || self.now < node.away_until || task.phase != Phase::Sent {
            return;
        }
        task.agent = agent;
        task.phase = Phase::Starting;
        node.tasks.push(number);
        let framework = task.framework;
        self.measures
            .task_came(&self.frameworks[framework as usize]);
        let start = self.class_of(agent).task_start;
        self.after(start, Turn::TaskRuns(number));
    }

    pub(super) fn task_runs(&mut self, number: u32) {
        let task = &mut self.tasks[number as usize];
        if task.phase != Phase::Starting {
            return;
        }
        task.phase = Phase::Running;
        let group = self.frameworks[task.framework as usize].group as usize;
        if let Some(lasts) = self.scenario.frameworks[group].lasts {
            let span = lasts.draw(&mut self.dice);
            self.after(span, Turn::TaskEnds(number));
        }
        self.tell(number);
    }

    pub(super) fn task_ends(&mut self, number: u32) {
        self.end_task(number, Phase::Finished);
    }

    fn end_task(&mut self, number: u32, phase: Phase) {
        let task = &mut self.tasks[number as usize];
        if !task.is_there() {
            return;
        }
        task.phase = phase;
        let framework = task.framework as usize;
        self.measures.task_went(&self.frameworks[framework]);
        if phase != Phase::Dead {
            self.tell(number);
        }
    }

    /// The machine stops with all that runs on it, or must forget it.
    pub(super) fn end_tasks(&mut self, agent: u32) {
        for task in core::mem::take(&mut self.agents[agent as usize].tasks) {
            self.end_task(task, Phase::Dead);
        }
    }

    /// Tells the master of a task's state, if it is reached.
    fn tell(&mut self, number: u32) {
        let task = &self.tasks[number as usize];
        let is_end = task.has_ended();
        if task.phase == Phase::Starting || (task.phase == Phase::Running && task.running_heard) {
            return;
        }
        let connection = self.agents[task.agent as usize].connection;
        if let Some(connection) = connection {
            let told = Turn::TaskTold {
                task: number,
                is_end,
                connection,
            };
            self.after(self.latency(), told);
        }
        let again = Turn::TellAgain {
            task: number,
            is_end,
        };
        self.after(TELL_AGAIN, again);
    }

    pub(super) fn tell_again(&mut self, number: u32, is_end: bool) {
        let task = &self.tasks[number as usize];
        let is_heard = if is_end {
            task.end_heard
        } else {
            task.running_heard
        };
        if !is_heard && task.phase != Phase::Dead && task.has_ended() == is_end {
            self.tell(number);
        }
    }

    pub(super) fn task_told(&mut self, number: u32, is_end: bool, connection: u64) {
        let task = &self.tasks[number as usize];
        let node = &self.frameworks[task.framework as usize];
        let (framework, is_aware) = (node.id.clone(), node.is_partition_aware());
        let is_current = self.agents[task.agent as usize].connection == Some(connection);
        if !is_current || task.has_ended() != is_end {
            return;
        }
        let (Some(framework_id), Ok(status)) = (framework, task.status(number, is_aware)) else {
            return;
        };
        let latest_state = status.state;
        self.apply(
            Kind::Updates,
            Event::AgentUpdate {
                connection: ConnectionId(connection),
                framework_id,
                status: Box::new(TaskStatus {
                    timestamp: Some(self.now),
                    ..status
                }),
                latest_state,
            },
        );
    }

    /// The master ended the stream: the agent tries again.
    pub(super) fn agent_cut_off(&mut self, agent: u32, connection: u64) {
        let node = &mut self.agents[agent as usize];
        if node.connection == Some(connection) {
            node.connection = None;
            self.after(TRY_AGAIN, Turn::AgentStarts(agent));
        }
    }

    /// A run that makes too many tasks ends.
    pub(super) fn too_many_tasks(&mut self) -> bool {
        let limit = super::limits::MAX_LAUNCHES;
        let is_over = self.tasks.len() >= limit;
        if is_over {
            self.broken = Some(Broken::TooManyTasks(limit));
        }
        is_over
    }
}
