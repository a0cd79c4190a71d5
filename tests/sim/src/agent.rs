//! An agent of a run: the real core in a process that dies, on a machine that restarts.

mod disk;
mod machine;

use core::time::Duration;
use std::collections::BTreeMap;

use prost::Message;
use tepui_agent_core::{
    Agent, AgentReport, Change, Config, ContainerEvent, Effect, Effects, Event, LinkId,
    MasterCommand, Recovered, RecoveryError,
};
use tepui_model::{AgentInfo, ContainerId, Resources, TaskId, Time};
use tepui_proto::services::{AgentMessage, MasterMessage};

pub(crate) use self::machine::MachineTurn;
use self::{disk::Disk, machine::Machine};
use crate::{
    batch::{Batch, Line},
    network::{Peer, Side},
    plan,
    scene::{Happening, Scene},
    trace::compact,
};

/// The longest that a write to the disk takes.
const COMMIT_MILLIS: u64 = 8;

/// How long changes that are in no hurry wait at most.
const FLUSHED_WITHIN: Duration = Duration::from_secs(1);

/// What happens to an agent's process.
#[derive(Clone, Debug)]
pub(crate) enum AgentTurn {
    /// It starts.
    Start,
    /// It tries to reach the master.
    Dial,
    /// Its core hears that a link is down which it ended itself.
    LinkDown(u64),
    /// A timer of its core is due.
    Wake,
    /// The changes of the oldest batch are durable.
    Durable,
    /// Changes that were in no hurry are written.
    Flush,
    /// Something became of a container.
    Report(ContainerId, ContainerEvent),
    /// What was in a volume is deleted.
    VolumeRemoved(String),
}

/// How an agent's process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Death {
    /// Its containers live on.
    OfProcess,
    /// The machine restarts: no container lives on.
    OfMachine,
}

/// An agent that can die.
#[derive(Debug)]
pub(crate) struct AgentNode {
    index: usize,
    info: AgentInfo,
    disk: Disk,
    machine: Machine,
    life: u32,
    process: Option<Process>,
    is_doomed: bool,
    /// What the tasks hold that it was told to run.
    resources: BTreeMap<TaskId, Resources>,
}

#[derive(Debug)]
struct Process {
    core: Agent,
    link: Option<u64>,
    /// Attempts to reach the master since it last took the agent in.
    attempts: u32,
    line: Line<(Change, bool), Effect>,
    wake: Option<Time>,
}

impl AgentNode {
    pub(crate) fn new(index: usize, info: AgentInfo) -> Self {
        Self {
            index,
            info,
            disk: Disk::default(),
            machine: Machine::new(index),
            life: 0,
            process: None,
            is_doomed: false,
            resources: BTreeMap::new(),
        }
    }

    pub(crate) fn core(&self) -> Option<&Agent> {
        self.process.as_ref().map(|process| &process.core)
    }

    /// What is left on the machine of containers, running or not.
    pub(crate) fn containers(&self) -> usize {
        self.machine.len()
    }

    /// The persistent volumes on the machine, and how many more are being removed.
    pub(crate) fn volumes(&self) -> (usize, usize) {
        self.machine.volumes()
    }

    /// What it has while nothing is reserved or made into a volume.
    pub(crate) const fn untouched(&self) -> &Resources {
        &self.info.resources
    }

    /// The records of frameworks, tasks and operations that are on disk.
    pub(crate) fn records(&self) -> usize {
        self.disk.tasks()
    }

    /// What is left of its containers stays.
    #[cfg(test)]
    pub(crate) const fn break_removal(&mut self) {
        self.machine.removes_nothing = true;
    }

    pub(crate) fn happening(&self, turn: AgentTurn) -> Happening {
        Happening::Agent(self.index, self.life, turn)
    }

    pub(crate) fn turn(&mut self, life: u32, turn: AgentTurn, scene: &mut Scene) {
        if life != self.life {
            return;
        }
        match turn {
            AgentTurn::Start => self.start(scene),
            AgentTurn::Dial => self.dial(scene),
            AgentTurn::LinkDown(link) => self.apply(Event::LinkDown { link: LinkId(link) }, scene),
            AgentTurn::Durable => self.durable(scene, usize::MAX),
            AgentTurn::Flush => self.disk.flush(),
            AgentTurn::Report(container, event) => {
                self.apply(Event::Container { container, event }, scene);
            }
            AgentTurn::VolumeRemoved(removal) => {
                self.apply(Event::VolumeRemoved { removal }, scene);
            }
            AgentTurn::Wake => self.wake(scene),
        }
    }

