//! What an agent wants done.

use std::fmt;

use tepui_model::{AgentId, ContainerId, TaskState};
use tepui_proto::v1::executor;

use crate::{
    AgentReport, Change, ContainerPlan, Kind, Limits, LinkId, OperationUuid, ProbeOrder, StreamId,
    TaskKey, VolumePlace,
};

/// What an agent wants done.
#[derive(Clone, Debug)]
pub enum Effect {
    /// Write or delete a record: before anything else of the batch if it is urgent.
    Persist(Change),
    /// Send a message to the master, if the stream still stands.
    Send {
        /// The stream.
        link: LinkId,
        /// The message.
        report: AgentReport,
    },
    /// End the stream to the master; the shell opens another in its own time.
    Disconnect {
        /// The stream.
        link: LinkId,
        /// Why, for the operator.
        reason: String,
    },
    /// Make the sandbox and start the container, then report what became of it.
    Launch(Box<ContainerPlan>),
    /// Say something to an executor, if the stream still stands.
    Tell {
        /// The stream.
        stream: StreamId,
        /// What.
        event: Box<executor::Event>,
    },
    /// End the stream to an executor after what was said on it.
    EndStream {
        /// The stream.
        stream: StreamId,
    },
    /// Change how much a container may use.
    Resize {
        /// The container.
        container: ContainerId,
        /// How much.
        limits: Limits,
    },
    /// Carry out a check, and report [`Event::Probed`](crate::Event::Probed).
    Probe(Box<ProbeOrder>),
    /// Give up fetching the image of a container that is being started, if that is going on: then
    /// report that it could not be started.
    Abandon {
        /// The container.
        container: ContainerId,
    },
    /// Ask every process of a container to end.
    Terminate {
        /// The container.
        container: ContainerId,
    },
    /// Kill every process of a container.
    Kill {
        /// The container.
        container: ContainerId,
    },
    /// Remove what is left of an ended container. Its sandbox stays.
    Remove {
        /// The container.
        container: ContainerId,
    },
    /// Make the folder of a persistent volume, if it is not there, before anything that follows.
    MakeVolume(VolumePlace),
    /// Set the data of a persistent volume aside in the trash under this name, unless something of
    /// that name is there already, before anything that follows. Then delete it but for the empty
    /// folder of that name, and report [`Event::VolumeRemoved`](crate::Event::VolumeRemoved).
    RemoveVolume {
        /// The name.
        removal: String,
        /// Where the data is.
        place: VolumePlace,
    },
    /// Remove the empty folder of that name.
    ForgetVolume {
        /// The name.
        removal: String,
        /// Where the data was.
        place: VolumePlace,
    },
    /// The agent has left the cluster for good: the program ends.
    Left,
    /// Something that an operator may want to read in the log.
    Note(Note),
}

/// What an agent wants done, in order.
///
/// Every urgent change of a batch, and every change before it, is durable before any other effect
/// of the batch happens.
#[derive(Debug, Default)]
pub struct Effects(Vec<Effect>);

impl Effects {
    /// No effects.
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    pub(crate) fn push(&mut self, effect: Effect) {
        self.0.push(effect);
    }

    pub(crate) fn note(&mut self, note: Note) {
        self.0.push(Effect::Note(note));
    }

    /// Whether something must be durable before the other effects happen: any urgent change.
    #[must_use]
    pub fn must_sync(&self) -> bool {
        let urgent = |effect: &Effect| matches!(effect, Effect::Persist(change) if change.urgent);
        self.0.iter().any(urgent)
    }

    /// Whether there is nothing to do.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The effects, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Effect> {
        self.0.iter()
    }

    /// Takes the effects, in order.
    pub fn drain(&mut self) -> impl Iterator<Item = Effect> {
        self.0.drain(..)
    }
}

/// Something that an operator may want to read in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// The master took the agent in.
    Registered(AgentId),
    /// The master did not.
    Refused(String),
    /// A task has a new state.
    Changed {
        /// The task.
        task: TaskKey,
        /// The state.
        state: TaskState,
        /// What the framework is told about it.
        message: String,
    },
    /// The master wants to start a task that is here already.
    DuplicateTask(TaskKey),
    /// The master wants an operation that is done already.
    DuplicateOperation(OperationUuid),
    /// The master speaks of a task that is not here.
    UnknownTask {
        /// The task.
        task: TaskKey,
        /// What it wants.
        wants: &'static str,
    },
    /// A container that belongs to no task was found, and is killed.
    Orphan(ContainerId),
    /// A record cannot be read; what it stood for is lost.
    DamagedRecord {
        /// What it is about.
        kind: Kind,
        /// Its key.
        key: String,
        /// What is wrong with it.
        message: String,
    },
    /// The agent was made from records.
    Recovered {
        /// Tasks whose containers run.
        running: usize,
        /// Tasks that are started again, because their container never was.
        launched: usize,
        /// Tasks that ended meanwhile, or whose containers are gone.
        ended: usize,
    },
}

impl Note {
    /// Whether something is amiss.
    #[must_use]
    pub const fn is_warning(&self) -> bool {
        !matches!(
            self,
            Self::Registered(_) | Self::Changed { .. } | Self::Recovered { .. }
        )
    }
}

impl fmt::Display for Note {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Registered(id) => write!(formatter, "registered as agent {id}"),
            Self::Refused(message) => write!(formatter, "the master refuses this agent: {message}"),
            Self::Changed {
                task,
                state,
                message,
            } if message.is_empty() => {
                write!(formatter, "task {task} is {state}")
            }
            Self::Changed {
                task,
                state,
                message,
            } => {
                write!(formatter, "task {task} is {state}: {message}")
            }
            Self::DuplicateTask(task) => {
                write!(formatter, "task {task} is here already: not started again")
            }
            Self::DuplicateOperation(uuid) => {
                write!(
                    formatter,
                    "operation {uuid} is done already: not done again"
                )
            }
            Self::UnknownTask { task, wants } => {
                write!(formatter, "there is no task {task} to {wants}")
            }
            Self::Orphan(container) => {
                write!(
                    formatter,
                    "container {container} belongs to no task: killing it"
                )
            }
            Self::DamagedRecord { kind, key, message } => {
                write!(
                    formatter,
                    "the {kind} record '{key}' cannot be read and is lost: {message}"
                )
            }
            Self::Recovered {
                running,
                launched,
                ended,
            } => write!(
                formatter,
                "recovered {running} running tasks, started {launched} anew, found {ended} ended"
            ),
        }
    }
}
