//! The stream to the agent: opened, kept, and opened again while the agent is away.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use tepui_model::{StatusUuid, TaskId, TaskInfo, TaskStatus};
use tepui_proto::{
    services::executor_client::ExecutorClient,
    v1::{
        self,
        executor::{Call, Event, call, event},
    },
};
use tokio::{
    sync::mpsc,
    time::{sleep, timeout},
};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;

use super::{Executor, ExecutorDriver, ExecutorPlace};
use crate::{Error, Outcome, backoff::Backoff, limits, masters::dial};

/// What an executor says.
#[derive(Debug)]
pub(super) enum Said {
    Update(Box<TaskStatus>),
    Message(Vec<u8>),
    Stop,
}

/// How a stream ended.
enum End {
    /// All is said and done.
    Over,
    /// The agent is away.
    Away(Error),
}

/// One executor's dealings with its agent.
pub(super) struct Session {
    place: ExecutorPlace,
    sayings: mpsc::Receiver<Said>,
    /// What was said and not acknowledged, in order.
    updates: Vec<TaskStatus>,
    /// The tasks that were given, until the agent acknowledges the first word about them.
    tasks: BTreeMap<TaskId, TaskInfo>,
    stopping: bool,
}

impl Session {
    pub(super) const fn new(place: ExecutorPlace, sayings: mpsc::Receiver<Said>) -> Self {
        Self {
            place,
            sayings,
            updates: Vec::new(),
            tasks: BTreeMap::new(),
            stopping: false,
        }
    }

    pub(super) async fn run(
        mut self,
        driver: &ExecutorDriver,
        executor: &mut impl Executor,
    ) -> Result<(), Error> {
        let mut backoff = Backoff::new(limits::FIRST_BACKOFF, self.place.longest_backoff);
        let mut away = Instant::now();
        let mut was_there = false;
        loop {
            let end = match self.open().await {
                Ok((calls, events)) => {
                    backoff.reset();
                    was_there = true;
                    let end = self.serve(driver, executor, calls, events).await;
                    away = Instant::now();
                    let end = end?;
                    if matches!(end, End::Away(_)) {
                        let told = executor.disconnected(driver).await;
                        told.map_err(Error::Framework)?;
                    }
                    end
                }
                Err(error) => End::Away(error),
            };
            let End::Away(error) = end else { return Ok(()) };
            // An agent that has just started its executor is not away.
            let patience = match was_there {
                true => self.place.recovery_timeout,
                false => self.place.recovery_timeout.max(limits::ANSWER_TIMEOUT),
            };
            if !error.is_temporary() || away.elapsed() >= patience {
                return Err(error);
            }
            sleep(backoff.pause()).await;
        }
    }

    /// Opens a stream and subscribes on it.
    async fn open(&self) -> Result<(mpsc::Sender<Call>, Streaming<Event>), Error> {
        let address = &self.place.agent;
        let mut client = ExecutorClient::new(dial(address).await?)
            .max_decoding_message_size(limits::MAX_MESSAGE_BYTES);
        let (calls, stream) = mpsc::channel(limits::OUTGOING_CALLS);
        // There is room: nothing else was sent.
        let _ = calls.send(self.subscribe()).await;
        let mut request = tonic::Request::new(ReceiverStream::new(stream));
        let token = self.place.token.as_ref();
        let token = token.and_then(|token| format!("Bearer {token}").parse().ok());
        if let Some(token) = token {
            request.metadata_mut().insert("authorization", token);
        }
        let opened = timeout(limits::ANSWER_TIMEOUT, client.open(request));
        let late = |_| Error::Unreachable {
            address: address.clone(),
            cause: "it does not answer in time".to_owned(),
        };
        match opened.await.map_err(late)? {
            Ok(answer) => Ok((calls, answer.into_inner())),
            Err(status) => Err(Error::from_status(address, status)),
        }
    }

    /// Takes events and passes sayings on until the stream ends.
    async fn serve(
        &mut self,
        driver: &ExecutorDriver,
        executor: &mut impl Executor,
        calls: mpsc::Sender<Call>,
        mut events: Streaming<Event>,
    ) -> Result<End, Error> {
        loop {
            if self.stopping && self.updates.is_empty() {
                return Ok(End::Over);
            }
            tokio::select! {
                Some(said) = self.sayings.recv() => {
                    if let Some(call) = self.note(said) {
                        // A stream that takes no calls gives no events either.
                        let _ = calls.send(call).await;
                    }
                }
                event = events.message() => {
                    let event = match event {
                        Ok(Some(event)) => event,
                        Ok(None) => return Ok(End::Away(self.gone("it ended the stream"))),
                        Err(status) => {
                            let address = &self.place.agent;
                            return Ok(End::Away(Error::from_status(address, status)));
                        }
                    };
                    let is_last = event.r#type() == event::Type::Shutdown;
                    let handled = self.hear(driver, executor, event).await;
                    handled.map_err(Error::Framework)?;
                    if is_last {
                        self.last_words(&calls).await;
                        return Ok(End::Over);
                    }
                }
            }
        }
    }

