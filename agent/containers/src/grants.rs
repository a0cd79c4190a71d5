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
    Isolation, Isolator, Program, Spec,
    cgroups::{self, Group, Hierarchies},
    processors::{Processor, Processors, choose},
};

/// What one container has to itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Granted {
    /// Processors that no other container runs on. Without any, it shares what is left.
    #[serde(default)]
    pub(crate) processors: Processors,
}

/// Who has what.
#[derive(Debug, Default)]
pub(crate) struct Grants {
    /// The processors of this machine.
    machine: Vec<Processor>,
    held: Mutex<BTreeMap<ContainerId, Granted>>,
}

impl Grants {
    pub(crate) fn new(machine: Vec<Processor>) -> Self {
        let held = Mutex::default();
        Self { machine, held }
    }

    fn held(&self) -> MutexGuard<'_, BTreeMap<ContainerId, Granted>> {
        // Nothing that holds the lock leaves the table half changed.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes for a new container what it is to have to itself.
    pub(crate) fn take(&self, spec: &Spec, isolation: Isolation) -> Granted {
        let mut held = self.held();
        let mut granted = Granted::default();
        if isolation.has(Isolator::Processors)
            && let Some(count) = whole_processors(spec)
        {
            let free = shared(&self.machine, &held);
            match choose(&self.machine, &free, count) {
                Some(chosen) => granted.processors = chosen,
                None => tracing::warn!(
                    container = %spec.id, count, free = free.len(),
                    "too few processors are left for one container alone: it shares them"
                ),
            }
        }
        held.insert(spec.id.clone(), granted.clone());
        granted
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
            _ => group.set_processors(&shared(&self.machine, &held)),
        }
    }

    /// Forgets a container that is gone. What it had is everybody's.
    pub(crate) fn give_back(&self, id: &ContainerId, hierarchies: Option<&dyn Hierarchies>) {
        let mut held = self.held();
        let had = held.remove(id).unwrap_or_default();
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
        let shared = shared(&self.machine, held);
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
fn shared(machine: &[Processor], held: &BTreeMap<ContainerId, Granted>) -> Processors {
    let owned: BTreeSet<u32> = held
        .values()
        .flat_map(|it| it.processors.iter().copied())
        .collect();
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
        Grants::new((0..4).map(processor).collect())
    }

    fn left(grants: &Grants) -> Processors {
        shared(&grants.machine, &grants.held())
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
        let first = grants.take(&spec("first", 2000), isolation);
        assert_eq!(first.processors, parse("0-1"));
        let second = grants.take(&spec("second", 2000), isolation);
        assert_eq!(second, Granted::default(), "one is left for all others");
        let third = grants.take(&spec("third", 1000), isolation);
        assert_eq!((third.processors.len(), left(&grants)), (1, parse("3")));

        let later = self::grants();
        later.restore(&spec("first", 0).id, first);
        assert_eq!(left(&later), parse("2-3"));
        let next = later.take(&spec("next", 1000), isolation);
        assert_eq!(next.processors, parse("2"));
        later.give_back(&spec("first", 0).id, None);
        assert_eq!(left(&later), parse("0-1,3"));
        let none = later.take(&spec("off", 1000), Isolation::NONE);
        assert_eq!(none, Granted::default());
    }
}
