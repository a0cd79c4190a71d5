//! The records of what operators decided, as bytes.

use core::time::Duration;

use prost::Message;
use tepui_model::{MachineId, Quota, Role, Time, Unavailability};
use tepui_proto::v1::{self, maintenance as wire, quota::QuotaConfig};

use super::{Change, Record, RecordKind, explain};
use crate::{
    agents::{Deactivation, Drain, DrainState},
    maintenance::{Schedule, Window},
};

/// The key of the one record of [`RecordKind::Maintenance`].
pub(super) const SCHEDULE: &str = "schedule";

#[derive(Clone, PartialEq, Message)]
struct StoredDeactivation {
    #[prost(message, optional, tag = "1")]
    drain: Option<StoredDrain>,
}

#[derive(Clone, PartialEq, Message)]
struct StoredDrain {
    #[prost(bool, tag = "1")]
    is_drained: bool,
    #[prost(uint64, optional, tag = "2")]
    max_grace_nanos: Option<u64>,
    #[prost(bool, tag = "3")]
    mark_gone: bool,
    #[prost(uint64, tag = "4")]
    since: u64,
}

pub(super) fn encode_deactivation(deactivation: &Deactivation) -> Vec<u8> {
    let nanos = |span: Duration| u64::try_from(span.as_nanos()).unwrap_or(u64::MAX);
    let drain = deactivation.drain.map(|drain| StoredDrain {
        is_drained: drain.state == DrainState::Drained,
        max_grace_nanos: drain.max_grace_period.map(nanos),
        mark_gone: drain.mark_gone,
        since: drain.since.as_micros(),
    });
    StoredDeactivation { drain }.encode_to_vec()
}

pub(super) fn decode_deactivation(bytes: &[u8]) -> Result<Deactivation, String> {
    let stored = StoredDeactivation::decode(bytes).map_err(explain)?;
    let drain = stored.drain.map(|drain| Drain {
        state: match drain.is_drained {
            true => DrainState::Drained,
            false => DrainState::Draining,
        },
        max_grace_period: drain.max_grace_nanos.map(Duration::from_nanos),
        mark_gone: drain.mark_gone,
        since: Time::from_micros(drain.since),
    });
    Ok(Deactivation { drain })
}

#[derive(Clone, PartialEq, Message)]
struct StoredSchedule {
    #[prost(message, optional, tag = "1")]
    schedule: Option<wire::Schedule>,
    #[prost(message, repeated, tag = "2")]
    down: Vec<v1::MachineId>,
}

impl Schedule {
    pub(crate) fn to_proto(&self) -> wire::Schedule {
        let window = |window: &Window| wire::Window {
            machine_ids: window.machines.iter().map(Into::into).collect(),
            unavailability: window.unavailability.into(),
        };
        wire::Schedule {
            windows: self.windows.iter().map(window).collect(),
        }
    }

    /// What is to be written so that the registry has this schedule.
    pub(crate) fn change(&self) -> Change {
        if *self == Self::default() {
            return Change::Delete(RecordKind::Maintenance, SCHEDULE.to_owned());
        }
        Change::Put(Record::Maintenance(self.clone()))
    }
}

pub(super) fn encode_schedule(schedule: &Schedule) -> Vec<u8> {
    let stored = StoredSchedule {
        schedule: Some(schedule.to_proto()),
        down: schedule.down.iter().map(Into::into).collect(),
    };
    stored.encode_to_vec()
}

pub(super) fn decode_schedule(key: &str, bytes: &[u8]) -> Result<Schedule, String> {
    if key != SCHEDULE {
        return Err("there is only one schedule".to_owned());
    }
    let stored = StoredSchedule::decode(bytes).map_err(explain)?;
    let machines = |wire: &[v1::MachineId]| {
        let machines = wire.iter().map(MachineId::try_from);
        machines.collect::<Result<Vec<_>, _>>().map_err(explain)
    };
    let window = |window: &wire::Window| {
        Ok(Window {
            machines: machines(&window.machine_ids)?,
            unavailability: Unavailability::try_from(&window.unavailability).map_err(explain)?,
        })
    };
    let windows = stored.schedule.unwrap_or_default().windows;
    Ok(Schedule {
        windows: windows.iter().map(window).collect::<Result<_, String>>()?,
        down: machines(&stored.down)?.into_iter().collect(),
    })
}

pub(super) fn decode_quota(key: &str, bytes: &[u8]) -> Result<Record, String> {
    let stored = QuotaConfig::decode(bytes).map_err(explain)?;
    let (role, quota) = Quota::from_proto(&stored).map_err(explain)?;
    if role.as_str() != key {
        return Err("it is about another role".to_owned());
    }
    Ok(Record::Quota { role, quota })
}

#[derive(Clone, PartialEq, Message)]
struct StoredPriority {
    #[prost(sint32, tag = "1")]
    priority: i32,
}

pub(super) fn encode_priority(priority: i32) -> Vec<u8> {
    StoredPriority { priority }.encode_to_vec()
}

pub(super) fn decode_priority(key: &str, bytes: &[u8]) -> Result<Record, String> {
    let stored = StoredPriority::decode(bytes).map_err(explain)?;
    Ok(Record::Priority {
        role: Role::new(key).map_err(explain)?,
        priority: stored.priority,
    })
}
