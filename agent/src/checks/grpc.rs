//! gRPC's own health protocol.

use std::{
    future::{Ready, ready},
    io,
    path::PathBuf,
    task::{Context, Poll},
};

use hyper_util::rt::TokioIo;
use tepui_agent_core::Target;
use tepui_edge::health_client::{HealthCheckRequest, HealthClient, ServingStatus};
use tokio::net::TcpStream;
use tonic::{
    Code,
    transport::{Endpoint, Uri},
};
use tower_service::Service;

use super::{address, connect, no_connection};

/// Whether the server says that the service serves.
pub(super) async fn check(
    network: Option<PathBuf>,
    at: Target,
    service: String,
) -> Result<bool, String> {
    let stream = connect(network, at).await;
    let stream = stream.map_err(|error| no_connection(at, &error))?;
    let endpoint = Endpoint::try_from(format!("http://{}", address(at)));
    let endpoint = endpoint.map_err(|error| error.to_string())?;
    let channel = endpoint.connect_with_connector(Made(Some(stream))).await;
    let channel = channel.map_err(|error| format!("the server speaks no gRPC: {error}"))?;
    let mut client = HealthClient::new(channel);
    match client.check(HealthCheckRequest { service }).await {
        Ok(answer) => Ok(answer.into_inner().status() == ServingStatus::Serving),
        Err(status) if status.code() == Code::NotFound => {
            Err("the server knows no such service".to_owned())
        }
        Err(status) => Err(format!("the server did not say: {}", status.message())),
    }
}

/// The one connection, which was made where the container sees the server.
struct Made(Option<TcpStream>);

impl Service<Uri> for Made {
    type Response = TokioIo<TcpStream>;
    type Error = io::Error;
    type Future = Ready<io::Result<Self::Response>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        let gone = || io::Error::other("the connection is gone");
        ready(self.0.take().map(TokioIo::new).ok_or_else(gone))
    }
}
