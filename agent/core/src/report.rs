//! What an agent says to its master.

use tepui_model::{AgentInfo, FrameworkId, FrameworkInfo, TaskInfo, TaskState, TaskStatus};
use tepui_proto::{services, v1};

/// What an agent says to its master.
#[derive(Clone, Debug)]
pub enum AgentReport {
    /// I am this agent, and these are my tasks.
    Register(Box<Registration>),
    /// I am here.
    Pong,
    /// A task has a new state.
    Update {
        /// The task's framework.
        framework_id: FrameworkId,
        /// The state, and the uuid to acknowledge it by.
        status: Box<TaskStatus>,
        /// The task's newest state, which may be ahead of `status`.
        latest: TaskState,
    },
    /// I leave for good.
    Unregister,
}

/// How an agent introduces itself, for the first time or again.
#[derive(Clone, Debug)]
pub struct Registration {
    /// The agent, with its id if it has one.
    pub info: AgentInfo,
    /// The program's version.
    pub version: String,
    /// Every task that is not both ended and acknowledged.
    pub tasks: Vec<KnownTask>,
    /// The frameworks of those tasks.
    pub frameworks: Vec<FrameworkInfo>,
}

/// A task that the agent knows.
#[derive(Clone, Debug)]
pub struct KnownTask {
    /// Its framework.
    pub framework_id: FrameworkId,
    /// The task.
    pub task: TaskInfo,
    /// Its newest state.
    pub latest: TaskStatus,
}

/// What this agent can do (Mesos: AGT-08).
const CAPABILITIES: [v1::agent_info::capability::Type; 5] = [
    v1::agent_info::capability::Type::MultiRole,
    v1::agent_info::capability::Type::HierarchicalRole,
    v1::agent_info::capability::Type::ReservationRefinement,
    v1::agent_info::capability::Type::AgentDraining,
    v1::agent_info::capability::Type::TaskResourceLimits,
];

impl From<&AgentReport> for services::AgentMessage {
    fn from(report: &AgentReport) -> Self {
        use services::agent_message::Message;
        let message = match report {
            AgentReport::Register(registration) => Message::Register((&**registration).into()),
            AgentReport::Pong => Message::Pong(services::Pong {}),
            AgentReport::Update {
                framework_id,
                status,
                latest,
            } => Message::StatusUpdate(services::StatusUpdate {
                framework_id: Some(framework_id.into()),
                status: Some((&**status).into()),
                latest_state: v1::TaskState::from(*latest).into(),
            }),
            AgentReport::Unregister => Message::Unregister(services::Unregister {}),
        };
        Self {
            message: Some(message),
        }
    }
}

impl From<&Registration> for services::Register {
    fn from(registration: &Registration) -> Self {
        let capability = |kind| v1::agent_info::Capability {
            r#type: Some(i32::from(kind)),
        };
        let known = |known: &KnownTask| services::KnownTask {
            framework_id: Some((&known.framework_id).into()),
            task: Some((*known.task.wire).clone()),
            latest: Some((&known.latest).into()),
        };
        let framework = |framework: &FrameworkInfo| (*framework.wire).clone();
        Self {
            agent: Some((&registration.info).into()),
            version: registration.version.clone(),
            capabilities: CAPABILITIES.into_iter().map(capability).collect(),
            tasks: registration.tasks.iter().map(known).collect(),
            frameworks: registration.frameworks.iter().map(framework).collect(),
        }
    }
}
