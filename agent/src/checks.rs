//! Carrying out checks: inside the network that the container sees, and without a process of our
//! own. A thread enters that network for as long as it takes to make a socket; the socket belongs
//! there from then on, and is used like any other.

mod command;
mod grpc;
mod http;
mod tls;

use std::{
    future::Future,
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::PathBuf,
};

use tepui_agent_core::{Finding, Probe, ProbeOrder, Target};
use tokio::{
    net::{TcpSocket, TcpStream},
    task::spawn_blocking,
    time::timeout,
};

use crate::{machine::Containers, secrets::Secrets};

/// Carries out one check, and says what it found.
pub(crate) async fn probe(
    containers: &impl Containers,
    keeper: &Secrets,
    order: ProbeOrder,
) -> Finding {
    let network = containers.network(&order.container);
    let found = async {
        match order.probe {
            Probe::Command {
                program,
                mut environment,
                secrets,
            } => match keeper.variables(secrets).await {
                Ok(found) => {
                    environment.extend(found);
                    command::run(containers, order.container, program, environment).await
                }
                Err(why) => Finding::Failed(why),
            },
            Probe::Tcp { at } => tcp(network, at).await,
            Probe::Http { at, path, tls } => {
                finding(http::get(network, at, &path, tls).await, Finding::Http)
            }
            Probe::Grpc { at, service } => {
                finding(grpc::check(network, at, service).await, Finding::Grpc)
            }
        }
    };
    within(order.timeout, found).await
}

async fn within(
    limit: Option<std::time::Duration>,
    found: impl Future<Output = Finding>,
) -> Finding {
    match limit {
        Some(limit) => timeout(limit, found).await.unwrap_or(Finding::TimedOut),
        None => found.await,
    }
}

fn finding<T>(found: Result<T, String>, of: fn(T) -> Finding) -> Finding {
    match found {
        Ok(found) => of(found),
        Err(why) => Finding::Failed(why),
    }
}

/// Nobody there is an answer; a socket that cannot be had is none.
async fn tcp(network: Option<PathBuf>, at: Target) -> Finding {
    match connect(network, at).await {
        Ok(_) => Finding::Tcp(true),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Finding::Tcp(false),
        Err(error) => Finding::Failed(no_connection(at, &error)),
    }
}

fn no_connection(at: Target, error: &io::Error) -> String {
    format!("no connection to {}: {error}", address(at))
}

fn address(at: Target) -> SocketAddr {
    let ip: IpAddr = if at.version_6 {
        Ipv6Addr::LOCALHOST.into()
    } else {
        Ipv4Addr::LOCALHOST.into()
    };
    (ip, at.port).into()
}

/// Connects to a port on the loopback device of a network; without one, of the agent's.
async fn connect(network: Option<PathBuf>, at: Target) -> io::Result<TcpStream> {
    let Some(network) = network else {
        return TcpStream::connect(address(at)).await;
    };
    let made = move || tepui_sys::stream_socket_in(&network, at.version_6);
    let socket = spawn_blocking(made).await.map_err(io::Error::other)??;
    TcpSocket::from_std_stream(socket.into())
        .connect(address(at))
        .await
}

#[cfg(test)]
mod tests;