    /// Something becomes of a container, whether there is an agent to see it or not.
    pub(crate) fn machine_turn(
        &mut self,
        container: &ContainerId,
        launch: u64,
        turn: MachineTurn,
        scene: &mut Scene,
    ) {
        let event = self.machine.turn(container, launch, turn, scene);
        if let Some(event) = event.filter(|_| self.process.is_some()) {
            scene.at(
                scene.now,
                self.happening(AgentTurn::Report(container.clone(), event)),
            );
        }
    }

    fn start(&mut self, scene: &mut Scene) {
        if scene.dice.chance(scene.faults.mischief) {
            self.resize(scene);
        }
        let mut effects = Effects::new();
        let core = self.recover(self.info.clone(), scene.now, &mut effects);
        let core = core.unwrap_or_else(|error| scene.fail(error));
        let line = Line::default();
        self.process = Some(Process {
            core,
            link: None,
            attempts: 0,
            line,
            wake: None,
        });
        self.carry_out(effects, scene);
        for (container, exit) in self.machine.ended() {
            let span = scene.dice.millis(0, 50);
            let event = ContainerEvent::Exited(exit);
            scene.after(span, self.happening(AgentTurn::Report(container, event)));
        }
        let span = scene.dice.millis(0, 200);
        scene.after(span, self.happening(AgentTurn::Dial));
    }

    /// Makes a core from what is on disk and on the machine.
    fn recover(
        &self,
        info: AgentInfo,
        now: Time,
        effects: &mut Effects,
    ) -> Result<Agent, RecoveryError> {
        let seed = ((self.index as u128) << 32) | u128::from(self.life);
        let config = Config {
            boot_id: self.machine.boot_id(),
            ..Config::new(info, "/var/lib/tepui/agent", seed)
        };
        let containers = self.machine.found();
        let recovered = Recovered {
            records: self.disk.records(),
            containers,
        };
        Agent::new(config, recovered, now, effects)
    }

    /// The agent gets other resources, if its tasks fit into them.
    fn resize(&mut self, scene: &mut Scene) {
        let info = plan::machine(self.index, &mut scene.dice);
        if self
            .recover(info.clone(), scene.now, &mut Effects::new())
            .is_ok()
        {
            scene
                .checks
                .containers
                .resize(self.index, info.resources.clone());
            self.info = info;
        }
    }

    fn dial(&mut self, scene: &mut Scene) {
        let Some(process) = self.process.as_mut().filter(|it| it.link.is_none()) else {
            return;
        };
        process.link = scene.connect(Peer::Agent(self.index));
        match process.link {
            Some(link) => self.apply(Event::LinkUp { link: LinkId(link) }, scene),
            None => self.dial_later(scene),
        }
    }

    fn dial_later(&mut self, scene: &mut Scene) {
        let Some(process) = &mut self.process else {
            return;
        };
        let bound = 1000 << process.attempts.min(5);
        process.attempts += 1;
        let span = scene.dice.millis(bound / 10, bound);
        scene.after(span, self.happening(AgentTurn::Dial));
    }

    pub(crate) fn hear(&mut self, connection: u64, bytes: &[u8], scene: &mut Scene) {
        let message = MasterMessage::decode(bytes).unwrap_or_else(|error| scene.fail(error));
        scene
            .trace
            .note_bytes(scene.micros(), bytes, || compact(&message));
        let command = MasterCommand::try_from(message).unwrap_or_else(|error| scene.fail(error));
        if let MasterCommand::RunTask { task, .. } = &command {
            self.resources
                .insert(task.id.clone(), task.resources.clone());
        }
        if let MasterCommand::RunGroup { tasks, .. } = &command {
            for task in tasks {
                self.resources
                    .insert(task.id.clone(), task.resources.clone());
            }
        }
        if let MasterCommand::Acknowledge {
            framework_id,
            task_id,
            uuid,
        } = &command
        {
            let updates = &scene.checks.updates;
            scene.hold(updates.forgotten(framework_id, task_id, *uuid));
        }
        if let MasterCommand::AcknowledgeOperation { status_uuid, .. } = &command {
            let updates = &scene.checks.updates;
            scene.hold(updates.forgotten_operation(*status_uuid));
        }
        if matches!(command, MasterCommand::Registered { .. }) {
            self.process
                .iter_mut()
                .for_each(|process| process.attempts = 0);
        }
        self.apply(
            Event::Master {
                link: LinkId(connection),
                command,
            },
            scene,
        );
    }

