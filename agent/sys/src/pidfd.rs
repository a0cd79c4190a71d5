//! Process descriptors: a hold on one process that no reuse of its number can break.

use std::{
    fs, io,
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd},
};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open, pidfd_send_signal};

use crate::{Signal, start_time};

/// A hold on one process. It becomes readable when the process has ended.
#[derive(Debug)]
pub struct PidFd(OwnedFd);

impl PidFd {
    /// Takes hold of the process that has this number now.
    pub fn open(pid: u32) -> io::Result<Self> {
        let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
        let pid = pid.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        Ok(Self(pidfd_open(pid, PidfdFlags::NONBLOCK)?))
    }

    /// Takes hold of a process by number and start time. `None` when it has ended, whoever has its
    /// number now.
    pub fn find(pid: u32, started: u64) -> io::Result<Option<Self>> {
        let gone = |error: &io::Error| {
            error.kind() == io::ErrorKind::NotFound || error.raw_os_error() == Some(libc::ESRCH)
        };
        let found = match Self::open(pid) {
            Ok(found) => found,
            Err(error) if gone(&error) => return Ok(None),
            Err(error) => return Err(error),
        };
        // The descriptor was opened first: if the start time fits now, it is that process.
        match start_time(pid) {
            Ok(time) if time == started && !found.has_ended()? => Ok(Some(found)),
            Ok(_) => Ok(None),
            Err(error) if gone(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Takes over a descriptor that came through a socket.
    #[must_use]
    pub const fn from_fd(fd: OwnedFd) -> Self {
        Self(fd)
    }

    /// Whether it has ended. Its parent may not have reaped it yet.
    pub fn has_ended(&self) -> io::Result<bool> {
        let mut look = [PollFd::new(self.as_fd(), PollFlags::POLLIN)];
        Ok(poll(&mut look, PollTimeout::ZERO)? > 0)
    }

    /// Waits until it has ended.
    pub fn wait(&self) -> io::Result<()> {
        let mut look = [PollFd::new(self.as_fd(), PollFlags::POLLIN)];
        loop {
            match poll(&mut look, PollTimeout::NONE) {
                Ok(_) => return Ok(()),
                Err(nix::errno::Errno::EINTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// The number of the process. `None` when it has been reaped.
    pub fn pid(&self) -> io::Result<Option<u32>> {
        let info = fs::read_to_string(format!("/proc/self/fdinfo/{}", self.0.as_raw_fd()))?;
        let pid = info.lines().find_map(|line| line.strip_prefix("Pid:"));
        let pid = pid.and_then(|pid| pid.trim().parse::<i32>().ok());
        let pid = pid.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))?;
        Ok(u32::try_from(pid).ok().filter(|pid| *pid > 0))
    }

    /// Sends a signal. False when the process has been reaped.
    pub fn signal(&self, signal: Signal) -> io::Result<bool> {
        let signal = rustix::process::Signal::from_named_raw(signal as i32)
            .ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        match pidfd_send_signal(&self.0, signal) {
            Ok(()) => Ok(true),
            Err(rustix::io::Errno::SRCH) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

impl AsFd for PidFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl AsRawFd for PidFd {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn a_process_is_found_by_number_and_start_time() {
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let started = start_time(child.id()).unwrap();
        let found = PidFd::find(child.id(), started).unwrap().expect("it runs");
        assert_eq!(found.pid().unwrap(), Some(child.id()));
        assert!(!found.has_ended().unwrap());
        assert!(found.signal(Signal::SIGKILL).unwrap());
        while !found.has_ended().unwrap() {
            std::thread::yield_now();
        }
        assert!(
            PidFd::find(child.id(), started).unwrap().is_none(),
            "not even before it is reaped"
        );
        child.wait().unwrap();
        assert!(
            !found.signal(Signal::SIGKILL).unwrap(),
            "nobody is signalled once it is reaped"
        );
        assert_eq!(found.pid().unwrap(), None);
        assert!(PidFd::find(child.id(), started).unwrap().is_none());
    }

    #[test]
    fn a_reused_number_is_not_taken_for_the_old_process() {
        let pid = std::process::id();
        let other_start = start_time(pid).unwrap() - 1;
        assert!(PidFd::find(pid, other_start).unwrap().is_none());
    }
}
