//! The launcher: forks an init whenever the agent asks for one, and knows nothing of tasks.

use std::{
    io::{self, Read as _},
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::net::UnixStream,
    },
};

use tepui_sys::{Forked, Kernel, Linux, Namespaces, PidFd, open_folder, receive, send, spawn};

use super::{
    session::{self, Caller as _, Line, wire::SessionRequest},
    start::{self, Agent},
    wire::{FAILED, Failure, HELLO, InitRequest, Plan, RUN, Request, SeatRequest, UP},
};
use crate::{
    Isolation, Isolator,
    limits::{MAX_MESSAGE_BYTES, MAX_PLAN_BYTES},
};

/// The step that fails when the kernel refuses them.
const MAKE_NAMESPACES: &str = "make the container's namespaces";

/// Serves the agent until it is gone. In a forked child, runs the container.
pub(super) fn run() -> u8 {
    // There is nobody to tell about an error: the agent sees the socket close.
    serve().unwrap_or(1)
}

fn serve() -> io::Result<u8> {
    let socket = tepui_sys::become_launcher()?;
    Linux.set_name(c"tepui-launcher")?;
    send(socket.as_fd(), HELLO, &[])?;
    while let Some((request, far, parent)) = next_request(&socket)? {
        match request {
            Request::Init(request) => match parent {
                Some(parent) => make_inside(&request, far, &parent),
                None => make_init(&request, far),
            },
            Request::Session(request) => make_session(&request, far),
            Request::Users(network) => make_users(network, far),
            Request::Seat(request) => match Linux.fork() {
                Ok(Forked::Parent(_)) => {}
                Ok(Forked::Child) => tepui_sys::leave(take_seat(&request, &far).unwrap_or(1)),
                Err(error) => report(far.as_fd(), &Failure::step("fork")(error)),
            },
        }
    }
    Ok(0)
}

/// Joins the cgroups and forks the init there, which waits. Leaving is all that is left then.
fn take_seat(request: &SeatRequest, socket: &OwnedFd) -> io::Result<u8> {
    tepui_sys::keep_only(socket.as_fd())?;
    Linux.set_name(c"tepui-seat")?;
    if let Err(failure) = start::join(&Linux, &request.join) {
        report(socket.as_fd(), &failure);
        return Ok(1);
    }
    let made = Namespaces {
        mount: false,
        ..namespaces(request.isolation)
    };
    match spawn(made, None) {
        Ok(Forked::Parent(_)) => Ok(0),
        Ok(Forked::Child) => wait_for_container(request.isolation, socket),
        Err(error) => {
            report(socket.as_fd(), &Failure::step(MAKE_NAMESPACES)(error));
            Ok(1)
        }
    }
}

/// The init of a seat, from when it is there until its container has ended.
fn wait_for_container(isolation: Isolation, socket: &OwnedFd) -> io::Result<u8> {
    announce(socket.as_fd())?;
    let Some((Request::Init(request), far, _)) = next_request(socket)? else {
        return Ok(0);
    };
    tepui_sys::keep_only(far.as_fd())?;
    let agent = Socket {
        stream: far.into(),
        is_known: true,
    };
    if isolation.has(Isolator::MountNamespace)
        && let Err(error) = Linux.unshare_mounts()
    {
        agent.report(&Failure::step(MAKE_NAMESPACES)(error));
        return Ok(1);
    }
    Ok(start::run(&Linux, &request, agent))
}

/// Forks a process into a user namespace, which waits there until the agent has what it wants of
/// it.
fn make_users(network: bool, far: OwnedFd) {
    let namespaces = Namespaces {
        user: true,
        network,
        ..Namespaces::default()
    };
    let waited = |socket: BorrowedFd<'_>| -> io::Result<()> {
        tepui_sys::keep_only(socket)?;
        Linux.set_name(c"tepui-users")?;
        announce(socket)?;
        receive(socket, &mut [0; 1]).map(drop)
    };
    match spawn(namespaces, None) {
        Ok(Forked::Parent(_)) => {}
        Ok(Forked::Child) => {
            tepui_sys::leave(u8::from(waited(far.as_fd()).is_err()));
        }
        Err(error) => report(far.as_fd(), &Failure::step("make a user namespace")(error)),
    }
}

/// `None` when the agent is gone.
fn next_request(socket: &OwnedFd) -> io::Result<Option<(Request, OwnedFd, Option<OwnedFd>)>> {
    let mut buffer = [0; MAX_MESSAGE_BYTES];
    let received = receive(socket.as_fd(), &mut buffer)?;
    let mut files = received.files.into_iter();
    let Some(far) = files.next() else {
        return Ok(None);
    };
    let request = serde_json::from_slice(&buffer[..received.length])?;
    Ok(Some((request, far, files.next())))
}

