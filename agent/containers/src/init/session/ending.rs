//! The end of a session: the helper waits for the program or for the end of the agent, and takes
//! along what the program has left.

use std::{
    collections::BTreeSet,
    fs::File,
    io,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::net::UnixStream,
    },
    path::Path,
};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use tepui_sys::{Kernel, PidFd, Reaped, Signal, receive, send};

use super::{
    Caller, Files,
    wire::{PLAN, STARTED, SessionPlan},
};
use crate::{
    init::wire::{FAILED, Failure, UP, status_line},
    limits::{MAX_LISTED_BYTES, MAX_PLAN_BYTES, SWEEP_PAUSE, SWEEPS},
};

/// The socket between a session's helper and the agent.
pub(in crate::init) struct Line(pub(in crate::init) UnixStream);

impl Caller for Line {
    fn announce(&self) -> io::Result<()> {
        let myself = PidFd::open(std::process::id())?;
        send(self.0.as_fd(), &[UP], &[myself.as_fd()]).map(drop)
    }

    fn plan(&self) -> io::Result<Option<(SessionPlan, Files)>> {
        let mut first = [0; 1];
        let received = receive(self.0.as_fd(), &mut first)?;
        let mut files = received.files.into_iter();
        let (Some(init), true) = (files.next(), first == [PLAN]) else {
            return Ok(None);
        };
        let streams = <[_; 3]>::try_from(files.collect::<Vec<_>>()).ok();
        let mut bytes = Vec::new();
        let plan = io::Read::take(&self.0, MAX_PLAN_BYTES as u64);
        io::Read::read_to_end(&mut { plan }, &mut bytes)?;
        // An agent that died in the middle of it leaves a plan that does not parse.
        let plan = serde_json::from_slice(&bytes).ok();
        Ok(plan.map(|plan| (plan, Files { init, streams })))
    }

    fn started(&self, program: i32, terminal: Option<OwnedFd>) -> io::Result<()> {
        let program = PidFd::open(program.unsigned_abs())?;
        let mut files = vec![program.as_fd()];
        files.extend(terminal.as_ref().map(AsFd::as_fd));
        send(self.0.as_fd(), &[STARTED], &files).map(drop)
    }

    fn report(&self, failure: &Failure) {
        if let Ok(text) = serde_json::to_vec(failure) {
            let message = [&[FAILED], text.as_slice()].concat();
            // An agent that is gone needs no report.
            let _ = io::Write::write_all(&mut &self.0, &message);
        }
    }

    fn finish(
        &self,
        kernel: &impl Kernel,
        program: i32,
        group: Option<&OwnedFd>,
    ) -> io::Result<()> {
        let held = PidFd::open(program.unsigned_abs())?;
        if !wait(&held, self.0.as_fd())? {
            held.signal(Signal::SIGKILL)?;
        }
        let ended = loop {
            held.wait()?;
            if let Some(reaped) = kernel.reap()?.filter(|reaped| reaped.pid() == program) {
                break reaped;
            }
        };
        if let Some(group) = group {
            sweep(group.as_fd())?;
        }
        self.ended(ended)
    }
}

impl Line {
    fn ended(&self, reaped: Reaped) -> io::Result<()> {
        send(self.0.as_fd(), status_line(reaped).as_bytes(), &[]).map(drop)
    }
}

/// Waits for the end of a process, or for that of the agent: then it is false.
fn wait(process: &PidFd, agent: BorrowedFd<'_>) -> io::Result<bool> {
    let mut waiting = [
        PollFd::new(process.as_fd(), PollFlags::POLLIN),
        // Asked for nothing, it tells of its end alone.
        PollFd::new(agent, PollFlags::empty()),
    ];
    loop {
        match poll(&mut waiting, PollTimeout::NONE) {
            Ok(_) => break,
            Err(nix::errno::Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(waiting[0].any().unwrap_or(false))
}

/// Kills whoever else is in a group until nobody is. It is tried for a while: what forks faster is
/// the agent's to end, with the group.
fn sweep(group: BorrowedFd<'_>) -> io::Result<()> {
    let myself = std::process::id();
    for _ in 0..SWEEPS {
        let mut others = listed(group)?;
        others.remove(&myself);
        if others.is_empty() {
            break;
        }
        let held: Vec<_> = others
            .iter()
            .filter_map(|pid| Some((*pid, PidFd::open(*pid).ok()?)))
            .collect();
        // Nobody is hit who got the number of one that has just ended.
        let still = listed(group)?;
        for (_, process) in held.iter().filter(|(pid, _)| still.contains(pid)) {
            process.signal(Signal::SIGKILL)?;
        }
        std::thread::sleep(SWEEP_PAUSE);
    }
    Ok(())
}

/// The processes in a group, by numbers that mean them for who reads. The list is opened anew each
/// time: v1 goes on with an old one for a second.
fn listed(group: BorrowedFd<'_>) -> io::Result<BTreeSet<u32>> {
    let list = tepui_sys::open_beneath(group, Path::new("cgroup.procs"))?;
    let mut text = String::new();
    let list = io::Read::take(File::from(list), MAX_LISTED_BYTES);
    io::Read::read_to_string(&mut { list }, &mut text)?;
    let pids = text.lines().filter_map(|line| line.parse().ok());
    Ok(pids.collect())
}
