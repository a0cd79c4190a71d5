//! What is given to one container and to no other at the same time.
//!
//! It is written into the container's record, so that a later agent gives it to nobody else.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, MutexGuard, PoisonError},
};

use serde::{Deserialize, Serialize};
use tepui_model::ContainerId;

use crate::{
    Isolation, Isolator, LaunchError, Program, Spec,
    cgroups::{self, Group, Hierarchies},
    gpus,
    net_classes::NetClasses,
    processors::{Processor, Processors, choose},
    projects::{self, Project, ProjectRange},
};

/// What one container has to itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Granted {
    /// Processors that no other container runs on. Without any, it shares what is left.
    #[serde(default)]
    pub(crate) processors: Processors,
    /// The numbers of its GPUs.
    #[serde(default)]
    pub(crate) gpus: BTreeSet<u32>,
    /// The handle on its packets.
    #[serde(default)]
    pub(crate) net_class: Option<u32>,
    /// What its files on the disk belong to.
    #[serde(default)]
    pub(crate) project: Option<Project>,
}

/// Who has what.
#[derive(Debug, Default)]
pub(crate) struct Grants {
    /// The processors of this machine.
    machine: Vec<Processor>,
    /// The GPUs that containers may have.
    gpus: BTreeSet<u32>,
    /// The handles on packets that containers get, if they get any.
    classes: Option<NetClasses>,
    /// The projects that containers get.
    projects: ProjectRange,
    held: Mutex<BTreeMap<ContainerId, Granted>>,
}

impl Grants {
    pub(crate) fn new(
        machine: Vec<Processor>,
        gpus: BTreeSet<u32>,
        classes: Option<NetClasses>,
        projects: ProjectRange,
    ) -> Self {
        let held = Mutex::default();
        Self {
            machine,
            gpus,
            classes,
            projects,
            held,
        }
    }

    fn held(&self) -> MutexGuard<'_, BTreeMap<ContainerId, Granted>> {
        // Nothing that holds the lock leaves the table half changed.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes for a new container what it is to have to itself. Who has ended needs nothing any
    /// more, though it is not yet removed.
    pub(crate) fn take(
        &self,
        spec: &Spec,
        isolation: Isolation,
        has_ended: impl Fn(&ContainerId) -> bool,
    ) -> Result<Granted, LaunchError> {
        let mut held = self.held();
        let needed: Vec<_> = held
            .iter()
            .filter(|(id, _)| !has_ended(id))
            .map(|(_, granted)| granted)
            .collect();
        let granted = Granted {
            processors: match isolation.has(Isolator::Processors) {
                true => self.choose_processors(spec, &needed),
                false => Processors::new(),
            },
            gpus: self.choose_gpus(spec, isolation, &needed)?,
            net_class: match isolation.has(Isolator::NetClass) && spec.parent.is_none() {
                true => self.choose_class(&needed)?,
                false => None,
            },
            project: match isolation.has(Isolator::DiskQuota) && spec.disk.is_some() {
                true => self.choose_project(spec, isolation, &held)?,
                false => None,
            },
        };
        held.insert(spec.id.clone(), granted.clone());
        Ok(granted)
    }

    fn choose_processors(&self, spec: &Spec, needed: &[&Granted]) -> Processors {
        let Some(count) = whole_processors(spec) else {
            return Processors::new();
        };
        let free = shared(&self.machine, needed.iter().copied());
        choose(&self.machine, &free, count).unwrap_or_else(|| {
            tracing::warn!(
                container = %spec.id, count, free = free.len(),
                "too few processors are left for one container alone: it shares them"
            );
            Processors::new()
        })
    }

    fn choose_gpus(
        &self,
        spec: &Spec,
        isolation: Isolation,
        needed: &[&Granted],
    ) -> Result<BTreeSet<u32>, LaunchError> {
        let count = spec.gpus as usize;
        if count > 0 && !isolation.has(Isolator::Gpus) {
            let message = "GPUs need gpu/nvidia in --isolation";
            return Err(LaunchError::Invalid(message.to_owned()));
        }
        let taken = needed.iter().flat_map(|it| it.gpus.iter().copied());
        let taken: BTreeSet<u32> = taken.collect();
        gpus::choose(self.gpus.iter().copied(), &taken, count).ok_or_else(|| {
            let all = self.gpus.len();
            let message =
                format!("it asks for {count} GPUs, and too few of this agent's {all} are free");
            LaunchError::Invalid(message)
        })
    }

