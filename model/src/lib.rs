//! The words that every part of Tepui speaks: ids, quantities, resources, tasks, offers.
//!
//! Everything here is checked where it is made, so that the cores need not check it again. The
//! crate is pure: it reads no clock, draws no random number and waits for nothing.
//! `Mesos: XXX-nn` in a comment names a rule of the inventory of Apache Mesos' behaviour.

mod agent;
mod attributes;
mod capability;
mod domain;
mod framework;
mod ids;
mod images;
mod keys;
pub mod limits;
mod offer;
mod operation;
mod quantity;
mod quota;
pub mod resources;
mod role;
mod secrets;
mod task;
pub mod time;
mod unavailability;
mod version;

pub use self::{
    agent::{AgentInfo, InvalidAgent},
    attributes::{Attribute, AttributeValue, Attributes},
    capability::{AgentCapabilities, AgentCapability, Capabilities, Capability},
    domain::{FaultDomain, InvalidFaultDomain},
    framework::{FrameworkInfo, InvalidFramework},
    ids::{AgentId, ContainerId, ExecutorId, FrameworkId, InvalidId, OfferId, OperationId, TaskId},
    images::ImageNames,
    keys::{AgentKey, FrameworkKey},
    offer::{Filters, InvalidOffer, Offer},
    operation::{
        InvalidOperation, MalformedOperation, OfferOperation, OperationRules, ResourceOperation,
        ResourceRule, VolumeRule,
    },
    quantity::{InvalidQuantity, Quantity},
    quota::{InvalidQuota, Limits, Quota},
    resources::{
        Conversion, Insufficient, Kind, Labels, ParseError, Ranges, Reservation, ReservationForm,
        ResourceError, Resources, Scalars, Set, Share, Traits, Value,
    },
    role::{InvalidRole, Role},
    secrets::without_secrets,
    task::{
        IllegalTransition, InvalidStatus, InvalidTask, Passengers, Reason, Source,
        StatusPassengers, StatusUuid, TaskInfo, TaskInvalid, TaskState, TaskStatus,
    },
    time::Time,
    unavailability::{InvalidMachine, InvalidUnavailability, MachineId, Unavailability},
    version::version_info,
};
