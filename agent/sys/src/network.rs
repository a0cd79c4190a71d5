//! Network namespaces: made and kept by name, entered for a moment, let go.
//!
//! A namespace lives as long as something refers to it. Here that is a mount of it on a file, which
//! outlives every process. A thread enters one by itself, so what has to be done inside is done by
//! a thread that ends right after.

use std::{
    fs::{self, OpenOptions},
    io,
    os::{
        fd::{AsRawFd as _, OwnedFd},
        unix::fs::OpenOptionsExt as _,
    },
    path::Path,
    thread,
};

use nix::{
    errno::Errno,
    fcntl::{OFlag, open},
    mount::{MntFlags, MsFlags, mount, umount2},
    sched::{CloneFlags, setns, unshare},
    sys::{
        socket::{AddressFamily, SockFlag, SockType, socket},
        stat::Mode,
    },
};

/// Makes a network namespace in which nothing but the loopback device is up, and mounts it on a new
/// file.
pub fn make_network(at: &Path) -> io::Result<()> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(at)?;
    let file = at.to_owned();
    let made = in_a_thread(move || {
        unshare(CloneFlags::CLONE_NEWNET)?;
        bring_up_loopback()?;
        let own = "/proc/thread-self/ns/net";
        let (bind, none) = (MsFlags::MS_BIND, None::<&str>);
        Ok(mount(Some(own), &file, none, bind, none)?)
    });
    if made.is_err() {
        // The first error is the one to tell.
        let _ = fs::remove_file(at);
    }
    made
}

/// Brings up the loopback device of a network namespace that somebody else has made.
pub fn bring_up(at: &Path) -> io::Result<()> {
    in_network(at, bring_up_loopback)
}

/// Lets go of a network namespace, or of another that is kept in the same way. One that is not
/// there is no error.
///
/// Mount namespaces that were copied meanwhile have the mount too; removing the file takes it from
/// them.
pub fn remove_network(at: &Path) -> io::Result<()> {
    match umount2(at, MntFlags::MNT_DETACH) {
        // After a restart of the machine the file is there, and no mount on it.
        Ok(()) | Err(Errno::ENOENT | Errno::EINVAL) => {}
        Err(error) => return Err(error.into()),
    }
    match fs::remove_file(at) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Whether a network namespace is mounted on the file: not after a restart of the machine.
pub fn is_network(at: &Path) -> bool {
    let file = nix::sys::statfs::statfs(at);
    file.is_ok_and(|file| file.filesystem_type() == nix::sys::statfs::NSFS_MAGIC)
}

/// Does something inside a network namespace, in a thread that is there for nothing else.
pub fn in_network<T: Send + 'static>(
    at: &Path,
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let file = open_network(at)?;
    in_a_thread(move || {
        setns(file, CloneFlags::CLONE_NEWNET)?;
        work()
    })
}

/// Makes a socket for a TCP connection inside a network namespace; it belongs there wherever it is
/// used. It does not block.
pub fn stream_socket_in(at: &Path, version_6: bool) -> io::Result<OwnedFd> {
    in_network(at, move || {
        let family = if version_6 {
            AddressFamily::Inet6
        } else {
            AddressFamily::Inet
        };
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        Ok(socket(family, SockType::Stream, flags, None)?)
    })
}

/// Moves this process, which must have a single thread, into a network namespace.
pub(crate) fn join_network(at: &Path) -> io::Result<()> {
    Ok(setns(open_network(at)?, CloneFlags::CLONE_NEWNET)?)
}

fn open_network(at: &Path) -> io::Result<OwnedFd> {
    let flags = OFlag::O_RDONLY | OFlag::O_CLOEXEC | OFlag::O_NOFOLLOW;
    Ok(open(at, flags, Mode::empty())?)
}

fn in_a_thread<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let thread = thread::Builder::new().name("network".to_owned());
    let ended = thread.spawn(work)?.join();
    ended.unwrap_or_else(|_| Err(io::Error::other("the thread in the namespace panicked")))
}

fn bring_up_loopback() -> io::Result<()> {
    let flags = SockFlag::SOCK_CLOEXEC;
    let socket = socket(AddressFamily::Inet, SockType::Datagram, flags, None)?;
    // SAFETY: all zeroes is a valid value of this plain struct.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, letter) in request.ifr_name.iter_mut().zip(b"lo") {
        *to = libc::c_char::from_ne_bytes([*letter]);
    }
    request.ifr_ifru.ifru_flags = libc::IFF_UP as libc::c_short;
    // SAFETY: the request lives until the call is over, and is what this call reads.
    let done = unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS, &raw mut request) };
    Ok(Errno::result(done).map(drop)?)
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpListener, TcpStream};

    use super::*;

    #[test]
    fn a_network_of_its_own_has_a_loopback_device_and_nothing_of_the_host_s() {
        if !nix::unistd::geteuid().is_root() {
            eprintln!("not run: network namespaces need root");
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path().join("net");
        assert!(!is_network(&at));
        make_network(&at).unwrap();
        assert!(is_network(&at));
        assert!(make_network(&at).is_err(), "a name is used once");
        let outside = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = outside.local_addr().unwrap().port();
        let inside = in_network(&at, move || TcpListener::bind((Ipv4Addr::LOCALHOST, port)));
        let inside = inside.expect("the same port is free inside");
        let socket = TcpStream::from(stream_socket_in(&at, false).unwrap());
        assert_eq!(socket.peer_addr().unwrap_err().raw_os_error(), Some(107));
        drop(inside);
        let reached = in_network(&at, move || {
            TcpStream::connect((Ipv4Addr::LOCALHOST, port)).map(drop)
        });
        assert_eq!(
            reached.unwrap_err().kind(),
            io::ErrorKind::ConnectionRefused
        );
        remove_network(&at).unwrap();
        remove_network(&at).unwrap();
        assert!(!at.exists());
    }

    #[test]
    fn a_file_that_is_no_namespace_is_refused_and_removed() {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path().join("net");
        fs::write(&at, "").unwrap();
        assert!(!is_network(&at));
        assert!(in_network(&at, || Ok(())).is_err());
        remove_network(&at).unwrap();
        assert!(!at.exists());
    }
}
