//! Sandboxes: made, and found again by framework and task (Mesos: SBX-01).

use std::{
    ffi::OsStr,
    fs, io,
    os::{fd::AsFd as _, unix::fs::symlink},
    path::{Path, PathBuf},
    time::SystemTime,
};

use nix::{
    errno::Errno,
    fcntl::{OFlag, OpenHow, ResolveFlag, openat2},
    sys::stat::{Mode, mkdirat},
    unistd::{UnlinkatFlags, symlinkat, unlinkat},
};
use tepui_agent_core::{ExecutorKey, Shown};

/// The link beside the runs of a task that leads to the newest.
const LATEST: &str = "latest";

/// The folder in a sandbox that has links to those of the containers inside (Mesos: SBX-01).
const CONTAINERS: &str = "containers";

/// Makes a sandbox, and the link to it.
pub(crate) fn make(sandbox: &Path, shown: &Shown) -> io::Result<()> {
    fs::create_dir_all(sandbox)?;
    let (Some(runs), Some(own)) = (sandbox.parent(), sandbox.file_name()) else {
        return Err(io::Error::other(
            "a sandbox has a name and a folder above it",
        ));
    };
    match shown {
        Shown::Alone => Ok(()),
        Shown::Latest => show_latest(runs, own),
        Shown::Within { sandbox, name } => {
            // The task whose sandbox it is may have put something in the way. That is its loss.
            if let Err(error) = show_within(sandbox, name.as_str(), own) {
                let sandbox = sandbox.display();
                tracing::warn!(%sandbox, %name, %error, "cannot link to a container's sandbox");
            }
            Ok(())
        }
    }
}

/// Makes the link beside a run that leads to the newest.
fn show_latest(runs: &Path, own: &OsStr) -> io::Result<()> {
    // Renamed into place, so that there is always one.
    let new = runs.join(".latest");
    match fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => symlink(own, &new)?,
    }
    fs::rename(new, runs.join(LATEST))
}

/// Makes a link in a sandbox to one beside it, in the place of an older link. No link of the task's
/// is followed on the way.
fn show_within(sandbox: &Path, name: &str, own: &OsStr) -> io::Result<()> {
    let sandbox = tepui_sys::open_folder(sandbox)?;
    match mkdirat(sandbox.as_fd(), CONTAINERS, Mode::from_bits_truncate(0o755)) {
        Ok(()) | Err(Errno::EEXIST) => {}
        Err(error) => return Err(error.into()),
    }
    let flags = OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_RDONLY | OFlag::O_CLOEXEC;
    let how = OpenHow::new()
        .flags(flags)
        .resolve(ResolveFlag::RESOLVE_BENEATH | ResolveFlag::RESOLVE_NO_SYMLINKS);
    let folder = openat2(sandbox.as_fd(), CONTAINERS, how)?;
    let target = Path::new("../..").join(own);
    match symlinkat(&target, folder.as_fd(), name) {
        Err(Errno::EEXIST) => {
            unlinkat(folder.as_fd(), name, UnlinkatFlags::NoRemoveDir)?;
            Ok(symlinkat(&target, folder.as_fd(), name)?)
        }
        made => Ok(made?),
    }
}

/// Where an executor's newest sandbox is; a task that runs alone is its own executor. The agent may
/// have had other ids before: the newest wins.
pub(crate) fn find(sandboxes: &Path, key: &ExecutorKey) -> io::Result<Option<PathBuf>> {
    let agents = match fs::read_dir(sandboxes) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        agents => agents?,
    };
    let mut newest: Option<(SystemTime, PathBuf)> = None;
    for agent in agents {
        let runs = runs(&agent?.path(), key);
        let Ok(run) = fs::read_link(runs.join(LATEST)) else {
            continue;
        };
        let sandbox = runs.join(run);
        let Ok(made) = fs::symlink_metadata(&runs).and_then(|status| status.modified()) else {
            continue;
        };
        if sandbox.is_dir() && newest.as_ref().is_none_or(|(other, _)| *other < made) {
            newest = Some((made, sandbox));
        }
    }
    Ok(newest.map(|(_, sandbox)| sandbox))
}

fn runs(agent: &Path, key: &ExecutorKey) -> PathBuf {
    let mut path = agent.join("frameworks");
    path.push(key.framework.as_str());
    path.push("executors");
    path.push(key.executor.as_str());
    path.push("runs");
    path
}

#[cfg(test)]
mod tests {
    use tepui_model::{ExecutorId, FrameworkId};

    use super::*;

    fn key() -> ExecutorKey {
        ExecutorKey {
            framework: FrameworkId::new("f").unwrap(),
            executor: ExecutorId::new("t").unwrap(),
        }
    }

    #[test]
    fn the_newest_sandbox_of_a_task_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let sandboxes = folder.path().join("slaves");
        assert_eq!(find(&sandboxes, &key()).unwrap(), None);
        let run = |agent: &str, name: &str| {
            sandboxes
                .join(agent)
                .join("frameworks/f/executors/t/runs")
                .join(name)
        };
        for (agent, name) in [("S1", "a"), ("S1", "b"), ("S0", "c")] {
            let sandbox = run(agent, name);
            make(&sandbox, &Shown::Latest).unwrap();
            make(&sandbox, &Shown::Latest).unwrap();
            assert_eq!(find(&sandboxes, &key()).unwrap(), Some(sandbox));
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        let other = ExecutorKey {
            executor: ExecutorId::new("other").unwrap(),
            ..key()
        };
        assert_eq!(find(&sandboxes, &other).unwrap(), None);
    }

    #[test]
    fn a_sandbox_is_linked_from_that_of_the_container_that_it_is_inside_of() {
        let runs = tempfile::tempdir().unwrap();
        let outer = runs.path().join("outer");
        make(&outer, &Shown::Alone).unwrap();
        let within = Shown::Within {
            sandbox: outer.clone(),
            name: tepui_model::ContainerId::new("c").unwrap(),
        };
        for name in ["one", "two"] {
            let inner = runs.path().join(name);
            make(&inner, &within).unwrap();
            fs::write(inner.join("file"), name).unwrap();
            let read = fs::read_to_string(outer.join("containers/c/file")).unwrap();
            assert_eq!(read, name, "the newest of that name");
        }
        assert!(!runs.path().join(LATEST).exists());
    }

    #[test]
    fn a_link_that_a_task_has_put_there_leads_nowhere() {
        let runs = tempfile::tempdir().unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        let outer = runs.path().join("outer");
        fs::create_dir(&outer).unwrap();
        symlink(elsewhere.path(), outer.join(CONTAINERS)).unwrap();
        let within = Shown::Within {
            sandbox: outer,
            name: tepui_model::ContainerId::new("c").unwrap(),
        };
        make(&runs.path().join("inner"), &within).unwrap();
        assert_eq!(fs::read_dir(elsewhere.path()).unwrap().count(), 0);
    }
}
