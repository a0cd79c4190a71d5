//! The run: the real master in the middle, and everyone else around it as light as can be.

use core::{mem, time::Duration};
use std::time::Instant;

use tepui_master_core::{ConnectionId, Effect, Effects, Event, OperatorCall, RequestId};
use tepui_model::Time;

use super::{
    agents::AgentNode,
    figures::Figures,
    file::Scenario,
    frameworks::FrameworkNode,
    master::{Kind, MasterNode},
    measure::Measures,
    queue::{Queue, Turn},
    tasks::Task,
};
use crate::dice::Dice;

/// When a run starts: a date in the registry looks like one.
pub(super) const START: Time = Time::from_micros(1_750_000_000_000_000);

/// Fewer agents than this, and the master's invariants are checked at every sample.
const CHECKED_AGENTS: usize = 2000;

/// Why a run ends before its time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// The master breaks a promise.
    #[error("after {at:?}: the master breaks a promise: {promise}")]
    Promise {
        /// When, in the time of the run.
        at: Duration,
        /// Which.
        promise: String,
    },
    /// What the scenario asks the master for is refused.
    #[error("after {at:?}: the master refuses it: {answer}")]
    Refused {
        /// When, in the time of the run.
        at: Duration,
        /// The master's answer.
        answer: String,
    },
    /// The scenario makes more tasks than can be kept.
    #[error("more than {0} tasks are launched; make the run shorter or the tasks longer")]
    TooManyTasks(usize),
}

/// How far a run is.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// The time of the run.
    pub at: Duration,
    /// How long it will be.
    pub duration: Duration,
    /// Agents that are there.
    pub agents: u64,
    /// Tasks that run.
    pub running: u64,
    /// Tasks that wait to be launched.
    pub pending: u64,
    /// Tasks that have finished.
    pub finished: u64,
}

/// Who is at the far end of a stream.
#[derive(Clone, Copy, Debug)]
pub(super) enum Peer {
    Agent(u32),
    Framework(u32),
}

/// All there is.
pub(super) struct World<'a> {
    pub(super) scenario: &'a Scenario,
    pub(super) now: Time,
    pub(super) queue: Queue,
    /// What tasks and frameworks throw.
    pub(super) dice: Dice,
    /// What faults throw, so that the work is the same with and without them.
    pub(super) fate: Dice,
    pub(super) master: MasterNode,
    /// By the number of the stream.
    pub(super) peers: Vec<Peer>,
    pub(super) agents: Vec<AgentNode>,
    pub(super) frameworks: Vec<FrameworkNode>,
    pub(super) tasks: Vec<Task>,
    pub(super) measures: Measures,
    /// The events of maintenance that was announced and is not over.
    pub(super) windows: Vec<u32>,
    pub(super) broken: Option<Broken>,
    effects: Effects,
}

/// Runs a scenario to its end; `progress` hears of every sample.
pub fn simulate(
    scenario: &Scenario,
    progress: &mut dyn FnMut(&Progress),
) -> Result<Figures, Broken> {
    let started = Instant::now();
    let mut world = World::new(scenario);
    world.run(progress)?;
    Ok(Figures::of(world, started.elapsed()))
}

impl<'a> World<'a> {
    fn new(scenario: &'a Scenario) -> Self {
        let mut world = Self {
            scenario,
            now: START,
            queue: Queue::default(),
            dice: Dice::new(scenario.seed),
            fate: Dice::new(!scenario.seed),
            master: MasterNode::new(scenario),
            peers: Vec::new(),
            agents: Vec::new(),
            frameworks: Vec::new(),
            tasks: Vec::new(),
            measures: Measures::new(scenario),
            windows: Vec::new(),
            broken: None,
            effects: Effects::new(),
        };
        // The master is there before anybody looks for it.
        world.queue.plan(START, Turn::MasterStarts);
        world.place_agents();
        world.place_frameworks();
        world.plan_mishaps();
        world
            .queue
            .plan(START + scenario.sample_interval(), Turn::Sample);
        world
    }

    fn run(&mut self, progress: &mut dyn FnMut(&Progress)) -> Result<(), Broken> {
        let end = START + self.scenario.duration;
        while let Some((at, turn)) = self.queue.next(end) {
            self.now = at;
            if turn == Turn::Sample {
                self.take_sample();
                progress(&self.progress());
            } else {
                self.turn(turn);
            }
            if let Some(broken) = self.broken.take() {
                return Err(broken);
            }
        }
        self.now = end;
        self.check_master();
        self.broken.take().map_or(Ok(()), Err)
    }

