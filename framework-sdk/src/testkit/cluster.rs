//! The master's core, its registry and its agents, in one loop.

use std::{
    collections::{BTreeMap, VecDeque},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use tepui_master_core::{
    Change, Config, ConnectionId, Effect, Effects, Ending, Event, Master, OperatorCall,
    OperatorError, OperatorReply, Record, RecordKind, Recovered, RequestId, SchedulerCall,
};
use tepui_model::{AgentId, AgentInfo, TaskId, TaskState, Time};
use tepui_proto::v1;
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, sleep_until},
};
use tonic::Status;

use super::agent::Agent;

/// How often agents repeat what is not acknowledged. Real ones begin with ten seconds (TSK-09); a
/// test shall not wait so long.
const REPEAT: Duration = Duration::from_secs(1);

/// What a framework's stream carries.
pub(super) type Outgoing = mpsc::Sender<Result<v1::scheduler::Event, Status>>;

/// What happens to the cluster.
#[derive(Debug)]
pub(super) enum Input {
    Opened {
        stream: Outgoing,
        number: oneshot::Sender<u64>,
    },
    Called {
        number: u64,
        call: Box<SchedulerCall>,
    },
    Closed {
        number: u64,
    },
    Operator {
        call: OperatorCall,
        done: oneshot::Sender<Result<OperatorReply, OperatorError>>,
    },
    AddAgent {
        info: Box<v1::AgentInfo>,
        automatic: bool,
        launched: mpsc::Sender<v1::TaskInfo>,
        done: oneshot::Sender<Result<(usize, AgentId), String>>,
    },
    Play {
        agent: usize,
        play: Play,
        done: oneshot::Sender<Result<(), String>>,
    },
    Tasks {
        agent: usize,
        done: oneshot::Sender<Vec<(String, TaskState)>>,
    },
    Restart {
        done: oneshot::Sender<()>,
    },
}

/// What a test does with an agent.
#[derive(Debug)]
pub(super) enum Play {
    Report {
        task: String,
        state: TaskState,
        healthy: Option<bool>,
        message: String,
    },
    Disconnect,
    Reconnect,
}

pub(super) struct Cluster {
    master: Master,
    starts: u32,
    registry: BTreeMap<(RecordKind, String), Vec<u8>>,
    streams: BTreeMap<ConnectionId, Outgoing>,
    agents: Vec<Agent>,
    replies: BTreeMap<RequestId, oneshot::Sender<Result<OperatorReply, OperatorError>>>,
    next_number: u64,
    epoch: (Time, Instant),
}

impl Cluster {
    pub(super) fn new() -> Result<Self, String> {
        let since_epoch = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Ok(Self {
            master: master(1, Recovered::default())?,
            starts: 1,
            registry: BTreeMap::new(),
            streams: BTreeMap::new(),
            agents: Vec::new(),
            replies: BTreeMap::new(),
            next_number: 1,
            epoch: (Time::ZERO + since_epoch, Instant::now()),
        })
    }

    pub(super) async fn run(mut self, mut inputs: mpsc::Receiver<Input>) {
        let mut repeat_due = Instant::now() + REPEAT;
        loop {
            let wake = self.master.next_wake().unwrap_or(Time::MAX);
            let wake_due = Instant::now() + wake.since(self.now()).min(REPEAT);
            tokio::select! {
                input = inputs.recv() => match input {
                    Some(input) => self.take(input),
                    None => return,
                },
                () = sleep_until(wake_due) => self.apply(Event::Wake),
                () = sleep_until(repeat_due) => {
                    repeat_due = Instant::now() + REPEAT;
                    let events: Vec<_> = self.agents.iter().flat_map(Agent::repeat).collect();
                    events.into_iter().for_each(|event| self.apply(event));
                }
            }
        }
    }

    fn now(&self) -> Time {
        self.epoch.0 + self.epoch.1.elapsed()
    }

    fn number(&mut self) -> u64 {
        self.next_number += 1;
        self.next_number
    }

    fn take(&mut self, input: Input) {
        match input {
            Input::Opened { stream, number } => {
                let new = self.number();
                self.streams.insert(ConnectionId(new), stream);
                // Gone already: its end is noted when its reader ends.
                let _ = number.send(new);
            }
            Input::Called { number, call } => {
                self.apply(Event::Call {
                    connection: ConnectionId(number),
                    call: *call,
                });
            }
            Input::Closed { number } => {
                let connection = ConnectionId(number);
                if self.streams.remove(&connection).is_some() {
                    self.apply(Event::FrameworkDisconnected { connection });
                }
            }
            Input::Operator { call, done } => {
                let request = RequestId(self.number());
                self.replies.insert(request, done);
                self.apply(Event::Operator { request, call });
            }
            Input::AddAgent {
                info,
                automatic,
                launched,
                done,
            } => {
                let _ = done.send(self.add_agent(*info, automatic, launched));
            }
            Input::Play { agent, play, done } => {
                let _ = done.send(self.play(agent, play));
            }
            Input::Tasks { agent, done } => {
                let tasks = self.agents.get(agent).map(Agent::tasks);
                let _ = done.send(tasks.unwrap_or_default());
            }
            Input::Restart { done } => {
                self.restart();
                let _ = done.send(());
            }
        }
    }

