//! Opening files in folders that a task may have filled with traps.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::Path,
};

use nix::{
    fcntl::{AT_FDCWD, OFlag, OpenHow, ResolveFlag, openat2},
    sys::stat::{Mode, SFlag, fstat},
};

/// Opens a folder. Its own name must not be a symbolic link, and nothing on the way may lead
/// through `/proc`'s links to open files (CVE-2024-21626).
pub fn open_folder(path: &Path) -> io::Result<OwnedFd> {
    let flags = OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_RDONLY | OFlag::O_CLOEXEC;
    let how = OpenHow::new()
        .flags(flags)
        .resolve(ResolveFlag::RESOLVE_NO_MAGICLINKS);
    Ok(openat2(AT_FDCWD, path, how)?)
}

/// Opens a file for a task's output, to append to, and makes it if there is none.
///
/// What a task may have put in its place is refused: links, pipes, devices, and second names of
/// files that live elsewhere (CVE-2026-6959).
pub fn open_output(folder: BorrowedFd<'_>, name: &str) -> io::Result<OwnedFd> {
    // O_NONBLOCK: opening a pipe must not wait for its other end.
    let flags = OFlag::O_WRONLY
        | OFlag::O_APPEND
        | OFlag::O_CREAT
        | OFlag::O_NOFOLLOW
        | OFlag::O_NONBLOCK
        | OFlag::O_NOCTTY
        | OFlag::O_CLOEXEC;
    let how = OpenHow::new()
        .flags(flags)
        .mode(Mode::from_bits_truncate(0o644))
        .resolve(ResolveFlag::RESOLVE_BENEATH | ResolveFlag::RESOLVE_NO_SYMLINKS);
    let file = openat2(folder, name, how)?;
    let status = fstat(file.as_fd())?;
    let kind = SFlag::from_bits_truncate(status.st_mode) & SFlag::S_IFMT;
    if kind != SFlag::S_IFREG {
        return Err(io::Error::other("it is no regular file"));
    }
    if status.st_nlink != 1 {
        return Err(io::Error::other("it has a second name elsewhere"));
    }
    // Regular files know no waiting; programs that look at the flag should not see it.
    nix::fcntl::fcntl(file.as_fd(), nix::fcntl::FcntlArg::F_SETFL(OFlag::O_APPEND))?;
    Ok(file)
}

/// Opens a path inside a folder for reading, whatever links it holds: none of them leads out.
pub fn open_beneath(folder: BorrowedFd<'_>, path: &Path) -> io::Result<OwnedFd> {
    let flags = OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
    let resolve = ResolveFlag::RESOLVE_BENEATH | ResolveFlag::RESOLVE_NO_MAGICLINKS;
    Ok(openat2(
        folder,
        path,
        OpenHow::new().flags(flags).resolve(resolve),
    )?)
}

#[cfg(test)]
mod tests {
    use std::{
        fs::{self, File},
        io::{Read, Write},
        os::unix::fs::symlink,
    };

    use super::*;

    #[test]
    fn output_is_appended_to_a_regular_file() {
        let folder = tempfile::tempdir().unwrap();
        let opened = open_folder(folder.path()).unwrap();
        for word in ["one ", "two"] {
            let mut file = File::from(open_output(opened.as_fd(), "stdout").unwrap());
            file.write_all(word.as_bytes()).unwrap();
        }
        assert_eq!(
            fs::read_to_string(folder.path().join("stdout")).unwrap(),
            "one two"
        );
    }

    #[test]
    fn traps_in_place_of_an_output_file_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("victim"), "untouched").unwrap();
        symlink("victim", at("link")).unwrap();
        symlink("/nowhere/at/all", at("dangling")).unwrap();
        fs::hard_link(at("victim"), at("second-name")).unwrap();
        fs::create_dir(at("folder")).unwrap();
        nix::unistd::mkfifo(&at("pipe"), Mode::S_IRWXU).unwrap();
        let opened = open_folder(folder.path()).unwrap();
        for trap in [
            "link",
            "dangling",
            "second-name",
            "folder",
            "pipe",
            "../escape",
            "/etc/passwd",
        ] {
            assert!(open_output(opened.as_fd(), trap).is_err(), "{trap}");
        }
        assert_eq!(fs::read_to_string(at("victim")).unwrap(), "untouched");
    }

    #[test]
    fn a_linked_folder_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("link");
        symlink("/etc", &link).unwrap();
        assert!(open_folder(&link).is_err());
        let opened = open_folder(folder.path()).unwrap();
        let magic = format!(
            "/proc/self/fd/{}/.",
            std::os::fd::AsRawFd::as_raw_fd(&opened)
        );
        assert!(open_folder(Path::new(&magic)).is_err());
    }

    #[test]
    fn reading_beneath_a_folder_never_leaves_it() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("inside"), "inside").unwrap();
        symlink("inside", folder.path().join("good")).unwrap();
        symlink("/etc/passwd", folder.path().join("bad")).unwrap();
        symlink("../../etc/passwd", folder.path().join("worse")).unwrap();
        let opened = open_folder(folder.path()).unwrap();
        let mut text = String::new();
        let good = open_beneath(opened.as_fd(), Path::new("good")).unwrap();
        File::from(good).read_to_string(&mut text).unwrap();
        assert_eq!(text, "inside");
        for path in ["bad", "worse", "../x", "/etc/passwd"] {
            assert!(
                open_beneath(opened.as_fd(), Path::new(path)).is_err(),
                "{path}"
            );
        }
    }
}
