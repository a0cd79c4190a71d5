//! An answer with much in it, part by part: each is made when it is asked for, and is small, so
//! that nobody holds all of it.

use std::{ops::Range, sync::Arc};

use prost::encoding::{WireType, encode_key, encode_varint};
use tepui_proto::v1::master::call;

use super::{Allocated, Form, Snapshot, agents, executors, frameworks};
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

    /// Its field in the group.
    const fn number(self) -> u32 {
        match self {
            Self::Executors | Self::Frameworks | Self::Agents => 1,
            Self::Tasks | Self::CompletedFrameworks | Self::RecoveredAgents => 2,
            Self::CompletedTasks => 3,
            Self::UnreachableTasks => 5,
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

    /// Writes a part of the answer to that call: as JSON its elements with commas between them, as
    /// protobuf an answer with nothing else in it. One answer is the sum of such.
    pub fn write(&self, part: &Part, call: call::Type, form: Form, out: &mut Vec<u8>) {
        match form {
            Form::Json => {
                let mut is_first = true;
                self.each(part, form, |element| {
                    if std::mem::take(&mut is_first) {
                        // Neighbours are about as long.
                        out.reserve((element.len() + 1) * part.elements.len());
                    } else {
                        out.push(b',');
                    }
                    out.extend_from_slice(element);
                });
            }
            Form::Protobuf => {
                let mut list = Vec::new();
                let number = part.list.number();
                self.each(part, form, |element| {
                    if list.is_empty() {
                        // Neighbours are about as long.
                        list.reserve((element.len() + 8) * part.elements.len());
                    }
                    put(number, element, &mut list);
                });
                let group = part.list.group();
                if call == call::Type::GetState {
                    let mut state = Vec::with_capacity(list.len() + 16);
                    put(in_state(group), &list, &mut state);
                    put(IN_ANSWER, &state, out);
                } else {
                    put(in_answer(group), &list, out);
                }
            }
        }
    }

    /// Each element as it is written.
    fn each(&self, part: &Part, form: Form, mut take: impl FnMut(&[u8])) {
        let elements = part.elements.clone();
        match part.list {
            List::Tasks | List::UnreachableTasks | List::CompletedTasks => {
                for task in &self.tasks_of(part.list, part.owner)[elements] {
                    let write = || form.write(&task.to_wire());
                    task.written.with(form, write, &mut take);
                }
            }
            List::Agents => self.each_agent(elements, form, take),
            List::Executors => {
                let shown = executors::to_wire(&self.executors[elements]).executors;
                shown.iter().for_each(|it| take(&form.write(it)));
            }
            List::Frameworks => {
                let live = self.frameworks[elements].iter();
                live.for_each(|it| take(&form.write(&it.to_wire())));
            }
            List::CompletedFrameworks => {
                let removed = self.completed[elements].iter();
                removed.for_each(|it| take(&form.write(&frameworks::completed_view(it))));
            }
            List::RecoveredAgents => {
                let recovered = self.recovered[elements].iter();
                recovered.for_each(|it| take(&form.write(&agents::info(it))));
            }
        }
    }

    fn each_agent(&self, elements: Range<usize>, form: Form, mut take: impl FnMut(&[u8])) {
        let allocated = self.allocated();
        let nothing = Allocated::default();
        for agent in &self.agents[elements] {
            let allocated = allocated.get(agent.id()).unwrap_or(&nothing);
            let write = || form.write(&agent.to_wire(allocated));
            agent.written(allocated).with(form, write, &mut take);
        }
    }
}

/// The field of an answer that a state is.
const IN_ANSWER: u32 = 9;

/// The field of a state that a group of lists is.
const fn in_state(group: call::Type) -> u32 {
    match group {
        call::Type::GetTasks => 1,
        call::Type::GetExecutors => 2,
        call::Type::GetFrameworks => 3,
        _ => 4,
    }
}

/// The field of an answer that a group of lists is.
const fn in_answer(group: call::Type) -> u32 {
    match group {
        call::Type::GetTasks => 13,
        call::Type::GetExecutors => 12,
        call::Type::GetFrameworks => 11,
        _ => 10,
    }
}

/// A field of protobuf that is bytes or a message.
fn put(number: u32, bytes: &[u8], out: &mut Vec<u8>) {
    encode_key(number, WireType::LengthDelimited, out);
    encode_varint(bytes.len() as u64, out);
    out.extend_from_slice(bytes);
}
