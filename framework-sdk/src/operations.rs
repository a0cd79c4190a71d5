//! What a framework does with the offers it accepts, one operation after the other.

use tepui_model::{AgentId, ExecutorId, OperationId, Quantity, Resources};
use tepui_proto::v1::{
    self,
    offer::{Operation, operation},
    scheduler::call,
};

/// The operations of one ACCEPT, in order: what one makes, the next can use.
///
/// ```
/// use tepui_sdk::{
///     Operations,
///     model::{OperationId, Resources},
/// };
///
/// fn make(disk: &Resources, volume: &Resources, name: OperationId) -> Operations {
///     Operations::new().reserve(disk).create(volume).with_id(name)
/// }
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Operations(Vec<Operation>);

impl Operations {
    /// None yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Launches tasks.
    #[must_use]
    pub fn launch(self, tasks: Vec<v1::TaskInfo>) -> Self {
        self.then(Operation {
            launch: Some(operation::Launch { task_infos: tasks }),
            ..of(operation::Type::Launch)
        })
    }

    /// Launches tasks together or not at all, in containers that share what the executor's has: the
    /// network, the host name, means of communication (Mesos: EXE-03). The executor is best made by
    /// [`default_executor`](crate::default_executor). When one task fails or is killed, all are.
    #[must_use]
    pub fn launch_group(self, executor: v1::ExecutorInfo, tasks: Vec<v1::TaskInfo>) -> Self {
        self.then(Operation {
            launch_group: Some(operation::LaunchGroup {
                executor,
                task_group: v1::TaskGroupInfo { tasks },
            }),
            ..of(operation::Type::LaunchGroup)
        })
    }

    /// Reserves resources (Mesos: RES-02): `resources` are those that are wanted, with the
    /// reservation on top; the offer must have them without it.
    #[must_use]
    pub fn reserve(self, resources: &Resources) -> Self {
        let reserve = operation::Reserve {
            source: Vec::new(),
            resources: resources.to_proto(None),
        };
        self.then(Operation {
            reserve: Some(reserve),
            ..of(operation::Type::Reserve)
        })
    }

    /// Takes the topmost reservation off `resources`.
    #[must_use]
    pub fn unreserve(self, resources: &Resources) -> Self {
        let unreserve = operation::Unreserve {
            resources: resources.to_proto(None),
        };
        self.then(Operation {
            unreserve: Some(unreserve),
            ..of(operation::Type::Unreserve)
        })
    }

    /// Makes persistent volumes of reserved disk (Mesos: VOL-01).
    #[must_use]
    pub fn create(self, volumes: &Resources) -> Self {
        let create = operation::Create {
            volumes: volumes.to_proto(None),
        };
        self.then(Operation {
            create: Some(create),
            ..of(operation::Type::Create)
        })
    }

    /// Makes reserved disk of persistent volumes, and deletes what is on them (Mesos: VOL-02).
    #[must_use]
    pub fn destroy(self, volumes: &Resources) -> Self {
        let destroy = operation::Destroy {
            volumes: volumes.to_proto(None),
        };
        self.then(Operation {
            destroy: Some(destroy),
            ..of(operation::Type::Destroy)
        })
    }

    /// Makes one volume larger by `addition`, disk that is reserved as the volume is
    /// (Mesos: VOL-03). Each is one resource: anything beyond is not sent.
    #[must_use]
    pub fn grow_volume(self, volume: &Resources, addition: &Resources) -> Self {
        let grow = operation::GrowVolume {
            volume: only(volume),
            addition: only(addition),
        };
        self.then(Operation {
            grow_volume: Some(grow),
            ..of(operation::Type::GrowVolume)
        })
    }

    /// Makes one volume smaller by so many megabytes (Mesos: VOL-03).
    #[must_use]
    pub fn shrink_volume(self, volume: &Resources, subtract: Quantity) -> Self {
        let value = subtract.as_f64();
        let shrink = operation::ShrinkVolume {
            volume: only(volume),
            subtract: v1::value::Scalar { value },
        };
        self.then(Operation {
            shrink_volume: Some(shrink),
            ..of(operation::Type::ShrinkVolume)
        })
    }

    /// Names the last operation, so that the framework hears what becomes of it (Mesos: OPF-01).
    /// Tasks report for themselves: a launch must not be named.
    #[must_use]
    pub fn with_id(mut self, id: OperationId) -> Self {
        if let Some(last) = self.0.last_mut() {
            last.id = Some(id.into());
        }
        self
    }

