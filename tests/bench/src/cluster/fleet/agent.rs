//! One agent of a fleet.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tepui_proto::{
    services::{
        AgentMessage, KnownTask, MasterMessage, Pong, Register, RunTask, StatusUpdate,
        agent_link_client::AgentLinkClient, agent_message::Message as Report,
        master_message::Message as Command,
    },
    v1::{self, agent_info::capability::Type as Capability},
};
use tokio::{sync::mpsc, time::sleep};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, transport::Channel};

/// The longest pause before a lost master is tried again. As with real agents, the pauses of many
/// are spread evenly below it.
const PAUSE_MS: u64 = 1_000;
/// Reports that wait for the connection.
const OUTBOX: usize = 64;
const CAPABILITIES: [Capability; 3] = [
    Capability::MultiRole,
    Capability::HierarchicalRole,
    Capability::ReservationRefinement,
];

/// One agent of a fleet.
#[derive(Debug)]
pub(super) struct Agent {
    info: v1::AgentInfo,
    tasks: Vec<KnownTask>,
    frameworks: BTreeMap<String, v1::FrameworkInfo>,
    /// Updates that the framework has not acknowledged.
    pending: Vec<StatusUpdate>,
    /// Names the newest update; the agent's number is the upper half, so that no two are alike.
    updates: u128,
    pause: Duration,
    registered: Arc<AtomicUsize>,
}

impl Agent {
    pub(super) fn new(
        number: usize,
        resources: Vec<v1::Resource>,
        registered: Arc<AtomicUsize>,
    ) -> Self {
        let info = v1::AgentInfo {
            hostname: format!("agent-{number}.fleet"),
            port: Some(5051),
            resources,
            ..Default::default()
        };
        Self {
            info,
            tasks: Vec::new(),
            frameworks: BTreeMap::new(),
            pending: Vec::new(),
            updates: (number as u128) << 64,
            pause: Duration::from_millis(number as u64 * 37 % PAUSE_MS),
            registered,
        }
    }

    /// Keeps a link to the master for ever.
    pub(super) async fn keep(mut self, channel: Channel) {
        let mut client = AgentLinkClient::new(channel);
        loop {
            let (reports, outgoing) = mpsc::channel(OUTBOX);
            let mut is_registered = false;
            // A link ends when the master does, and is opened again.
            let _ = self
                .follow(&mut client, &reports, outgoing, &mut is_registered)
                .await;
            if is_registered {
                self.registered.fetch_sub(1, Ordering::Relaxed);
            }
            sleep(self.pause).await;
        }
    }

    async fn follow(
        &mut self,
        client: &mut AgentLinkClient<Channel>,
        reports: &mpsc::Sender<AgentMessage>,
        outgoing: mpsc::Receiver<AgentMessage>,
        is_registered: &mut bool,
    ) -> Result<(), Status> {
        say(reports, Report::Register(self.introduction())).await;
        let stream = client.open(ReceiverStream::new(outgoing)).await?;
        let mut commands = stream.into_inner();
        while let Some(MasterMessage { message }) = commands.message().await? {
            match message {
                Some(Command::Registered(answer)) => {
                    self.info.id = answer.agent_id;
                    *is_registered = true;
                    self.registered.fetch_add(1, Ordering::Relaxed);
                    for update in &self.pending {
                        say(reports, Report::StatusUpdate(update.clone())).await;
                    }
                }
                Some(Command::Ping(_)) => say(reports, Report::Pong(Pong {})).await,
                Some(Command::RunTask(run)) => {
                    if let Some(update) = self.run(run) {
                        say(reports, Report::StatusUpdate(update)).await;
                    }
                }
                Some(Command::Acknowledge(acknowledged)) => {
                    let uuid = Some(acknowledged.uuid);
                    let is_other = |update: &StatusUpdate| {
                        update
                            .status
                            .as_ref()
                            .is_none_or(|status| status.uuid != uuid)
                    };
                    self.pending.retain(is_other);
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn introduction(&self) -> Register {
        let capability = |kind: Capability| v1::agent_info::Capability {
            r#type: Some(kind.into()),
        };
        Register {
            agent: Some(self.info.clone()),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            capabilities: CAPABILITIES.map(capability).into(),
            tasks: self.tasks.clone(),
            frameworks: self.frameworks.values().cloned().collect(),
            operations: Vec::new(),
            executors: Vec::new(),
            images: None,
        }
    }

    /// Takes a task for running.
    fn run(&mut self, run: RunTask) -> Option<StatusUpdate> {
        let (framework, task) = (run.framework?, run.task?);
        let framework_id = framework.id.clone()?;
        self.updates += 1;
        let status = v1::TaskStatus {
            task_id: task.task_id.clone(),
            state: v1::TaskState::TaskRunning.into(),
            source: Some(v1::task_status::Source::Executor.into()),
            agent_id: self.info.id.clone(),
            uuid: Some(self.updates.to_be_bytes().into()),
            ..Default::default()
        };
        let update = StatusUpdate {
            framework_id: Some(framework_id.clone()),
            status: Some(status.clone()),
            latest_state: v1::TaskState::TaskRunning.into(),
        };
        self.tasks.push(KnownTask {
            framework_id: Some(framework_id.clone()),
            task: Some(task),
            latest: Some(status),
        });
        self.frameworks.insert(framework_id.value, framework);
        self.pending.push(update.clone());
        Some(update)
    }
}

/// Sends a report. One that cannot be sent comes again on the next link.
async fn say(reports: &mpsc::Sender<AgentMessage>, report: Report) {
    let message = Some(report);
    let _ = reports.send(AgentMessage { message }).await;
}
