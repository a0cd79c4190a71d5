//! The gRPC services and the HTTP routes, all on one port.

mod agents;
mod frameworks;
mod http;
mod operators;
mod streams;

use tepui_edge::{HealthReporter, Site};
use tepui_master_core::OperatorError;
use tepui_proto::{
    DESCRIPTORS,
    services::{
        agent_link_server::AgentLinkServer, operator_server::OperatorServer,
        scheduler_server::SchedulerServer,
    },
    v1,
};
use tonic::{Status, service::Routes};

use crate::{Error, front::Front, limits};

/// Everything that is served on the port.
pub(crate) async fn routes(
    front: Front,
    flags: Vec<v1::Flag>,
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
        flags,
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
        plain: http::routes(front),
        elsewhere: "There is nothing here; /health says how the master is.\n",
    };
    site.routes().map_err(|error| Error::Broken {
        part: "description of its services",
        message: error.to_string(),
    })
}

/// How an operator's error is told over gRPC.
pub(crate) fn operator_status(error: &OperatorError) -> Status {
    let text = error.to_string();
    match error {
        OperatorError::Invalid(_) => Status::invalid_argument(text),
        OperatorError::NotFound(_) => Status::not_found(text),
        OperatorError::Conflict(_) => Status::failed_precondition(text),
        OperatorError::Unsupported(_) => Status::unimplemented(text),
    }
}
