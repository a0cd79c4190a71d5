//! The machine under an agent: its containers outlive the agent's process.

use core::time::Duration;
use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use tepui_agent_core::{
    ContainerEvent, ContainerPlan, Exit, ExitStatus, FoundContainer, Program, VolumePlace,
};
use tepui_model::{ContainerId, Resources, TaskId};

use crate::{
    behaviour::{Behaviour, OnTerm},
    scene::{Happening, Scene},
};

const SIGTERM: i32 = 15;
const SIGKILL: i32 = 9;

/// What becomes of a container by itself.
#[derive(Clone, Copy, Debug)]
pub(crate) enum MachineTurn {
    /// Its program begins to run, or cannot.
    Begins,
    /// Its program ends.
    Ends(ExitStatus),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Starting,
    Runs,
    Ended(ExitStatus),
}

#[derive(Debug)]
struct Container {
    task: TaskId,
    resources: Resources,
    behaviour: Behaviour,
    state: State,
    /// Tells it from an earlier container of the same name.
    launch: u64,
}

/// A machine and what runs on it.
#[derive(Debug)]
pub(crate) struct Machine {
    index: usize,
    boots: u32,
    launches: u64,
    containers: BTreeMap<ContainerId, Container>,
    /// The folders of persistent volumes, and what is being removed of them.
    volumes: BTreeSet<PathBuf>,
    trash: BTreeSet<String>,
    /// Broken on purpose: what is left of containers stays.
    #[cfg(test)]
    pub(super) removes_nothing: bool,
}

impl Machine {
    pub(crate) const fn new(index: usize) -> Self {
        Self {
            index,
            boots: 0,
            launches: 0,
            containers: BTreeMap::new(),
            volumes: BTreeSet::new(),
            trash: BTreeSet::new(),
            #[cfg(test)]
            removes_nothing: false,
        }
    }

    pub(crate) fn boot_id(&self) -> String {
        format!("boot {}", self.boots)
    }

    pub(crate) fn len(&self) -> usize {
        self.containers.len()
    }

    /// The folders of persistent volumes, and how many more are being removed.
    pub(crate) fn volumes(&self) -> (usize, usize) {
        (self.volumes.len(), self.trash.len())
    }

    pub(crate) fn make_volume(&mut self, place: VolumePlace) {
        self.volumes.insert(place.folder);
    }

    /// The volume's folder goes out of sight at once, what is in it a while later.
    pub(crate) fn remove_volume(&mut self, removal: String, place: &VolumePlace) {
        self.volumes.remove(&place.folder);
        self.trash.insert(removal);
    }

    pub(crate) fn forget_volume(&mut self, removal: &str) {
        self.trash.remove(removal);
    }

    pub(crate) fn found(&self) -> Vec<FoundContainer> {
        let found = |(id, container): (&ContainerId, &Container)| FoundContainer {
            id: id.clone(),
            pid: (container.state == State::Runs).then_some(container.launch as u32),
            networks: Vec::new(),
            net_class: None,
        };
        self.containers.iter().map(found).collect()
    }

    /// The containers that have ended, and how.
    pub(crate) fn ended(&self) -> Vec<(ContainerId, Exit)> {
        let ended = self
            .containers
            .iter()
            .filter_map(|(id, container)| match container.state {
                State::Ended(status) => Some((id.clone(), exit(status))),
                _ => None,
            });
        ended.collect()
    }

    pub(crate) fn launch(&mut self, plan: &ContainerPlan, resources: Resources, scene: &mut Scene) {
        let Program::Shell(line) = &plan.program else {
            scene.fail("no run has such a program")
        };
        let behaviour: Result<Behaviour, _> = line.parse();
        let behaviour =
            behaviour.unwrap_or_else(|_| scene.fail(format_args!("no run has a program '{line}'")));
        self.launches += 1;
        let (task, launch, state) = (plan.task.task.clone(), self.launches, State::Starting);
        let container = Container {
            task,
            resources,
            behaviour,
            state,
            launch,
        };
        let id = plan.container.clone();
        if self.containers.insert(id.clone(), container).is_some() {
            scene.fail(format_args!("container {id} is launched again"));
        }
        let span = match scene.dice.between(0, 4) {
            0 => scene.dice.millis(0, 5000),
            _ => scene.dice.millis(5, 300),
        };
        scene.after(
            span,
            Happening::Machine(self.index, id, launch, MachineTurn::Begins),
        );
    }

