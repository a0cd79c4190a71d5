//! The gRPC services and the HTTP routes, all on one port.

mod agents;
mod frameworks;
mod http;
mod operators;
mod streams;

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
use tonic_health::server::HealthReporter;

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
    let broken = |error: tonic_reflection::server::Error| Error::Broken {
        part: "description of its services",
        message: error.to_string(),
    };
    let describe = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(DESCRIPTORS)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    let health = tonic_health::server::HealthService::from_health_reporter(health.clone());
    let routes = Routes::new(scheduler)
        .add_service(link)
        .add_service(operator)
        .add_service(tonic_health::pb::health_server::HealthServer::new(health))
        .add_service(describe().build_v1().map_err(broken)?)
        .add_service(describe().build_v1alpha().map_err(broken)?);
    Ok(http::add(routes, front).prepare())
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
