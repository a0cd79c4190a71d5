//! The driver: its status, and the way to its session.

use std::sync::{Arc, OnceLock};

use tepui_sdk::{
    Masters,
    v1::{self, scheduler::Call},
};
use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::{
    calls,
    core::{Callback, Command, Core, Terms},
    session::Session,
};
use crate::{
    guard::Fault,
    lifecycle::{Lifecycle, Status},
    limits, master, runtime,
};

/// What comes of starting a driver.
pub(super) enum Started {
    /// Callbacks will come.
    Now(Receiver<Callback>),
    /// The scheduler is to hear this; the driver is aborted.
    Refused(String),
    /// It was started before.
    Before,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Driver {
    terms: Terms,
    master: String,
    implicit: bool,
    life: Arc<Lifecycle>,
    commands: OnceLock<Sender<Command>>,
}

impl Driver {
    /// A driver that acknowledges updates by itself if `implicit`.
    pub(super) fn new(terms: Terms, master: String, implicit: bool) -> Self {
        Self {
            terms,
            master,
            implicit,
            life: Arc::new(Lifecycle::new()),
            commands: OnceLock::new(),
        }
    }

    pub(super) fn status(&self) -> Status {
        self.life.status()
    }

    pub(super) fn is_running(&self) -> bool {
        self.life.is_running()
    }

    pub(super) fn start(&self) -> Started {
        if !self.life.start() {
            return Started::Before;
        }
        let begun = master::masters(&self.master)
            .map_err(|error| {
                let master = &self.master;
                format!("Failed to create a master detector for '{master}': {error}")
            })
            .and_then(|masters| self.begin(masters));
        match begun {
            Ok(callbacks) => Started::Now(callbacks),
            Err(text) => {
                self.life.abort();
                self.life.over();
                Started::Refused(text)
            }
        }
    }

    fn begin(&self, masters: Masters) -> Result<Receiver<Callback>, String> {
        let runtime = runtime::handle()?;
        let (commands, obeyed) = channel(limits::COMMANDS);
        let (calls_back, callbacks) = channel(limits::CALLBACKS);
        let core = Core::new(self.terms.clone());
        let session = Session::new(core, masters, obeyed, calls_back);
        // Started once: nobody was before.
        let _ = self.commands.set(commands);
        runtime.spawn(session.run(Arc::clone(&self.life)));
        Ok(callbacks)
    }

    /// Ends the framework, unless it `fails_over`. Returns when the master has heard it, so that
    /// a process that exits next leaves nothing behind.
    pub(super) fn stop(&self, fails_over: bool) -> Status {
        let (ran, answer) = self.life.stop();
        if ran {
            self.tell(Command::Stop { fails_over });
            self.life.await_last_words();
        }
        answer
    }

    /// Says and hears nothing more. The master counts the framework as away.
    pub(super) fn abort(&self) -> Status {
        if self.life.abort() {
            self.tell(Command::Stop { fails_over: true });
        }
        self.status()
    }

    pub(super) fn join(&self) -> Status {
        self.life.join()
    }

    /// Says `call` to the master, if the driver runs.
    pub(super) fn call(&self, call: Call) -> Status {
        self.running(|| Command::Call(Box::new(call)))
    }

    pub(super) fn update(&self, terms: Terms) -> Status {
        self.running(|| Command::Update(Box::new(terms)))
    }

    /// The framework is done with an update; only for those who do not have this done for them.
    pub(super) fn acknowledge(&self, status: &v1::TaskStatus) -> Result<Status, Fault> {
        if self.is_running() && self.implicit {
            return Err(Fault::Implicit);
        }
        Ok(match calls::acknowledge(status) {
            Some(call) => self.call(call),
            None => self.status(),
        })
    }

    /// The callback about an update has returned.
    pub(super) fn handled(&self, status: &v1::TaskStatus) {
        if let Some(call) = calls::acknowledge(status).filter(|_| self.implicit) {
            self.call(call);
        }
    }

    fn running(&self, command: impl FnOnce() -> Command) -> Status {
        let status = self.status();
        if status == Status::Running {
            self.tell(command());
        }
        status
    }

    fn tell(&self, command: Command) {
        // A session that has ended takes no commands; its end is told otherwise.
        let commands = self.commands.get();
        let _ = commands.map(|commands| commands.blocking_send(command));
    }
}
