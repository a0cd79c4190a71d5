//! An agent as far as a batch job can see it: it runs commands in sandboxes, and lends out the
//! files.

use std::{
    fs::{self, File},
    path::PathBuf,
    process::Stdio,
    sync::Arc,
};

use tempfile::TempDir;
use tepui_sdk::{
    services::{
        ReadSandboxRequest, SandboxChunk, SessionInput, SessionOutput,
        node_server::{Node, NodeServer},
    },
    v1,
};
use tokio::{
    net::TcpListener,
    process::{Child, Command},
    task::JoinHandle,
};
use tokio_stream::Iter;
use tonic::{
    Request, Response, Status, Streaming,
    transport::{Server, server::TcpIncoming},
};

type Chunks = Vec<Result<SandboxChunk, Status>>;

/// See the module. Dropping it ends it, and its sandboxes are gone.
pub(crate) struct Agent {
    pub(crate) name: String,
    pub(crate) port: u16,
    pub(crate) free_cpus: u32,
    sandboxes: Arc<TempDir>,
    server: JoinHandle<()>,
}

/// The files of the sandboxes, one folder per task.
struct Files(PathBuf);

impl Agent {
    pub(crate) async fn start(name: &str, cpus: u32) -> Self {
        let sandboxes = Arc::new(tempfile::tempdir().unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let node = NodeServer::new(Files(sandboxes.path().to_owned()));
        let server = tokio::spawn(async move {
            let incoming = TcpIncoming::from(listener);
            Server::builder()
                .add_service(node)
                .serve_with_incoming(incoming)
                .await
                .unwrap();
        });
        Self {
            name: name.to_owned(),
            port,
            free_cpus: cpus,
            sandboxes,
            server,
        }
    }

    /// Runs a task as a real agent does, with the batch program as its own executable.
    pub(crate) fn run(&self, task: &v1::TaskInfo) -> Child {
        let sandbox = self.sandboxes.path().join(&task.task_id.value);
        fs::create_dir(&sandbox).unwrap();
        let command = task.command.as_ref().unwrap();
        let variables = &command.environment.as_ref().unwrap().variables;
        Command::new("/bin/sh")
            .args(["-c", command.value.as_ref().unwrap()])
            .envs(
                variables
                    .iter()
                    .map(|v| (v.name.as_str(), v.value.as_deref().unwrap())),
            )
            .env("TEPUI_EXECUTABLE", env!("CARGO_BIN_EXE_tepui-batch"))
            .current_dir(&sandbox)
            .stdin(Stdio::null())
            .stdout(File::create(sandbox.join("stdout")).unwrap())
            .stderr(File::create(sandbox.join("stderr")).unwrap())
            .kill_on_drop(true)
            .spawn()
            .unwrap()
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.server.abort();
    }
}

#[tonic::async_trait]
impl Node for Files {
    type ReadSandboxStream = Iter<std::vec::IntoIter<Result<SandboxChunk, Status>>>;

    async fn call(
        &self,
        _request: Request<v1::agent::Call>,
    ) -> Result<Response<v1::agent::Response>, Status> {
        Err(Status::unimplemented("this agent is played"))
    }

    async fn read_sandbox(
        &self,
        request: Request<ReadSandboxRequest>,
    ) -> Result<Response<Self::ReadSandboxStream>, Status> {
        let request = request.into_inner();
        let task = request.task_id.unwrap_or_default().value;
        let path = self.0.join(task).join(request.path);
        let bytes = fs::read(&path).map_err(|error| Status::not_found(error.to_string()))?;
        let rest = bytes.get(request.offset as usize..).unwrap_or_default();
        let chunk = |data: &[u8]| {
            Ok(SandboxChunk {
                data: data.to_vec(),
            })
        };
        let chunks: Chunks = rest.chunks(1000).map(chunk).collect();
        Ok(Response::new(tokio_stream::iter(chunks)))
    }

    type ExecStream = Iter<std::vec::IntoIter<Result<SessionOutput, Status>>>;

    async fn exec(
        &self,
        _request: Request<Streaming<SessionInput>>,
    ) -> Result<Response<Self::ExecStream>, Status> {
        Err(Status::unimplemented("this agent is played"))
    }
    type AttachStream = Iter<std::vec::IntoIter<Result<SessionOutput, Status>>>;

    async fn attach(
        &self,
        _request: Request<Streaming<SessionInput>>,
    ) -> Result<Response<Self::AttachStream>, Status> {
        Err(Status::unimplemented("this agent is played"))
    }
}
