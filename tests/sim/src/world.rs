//! One run: what happens is taken from the queue and handed to whom it happens.

mod mishaps;
mod operators;

use core::time::Duration;
use std::collections::BTreeMap;

use tepui_model::{TaskState, Time};

use crate::{
    agent::{AgentNode, AgentTurn},
    batch::Line,
    checks::Checks,
    dice::Dice,
    faults::{Faults, Node, Weather},
    framework::{FrameworkNode, FrameworkTurn},
    master::{MasterNode, MasterTurn},
    network::{Peer, Side},
    plan, rest,
    scene::{Happening, Packet, START, Scene},
};

/// More than the wildest run needs: one that has more goes in circles.
const MOST_EVENTS: u64 = 2_000_000;

/// How often it is looked whether a run has come further.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How often operators look for agents that the master waits for in vain.
const TIDIED_EVERY_MICROS: u64 = 60_000_000;

/// How long the work may take once the faults have stopped: longer than every patience together.
const WORK_WITHIN: Duration = Duration::from_secs(3600);

/// How long it takes until the last consequence of a fault is over: longer than any single
/// patience.
const SETTLED_AFTER: Duration = Duration::from_secs(1200);

/// How a run went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// A hash over all that happened.
    pub hash: u64,
    /// How much happened.
    pub figures: Figures,
}

/// How much happened in a run, or in many.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Things that happened.
    pub events: u64,
    /// Programs that began to run.
    pub started: usize,
    /// Times that the master was started anew.
    pub master_restarts: u32,
    /// Tasks for which an offer was accepted that was over by then.
    pub outrun: u64,
    /// How often frameworks were told each state.
    pub told: BTreeMap<TaskState, u64>,
    /// How often frameworks were told each state of operations, by Mesos' names.
    pub operations: BTreeMap<&'static str, u64>,
}

impl Figures {
    /// Adds what happened in another run.
    pub fn add(&mut self, other: &Self) {
        self.events += other.events;
        self.started += other.started;
        self.master_restarts += other.master_restarts;
        self.outrun += other.outrun;
        for (state, count) in &other.told {
            *self.told.entry(*state).or_default() += count;
        }
        for (state, count) in &other.operations {
            *self.operations.entry(state).or_default() += count;
        }
    }
}

/// How far a run has come.
#[derive(Clone, Copy, Debug)]
enum Stage {
    /// Faults go on until then.
    Faults(Time),
    /// All work must be done by then.
    Work(Time),
    /// It settles until then; then all must agree.
    Settling(Time),
    /// Everything must have ended by then.
    Ending(Time),
    /// It settles until then; then nothing may be left.
    Resting(Time),
    /// All was as it must be.
    Over,
}

#[derive(Debug)]
struct World {
    scene: Scene,
    master: MasterNode,
    agents: Vec<AgentNode>,
    frameworks: Vec<FrameworkNode>,
    /// Who does nothing until when.
    asleep: BTreeMap<Node, Time>,
    stage: Stage,
}

/// Plays the run of a seed to its end.
///
/// # Panics
/// When a promise is broken. The text says when and which.
#[must_use]
pub fn run(seed: u64, weather: Weather) -> Outcome {
    let mut world = World::new(seed, weather);
    let mut events = 0;
    while !matches!(world.stage, Stage::Over) {
        let Some(what) = world.scene.next() else {
            world.scene.fail("nothing happens any more")
        };
        events += 1;
        if events > MOST_EVENTS {
            world.scene.fail("it goes in circles");
        }
        world.step(what);
    }
    let checks = &world.scene.checks;
    let figures = Figures {
        events,
        started: checks.containers.started(),
        master_restarts: world.master.restarts(),
        outrun: checks.offers.outrun(),
        told: checks.told.counts().clone(),
        operations: checks.fates.counts().clone(),
    };
    Outcome {
        hash: world.scene.trace.hash(),
        figures,
    }
}

impl World {
    fn new(seed: u64, weather: Weather) -> Self {
        let mut dice = Dice::new(seed);
        let faults = Faults::draw(weather, &mut dice);
        let config = plan::master(&mut dice);
        let machines = plan::machines(&mut dice);
        let frameworks = plan::frameworks(&faults, &mut dice);
        let mut checks = Checks::default();
        machines
            .iter()
            .for_each(|info| checks.containers.add_machine(info.resources.clone()));
        let agents = machines.into_iter().enumerate();
        let stage = Stage::Faults(START + faults.period);
        let mut world = Self {
            scene: Scene::new(dice, faults, checks),
            master: MasterNode::new(config, Line::default()),
            agents: agents
                .map(|(index, info)| AgentNode::new(index, info))
                .collect(),
            frameworks,
            asleep: BTreeMap::new(),
            stage,
        };
        world.begin();
        world
    }

    /// Everyone starts at a time of their own.
    fn begin(&mut self) {
        let Self {
            scene,
            agents,
            frameworks,
            ..
        } = self;
        let span = scene.dice.millis(0, 2000);
        scene.after(span, Happening::Master(0, MasterTurn::Start));
        for agent in agents {
            let span = scene.dice.millis(0, 5000);
            scene.after(span, agent.happening(AgentTurn::Start));
        }
        for framework in frameworks {
            let span = scene.dice.millis(0, 5000);
            scene.after(span, framework.happening(FrameworkTurn::Start));
        }
        self.plan_mishaps();
        self.scene.after(LOOK_EVERY, Happening::Look);
    }

