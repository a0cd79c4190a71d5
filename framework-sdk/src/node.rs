//! An agent's own API: what it has, and the files in the sandboxes of its tasks.

mod exec;

use tepui_model::{FrameworkId, TaskId};
use tepui_proto::{
    services::{ReadSandboxRequest, SandboxChunk, node_client::NodeClient},
    v1::agent::{Call, Response},
};
use tonic::{Streaming, transport::Channel};

pub use self::exec::{Exec, ExecEvent, ExecInput, ExecOutput, ExecRequest};
use crate::{Error, limits, masters::dial};

/// A connection to an agent. A cheap clone.
#[derive(Debug, Clone)]
pub struct Node {
    address: String,
    client: NodeClient<Channel>,
}

impl Node {
    /// Connects to the agent at `HOST:PORT`, such as
    /// [`Operator::agent_address`](crate::Operator::agent_address) gives.
    ///
    /// # Errors
    /// [`Error::Unreachable`] when nobody answers there.
    pub async fn connect(address: &str) -> Result<Self, Error> {
        let client = NodeClient::new(dial(address).await?)
            .max_decoding_message_size(limits::MAX_MESSAGE_BYTES);
        Ok(Self {
            address: address.to_owned(),
            client,
        })
    }

    /// Any v1 operator call of an agent.
    ///
    /// # Errors
    /// As the agent answers.
    pub async fn call(&self, call: Call) -> Result<Response, Error> {
        let answer = self.client.clone().call(call).await;
        answer
            .map(tonic::Response::into_inner)
            .map_err(|status| self.refusal(status))
    }

    /// Reads a file of a task's sandbox from `offset` on; with `follow`, until the task has ended
    /// and its last byte is read.
    ///
    /// # Errors
    /// [`Error::Refused`] with `NOT_FOUND` when there is no such task or file.
    pub async fn read_sandbox(&self, file: &SandboxFile, follow: bool) -> Result<Reading, Error> {
        let request = ReadSandboxRequest {
            framework_id: Some((&file.framework_id).into()),
            task_id: Some((&file.task_id).into()),
            path: file.path.clone(),
            offset: file.offset,
            follow,
        };
        match self.client.clone().read_sandbox(request).await {
            Ok(answer) => Ok(Reading {
                address: self.address.clone(),
                chunks: answer.into_inner(),
            }),
            Err(status) => Err(self.refusal(status)),
        }
    }

    /// Reads a whole file of a task's sandbox, up to `limit` bytes.
    ///
    /// # Errors
    /// As [`read_sandbox`](Self::read_sandbox), and when the file is larger than `limit`.
    pub async fn read_whole(&self, file: &SandboxFile, limit: usize) -> Result<Vec<u8>, Error> {
        let mut reading = self.read_sandbox(file, false).await?;
        let mut bytes = Vec::new();
        while let Some(chunk) = reading.next().await? {
            if bytes.len() + chunk.len() > limit {
                let message = format!("{:?} is larger than {limit} bytes", file.path);
                return Err(self.refusal(tonic::Status::out_of_range(message)));
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes)
    }

    fn refusal(&self, status: tonic::Status) -> Error {
        Error::from_status(&self.address, status)
    }
}

/// A file in a task's sandbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SandboxFile {
    /// Whose task.
    pub framework_id: FrameworkId,
    /// Which task.
    pub task_id: TaskId,
    /// The path beneath the sandbox, such as `stdout`.
    pub path: String,
    /// Where to begin, in bytes.
    pub offset: u64,
}

/// The bytes of a file as they come.
#[derive(Debug)]
pub struct Reading {
    address: String,
    chunks: Streaming<SandboxChunk>,
}

impl Reading {
    /// The next bytes; `None` after the last. Cancel-safe.
    ///
    /// # Errors
    /// When the connection breaks: begin again at the offset that was reached.
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>, Error> {
        match self.chunks.message().await {
            Ok(chunk) => Ok(chunk.map(|chunk| chunk.data)),
            Err(status) => Err(Error::from_status(&self.address, status)),
        }
    }
}
