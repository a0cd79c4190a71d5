//! The cluster at one moment, for whoever wants to see much of it.
//!
//! Taking one costs the core a few pointers for each task and agent. Turning it into the messages
//! of the API takes a hundred times longer and can be done anywhere, while the core goes on: what
//! changes meanwhile is copied first.

use std::{
    collections::HashMap,
    sync::{Arc, OnceLock},
};

use tepui_model::{AgentId, Resources, Role};
use tepui_proto::v1::{
    self,
    master::{
        Response, call,
        response::{self, GetAgents, GetFrameworks, GetState, GetTasks},
    },
};

use super::{
    Allocated,
    agents::{self, AgentPicture},
    executors,
    frameworks::FrameworkPicture,
};
use crate::{Master, executors::Executor, frameworks::CompletedFramework, tasks::Task};

/// What an answer with much in it is made of. See the module.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    pub(super) agents: Vec<AgentPicture>,
    pub(super) recovered: Vec<Arc<v1::AgentInfo>>,
    pub(super) frameworks: Vec<FrameworkPicture>,
    /// Custom executors, each with its agent.
    pub(super) executors: Vec<(AgentId, Executor)>,
    pub(super) completed: Vec<CompletedFramework>,
    unreachable: usize,
    /// What the tasks of each agent take, once somebody wants to know. It is only looked up.
    allocated: OnceLock<HashMap<AgentId, Allocated>>,
}

impl Master {
    /// The agents, frameworks and tasks as they are now.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let agents = self.agents.iter();
        let recovered = self.agents.recovered.values();
        let frameworks = self.frameworks.iter();
        Snapshot {
            agents: agents.map(|agent| self.agent_picture(agent)).collect(),
            recovered: recovered
                .map(|agent| Arc::clone(&agent.info.wire))
                .collect(),
            frameworks: frameworks
                .map(|framework| self.framework_picture(framework))
                .collect(),
            executors: self.executors().collect(),
            completed: self.frameworks.completed.iter().map(in_one_piece).collect(),
            unreachable: self.agents.unreachable.len(),
            allocated: OnceLock::new(),
        }
    }
}

impl Snapshot {
    /// How many agents were silent for too long.
    #[must_use]
    pub const fn unreachable(&self) -> usize {
        self.unreachable
    }

    /// Whether this call is answered with a snapshot.
    #[must_use]
    pub const fn answers(call: call::Type) -> bool {
        matches!(
            call,
            call::Type::GetState
                | call::Type::GetAgents
                | call::Type::GetFrameworks
                | call::Type::GetTasks
        )
    }

    /// The answer to one of the calls that [`Self::answers`] names; an empty one to others.
    #[must_use]
    pub fn answer(&self, call: call::Type) -> Response {
        use response::Type;
        let mut answer = Response::default();
        match call {
            call::Type::GetState => {
                answer.set_type(Type::GetState);
                answer.get_state = Some(self.get_state());
            }
            call::Type::GetAgents => {
                answer.set_type(Type::GetAgents);
                answer.get_agents = Some(self.get_agents());
            }
            call::Type::GetFrameworks => {
                answer.set_type(Type::GetFrameworks);
                answer.get_frameworks = Some(self.get_frameworks());
            }
            call::Type::GetTasks => {
                answer.set_type(Type::GetTasks);
                answer.get_tasks = Some(self.get_tasks());
            }
            _ => {}
        }
        answer
    }

    /// Everything: what a stream of events begins with.
    #[must_use]
    pub fn get_state(&self) -> GetState {
        GetState {
            get_tasks: Some(self.get_tasks()),
            get_executors: Some(executors::to_wire(&self.executors)),
            get_frameworks: Some(self.get_frameworks()),
            get_agents: Some(self.get_agents()),
        }
    }

    /// The agents that are connected or disconnected, and those that have not come back yet.
    #[must_use]
    pub fn get_agents(&self) -> GetAgents {
        let allocated = self.allocated();
        let nothing = Allocated::default();
        let show =
            |agent: &AgentPicture| agent.to_wire(allocated.get(agent.id()).unwrap_or(&nothing));
        let recovered = self.recovered.iter();
        GetAgents {
            agents: self.agents.iter().map(show).collect(),
            recovered_agents: recovered.map(|info| agents::info(info)).collect(),
        }
    }

    /// What the tasks of each agent take.
    pub(super) fn allocated(&self) -> &HashMap<AgentId, Allocated> {
        self.allocated.get_or_init(|| {
            let mut allocated = HashMap::new();
            let tasks = self
                .frameworks
                .iter()
                .flat_map(|framework| &framework.tasks);
            for task in tasks.filter(|task| !task.is_over()) {
                add(&mut allocated, task.agent_id(), &task.role, &task.resources);
            }
            for (agent, executor) in &self.executors {
                add(&mut allocated, agent, &executor.role, &executor.resources);
            }
            allocated
        })
    }

    /// The frameworks with their offers, and those that are removed.
    #[must_use]
    pub fn get_frameworks(&self) -> GetFrameworks {
        let live = self.frameworks.iter();
        let live = live.filter(|framework| !framework.is_ending);
        GetFrameworks {
            frameworks: live.map(FrameworkPicture::to_wire).collect(),
            completed_frameworks: self
                .completed
                .iter()
                .map(super::frameworks::completed_view)
                .collect(),
            ..GetFrameworks::default()
        }
    }

    /// The tasks that agents have, those out of reach, and those that have ended.
    #[must_use]
    pub fn get_tasks(&self) -> GetTasks {
        let to_wire = |tasks: &[Arc<Task>]| {
            let tasks = tasks.iter().map(|task| task.to_wire());
            tasks.collect::<Vec<_>>()
        };
        let mut view = GetTasks::default();
        for framework in &self.frameworks {
            view.tasks.extend(to_wire(&framework.tasks));
            view.unreachable_tasks.extend(to_wire(&framework.lost));
            view.completed_tasks.extend(to_wire(&framework.ended));
        }
        for framework in &self.completed {
            let tasks = framework.tasks.iter().map(|task| task.to_wire());
            view.completed_tasks.extend(tasks);
        }
        view
    }
}

fn add(all: &mut HashMap<AgentId, Allocated>, agent: &AgentId, role: &Role, resources: &Resources) {
    match all.get_mut(agent) {
        Some(there) => there.add(role, resources),
        None => {
            let there = all.entry(agent.clone()).or_default();
            there.add(role, resources);
        }
    }
}

/// A copy whose tasks lie side by side.
fn in_one_piece(framework: &CompletedFramework) -> CompletedFramework {
    let mut framework = framework.clone();
    framework.tasks.make_contiguous();
    framework
}
