//! Operations on the agent's resources: done at once, written down before they are answered
//! (Mesos: RES-02, VOL-01, VOL-02, OPF-01).

use tepui_model::{
    Conversion, FrameworkId, OperationRules, ResourceOperation, Resources, StatusUuid, Time,
};
use tepui_proto::v1;

use super::Agent;
use crate::{
    AgentReport, Change, Effect, Effects, Kind, Note, OperationUuid, VolumePlace, limits,
    operation::Operation, record, retry::Retry, timers::Timer, volumes,
};

impl Agent {
    /// What the agent has, as its reservations and volumes are now.
    #[must_use]
    pub const fn resources(&self) -> &Resources {
        &self.resources
    }

    /// Does an operation, or nothing of it, and says which.
    pub(super) fn apply_operation(
        &mut self,
        now: Time,
        framework: Option<FrameworkId>,
        uuid: OperationUuid,
        info: v1::offer::Operation,
        fx: &mut Effects,
    ) {
        if self.operations.contains_key(&uuid) {
            return fx.note(Note::DuplicateOperation(uuid));
        }
        let done = if self.is_serving() {
            self.convert(uuid, &info, fx)
        } else {
            Err("The agent is leaving the cluster".to_owned())
        };
        let mut status = self.operation_status(&info, done);
        // Only what has a name is waited for by somebody who can acknowledge it.
        if info.id.is_none() || self.operations.len() >= limits::MAX_OPERATIONS {
            return self.send_operation(framework, uuid, status, fx);
        }
        status.uuid = Some(v1::Uuid {
            value: self.names.update().to_vec(),
        });
        let operation = Operation {
            framework,
            info,
            status,
            retry: Retry::default(),
        };
        fx.push(Effect::Persist(record::put_operation(uuid, &operation)));
        self.operations.insert(uuid, operation);
        self.tell_operation(now, uuid, fx);
    }

    /// Converts the agent's resources; gives what came of it.
    fn convert(
        &mut self,
        uuid: OperationUuid,
        info: &v1::offer::Operation,
        fx: &mut Effects,
    ) -> Result<Resources, String> {
        let operation =
            ResourceOperation::try_from(info.clone()).map_err(|error| error.to_string())?;
        let used = self.used();
        let (checkpointed, nothing) = (self.resources.checkpointed(), Resources::new());
        let rules = OperationRules {
            principal: None,
            allocation_role: None,
            framework: None,
            agent: crate::capabilities(),
            checkpointed: &checkpointed,
            used: &used,
            pending: &nothing,
        };
        operation
            .validate(&rules)
            .map_err(|error| error.to_string())?;
        let conversions = operation.conversions().map_err(|error| error.to_string())?;
        let mut total = self.resources.clone();
        total
            .apply_all(&conversions)
            .map_err(|error| error.to_string())?;
        if !total.contains(&used) {
            return Err("Resources in use".to_owned());
        }
        let made = match &operation {
            ResourceOperation::Create { volumes } => self.places(volumes)?,
            _ => Vec::new(),
        };
        self.resources = total;
        let checkpointed = self.resources.checkpointed();
        fx.push(Effect::Persist(record::put_resources(&checkpointed)));
        for place in made {
            fx.push(Effect::MakeVolume(place));
        }
        if let ResourceOperation::Destroy { volumes } = &operation {
            self.remove_volumes(uuid, volumes, fx);
        }
        Ok(net(&conversions))
    }

    fn places(&self, resources: &Resources) -> Result<Vec<VolumePlace>, String> {
        volumes::places(&self.config.work_dir, resources).map_err(|error| error.to_string())
    }

    /// What live tasks hold; a shared volume that several of them use is there once.
    pub(crate) fn used(&self) -> Resources {
        let live = self.tasks.values().filter(|task| task.is_live());
        let mut used = Resources::new();
        for task in live {
            let resources = &task.info.resources;
            used += &resources.exclusive();
            let (shared, once) = (resources.shared(), used.shared());
            used += &shared.filter(|traits| once.filter(|held| held == traits).is_empty());
        }
        let executors = self.executors.values();
        executors.for_each(|executor| used += &executor.resources);
        used
    }

    /// The data of a volume goes away in two steps, so that a new volume of the same name can
    /// never lose its own: first it is set aside under a name of its own, then deleted.
    fn remove_volumes(&mut self, uuid: OperationUuid, volumes: &Resources, fx: &mut Effects) {
        for (index, volume) in volumes.to_proto(None).into_iter().enumerate() {
            let name = format!("{uuid}-{index}");
            fx.push(Effect::Persist(record::put_removal(&name, &volume)));
            self.remove_volume(name, &volume, fx);
        }
    }

