//! The record of an executor: what it is, and how far it has come.

use std::sync::Arc;

use prost::Message;
use tepui_model::{ContainerId, ExecutorId, FrameworkId, Resources, Time};
use tepui_proto::v1;

use super::{Change, Damaged, Kind, phase, phase_number};
use crate::{
    EndCause, ExecutorKey,
    executor::{Ending, Executor},
};

#[derive(Clone, PartialEq, Message)]
struct ExecutorWire {
    #[prost(string, tag = "1")]
    framework_id: String,
    #[prost(string, tag = "2")]
    container_id: String,
    #[prost(message, optional, tag = "3")]
    info: Option<v1::ExecutorInfo>,
    #[prost(uint32, tag = "4")]
    phase: u32,
    #[prost(bool, tag = "5")]
    subscribed: bool,
    #[prost(bool, tag = "6")]
    employed: bool,
    #[prost(message, optional, tag = "7")]
    ending: Option<EndingWire>,
}

#[derive(Clone, PartialEq, Message)]
struct EndingWire {
    #[prost(uint32, tag = "1")]
    cause: u32,
    #[prost(uint64, tag = "2")]
    deadline_micros: u64,
}

pub(crate) fn put_executor(key: &ExecutorKey, executor: &Executor) -> Change {
    let record = ExecutorWire {
        framework_id: key.framework.to_string(),
        container_id: executor.container.to_string(),
        info: Some((*executor.info).clone()),
        phase: phase_number(executor.phase),
        subscribed: executor.subscribed,
        employed: executor.employed,
        ending: executor.ending.map(|ending| EndingWire {
            cause: cause_number(ending.cause),
            deadline_micros: ending.deadline.as_micros(),
        }),
    };
    Change::put(Kind::Executor, key, &record)
}

pub(crate) fn read_executor(bytes: &[u8]) -> Result<(ExecutorKey, Executor), Damaged> {
    let wire = ExecutorWire::decode(bytes)?;
    let framework = FrameworkId::new(wire.framework_id).map_err(Damaged::new)?;
    let container = ContainerId::new(wire.container_id).map_err(Damaged::new)?;
    let info = wire
        .info
        .ok_or_else(|| Damaged::new("it has no executor"))?;
    let id = ExecutorId::try_from(&info.executor_id).map_err(Damaged::new)?;
    let resources = Resources::try_from(info.resources.as_slice()).map_err(Damaged::new)?;
    let ending = wire.ending.map(|ending| {
        Ok::<_, Damaged>(Ending {
            cause: cause(ending.cause)?,
            deadline: Time::from_micros(ending.deadline_micros),
        })
    });
    let executor = Executor {
        phase: phase(wire.phase)?,
        subscribed: wire.subscribed,
        employed: wire.employed,
        ending: ending.transpose()?,
        ..Executor::new(Arc::new(info), resources, container)
    };
    Ok((ExecutorKey::new(&framework, &id), executor))
}

const fn cause_number(cause: EndCause) -> u32 {
    match cause {
        EndCause::Asked => 0,
        EndCause::Shutdown => 1,
        EndCause::Idle => 2,
        EndCause::NoRegistration => 3,
        EndCause::NoReregistration => 4,
    }
}

fn cause(number: u32) -> Result<EndCause, Damaged> {
    match number {
        0 => Ok(EndCause::Asked),
        1 => Ok(EndCause::Shutdown),
        2 => Ok(EndCause::Idle),
        3 => Ok(EndCause::NoRegistration),
        4 => Ok(EndCause::NoReregistration),
        _ => Err(Damaged::new("it is ended for an unknown cause")),
    }
}
