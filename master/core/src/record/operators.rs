//! The records of what operators decided about agents, as bytes.

use core::time::Duration;

use prost::Message;
use tepui_model::Time;

use super::explain;
use crate::agents::{Deactivation, Drain, DrainState};

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

pub(super) fn encode(deactivation: &Deactivation) -> Vec<u8> {
    let nanos = |span: Duration| u64::try_from(span.as_nanos()).unwrap_or(u64::MAX);
    let drain = deactivation.drain.map(|drain| StoredDrain {
        is_drained: drain.state == DrainState::Drained,
        max_grace_nanos: drain.max_grace_period.map(nanos),
        mark_gone: drain.mark_gone,
        since: drain.since.as_micros(),
    });
    StoredDeactivation { drain }.encode_to_vec()
}

pub(super) fn decode(bytes: &[u8]) -> Result<Deactivation, String> {
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
