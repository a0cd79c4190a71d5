//! A server at work on its listener: it ends when it is closed, and not before.

use std::{io, time::Duration};

use futures_util::Stream;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::oneshot,
    task::JoinHandle,
    time::timeout,
};
use tonic::{
    service::Routes,
    transport::{Error, Server, server::Connected},
};

use crate::{connection::Connection, limits};

/// A server at work. Dropping it cuts its connections.
#[derive(Debug)]
pub struct Serving {
    close: Option<oneshot::Sender<()>>,
    task: JoinHandle<Result<(), Error>>,
}

impl Serving {
    pub(crate) fn start<S>(
        incoming: impl Stream<Item = io::Result<Connection<S>>> + Send + 'static,
        routes: Routes,
        keepalive: Duration,
    ) -> Self
    where
        S: AsyncRead + AsyncWrite + Connected + Unpin + Send + 'static,
    {
        let (close, closed) = oneshot::channel::<()>();
        let server = Server::builder()
            .accept_http1(true)
            .http2_keepalive_interval(Some(keepalive))
            .http2_keepalive_timeout(Some(keepalive))
            .http2_max_header_list_size(limits::HEADER_BYTES)
            .max_concurrent_streams(limits::STREAMS_PER_CONNECTION)
            .add_routes(routes)
            .serve_with_incoming_shutdown(incoming, async {
                // Dropping the other end means the same.
                let _ = closed.await;
            });
        let (close, task) = (Some(close), tokio::spawn(server));
        Self { close, task }
    }

    /// Waits until it ends by itself, which it must not, and says how it did.
    pub async fn ended(&mut self) -> String {
        match (&mut self.task).await {
            Ok(Ok(())) => "it ended".to_owned(),
            Ok(Err(error)) => error.to_string(),
            Err(error) => error.to_string(),
        }
    }

    /// Takes no more connections, and gives those that stand a while to end.
    pub async fn close(mut self) {
        drop(self.close.take());
        let late =
            !self.task.is_finished() && timeout(limits::STOP_WITHIN, &mut self.task).await.is_err();
        if late {
            tracing::warn!("some connections did not close in time");
        }
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpStream,
    };

    use super::*;
    use crate::Listener;

    async fn serving(keepalive: Duration) -> (Serving, TcpStream) {
        let listener = Listener::bind(SocketAddr::from(([127, 0, 0, 1], 0)))
            .await
            .unwrap();
        let address = listener.address();
        let serving = Serving::start(listener.incoming(8), Routes::default(), keepalive);
        (serving, TcpStream::connect(address).await.unwrap())
    }

    /// A peer whose machine is gone looks like this one: its connection stands, and no ping is
    /// answered.
    #[tokio::test]
    async fn a_connection_without_a_sign_of_life_is_dropped() {
        const KEEPALIVE: Duration = Duration::from_millis(100);
        const HELLO: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
        let (_serving, mut silent) = serving(KEEPALIVE).await;
        silent.write_all(HELLO).await.unwrap();
        let mut heard = Vec::new();
        let end = timeout(100 * KEEPALIVE, silent.read_to_end(&mut heard)).await;
        assert!(end.is_ok(), "the connection still stands");
        assert!(!heard.is_empty());
    }

    #[tokio::test]
    async fn who_is_closed_takes_nobody_in() {
        let (serving, first) = serving(limits::KEEPALIVE).await;
        let address = first.peer_addr().unwrap();
        drop(first);
        serving.close().await;
        assert!(TcpStream::connect(address).await.is_err());
    }
}
