//! An answer with much in it, part by part: each is made when it is asked for, and is small, so
//! that nobody holds all of it.

use std::{ops::Range, sync::Arc};

use tepui_proto::v1::{
    self,
    master::{
        call,
        response::{GetAgents, GetExecutors, GetFrameworks, GetState, GetTasks},
    },
};

use super::{Allocated, Snapshot, agents::AgentPicture, executors, frameworks};
use crate::tasks::Task;

/// Elements of one part.
const ELEMENTS: usize = 256;

/// A list of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum List {
    /// Tasks that agents have.
    Tasks,
    /// Tasks out of reach.
    UnreachableTasks,
    /// Tasks that have ended.
    CompletedTasks,
    /// Custom executors.
    Executors,
    /// Frameworks.
    Frameworks,
    /// Frameworks that are removed.
    CompletedFrameworks,
    /// Agents.
    Agents,
    /// Agents that have not come back yet.
    RecoveredAgents,
}

/// Some neighbours in a list.
#[derive(Clone, Debug)]
pub struct Part {
    /// The list.
    pub list: List,
    /// Whose tasks, if they are tasks: a framework, by its place in the snapshot.
    owner: usize,
    elements: Range<usize>,
}

impl List {
    /// All of them, in the order in which an answer has them.
    pub const ALL: [Self; 8] = [
        Self::Tasks,
        Self::UnreachableTasks,
        Self::CompletedTasks,
        Self::Executors,
        Self::Frameworks,
        Self::CompletedFrameworks,
        Self::Agents,
        Self::RecoveredAgents,
    ];

    /// Its name in the answer.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tasks => "tasks",
            Self::UnreachableTasks => "unreachable_tasks",
            Self::CompletedTasks => "completed_tasks",
            Self::Executors => "executors",
            Self::Frameworks => "frameworks",
            Self::CompletedFrameworks => "completed_frameworks",
            Self::Agents => "agents",
            Self::RecoveredAgents => "recovered_agents",
        }
    }

    /// The part of a state that it is in, which is the name of a call too.
    #[must_use]
    pub const fn group(self) -> call::Type {
        match self {
            Self::Tasks | Self::UnreachableTasks | Self::CompletedTasks => call::Type::GetTasks,
            Self::Executors => call::Type::GetExecutors,
            Self::Frameworks | Self::CompletedFrameworks => call::Type::GetFrameworks,
            Self::Agents | Self::RecoveredAgents => call::Type::GetAgents,
        }
    }
}

impl Snapshot {
    /// The parts of the answer to a call that [`Self::answers`] names, in the order of the answer.
    #[must_use]
    pub fn parts(&self, call: call::Type) -> Vec<Part> {
        let is_wanted = |list: &List| call == call::Type::GetState || call == list.group();
        let lists = List::ALL.into_iter().filter(is_wanted);
        lists.flat_map(|list| self.parts_of(list)).collect()
    }

    fn parts_of(&self, list: List) -> Vec<Part> {
        let owners = match list {
            // One framework may have thousands of offers.
            List::Frameworks => return self.live_frameworks().collect(),
            // The tasks of removed frameworks come last.
            List::CompletedTasks => self.frameworks.len() + self.completed.len(),
            List::Tasks | List::UnreachableTasks => self.frameworks.len(),
            _ => 1,
        };
        let parts = (0..owners).flat_map(|owner| {
            let count = match list {
                List::Executors => self.executors.len(),
                List::CompletedFrameworks => self.completed.len(),
                List::Agents => self.agents.len(),
                List::RecoveredAgents => self.recovered.len(),
                _ => self.tasks_of(list, owner).len(),
            };
            let starts = (0..count).step_by(ELEMENTS);
            starts.map(move |start| Part {
                list,
                owner,
                elements: start..count.min(start + ELEMENTS),
            })
        });
        parts.collect()
    }

    fn live_frameworks(&self) -> impl Iterator<Item = Part> {
        let all = self.frameworks.iter().enumerate();
        let live = all.filter(|(_, framework)| !framework.is_ending);
        live.map(|(index, _)| Part {
            list: List::Frameworks,
            owner: 0,
            elements: index..index + 1,
        })
    }

    fn tasks_of(&self, list: List, owner: usize) -> &[Arc<Task>] {
        let Some(framework) = self.frameworks.get(owner) else {
            let removed = self.completed.get(owner - self.frameworks.len());
            // The snapshot holds them in one piece.
            return removed.map_or(&[], |framework| framework.tasks.as_slices().0);
        };
        match list {
            List::Tasks => &framework.tasks,
            List::UnreachableTasks => &framework.lost,
            _ => &framework.ended,
        }
    }

    /// A state with nothing in it but that part.
    #[must_use]
    pub fn part(&self, part: &Part) -> GetState {
        let mut state = GetState::default();
        let elements = part.elements.clone();
        match part.list {
            List::Tasks | List::UnreachableTasks | List::CompletedTasks => {
                let tasks = &self.tasks_of(part.list, part.owner)[elements];
                let tasks = tasks.iter().map(|task| task.to_wire()).collect();
                state.get_tasks = Some(tasks_in(part.list, tasks));
            }
            List::Executors => {
                let shown: GetExecutors = executors::to_wire(&self.executors[elements]);
                state.get_executors = Some(shown);
            }
            List::Frameworks | List::CompletedFrameworks => {
                state.get_frameworks = Some(self.frameworks_in(part.list, elements));
            }
            List::Agents | List::RecoveredAgents => {
                state.get_agents = Some(self.agents_in(part.list, elements));
            }
        }
        state
    }

    fn frameworks_in(&self, list: List, elements: Range<usize>) -> GetFrameworks {
        let mut view = GetFrameworks::default();
        if list == List::Frameworks {
            let live = self.frameworks[elements].iter();
            view.frameworks = live.map(frameworks::FrameworkPicture::to_wire).collect();
        } else {
            let removed = self.completed[elements].iter();
            view.completed_frameworks = removed.map(frameworks::completed_view).collect();
        }
        view
    }

    fn agents_in(&self, list: List, elements: Range<usize>) -> GetAgents {
        let mut view = GetAgents::default();
        if list == List::Agents {
            let allocated = self.allocated();
            let nothing = Allocated::default();
            let show =
                |agent: &AgentPicture| agent.to_wire(allocated.get(agent.id()).unwrap_or(&nothing));
            view.agents = self.agents[elements].iter().map(show).collect();
        } else {
            let recovered = self.recovered[elements].iter();
            view.recovered_agents = recovered.map(|info| v1::AgentInfo::clone(info)).collect();
        }
        view
    }
}

fn tasks_in(list: List, tasks: Vec<v1::Task>) -> GetTasks {
    let mut view = GetTasks::default();
    match list {
        List::Tasks => view.tasks = tasks,
        List::UnreachableTasks => view.unreachable_tasks = tasks,
        _ => view.completed_tasks = tasks,
    }
    view
}
