//! A master with its agents.

use std::{path::Path, process::Child};

use nix::sys::signal::Signal;
use serde_json::Value;
use tempfile::TempDir;

use crate::{Part, Ran, eventually, free_address, ports::PortBlock, tepui};

/// A running cluster; it ends, tasks included, with the value.
#[derive(Debug)]
pub struct Cluster {
    /// The master.
    pub master: Part,
    /// The agents.
    pub agents: Vec<Part>,
    /// Frameworks that were started on it.
    pub frameworks: Vec<Part>,
    folder: TempDir,
    /// What its agents give to tasks, kept from other clusters.
    ports: Vec<PortBlock>,
}

impl Cluster {
    /// A master and `agents` agents, all registered, each with two cpus and half a gigabyte.
    ///
    /// # Panics
    /// When it does not come up.
    pub fn start(agents: usize) -> Self {
        Self::start_with(agents, &[])
    }

    /// The same, with more flags for the master.
    ///
    /// # Panics
    /// When it does not come up.
    pub fn start_with(agents: usize, flags: &[&str]) -> Self {
        let folder = TempDir::new().unwrap_or_else(|error| panic!("{error}"));
        let address = free_address();
        let work_dir = folder.path().join("master").display().to_string();
        let mut arguments = vec!["master", "--listen", &address, "--work-dir", &work_dir];
        arguments.extend(flags);
        let master = Part::start(&folder.path().join("master.log"), &address, &arguments);
        let mut cluster = Self {
            master,
            agents: Vec::new(),
            frameworks: Vec::new(),
            folder,
            ports: Vec::new(),
        };
        for _ in 0..agents {
            cluster.add_agent(&[]);
        }
        cluster.await_agents(agents);
        cluster
    }

    /// The cluster's own folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Adds an agent with these flags besides the usual.
    ///
    /// # Panics
    /// When it does not come up.
    pub fn add_agent(&mut self, flags: &[&str]) {
        let ports = PortBlock::take();
        let resources = format!("cpus:2;mem:512;disk:1024;{}", ports.resources());
        self.ports.push(ports);
        self.add_agent_of(&resources, flags);
    }

    /// Adds an agent of these resources.
    ///
    /// # Panics
    /// When it does not come up.
    pub fn add_agent_of(&mut self, resources: &str, flags: &[&str]) {
        let number = self.agents.len();
        let address = free_address();
        let work_dir = self
            .folder
            .path()
            .join(format!("agent-{number}"))
            .display()
            .to_string();
        let attributes = format!("number:{number}");
        let mut arguments = vec![
            "agent",
            "--master",
            self.master.address(),
            "--listen",
            &address,
            "--work-dir",
            &work_dir,
            "--resources",
            resources,
            "--attributes",
            &attributes,
        ];
        let runtime_dir = format!("{work_dir}/run");
        arguments.extend(["--runtime-dir", &runtime_dir]);
        // However full the machine's disk is, tests find what they left.
        arguments.extend(["--gc-disk-headroom", "0"]);
        if !crate::can_isolate() {
            arguments.extend(["--isolation", "none"]);
        }
        arguments.extend(flags);
        let log = self.folder.path().join(format!("agent-{number}.log"));
        self.agents.push(Part::start(&log, &address, &arguments));
    }

    /// Starts `tepui NAME serve` with its state in the cluster's folder.
    ///
    /// # Panics
    /// When it does not come up.
    pub fn add_framework(&mut self, name: &str) {
        let address = free_address();
        let work_dir = self.folder.path().join(name).display().to_string();
        let master = self.master.address().to_owned();
        let arguments = [
            name,
            "serve",
            "--master",
            &master,
            "--listen",
            &address,
            "--work-dir",
            &work_dir,
        ];
        let log = self.folder.path().join(format!("{name}.log"));
        self.frameworks
            .push(Part::start(&log, &address, &arguments));
        let full = format!("tepui-{name}");
        eventually("the framework is subscribed", || {
            let found = self.json(&["frameworks"]);
            let mut all = found["frameworks"].as_array()?.iter();
            all.find(|it| it["framework_info"]["name"] == full.as_str() && it["active"] == true)
                .cloned()
        });
    }

    /// Runs the binary with `--master` set to this cluster's; flags that follow `--` stay last.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn tepui(&self, arguments: &[&str]) -> Ran {
        tepui(
            &self
                .with_master(arguments)
                .iter()
                .map(String::as_str)
                .collect::<Vec<_>>(),
        )
    }

    /// Starts the binary and lets it run.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn spawn(&self, arguments: &[&str]) -> Child {
        let mut command = std::process::Command::new(crate::program());
        command.args(self.with_master(arguments));
        command
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped());
        command
            .spawn()
            .unwrap_or_else(|error| panic!("{arguments:?}: {error}"))
    }

    fn with_master(&self, arguments: &[&str]) -> Vec<String> {
        let words = arguments.iter().take_while(|it| **it != "--").count();
        let (before, after) = arguments.split_at(words);
        let flags = ["--master", self.master.address()];
        before
            .iter()
            .chain(&flags)
            .chain(after)
            .map(|&it| it.to_owned())
            .collect()
    }

    /// What a read command answers, as JSON.
    ///
    /// # Panics
    /// When it fails.
    pub fn json(&self, arguments: &[&str]) -> Value {
        self.tepui(&[arguments, &["-o", "json"]].concat()).json()
    }

    /// Every task that the master knows as current.
    ///
    /// # Panics
    /// When the master does not answer.
    pub fn tasks(&self) -> Vec<Value> {
        self.json(&["ps"])["tasks"]
            .as_array()
            .cloned()
            .unwrap_or_default()
    }

    /// Waits until `count` agents are registered and active.
    ///
    /// # Panics
    /// When they do not come.
    pub fn await_agents(&self, count: usize) {
        eventually("every agent is active", || {
            let found = self.tepui(&["agents", "-o", "json"]);
            let found: Value = serde_json::from_str(&found.output).ok()?;
            // A list without entries is left out.
            let active = found["agents"].as_array().into_iter().flatten();
            let active = active.filter(|it| it["active"] == true).count();
            (active == count).then_some(())
        });
    }

    /// Waits until `count` tasks are running, and gives them.
    ///
    /// # Panics
    /// When they do not.
    pub fn await_running(&self, count: usize) -> Vec<Value> {
        eventually("the tasks are running", || {
            let tasks = self.tasks();
            let running: Vec<Value> = tasks
                .into_iter()
                .filter(|it| it["state"] == "TASK_RUNNING")
                .collect();
            (running.len() == count).then_some(running)
        })
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if std::thread::panicking() {
            for part in self
                .agents
                .iter()
                .chain([&self.master])
                .chain(&self.frameworks)
            {
                eprintln!("--- the log of {}:\n{}", part.address(), part.log());
            }
        }
        self.frameworks
            .iter_mut()
            .for_each(|it| it.end(Signal::SIGTERM));
        // For good, with their tasks.
        self.agents
            .iter_mut()
            .for_each(|it| it.end(Signal::SIGUSR1));
        self.master.end(Signal::SIGTERM);
    }
}
