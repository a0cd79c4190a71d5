//! The same container by runc, where it is installed.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::text;

/// An OCI bundle.
#[derive(Debug)]
pub(crate) struct Bundle {
    folder: PathBuf,
    version: String,
}

impl Bundle {
    /// One that runs this program in the root `rootfs` of the folder. `None` when there is no runc
    /// on this machine.
    pub(crate) fn make(folder: &Path, program: &[&str]) -> Result<Option<Self>, String> {
        let Some(version) = installed() else {
            return Ok(None);
        };
        let folder = folder.to_owned();
        let bundle = Self { folder, version };
        bundle.runc(&["spec"])?;
        let path = bundle.folder.join("config.json");
        let written = fs::read(&path).map_err(text)?;
        let mut config: Value = serde_json::from_slice(&written).map_err(text)?;
        edit(&mut config, program);
        fs::write(&path, config.to_string()).map_err(text)?;
        Ok(Some(bundle))
    }

    /// Creates the container and starts it; it is removed with the value.
    pub(crate) fn start(&self, id: &str) -> Result<Running, String> {
        let mut command = Command::new("runc");
        command
            .args(["run", "--detach", id])
            .current_dir(&self.folder);
        // What it inherits it keeps open, so it gets nothing that somebody waits for.
        let [input, output, error] = [(); 3].map(|()| Stdio::null());
        let status = command.stdin(input).stdout(output).stderr(error).status();
        match status.map_err(text)?.success() {
            true => Ok(Running(id.to_owned())),
            false => Err(format!("runc run --detach {id} failed")),
        }
    }

    /// As runc tells it.
    pub(crate) fn version(&self) -> &str {
        &self.version
    }

    /// Creates the container, starts it, waits for its end and removes it.
    pub(crate) fn run(&self, id: &str) -> Result<Duration, String> {
        let began = Instant::now();
        self.runc(&["run", id])?;
        Ok(began.elapsed())
    }

    fn runc(&self, arguments: &[&str]) -> Result<(), String> {
        let mut command = Command::new("runc");
        command.args(arguments).current_dir(&self.folder);
        let output = command.stdin(Stdio::null()).output().map_err(text)?;
        if output.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        Err(format!("runc {arguments:?}: {said}"))
    }
}

/// A container of runc's that runs.
#[derive(Debug)]
pub(crate) struct Running(String);

impl Drop for Running {
    fn drop(&mut self) {
        let deleted = Command::new("runc")
            .args(["delete", "--force", &self.0])
            .status();
        if !deleted.is_ok_and(|status| status.success()) {
            eprintln!("runc could not delete {}", self.0);
        }
    }
}

/// The version of the runc on this machine.
fn installed() -> Option<String> {
    let output = Command::new("runc").arg("--version").output().ok()?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let version = said.lines().next()?.rsplit(' ').next()?.to_owned();
    Some(version)
}

/// No terminal, the program, and the limits that ours has.
fn edit(config: &mut Value, program: &[&str]) {
    config["process"]["terminal"] = json!(false);
    config["process"]["args"] = json!(program);
    config["linux"]["resources"]["cpu"] =
        json!({"shares": 1024, "quota": 100_000, "period": 100_000});
    config["linux"]["resources"]["memory"] = json!({"limit": 64 << 20});
    config["linux"]["resources"]["pids"] = json!({"limit": 1024});
}