    /// Something becomes of a container; gives what its agent sees of it.
    pub(crate) fn turn(
        &mut self,
        id: &ContainerId,
        launch: u64,
        turn: MachineTurn,
        scene: &mut Scene,
    ) -> Option<ContainerEvent> {
        let container = self
            .containers
            .get_mut(id)
            .filter(|it| it.launch == launch)?;
        match (turn, container.state) {
            (MachineTurn::Begins, State::Starting) => Some(self.begin(id, scene)),
            (MachineTurn::Ends(status), State::Runs) => {
                container.state = State::Ended(status);
                scene.checks.containers.ends(self.index, id);
                Some(ContainerEvent::Exited(exit(status)))
            }
            _ => None,
        }
    }

    fn begin(&mut self, id: &ContainerId, scene: &mut Scene) -> ContainerEvent {
        if scene.faults.loss > 0.0 && scene.dice.chance(0.04) {
            self.containers.remove(id);
            return ContainerEvent::LaunchFailed {
                message: "no luck".to_owned(),
            };
        }
        self.run(id, scene);
        let launch = self.containers[id].launch;
        ContainerEvent::Started {
            pid: launch as u32,
            networks: Vec::new(),
            net_class: None,
        }
    }

    fn run(&mut self, id: &ContainerId, scene: &mut Scene) {
        let Some(container) = self.containers.get_mut(id) else {
            return;
        };
        container.state = State::Runs;
        let Container {
            task,
            resources,
            behaviour,
            ..
        } = container;
        let held = scene
            .checks
            .containers
            .starts(self.index, id, task, resources);
        scene.hold(held);
        let Behaviour { runs_for, code, .. } = *behaviour;
        if let Some(span) = runs_for {
            self.end_after(id, span, ExitStatus::Code(code), scene);
        }
    }

    fn end_after(&self, id: &ContainerId, span: Duration, status: ExitStatus, scene: &mut Scene) {
        let launch = self.containers[id].launch;
        let turn = MachineTurn::Ends(status);
        scene.after(
            span,
            Happening::Machine(self.index, id.clone(), launch, turn),
        );
    }

    pub(crate) fn terminate(&self, id: &ContainerId, scene: &mut Scene) {
        let Some(container) = self.containers.get(id) else {
            return;
        };
        let status = match container.behaviour.on_term {
            OnTerm::Dies => ExitStatus::Signal(SIGTERM),
            OnTerm::EndsWell => ExitStatus::Code(0),
            OnTerm::Ignores => return,
        };
        let span = scene.dice.millis(0, 2000);
        self.end_after(id, span, status, scene);
    }

    /// Now and then a kill does not work at once.
    pub(crate) fn kill(&self, id: &ContainerId, scene: &mut Scene) {
        if self.containers.contains_key(id) && !scene.dice.chance(0.05) {
            let span = scene.dice.millis(0, 200);
            self.end_after(id, span, ExitStatus::Signal(SIGKILL), scene);
        }
    }

    pub(crate) fn remove(&mut self, id: &ContainerId, scene: &Scene) {
        #[cfg(test)]
        if self.removes_nothing {
            return;
        }
        let removed = self.containers.remove(id);
        if removed.is_some_and(|container| container.state == State::Runs) {
            scene.fail(format_args!("container {id} is removed while it runs"));
        }
    }

    /// The agent's process has died. A container that was being started runs, or never will.
    pub(crate) fn orphan(&mut self, scene: &mut Scene) {
        for id in self.ids() {
            if self.containers[&id].state != State::Starting {
                continue;
            }
            match scene.dice.chance(0.5) {
                true => self.run(&id, scene),
                false => drop(self.containers.remove(&id)),
            }
        }
    }

    /// No container survives; of some there are traces.
    pub(crate) fn restart(&mut self, scene: &mut Scene) {
        self.boots += 1;
        for id in self.ids() {
            scene.checks.containers.ends(self.index, &id);
            let Some(container) = self.containers.get_mut(&id) else {
                continue;
            };
            let leaves_a_trace = container.state != State::Starting && scene.dice.chance(0.5);
            match container.state {
                _ if !leaves_a_trace => drop(self.containers.remove(&id)),
                State::Ended(_) => {}
                _ => container.state = State::Ended(ExitStatus::Unknown),
            }
        }
    }

    fn ids(&self) -> Vec<ContainerId> {
        self.containers.keys().cloned().collect()
    }
}

const fn exit(status: ExitStatus) -> Exit {
    Exit {
        status,
        limitation: None,
    }
}
