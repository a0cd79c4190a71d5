//! Unpacking in a process of its own, which can touch nothing but the layer's folder: whatever a
//! layer makes of the code that reads it, it gets no further than to its own files.
//!
//! It has the stream as its standard input, a socket as its output, and the folder as its error. It
//! says one byte with a folder in the luggage for each that is to show nothing of lower layers,
//! which takes more power than it has; and at last a byte and its verdict. It is ended with the
//! thread that waits for it.

use std::{
    fs::File,
    io::{self, Read, Write as _},
    os::{
        fd::{AsFd as _, OwnedFd},
        unix::{
            net::UnixStream,
            process::{CommandExt as _, ExitStatusExt as _},
        },
    },
    path::Path,
    process::{Child, Command, ExitCode, ExitStatus, Stdio},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fs::{OFlags, fcntl_getfl, fcntl_setfl},
};
use serde::{Deserialize, Serialize};
use tepui_sys::Confinement;

use super::{
    BUFFER_BYTES, Unpacked,
    tree::{Tree, set_opaque},
    unpack_into,
};
use crate::{
    Error,
    limits::{
        MAX_VERDICT_BYTES, UNPACKER_FILES, UNPACKER_MEMORY_BYTES, UNPACKER_PATIENCE,
        UNPACKER_SECONDS,
    },
    stream::failed,
};

/// The first argument that makes a program unpack a layer.
const NAME: &str = "tepui-unpack";

/// The byte that a folder comes with which is to show nothing of lower layers.
pub(super) const OPAQUE_FOLDER: u8 = b'O';

/// The byte before the verdict.
const VERDICT: u8 = b'V';

/// What became of the layer.
#[derive(Debug, Serialize, Deserialize)]
enum Verdict {
    Unpacked(Unpacked),
    Broken(String),
    TooLarge(String),
    /// It could not even begin.
    Unable(String),
}

/// Unpacks a layer when a store started this process for that. Call it first in `main`, before any
/// thread is started, and return the code if there is one.
#[must_use = "when it returns a code, main must return it at once"]
pub fn unpack_main() -> Option<ExitCode> {
    let mut arguments = std::env::args_os();
    if arguments.next()? != NAME {
        return None;
    }
    let limit = arguments
        .next()
        .and_then(|limit| limit.to_str()?.parse().ok());
    let done = unpack_confined(limit.unwrap_or(0));
    Some(ExitCode::from(u8::from(done.is_err())))
}

/// The process' own story.
fn unpack_confined(limit: u64) -> io::Result<()> {
    tepui_sys::close_inherited()?;
    let stream = File::from(io::stdin().as_fd().try_clone_to_owned()?);
    // As a file: to write is all that it takes.
    let mut socket = File::from(io::stdout().as_fd().try_clone_to_owned()?);
    let confined = tepui_sys::confine(&Confinement {
        name: c"tepui-unpack",
        root: io::stderr().as_fd(),
        memory: UNPACKER_MEMORY_BYTES,
        seconds: UNPACKER_SECONDS,
        files: UNPACKER_FILES,
    });
    let verdict = match confined {
        Ok(root) => {
            let tree = Tree::marked_by(root, socket.try_clone()?.into());
            verdict(unpack_into(stream, tree, limit))
        }
        Err(error) => Verdict::Unable(format!("its process cannot be confined: {error}")),
    };
    socket.write_all(&[VERDICT])?;
    socket.write_all(&serde_json::to_vec(&verdict)?)
}

fn verdict(unpacked: Result<Unpacked, Error>) -> Verdict {
    match unpacked {
        Ok(unpacked) => Verdict::Unpacked(unpacked),
        Err(Error::Broken(what)) => Verdict::Broken(what),
        Err(Error::TooLarge(what)) => Verdict::TooLarge(what),
        Err(error) => Verdict::Unable(error.to_string()),
    }
}

/// As [`unpack`](super::unpack), in a process of this program.
pub(crate) fn unpack_apart(
    program: &Path,
    mut stream: impl Read,
    folder: OwnedFd,
    limit: u64,
) -> Result<Unpacked, Error> {
    let started = Apart::start(program, folder, limit);
    let mut apart = started.map_err(Error::store("start", program))?;
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        // Whoever gives up here ends the process.
        let count = stream.read(&mut buffer).map_err(|error| failed(&error))?;
        if count == 0 || !apart.feed(&buffer[..count]).map_err(ended)? {
            break;
        }
    }
    apart.finish()
}

