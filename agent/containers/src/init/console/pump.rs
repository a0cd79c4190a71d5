//! What a console does: it carries bytes between a terminal's master, a file and its clients.

use std::{
    fs::File,
    io::{self, Read as _, Write as _},
    os::{
        fd::{AsFd, OwnedFd},
        unix::net::{UnixListener, UnixStream},
    },
    time::{Duration, Instant},
};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use tepui_sys::{WindowSize, resize};

use crate::{
    console::{INPUT, RESIZE},
    limits::{
        CONSOLE_BUFFER_BYTES, CONSOLE_CLIENTS, CONSOLE_MESSAGE_BYTES, CONSOLE_PATIENCE,
        SESSION_CHUNK_BYTES,
    },
};

/// How often a client is looked at that does not read.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The length of what stands before each message of a client.
const HEAD: usize = 5;

/// A console at work.
pub(super) struct Pump {
    master: File,
    log: File,
    listener: UnixListener,
    clients: Vec<Client>,
    /// Input that the program has not read.
    input: Vec<u8>,
}

/// Somebody at the console.
struct Client {
    stream: UnixStream,
    /// What it has not read.
    output: Vec<u8>,
    /// The beginning of a message.
    message: Vec<u8>,
    /// Since when it has not read.
    stuck: Option<Instant>,
    gone: bool,
}

/// What can be done now.
#[derive(Default)]
struct Ready {
    listener: bool,
    readable: bool,
    writable: bool,
    clients: Vec<(bool, bool)>,
}

impl Pump {
    /// One whose standard input is the master, output the file, and error the socket.
    pub(super) fn of_streams() -> io::Result<Self> {
        let master = io::stdin().as_fd().try_clone_to_owned()?;
        let log = io::stdout().as_fd().try_clone_to_owned()?;
        let listener = io::stderr().as_fd().try_clone_to_owned()?;
        Self::new(master, log.into(), listener.into())
    }

