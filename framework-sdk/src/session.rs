//! The session: one task that keeps a framework subscribed.
//!
//! It owns the connection and everything that must outlive one: who the framework is, which roles
//! are suppressed, which tasks are alive, which updates were delivered. Commands come from the
//! [`Driver`](crate::Driver), deliveries go to [`Events`](crate::Events). It reads from the master
//! only while there is room for a delivery, and obeys commands always, so that a framework that
//! talks while it handles an event cannot wait for itself.

pub(crate) mod connection;
mod duplicates;
pub(crate) mod link;
mod tracked;
mod wishes;

use std::collections::VecDeque;

use tepui_model::{FrameworkId, Role, TaskStatus};
use tepui_proto::v1::{self, scheduler::Call};
use tokio::{
    sync::mpsc::{Receiver, Sender},
    time::{Instant, sleep_until},
};

use self::{
    duplicates::{Delivered, Duplicates},
    link::{Link, Occurrence},
    tracked::Tracked,
    wishes::Wishes,
};
use crate::{
    Error, Event, KnownOperation, KnownTask, Masters, OperationUpdate, Options, Subscription,
    backoff::Backoff,
    calls,
    driver::{Acknowledgement, Command, Subject},
    event::Incoming,
    events::Delivery,
    limits,
};

/// What the framework means to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Goal {
    Live,
    TearDown,
}

/// The session ends; with an error to deliver, if nobody asked for it.
struct End(Option<Error>);

/// What the session turns to next.
enum Turn {
    Command(Command),
    Link(Occurrence),
    /// There is room for a delivery again.
    Room,
    ReconcileDue,
    /// The framework dropped its end.
    NobodyListens,
}

pub(crate) struct Session {
    masters: Masters,
    framework: v1::FrameworkInfo,
    constraints: Option<v1::scheduler::OfferConstraints>,
    wishes: Wishes,
    /// What the framework waits for, said while nobody listened.
    unasked: Option<Vec<v1::Request>>,
    tracked: Tracked,
    duplicates: Duplicates,
    goal: Goal,
    link: Link,
    attempts: usize,
    backoff: Backoff,
    subscribed: bool,
    /// Acknowledgements of what was handled between two connections.
    unsent: VecDeque<Acknowledgement>,
    commands: Receiver<Command>,
    deliver: Sender<Delivery>,
    /// Deliveries that found no room: at most one of a broken connection and one that ends all.
    outbox: VecDeque<Delivery>,
}

impl Session {
    pub(crate) fn new(
        options: Options,
        commands: Receiver<Command>,
        deliver: Sender<Delivery>,
    ) -> Self {
        let (framework, constraints) = options.profile.into_wire();
        Self {
            masters: options.masters,
            wishes: Wishes::new(framework.roles.clone()),
            unasked: None,
            framework,
            constraints,
            tracked: Tracked::new(options.tasks, options.reconcile_interval),
            duplicates: Duplicates::new(limits::REMEMBERED_UPDATES),
            goal: Goal::Live,
            link: Link::Waiting(Instant::now()),
            attempts: 0,
            backoff: Backoff::new(limits::FIRST_BACKOFF, limits::LONGEST_BACKOFF),
            subscribed: false,
            unsent: VecDeque::new(),
            commands,
            deliver,
            outbox: VecDeque::new(),
        }
    }

    /// Until somebody stops it, the framework goes away, or the master ends it.
    pub(crate) async fn run(mut self) {
        let End(error) = loop {
            if let Err(end) = self.step().await {
                break end;
            }
        };
        if let Some(error) = error {
            self.outbox.push_back(Delivery {
                event: Err(error),
                acknowledgement: None,
            });
        }
        // Whoever waits for room in `commands` learns that nobody reads there any more.
        self.commands.close();
        for delivery in self.outbox {
            if self.deliver.send(delivery).await.is_err() {
                break;
            }
        }
    }

    async fn step(&mut self) -> Result<(), End> {
        self.flush();
        match self.turn().await {
            Turn::Command(command) => self.obey(command).await,
            Turn::Link(occurrence) => self.occurred(occurrence).await,
            Turn::Room => Ok(()),
            Turn::ReconcileDue => self.reconcile().await,
            Turn::NobodyListens => Err(End(None)),
        }
    }

    /// Waits for whatever comes first. Nothing is lost when it does not come first.
    async fn turn(&mut self) -> Turn {
        let has_room = self.outbox.is_empty() && self.deliver.capacity() > 0;
        let due = self.tracked.due();
        tokio::select! {
            command = self.commands.recv() => command.map_or(Turn::NobodyListens, Turn::Command),
            occurrence = self.link.next(), if has_room => Turn::Link(occurrence),
            room = self.deliver.reserve(), if !has_room => {
                room.map_or(Turn::NobodyListens, |_| Turn::Room)
            }
            () = self.deliver.closed() => Turn::NobodyListens,
            () = sleep_until(due), if self.subscribed => Turn::ReconcileDue,
        }
    }

