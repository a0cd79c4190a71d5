//! What benchmarks beside runc have in common: one root for both, a runtime, and turns.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    time::Duration,
};

use tempfile::TempDir;
use tepui_containers::{InitProgram, Options, Runtime};
use tepui_model::ContainerId;

use super::{runc::Bundle, text};
use crate::report::{Line, Report};

const ROUNDS: usize = 50;
/// Rounds before those that count. The first is the cold one.
const WARM_UP: usize = 3;
const BUSYBOX: &str = "/bin/busybox";
/// What the root has of busybox.
const PROGRAMS: [&str; 4] = ["true", "echo", "sleep", "sh"];

/// A runtime, and runc where it is installed, for the same root.
#[derive(Debug)]
pub(crate) struct Beside {
    pub(crate) runtime: Runtime,
    pub(crate) runc: Option<Bundle>,
    waiting: tokio::runtime::Runtime,
    folder: TempDir,
}

impl Beside {
    /// `None`, with a line that says why, where containers cannot be made.
    pub(crate) fn prepare(
        cgroup_root: &str,
        program: &[&str],
        report: &mut Report,
    ) -> Result<Option<Self>, String> {
        if !tepui_cluster_tests::can_isolate() {
            report.line().with("left_out", "needs-root");
            return Ok(None);
        }
        if !Path::new(BUSYBOX).exists() {
            report.line().with("left_out", "needs-busybox-static");
            return Ok(None);
        }
        let folder = tempfile::tempdir().map_err(text)?;
        make_root(&folder.path().join("bundle/rootfs")).map_err(text)?;
        let runc = Bundle::make(&folder.path().join("bundle"), program)?;
        let waiting = tokio::runtime::Runtime::new().map_err(text)?;
        let mut options = Options::new(folder.path().join("run"), cgroup_root);
        options.init = InitProgram::Path(tepui_cluster_tests::program());
        let runtime = {
            let _inside = waiting.enter();
            Runtime::probe(options).map_err(text)?
        };
        Ok(Some(Self {
            runtime,
            runc,
            waiting,
            folder,
        }))
    }

    /// The root that both see.
    pub(crate) fn root(&self) -> PathBuf {
        self.folder.path().join("bundle/rootfs")
    }

    /// A name and a sandbox.
    pub(crate) fn place(&self, name: &str) -> Result<(ContainerId, PathBuf), String> {
        let name = format!("bench-{}-{name}", std::process::id());
        let sandbox = self.folder.path().join(&name);
        fs::create_dir(&sandbox).map_err(text)?;
        Ok((ContainerId::new(&name).map_err(text)?, sandbox))
    }

    /// Measures, and gives back what the runtime had prepared.
    pub(crate) fn measure<T>(
        &self,
        rounds: impl AsyncFnOnce(&Self) -> Result<T, String>,
    ) -> Result<T, String> {
        self.waiting.block_on(async {
            let measured = rounds(self).await;
            self.runtime.close().await;
            measured
        })
    }

    /// Adds runc's figures to a line, and how many times longer it took.
    pub(crate) fn compare(
        &self,
        line: Line,
        cold: &[Duration],
        theirs: &[Duration],
        ours: &[Duration],
    ) {
        let line = line.with("rounds", ROUNDS);
        let Some(runc) = &self.runc else {
            line.with("runc", "absent");
            return;
        };
        line.with("runc", runc.version())
            .with_percentiles("runc_cold", cold)
            .with_percentiles("runc", theirs)
            .with("runc_ratio_p50", ratio(theirs, ours));
    }
}

/// Has a round of each in turn: the samples of the first, and of those after a few more.
pub(crate) async fn in_turn<Samples: Default>(
    mut round: impl AsyncFnMut(usize, &mut Samples) -> Result<(), String>,
) -> Result<(Samples, Samples), String> {
    let (mut cold, mut warm, mut samples) = Default::default();
    for number in 0..WARM_UP + ROUNDS {
        let into = match number {
            0 => &mut cold,
            _ if number < WARM_UP => &mut warm,
            _ => &mut samples,
        };
        round(number, into).await?;
    }
    Ok((cold, samples))
}

/// How many times longer the first take, by the median.
fn ratio(longer: &[Duration], shorter: &[Duration]) -> String {
    let median = |times: &[Duration]| {
        let mut times = times.to_vec();
        times.sort_unstable();
        times.get(times.len() / 2).map(Duration::as_secs_f64)
    };
    let ratio = median(longer).zip(median(shorter)).map(|(a, b)| a / b);
    format!("{:.1}", ratio.unwrap_or_default())
}

/// A root with nothing but busybox.
fn make_root(root: &Path) -> std::io::Result<()> {
    for name in [
        "bin",
        "proc",
        "sys",
        "dev",
        "etc",
        "tmp",
        "mnt/mesos/sandbox",
    ] {
        fs::create_dir_all(root.join(name))?;
    }
    // Where a container's own files are mounted: the root is read-only.
    for name in ["hostname", "hosts", "resolv.conf"] {
        fs::write(root.join("etc").join(name), "")?;
    }
    fs::copy(BUSYBOX, root.join("bin/busybox"))?;
    PROGRAMS
        .iter()
        .try_for_each(|name| symlink("busybox", root.join("bin").join(name)))
}
