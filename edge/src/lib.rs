//! What every server of Tepui needs at its edge, be it master, agent or framework: a clock, a
//! listening socket, the routes that each serves beside its own, and durations as text.

mod clock;
mod connection;
pub mod descriptors;
mod domain;
mod history;
pub mod http;
mod joined;
mod letters;
pub mod limits;
mod listener;
pub mod metrics;
mod outbox;
mod routes;
mod serving;
mod shared;
pub mod span;
pub mod verbosity;

pub use clock::Clock;
pub use domain::DomainSocket;
pub use history::History;
pub use joined::Joined;
pub use listener::{ListenError, Listener};
pub use outbox::{Outbox, Outgoing, outbox};
pub use routes::Site;
pub use serving::Serving;
pub use shared::Shared;
pub use tonic_health::{ServingStatus, server::HealthReporter};

/// What asks a server for its health, by gRPC's own protocol.
pub mod health_client {
    pub use tonic_health::pb::{
        HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
    };
}