/// Forks an init, which does not come back from here.
fn make_init(request: &InitRequest, far: OwnedFd) {
    let agent = Socket {
        stream: far.into(),
        is_known: false,
    };
    match fork(request) {
        Ok(Forked::Parent(_)) => {}
        Ok(Forked::Child) => match tepui_sys::keep_only(agent.stream.as_fd()) {
            Ok(()) => tepui_sys::leave(start::run(&Linux, request, agent)),
            Err(_) => tepui_sys::leave(1),
        },
        Err(error) => agent.report(&Failure::step(MAKE_NAMESPACES)(error)),
    }
}

/// Forks an init by way of a process that enters namespaces to share, and ends: the launcher itself
/// stays where it is, and becomes the init's parent.
fn make_inside(request: &InitRequest, far: OwnedFd, parent: &OwnedFd) {
    let step = "enter the namespaces of the container that it is inside of";
    match Linux.fork() {
        Ok(Forked::Parent(_)) => {}
        Ok(Forked::Child) => {
            let entered = request.enter.unwrap_or_default().into();
            match Linux.enter_namespaces(parent.as_fd(), entered) {
                Ok(()) => make_init(request, far),
                Err(error) => report(far.as_fd(), &Failure::step(step)(error)),
            }
            tepui_sys::leave(0)
        }
        Err(error) => report(far.as_fd(), &Failure::step("fork")(error)),
    }
}

/// Forks the helper of a session, which does not come back from here.
fn make_session(request: &SessionRequest, far: OwnedFd) {
    let line = Line(far.into());
    let born_in = request.born_in.as_deref().map(open_folder).transpose();
    let forked = born_in.and_then(|group| {
        let group = group.as_ref().map(AsFd::as_fd);
        spawn(Namespaces::default(), group)
    });
    match forked {
        Ok(Forked::Parent(_)) => {}
        Ok(Forked::Child) => match tepui_sys::keep_only(line.0.as_fd()) {
            Ok(()) => tepui_sys::leave(session::run(&Linux, request, &line)),
            Err(_) => tepui_sys::leave(1),
        },
        Err(error) => line.report(&Failure::step("fork")(error)),
    }
}

fn fork(request: &InitRequest) -> io::Result<Forked> {
    let cgroup = request.born_in.as_deref().map(open_folder).transpose()?;
    spawn(
        namespaces(request.isolation),
        cgroup.as_ref().map(AsFd::as_fd),
    )
}

/// The namespaces that an init is born into.
fn namespaces(isolation: Isolation) -> Namespaces {
    Namespaces {
        mount: isolation.has(Isolator::MountNamespace),
        pid: isolation.has(Isolator::PidNamespace),
        ipc: isolation.has(Isolator::IpcNamespace),
        uts: isolation.has(Isolator::UtsNamespace),
        ..Namespaces::default()
    }
}

/// Says that this process is there, and which one it is.
fn announce(socket: BorrowedFd<'_>) -> io::Result<()> {
    // Inside a PID namespace this is number 1, and yet the descriptor means the same process
    // outside.
    let myself = PidFd::open(std::process::id())?;
    send(socket, &[UP], &[myself.as_fd()]).map(drop)
}

/// Says why something could not be done. An agent that is gone needs no report.
fn report(socket: BorrowedFd<'_>, failure: &Failure) {
    let Ok(text) = serde_json::to_vec(failure) else {
        return;
    };
    let _ = send(socket, &[&[FAILED], text.as_slice()].concat(), &[]);
}

/// The socket between an init and the agent.
struct Socket {
    stream: UnixStream,
    /// The agent knows already which process this is.
    is_known: bool,
}

impl Agent for Socket {
    fn announce(&self) -> io::Result<()> {
        if self.is_known {
            return Ok(());
        }
        announce(self.stream.as_fd())
    }

    fn plan(&self) -> io::Result<Option<Plan>> {
        let mut length = [0; 4];
        if (&self.stream).read(&mut length[..1])? == 0 {
            return Ok(None);
        }
        (&self.stream).read_exact(&mut length[1..])?;
        let length = u64::from(u32::from_be_bytes(length)).min(MAX_PLAN_BYTES as u64);
        let mut bytes = Vec::new();
        (&self.stream).take(length).read_to_end(&mut bytes)?;
        // An agent that died in the middle of it leaves a plan that does not parse.
        Ok(serde_json::from_slice(&bytes).ok())
    }

    fn may_run(&self) -> io::Result<bool> {
        let mut word = [0; 1];
        Ok((&self.stream).read(&mut word)? == 1 && word == [RUN])
    }

    fn report(&self, failure: &Failure) {
        let Failure { what, message, .. } = failure;
        // For whoever reads the task's output. Before the output is connected, this goes nowhere.
        eprintln!("tepui: cannot run the task: {what}: {message}");
        report(self.stream.as_fd(), failure);
    }
}
