//! Removes the sandboxes of tasks that ended long ago (Mesos: SBX-02), and when the disk is full
//! images that nobody uses and what was fetched for others.
//!
//! A sandbox's own modification time is its last sign of life: it is set while the task lives. So
//! its age is known after a restart of the agent too, without a record.

use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use nix::sys::statvfs::statvfs;
use tepui_agent_core::Agent;
use tepui_fetcher::Fetcher;
use tepui_images::Images;
use tepui_model::ContainerId;
use tokio::{task::spawn_blocking, time::sleep};

use crate::{driver::Front, limits};

/// Removes old sandboxes for ever.
#[derive(Clone, Debug)]
pub(crate) struct Collector {
    pub(crate) sandboxes: PathBuf,
    /// How old a sandbox may become on an empty disk.
    pub(crate) delay: Duration,
    /// The part of the disk that is to stay free, between 0 and 1.
    pub(crate) headroom: f64,
    /// How often the disk is looked at.
    pub(crate) every: Duration,
}

impl Collector {
    /// Looks for old sandboxes now and then, until the agent stops.
    pub(crate) async fn run(self, front: Front, images: Images, fetcher: Fetcher) {
        loop {
            sleep(self.every).await;
            let live = |agent: &Agent| -> BTreeSet<ContainerId> {
                agent.live_containers().cloned().collect()
            };
            let Some(live) = front.look(live).await else {
                return;
            };
            let collector = self.clone();
            let collected =
                spawn_blocking(move || collector.collect(&live, SystemTime::now())).await;
            match collected {
                Ok(Ok(0)) => {}
                Ok(Ok(count)) => tracing::info!(count, "removed old sandboxes"),
                Ok(Err(error)) => tracing::warn!(%error, "cannot look for old sandboxes"),
                Err(error) => tracing::error!(%error, "the search for old sandboxes failed"),
            }
            self.relieve(&images, &fetcher).await;
        }
    }

    /// Makes room on a full disk.
    async fn relieve(&self, images: &Images, fetcher: &Fetcher) {
        match images.relieve(self.headroom).await {
            Ok(pruned) if pruned.layers > 0 => {
                let (count, bytes) = (pruned.images, pruned.bytes);
                tracing::info!(count, bytes, "removed images: the disk is full");
            }
            Ok(_) => {}
            Err(error) => tracing::warn!(%error, "cannot remove images from a full disk"),
        }
        if used(&self.sandboxes).is_ok_and(|used| used > 1.0 - self.headroom) {
            fetcher.relieve();
        }
    }

    /// Removes the sandboxes that are too old by now, and says how many.
    fn collect(&self, live: &BTreeSet<ContainerId>, now: SystemTime) -> io::Result<usize> {
        if !self.sandboxes.exists() {
            return Ok(0);
        }
        let age = self.age(used(&self.sandboxes)?);
        let mut count = 0;
        for sandbox in runs(&self.sandboxes)? {
            let name = sandbox.file_name().and_then(|name| name.to_str());
            let lives = name.is_some_and(|name| live.contains(name));
            let last = fs::symlink_metadata(&sandbox)?.modified()?;
            let since = now.duration_since(last).unwrap_or_default();
            if lives && since > limits::COLLECT_PRECISION {
                fs::File::open(&sandbox)?.set_modified(now)?;
            } else if !lives && since > age {
                match remove(&sandbox, &self.sandboxes) {
                    Ok(()) => count += 1,
                    // The others need not stay for that.
                    Err(error) => {
                        let sandbox = sandbox.display();
                        tracing::warn!(%sandbox, %error, "cannot remove an old sandbox");
                    }
                }
            }
        }
        Ok(count)
    }

    /// How old a sandbox may become: less, the fuller the disk.
    fn age(&self, used: f64) -> Duration {
        self.delay
            .mul_f64((1.0 - self.headroom - used).clamp(0.0, 1.0))
    }
}

/// The part of the file system that is in use, between 0 and 1, as `df` tells it: what is kept for
/// root counts neither as used nor as free.
fn used(path: &Path) -> io::Result<f64> {
    let status = statvfs(path)?;
    let used = status.blocks().saturating_sub(status.blocks_free());
    Ok(part(used, status.blocks_available()))
}

