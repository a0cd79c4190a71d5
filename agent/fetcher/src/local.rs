//! Files of this machine: only what the operator allows, and only what the task's user may read.

use std::{
    fs::File,
    io,
    os::fd::{AsRawFd as _, OwnedFd},
    path::{Component, Path, PathBuf},
};

use rustix::fs::{CWD, FileType, Mode, OFlags, ResolveFlags, fstat, open, openat, openat2};
use tepui_images::Error;

use crate::Options;

/// A file of this machine that the operator allows.
#[derive(Debug)]
pub(crate) struct Allowed {
    base: OwnedFd,
    /// The path from there; empty for the base itself.
    rest: PathBuf,
}

/// Finds what a path means, if the operator allows it.
pub(crate) fn allowed(options: &Options, path: &Path) -> Result<Allowed, Error> {
    let (base, rest) = place(options, path).map_err(Error::Broken)?;
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    let base = open(base, flags, Mode::empty()).map_err(|error| cannot(error.into()))?;
    let rest = rest.to_owned();
    Ok(Allowed { base, rest })
}

fn place<'a>(options: &'a Options, path: &'a Path) -> Result<(&'a Path, &'a Path), String> {
    let plain = |part| matches!(part, Component::RootDir | Component::Normal(_));
    if !path.components().all(plain) {
        return Err("it must be a path without '.' and '..'".to_owned());
    }
    if !path.is_absolute() {
        let home = options.home.as_deref().ok_or(
            "paths that are not absolute lead from --frameworks-home, which this agent has not",
        )?;
        return Ok((home, path));
    }
    let base = options.host_paths.iter().find(|it| path.starts_with(it));
    let base = base.ok_or_else(|| {
        format!(
            "this agent does not give that file of its machine to tasks: start it with \
             --allowed-host-paths {}",
            path.display()
        )
    })?;
    Ok((base, path.strip_prefix(base).unwrap_or(Path::new(""))))
}

impl Allowed {
    /// Opens the file, with the rights of this thread.
    pub(crate) fn open(&self) -> Result<File, Error> {
        // Opening a pipe must not wait for its other end.
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let opened = if self.rest.as_os_str().is_empty() {
            let path = format!("/proc/self/fd/{}", self.base.as_raw_fd());
            openat(CWD, path, flags, Mode::empty())
        } else {
            let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
            openat2(&self.base, &self.rest, flags, Mode::empty(), resolve)
        };
        let opened = opened.map_err(|error| cannot(error.into()))?;
        let status = fstat(&opened).map_err(|error| cannot(error.into()))?;
        if FileType::from_raw_mode(status.st_mode) != FileType::RegularFile {
            return Err(Error::Broken("it is no regular file".to_owned()));
        }
        Ok(opened.into())
    }
}

fn cannot(error: io::Error) -> Error {
    Error::Broken(format!("it cannot be opened: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_allowed_below_what_the_operator_names_and_not_beside_it() {
        let mut options = Options::new("/none");
        options.host_paths = vec!["/srv/data".into(), "/etc/hosts".into()];
        let placed = |path: &str| {
            let (base, rest) = place(&options, Path::new(path)).ok()?;
            Some((base.to_owned(), rest.to_owned()))
        };
        assert_eq!(
            placed("/srv/data/a/b"),
            Some(("/srv/data".into(), "a/b".into()))
        );
        assert_eq!(placed("/etc/hosts"), Some(("/etc/hosts".into(), "".into())));
        for path in ["/srv/data2/a", "/etc/passwd", "/srv/data/../x", "a", ""] {
            assert_eq!(placed(path), None, "{path}");
        }
        options.home = Some("/srv/home".into());
        let (base, rest) = place(&options, Path::new("a/b")).unwrap();
        assert_eq!((base, rest), (Path::new("/srv/home"), Path::new("a/b")));
    }
}
