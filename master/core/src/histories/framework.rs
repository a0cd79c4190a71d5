//! A framework that believes what it hears, and notices when it hears what cannot be.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use tepui_model::{
    AgentId, Filters, FrameworkId, FrameworkInfo, Offer, OfferId, OperationId, StatusUuid, TaskId,
    TaskState,
};

use crate::{
    Action, ConnectionId, Event, FrameworkEvent, OperationState, OperationStatus,
    calls::{Acknowledge, AcknowledgeOperation, Decline, OperationQuery, TaskQuery},
    testing::{Cluster, Scheduler},
};

/// What a framework knows of a task that it launched.
#[derive(Debug)]
pub(super) struct Launched {
    pub(super) agent: AgentId,
    pub(super) state: Option<TaskState>,
}

#[derive(Debug)]
pub(super) struct FakeFramework {
    pub(super) info: FrameworkInfo,
    pub(super) id: Option<FrameworkId>,
    pub(super) connection: Option<ConnectionId>,
    pub(super) removed: bool,
    pub(super) offers: BTreeMap<OfferId, Arc<Offer>>,
    pub(super) tasks: BTreeMap<TaskId, Launched>,
    /// Every state that it was told of any task.
    pub(super) told: BTreeSet<TaskState>,
    unacknowledged: Vec<(AgentId, TaskId, StatusUuid)>,
    /// The operations that it named, and what it was told last of each.
    pub(super) operations: BTreeMap<OperationId, Option<OperationState>>,
    ended: Vec<(OperationId, StatusUuid)>,
}

impl FakeFramework {
    pub(super) fn new(info: FrameworkInfo) -> Self {
        Self {
            info,
            id: None,
            connection: None,
            removed: false,
            offers: BTreeMap::new(),
            tasks: BTreeMap::new(),
            told: BTreeSet::new(),
            unacknowledged: Vec::new(),
            operations: BTreeMap::new(),
            ended: Vec::new(),
        }
    }

    pub(super) fn scheduler(&self) -> Option<Scheduler> {
        Some(Scheduler {
            connection: self.connection?,
            id: self.id.clone()?,
        })
    }

    pub(super) fn connect(&mut self, cluster: &mut Cluster) {
        let info = match &self.id {
            Some(id) => self.info.clone().with_id(id.clone()),
            None => self.info.clone(),
        };
        self.offers.clear();
        self.connection = Some(cluster.try_subscribe(info));
        self.listen(cluster);
    }

    pub(super) fn disconnect(&mut self, cluster: &mut Cluster) {
        if let Some(connection) = self.connection.take() {
            cluster.events(connection);
            self.offers.clear();
            cluster.apply(Event::FrameworkDisconnected { connection });
        }
    }

    pub(super) fn listen(&mut self, cluster: &mut Cluster) {
        let Some(connection) = self.connection else {
            return;
        };
        for event in cluster.events(connection) {
            self.hear(event);
        }
        if cluster.endings.contains_key(&connection) {
            self.connection = None;
            self.offers.clear();
        }
    }

    fn hear(&mut self, event: FrameworkEvent) {
        match event {
            FrameworkEvent::Subscribed { framework_id, .. } => self.id = Some(framework_id),
            FrameworkEvent::Offers { offers, .. } => {
                let named = offers.into_iter().map(|offer| (offer.id.clone(), offer));
                self.offers.extend(named);
            }
            FrameworkEvent::Rescind(id) => {
                self.offers.remove(&id);
            }
            FrameworkEvent::Update(status) => {
                if let (Some(agent), Some(uuid)) = (&status.agent_id, status.uuid) {
                    self.unacknowledged
                        .push((agent.clone(), status.task_id.clone(), uuid));
                }
                let task = self
                    .tasks
                    .get_mut(&status.task_id)
                    .expect("a task of its own");
                let ended = |state: TaskState| state.is_terminal() && !state.may_return();
                if let Some(before) = task.state.filter(|state| ended(*state)) {
                    let next = status.state;
                    assert!(
                        !next.is_active(),
                        "{} was {before}, is {next}",
                        status.task_id
                    );
                }
                task.state = Some(status.state);
                self.told.insert(status.state);
            }
            FrameworkEvent::OperationUpdate(status) => self.hear_of_operation(*status),
            FrameworkEvent::Error(text) => {
                self.removed |= text == "Framework has been removed";
            }
            _ => {}
        }
    }

    fn hear_of_operation(&mut self, status: OperationStatus) {
        let id = status.id.expect("only what it named is told");
        let before = self.operations.get_mut(&id).expect("one of its own");
        let unheard = status.state == OperationState::Unknown;
        if let Some(end) = before.filter(|end| end.is_terminal() && !unheard) {
            assert_eq!(end, status.state, "{id}");
        }
        if !(unheard && before.is_some_and(OperationState::is_terminal)) {
            *before = Some(status.state);
        }
        self.ended.extend(status.uuid.map(|uuid| (id, uuid)));
    }

    /// Asks for everything that it named.
    pub(super) fn reconcile_operations(&mut self, cluster: &mut Cluster) {
        let Some(connection) = self.connection else {
            return;
        };
        let query = |id: &OperationId| OperationQuery {
            operation_id: id.clone(),
            agent_id: None,
        };
        let queries: Vec<_> = self.operations.keys().map(query).collect();
        if !queries.is_empty() {
            cluster.call(connection, Action::ReconcileOperations(queries));
        }
    }

    pub(super) fn acknowledge_all(&mut self, cluster: &mut Cluster) {
        let Some(connection) = self.connection else {
            return;
        };
        for (agent_id, task_id, uuid) in core::mem::take(&mut self.unacknowledged) {
            let acknowledge = Acknowledge {
                agent_id,
                task_id,
                uuid,
            };
            cluster.call(connection, Action::Acknowledge(acknowledge));
        }
        for (operation_id, uuid) in core::mem::take(&mut self.ended) {
            let acknowledge = AcknowledgeOperation {
                agent_id: None,
                operation_id,
                uuid,
            };
            cluster.call(connection, Action::AcknowledgeOperation(acknowledge));
        }
    }

    pub(super) fn decline_all(&mut self, filters: Filters, cluster: &mut Cluster) {
        let Some(connection) = self.connection else {
            return;
        };
        let offers = core::mem::take(&mut self.offers).into_keys().collect();
        cluster.call(connection, Action::Decline(Decline { offers, filters }));
    }

    pub(super) fn reconcile(&mut self, cluster: &mut Cluster) {
        let Some(connection) = self.connection else {
            return;
        };
        let query = |(id, task): (&TaskId, &Launched)| TaskQuery {
            task_id: id.clone(),
            agent_id: Some(task.agent.clone()),
        };
        let queries: Vec<_> = self.tasks.iter().map(query).collect();
        if !queries.is_empty() {
            cluster.call(connection, Action::Reconcile(queries));
        }
    }
}
