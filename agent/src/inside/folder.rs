//! The folder of a container inside of another: in the sandbox of that one, where a task may have
//! put what it likes. No link is followed.

use std::{
    fs::File,
    io::{self, Write as _},
    os::fd::{AsFd as _, OwnedFd},
    path::{Path, PathBuf},
};

use nix::{
    errno::Errno,
    fcntl::{OFlag, OpenHow, ResolveFlag, openat2},
    sys::stat::{Mode, fstat, mkdirat},
    unistd::{Gid, Uid, fchown},
};
use tepui_containers::SessionStream;

use super::{Name, Piece};

/// What folders of containers are in (Mesos: SBX-01).
const CONTAINERS: &str = "containers";

/// Where output is written.
#[derive(Debug)]
pub(crate) struct Log {
    output: File,
    error: File,
}

impl Log {
    /// Writes down what a program wrote. A full disk is the operator's to see to: the program goes
    /// on.
    pub(crate) fn write(&mut self, (stream, bytes): &Piece) -> io::Result<()> {
        match stream {
            SessionStream::Output => self.output.write_all(bytes),
            SessionStream::Error => self.error.write_all(bytes),
        }
    }
}

/// Makes the folder of a container, of the user to whom the sandbox belongs; gives its path from
/// the sandbox, and where output goes. It blocks.
pub(crate) fn make(sandbox: &Path, name: &Name) -> io::Result<(PathBuf, Log)> {
    let mut folder = tepui_sys::open_folder(sandbox)?;
    let owner = fstat(folder.as_fd())?;
    let mut path = PathBuf::new();
    // The sandbox is that of the container that tasks and executors have.
    let inner = name.ids().iter().skip(depth_of(sandbox, name));
    for id in inner {
        for part in [CONTAINERS, id.as_str()] {
            folder = enter(&folder, part)?;
            fchown(
                folder.as_fd(),
                Some(Uid::from_raw(owner.st_uid)),
                Some(Gid::from_raw(owner.st_gid)),
            )?;
            path.push(part);
        }
    }
    let open = |name| tepui_sys::open_output(folder.as_fd(), name).map(File::from);
    let log = Log {
        output: open("stdout")?,
        error: open("stderr")?,
    };
    for file in [&log.output, &log.error] {
        fchown(
            file.as_fd(),
            Some(Uid::from_raw(owner.st_uid)),
            Some(Gid::from_raw(owner.st_gid)),
        )?;
    }
    Ok((path, log))
}

/// How many of the ids stand for what has the sandbox: up to the one that it is called by.
fn depth_of(sandbox: &Path, name: &Name) -> usize {
    let of = |id: &tepui_model::ContainerId| sandbox.file_name() == Some(id.as_str().as_ref());
    name.ids().iter().position(of).map_or(1, |at| at + 1)
}

/// Makes a folder in another, if it is not there, and opens it.
fn enter(folder: &OwnedFd, part: &str) -> io::Result<OwnedFd> {
    match mkdirat(folder.as_fd(), part, Mode::from_bits_truncate(0o755)) {
        Ok(()) | Err(Errno::EEXIST) => {}
        Err(error) => return Err(error.into()),
    }
    let flags = OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_RDONLY | OFlag::O_CLOEXEC;
    let how = OpenHow::new()
        .flags(flags)
        .resolve(ResolveFlag::RESOLVE_BENEATH | ResolveFlag::RESOLVE_NO_SYMLINKS);
    Ok(openat2(folder.as_fd(), part, how)?)
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink};

    use tepui_proto::v1;

    use super::*;

    fn name() -> Name {
        let parent = Some(Box::new(v1::ContainerId {
            value: "p".to_owned(),
            parent: None,
        }));
        let value = "c".to_owned();
        Name::read(&v1::ContainerId { value, parent }).unwrap()
    }

    #[test]
    fn output_is_where_mesos_has_it() {
        let folder = tempfile::tempdir().unwrap();
        let (path, mut log) = make(folder.path(), &name()).unwrap();
        assert_eq!(path, Path::new("containers/c"));
        log.write(&(SessionStream::Output, b"out".to_vec()))
            .unwrap();
        log.write(&(SessionStream::Error, b"err".to_vec())).unwrap();
        let read = |file: &str| fs::read_to_string(folder.path().join(&path).join(file)).unwrap();
        assert_eq!(
            (read("stdout"), read("stderr")),
            ("out".into(), "err".into())
        );
    }

    #[test]
    fn a_link_that_a_task_has_put_there_leads_nowhere() {
        let folder = tempfile::tempdir().unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        symlink(elsewhere.path(), folder.path().join(CONTAINERS)).unwrap();
        assert!(make(folder.path(), &name()).is_err());
        assert_eq!(fs::read_dir(elsewhere.path()).unwrap().count(), 0);
    }
}
