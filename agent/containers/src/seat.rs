//! Seats: processes that wait in the cgroups of containers that are yet to come.
//!
//! On v1, moving a process into a group makes the kernel wait for all processors, which takes 5 to
//! 20 ms on a quiet machine, and holds up whoever makes or removes a group meanwhile. A child is
//! born in its parent's groups for nothing, and of several processes that move one after the other
//! only the first one waits. So while there is time, a few children of the launcher move into the
//! groups of the next containers, and each forks an init there with the namespaces that all inits
//! have, which waits. When a container comes, a seat's groups are given its name, and the init its
//! plan. On v2, inits are born in their group without any of this.

use std::{
    collections::VecDeque,
    future::Future,
    io,
    os::fd::{AsFd, OwnedFd},
    os::unix::net::UnixStream,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use tepui_sys::{PidFd, Watched, receive};
use tokio::task::JoinHandle;

use crate::{
    Isolation,
    cgroups::Hierarchies,
    container::remove_group,
    init::wire::{InitRequest, Request, SeatRequest, UP},
    launcher::{Launcher, ask, message_sockets},
    limits::{MIN_SEATS, SEATS},
    runtime::Inner,
};

/// How the names of seats' groups begin.
pub(crate) const PREFIX: &str = ".seat-";

/// Numbers seats, of all runtimes in this process.
static SEATS_MADE: AtomicU64 = AtomicU64::new(0);

/// An init that waits in the cgroups of a container to come. It ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Seat {
    /// The name that its groups have until they get the container's.
    pub(crate) name: String,
    init: PidFd,
    socket: Watched<OwnedFd>,
}

/// The seats that are kept ready, the oldest first.
#[derive(Debug, Default)]
pub(crate) struct Seats {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    ready: VecDeque<Seat>,
    /// Who makes them, while somebody does.
    making: Option<JoinHandle<()>>,
    /// None is made any more.
    closed: bool,
}

impl Seats {
    /// The oldest seat, if one is ready.
    pub(crate) fn take(&self) -> Option<Seat> {
        self.state().ready.pop_front()
    }

    /// Has the missing ones made, unless there are enough, or somebody makes them already.
    fn refill<Maker>(&self, maker: impl FnOnce(usize) -> Maker)
    where
        Maker: Future<Output = ()> + Send + 'static,
    {
        let mut state = self.state();
        let busy = state.making.as_ref().is_some_and(|it| !it.is_finished());
        if state.closed || busy || state.ready.len() >= MIN_SEATS {
            return;
        }
        let missing = SEATS - state.ready.len();
        state.making = Some(tokio::spawn(maker(missing)));
    }

    /// Keeps a seat. Says whether more are wanted.
    fn add(&self, seat: Seat) -> bool {
        let mut state = self.state();
        state.ready.push_back(seat);
        !state.closed
    }

    /// Has no more made, and gives those that are ready.
    async fn close(&self) -> VecDeque<Seat> {
        let making = {
            let mut state = self.state();
            state.closed = true;
            state.making.take()
        };
        if let Some(making) = making {
            // One that panicked makes none either.
            let _ = making.await;
        }
        std::mem::take(&mut self.state().ready)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seat {
    /// Has the init become that of a container, and returns the socket to it.
    pub(crate) async fn give(self, request: InitRequest) -> io::Result<(PidFd, UnixStream)> {
        let (near, far) = UnixStream::pair()?;
        ask(&self.socket, &Request::Init(request), &[far.as_fd()]).await?;
        Ok((self.init, near))
    }
}

/// Makes seats in the background, where they are of use and few are left.
pub(crate) fn prepare_seats(inner: &Inner) {
    let slow = |hierarchies: &&Arc<dyn Hierarchies>| hierarchies.is_slow_to_join();
    let Some(hierarchies) = inner.hierarchies.as_ref().filter(slow) else {
        return;
    };
    // Without the runtime itself, which is gone when its last user is.
    let (seats, launcher) = (Arc::clone(&inner.seats), Arc::clone(&inner.launcher));
    let isolation = inner.options.isolation;
    let hierarchies = Arc::clone(hierarchies);
    inner.seats.refill(|missing| async move {
        for _ in 0..missing {
            match make_seat(&launcher, Arc::clone(&hierarchies), isolation).await {
                Ok(seat) => {
                    if !seats.add(seat) {
                        break;
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot prepare for the next launches");
                    break;
                }
            }
        }
    });
}

/// Removes the seats: no container is launched any more.
pub(crate) async fn remove_seats(inner: &Inner) {
    let seats = inner.seats.close().await;
    let Some(hierarchies) = &inner.hierarchies else {
        return;
    };
    for Seat { name, socket, .. } in seats {
        // Its process ends, since nobody can ask it for anything.
        drop(socket);
        if let Err(error) = remove_group(&*hierarchies.group(&name)).await {
            tracing::warn!(group = name, %error, "cannot remove what was prepared");
        }
    }
}

async fn make_seat(
    launcher: &Launcher,
    hierarchies: Arc<dyn Hierarchies>,
    isolation: Isolation,
) -> io::Result<Seat> {
    let number = SEATS_MADE.fetch_add(1, Ordering::Relaxed);
    let name = format!("{PREFIX}{}-{number}", std::process::id());
    let group = hierarchies.group(&name);
    let make = move || group.create().map(|()| group).map_err(io::Error::other);
    let group = tokio::task::spawn_blocking(make).await??;
    let request = SeatRequest {
        join: group.entrance().join,
        isolation,
    };
    match sit_down(launcher, request).await {
        Ok((init, socket)) => Ok(Seat { name, init, socket }),
        Err(error) => {
            let _ = remove_group(&*group).await;
            Err(error)
        }
    }
}

async fn sit_down(
    launcher: &Launcher,
    request: SeatRequest,
) -> io::Result<(PidFd, Watched<OwnedFd>)> {
    let (near, far) = message_sockets()?;
    let request = Request::Seat(request);
    launcher.ask(&request, &[far.as_fd()]).await?;
    drop(far);
    let socket = Watched::new(near)?;
    let mut answer = [0; 1];
    let mut received = socket
        .read_with(|socket| receive(socket.as_fd(), &mut answer))
        .await?;
    match (&answer[..received.length], received.files.pop()) {
        (&[UP], Some(init)) => Ok((PidFd::from_fd(init), socket)),
        _ => Err(io::Error::other(
            "a process could not join the cgroups of the next container",
        )),
    }
}
