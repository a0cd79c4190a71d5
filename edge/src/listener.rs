//! The one listening socket: bounded connections, no delay, and no spinning when descriptors run
//! out.

use std::{io, net::SocketAddr, sync::Arc};

use futures_util::{Stream, stream};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
};
use tonic::service::Routes;

use crate::{Serving, connection::Connection, descriptors, limits};

/// Why an address cannot be listened on, and what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// Another program listens there.
    #[error(
        "cannot listen on {address}: another program has that port; stop it, or choose another with --listen"
    )]
    InUse {
        /// The address.
        address: SocketAddr,
    },
    /// The address is not of this machine, or not for this user.
    #[error(
        "cannot listen on {address}: {source}; choose an address of this machine with --listen"
    )]
    Unusable {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
}

/// A socket that listens. Connections wait in it until it serves.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    address: SocketAddr,
}

impl Listener {
    /// Listens on the address; on any free port for port 0.
    ///
    /// # Errors
    /// What stands in the way.
    pub async fn bind(address: SocketAddr) -> Result<Self, ListenError> {
        let refused = |source: io::Error| match source.kind() {
            io::ErrorKind::AddrInUse => ListenError::InUse { address },
            _ => ListenError::Unusable { address, source },
        };
        let socket = TcpListener::bind(address).await.map_err(refused)?;
        let address = socket.local_addr().map_err(refused)?;
        Ok(Self { socket, address })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves on it, with at most so many connections open, or fewer where the process may not
    /// have as many descriptors; more are closed as they arrive.
    #[must_use]
    pub fn serve(self, routes: Routes, connections: usize) -> Serving {
        let connections = descriptors::connections(connections);
        Serving::start(self.incoming(connections), routes, limits::KEEPALIVE)
    }

    /// Its connections, without end.
    pub(crate) fn incoming(
        self,
        most: usize,
    ) -> impl Stream<Item = io::Result<Connection<TcpStream>>> {
        let start = (self.socket, Arc::new(Semaphore::new(most)), most);
        stream::unfold(start, async |(socket, permits, most)| {
            let connection = accept(&socket, &permits, most).await;
            Some((Ok(connection), (socket, permits, most)))
        })
    }
}

async fn accept(
    socket: &TcpListener,
    permits: &Arc<Semaphore>,
    most: usize,
) -> Connection<TcpStream> {
    loop {
        let (stream, peer) = match socket.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(limits::ACCEPT_PAUSE).await;
                continue;
            }
        };
        let Ok(permit) = permits.clone().try_acquire_owned() else {
            tracing::warn!(%peer, limit = most, "too many connections: closed one");
            continue;
        };
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%peer, %error, "cannot set TCP_NODELAY");
        }
        return Connection::new(stream, permit);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures_util::{StreamExt, pin_mut};

    use super::*;

    async fn listener() -> Listener {
        Listener::bind(SocketAddr::from(([127, 0, 0, 1], 0)))
            .await
            .unwrap()
    }

    #[tokio::test]
    async fn a_port_in_use_is_named_with_the_flag_that_helps() {
        let first = listener().await;
        let error = Listener::bind(first.address()).await.unwrap_err();
        let text = error.to_string();
        assert!(matches!(error, ListenError::InUse { .. }), "{text}");
        assert!(
            text.contains(&first.address().to_string()) && text.contains("--listen"),
            "{text}"
        );
    }

    #[tokio::test]
    async fn connections_have_no_delay() {
        let listener = listener().await;
        let _client = TcpStream::connect(listener.address()).await.unwrap();
        let connections = listener.incoming(1);
        pin_mut!(connections);
        let connection = connections.next().await.unwrap().unwrap();
        assert!(connection.stream().nodelay().unwrap());
    }

    #[tokio::test]
    async fn one_connection_too_many_is_closed() {
        let listener = listener().await;
        let address = listener.address();
        let permits = Arc::new(Semaphore::new(1));
        let accept = || accept(&listener.socket, &permits, 1);
        let (_client, first) = (TcpStream::connect(address).await.unwrap(), accept().await);
        let refused = TcpStream::connect(address).await.unwrap();
        let second = tokio::time::timeout(Duration::from_millis(50), accept());
        assert!(second.await.is_err());
        refused.readable().await.unwrap();
        assert!(!matches!(refused.try_read(&mut [0; 1]), Ok(1..)));
        drop(first);
        let _next = TcpStream::connect(address).await.unwrap();
        accept().await;
    }
}
