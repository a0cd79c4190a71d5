//! The launcher: forks an init whenever the agent asks for one, and knows nothing of tasks.

use std::{
    io::{self, Write},
    os::{
        fd::{AsFd, OwnedFd},
        unix::net::UnixStream,
    },
};

use tepui_sys::{Forked, Kernel, Linux, Namespaces, PidFd, open_folder, receive, send, spawn};

use super::{
    start::{self, Agent},
    wire::{FAILED, Failure, HELLO, Plan, Request, UP},
};
use crate::{
    Isolator,
    limits::{MAX_MESSAGE_BYTES, MAX_PLAN_BYTES},
};

/// Serves the agent until it is gone. In a forked child, runs the container.
pub(super) fn run() -> u8 {
    // There is nobody to tell about an error: the agent sees the socket close.
    serve().unwrap_or(1)
}

fn serve() -> io::Result<u8> {
    let socket = tepui_sys::become_launcher()?;
    Linux.set_name(c"tepui-launcher")?;
    send(socket.as_fd(), HELLO, &[])?;
    loop {
        let Some((request, agent)) = next_request(&socket)? else {
            return Ok(0);
        };
        match fork(&request) {
            Ok(Forked::Parent(_)) => {}
            Ok(Forked::Child) => {
                drop(socket);
                return Ok(start::run(&Linux, &request, agent));
            }
            Err(error) => agent.report(&Failure::step("make the container's namespaces")(error)),
        }
    }
}

fn next_request(socket: &OwnedFd) -> io::Result<Option<(Request, Socket)>> {
    let mut buffer = [0; MAX_MESSAGE_BYTES];
    let mut received = receive(socket.as_fd(), &mut buffer)?;
    let Some(far) = received.files.pop() else {
        return Ok(None);
    };
    let request = serde_json::from_slice(&buffer[..received.length])?;
    Ok(Some((request, Socket(far.into()))))
}

fn fork(request: &Request) -> io::Result<Forked> {
    let has = |isolator| request.isolation.has(isolator);
    let namespaces = Namespaces {
        mount: has(Isolator::MountNamespace),
        pid: has(Isolator::PidNamespace),
        ipc: has(Isolator::IpcNamespace),
        uts: has(Isolator::UtsNamespace),
    };
    let cgroup = request.born_in.as_deref().map(open_folder).transpose()?;
    spawn(namespaces, cgroup.as_ref().map(AsFd::as_fd))
}

/// The socket between an init and the agent.
struct Socket(UnixStream);

impl Agent for Socket {
    fn announce(&self) -> io::Result<()> {
        // Inside a PID namespace this is number 1, and yet the descriptor means the same process outside.
        let myself = PidFd::open(std::process::id())?;
        send(self.0.as_fd(), &[UP], &[myself.as_fd()])?;
        Ok(())
    }

    fn plan(&self) -> io::Result<Option<Plan>> {
        let mut bytes = Vec::new();
        io::Read::read_to_end(
            &mut io::Read::take(&self.0, MAX_PLAN_BYTES as u64),
            &mut bytes,
        )?;
        // An agent that died in the middle of it leaves a plan that does not parse.
        Ok(serde_json::from_slice(&bytes).ok())
    }

    fn report(&self, failure: &Failure) {
        let Failure { what, message, .. } = failure;
        // For whoever reads the task's output. Before the output is connected, this goes nowhere.
        eprintln!("tepui: cannot run the task: {what}: {message}");
        let Ok(text) = serde_json::to_vec(failure) else {
            return;
        };
        // An agent that is gone needs no report.
        let _ = (&self.0).write_all(&[&[FAILED], text.as_slice()].concat());
    }
}
