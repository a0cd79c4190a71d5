//! REQUEST from the wire: what a framework waits for (Mesos: OFF-18).

use std::sync::Arc;

use tepui_model::{AgentId, Resources};
use tepui_proto::v1::{self, scheduler::call};

use super::super::{In, InvalidMessage, at_most};
use crate::{
    calls::{Action, Ask},
    limits,
};

/// What a REQUEST asks for. One in which no ask says anything that Mesos does not know comes from
/// a framework that expects what Mesos does with it: nothing.
pub(super) fn request(wire: call::Request) -> Result<Action, InvalidMessage> {
    if wire.requests.is_empty() || wire.requests.iter().any(is_ours) {
        return asks(wire).map(Action::Request);
    }
    let why = "REQUEST: no ask of it has tepui_count, so offers come by themselves";
    Ok(Action::Ignored(why.to_owned()))
}

fn is_ours(wire: &v1::Request) -> bool {
    wire.tepui_count.is_some() || wire.tepui_gang.is_some() || wire.tepui_priority.is_some()
}

/// The asks of a REQUEST. An error names the ask by its place.
fn asks(wire: call::Request) -> Result<Vec<Ask>, InvalidMessage> {
    let count = wire.requests.len();
    at_most(count, limits::MAX_ASKS_PER_REQUEST, "request.requests")?;
    let asks = wire.requests.into_iter().enumerate();
    asks.map(|(place, wire)| ask(wire, place)).collect()
}

fn ask(wire: v1::Request, place: usize) -> Result<Ask, InvalidMessage> {
    let field = |name: &str| format!("request.requests[{place}].{name}");
    let agent_id = wire.agent_id.as_ref().map(AgentId::try_from).transpose();
    let (resources, role) = Resources::from_proto(&wire.resources).in_field(&field("resources"))?;
    if resources.is_empty() {
        return Err(InvalidMessage::new(field("resources"), "must not be empty"));
    }
    let count = wire.tepui_count.unwrap_or(1);
    if !(1..=limits::MAX_COUNT_PER_ASK).contains(&count) {
        let most = limits::MAX_COUNT_PER_ASK;
        let problem = format!("must be between 1 and {most}, not {count}");
        return Err(InvalidMessage::new(field("tepui_count"), problem));
    }
    Ok(Ask {
        role,
        agent_id: agent_id.in_field(&field("agent_id"))?,
        resources,
        count,
        gang: gang(wire.tepui_gang, &field("tepui_gang"))?,
        priority: wire.tepui_priority.unwrap_or_default(),
    })
}

fn gang(name: Option<String>, field: &str) -> Result<Option<Arc<str>>, InvalidMessage> {
    let Some(name) = name else { return Ok(None) };
    let most = limits::MAX_GANG_NAME_BYTES;
    if name.is_empty() || name.len() > most {
        let problem = format!("must have between 1 and {most} bytes");
        return Err(InvalidMessage::new(field, problem));
    }
    Ok(Some(name.into()))
}

#[cfg(test)]
mod tests;