/// A process that unpacks. It is killed when this is dropped.
struct Apart {
    child: Child,
    input: Option<OwnedFd>,
    socket: UnixStream,
    verdict: Option<Verdict>,
}

impl Drop for Apart {
    fn drop(&mut self) {
        // One that has ended needs no signal.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Apart {
    fn start(program: &Path, folder: OwnedFd, limit: u64) -> io::Result<Self> {
        let (socket, theirs) = UnixStream::pair()?;
        let mut child = Command::new(program)
            .arg0(NAME)
            .arg(limit.to_string())
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(OwnedFd::from(theirs))
            .stderr(folder)
            .spawn()?;
        let input = child.stdin.take().map(OwnedFd::from);
        let apart = Self {
            child,
            input,
            socket,
            verdict: None,
        };
        if let Some(input) = &apart.input {
            fcntl_setfl(input, fcntl_getfl(input)? | OFlags::NONBLOCK)?;
        }
        Ok(apart)
    }

    /// Passes bytes on. False when the process wants no more of them.
    fn feed(&mut self, mut bytes: &[u8]) -> io::Result<bool> {
        while !bytes.is_empty() {
            let Some(input) = &self.input else {
                return Ok(false);
            };
            let mut waiting = [
                PollFd::new(&self.socket, PollFlags::IN),
                PollFd::new(input, PollFlags::OUT),
            ];
            wait(&mut waiting)?;
            let [said, _] = waiting.map(|one| !one.revents().is_empty());
            match rustix::io::write(input, bytes) {
                Ok(count) => bytes = &bytes[count..],
                Err(rustix::io::Errno::AGAIN) => {}
                Err(rustix::io::Errno::PIPE) => return Ok(false),
                Err(error) => return Err(error.into()),
            }
            if said && !self.hear()? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Hears one word. False when there will be no other.
    fn hear(&mut self) -> io::Result<bool> {
        let mut word = [0; 1];
        let received = tepui_sys::receive(self.socket.as_fd(), &mut word)?;
        match (&word[..received.length], received.files.first()) {
            ([OPAQUE_FOLDER], Some(folder)) => {
                set_opaque(folder.as_fd())?;
                Ok(true)
            }
            ([VERDICT], _) => {
                let mut text = Vec::new();
                self.socket.set_read_timeout(Some(UNPACKER_PATIENCE))?;
                (&self.socket)
                    .take(MAX_VERDICT_BYTES)
                    .read_to_end(&mut text)?;
                self.verdict = serde_json::from_slice(&text).ok();
                Ok(false)
            }
            _ => Ok(false),
        }
    }

    /// Waits for the verdict.
    fn finish(mut self) -> Result<Unpacked, Error> {
        self.input = None;
        while self.verdict.is_none() {
            wait(&mut [PollFd::new(&self.socket, PollFlags::IN)]).map_err(ended)?;
            if !self.hear().map_err(ended)? {
                break;
            }
        }
        match self.verdict.take() {
            Some(Verdict::Unpacked(unpacked)) => Ok(unpacked),
            Some(Verdict::Broken(what)) => Err(Error::Broken(what)),
            Some(Verdict::TooLarge(what)) => Err(Error::TooLarge(what)),
            Some(Verdict::Unable(what)) => Err(Error::Unpacker(what)),
            None => Err(Error::Unpacker(how(self.child.wait()))),
        }
    }
}

fn wait(waiting: &mut [PollFd<'_>]) -> io::Result<()> {
    let patience = Timespec {
        tv_sec: UNPACKER_PATIENCE.as_secs().cast_signed(),
        tv_nsec: 0,
    };
    loop {
        match poll(waiting, Some(&patience)) {
            Ok(0) => {
                let text = format!("its process does nothing for {UNPACKER_PATIENCE:?}");
                return Err(io::Error::other(text));
            }
            Err(rustix::io::Errno::INTR) => {}
            polled => return Ok(polled.map(drop)?),
        }
    }
}

fn ended(error: io::Error) -> Error {
    Error::Unpacker(error.to_string())
}

fn how(status: io::Result<ExitStatus>) -> String {
    match status {
        Ok(status) => match status.signal() {
            Some(signal) => format!("its process was ended by signal {signal}"),
            None => format!(
                "its process said nothing and ended with {}: does its main call unpack_main() first?",
                status.code().unwrap_or_default()
            ),
        },
        Err(error) => error.to_string(),
    }
}