    fn choose_class(&self, needed: &[&Granted]) -> Result<Option<u32>, LaunchError> {
        let taken = needed.iter().filter_map(|it| it.net_class).collect();
        let choose = |classes: NetClasses| {
            let message = "all handles of --cgroups-net-cls-secondary-handles are in use";
            let chosen = classes.choose(&taken);
            chosen.ok_or_else(|| LaunchError::Invalid(message.to_owned()))
        };
        self.classes.map(choose).transpose()
    }

    /// Who has ended still has its files, which may fill its disk.
    fn choose_project(
        &self,
        spec: &Spec,
        isolation: Isolation,
        held: &BTreeMap<ContainerId, Granted>,
    ) -> Result<Option<Project>, LaunchError> {
        let folders = projects::folders(spec);
        if !projects::are_in_force(&folders) {
            if isolation.has(Isolator::Disk) {
                return Ok(None);
            }
            let message = "quotas of projects are not in force where its sandbox is: mount that \
                           file system with prjquota, or add disk/du to --isolation";
            return Err(LaunchError::Invalid(message.to_owned()));
        }
        let taken = held.values().filter_map(|it| it.project.as_ref());
        let taken = taken.map(|project| project.number).collect();
        let chosen = Project::choose(self.projects, &taken, folders);
        let chosen = chosen.map_err(|source| LaunchError::Step {
            step: "choose a project for its disk".to_owned(),
            source,
        })?;
        let message = "files carry all numbers of --project-range: remove old sandboxes, or give \
                       a larger range";
        let none_left = || LaunchError::Invalid(message.to_owned());
        chosen.map(Some).ok_or_else(none_left)
    }

    /// Notes what a container has that an earlier agent launched.
    pub(crate) fn restore(&self, id: &ContainerId, granted: Granted) {
        self.held().insert(id.clone(), granted);
    }

    /// Puts a new container onto its processors, when all others are off them.
    pub(crate) fn settle(
        &self,
        hierarchies: &dyn Hierarchies,
        id: &ContainerId,
        group: &dyn Group,
    ) -> Result<(), cgroups::Error> {
        let held = self.held();
        match held.get(id) {
            Some(own) if !own.processors.is_empty() => {
                self.spread(hierarchies, &held)?;
                group.set_processors(&own.processors)
            }
            _ => group.set_processors(&shared(&self.machine, held.values())),
        }
    }

    /// Forgets a container that is gone. What it had is everybody's.
    pub(crate) fn give_back(&self, id: &ContainerId, hierarchies: Option<&dyn Hierarchies>) {
        let mut held = self.held();
        let had = held.remove(id).unwrap_or_default();
        if let Some(Err(error)) = had.project.as_ref().map(Project::end) {
            tracing::warn!(container = %id, %error, "the limit of its disk is not lifted");
        }
        if had.processors.is_empty() {
            return;
        }
        if let Some(hierarchies) = hierarchies
            && let Err(error) = self.spread(hierarchies, &held)
        {
            tracing::warn!(container = %id, %error, "its processors are not shared again");
        }
    }

    /// Lets containers of an earlier agent run where they may.
    pub(crate) fn settle_all(&self, hierarchies: &dyn Hierarchies) {
        let held = self.held();
        if let Err(error) = self.spread(hierarchies, &held) {
            tracing::error!(%error, "containers may run on processors that are others'");
        }
    }

    /// Lets all who have no processors of their own run on those that nobody has to himself.
    fn spread(
        &self,
        hierarchies: &dyn Hierarchies,
        held: &BTreeMap<ContainerId, Granted>,
    ) -> Result<(), cgroups::Error> {
        let shared = shared(&self.machine, held.values());
        let owns = |name: &String| {
            let mut owners = held.iter().filter(|(_, it)| !it.processors.is_empty());
            owners.any(|(id, _)| id.as_str() == name)
        };
        let names = hierarchies.names().into_iter();
        let mut others = names.filter(|name| !owns(name));
        others.try_for_each(|name| hierarchies.group(&name).set_processors(&shared))
    }
}

/// The processors that nobody has to himself.
fn shared<'a>(machine: &[Processor], held: impl Iterator<Item = &'a Granted>) -> Processors {
    let owned: BTreeSet<u32> = held.flat_map(|it| it.processors.iter().copied()).collect();
    let all = machine.iter().map(|it| it.number);
    all.filter(|number| !owned.contains(number)).collect()
}

/// How many processors a container is to have to itself: those that it asks for, if they are whole
/// and it may use no more, and nobody may take them back. Who is inside of another shares that
/// one's, which changes with those inside.
fn whole_processors(spec: &Spec) -> Option<usize> {
    let limits = &spec.limits;
    let alone = spec.parent.is_none() && spec.program != Program::Hold;
    let firm = limits.cpu_limit == Some(limits.cpu_shares) && !limits.low_cpu_priority;
    let whole = limits.cpu_shares.is_whole() && limits.cpu_shares.is_positive();
    (alone && firm && whole)
        .then(|| usize::try_from(limits.cpu_shares.millis() / 1000).ok())
        .flatten()
}