    /// The master's end of a connection is gone.
    pub(crate) fn hung_up(&mut self, connection: u64, scene: &mut Scene) {
        let Some(process) = &mut self.process else {
            return;
        };
        if process.link == Some(connection) {
            process.link = None;
            self.apply(
                Event::LinkDown {
                    link: LinkId(connection),
                },
                scene,
            );
            self.dial_later(scene);
        }
    }

    /// The operator takes it out of the cluster.
    pub(crate) fn leave(&mut self, scene: &mut Scene) {
        self.apply(Event::Leave, scene);
    }

    fn apply(&mut self, event: Event, scene: &mut Scene) {
        let Some(process) = &mut self.process else {
            return;
        };
        let mut effects = Effects::new();
        process.core.apply(scene.now, event, &mut effects);
        process
            .core
            .check()
            .unwrap_or_else(|violation| scene.fail(violation));
        self.carry_out(effects, scene);
    }

    fn carry_out(&mut self, mut effects: Effects, scene: &mut Scene) {
        let mut batch = Batch::new(Vec::new(), Vec::new());
        for effect in effects.drain() {
            match effect {
                Effect::Persist(change) => {
                    let urgent = change.urgent;
                    batch.changes.push((change, urgent));
                }
                Effect::Note(note) => {
                    scene.remark(format_args!("agent {}: {note}", self.index));
                }
                deed => batch.deeds.push(deed),
            }
        }
        self.take(batch, scene);
        self.plan_wake(scene);
    }

    fn take(&mut self, batch: Batch<(Change, bool), Effect>, scene: &mut Scene) {
        let Some(process) = self.process.as_mut().filter(|_| !batch.is_empty()) else {
            return;
        };
        let hurries = batch.changes.iter().any(|(_, urgent)| *urgent);
        let at_once = !hurries && process.line.is_empty();
        let span = if at_once {
            Duration::ZERO
        } else {
            scene.dice.millis(0, COMMIT_MILLIS)
        };
        let durable = process.line.push(batch, scene.now + span);
        if self.is_doomed {
            return self.die(Death::OfProcess, scene);
        }
        if at_once {
            return self.durable(scene, usize::MAX);
        }
        scene.at(durable, self.happening(AgentTurn::Durable));
    }

    fn wake(&mut self, scene: &mut Scene) {
        let Some(process) = &mut self.process else {
            return;
        };
        // One that is not due was planned before an earlier one was.
        if process.wake.is_some_and(|due| due <= scene.now) {
            process.wake = None;
            self.apply(Event::Wake, scene);
        }
    }

    fn plan_wake(&mut self, scene: &mut Scene) {
        let Some(process) = &mut self.process else {
            return;
        };
        let Some(due) = process.core.next_wake() else {
            return;
        };
        if process.wake.is_none_or(|planned| due < planned) {
            process.wake = Some(due);
            scene.at(due, self.happening(AgentTurn::Wake));
        }
    }

    /// The oldest batch is durable, as far as it hurried: what follows is done, or a part of it.
    fn durable(&mut self, scene: &mut Scene, most: usize) {
        let Some(batch) = self.process.as_mut().and_then(|process| process.line.pop()) else {
            return;
        };
        let urgent = batch.changes.iter().any(|(_, urgent)| *urgent);
        let any = !batch.changes.is_empty();
        self.disk
            .write(batch.changes.into_iter().map(|(change, _)| change));
        if urgent {
            self.disk.flush();
        } else if any {
            scene.after(FLUSHED_WITHIN, self.happening(AgentTurn::Flush));
        }
        for effect in batch.deeds.into_iter().take(most) {
            self.act(effect, scene);
        }
    }

