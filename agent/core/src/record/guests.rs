//! The record of a container that a call has launched.

use prost::Message;
use tepui_model::{ContainerId, ExecutorId, FrameworkId, Resources};
use tepui_proto::v1;

use super::{Change, Damaged, Kind, phase, phase_number};
use crate::{ContainerName, ExecutorKey, Exit, ExitStatus, Guest, GuestEnd};

#[derive(Clone, PartialEq, Message)]
struct GuestWire {
    #[prost(message, optional, tag = "1")]
    name: Option<v1::ContainerId>,
    #[prost(string, tag = "2")]
    container: String,
    #[prost(string, optional, tag = "3")]
    parent: Option<String>,
    #[prost(string, optional, tag = "4")]
    framework_id: Option<String>,
    #[prost(string, optional, tag = "5")]
    executor_id: Option<String>,
    #[prost(string, tag = "6")]
    user: String,
    #[prost(string, tag = "7")]
    sandbox: String,
    #[prost(message, repeated, tag = "8")]
    resources: Vec<v1::Resource>,
    #[prost(uint32, tag = "9")]
    phase: u32,
    #[prost(bool, tag = "10")]
    killed: bool,
    #[prost(uint64, tag = "11")]
    number: u64,
    #[prost(message, optional, tag = "12")]
    end: Option<EndWire>,
}

/// How it ended: what could not be, or else a code, or a signal, or neither when nobody saw it.
#[derive(Clone, PartialEq, Message)]
struct EndWire {
    #[prost(string, optional, tag = "1")]
    failed: Option<String>,
    #[prost(int32, optional, tag = "2")]
    code: Option<i32>,
    #[prost(int32, optional, tag = "3")]
    signal: Option<i32>,
}

pub(crate) fn put_guest(name: &ContainerName, guest: &Guest) -> Change {
    let executor = guest.executor.as_ref();
    let record = GuestWire {
        name: Some(name.into()),
        container: guest.container.to_string(),
        parent: guest.parent.as_ref().map(ToString::to_string),
        framework_id: executor.map(|it| it.framework.to_string()),
        executor_id: executor.map(|it| it.executor.to_string()),
        user: guest.user.clone(),
        sandbox: guest.sandbox.to_string_lossy().into_owned(),
        resources: guest.resources.to_proto(None),
        phase: phase_number(guest.phase),
        killed: guest.killed,
        number: guest.number,
        end: guest.end.as_ref().map(end_wire),
    };
    Change::put(Kind::Guest, &guest.container, &record)
}

fn end_wire(end: &GuestEnd) -> EndWire {
    let (mut failed, mut code, mut signal) = (None, None, None);
    match end {
        GuestEnd::Failed(message) => failed = Some(message.clone()),
        GuestEnd::Exited(exit) => match exit.status {
            ExitStatus::Code(number) => code = Some(number),
            ExitStatus::Signal(number) => signal = Some(number),
            ExitStatus::Unknown => {}
        },
    }
    EndWire {
        failed,
        code,
        signal,
    }
}

pub(crate) fn read_guest(bytes: &[u8]) -> Result<(ContainerName, Guest), Damaged> {
    let wire = GuestWire::decode(bytes)?;
    let name = wire.name.ok_or_else(|| Damaged::new("it has no name"))?;
    let name = ContainerName::read(&name).map_err(Damaged::new)?;
    let executor = match (wire.framework_id, wire.executor_id) {
        (Some(framework), Some(executor)) => Some(ExecutorKey::new(
            &FrameworkId::new(framework).map_err(Damaged::new)?,
            &ExecutorId::new(executor).map_err(Damaged::new)?,
        )),
        _ => None,
    };
    let parent = wire.parent.map(ContainerId::new).transpose();
    let guest = Guest {
        container: ContainerId::new(wire.container).map_err(Damaged::new)?,
        parent: parent.map_err(Damaged::new)?,
        executor,
        user: wire.user,
        sandbox: wire.sandbox.into(),
        resources: Resources::try_from(wire.resources.as_slice()).map_err(Damaged::new)?,
        phase: phase(wire.phase)?,
        pid: None,
        networks: Vec::new(),
        end: wire.end.map(end),
        killed: wire.killed,
        number: wire.number,
    };
    Ok((name, guest))
}

fn end(wire: EndWire) -> GuestEnd {
    match (wire.failed, wire.code, wire.signal) {
        (Some(message), ..) => GuestEnd::Failed(message),
        (_, Some(code), _) => GuestEnd::Exited(Exit::code(code)),
        (_, _, Some(signal)) => GuestEnd::Exited(Exit::signal(signal)),
        _ => GuestEnd::Exited(Exit::unknown()),
    }
}
