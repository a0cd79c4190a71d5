//! The agent as a process of its own, with real containers: what it does, and what it survives.
//!
//! Without root the containers are plain processes, and what needs more says so and is passed over.

#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../common/master.rs"]
mod master;
mod points;
mod process;
mod surviving;
mod tasks;

use std::time::Duration;

use tepui_proto::v1;

use self::{
    master::{Master, Session},
    process::{Agent, Signal, cgroup_roots},
};

/// An agent in a process of its own, registered with the test's master.
struct World {
    folder: tempfile::TempDir,
    master: Master,
    session: Session,
    agent: Agent,
}

impl World {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut master = Master::start().await;
        let mut agent = Agent::start(folder.path(), master.address);
        let (session, register) = master.registered().await;
        agent.listens(&register);
        Self {
            folder,
            master,
            session,
            agent,
        }
    }

    /// Ends the agent by a signal, does something meanwhile, and starts another in its place.
    async fn replace(self, signal: Signal, meanwhile: impl AsyncFnOnce()) -> Self {
        let Self {
            folder,
            mut master,
            session,
            mut agent,
        } = self;
        agent.end(signal).await;
        drop(session);
        meanwhile().await;
        let mut agent = Agent::start(folder.path(), master.address);
        let (session, register) = master.registered().await;
        agent.listens(&register);
        Self {
            folder,
            master,
            session,
            agent,
        }
    }

    /// Runs a task to its end; returns its last status.
    async fn finish(&mut self, task: v1::TaskInfo) -> v1::TaskStatus {
        self.session.run(task).await;
        self.end_of_task().await
    }

    async fn end_of_task(&mut self) -> v1::TaskStatus {
        loop {
            let status = self.session.status().await;
            if status.state() != v1::TaskState::TaskRunning {
                return status;
            }
        }
    }

    /// Ends what still runs, and the agent.
    async fn end(mut self, tasks: &[&str]) {
        for task in tasks {
            self.session.kill(task, Duration::ZERO).await;
            self.end_of_task().await;
        }
        self.agent.remains_nothing().await;
        self.agent.end(Signal::SIGTERM).await;
        // Not even what it had prepared for tasks to come.
        let left = cgroup_roots(self.folder.path());
        assert!(left.is_empty(), "{left:?}");
    }
}