/// What part is used of what is used or free; nothing of nothing.
fn part(used: u64, free: u64) -> f64 {
    used as f64 / (used + free).max(1) as f64
}

/// Every sandbox: `<agent>/frameworks/<id>/executors/<id>/runs/<container>`.
fn runs(sandboxes: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = folders(sandboxes)?;
    for below in ["frameworks", "executors", "runs"] {
        let next: io::Result<Vec<_>> = found
            .iter()
            .map(|folder| folders(&folder.join(below)))
            .collect();
        found = next?.concat();
    }
    Ok(found)
}

/// The folders in a folder, links left out, in order. One that has just gone has none.
fn folders(path: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            found.push(entry.path());
        }
    }
    found.sort();
    Ok(found)
}

/// Removes a sandbox, and the folders above it that are empty without it.
fn remove(sandbox: &Path, sandboxes: &Path) -> io::Result<()> {
    fs::remove_dir_all(sandbox)?;
    let Some(runs) = sandbox.parent() else {
        return Ok(());
    };
    let latest = runs.join("latest");
    if !latest.exists() {
        // It led to what is gone; there may be none.
        let _ = fs::remove_file(latest);
    }
    for folder in runs.ancestors().take_while(|folder| *folder != sandboxes) {
        // Not empty: then it is still needed, and so is all above it.
        if fs::remove_dir(folder).is_err() {
            break;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox;

    const WEEK: Duration = Duration::from_secs(7 * 86_400);

    fn collector(folder: &Path) -> Collector {
        Collector {
            sandboxes: folder.join("slaves"),
            delay: WEEK,
            headroom: 0.0,
            every: Duration::from_secs(60),
        }
    }

    #[test]
    fn what_is_kept_for_root_is_neither_used_nor_free() {
        // 100 blocks, of which 30 are free and 10 of these for everybody.
        assert_eq!(part(70, 10), 0.875);
        assert_eq!(part(0, 0), 0.0);
    }

    #[test]
    fn a_sandbox_grows_less_old_on_a_full_disk() {
        let folder = tempfile::tempdir().unwrap();
        let collector = Collector {
            headroom: 0.1,
            ..collector(folder.path())
        };
        assert_eq!(collector.age(0.0).as_secs(), 544_320);
        assert_eq!(collector.age(0.9), Duration::ZERO);
        assert_eq!(collector.age(1.0), Duration::ZERO);
    }

    #[test]
    fn only_sandboxes_of_tasks_that_ended_long_ago_are_removed() {
        let folder = tempfile::tempdir().unwrap();
        let collector = collector(folder.path());
        let run = |task: &str, name: &str| {
            let path = format!("S0/frameworks/f/executors/{task}/runs/{name}");
            let path = collector.sandboxes.join(path);
            sandbox::make(&path, &tepui_agent_core::Shown::Latest).unwrap();
            fs::create_dir(path.join("frameworks")).unwrap();
            path
        };
        let (old, live) = (run("t", "old"), run("u", "live"));
        let later = SystemTime::now() + 2 * WEEK;
        let alive = BTreeSet::from([ContainerId::new("live").unwrap()]);
        assert_eq!(collector.collect(&alive, SystemTime::now()).unwrap(), 0);
        assert_eq!(collector.collect(&alive, later).unwrap(), 1);
        assert!(!old.exists() && live.exists());
        assert!(
            !collector
                .sandboxes
                .join("S0/frameworks/f/executors/t")
                .exists()
        );
        // Its end counts from its last sign of life.
        assert_eq!(collector.collect(&BTreeSet::new(), later).unwrap(), 0);
        assert_eq!(
            collector.collect(&BTreeSet::new(), later + WEEK).unwrap(),
            1
        );
        assert_eq!(
            folders(&collector.sandboxes).unwrap(),
            Vec::<PathBuf>::new()
        );
    }

    #[test]
    fn an_agent_without_sandboxes_has_nothing_to_collect() {
        let folder = tempfile::tempdir().unwrap();
        let count = collector(folder.path()).collect(&BTreeSet::new(), SystemTime::now());
        assert_eq!(count.unwrap(), 0);
    }
}
