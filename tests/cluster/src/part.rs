//! One process of a cluster.

use std::{
    fs::{self, File},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::{eventually, program};

/// A process that can be killed and started again with the same flags.
#[derive(Debug)]
pub struct Part {
    /// What is run, and what it gets before the arguments.
    program: Vec<String>,
    arguments: Vec<String>,
    address: String,
    log: PathBuf,
    process: Option<Child>,
}

impl Part {
    /// Starts a process that will listen on `address`, and waits until it does.
    ///
    /// # Panics
    /// When it does not come up; the text is its log.
    pub fn start(log: &Path, address: &str, arguments: &[&str]) -> Self {
        let arguments = arguments.iter().map(|&it| it.to_owned()).collect();
        let mut part = Self {
            program: vec![program().display().to_string()],
            arguments,
            address: address.to_owned(),
            log: log.to_owned(),
            process: None,
        };
        part.start_again();
        part
    }

    /// Where it listens.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// What is run from the next start on: another copy of the program, or one that starts it.
    pub fn run_by(&mut self, program: &[&str]) {
        self.program = program.iter().map(|&word| word.to_owned()).collect();
    }

    /// Its arguments, as in its last start.
    pub fn arguments(&self) -> &[String] {
        &self.arguments
    }

    /// What it has logged in all its lives.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Starts it again, after it was killed.
    ///
    /// # Panics
    /// When it does not come up.
    pub fn start_again(&mut self) {
        let log = File::options().create(true).append(true).open(&self.log);
        let log = log.unwrap_or_else(|error| panic!("{}: {error}", self.log.display()));
        let copy = log.try_clone().unwrap_or_else(|error| panic!("{error}"));
        let child = Command::new(&self.program[0])
            .args(&self.program[1..])
            .args(&self.arguments)
            .stdin(Stdio::null())
            .stdout(copy)
            .stderr(log)
            .spawn()
            .unwrap_or_else(|error| panic!("{error}"));
        self.process = Some(child);
        let address = self.address.clone();
        eventually("the process listens", || {
            let ended = self
                .process
                .as_mut()
                .and_then(|it| it.try_wait().ok().flatten());
            assert!(
                ended.is_none(),
                "{:?} ended:\n{}",
                self.arguments,
                self.log()
            );
            TcpStream::connect(&address).ok()
        });
    }

    /// Its process id.
    ///
    /// # Panics
    /// When the process is not running.
    pub fn pid(&self) -> u32 {
        let process = self.process.as_ref();
        process.map_or_else(|| panic!("it is not running"), Child::id)
    }

    /// Sends a signal.
    ///
    /// # Panics
    /// When the process is not running.
    pub fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.pid()).unwrap_or_else(|error| panic!("{error}"));
        kill(Pid::from_raw(pid), signal).unwrap_or_else(|error| panic!("{error}"));
    }

    /// `kill -9`.
    ///
    /// # Panics
    /// When the process is not running.
    pub fn kill_hard(&mut self) {
        self.signal(Signal::SIGKILL);
        self.wait();
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// When it does not end.
    pub fn wait(&mut self) -> ExitStatus {
        let status = eventually("the process ends", || {
            self.process
                .as_mut()
                .and_then(|it| it.try_wait().ok().flatten())
        });
        self.process = None;
        status
    }

    pub(crate) fn end(&mut self, signal: Signal) {
        if self.process.is_some() {
            self.signal(signal);
            self.wait();
        }
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        if let Some(process) = &mut self.process {
            // A test that fails must not leave processes behind; there is nobody to tell.
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}