    fn step(&mut self, what: Happening) {
        let node = what.to(&self.scene.network);
        let until = node.and_then(|node| self.asleep.get(&node));
        if let Some(until) = until.filter(|until| **until > self.scene.now) {
            return self.scene.at(*until, what);
        }
        self.scene.trace.note(self.scene.micros(), &what);
        let scene = &mut self.scene;
        match what {
            Happening::Arrives(connection, side, packet) => self.arrives(connection, side, &packet),
            Happening::Noticed(connection, side) => self.ended(connection, side),
            Happening::Heartbeat(connection) => MasterNode::heartbeat(connection, scene),
            Happening::Master(life, turn) => self.master.turn(life, turn, scene),
            Happening::Agent(index, life, turn) => self.agents[index].turn(life, turn, scene),
            Happening::Machine(index, container, launch, turn) => {
                self.agents[index].machine_turn(&container, launch, turn, scene);
            }
            Happening::Framework(index, life, turn) => {
                self.frameworks[index].turn(life, turn, scene);
            }
            Happening::Mishap(mishap) => self.mishap(mishap),
            Happening::Mended(peer) => scene.network.mend(peer),
            Happening::Look => self.look(),
        }
    }

    fn arrives(&mut self, connection: u64, side: Side, packet: &Packet) {
        let is_open = self.scene.network.is_open(connection, side);
        let Packet::Message(bytes) = packet else {
            return self.ended(connection, side);
        };
        let Some(peer) = self.scene.network.peer(connection) else {
            return;
        };
        let scene = &mut self.scene;
        match (side, peer) {
            // What was read before the master ended the stream still reaches its core.
            (Side::Master, _) if is_open || scene.dice.chance(0.5) => {
                self.master.hear(connection, bytes, scene);
            }
            (Side::Peer, Peer::Agent(index)) if is_open => {
                self.agents[index].hear(connection, bytes, scene);
            }
            (Side::Peer, Peer::Framework(index)) if is_open => {
                self.frameworks[index].hear(bytes, scene);
            }
            _ => {}
        }
    }

    /// A side learns that its connection is over.
    fn ended(&mut self, connection: u64, side: Side) {
        let scene = &mut self.scene;
        let Some(peer) = scene.network.peer(connection) else {
            return;
        };
        if !scene.network.is_open(connection, side) {
            return;
        }
        scene.close(connection, side);
        match (side, peer) {
            (Side::Master, _) => self.master.hung_up(connection, peer, scene),
            (Side::Peer, Peer::Agent(index)) => self.agents[index].hung_up(connection, scene),
            (Side::Peer, Peer::Framework(index)) => {
                self.frameworks[index].hung_up(connection, scene);
            }
        }
    }

    /// Goes on to the next stage when this one is over.
    fn look(&mut self) {
        self.scene.after(LOOK_EVERY, Happening::Look);
        let is_time = self.scene.micros().is_multiple_of(TIDIED_EVERY_MICROS);
        if is_time && !matches!(self.stage, Stage::Faults(_)) {
            self.tidy();
        }
        let now = self.scene.now;
        let stage = match self.stage {
            Stage::Faults(until) if until <= now => {
                self.clear_up();
                Stage::Work(now + WORK_WITHIN)
            }
            Stage::Work(_) if self.all_satisfied() => Stage::Settling(now + SETTLED_AFTER),
            Stage::Settling(until) if until <= now => {
                self.agree();
                for framework in &mut self.frameworks {
                    framework.wind_down(&mut self.scene);
                }
                Stage::Ending(now + WORK_WITHIN)
            }
            Stage::Ending(_) if self.all_satisfied() => Stage::Resting(now + SETTLED_AFTER),
            Stage::Resting(until) if until <= now => {
                self.nothing_left();
                Stage::Over
            }
            Stage::Work(by) | Stage::Ending(by) if by <= now => self.late(),
            stage => stage,
        };
        self.stage = stage;
    }

    fn all_satisfied(&self) -> bool {
        self.frameworks.iter().all(FrameworkNode::is_satisfied)
    }

    fn agree(&self) {
        if !self.all_satisfied() {
            self.late();
        }
        self.scene
            .hold(rest::agree(&self.master, &self.agents, &self.frameworks));
        let running = self.scene.checks.containers.running().len();
        let known = self
            .frameworks
            .iter()
            .map(|framework| framework.view().len())
            .sum::<usize>();
        if running != known {
            self.scene.fail(format_args!(
                "{running} programs run, {known} tasks are known"
            ));
        }
    }

    fn nothing_left(&self) {
        self.scene
            .hold(rest::agree(&self.master, &self.agents, &self.frameworks));
        self.scene
            .hold(rest::nothing_left(&self.master, &self.agents));
        let offers = self.scene.checks.offers.len();
        if offers > 0 {
            self.scene.fail(format_args!(
                "{offers} offers are live though nobody wants any"
            ));
        }
    }

    /// What was to be done is not.
    fn late(&self) -> ! {
        let states: Vec<String> = self
            .frameworks
            .iter()
            .map(FrameworkNode::describe)
            .collect();
        self.scene
            .fail(format_args!("not done in time: {}", states.join("\n")))
    }
}

#[cfg(test)]
mod tests;
