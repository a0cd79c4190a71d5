//! Sandboxes: made, and found again by framework and task (Mesos: SBX-01).

use std::{
    fs, io,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    time::SystemTime,
};

use tepui_agent_core::ExecutorKey;

/// The link beside the runs of a task that leads to the newest.
const LATEST: &str = "latest";

/// Makes a sandbox, and the link to it.
pub(crate) fn make(sandbox: &Path) -> io::Result<()> {
    fs::create_dir_all(sandbox)?;
    let (Some(runs), Some(name)) = (sandbox.parent(), sandbox.file_name()) else {
        return Err(io::Error::other(
            "a sandbox has a name and a folder above it",
        ));
    };
    // Renamed into place, so that there is always one.
    let new = runs.join(".latest");
    match fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => symlink(name, &new)?,
    }
    fs::rename(new, runs.join(LATEST))
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
            make(&sandbox).unwrap();
            make(&sandbox).unwrap();
            assert_eq!(find(&sandboxes, &key()).unwrap(), Some(sandbox));
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        let other = ExecutorKey {
            executor: ExecutorId::new("other").unwrap(),
            ..key()
        };
        assert_eq!(find(&sandboxes, &other).unwrap(), None);
    }
}
