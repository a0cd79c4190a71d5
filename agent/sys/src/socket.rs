//! Messages through unix sockets, with open files in their luggage.

use std::{
    io::{self, IoSlice, IoSliceMut},
    os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd},
};

use nix::{
    cmsg_space,
    sys::socket::{ControlMessage, ControlMessageOwned, MsgFlags, recvmsg, sendmsg},
};

/// The most files one message brings.
const MAX_FILES: usize = 4;

/// A message that came in.
#[derive(Debug)]
pub struct Received {
    /// How many bytes were read. None at all: the other end is closed.
    pub length: usize,
    /// Open files that came along.
    pub files: Vec<OwnedFd>,
}

/// Sends bytes and files, and returns how many bytes were taken. Never raises SIGPIPE.
pub fn send(socket: BorrowedFd<'_>, bytes: &[u8], files: &[BorrowedFd<'_>]) -> io::Result<usize> {
    let files: Vec<RawFd> = files.iter().map(AsRawFd::as_raw_fd).collect();
    let luggage = [ControlMessage::ScmRights(&files)];
    let luggage = if files.is_empty() {
        &[][..]
    } else {
        &luggage[..]
    };
    let bytes = [IoSlice::new(bytes)];
    Ok(sendmsg::<()>(
        socket.as_raw_fd(),
        &bytes,
        luggage,
        MsgFlags::MSG_NOSIGNAL,
        None,
    )?)
}

/// Receives bytes and files. The files will not be seen by programs that are run later.
pub fn receive(socket: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<Received> {
    let mut luggage = cmsg_space!([RawFd; MAX_FILES]);
    let mut buffer = [IoSliceMut::new(buffer)];
    let message = recvmsg::<()>(
        socket.as_raw_fd(),
        &mut buffer,
        Some(&mut luggage),
        MsgFlags::MSG_CMSG_CLOEXEC,
    )?;
    let mut files = Vec::new();
    for item in message.cmsgs()? {
        if let ControlMessageOwned::ScmRights(numbers) = item {
            // SAFETY: the kernel has just opened these for us, and nobody else knows the numbers.
            files.extend(
                numbers
                    .into_iter()
                    .map(|fd| unsafe { OwnedFd::from_raw_fd(fd) }),
            );
        }
    }
    Ok(Received {
        length: message.bytes,
        files,
    })
}

#[cfg(test)]
mod tests {
    use std::{
        fs::File,
        io::{Read, Write},
        os::{fd::AsFd, unix::net::UnixStream},
    };

    use super::*;

    #[test]
    fn files_travel_with_a_message() {
        let (near, far) = UnixStream::pair().unwrap();
        let (reader, mut writer) = io::pipe().unwrap();
        assert_eq!(send(near.as_fd(), b"hello", &[reader.as_fd()]).unwrap(), 5);
        drop(reader);
        let mut buffer = [0; 16];
        let mut received = receive(far.as_fd(), &mut buffer).unwrap();
        assert_eq!(&buffer[..received.length], b"hello");
        writer.write_all(b"x").unwrap();
        drop(writer);
        let mut text = String::new();
        File::from(received.files.pop().unwrap())
            .read_to_string(&mut text)
            .unwrap();
        assert_eq!(text, "x");
        assert!(received.files.is_empty());
    }

    #[test]
    fn a_closed_socket_gives_an_error_and_no_signal() {
        let (near, far) = UnixStream::pair().unwrap();
        drop(far);
        let error = send(near.as_fd(), b"hello", &[]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
        assert_eq!(receive(near.as_fd(), &mut [0; 4]).unwrap().length, 0);
    }
}
