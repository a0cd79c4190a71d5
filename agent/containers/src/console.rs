//! The terminal of a container's own program, from the agent's side: the other end is the console
//! beside the init. Many may be at it at a time.

use std::{
    fs::File,
    io,
    os::{fd::AsRawFd, unix::net::UnixStream as StdStream},
    path::Path,
};

use tepui_sys::WindowSize;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        UnixStream,
        unix::{OwnedReadHalf, OwnedWriteHalf},
    },
};

use crate::limits::{CONSOLE_MESSAGE_BYTES, SESSION_CHUNK_BYTES};

/// Marks input.
pub(crate) const INPUT: u8 = b'I';

/// Marks the size of a window.
pub(crate) const RESIZE: u8 = b'R';

/// What a terminal takes for the end of the input.
const END_OF_TRANSMISSION: u8 = 4;

/// What a container's program writes to its terminal, from now on.
#[derive(Debug)]
pub struct TerminalOutput(OwnedReadHalf);

/// What is typed at the terminal of a container's program.
#[derive(Debug)]
pub struct TerminalInput(OwnedWriteHalf);

/// Goes to a console. `NotFound` when there is none.
pub(crate) fn attach(path: &Path) -> io::Result<(TerminalOutput, TerminalInput)> {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(io::Error::from(io::ErrorKind::InvalidInput));
    };
    // The path may be longer than a socket's name.
    let folder = File::open(folder)?;
    let short = format!("/proc/self/fd/{}", folder.as_raw_fd());
    let stream = StdStream::connect(Path::new(&short).join(name))?;
    stream.set_nonblocking(true)?;
    let (output, input) = UnixStream::from_std(stream)?.into_split();
    Ok((TerminalOutput(output), TerminalInput(input)))
}

impl TerminalOutput {
    /// The next bytes. `None` when the program is over, or this one has read too slowly.
    pub async fn next(&mut self) -> Option<Vec<u8>> {
        let mut bytes = vec![0; SESSION_CHUNK_BYTES];
        match self.0.read(&mut bytes).await {
            Ok(count) if count > 0 => {
                bytes.truncate(count);
                Some(bytes)
            }
            _ => None,
        }
    }
}

impl TerminalInput {
    /// Types bytes.
    ///
    /// # Errors
    /// The program is over.
    pub async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        for piece in bytes.chunks(CONSOLE_MESSAGE_BYTES) {
            self.say(INPUT, piece).await?;
        }
        Ok(())
    }

    /// Says that nothing more will come.
    ///
    /// # Errors
    /// The program is over.
    pub async fn end(&mut self) -> io::Result<()> {
        self.say(INPUT, &[END_OF_TRANSMISSION]).await
    }

    /// Tells the terminal its new size.
    ///
    /// # Errors
    /// The program is over.
    pub async fn resize(&mut self, size: WindowSize) -> io::Result<()> {
        let ([a, b], [c, d]) = (size.rows.to_be_bytes(), size.columns.to_be_bytes());
        self.say(RESIZE, &[a, b, c, d]).await
    }

    async fn say(&mut self, kind: u8, body: &[u8]) -> io::Result<()> {
        let length = u32::try_from(body.len()).unwrap_or(u32::MAX);
        let message = [&[kind], &length.to_be_bytes()[..], body].concat();
        self.0.write_all(&message).await
    }
}