    /// Hands over what waits, as far as there is room.
    fn flush(&mut self) {
        while let Ok(permit) = self.deliver.try_reserve() {
            match self.outbox.pop_front() {
                Some(delivery) => permit.send(delivery),
                None => break,
            }
        }
    }

    fn tell(&mut self, event: Event, acknowledgement: Option<Acknowledgement>) {
        self.outbox.push_back(Delivery {
            event: Ok(event),
            acknowledgement,
        });
    }

    async fn occurred(&mut self, occurrence: Occurrence) -> Result<(), End> {
        match occurrence {
            Occurrence::RetryDue => {
                let address = self.masters.in_turn(self.attempts).to_owned();
                self.attempts += 1;
                let suppressed = self.wishes.suppressed();
                let constraints = self.constraints.clone();
                let subscribe = calls::subscribe(self.framework.clone(), suppressed, constraints);
                self.link = Link::open(address, subscribe);
                Ok(())
            }
            Occurrence::Opened(connection) => {
                self.link = Link::Up(connection);
                Ok(())
            }
            Occurrence::Event(event) => self.hear(*event).await,
            Occurrence::Lost(error) => self.lost(error),
            // Asked to end the framework, the master ended the stream: that is its answer.
            Occurrence::Closed(_) if self.goal == Goal::TearDown && self.subscribed => {
                Err(End(None))
            }
            Occurrence::Closed(error) => self.lost(error),
        }
    }

    /// The connection, or the attempt at one, is over: another follows after a pause.
    fn lost(&mut self, error: Error) -> Result<(), End> {
        if !self.subscribed && !error.is_temporary() {
            return Err(End(Some(error)));
        }
        let pause = self.backoff.pause();
        tracing::info!(%error, ?pause, "not connected to a master");
        if std::mem::take(&mut self.subscribed) {
            self.tell(Event::Disconnected(error.to_string()), None);
        }
        self.link = Link::Waiting(Instant::now() + pause);
        Ok(())
    }

    async fn hear(&mut self, event: v1::scheduler::Event) -> Result<(), End> {
        match Incoming::read(event) {
            Ok(Incoming::Subscribed(subscription)) => self.subscribed(subscription).await,
            Ok(Incoming::Deliver(Event::Update(status))) => self.updated(status).await,
            Ok(Incoming::Deliver(Event::Operation(update))) => {
                let acknowledgement = acknowledgement_of(&update);
                self.deliver_once(Event::Operation(update), acknowledgement)
                    .await
            }
            Ok(Incoming::Deliver(event)) => {
                self.tell(event, None);
                Ok(())
            }
            Ok(Incoming::Quiet) => Ok(()),
            // The framework is gone, as it wished.
            Ok(Incoming::Error(_)) if self.goal == Goal::TearDown => Err(End(None)),
            Ok(Incoming::Error(message)) => Err(End(Some(Error::Ended(message)))),
            Err(what) => {
                tracing::warn!(what, "an event cannot be read and is passed over");
                Ok(())
            }
        }
    }

    async fn subscribed(&mut self, subscription: Subscription) -> Result<(), End> {
        self.subscribed = true;
        self.backoff.reset();
        // The next loss is answered by the same master first: it is the one that works.
        self.attempts = self.attempts.saturating_sub(1);
        self.framework.id = Some((&subscription.framework_id).into());
        self.link.expect_heartbeats(subscription.heartbeat);
        self.tell(Event::Subscribed(subscription), None);
        if self.goal == Goal::TearDown {
            return self.send(calls::teardown()).await;
        }
        self.catch_up().await?;
        self.tracked.subscribed(Instant::now());
        self.reconcile().await
    }

    /// Says what could not be said while nobody listened.
    async fn catch_up(&mut self) -> Result<(), End> {
        let (revived, suppressed) = self.wishes.take_unsaid();
        if !revived.is_empty() {
            self.send(calls::revive(revived)).await?;
        }
        if !suppressed.is_empty() {
            self.send(calls::suppress(suppressed)).await?;
        }
        if let Some(requests) = self.unasked.take() {
            self.send(calls::request(requests)).await?;
        }
        while let Some(handled) = self.unsent.pop_front() {
            self.acknowledge(handled).await?;
        }
        Ok(())
    }

    async fn updated(&mut self, status: TaskStatus) -> Result<(), End> {
        self.tracked.heard(&status);
        let acknowledgement = acknowledgement(&status);
        self.deliver_once(Event::Update(status), acknowledgement)
            .await
    }

    /// Delivers what was not delivered before, and acknowledges again what was handled.
    async fn deliver_once(
        &mut self,
        event: Event,
        acknowledgement: Option<Acknowledgement>,
    ) -> Result<(), End> {
        let before = acknowledgement
            .as_ref()
            .map(|a| self.duplicates.deliver(a.uuid));
        match (before, acknowledgement) {
            (Some(Delivered::Handled), Some(again)) => self.acknowledge(again).await,
            (Some(Delivered::Pending), _) => Ok(()),
            (_, acknowledgement) => {
                self.tell(event, acknowledgement);
                Ok(())
            }
        }
    }

