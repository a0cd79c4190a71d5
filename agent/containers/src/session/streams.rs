//! What a session's program reads and writes, on the agent's side.

use std::{
    io,
    os::fd::{AsFd, OwnedFd},
    sync::Arc,
};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use tepui_sys::Watched;

use crate::limits::SESSION_CHUNK_BYTES;

/// What a terminal takes for the end of the input.
const END_OF_TRANSMISSION: u8 = 4;

/// What a session's program reads.
#[derive(Debug)]
pub struct SessionInput(Way);

#[derive(Debug)]
enum Way {
    Terminal(Arc<Watched<OwnedFd>>),
    Pipe(Watched<OwnedFd>),
    Closed,
}

/// Which of its streams a program wrote to. With a terminal, all is output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionStream {
    /// Standard output.
    Output,
    /// Standard error.
    Error,
}

/// What a session's program writes.
#[derive(Debug)]
pub struct SessionOutput(Source);

#[derive(Debug)]
enum Source {
    Terminal(Option<Arc<Watched<OwnedFd>>>),
    Pipes(Option<Watched<OwnedFd>>, Option<Watched<OwnedFd>>),
}

impl SessionInput {
    /// Gives the program bytes to read, and returns when they are on their way. A program that
    /// reads no more is an error.
    ///
    /// # Errors
    /// As the kernel says.
    pub async fn write(&self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let write = |file: &OwnedFd| Ok(nix::unistd::write(file, bytes)?);
            let count = match &self.0 {
                Way::Terminal(file) => file.write_with(write).await?,
                Way::Pipe(file) => file.write_with(write).await?,
                Way::Closed => return Err(io::Error::from(io::ErrorKind::BrokenPipe)),
            };
            bytes = bytes.get(count..).unwrap_or_default();
        }
        Ok(())
    }

    /// Says that nothing more will come.
    ///
    /// # Errors
    /// As the kernel says.
    pub async fn end(&mut self) -> io::Result<()> {
        if let Way::Terminal(_) = self.0 {
            self.write(&[END_OF_TRANSMISSION]).await?;
        } else {
            self.0 = Way::Closed;
        }
        Ok(())
    }
}

impl SessionOutput {
    /// The next bytes, when there are some. `None` when nobody can write any more. Cancel-safe.
    pub async fn next(&mut self) -> Option<(SessionStream, Vec<u8>)> {
        match &mut self.0 {
            Source::Terminal(master) => {
                let bytes = read(master.as_deref()).await;
                if bytes.is_none() {
                    *master = None;
                }
                Some((SessionStream::Output, bytes?))
            }
            Source::Pipes(output, error) => loop {
                if output.is_none() && error.is_none() {
                    return None;
                }
                let (stream, bytes) = tokio::select! {
                    bytes = read_or_never(output.as_ref()) => (SessionStream::Output, bytes),
                    bytes = read_or_never(error.as_ref()) => (SessionStream::Error, bytes),
                };
                match (bytes, stream) {
                    (Some(bytes), stream) => return Some((stream, bytes)),
                    (None, SessionStream::Output) => *output = None,
                    (None, SessionStream::Error) => *error = None,
                }
            },
        }
    }
}

async fn read_or_never(file: Option<&Watched<OwnedFd>>) -> Option<Vec<u8>> {
    match file {
        Some(file) => read(Some(file)).await,
        None => std::future::pending().await,
    }
}

/// `None` at the end: a terminal that nobody has open any more answers with an error.
async fn read(file: Option<&Watched<OwnedFd>>) -> Option<Vec<u8>> {
    let mut bytes = vec![0; SESSION_CHUNK_BYTES];
    let read = |file: &OwnedFd| Ok(nix::unistd::read(file, &mut bytes)?);
    match file?.read_with(read).await {
        Ok(0) | Err(_) => None,
        Ok(count) => {
            bytes.truncate(count);
            Some(bytes)
        }
    }
}

/// The program's ends of the pipes, and ours.
pub(super) struct Pipes {
    pub(super) theirs: [OwnedFd; 3],
    ours: [OwnedFd; 3],
}

impl Pipes {
    pub(super) fn new() -> io::Result<Self> {
        let (input, our_input) = io::pipe()?;
        let (our_output, output) = io::pipe()?;
        let (our_error, error) = io::pipe()?;
        Ok(Self {
            theirs: [input.into(), output.into(), error.into()],
            ours: [our_input.into(), our_output.into(), our_error.into()],
        })
    }

    /// Our ends, when the program has its own.
    pub(super) fn streams(self) -> io::Result<(SessionInput, SessionOutput)> {
        let [input, output, error] = self.ours;
        let input = SessionInput(Way::Pipe(watched(input)?));
        let output = Source::Pipes(Some(watched(output)?), Some(watched(error)?));
        Ok((input, SessionOutput(output)))
    }
}

/// Both directions of a terminal.
pub(super) fn terminal(master: &Arc<Watched<OwnedFd>>) -> (SessionInput, SessionOutput) {
    let input = SessionInput(Way::Terminal(Arc::clone(master)));
    (input, SessionOutput(Source::Terminal(Some(master.clone()))))
}

fn watched(file: OwnedFd) -> io::Result<Watched<OwnedFd>> {
    fcntl(file.as_fd(), FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
    Watched::new(file)
}
