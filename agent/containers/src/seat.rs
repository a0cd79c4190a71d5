//! Seats: processes that wait in the cgroups of a container that is yet to come.
//!
//! On v1, moving a process into a group makes the kernel wait for all processors, which takes 5 to
//! 20 ms on a quiet machine. A child is born in its parent's groups for nothing. So while there is
//! time, a child of the launcher moves into the groups of the next container. When that comes, the
//! groups are given its name, the child forks the init with all its namespaces, and ends. On v2,
//! inits are born in their group without any of this.

use std::{
    io,
    os::fd::{AsFd, OwnedFd},
    os::unix::net::UnixStream,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use tepui_sys::{Watched, receive};

use crate::{
    cgroups::{Group, Hierarchies},
    container::remove_group,
    init::wire::{InitRequest, Request, UP},
    launcher::{Launcher, ask, message_sockets},
    runtime::Inner,
};

/// How the names of seats' groups begin.
pub(crate) const PREFIX: &str = ".seat-";

/// A process that waits in the cgroups of a container to come. It ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Seat {
    /// The name that its groups have until they get the container's.
    pub(crate) name: String,
    socket: Watched<OwnedFd>,
}

/// The one seat that is kept ready.
#[derive(Debug, Default)]
pub(crate) struct Seats {
    state: Mutex<State>,
    count: AtomicU64,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Empty,
    Making,
    Ready(Seat),
}

impl Seats {
    /// The seat, if one is ready.
    pub(crate) fn take(&self) -> Option<Seat> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match std::mem::take(&mut *state) {
            State::Ready(seat) => Some(seat),
            other => {
                *state = other;
                None
            }
        }
    }

    /// True for one caller at a time, and only while there is no seat.
    fn begin(&self) -> bool {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let empty = matches!(*state, State::Empty);
        if empty {
            *state = State::Making;
        }
        empty
    }

    fn finish(&self, seat: Option<Seat>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        *state = seat.map_or(State::Empty, State::Ready);
    }
}

impl Seat {
    /// Asks for an init in place of the seat.
    pub(crate) async fn ask_init(self, request: InitRequest) -> io::Result<UnixStream> {
        let (near, far) = UnixStream::pair()?;
        ask(&self.socket, &Request::Init(request), &[far.as_fd()]).await?;
        Ok(near)
    }
}

/// Makes a seat in the background, where that is of use and none is ready.
pub(crate) fn prepare_seat(inner: &Inner) {
    let Some(hierarchies) = &inner.hierarchies else {
        return;
    };
    if hierarchies.is_slow_to_join() && inner.seats.begin() {
        // Without the runtime itself, which is gone when its last user is.
        let (seats, launcher) = (Arc::clone(&inner.seats), Arc::clone(&inner.launcher));
        let hierarchies = Arc::clone(hierarchies);
        tokio::spawn(async move {
            let made = make_seat(&seats, &launcher, hierarchies).await;
            let told =
                |error: &io::Error| tracing::warn!(%error, "cannot prepare for the next launch");
            seats.finish(made.inspect_err(told).ok());
        });
    }
}

async fn make_seat(
    seats: &Seats,
    launcher: &Launcher,
    hierarchies: Arc<dyn Hierarchies>,
) -> io::Result<Seat> {
    let number = seats.count.fetch_add(1, Ordering::Relaxed);
    let name = format!("{PREFIX}{}-{number}", std::process::id());
    let group = hierarchies.group(&name);
    let make = move || group.create().map(|()| group).map_err(io::Error::other);
    let group = tokio::task::spawn_blocking(make).await??;
    match sit_down(launcher, &*group).await {
        Ok(socket) => Ok(Seat { name, socket }),
        Err(error) => {
            let _ = remove_group(&*group).await;
            Err(error)
        }
    }
}

async fn sit_down(launcher: &Launcher, group: &dyn Group) -> io::Result<Watched<OwnedFd>> {
    let (near, far) = message_sockets()?;
    launcher
        .ask(&Request::Seat(group.entrance().join), &[far.as_fd()])
        .await?;
    drop(far);
    let socket = Watched::new(near)?;
    let mut answer = [0; 1];
    let received = socket
        .read_with(|socket| receive(socket.as_fd(), &mut answer))
        .await?;
    match answer[..received.length] {
        [UP] => Ok(socket),
        _ => Err(io::Error::other(
            "a process could not join the cgroups of the next container",
        )),
    }
}