    fn add_agent(
        &mut self,
        info: v1::AgentInfo,
        automatic: bool,
        launched: mpsc::Sender<v1::TaskInfo>,
    ) -> Result<(usize, AgentId), String> {
        let info = AgentInfo::try_from(info).map_err(|error| error.to_string())?;
        let index = self.agents.len();
        self.agents
            .push(Agent::new(index as u64, info, automatic, launched));
        self.connect(index);
        let id = self.agents.get(index).and_then(Agent::id).cloned();
        Ok((index, id.ok_or("the master did not take the agent")?))
    }

    fn connect(&mut self, index: usize) {
        let connection = ConnectionId(self.number());
        if let Some(agent) = self.agents.get_mut(index) {
            let registration = agent.register(connection);
            self.apply(registration);
        }
    }

    fn play(&mut self, index: usize, play: Play) -> Result<(), String> {
        let agent = self.agents.get_mut(index).ok_or("no such agent")?;
        match play {
            Play::Report {
                task,
                state,
                healthy,
                message,
            } => {
                let id = TaskId::new(&task).map_err(|error| error.to_string())?;
                let known = agent.tasks().iter().any(|(known, _)| *known == task);
                let event = agent.report(&id, state, healthy, &message);
                if let Some(event) = event {
                    self.apply(event);
                }
                if known {
                    Ok(())
                } else {
                    Err(format!("no task {task:?} on the agent"))
                }
            }
            Play::Disconnect => {
                if let Some(connection) = agent.connection.take() {
                    self.apply(Event::AgentDisconnected { connection });
                }
                Ok(())
            }
            Play::Reconnect => {
                self.connect(index);
                Ok(())
            }
        }
    }

    /// Everything in memory is gone; what the registry has is not.
    fn restart(&mut self) {
        self.streams.clear();
        self.replies.clear();
        let mut recovered = Recovered::default();
        for ((kind, key), bytes) in &self.registry {
            match Record::decode(*kind, key, bytes) {
                Ok(record) => recovered.insert(record),
                Err(error) => tracing::error!(%error, "the test master's registry"),
            }
        }
        self.starts += 1;
        match master(self.starts, recovered) {
            Ok(master) => self.master = master,
            Err(error) => tracing::error!(%error, "the test master"),
        }
        for index in 0..self.agents.len() {
            if self.agents[index].connection.take().is_some() {
                self.connect(index);
            }
        }
    }

    /// Applies an event, and every event that follows from it within the cluster.
    fn apply(&mut self, event: Event) {
        let mut events = VecDeque::from([event]);
        while let Some(event) = events.pop_front() {
            let mut effects = Effects::new();
            self.master.apply(self.now(), event, &mut effects);
            for effect in effects {
                events.extend(self.carry_out(effect));
            }
        }
    }

    fn carry_out(&mut self, effect: Effect) -> Vec<Event> {
        match effect {
            Effect::Persist(Change::Put(record)) => {
                self.registry
                    .insert((record.kind(), record.key()), record.encode());
            }
            Effect::Persist(Change::Delete(kind, key)) => drop(self.registry.remove(&(kind, key))),
            Effect::ToFramework { connection, event } => {
                return self.tell(connection, Ok(event.into()));
            }
            Effect::EndFramework { connection, ending } => return self.end(connection, ending),
            Effect::ToAgent {
                connection,
                command,
            } => {
                let agent = self
                    .agents
                    .iter_mut()
                    .find(|a| a.connection == Some(connection));
                return agent.map(|agent| agent.obey(command)).unwrap_or_default();
            }
            Effect::EndAgent { connection } => {
                for agent in &mut self.agents {
                    agent.connection = agent.connection.filter(|its| *its != connection);
                }
            }
            Effect::Reply { request, result } => {
                // The operator may be gone.
                self.replies
                    .remove(&request)
                    .map(|reply| reply.send(result).ok());
            }
            Effect::Publish(_) => {}
            Effect::Warn(text) => tracing::warn!(text, "the test master"),
        }
        Vec::new()
    }

    /// Hands a message to a framework; one that does not read is cut off, as a real master does.
    fn tell(
        &mut self,
        connection: ConnectionId,
        message: Result<v1::scheduler::Event, Status>,
    ) -> Vec<Event> {
        let Some(stream) = self.streams.get(&connection) else {
            return Vec::new();
        };
        if stream.try_send(message).is_ok() {
            return Vec::new();
        }
        self.streams.remove(&connection);
        vec![Event::FrameworkDisconnected { connection }]
    }

    fn end(&mut self, connection: ConnectionId, ending: Ending) -> Vec<Event> {
        let status = match ending {
            Ending::Done => None,
            Ending::InvalidCall(text) => Some(Status::invalid_argument(text)),
            Ending::NotNow(text) => Some(Status::failed_precondition(text)),
        };
        let events = status
            .map(|status| self.tell(connection, Err(status)))
            .unwrap_or_default();
        self.streams.remove(&connection);
        events
    }
}

/// The core, under an id that no other start had.
fn master(start: u32, recovered: Recovered) -> Result<Master, String> {
    let info = v1::MasterInfo {
        id: format!("test-{start}"),
        hostname: Some("127.0.0.1".to_owned()),
        ..Default::default()
    };
    Master::new(Config::new(info), recovered).map_err(|error| error.to_string())
}