#[cfg(test)]
mod tests {
    use tepui_model::Quantity;

    use super::*;
    use crate::{Bytes, Limits, Parent, processors::parse};

    fn spec(name: &str, millicpus: i64) -> Spec {
        let cpus = Quantity::from_millis(millicpus);
        let limits = Limits {
            cpu_shares: cpus,
            cpu_limit: Some(cpus),
            low_cpu_priority: false,
            memory: Bytes(64 << 20),
            memory_limit: None,
            pids: None,
        };
        let id = ContainerId::new(name).unwrap();
        Spec::new(id, "/sandbox", Program::Shell("true".to_owned()), limits)
    }

    fn grants() -> Grants {
        let processor = |number| Processor {
            number,
            core: number,
            package: 0,
        };
        let projects = ProjectRange::default();
        Grants::new(
            (0..4).map(processor).collect(),
            [0, 1].into(),
            None,
            projects,
        )
    }

    fn left(grants: &Grants) -> Processors {
        shared(&grants.machine, grants.held().values())
    }

    #[test]
    fn only_who_asks_for_whole_processors_and_no_more_has_them_alone() {
        assert_eq!(whole_processors(&spec("a", 2000)), Some(2));
        assert_eq!(whole_processors(&spec("a", 1500)), None);
        assert_eq!(whole_processors(&spec("a", 0)), None);
        let more: [fn(&mut Spec); 5] = [
            |spec| spec.limits.cpu_limit = None,
            |spec| spec.limits.cpu_limit = Some(Quantity::from_units(3)),
            |spec| spec.limits.low_cpu_priority = true,
            |spec| spec.program = Program::Hold,
            |spec| {
                spec.parent = Some(Parent {
                    container: ContainerId::new("pod").unwrap(),
                    sandbox: "/pod".into(),
                    share_processes: false,
                });
            },
        ];
        for change in more {
            let mut spec = spec("a", 2000);
            change(&mut spec);
            assert_eq!(whole_processors(&spec), None);
        }
    }

    #[test]
    fn processors_are_one_container_s_until_they_are_given_back_and_over_a_restart() {
        let (grants, isolation) = (grants(), Isolation::NONE.with(Isolator::Processors));
        let first = grants
            .take(&spec("first", 2000), isolation, |_| false)
            .unwrap();
        assert_eq!(first.processors, parse("0-1"));
        let second = grants
            .take(&spec("second", 2000), isolation, |_| false)
            .unwrap();
        assert_eq!(second, Granted::default(), "one is left for all others");
        let third = grants
            .take(&spec("third", 1000), isolation, |_| false)
            .unwrap();
        assert_eq!((third.processors.len(), left(&grants)), (1, parse("3")));

        let later = self::grants();
        later.restore(&spec("first", 0).id, first);
        assert_eq!(left(&later), parse("2-3"));
        let next = later
            .take(&spec("next", 1000), isolation, |_| false)
            .unwrap();
        assert_eq!(next.processors, parse("2"));
        later.give_back(&spec("first", 0).id, None);
        assert_eq!(left(&later), parse("0-1,3"));
        let none = later
            .take(&spec("off", 1000), Isolation::NONE, |_| false)
            .unwrap();
        assert_eq!(none, Granted::default());
    }

    #[test]
    fn a_gpu_is_one_container_s_until_that_has_ended() {
        let (grants, isolation) = (grants(), Isolation::NONE.with(Isolator::Gpus));
        let wanting = |name, gpus| {
            let mut spec = spec(name, 100);
            spec.gpus = gpus;
            spec
        };
        let running = |_: &ContainerId| false;
        let take = |name, gpus| grants.take(&wanting(name, gpus), isolation, running);
        assert_eq!(take("a", 1).unwrap().gpus, [0].into());
        assert_eq!(take("b", 1).unwrap().gpus, [1].into());
        let refused = take("c", 1).unwrap_err().to_string();
        assert!(
            refused.contains("too few of this agent's 2 are free"),
            "{refused}"
        );
        let ended = |id: &ContainerId| id.as_str() == "b";
        let next = grants.take(&wanting("d", 1), isolation, ended).unwrap();
        assert_eq!(next.gpus, [1].into());
        let without = grants.take(&wanting("e", 1), Isolation::NONE, running);
        let refused = without.unwrap_err().to_string();
        assert!(refused.contains("gpu/nvidia in --isolation"), "{refused}");
    }
}
