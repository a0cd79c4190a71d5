//! A task's output: taken from pipes by the container's init, and written into files that take
//! turns, so that it never takes more than its room.
//!
//! The init outlives the agent, so the output goes on while no agent is there; it needs no thread
//! for it, since it waits for output and signals at once. It writes into a folder that the task may
//! write to as well: whatever the task puts in the way of a turn, the file being written is emptied
//! instead, and nothing but plain new files is ever opened.

use std::{
    fs::File,
    io::{self, Read as _, Write as _},
    os::fd::{AsFd as _, OwnedFd},
    rc::Rc,
};

use nix::{
    errno::Errno,
    fcntl::{AtFlags, FcntlArg, OFlag, OpenHow, ResolveFlag, fcntl, openat2, renameat},
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::{
        signal::{SigSet, Signal},
        signalfd::{SfdFlags, SignalFd},
        stat::{Mode, fstat, fstatat},
    },
    unistd::{Gid, Uid, fchown, pipe2},
};

use crate::User;

/// The bytes that are moved at a time: as many as a pipe holds.
const PIECE_BYTES: usize = 64 << 10;

/// The pieces that are moved at the end: as many as the largest pipe holds.
const MOST_PIECES: usize = 16;

/// The room of one stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// The bytes of one file.
    pub bytes: u64,
    /// How many older files are kept beside the one that is written: `NAME.1` is the newest.
    pub kept: u32,
}

/// One stream on its way into files.
#[derive(Debug)]
pub struct LogStream {
    /// The name of the file that is written.
    pub name: &'static str,
    /// That file.
    pub file: OwnedFd,
    /// Where the output comes from.
    pub pipe: OwnedFd,
    /// How much there may be.
    pub room: Room,
}

/// What writes all streams of a container.
#[derive(Debug)]
pub struct Logger {
    writers: Vec<Writer>,
    signals: SignalFd,
    buffer: Vec<u8>,
}

/// A pipe: the end to read from, and the end to write to.
///
/// # Errors
/// There are too many files open.
pub(crate) fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(pipe2(OFlag::O_CLOEXEC)?)
}

impl Logger {
    /// Writes what will come into files of this folder that belong to this user.
    ///
    /// # Errors
    /// There are too many files open.
    pub fn new(folder: OwnedFd, owner: Option<&User>, streams: Vec<LogStream>) -> io::Result<Self> {
        let folder = Rc::new(folder);
        let writers = streams.into_iter().map(|stream| Writer {
            written: fstat(&stream.file).map_or(0, |it| u64::try_from(it.st_size).unwrap_or(0)),
            pipe: stream.pipe.into(),
            file: stream.file.into(),
            name: stream.name,
            room: stream.room,
            folder: Rc::clone(&folder),
            owner: owner.map(|user| (user.uid, user.gid)),
        });
        let flags = SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK;
        Ok(Self {
            writers: writers.collect(),
            signals: SignalFd::with_flags(&SigSet::all(), flags)?,
            buffer: vec![0; PIECE_BYTES],
        })
    }

    /// Writes until there is a signal, which must be blocked.
    ///
    /// # Errors
    /// Signals cannot be waited for.
    pub fn wait_signal(&mut self) -> io::Result<Signal> {
        loop {
            if let Some(signal) = self.step()? {
                return Ok(signal);
            }
        }
    }

    /// Waits for something, and takes it: a signal, or a piece of each stream that has some.
    fn step(&mut self) -> io::Result<Option<Signal>> {
        let mut asked = vec![PollFd::new(self.signals.as_fd(), PollFlags::POLLIN)];
        let pipes = self.writers.iter();
        asked.extend(pipes.map(|it| PollFd::new(it.pipe.as_fd(), PollFlags::POLLIN)));
        match poll(&mut asked, PollTimeout::NONE) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
        let mut ready: Vec<_> = asked.iter().map(|it| it.any() == Some(true)).collect();
        let is_signal = ready.remove(0);
        let (mut ready, buffer) = (ready.into_iter(), &mut self.buffer);
        // At its end, a stream is forgotten.
        self.writers.retain_mut(|writer| {
            ready.next() != Some(true) || !matches!(writer.take(buffer), Ok(0))
        });
        if !is_signal {
            return Ok(None);
        }
        let signal = self.signals.read_signal()?;
        let number = signal.and_then(|it| i32::try_from(it.ssi_signo).ok());
        // One without a name means nothing to anybody here.
        Ok(number.and_then(|number| Signal::try_from(number).ok()))
    }

