//! What a container asks for of networks.

use std::fmt;

use serde::{Deserialize, Serialize};
use tepui_model::ContainerId;

/// The network that a container has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum NetworkSpec {
    /// The host's.
    #[default]
    Host,
    /// One of its own, in which there is nothing but itself.
    Alone,
    /// One of its own, attached to networks that the operator has configured, in this order.
    Attached(Vec<Attachment>),
    /// That of another container, which ends later.
    Of(ContainerId),
}

/// A network that a container is attached to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attachment {
    /// The network's name in its configuration.
    pub network: String,
    /// Ports of the host that lead to the container.
    pub ports: Vec<PortMapping>,
}

/// A port of the host that leads to one of a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortMapping {
    /// The port of the host.
    pub host_port: u16,
    /// The port of the container.
    pub container_port: u16,
    /// What is spoken there.
    pub protocol: Protocol,
}

/// A protocol that has ports.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// TCP.
    #[default]
    Tcp,
    /// UDP.
    Udp,
    /// SCTP.
    Sctp,
}

impl fmt::Display for Protocol {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Sctp => "sctp",
        })
    }
}