    async fn acknowledge(&mut self, handled: Acknowledgement) -> Result<(), End> {
        self.duplicates.handled(handled.uuid);
        if !self.subscribed {
            // Should one be forgotten, the agent repeats the update, and that is acknowledged.
            self.unsent.push_back(handled);
            self.unsent.truncate(limits::REMEMBERED_UPDATES);
            return Ok(());
        }
        let Acknowledgement { agent, about, uuid } = handled;
        let uuid = uuid.to_vec();
        self.send(match about {
            Subject::Task(task) => calls::acknowledge(&agent, &task, uuid),
            Subject::Operation(operation) => calls::acknowledge_operation(&agent, &operation, uuid),
        })
        .await
    }

    async fn obey(&mut self, command: Command) -> Result<(), End> {
        let call = match command {
            Command::Accept {
                offers,
                operations,
                filters,
                all_or_nothing,
            } => {
                self.tracked.launched(&operations, Instant::now());
                calls::accept(&offers, operations, filters, all_or_nothing)
            }
            Command::Request(requests) if !self.subscribed => {
                self.unasked = Some(requests);
                return Ok(());
            }
            Command::Request(requests) => calls::request(requests),
            Command::Decline { offers, filters } => calls::decline(&offers, filters),
            Command::AnswerInverse {
                offers,
                leaves,
                filters,
            } => calls::answer_inverse(&offers, leaves, filters),
            Command::Kill { task, grace } => {
                let agent = self.tracked.kill(&task, grace, Instant::now());
                calls::kill(&task, agent.as_ref(), grace)
            }
            Command::Reconcile(tasks) => return self.ask(tasks).await,
            Command::ReconcileOperations(operations) => {
                calls::reconcile_operations(operations.iter().map(KnownOperation::query).collect())
            }
            Command::Revive(roles) => {
                self.wishes.wish(&roles, true, self.subscribed);
                calls::revive(names(&roles))
            }
            Command::Suppress(roles) => {
                self.wishes.wish(&roles, false, self.subscribed);
                calls::suppress(names(&roles))
            }
            Command::Message {
                agent,
                executor,
                data,
            } => calls::message(&agent, &executor, data),
            Command::ShutDown { agent, executor } => calls::shutdown(&agent, &executor),
            Command::Handled(acknowledgement) => return self.acknowledge(acknowledgement).await,
            Command::Teardown => {
                self.goal = Goal::TearDown;
                calls::teardown()
            }
            Command::Stop => return Err(End(None)),
        };
        self.send(call).await
    }

    /// Asks about every live task that nobody answered for, and repeats the kills.
    async fn reconcile(&mut self) -> Result<(), End> {
        let questions = self.tracked.ask(Instant::now());
        for (task, agent, grace) in questions.kills {
            self.send(calls::kill(&task, agent.as_ref(), grace)).await?;
        }
        if !questions.tasks.is_empty() {
            self.ask(questions.tasks).await?;
        }
        if questions.everything {
            self.ask(Vec::new()).await
        } else {
            Ok(())
        }
    }

    async fn ask(&mut self, tasks: Vec<KnownTask>) -> Result<(), End> {
        if tasks.is_empty() {
            return self.send(calls::reconcile(Vec::new())).await;
        }
        for some in tasks.chunks(limits::TASKS_PER_RECONCILE) {
            let some = some
                .iter()
                .map(|task| v1::scheduler::call::reconcile::Task {
                    task_id: (&task.task_id).into(),
                    agent_id: task.agent_id.as_ref().map(Into::into),
                });
            self.send(calls::reconcile(some.collect())).await?;
        }
        Ok(())
    }

    /// Sends a call if there is a subscription to send it under; drops it otherwise.
    async fn send(&mut self, mut call: Call) -> Result<(), End> {
        if !self.subscribed {
            return Ok(());
        }
        call.framework_id.clone_from(&self.framework.id);
        match self.link.send(call).await {
            Ok(()) => Ok(()),
            Err(error) => self.lost(error),
        }
    }
}

fn names(roles: &[Role]) -> Vec<String> {
    roles.iter().map(Role::to_string).collect()
}

/// What acknowledges `status`; updates that the master made up carry no uuid and want none.
fn acknowledgement(status: &TaskStatus) -> Option<Acknowledgement> {
    let (uuid, agent) = (status.uuid.as_ref()?, status.agent_id.clone()?);
    Some(Acknowledgement {
        agent,
        about: Subject::Task(status.task_id.clone()),
        uuid: *uuid.as_bytes(),
    })
}

/// The same for an operation.
fn acknowledgement_of(update: &OperationUpdate) -> Option<Acknowledgement> {
    let (uuid, agent) = (update.uuid.as_ref()?, update.agent_id.clone()?);
    Some(Acknowledgement {
        agent,
        about: Subject::Operation(update.operation_id.clone()),
        uuid: *uuid.as_bytes(),
    })
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let id = self
            .framework
            .id
            .as_ref()
            .and_then(|id| FrameworkId::try_from(id).ok());
        f.debug_struct("Session")
            .field("id", &id)
            .field("subscribed", &self.subscribed)
            .finish()
    }
}

#[cfg(test)]
mod tests;
