//! A unix domain socket that is served like a port, to those on this machine who know its path.

use std::{
    fs, io,
    os::unix::fs::{FileTypeExt as _, PermissionsExt as _},
    path::Path,
    sync::Arc,
};

use futures_util::{Stream, stream};
use tokio::{
    net::{UnixListener, UnixStream},
    sync::Semaphore,
};
use tonic::service::Routes;

use crate::{Serving, connection::Connection, limits};

/// A unix domain socket. Its file stays until the next one is bound in its place.
#[derive(Debug)]
pub struct DomainSocket(UnixListener);

impl DomainSocket {
    /// Listens at a path, which whoever listened there before gives up. Every user may connect.
    ///
    /// # Errors
    /// What the system says; a file that is no socket is not touched.
    pub fn bind(path: &Path) -> io::Result<Self> {
        match fs::symlink_metadata(path) {
            Ok(status) if status.file_type().is_socket() => fs::remove_file(path)?,
            Ok(_) => return Err(io::Error::other("there is a file that is no socket")),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        let socket = UnixListener::bind(path)?;
        fs::set_permissions(path, fs::Permissions::from_mode(0o666))?;
        Ok(Self(socket))
    }

    /// Serves on it, with at most so many connections open; more are closed as they arrive.
    #[must_use]
    pub fn serve(self, routes: Routes, connections: usize) -> Serving {
        Serving::start(self.incoming(connections), routes, limits::KEEPALIVE)
    }

    fn incoming(self, most: usize) -> impl Stream<Item = io::Result<Connection<UnixStream>>> {
        let start = (self.0, Arc::new(Semaphore::new(most)));
        stream::unfold(start, async |(socket, permits)| {
            let connection = accept(&socket, &permits).await;
            Some((Ok(connection), (socket, permits)))
        })
    }
}

async fn accept(socket: &UnixListener, permits: &Arc<Semaphore>) -> Connection<UnixStream> {
    loop {
        match socket.accept().await {
            Ok((stream, _)) => match permits.clone().try_acquire_owned() {
                Ok(permit) => return Connection::new(stream, permit),
                Err(_) => tracing::warn!("too many connections to a domain socket: closed one"),
            },
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(limits::ACCEPT_PAUSE).await;
            }
        }
    }
}
