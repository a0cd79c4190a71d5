//! What a framework hears.

use std::time::Duration;

use tepui_model::{
    AgentId, ExecutorId, FrameworkId, Offer, OfferId, OperationId, Resources, StatusUuid,
    TaskStatus, Unavailability,
};
use tepui_proto::v1::{self, scheduler::event::Type};

use crate::limits;

/// One thing that happened, in the order in which it happened.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Event {
    /// The master took the subscription, for the first time or again.
    Subscribed(Subscription),
    /// Resources to accept or decline.
    Offers(Vec<Offer>),
    /// This offer is gone; accepting it would only drop the tasks.
    Rescinded(OfferId),
    /// Agents will be away: the framework is asked to leave them in time.
    InverseOffers(Vec<InverseOffer>),
    /// This inverse offer is gone.
    InverseRescinded(OfferId),
    /// A task changed, or is reported again. At least once, in order, per task.
    Update(TaskStatus),
    /// An operation that was given an id changed, or is reported again: at least once.
    Operation(OperationUpdate),
    /// An agent or an executor is gone.
    Failure(Failure),
    /// An executor sent this.
    Message(Message),
    /// The stream broke, for this reason; every offer is void. The session is connecting again.
    Disconnected(String),
}

/// The master's answer to SUBSCRIBE.
#[derive(Debug, Clone)]
pub struct Subscription {
    /// The framework's id: to be kept, if the framework is to come back as itself.
    pub framework_id: FrameworkId,
    /// The master, when it says who it is.
    pub master: Option<v1::MasterInfo>,
    /// How often it sends a heartbeat.
    pub heartbeat: Duration,
}

/// The framework is asked to leave an agent before it goes away. No answer changes what the master
/// does; operators see them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InverseOffer {
    /// To be answered by.
    pub id: OfferId,
    /// Which agent.
    pub agent_id: AgentId,
    /// When it will be away.
    pub unavailability: Unavailability,
    /// What will be taken back there then, for a task of a higher priority; everything if empty.
    pub resources: Resources,
}

/// What became of an operation that was given an id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperationUpdate {
    /// The framework's name for it.
    pub operation_id: OperationId,
    /// How far it has come.
    pub state: v1::OperationState,
    /// More about it, for people.
    pub message: Option<String>,
    /// What it made of the resources, once it is finished.
    pub converted: Resources,
    /// Where.
    pub agent_id: Option<AgentId>,
    /// Names the update when it wants to be acknowledged, which the session does.
    pub uuid: Option<StatusUuid>,
}

/// An agent is gone, or one executor on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Where.
    pub agent_id: Option<AgentId>,
    /// Which executor; the whole agent when `None`.
    pub executor_id: Option<ExecutorId>,
    /// The executor's exit status.
    pub status: Option<i32>,
}

/// Bytes from an executor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Where the executor runs.
    pub agent_id: AgentId,
    /// Which executor.
    pub executor_id: ExecutorId,
    /// What it sent.
    pub data: Vec<u8>,
}

/// An event of the wire, sorted by what the session does with it.
#[derive(Debug)]
pub(crate) enum Incoming {
    Subscribed(Subscription),
    Deliver(Event),
    /// Nothing to tell: a heartbeat, or what this SDK has no use for yet.
    Quiet,
    /// The master ends this framework, with this text.
    Error(String),
}

impl Incoming {
    /// Reads a message; the error is the name of what is missing or malformed in it.
    pub(crate) fn read(event: v1::scheduler::Event) -> Result<Self, String> {
        let delivered = match event.r#type() {
            Type::Subscribed => return subscribed(event).map(Self::Subscribed),
            Type::Error => {
                return Ok(Self::Error(
                    event.error.map(|e| e.message).unwrap_or_default(),
                ));
            }
            Type::Offers => Event::Offers(offers(event)),
            Type::Rescind => {
                let rescind = event.rescind.ok_or("no `rescind`")?;
                Event::Rescinded(text(OfferId::try_from(&rescind.offer_id))?)
            }
            Type::Update => {
                let update = event.update.ok_or("no `update`")?;
                Event::Update(text(TaskStatus::try_from(update.status))?)
            }
            Type::UpdateOperationStatus => Event::Operation(operation(event)?),
            Type::Failure => Event::Failure(failure(event)?),
            Type::Message => Event::Message(message(event)?),
            Type::InverseOffers => Event::InverseOffers(inverse_offers(event)?),
            Type::RescindInverseOffer => {
                let rescind = event.rescind_inverse_offer;
                let rescind = rescind.ok_or("no `rescind_inverse_offer`")?;
                Event::InverseRescinded(text(OfferId::try_from(&rescind.inverse_offer_id))?)
            }
            Type::Heartbeat | Type::Unknown => return Ok(Self::Quiet),
        };
        Ok(Self::Deliver(delivered))
    }
}

