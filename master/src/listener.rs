//! The one listening socket: bounded connections, no delay, and no spinning when descriptors run
//! out.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use futures_util::{Stream, stream};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
};
use tonic::transport::server::{Connected, TcpConnectInfo};

use crate::{Error, limits};

/// An accepted connection. It counts against the limit until it is dropped.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    _permit: OwnedSemaphorePermit,
}

/// Binds the address, or says what stands in the way.
pub(crate) async fn bind(address: SocketAddr) -> Result<TcpListener, Error> {
    let listener = TcpListener::bind(address).await;
    listener.map_err(|source| match source.kind() {
        io::ErrorKind::AddrInUse => Error::AddressInUse { address },
        _ => Error::Listen { address, source },
    })
}

/// The connections of a listener, without end.
pub(crate) fn incoming(listener: TcpListener) -> impl Stream<Item = io::Result<Connection>> {
    let permits = Arc::new(Semaphore::new(limits::CONNECTIONS));
    stream::unfold((listener, permits), async |(listener, permits)| {
        let connection = accept(&listener, &permits).await;
        Some((Ok(connection), (listener, permits)))
    })
}

async fn accept(listener: &TcpListener, permits: &Arc<Semaphore>) -> Connection {
    /// How long to wait when a connection cannot be accepted, most often for want of descriptors.
    const PAUSE: Duration = Duration::from_millis(100);
    loop {
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        let Ok(permit) = permits.clone().try_acquire_owned() else {
            tracing::warn!(%peer, limit = limits::CONNECTIONS, "too many connections: closed one");
            continue;
        };
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%peer, %error, "cannot set TCP_NODELAY");
        }
        return Connection {
            stream,
            _permit: permit,
        };
    }
}

impl Connected for Connection {
    type ConnectInfo = TcpConnectInfo;

    fn connect_info(&self) -> TcpConnectInfo {
        self.stream.connect_info()
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{StreamExt, pin_mut};

    use super::*;

    fn any_port() -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], 0))
    }

    #[tokio::test]
    async fn a_port_in_use_is_named_with_the_flag_that_helps() {
        let first = bind(any_port()).await.unwrap();
        let address = first.local_addr().unwrap();
        let text = bind(address).await.unwrap_err().to_string();
        assert!(
            text.contains(&address.to_string()) && text.contains("--listen"),
            "{text}"
        );
    }

    #[tokio::test]
    async fn connections_have_no_delay() {
        let listener = bind(any_port()).await.unwrap();
        let _client = TcpStream::connect(listener.local_addr().unwrap())
            .await
            .unwrap();
        let connections = incoming(listener);
        pin_mut!(connections);
        let connection = connections.next().await.unwrap().unwrap();
        assert!(connection.stream.nodelay().unwrap());
    }

    #[tokio::test]
    async fn one_connection_too_many_is_closed() {
        let listener = bind(any_port()).await.unwrap();
        let address = listener.local_addr().unwrap();
        let permits = Arc::new(Semaphore::new(1));
        let (_client, first) = (
            TcpStream::connect(address).await.unwrap(),
            accept(&listener, &permits).await,
        );
        let refused = TcpStream::connect(address).await.unwrap();
        let second = tokio::time::timeout(Duration::from_millis(50), accept(&listener, &permits));
        assert!(second.await.is_err());
        refused.readable().await.unwrap();
        assert!(!matches!(refused.try_read(&mut [0; 1]), Ok(1..)));
        drop(first);
        let _next = TcpStream::connect(address).await.unwrap();
        accept(&listener, &permits).await;
    }
}