    fn act(&mut self, effect: Effect, scene: &mut Scene) {
        match effect {
            Effect::Send { link, report } => self.send(link.0, &report, scene),
            Effect::Disconnect { link, .. } => self.hang_up(link.0, scene),
            Effect::Launch(plan) => {
                let resources = self.resources.get(&plan.task.task).cloned();
                self.machine
                    .launch(&plan, resources.unwrap_or_default(), scene);
            }
            // No image is fetched in virtual time.
            Effect::Abandon { .. } => {}
            Effect::Terminate { container } => self.machine.terminate(&container, scene),
            Effect::Kill { container } => self.machine.kill(&container, scene),
            Effect::Remove { container } => self.machine.remove(&container, scene),
            Effect::MakeVolume(place) => self.machine.make_volume(place),
            Effect::RemoveVolume { removal, place } => {
                self.machine.remove_volume(removal.clone(), &place);
                let span = scene.dice.millis(0, 3000);
                scene.after(span, self.happening(AgentTurn::VolumeRemoved(removal)));
            }
            Effect::ForgetVolume { removal, .. } => self.machine.forget_volume(&removal),
            Effect::Left => self.gone(scene),
            // Its tasks run alone, and ask for no checks.
            Effect::Tell { .. } | Effect::EndStream { .. } | Effect::Resize { .. } => {}
            Effect::Probe(_) | Effect::Persist(_) | Effect::Note(_) => {}
        }
    }

    fn send(&self, link: u64, report: &AgentReport, scene: &mut Scene) {
        if self
            .process
            .as_ref()
            .is_none_or(|process| process.link != Some(link))
        {
            return;
        }
        if let AgentReport::OperationUpdate {
            framework_id,
            status,
            ..
        } = report
        {
            let updates = &mut scene.checks.updates;
            updates.of_operation(framework_id.as_ref(), status);
        }
        let repeatable = matches!(
            report,
            AgentReport::Update { .. } | AgentReport::OperationUpdate { .. } | AgentReport::Pong
        );
        let message = AgentMessage::from(report).encode_to_vec();
        scene.send(link, Side::Master, message, repeatable);
    }

    fn hang_up(&mut self, link: u64, scene: &mut Scene) {
        let Some(process) = self.process.as_mut().filter(|it| it.link == Some(link)) else {
            return;
        };
        process.link = None;
        scene.close(link, Side::Peer);
        scene.at(scene.now, self.happening(AgentTurn::LinkDown(link)));
        self.dial_later(scene);
    }

    /// It has left the cluster. Somebody starts it again later.
    fn gone(&mut self, scene: &mut Scene) {
        self.disk.flush();
        self.bury(scene);
        let span = scene.dice.seconds(1, 30);
        scene.after(span, self.happening(AgentTurn::Start));
    }

    /// Whether its next event is its last.
    pub(crate) const fn doom(&mut self, is_doomed: bool) {
        self.is_doomed = is_doomed;
    }

    /// Its process dies. Of what was on its way to the disk, some arrived, and some of what was to
    /// follow from it was still done.
    pub(crate) fn die(&mut self, death: Death, scene: &mut Scene) {
        let Some(process) = &self.process else { return };
        for left in (0..scene.dice.between(0, process.line.len() as u64)).rev() {
            let most = if left == 0 {
                scene.dice.index(4)
            } else {
                usize::MAX
            };
            self.durable(scene, most);
        }
        if let (Death::OfMachine, Some(link)) =
            (death, self.process.as_ref().and_then(|it| it.link))
        {
            scene.sever(link);
        }
        match death {
            Death::OfProcess => {
                self.disk.lose_some(&mut scene.dice);
                self.machine.orphan(scene);
            }
            Death::OfMachine => {
                self.disk.lose_all();
                self.machine.restart(scene);
            }
        }
        self.bury(scene);
        let span = match (death, scene.dice.between(0, 3)) {
            (Death::OfMachine, _) => scene.dice.seconds(5, 150),
            (_, 0) => scene.dice.seconds(1, 120),
            _ => scene.dice.millis(50, 5000),
        };
        scene.after(span, self.happening(AgentTurn::Start));
    }

    fn bury(&mut self, scene: &mut Scene) {
        self.is_doomed = false;
        self.life += 1;
        if let Some(link) = self.process.take().and_then(|process| process.link) {
            scene.close(link, Side::Peer);
        }
    }
}
