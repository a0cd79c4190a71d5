//! An agent in a process of its own.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use nix::{
    sys::signal::kill,
    unistd::{Pid, geteuid},
};
use tepui_proto::{
    services::{ReadSandboxRequest, Register, SandboxChunk, node_client::NodeClient},
    v1::{
        self,
        agent::{Call, Response, call},
    },
};
use tokio::{
    process::{Child, Command},
    time::sleep,
};
use tonic::{Streaming, transport::Channel};

use crate::master::FRAMEWORK;

pub(crate) use nix::sys::signal::Signal;

/// Whether containers can be isolated here. If not, says what is passed over.
pub(crate) fn isolated(test: &str) -> bool {
    let root = geteuid().is_root();
    if !root {
        eprintln!("{test}: passed over, because it needs root");
    }
    root
}

/// An agent in a process of its own. Dropping it kills it.
pub(crate) struct Agent {
    process: Child,
    address: Option<SocketAddr>,
}

/// The cgroups beneath which an agent with this work dir has its containers.
pub(crate) fn cgroup_roots(work_dir: &Path) -> Vec<PathBuf> {
    let root = Path::new("tepui-node").join(work_dir.file_name().unwrap());
    let hierarchies = fs::read_dir("/sys/fs/cgroup").into_iter().flatten();
    let mut roots: Vec<PathBuf> = hierarchies
        .flatten()
        .map(|hierarchy| hierarchy.path().join(&root))
        .collect();
    roots.push(Path::new("/sys/fs/cgroup").join(&root));
    roots.retain(|root| root.exists());
    roots
}

impl Agent {
    pub(crate) fn start(work_dir: &Path, master: SocketAddr) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tepui-test-node"));
        command
            .arg("--work-dir")
            .arg(work_dir)
            .args(["--master", &master.to_string(), "--listen", "127.0.0.1:0"])
            .args([
                "--resources",
                "cpus:16;mem:4096;disk:1024;ports:[31000-31010]",
            ])
            .args(["--registration-backoff-factor", "50ms"])
            .arg("--cgroup-root")
            .arg(Path::new("tepui-node").join(work_dir.file_name().unwrap()));
        if !geteuid().is_root() {
            command.args(["--isolation", "none", "--switch-user", "false"]);
        }
        Self {
            process: command.kill_on_drop(true).spawn().unwrap(),
            address: None,
        }
    }

    /// Notes where it listens, as it said.
    pub(crate) fn listens(&mut self, register: &Register) {
        let info = register.agent.as_ref().unwrap();
        self.address = Some(
            format!("{}:{}", info.hostname, info.port())
                .parse()
                .unwrap(),
        );
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.id().try_into().unwrap()), signal).unwrap();
    }

    pub(crate) fn id(&self) -> u32 {
        self.process.id().expect("an agent that lives")
    }

    pub(crate) fn is_dead(&mut self) -> bool {
        self.process.try_wait().unwrap().is_some()
    }

    /// Sends a signal, unless it is dead already, and waits for the end.
    pub(crate) async fn end(&mut self, signal: Signal) {
        if !self.is_dead() {
            self.signal(signal);
        }
        self.process.wait().await.unwrap();
    }

    /// Waits for the end, and says whether it was a good one.
    pub(crate) async fn ended_well(&mut self) -> bool {
        self.process.wait().await.unwrap().success()
    }

    async fn client(&self) -> NodeClient<Channel> {
        NodeClient::connect(format!("http://{}", self.address.unwrap()))
            .await
            .unwrap()
    }

    pub(crate) async fn call(&self, kind: call::Type) -> Response {
        self.try_call(kind).await.unwrap()
    }

    /// As [`Self::call`], of an agent that may be dead.
    pub(crate) async fn try_call(&self, kind: call::Type) -> Option<Response> {
        let call = Call {
            r#type: Some(kind.into()),
            ..Call::default()
        };
        let address = format!("http://{}", self.address.unwrap());
        let mut client = NodeClient::connect(address).await.ok()?;
        Some(client.call(call).await.ok()?.into_inner())
    }

    pub(crate) async fn follow(&self, task: &str, path: &str) -> Streaming<SandboxChunk> {
        let request = ReadSandboxRequest {
            framework_id: Some(v1::FrameworkId {
                value: FRAMEWORK.to_owned(),
            }),
            task_id: Some(v1::TaskId {
                value: task.to_owned(),
            }),
            path: path.to_owned(),
            offset: 0,
            follow: true,
        };
        self.client()
            .await
            .read_sandbox(request)
            .await
            .unwrap()
            .into_inner()
    }

    /// A file of a task's sandbox, until the task has ended.
    pub(crate) async fn read(&self, task: &str, path: &str) -> String {
        let mut stream = self.follow(task, path).await;
        let mut bytes = Vec::new();
        while let Some(chunk) = stream.message().await.unwrap() {
            bytes.extend(chunk.data);
        }
        String::from_utf8(bytes).unwrap()
    }

    /// Waits until the agent has no container left.
    pub(crate) async fn remains_nothing(&self) {
        loop {
            let containers = self
                .call(call::Type::GetContainers)
                .await
                .get_containers
                .unwrap();
            let tasks = self.call(call::Type::GetTasks).await.get_tasks.unwrap();
            if containers.containers.is_empty() && tasks.terminated_tasks.is_empty() {
                return;
            }
            sleep(Duration::from_millis(20)).await;
        }
    }
}