    /// Writes what is there by now, and waits for nothing.
    pub fn drain(&mut self) {
        let buffer = &mut self.buffer;
        self.writers.iter_mut().for_each(|it| it.drain(buffer));
    }
}

/// One stream.
#[derive(Debug)]
struct Writer {
    name: &'static str,
    pipe: File,
    file: File,
    /// The bytes in the file.
    written: u64,
    room: Room,
    folder: Rc<OwnedFd>,
    owner: Option<(u32, u32)>,
}

impl Writer {
    /// Moves one piece; gives its length, which is 0 at the end.
    fn take(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.pipe.read(buffer)?;
        let mut piece = &buffer[..count];
        while !piece.is_empty() {
            if self.written >= self.room.bytes {
                self.turn();
            }
            let left = usize::try_from(self.room.bytes - self.written).unwrap_or(usize::MAX);
            let (now, later) = piece.split_at(left.min(piece.len()));
            // On a full disk output is lost: a task is not held up by that.
            if self.file.write_all(now).is_ok() {
                self.written += now.len() as u64;
            }
            piece = later;
        }
        Ok(count)
    }

    /// Moves what is there, and waits for nothing.
    fn drain(&mut self, buffer: &mut [u8]) {
        if fcntl(&self.pipe, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).is_ok() {
            // Who goes on writing is not waited for.
            let mut pieces = 0..MOST_PIECES;
            while pieces.next().is_some() && matches!(self.take(buffer), Ok(1..)) {}
        }
    }

    /// Begins a new file. If that cannot be, the old one is emptied.
    fn turn(&mut self) {
        match self.next() {
            Ok(file) => self.file = file,
            Err(_) => {
                // A file that cannot be cut off stays as long as it is.
                let _ = self.file.set_len(0);
            }
        }
        self.written = 0;
    }

