//! The processes of a cluster on one machine: started, watched, and ended by the pids they have.

use std::{
    fs::File,
    path::PathBuf,
    process::{ExitCode, Stdio},
    time::Duration,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tokio::{
    net::TcpStream,
    process::{Child, Command},
};

use super::layout::Part;
use crate::failure::Failure;

/// How long a part may take to listen.
const START_LIMIT: Duration = Duration::from_secs(30);
const START_POLL: Duration = Duration::from_millis(10);
/// How long a part may take to end before it is killed.
const END_LIMIT: Duration = Duration::from_secs(15);
/// How much of a log is shown when its part fails.
const LAST_LINES: usize = 12;

struct Running {
    name: String,
    is_agent: bool,
    process: Child,
}

/// The processes, in the order of their start.
pub(super) struct Children {
    logs: PathBuf,
    running: Vec<Running>,
}

impl Children {
    /// None yet; their logs will be in `logs`.
    pub(super) fn new(logs: PathBuf) -> Self {
        Self {
            logs,
            running: Vec::new(),
        }
    }

    /// Starts a part.
    pub(super) fn start(&mut self, part: &Part) -> Result<(), Failure> {
        let log = File::create(self.logs.join(format!("{}.log", part.name)))?;
        let process = Command::new(std::env::current_exe()?)
            .args(&part.arguments)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            // Ctrl-C reaches this program alone, which then ends them in order.
            .process_group(0)
            .spawn()?;
        let name = part.name.clone();
        self.running.push(Running {
            name,
            is_agent: part.is_agent,
            process,
        });
        Ok(())
    }

    /// Waits until the part listens, or says how it failed.
    pub(super) async fn await_answer(&mut self, part: &Part) -> Result<(), Failure> {
        let deadline = tokio::time::Instant::now() + START_LIMIT;
        while TcpStream::connect(part.address).await.is_err() {
            if let Some(failure) = self.ended()? {
                return Err(failure);
            }
            if tokio::time::Instant::now() > deadline {
                let text = format!("{} does not listen on {} yet", part.name, part.address);
                return Err(Failure::Failed(text));
            }
            tokio::time::sleep(START_POLL).await;
        }
        // Somebody else may listen there; then the part itself has ended or is about to.
        tokio::time::sleep(START_POLL).await;
        self.ended()?.map_or(Ok(()), Err)
    }

    /// Completes when a part ends by itself, which is a failure: they run until told.
    pub(super) async fn first_to_end(&mut self) -> Result<ExitCode, Failure> {
        loop {
            if let Some(failure) = self.ended()? {
                return Err(failure);
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// The part that ended though nobody told it to. An agent that ended well has left the cluster
    /// at an operator's word; the rest goes on without it.
    fn ended(&mut self) -> Result<Option<Failure>, Failure> {
        let mut left = Vec::new();
        for (index, running) in self.running.iter_mut().enumerate() {
            if let Some(status) = running.process.try_wait()? {
                if running.is_agent && status.success() {
                    left.push(index);
                    continue;
                }
                let log = self.logs.join(format!("{}.log", running.name));
                let text = std::fs::read_to_string(&log).unwrap_or_default();
                let lines: Vec<&str> = text.lines().collect();
                let last = lines[lines.len().saturating_sub(LAST_LINES)..].join("\n  ");
                let text = format!(
                    "{} ended by itself, {status}. Its last words:\n  {last}",
                    running.name
                );
                return Ok(Some(Failure::Failed(text)));
            }
        }
        for index in left.into_iter().rev() {
            let agent = self.running.remove(index);
            eprintln!("tepui: {} has left the cluster", agent.name);
        }
        Ok(None)
    }

    /// Ends frameworks first, then agents with their tasks, then the master: each kind at once.
    pub(super) async fn end_all(&mut self) {
        while let Some(last) = self.running.last() {
            let is_agent = last.is_agent;
            let first = self.running.iter().rposition(|it| it.is_agent != is_agent);
            let mut group = self.running.split_off(first.map_or(0, |at| at + 1));
            group.iter().for_each(Running::ask_to_end);
            for running in &mut group {
                running.await_end().await;
            }
        }
    }
}

impl Running {
    fn ask_to_end(&self) {
        // An agent that is only terminated leaves its tasks running, for its next life.
        let signal = if self.is_agent {
            Signal::SIGUSR1
        } else {
            Signal::SIGTERM
        };
        if let Some(pid) = self.process.id().and_then(|pid| i32::try_from(pid).ok()) {
            // It may have ended in this moment: then there is nothing to signal.
            let _ = kill(Pid::from_raw(pid), signal);
        }
    }

    async fn await_end(&mut self) {
        if tokio::time::timeout(END_LIMIT, self.process.wait())
            .await
            .is_err()
        {
            eprintln!("tepui: {} does not end, killing it", self.name);
            // It can only have ended meanwhile.
            let _ = self.process.kill().await;
        }
    }
}