    fn new(master: OwnedFd, log: File, listener: UnixListener) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        Ok(Self {
            master: master.into(),
            log,
            listener,
            clients: Vec::new(),
            input: Vec::new(),
        })
    }

    /// Works until nobody has the terminal any more.
    pub(super) fn run(mut self) -> io::Result<()> {
        loop {
            let ready = self.wait()?;
            for (client, (readable, writable)) in self.clients.iter_mut().zip(&ready.clients) {
                if *writable {
                    client.flush();
                }
                if *readable {
                    client.listen(&self.master, &mut self.input);
                }
            }
            if ready.writable {
                self.feed();
            }
            if ready.readable && !self.show() {
                break;
            }
            if ready.listener {
                self.welcome();
            }
            self.clients.retain(|client| !client.is_lost());
        }
        for mut client in self.clients {
            client.last_words();
        }
        Ok(())
    }

    fn wait(&self) -> io::Result<Ready> {
        let waits = self.clients.iter().any(|it| !it.output.is_empty());
        let room = !self.clients.iter().any(Client::is_full);
        let flag = |wanted: bool, flag: PollFlags| match wanted {
            true => flag,
            false => PollFlags::empty(),
        };
        let of_master =
            flag(room, PollFlags::POLLIN) | flag(!self.input.is_empty(), PollFlags::POLLOUT);
        let welcome = flag(self.clients.len() < CONSOLE_CLIENTS, PollFlags::POLLIN);
        let listens = self.input.len() < CONSOLE_BUFFER_BYTES;
        let mut all = vec![PollFd::new(self.listener.as_fd(), welcome)];
        // A master that nobody may be shown is not asked: it would say at once that it is over.
        if !of_master.is_empty() {
            all.push(PollFd::new(self.master.as_fd(), of_master));
        }
        for client in &self.clients {
            let wanted = flag(listens, PollFlags::POLLIN)
                | flag(!client.output.is_empty(), PollFlags::POLLOUT);
            all.push(PollFd::new(client.stream.as_fd(), wanted));
        }
        let timeout = match waits {
            true => PollTimeout::try_from(LOOK_EVERY).unwrap_or(PollTimeout::ZERO),
            false => PollTimeout::NONE,
        };
        match poll(&mut all, timeout) {
            Ok(_) | Err(nix::errno::Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
        let told = |fd: &PollFd<'_>| fd.revents().unwrap_or(PollFlags::empty());
        let over = PollFlags::POLLHUP | PollFlags::POLLERR;
        let mut flags = all.iter().map(told);
        let listener = flags
            .next()
            .is_some_and(|it| it.contains(PollFlags::POLLIN));
        let master = match of_master.is_empty() {
            true => PollFlags::empty(),
            false => flags.next().unwrap_or(PollFlags::empty()),
        };
        Ok(Ready {
            listener,
            readable: room && master.intersects(PollFlags::POLLIN | over),
            writable: master.contains(PollFlags::POLLOUT),
            clients: flags
                .map(|it| {
                    // One that is gone is read to its end, even now.
                    let readable =
                        (listens && it.contains(PollFlags::POLLIN)) || it.intersects(over);
                    (readable, it.contains(PollFlags::POLLOUT))
                })
                .collect(),
        })
    }

    fn welcome(&mut self) {
        if let Ok((stream, _)) = self.listener.accept()
            && stream.set_nonblocking(true).is_ok()
        {
            self.clients.push(Client {
                stream,
                output: Vec::new(),
                message: Vec::new(),
                stuck: None,
                gone: false,
            });
        }
    }

    /// Gives the program input, as much as it takes.
    fn feed(&mut self) {
        match self.master.write(&self.input) {
            Ok(count) => drop(self.input.drain(..count)),
            Err(error) if again(&error) => {}
            // Nobody reads it.
            Err(_) => self.input.clear(),
        }
    }

    /// Shows everybody what the program has written. False when nobody can write any more.
    fn show(&mut self) -> bool {
        let mut bytes = vec![0; SESSION_CHUNK_BYTES];
        let count = match self.master.read(&mut bytes) {
            Ok(0) => return false,
            Ok(count) => count,
            Err(error) => return again(&error),
        };
        // A full disk is no reason for the program not to be seen.
        let _ = self.log.write_all(&bytes[..count]);
        for client in &mut self.clients {
            client.output.extend_from_slice(&bytes[..count]);
            client.flush();
        }
        true
    }
}

impl Client {
    fn is_full(&self) -> bool {
        self.output.len() >= CONSOLE_BUFFER_BYTES
    }

    /// Whether it is gone, or has not read for so long that it counts as gone.
    fn is_lost(&self) -> bool {
        let stuck = self
            .stuck
            .is_some_and(|since| since.elapsed() > CONSOLE_PATIENCE);
        self.gone || (stuck && self.is_full())
    }

    fn flush(&mut self) {
        while !self.output.is_empty() {
            match self.stream.write(&self.output) {
                Ok(count) => {
                    self.output.drain(..count);
                    self.stuck = None;
                }
                Err(error) if again(&error) => {
                    self.stuck.get_or_insert_with(Instant::now);
                    return;
                }
                Err(_) => {
                    self.gone = true;
                    return;
                }
            }
        }
    }

    /// Takes what it says: input goes to the program, and a size to the terminal.
    fn listen(&mut self, master: &File, input: &mut Vec<u8>) {
        let mut bytes = vec![0; SESSION_CHUNK_BYTES];
        match self.stream.read(&mut bytes) {
            Ok(0) => self.gone = true,
            Ok(count) => self.message.extend_from_slice(&bytes[..count]),
            Err(error) => self.gone |= !again(&error),
        }
        while let Some((kind, body)) = self.next() {
            match (kind, &body[..]) {
                (INPUT, body) => input.extend_from_slice(body),
                (RESIZE, [a, b, c, d]) => {
                    let size = WindowSize {
                        rows: u16::from_be_bytes([*a, *b]),
                        columns: u16::from_be_bytes([*c, *d]),
                    };
                    // A terminal that is over has no size.
                    let _ = resize(master.as_fd(), size);
                }
                _ => self.gone = true,
            }
        }
    }

    /// The next message that is whole.
    fn next(&mut self) -> Option<(u8, Vec<u8>)> {
        let (head, rest) = self.message.split_at_checked(HEAD)?;
        let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize;
        if length > CONSOLE_MESSAGE_BYTES {
            self.gone = true;
            return None;
        }
        let (kind, body) = (head[0], rest.get(..length)?.to_vec());
        self.message.drain(..HEAD + length);
        Some((kind, body))
    }

    /// What waits is still said, if it is read soon.
    fn last_words(&mut self) {
        let patient = self.stream.set_nonblocking(false);
        let timed = self.stream.set_write_timeout(Some(LOOK_EVERY));
        if patient.is_ok() && timed.is_ok() {
            // A client that is gone need not hear them.
            let _ = self.stream.write_all(&self.output);
        }
    }
}

fn again(error: &io::Error) -> bool {
    let kind = error.kind();
    kind == io::ErrorKind::WouldBlock || kind == io::ErrorKind::Interrupted
}

#[cfg(test)]
mod tests {
    use std::{fs, thread};

    use super::*;

    /// A console whose terminal is the other end of a socket.
    fn console() -> (tempfile::TempDir, UnixStream, thread::JoinHandle<()>) {
        let folder = tempfile::tempdir().unwrap();
        let (program, master) = UnixStream::pair().unwrap();
        master.set_nonblocking(true).unwrap();
        let log = File::create(folder.path().join("stdout")).unwrap();
        let listener = super::super::listen(&folder.path().join("console")).unwrap();
        let pump = Pump::new(master.into(), log, listener).unwrap();
        let pump = thread::spawn(|| pump.run().unwrap());
        (folder, program, pump)
    }

    fn say(client: &mut UnixStream, kind: u8, body: &[u8]) {
        let length = u32::try_from(body.len()).unwrap();
        let message = [&[kind], &length.to_be_bytes()[..], body].concat();
        for byte in message.chunks(3) {
            client.write_all(byte).unwrap();
        }
    }

    fn read(stream: &mut UnixStream, length: usize) -> String {
        let mut bytes = vec![0; length];
        stream.read_exact(&mut bytes).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn what_is_written_is_seen_by_all_and_kept_and_input_comes_through() {
        let (folder, mut program, pump) = console();
        let path = folder.path().join("console");
        let mut clients = [(); 2].map(|()| UnixStream::connect(&path).unwrap());
        for (number, client) in clients.iter_mut().enumerate() {
            say(client, INPUT, format!("in{number}").as_bytes());
            assert_eq!(read(&mut program, 3), format!("in{number}"));
        }
        program.write_all(b"out").unwrap();
        for client in &mut clients {
            assert_eq!(read(client, 3), "out");
        }
        // One leaves, and the other is told to the end.
        let [first, mut second] = clients;
        drop(first);
        program.write_all(&[b'x'; 300_000]).unwrap();
        drop(program);
        let mut rest = String::new();
        second.read_to_string(&mut rest).unwrap();
        assert_eq!(rest.len(), 300_000);
        pump.join().unwrap();
        let kept = fs::read(folder.path().join("stdout")).unwrap();
        assert_eq!(kept.len(), 300_003);
    }

    #[test]
    fn who_talks_nonsense_is_cut_off_and_the_program_goes_on() {
        let (folder, mut program, pump) = console();
        let path = folder.path().join("console");
        for (kind, body) in [(9, &b"x"[..]), (RESIZE, b"abc")] {
            let mut client = UnixStream::connect(&path).unwrap();
            say(&mut client, kind, body);
            assert_eq!(client.read(&mut [0]).unwrap(), 0);
        }
        let mut client = UnixStream::connect(&path).unwrap();
        client.write_all(&[INPUT, 255, 255, 255, 255]).unwrap();
        assert_eq!(client.read(&mut [0]).unwrap(), 0);
        program.write_all(b"on").unwrap();
        drop(program);
        pump.join().unwrap();
        assert_eq!(fs::read(folder.path().join("stdout")).unwrap(), b"on");
    }
}
