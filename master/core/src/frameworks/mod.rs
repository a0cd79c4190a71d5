//! Frameworks: who is subscribed, who may come back, who is removed.

mod calls;
mod disconnect;
mod requests;
mod roles;
mod state;
mod subscribe;
mod teardown;
mod terms;
mod update;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
};

use tepui_model::{
    AgentKey, Capability, FrameworkId, FrameworkInfo, FrameworkKey, OperationId, ReservationForm,
    Role, TaskId, Time,
};
use tepui_proto::v1;

pub use self::state::{FrameworkState, FrameworkStep, IllegalFrameworkStep};
pub(crate) use self::terms::Terms;
use crate::{
    events::ConnectionId,
    ids::OfferNumber,
    operations::OperationUuid,
    record::{Change, FrameworkRecord, Record},
    slab::Slab,
    tasks::{Task, UnreachableTasks},
};

/// One framework.
#[derive(Debug)]
pub(crate) struct Framework {
    pub(crate) key: FrameworkKey,
    pub(crate) id: FrameworkId,
    pub(crate) info: FrameworkInfo,
    pub(crate) state: FrameworkState,
    pub(crate) connection: Option<ConnectionId>,
    pub(crate) suppressed: BTreeSet<Role>,
    pub(crate) terms: Terms,
    pub(crate) registered: Time,
    pub(crate) reregistered: Time,
    /// When it is removed unless it comes back before.
    pub(crate) deadline: Option<Time>,
    pub(crate) offers: BTreeSet<OfferNumber>,
    /// By themselves, since the nodes of the map are half empty when ids come in order; and
    /// shared with the snapshots of those who look.
    pub(crate) tasks: BTreeMap<TaskId, Arc<Task>>,
    /// How many executors it has, on all agents together.
    pub(crate) executors: usize,
    /// Where the operations are that it has named.
    pub(crate) operations: BTreeMap<OperationId, (AgentKey, OperationUuid)>,
    pub(crate) unreachable: UnreachableTasks,
    /// Tasks that have ended, the oldest first.
    pub(crate) completed: VecDeque<Arc<Task>>,
}

impl Framework {
    pub(crate) fn task_mut(&mut self, id: &TaskId) -> Option<&mut Task> {
        self.tasks.get_mut(id).map(Task::change)
    }

    pub(crate) fn is_partition_aware(&self) -> bool {
        self.info.has(Capability::PartitionAware)
    }

    /// How it understands reservations (Mesos: RES-05).
    pub(crate) fn reservation_form(&self) -> ReservationForm {
        if self.info.has(Capability::ReservationRefinement) {
            ReservationForm::Stack
        } else {
            ReservationForm::Legacy
        }
    }

    pub(crate) fn record(&self) -> Change {
        Change::Put(Record::Framework(FrameworkRecord {
            info: self.info.clone(),
            constraints: self.terms.stated.clone(),
            registered: self.registered,
            deadline: self.deadline,
        }))
    }
}

/// What a framework says of itself, checked.
#[derive(Debug)]
pub(crate) struct Subscriber {
    pub(crate) info: FrameworkInfo,
    pub(crate) suppressed: BTreeSet<Role>,
    pub(crate) terms: Terms,
}

impl Subscriber {
    /// One that wants what all get.
    pub(crate) fn new(info: FrameworkInfo) -> Self {
        Self {
            info,
            suppressed: BTreeSet::new(),
            terms: Terms::default(),
        }
    }
}

/// A framework that is removed, kept for the operator to see.
#[derive(Clone, Debug)]
pub(crate) struct CompletedFramework {
    pub(crate) id: FrameworkId,
    pub(crate) info: Arc<v1::FrameworkInfo>,
    pub(crate) constraints: Option<Arc<v1::scheduler::OfferConstraints>>,
    pub(crate) registered: Time,
    pub(crate) reregistered: Time,
    pub(crate) unregistered: Time,
    pub(crate) tasks: VecDeque<Arc<Task>>,
}

/// All frameworks.
#[derive(Debug)]
pub(crate) struct Frameworks {
    pub(crate) slab: Slab<FrameworkKey, Framework>,
    pub(crate) by_id: BTreeMap<FrameworkId, FrameworkKey>,
    /// Removed ones, the oldest first.
    pub(crate) completed: VecDeque<CompletedFramework>,
    /// Ids of removed ones, also of those that are not kept to be seen.
    removed: BTreeMap<FrameworkId, Time>,
    removed_by_age: BTreeSet<(Time, FrameworkId)>,
}

impl Frameworks {
    pub(crate) const fn new() -> Self {
        Self {
            slab: Slab::new(),
            by_id: BTreeMap::new(),
            completed: VecDeque::new(),
            removed: BTreeMap::new(),
            removed_by_age: BTreeSet::new(),
        }
    }

    pub(crate) fn get(&self, key: FrameworkKey) -> Option<&Framework> {
        self.slab.get(key)
    }

    pub(crate) fn get_mut(&mut self, key: FrameworkKey) -> Option<&mut Framework> {
        self.slab.get_mut(key)
    }

    pub(crate) fn find(&self, id: &FrameworkId) -> Option<&Framework> {
        self.get(*self.by_id.get(id)?)
    }

    pub(crate) fn find_mut(&mut self, id: &FrameworkId) -> Option<&mut Framework> {
        self.slab.get_mut(*self.by_id.get(id)?)
    }

    /// All in the table, those that are being ended too, in the order of their keys.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Framework> {
        self.slab.iter()
    }

    /// The keys of all in the table, for a loop that changes it.
    pub(crate) fn keys(&self) -> Vec<FrameworkKey> {
        self.iter().map(|framework| framework.key).collect()
    }

    /// Whether a framework is history, though its tasks may still be ending.
    pub(crate) fn is_removed(&self, id: &FrameworkId) -> bool {
        let known = self.by_id.get(id).and_then(|key| self.get(*key));
        let is_ending = known.is_some_and(|known| known.state == FrameworkState::Ending);
        is_ending || self.removed.contains_key(id)
    }

    /// Remembers that a framework is removed. Gives the id that is forgotten for it, if any.
    pub(crate) fn remember_removed(
        &mut self,
        id: FrameworkId,
        since: Time,
        limit: usize,
    ) -> Option<FrameworkId> {
        self.removed_by_age.insert((since, id.clone()));
        self.removed.insert(id, since);
        if self.removed.len() <= limit {
            return None;
        }
        let (_, oldest) = self.removed_by_age.pop_first()?;
        self.removed.remove(&oldest);
        Some(oldest)
    }
}
