//! What happens by itself, in the order of its time.

use core::cmp::Reverse;
use std::collections::BinaryHeap;

use tepui_model::Time;

/// What can happen. Frameworks, agents and tasks are named by their places in the tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Turn {
    /// A timer of the master is due.
    Wake,
    /// A new master starts after the last has died.
    MasterStarts,
    /// An agent's process starts, or it tries to register again.
    AgentStarts(u32),
    /// The master hears that an agent's stream is over.
    AgentGone(u64),
    /// An agent answers a ping.
    Pong(u64),
    /// A task arrives at its agent.
    TaskArrives { task: u32, agent: u32 },
    /// A task has started.
    TaskRuns(u32),
    /// A task has run as long as it was to.
    TaskEnds(u32),
    /// The master hears of a task's state.
    TaskTold {
        task: u32,
        is_end: bool,
        connection: u64,
    },
    /// Nobody has acknowledged what was told of a task for a while.
    TellAgain { task: u32, is_end: bool },
    /// A framework subscribes.
    FrameworkComes(u32),
    /// A framework goes away for a while.
    FrameworkLeaves(u32),
    /// The master hears that a framework's stream is over.
    FrameworkGone(u64),
    /// A framework reads what has arrived.
    FrameworkReads(u32),
    /// A framework has looked at offers for long enough.
    FrameworkDecides(u32),
    /// A framework's calls arrive at the master.
    CallsArrive(u32),
    /// A framework has new work.
    Submit(u32),
    /// Something breaks.
    Fault(u32),
    /// An operator does something.
    Event(u32),
    /// What an operator announced happens.
    EventGoesOn(u32),
    /// What an operator did lasts no longer.
    EventEnds(u32),
    /// Shares and use are noted.
    Sample,
}

/// Turns by time; those of the same time in the order in which they were planned.
#[derive(Debug, Default)]
pub(super) struct Queue {
    heap: BinaryHeap<Reverse<(Time, u64, Turn)>>,
    planned: u64,
}

impl Queue {
    pub(super) fn plan(&mut self, at: Time, turn: Turn) {
        self.heap.push(Reverse((at, self.planned, turn)));
        self.planned += 1;
    }

    /// The next turn that is not after `end`.
    pub(super) fn next(&mut self, end: Time) -> Option<(Time, Turn)> {
        let Reverse((at, ..)) = self.heap.peek()?;
        if *at > end {
            return None;
        }
        let Reverse((at, _, turn)) = self.heap.pop()?;
        Some((at, turn))
    }
}
