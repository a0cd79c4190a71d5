//! Testing a framework against a master in memory.
//!
//! [`TestMaster`] is the real core of the master behind the real gRPC service, on a free port of
//! this machine: a framework under test subscribes with it as with any other, and gets the offers
//! that the real allocator makes. The agents are the test's: [`TestAgent`] says what they have, and
//! what becomes of their tasks.
//!
//! ```
//! use tepui_sdk::{model::TaskState, testkit::TestMaster};
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), tepui_sdk::testkit::TestError> {
//! let master = TestMaster::start().await?;
//! let mut agent = master.agent("cpus:4;mem:1024", "rack:a").await?;
//! // ... run the framework with `master.address()`; then, for each task it launches:
//! # if false {
//! let task = agent.launched().await?;
//! agent.report(&task.task_id.value, TaskState::Finished, "").await?;
//! # }
//! # Ok(())
//! # }
//! ```

mod agent;
mod cluster;
mod operations;
mod services;

use std::io;

use tepui_model::{AgentId, Attributes, ParseError, Resources, Role, TaskState};
use tepui_proto::{
    services::{operator_server::OperatorServer, scheduler_server::SchedulerServer},
    v1,
};
use tokio::{
    net::TcpListener,
    sync::{mpsc, oneshot},
    task::JoinHandle,
};
use tonic::transport::{Server, server::TcpIncoming};

use self::{
    cluster::{Cluster, Input, Play},
    services::Services,
};

/// Inputs that wait for the master.
const WAITING: usize = 1024;

/// Why the test kit cannot do what it was asked to.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TestError {
    /// There is no port to listen on.
    #[error("cannot listen on this machine: {0}")]
    Listen(#[from] io::Error),
    /// The text of an agent's resources or attributes is malformed.
    #[error(transparent)]
    Text(#[from] ParseError),
    /// What the test asks of the master cannot be.
    #[error("{0}")]
    Refused(String),
    /// The master has ended.
    #[error("the test master has ended")]
    Ended,
}

/// A master in memory. Dropping it ends it.
#[derive(Debug)]
pub struct TestMaster {
    address: String,
    inputs: mpsc::Sender<Input>,
    tasks: [JoinHandle<()>; 2],
}

impl TestMaster {
    /// Starts a master without agents. It listens on a free port of the loopback interface.
    ///
    /// # Errors
    /// When there is no such port.
    pub async fn start() -> Result<Self, TestError> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?.to_string();
        let (inputs, received) = mpsc::channel(WAITING);
        let cluster = Cluster::new().map_err(TestError::Refused)?;
        let services = Services::new(inputs.clone());
        let server = Server::builder()
            .add_service(SchedulerServer::new(services.clone()))
            .add_service(OperatorServer::new(services));
        let serving = tokio::spawn(async move {
            if let Err(error) = server
                .serve_with_incoming(TcpIncoming::from(listener))
                .await
            {
                tracing::error!(%error, "the test master cannot serve");
            }
        });
        let tasks = [tokio::spawn(cluster.run(received)), serving];
        Ok(Self {
            address,
            inputs,
            tasks,
        })
    }

    /// Where frameworks and operators reach it, `HOST:PORT`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Adds an agent with these resources (`cpus:4;mem:1024;ports:[31000-31999]`) and attributes
    /// (`rack:a;zone:b`), whose tasks run as soon as they are launched and end when they are
    /// killed.
    ///
    /// # Errors
    /// When the texts are malformed.
    pub async fn agent(&self, resources: &str, attributes: &str) -> Result<TestAgent, TestError> {
        self.add_agent(resources, attributes, true).await
    }

    /// The same, but nothing becomes of its tasks before the test says so.
    ///
    /// # Errors
    /// When the texts are malformed.
    pub async fn idle_agent(
        &self,
        resources: &str,
        attributes: &str,
    ) -> Result<TestAgent, TestError> {
        self.add_agent(resources, attributes, false).await
    }

    async fn add_agent(
        &self,
        resources: &str,
        attributes: &str,
        automatic: bool,
    ) -> Result<TestAgent, TestError> {
        let info = v1::AgentInfo {
            hostname: "127.0.0.1".to_owned(),
            resources: Resources::parse(resources, &Role::default())?.to_proto(None),
            attributes: Attributes::parse(attributes)?.to_proto(),
            ..Default::default()
        };
        let (launched, launches) = mpsc::channel(WAITING);
        let add = |done| Input::AddAgent {
            info: Box::new(info),
            automatic,
            launched,
            done,
        };
        let (index, id) = ask(&self.inputs, add).await?.map_err(TestError::Refused)?;
        Ok(TestAgent {
            index,
            id,
            inputs: self.inputs.clone(),
            launches,
        })
    }

    /// The master dies and comes back with what its registry kept: every stream breaks, and the
    /// agents that are there register again.
    ///
    /// # Errors
    /// When the master has ended.
    pub async fn restart(&self) -> Result<(), TestError> {
        ask(&self.inputs, |done| Input::Restart { done }).await
    }
}

impl Drop for TestMaster {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

/// An agent that the test plays.
#[derive(Debug)]
pub struct TestAgent {
    index: usize,
    id: AgentId,
    inputs: mpsc::Sender<Input>,
    launches: mpsc::Receiver<v1::TaskInfo>,
}

impl TestAgent {
    /// The id that the master gave it.
    pub fn id(&self) -> &AgentId {
        &self.id
    }

    /// The next task that is launched on it, in order. Waits until there is one.
    ///
    /// # Errors
    /// When the master has ended.
    pub async fn launched(&mut self) -> Result<v1::TaskInfo, TestError> {
        self.launches.recv().await.ok_or(TestError::Ended)
    }

    /// Says what became of a task. The update is delivered, and repeated after a restart of the
    /// master, until the framework acknowledges it.
    ///
    /// # Errors
    /// When the agent has no such task.
    pub async fn report(
        &self,
        task: &str,
        state: TaskState,
        message: &str,
    ) -> Result<(), TestError> {
        let (task, message) = (task.to_owned(), message.to_owned());
        self.play(Play::Report {
            task,
            state,
            healthy: None,
            message,
        })
        .await
    }

    /// Says of a running task whether it is healthy, as an agent does that checks it.
    ///
    /// # Errors
    /// When the agent has no such task.
    pub async fn report_health(&self, task: &str, healthy: bool) -> Result<(), TestError> {
        self.play(Play::Report {
            task: task.to_owned(),
            state: TaskState::Running,
            healthy: Some(healthy),
            message: String::new(),
        })
        .await
    }

    /// The tasks on it, and the newest state of each.
    ///
    /// # Errors
    /// When the master has ended.
    pub async fn tasks(&self) -> Result<Vec<(String, TaskState)>, TestError> {
        ask(&self.inputs, |done| Input::Tasks {
            agent: self.index,
            done,
        })
        .await
    }

    /// The connection to the master breaks.
    ///
    /// # Errors
    /// When the master has ended.
    pub async fn disconnect(&self) -> Result<(), TestError> {
        self.play(Play::Disconnect).await
    }

    /// It comes back and registers again.
    ///
    /// # Errors
    /// When the master has ended.
    pub async fn reconnect(&self) -> Result<(), TestError> {
        self.play(Play::Reconnect).await
    }

    async fn play(&self, play: Play) -> Result<(), TestError> {
        let asked = ask(&self.inputs, |done| Input::Play {
            agent: self.index,
            play,
            done,
        })
        .await?;
        asked.map_err(TestError::Refused)
    }
}

async fn ask<T>(
    inputs: &mpsc::Sender<Input>,
    input: impl FnOnce(oneshot::Sender<T>) -> Input,
) -> Result<T, TestError> {
    let (done, answer) = oneshot::channel();
    inputs
        .send(input(done))
        .await
        .map_err(|_| TestError::Ended)?;
    answer.await.map_err(|_| TestError::Ended)
}

#[cfg(test)]
mod tests;
