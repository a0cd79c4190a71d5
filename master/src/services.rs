//! The gRPC services and the HTTP routes, all on one port.

mod agents;
pub(crate) mod frameworks;
mod operators;
pub(crate) mod streams;

use tepui_edge::{HealthReporter, Site};
use tepui_proto::{
    DESCRIPTORS,
    services::{
        agent_link_server::AgentLinkServer, operator_server::OperatorServer,
        scheduler_server::SchedulerServer,
    },
};
use tonic::service::Routes;

use crate::{Error, desk::Desk, front::Front, http, limits};

/// Everything that is served on the port.
pub(crate) async fn routes(
    front: Front,
    desk: Desk,
    health: &HealthReporter,
) -> Result<Routes, Error> {
    let scheduler = SchedulerServer::new(frameworks::Service {
        front: front.clone(),
    })
    .max_decoding_message_size(limits::MESSAGE_BYTES);
    let link = AgentLinkServer::new(agents::Service {
        front: front.clone(),
    })
    .max_decoding_message_size(limits::MESSAGE_BYTES);
    let operator = OperatorServer::new(operators::Service {
        front: front.clone(),
        desk: desk.clone(),
    })
    .max_decoding_message_size(limits::MESSAGE_BYTES);
    health
        .set_serving::<SchedulerServer<frameworks::Service>>()
        .await;
    health
        .set_serving::<AgentLinkServer<agents::Service>>()
        .await;
    health
        .set_serving::<OperatorServer<operators::Service>>()
        .await;
    let site = Site {
        services: Routes::new(scheduler)
            .add_service(link)
            .add_service(operator),
        descriptors: DESCRIPTORS,
        health: health.clone(),
        plain: http::routes(front, desk),
        elsewhere: "There is nothing here; /health says how the master is.\n",
    };
    site.routes().map_err(|error| Error::Broken {
        part: "description of its services",
        message: error.to_string(),
    })
}