    /// What was said while the executor was being shut down still leaves.
    async fn last_words(&mut self, calls: &mpsc::Sender<Call>) {
        while let Ok(said) = self.sayings.try_recv() {
            if let Some(call) = self.note(said) {
                let _ = calls.send(call).await;
            }
        }
        // The calls leave by a task of the connection's.
        sleep(Duration::from_millis(50)).await;
    }

    fn gone(&self, cause: &str) -> Error {
        Error::Unreachable {
            address: self.place.agent.clone(),
            cause: cause.to_owned(),
        }
    }

    /// Notes what was said; the call that passes it on.
    fn note(&mut self, said: Said) -> Option<Call> {
        match said {
            Said::Update(status) => {
                let call = self.call(call::Type::Update);
                let update = Some(call::Update {
                    status: (&*status).into(),
                });
                self.updates.push(*status);
                Some(Call { update, ..call })
            }
            Said::Message(data) => Some(Call {
                message: Some(call::Message { data }),
                ..self.call(call::Type::Message)
            }),
            Said::Stop => {
                self.stopping = true;
                None
            }
        }
    }

    async fn hear(
        &mut self,
        driver: &ExecutorDriver,
        executor: &mut impl Executor,
        event: Event,
    ) -> Outcome {
        match event.r#type() {
            event::Type::Subscribed => {
                let subscription = event.subscribed.unwrap_or_default();
                executor.subscribed(driver, subscription).await
            }
            event::Type::Launch => {
                let Some(launch) = event.launch else {
                    return Ok(());
                };
                let task = TaskInfo::try_from(launch.task)?;
                self.tasks.insert(task.id.clone(), task.clone());
                executor.launch(driver, task).await
            }
            event::Type::Kill => {
                let Some(kill) = event.kill else {
                    return Ok(());
                };
                let grace = kill.kill_policy.and_then(|policy| policy.grace_period);
                let grace = grace.and_then(|span| u64::try_from(span.nanoseconds).ok());
                let grace = grace.map(Duration::from_nanos);
                let task = TaskId::try_from(&kill.task_id)?;
                executor.kill(driver, task, grace).await
            }
            event::Type::Acknowledged => {
                self.acknowledged(&event.acknowledged.unwrap_or_default());
                Ok(())
            }
            event::Type::Message => {
                let data = event.message.map(|message| message.data);
                executor.message(driver, data.unwrap_or_default()).await
            }
            event::Type::Shutdown => executor.shutdown(driver).await,
            event::Type::Error => {
                let text = event.error.map(|error| error.message);
                Err(text.unwrap_or_default().into())
            }
            event::Type::LaunchGroup => {
                let group = event.launch_group.map(|launch| launch.task_group.tasks);
                let tasks = group.unwrap_or_default().into_iter();
                let tasks = tasks
                    .map(TaskInfo::try_from)
                    .collect::<Result<Vec<_>, _>>()?;
                for task in &tasks {
                    self.tasks.insert(task.id.clone(), task.clone());
                }
                executor.launch_group(driver, tasks).await
            }
            event::Type::Heartbeat | event::Type::Unknown => Ok(()),
        }
    }

    fn acknowledged(&mut self, acknowledged: &event::Acknowledged) {
        let uuid = StatusUuid::try_from(acknowledged.uuid.as_slice()).ok();
        self.updates.retain(|status| status.uuid != uuid);
        self.tasks.remove(acknowledged.task_id.value.as_str());
    }

    /// What the agent may not have heard is said again.
    fn subscribe(&self) -> Call {
        let update = |status: &TaskStatus| call::Update {
            status: status.into(),
        };
        Call {
            subscribe: Some(call::Subscribe {
                unacknowledged_tasks: self.tasks.values().map(v1::TaskInfo::from).collect(),
                unacknowledged_updates: self.updates.iter().map(update).collect(),
            }),
            ..self.call(call::Type::Subscribe)
        }
    }

    fn call(&self, kind: call::Type) -> Call {
        Call {
            executor_id: (&self.place.executor_id).into(),
            framework_id: (&self.place.framework_id).into(),
            r#type: Some(kind.into()),
            ..Call::default()
        }
    }
}