fn text<T, E: std::fmt::Display>(result: Result<T, E>) -> Result<T, String> {
    result.map_err(|error| error.to_string())
}

fn subscribed(event: v1::scheduler::Event) -> Result<Subscription, String> {
    let subscribed = event.subscribed.ok_or("no `subscribed`")?;
    let heartbeat = subscribed
        .heartbeat_interval_seconds
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .filter(|heartbeat| !heartbeat.is_zero());
    Ok(Subscription {
        framework_id: text(FrameworkId::try_from(&subscribed.framework_id))?,
        master: subscribed.master_info,
        heartbeat: heartbeat.unwrap_or(limits::HEARTBEAT),
    })
}

/// The offers that can be read; the master takes the others back when they time out.
fn offers(event: v1::scheduler::Event) -> Vec<Offer> {
    let readable = |offer: v1::Offer| {
        let name = offer.id.value.clone();
        Offer::try_from(offer)
            .inspect_err(|error| tracing::warn!(offer = name, %error, "unreadable offer"))
            .ok()
    };
    event
        .offers
        .unwrap_or_default()
        .offers
        .into_iter()
        .filter_map(readable)
        .collect()
}

fn inverse_offers(event: v1::scheduler::Event) -> Result<Vec<InverseOffer>, String> {
    let read = |offer: &v1::InverseOffer| {
        let agent = offer.agent_id.as_ref().ok_or("no `agent_id`")?;
        let mut resources = Resources::new();
        // They may be allocated to several roles.
        for resource in &offer.resources {
            resources += text(Resources::from_proto(std::slice::from_ref(resource)))?.0;
        }
        Ok(InverseOffer {
            resources,
            id: text(OfferId::try_from(&offer.id))?,
            agent_id: text(AgentId::try_from(agent))?,
            unavailability: text(Unavailability::try_from(&offer.unavailability))?,
        })
    };
    let offers = event.inverse_offers.unwrap_or_default().inverse_offers;
    offers.iter().map(read).collect()
}

fn operation(event: v1::scheduler::Event) -> Result<OperationUpdate, String> {
    let update = event.update_operation_status;
    let status = update.ok_or("no `update_operation_status`")?.status;
    let (converted, _) = text(Resources::from_proto(&status.converted_resources))?;
    let id = status.operation_id.as_ref().ok_or("no `operation_id`")?;
    let uuid = status.uuid.as_ref().map(|uuid| uuid.value.as_slice());
    Ok(OperationUpdate {
        operation_id: text(OperationId::try_from(id))?,
        state: status.state(),
        agent_id: text(status.agent_id.as_ref().map(AgentId::try_from).transpose())?,
        uuid: text(uuid.map(StatusUuid::try_from).transpose())?,
        message: status.message,
        converted,
    })
}

fn failure(event: v1::scheduler::Event) -> Result<Failure, String> {
    let failure = event.failure.ok_or("no `failure`")?;
    Ok(Failure {
        agent_id: text(failure.agent_id.as_ref().map(AgentId::try_from).transpose())?,
        executor_id: text(
            failure
                .executor_id
                .as_ref()
                .map(ExecutorId::try_from)
                .transpose(),
        )?,
        status: failure.status,
    })
}

fn message(event: v1::scheduler::Event) -> Result<Message, String> {
    let message = event.message.ok_or("no `message`")?;
    Ok(Message {
        agent_id: text(AgentId::try_from(&message.agent_id))?,
        executor_id: text(ExecutorId::try_from(&message.executor_id))?,
        data: message.data,
    })
}