    /// Begins, or goes on, to remove the data of a volume.
    pub(super) fn remove_volume(&mut self, name: String, volume: &v1::Resource, fx: &mut Effects) {
        let places = Resources::from_proto(std::slice::from_ref(volume))
            .ok()
            .and_then(|(volume, _)| self.places(&volume).ok());
        let Some(place) = places.and_then(|places| places.into_iter().next()) else {
            return;
        };
        fx.push(Effect::RemoveVolume {
            removal: name.clone(),
            place: place.clone(),
        });
        self.removals.insert(name, place);
    }

    /// The data of a volume is gone. That is on disk before the last trace of it goes.
    pub(super) fn volume_removed(&mut self, removal: &str, fx: &mut Effects) {
        if let Some(place) = self.removals.remove(removal) {
            let mut change = Change::delete(Kind::Removal, removal);
            change.urgent = true;
            fx.push(Effect::Persist(change));
            fx.push(Effect::ForgetVolume {
                removal: removal.to_owned(),
                place,
            });
        }
    }

    fn operation_status(
        &self,
        info: &v1::offer::Operation,
        done: Result<Resources, String>,
    ) -> v1::OperationStatus {
        let mut status = v1::OperationStatus {
            operation_id: info.id.clone(),
            agent_id: self.id().map(Into::into),
            ..v1::OperationStatus::default()
        };
        match done {
            Ok(converted) => {
                status.set_state(v1::OperationState::OperationFinished);
                status.converted_resources = converted.to_proto(None);
            }
            Err(message) => {
                status.set_state(v1::OperationState::OperationFailed);
                status.message = Some(message);
            }
        }
        status
    }

    /// Says how an operation ended, for the first time or again.
    pub(super) fn tell_operation(&mut self, now: Time, uuid: OperationUuid, fx: &mut Effects) {
        if self.registered_link().is_none() {
            return;
        }
        let Some(operation) = self.operations.get_mut(&uuid) else {
            return;
        };
        let wait = operation.retry.sent();
        let (framework, status) = (operation.framework.clone(), operation.status.clone());
        self.timers.set(Timer::Operation(uuid), now + wait);
        self.send_operation(framework, uuid, status, fx);
    }

    fn send_operation(
        &self,
        framework_id: Option<FrameworkId>,
        uuid: OperationUuid,
        status: v1::OperationStatus,
        fx: &mut Effects,
    ) {
        let Some(link) = self.registered_link() else {
            return;
        };
        let report = AgentReport::OperationUpdate {
            framework_id,
            uuid,
            status: Box::new(status),
        };
        fx.push(Effect::Send { link, report });
    }

    /// Somebody has acted on the end of an operation.
    pub(super) fn acknowledge_operation(
        &mut self,
        uuid: OperationUuid,
        status_uuid: StatusUuid,
        fx: &mut Effects,
    ) {
        let told = self.operations.get(&uuid);
        let named = told.and_then(|operation| operation.status.uuid.as_ref());
        if named.is_some_and(|named| named.value == status_uuid.as_bytes()) {
            self.forget_operation(uuid, fx);
        }
    }

    fn forget_operation(&mut self, uuid: OperationUuid, fx: &mut Effects) {
        self.operations.remove(&uuid);
        self.timers.cancel(&Timer::Operation(uuid));
        fx.push(Effect::Persist(Change::delete(Kind::Operation, uuid)));
    }

    /// Nobody will ask any more about the operations of a framework, or of any.
    pub(super) fn forget_operations(&mut self, of: Option<&FrameworkId>, fx: &mut Effects) {
        let theirs = |operation: &Operation| of.is_none() || operation.framework.as_ref() == of;
        let gone = self.operations.iter();
        let gone = gone.filter(|(_, operation)| theirs(operation));
        for uuid in gone.map(|(uuid, _)| *uuid).collect::<Vec<_>>() {
            self.forget_operation(uuid, fx);
        }
    }

    /// The operations of which nobody has acknowledged the end are told on a new link.
    pub(super) fn tell_operations(&mut self, now: Time, fx: &mut Effects) {
        let untold = self.operations.iter();
        let untold = untold.filter(|(_, operation)| !operation.retry.in_flight());
        for uuid in untold.map(|(uuid, _)| *uuid).collect::<Vec<_>>() {
            self.tell_operation(now, uuid, fx);
        }
    }

    /// What was said may never have arrived.
    pub(super) fn recall_operations(&mut self) {
        for (uuid, operation) in &mut self.operations {
            operation.retry.recall();
            self.timers.cancel(&Timer::Operation(*uuid));
        }
    }
}

/// What conversions that build on each other come to.
fn net(conversions: &[Conversion]) -> Resources {
    let mut made = Resources::new();
    for conversion in conversions {
        // What an earlier step made is the matter of this one; anything else was there before.
        let _ = made.subtract(&conversion.consumed);
        made += &conversion.converted;
    }
    made
}
