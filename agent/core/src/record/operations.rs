//! The records of what was done to the agent's resources.

use prost::Message;
use tepui_model::{FrameworkId, Resources};
use tepui_proto::v1;

use super::{Change, Damaged, Kind, SELF};
use crate::{OperationUuid, operation::Operation, retry::Retry};

#[derive(Clone, PartialEq, Message)]
struct ResourcesWire {
    #[prost(message, repeated, tag = "1")]
    checkpointed: Vec<v1::Resource>,
}

pub(crate) fn put_resources(checkpointed: &Resources) -> Change {
    let record = ResourcesWire {
        checkpointed: checkpointed.to_proto(None),
    };
    Change::put(Kind::Resources, SELF, &record)
}

pub(crate) fn read_resources(bytes: &[u8]) -> Result<Resources, Damaged> {
    let ResourcesWire { checkpointed } = ResourcesWire::decode(bytes)?;
    Resources::try_from(checkpointed.as_slice()).map_err(Damaged::new)
}

#[derive(Clone, PartialEq, Message)]
struct OperationWire {
    #[prost(bytes = "vec", tag = "1")]
    uuid: Vec<u8>,
    #[prost(string, optional, tag = "2")]
    framework_id: Option<String>,
    #[prost(message, optional, tag = "3")]
    info: Option<v1::offer::Operation>,
    #[prost(message, optional, tag = "4")]
    status: Option<v1::OperationStatus>,
}

pub(crate) fn put_operation(uuid: OperationUuid, operation: &Operation) -> Change {
    let record = OperationWire {
        uuid: uuid.0.to_vec(),
        framework_id: operation.framework.as_ref().map(ToString::to_string),
        info: Some(operation.info.clone()),
        status: Some(operation.status.clone()),
    };
    Change::put(Kind::Operation, uuid, &record)
}

pub(crate) fn read_operation(bytes: &[u8]) -> Result<(OperationUuid, Operation), Damaged> {
    let wire = OperationWire::decode(bytes)?;
    let uuid = OperationUuid::try_from(wire.uuid.as_slice()).map_err(Damaged::new)?;
    let framework = wire.framework_id.map(FrameworkId::new).transpose();
    let operation = Operation {
        framework: framework.map_err(Damaged::new)?,
        info: wire
            .info
            .ok_or_else(|| Damaged::new("it has no operation"))?,
        status: wire.status.ok_or_else(|| Damaged::new("it has no state"))?,
        retry: Retry::default(),
    };
    Ok((uuid, operation))
}

#[derive(Clone, PartialEq, Message)]
struct RemovalWire {
    #[prost(message, optional, tag = "1")]
    volume: Option<v1::Resource>,
}

pub(crate) fn put_removal(name: &str, volume: &v1::Resource) -> Change {
    let volume = Some(volume.clone());
    Change::put(Kind::Removal, name, &RemovalWire { volume })
}

pub(crate) fn read_removal(bytes: &[u8]) -> Result<v1::Resource, Damaged> {
    let RemovalWire { volume } = RemovalWire::decode(bytes)?;
    volume.ok_or_else(|| Damaged::new("it has no volume"))
}