    fn turn(&mut self, turn: Turn) {
        match turn {
            Turn::Wake => self.wake_master(),
            Turn::MasterStarts => self.start_master(),
            Turn::AgentStarts(agent) => self.start_agent(agent),
            Turn::AgentGone(connection) => {
                let connection = ConnectionId(connection);
                self.apply(Kind::Others, Event::AgentDisconnected { connection });
            }
            Turn::Pong(connection) => {
                let connection = ConnectionId(connection);
                self.apply(Kind::Pongs, Event::AgentPong { connection });
            }
            Turn::TaskArrives { task, agent } => self.task_arrives(task, agent),
            Turn::TaskRuns(task) => self.task_runs(task),
            Turn::TaskEnds(task) => self.task_ends(task),
            Turn::TaskTold {
                task,
                is_end,
                connection,
            } => self.task_told(task, is_end, connection),
            Turn::TellAgain { task, is_end } => self.tell_again(task, is_end),
            Turn::FrameworkComes(framework) => self.framework_comes(framework),
            Turn::FrameworkLeaves(framework) => self.framework_leaves(framework),
            Turn::FrameworkGone(connection) => {
                let connection = ConnectionId(connection);
                self.apply(Kind::Others, Event::FrameworkDisconnected { connection });
            }
            Turn::FrameworkReads(framework) => self.framework_reads(framework),
            Turn::FrameworkDecides(framework) => self.framework_decides(framework),
            Turn::CallsArrive(framework) => self.calls_arrive(framework),
            Turn::Submit(framework) => self.submit(framework),
            Turn::Fault(number) => self.fault(number),
            Turn::Event(number) => self.event(number),
            Turn::EventGoesOn(number) => self.event_goes_on(number),
            Turn::EventEnds(number) => self.event_ends(number),
            Turn::Sample => {}
        }
    }

    /// The span since the start of the run.
    pub(super) fn elapsed(&self) -> Duration {
        self.now.since(START)
    }

    pub(super) fn after(&mut self, span: Duration, turn: Turn) {
        self.queue.plan(self.now + span, turn);
    }

    pub(super) const fn latency(&self) -> Duration {
        self.scenario.network.latency
    }

    pub(super) fn connect(&mut self, peer: Peer) -> u64 {
        self.peers.push(peer);
        self.peers.len() as u64 - 1
    }

    fn wake_master(&mut self) {
        if self.master.is_due(self.now) {
            self.apply(Kind::Timers, Event::Wake);
        }
    }

    /// The master takes an event, and what follows from it goes on its way.
    pub(super) fn apply(&mut self, kind: Kind, event: Event) {
        let mut effects = mem::take(&mut self.effects);
        let at = self.elapsed();
        self.master.apply(self.now, at, kind, event, &mut effects);
        for effect in effects.drain() {
            self.carry_out(effect);
        }
        self.effects = effects;
        if let Some(due) = self.master.plan_wake() {
            self.queue.plan(due.max(self.now), Turn::Wake);
        }
    }

    fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::Persist(change) => self.master.persist(change),
            Effect::ToFramework { connection, event } => {
                if let Some(Peer::Framework(framework)) = self.peer(connection) {
                    self.tell_framework(framework, connection.0, event);
                }
            }
            Effect::ToAgent {
                connection,
                command,
            } => {
                if let Some(Peer::Agent(agent)) = self.peer(connection) {
                    self.command_agent(agent, connection.0, command);
                }
            }
            Effect::EndFramework { connection, .. } => {
                if let Some(Peer::Framework(framework)) = self.peer(connection) {
                    self.framework_cut_off(framework, connection.0);
                }
            }
            Effect::EndAgent { connection } => {
                if let Some(Peer::Agent(agent)) = self.peer(connection) {
                    self.agent_cut_off(agent, connection.0);
                }
            }
            Effect::Publish(notice) => self.measures.hear(&notice),
            Effect::Reply { result, .. } => {
                if let Err(error) = result {
                    self.refused(error.to_string());
                }
            }
            Effect::Warn(_) => {}
        }
    }

    /// The run ends: somebody does not get what the scenario wants for him.
    pub(super) fn refused(&mut self, answer: String) {
        let at = self.elapsed();
        self.broken = Some(Broken::Refused { at, answer });
    }

    fn peer(&self, connection: ConnectionId) -> Option<Peer> {
        let place = usize::try_from(connection.0).ok()?;
        self.peers.get(place).copied()
    }

    /// An operator asks the master for something.
    pub(super) fn operate(&mut self, call: OperatorCall) {
        let request = RequestId(0);
        self.apply(Kind::Others, Event::Operator { request, call });
    }

    fn take_sample(&mut self) {
        self.after(self.scenario.sample_interval(), Turn::Sample);
        self.sample();
        if self.agents.len() < CHECKED_AGENTS {
            self.check_master();
        }
    }

    fn check_master(&mut self) {
        if let Err(promise) = self.master.check() {
            self.broken = Some(Broken::Promise {
                at: self.elapsed(),
                promise,
            });
        }
    }

    fn progress(&self) -> Progress {
        Progress {
            at: self.elapsed(),
            duration: self.scenario.duration,
            agents: self.measures.agents,
            running: self.measures.running(),
            pending: self
                .frameworks
                .iter()
                .map(|framework| framework.pending)
                .sum(),
            finished: self.measures.finished(),
        }
    }
}
