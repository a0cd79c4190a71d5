//! An accepted connection: it counts against the limit, must say something soon after it came, and
//! must take what is written to it.

use std::{
    future::Future,
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    sync::OwnedSemaphorePermit,
    time::{Sleep, sleep},
};
use tonic::transport::server::Connected;

use crate::limits;

/// An accepted connection. It counts against the limit until it is dropped.
#[derive(Debug)]
pub(crate) struct Connection<S> {
    stream: S,
    /// Until enough has come to know that somebody speaks HTTP: how much has, and until when.
    beginning: Option<(usize, Pin<Box<Sleep>>)>,
    /// While nothing can be written: until when.
    stalled: Option<Pin<Box<Sleep>>>,
    _permit: OwnedSemaphorePermit,
}

impl<S> Connection<S> {
    pub(crate) fn new(stream: S, permit: OwnedSemaphorePermit) -> Self {
        Self {
            stream,
            beginning: Some((0, Box::pin(sleep(limits::FIRST_BYTES_WITHIN)))),
            stalled: None,
            _permit: permit,
        }
    }

    #[cfg(test)]
    pub(crate) const fn stream(&self) -> &S {
        &self.stream
    }

    /// Takes note of what a write came to. One that makes no progress for too long fails.
    fn watched<T>(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let wait = || Box::pin(sleep(limits::WRITE_WITHIN));
        let deadline = self.stalled.get_or_insert_with(wait);
        late(deadline, context, "nothing was read", limits::WRITE_WITHIN).map(Err)
    }
}

/// The error of who is too late, once the time has come.
fn late(
    deadline: &mut Pin<Box<Sleep>>,
    context: &mut Context<'_>,
    what: &str,
    within: Duration,
) -> Poll<io::Error> {
    let text = || format!("{what} within {} seconds", within.as_secs());
    let over = deadline.as_mut().poll(context);
    over.map(|()| io::Error::new(io::ErrorKind::TimedOut, text()))
}

impl<S: Connected> Connected for Connection<S> {
    type ConnectInfo = S::ConnectInfo;

    fn connect_info(&self) -> S::ConnectInfo {
        self.stream.connect_info()
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Connection<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        let read = Pin::new(&mut this.stream).poll_read(context, buffer);
        let Some((come, deadline)) = &mut this.beginning else {
            return read;
        };
        *come += buffer.filled().len() - before;
        if *come >= limits::FIRST_BYTES {
            this.beginning = None;
            return read;
        }
        let within = limits::FIRST_BYTES_WITHIN;
        match late(deadline, context, "no request began", within) {
            Poll::Ready(error) if read.is_pending() => Poll::Ready(Err(error)),
            _ => read,
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Connection<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write(context, bytes);
        this.watched(context, written)
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
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write_vectored(context, slices);
        this.watched(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex},
        sync::Semaphore,
        time::Instant,
    };

    use super::*;

    fn connection(room: usize) -> (DuplexStream, Connection<DuplexStream>) {
        let (client, server) = duplex(room);
        let permit = Arc::new(Semaphore::new(1)).try_acquire_owned().unwrap();
        (client, Connection::new(server, permit))
    }

    #[tokio::test(start_paused = true)]
    async fn who_says_nothing_or_next_to_nothing_is_dropped() {
        for said in [&b""[..], b"PRI * HTTP/2.0\r\n"] {
            let (mut client, mut server) = connection(1000);
            client.write_all(said).await.unwrap();
            let began = Instant::now();
            let end = server.read_to_end(&mut Vec::new()).await;
            assert_eq!(end.unwrap_err().kind(), io::ErrorKind::TimedOut);
            assert_eq!(began.elapsed(), limits::FIRST_BYTES_WITHIN);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_has_begun_may_be_silent() {
        let (mut client, mut server) = connection(1000);
        client
            .write_all(&[b'x'; limits::FIRST_BYTES])
            .await
            .unwrap();
        let mut all = Vec::new();
        let silent = tokio::time::timeout(Duration::from_secs(3600), server.read_to_end(&mut all));
        assert!(silent.await.is_err());
        assert_eq!(all.len(), limits::FIRST_BYTES);
    }

    #[tokio::test(start_paused = true)]
    async fn who_reads_nothing_is_dropped_and_who_reads_slowly_is_not() {
        let (_deaf, mut server) = connection(10);
        let began = Instant::now();
        let write = server.write_all(&[0; 100]).await;
        assert_eq!(write.unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert_eq!(began.elapsed(), limits::WRITE_WITHIN);
        let (mut client, mut server) = connection(10);
        let reader = tokio::spawn(async move {
            let mut byte = [0];
            for _ in 0..100 {
                sleep(limits::WRITE_WITHIN / 2).await;
                client.read_exact(&mut byte).await.unwrap();
            }
        });
        server.write_all(&[0; 100]).await.unwrap();
        reader.await.unwrap();
    }
}