    /// One more, whatever it is.
    #[must_use]
    pub fn then(mut self, operation: Operation) -> Self {
        self.0.push(operation);
        self
    }
}

impl From<Operations> for Vec<Operation> {
    fn from(operations: Operations) -> Self {
        operations.0
    }
}

impl From<Vec<Operation>> for Operations {
    fn from(operations: Vec<Operation>) -> Self {
        Self(operations)
    }
}

/// An operation that the framework believes to be under way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownOperation {
    /// Which one.
    pub operation_id: OperationId,
    /// Where, if that is known.
    pub agent_id: Option<AgentId>,
}

impl KnownOperation {
    pub(crate) fn query(&self) -> call::reconcile_operations::Operation {
        call::reconcile_operations::Operation {
            operation_id: (&self.operation_id).into(),
            agent_id: self.agent_id.as_ref().map(Into::into),
            resource_provider_id: None,
        }
    }
}

fn of(kind: operation::Type) -> Operation {
    Operation {
        r#type: Some(kind.into()),
        ..Operation::default()
    }
}

/// The one resource that is meant. None is sent as an empty one, which the master refuses.
fn only(resources: &Resources) -> v1::Resource {
    resources
        .to_proto(None)
        .into_iter()
        .next()
        .unwrap_or_default()
}

/// The executor of a task group: no program, but what its tasks share. `resources` are its own,
/// besides those of the tasks: at least `cpus:0.01;mem:32` and some disk.
#[must_use]
pub fn default_executor(id: &ExecutorId, resources: &Resources) -> v1::ExecutorInfo {
    v1::ExecutorInfo {
        r#type: Some(v1::executor_info::Type::Default.into()),
        executor_id: id.into(),
        resources: resources.to_proto(None),
        ..v1::ExecutorInfo::default()
    }
}

/// A framework's own executor: the program `command`, which calls the agent. `resources` are its
/// own, besides those of its tasks; an offer must have room for both when it is started.
#[must_use]
pub fn custom_executor(
    id: &ExecutorId,
    resources: &Resources,
    command: v1::CommandInfo,
) -> v1::ExecutorInfo {
    v1::ExecutorInfo {
        r#type: Some(v1::executor_info::Type::Custom.into()),
        command: Some(command),
        ..default_executor(id, resources)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resources(text: &str) -> Resources {
        text.parse().unwrap()
    }

    #[test]
    fn operations_keep_their_order_and_only_the_named_one_has_an_id() {
        let disk = resources("disk(db):64");
        let operations = Operations::new()
            .reserve(&disk)
            .create(&disk)
            .with_id(OperationId::new("make").unwrap())
            .launch(Vec::new())
            .destroy(&disk)
            .unreserve(&disk);
        let wire: Vec<Operation> = operations.into();
        let read = |operation: &Operation| {
            let id = operation.id.as_ref().map(|id| id.value.clone());
            (operation.r#type().as_str_name(), id)
        };
        assert_eq!(
            wire.iter().map(read).collect::<Vec<_>>(),
            [
                ("RESERVE", None),
                ("CREATE", Some("make".to_owned())),
                ("LAUNCH", None),
                ("DESTROY", None),
                ("UNRESERVE", None),
            ]
        );
        let sent = |operation: &Operation| operation.create.clone().unwrap().volumes;
        assert_eq!(sent(&wire[1]), disk.to_proto(None));
    }

    #[test]
    fn a_volume_grows_and_shrinks_by_what_is_said() {
        let (volume, more) = (resources("disk(db):64"), resources("disk(db):32"));
        let operations = Operations::new()
            .grow_volume(&volume, &more)
            .shrink_volume(&volume, Quantity::from_units(16));
        let wire: Vec<Operation> = operations.into();
        let grow = wire[0].grow_volume.clone().unwrap();
        assert_eq!(grow.volume, volume.to_proto(None)[0]);
        assert_eq!(grow.addition, more.to_proto(None)[0]);
        let shrink = wire[1].shrink_volume.clone().unwrap();
        assert_eq!(shrink.subtract.value, 16.0);
    }

    #[test]
    fn naming_nothing_names_nothing() {
        let nothing = Operations::new().with_id(OperationId::new("x").unwrap());
        assert_eq!(Vec::from(nothing), []);
    }
}