    fn next(&self) -> io::Result<File> {
        let folder = self.folder.as_fd();
        let own = fstat(&self.file)?;
        match fstatat(folder, self.name, AtFlags::AT_SYMLINK_NOFOLLOW) {
            Ok(there) if (there.st_dev, there.st_ino) == (own.st_dev, own.st_ino) => {
                self.shift()?
            }
            // The task took it away.
            Err(Errno::ENOENT) => {}
            _ => return Err(io::Error::other("the task put something else there")),
        }
        let flags = OFlag::O_WRONLY
            | OFlag::O_APPEND
            | OFlag::O_CREAT
            | OFlag::O_EXCL
            | OFlag::O_NOFOLLOW
            | OFlag::O_CLOEXEC;
        let how = OpenHow::new()
            .flags(flags)
            .mode(Mode::from_bits_truncate(0o644))
            .resolve(ResolveFlag::RESOLVE_BENEATH | ResolveFlag::RESOLVE_NO_SYMLINKS);
        let file = openat2(folder, self.name, how)?;
        if let Some((uid, gid)) = self.owner {
            fchown(&file, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)))?;
        }
        Ok(file.into())
    }

    /// Gives each file the next older name; the oldest goes.
    fn shift(&self) -> io::Result<()> {
        if self.room.kept == 0 {
            return Err(io::Error::other("no older file is kept"));
        }
        let name = |age: u32| match age {
            0 => self.name.to_owned(),
            age => format!("{}.{age}", self.name),
        };
        let folder = self.folder.as_fd();
        for age in (0..self.room.kept).rev() {
            match renameat(folder, name(age).as_str(), folder, name(age + 1).as_str()) {
                Err(Errno::ENOENT) => {}
                renamed => renamed?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::*;

    /// Lets all this be written.
    fn log(folder: &Path, room: Room, bytes: &[u8]) {
        let (mut logger, into) = start(folder, room);
        write(&mut logger, into, bytes);
    }

    fn start(folder: &Path, room: Room) -> (Logger, File) {
        let opened = crate::open_folder(folder).unwrap();
        let (pipe, into) = pipe().unwrap();
        let stream = LogStream {
            name: "stdout",
            file: crate::open_output(opened.as_fd(), "stdout").unwrap(),
            pipe,
            room,
        };
        let logger = Logger::new(opened, None, vec![stream]).unwrap();
        (logger, into.into())
    }

    fn write(logger: &mut Logger, mut into: File, bytes: &[u8]) {
        std::thread::scope(|scope| {
            scope.spawn(move || into.write_all(bytes).unwrap());
            while !logger.writers.is_empty() {
                assert_eq!(logger.step().unwrap(), None);
            }
        });
    }

    fn names(folder: &Path) -> Vec<String> {
        let names = fs::read_dir(folder).unwrap();
        let mut names: Vec<_> = names
            .map(|it| it.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    const ROOM: Room = Room {
        bytes: 100_000,
        kept: 2,
    };

    #[test]
    fn r07_output_takes_no_more_than_its_room_and_the_newest_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let all: Vec<u8> = (0..200_000_u32)
            .flat_map(|it| format!("{it}\n").into_bytes())
            .collect();
        log(folder.path(), ROOM, &all);
        assert_eq!(names(folder.path()), ["stdout", "stdout.1", "stdout.2"]);
        let kept: Vec<u8> = ["stdout.2", "stdout.1", "stdout"]
            .into_iter()
            .flat_map(|name| fs::read(folder.path().join(name)).unwrap())
            .collect();
        assert!(kept.len() <= 300_000 && kept.len() > 200_000);
        assert!(all.ends_with(&kept), "not one byte is lost between them");
    }

    #[test]
    fn what_was_written_before_the_end_is_there_though_a_pipe_stays_open() {
        let folder = tempfile::tempdir().unwrap();
        let (mut logger, mut into) = start(folder.path(), ROOM);
        into.write_all(b"last words").unwrap();
        logger.drain();
        let text = fs::read_to_string(folder.path().join("stdout")).unwrap();
        assert_eq!(text, "last words");
    }

    #[test]
    fn whatever_a_task_puts_in_the_way_is_left_alone_and_bounds_hold() {
        let outside = tempfile::tempdir().unwrap();
        let kept = outside.path().join("kept");
        fs::write(&kept, "kept").unwrap();
        type Spoil = fn(&Path, &Path);
        let spoils: [Spoil; 4] = [
            |folder, _| {
                fs::create_dir(folder.join("stdout.1")).unwrap();
                fs::write(folder.join("stdout.1/x"), "").unwrap();
            },
            |folder, kept| std::os::unix::fs::symlink(kept, folder.join("stdout.1")).unwrap(),
            |folder, _| fs::remove_file(folder.join("stdout")).unwrap(),
            |folder, kept| {
                fs::remove_file(folder.join("stdout")).unwrap();
                std::os::unix::fs::symlink(kept, folder.join("stdout")).unwrap();
            },
        ];
        for spoil in spoils {
            let folder = tempfile::tempdir().unwrap();
            let (mut logger, into) = start(folder.path(), ROOM);
            spoil(folder.path(), &kept);
            write(&mut logger, into, &vec![b'x'; 1 << 20]);
            assert_eq!(fs::read_to_string(&kept).unwrap(), "kept");
            for name in names(folder.path()) {
                let there = fs::symlink_metadata(folder.path().join(name)).unwrap();
                assert!(!there.is_file() || there.len() <= ROOM.bytes);
            }
        }
    }

    #[test]
    fn without_older_files_the_one_is_emptied() {
        let folder = tempfile::tempdir().unwrap();
        let room = Room { kept: 0, ..ROOM };
        log(folder.path(), room, &vec![b'x'; 250_000]);
        assert_eq!(names(folder.path()), ["stdout"]);
        let length = folder.path().join("stdout").metadata().unwrap().len();
        assert_eq!(length, 50_000);
    }
}
