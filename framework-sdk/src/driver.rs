//! The handle by which a framework talks to the master.

use std::time::Duration;

use tepui_model::{AgentId, ExecutorId, Filters, Offer, OfferId, OperationId, Role, TaskId};
use tepui_proto::v1;
use tokio::sync::mpsc;

use crate::{KnownOperation, KnownTask, Matches, Operations};

/// What the session is asked to do, in the order of asking.
#[derive(Debug)]
pub(crate) enum Command {
    Accept {
        offers: Vec<OfferId>,
        operations: Vec<v1::offer::Operation>,
        filters: Filters,
        all_or_nothing: bool,
    },
    Request(Vec<v1::Request>),
    Decline {
        offers: Vec<OfferId>,
        filters: Filters,
    },
    AnswerInverse {
        offers: Vec<OfferId>,
        leaves: bool,
        filters: Filters,
    },
    Kill {
        task: TaskId,
        grace: Option<Duration>,
    },
    Reconcile(Vec<KnownTask>),
    ReconcileOperations(Vec<KnownOperation>),
    Revive(Vec<Role>),
    Suppress(Vec<Role>),
    Message {
        agent: AgentId,
        executor: ExecutorId,
        data: Vec<u8>,
    },
    ShutDown {
        agent: AgentId,
        executor: ExecutorId,
    },
    Handled(Acknowledgement),
    Teardown,
    Stop,
}

/// The framework is done with this update.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Acknowledgement {
    pub(crate) agent: AgentId,
    pub(crate) about: Subject,
    pub(crate) uuid: [u8; 16],
}

/// What an update is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Subject {
    Task(TaskId),
    Operation(OperationId),
}

/// Talks to the master on behalf of one framework; a cheap clone, usable from any task.
///
/// No method waits for the master's answer: results come as events. Between two connections an
/// acceptance or a decline is dropped, because the offers it is about are void; launched tasks are
/// asked about again after connecting, so that no launch stays in doubt. Kills, and what was
/// suppressed, are remembered and said again.
#[derive(Debug, Clone)]
pub struct Driver {
    commands: mpsc::Sender<Command>,
}

impl Driver {
    pub(crate) fn new(commands: mpsc::Sender<Command>) -> Self {
        Self { commands }
    }

    /// Launches `tasks` on `offer`; what they leave unused is declined for five seconds.
    pub async fn launch(&self, offer: &Offer, tasks: Vec<v1::TaskInfo>) {
        self.accept(vec![offer.id.clone()], tasks, Filters::default())
            .await;
    }

    /// Launches `tasks` on `offers`, which are of one agent and one role; the rest of them is
    /// declined with `filters`.
    pub async fn accept(&self, offers: Vec<OfferId>, tasks: Vec<v1::TaskInfo>, filters: Filters) {
        self.accept_operations(offers, Operations::new().launch(tasks), filters)
            .await;
    }

    /// Applies `operations` to `offers`, one after the other: what one makes, the next can use.
    ///
    /// What becomes of one that has an id comes as [`Event::Operation`](crate::Event::Operation).
    pub async fn accept_operations(
        &self,
        offers: Vec<OfferId>,
        operations: Operations,
        filters: Filters,
    ) {
        self.tell(Command::Accept {
            offers,
            operations: operations.into(),
            filters,
            all_or_nothing: false,
        })
        .await;
    }

    /// Launches `tasks` on `offers`, which are of one role and may be of several agents, each task
    /// on the agent that it names: all of them, or none, if one of the offers stands no longer or
    /// one of the tasks cannot be launched. Each task hears what became of it; the one to blame
    /// hears why.
    ///
    /// Only Tepui's master knows this; Mesos' takes offers of one agent.
    pub async fn accept_all(
        &self,
        offers: Vec<OfferId>,
        tasks: Vec<v1::TaskInfo>,
        filters: Filters,
    ) {
        self.tell(Command::Accept {
            offers,
            operations: Operations::new().launch(tasks).into(),
            filters,
            all_or_nothing: true,
        })
        .await;
    }

    /// Says what the framework waits for, as [`Asks`](crate::Asks) or as the wire has it, in place
    /// of what it said before; with no ask it wants whatever there is.
    ///
    /// Asks that are offered are used up when the offer is accepted. What is said while nobody
    /// listens is said once the framework is subscribed. The master forgets what is open when the
    /// connection breaks: say it again after
    /// [`Event::Subscribed`](crate::Event::Subscribed).
    pub async fn request(&self, asks: impl Into<Vec<v1::Request>>) {
        self.tell(Command::Request(asks.into())).await;
    }

    /// Gives `offers` back; `filters` says for how long none like them is wanted.
    pub async fn decline(&self, offers: Vec<OfferId>, filters: Filters) {
        if !offers.is_empty() {
            self.tell(Command::Decline { offers, filters }).await;
        }
    }

    /// Carries out what an [`OfferMatcher`](crate::OfferMatcher) found: launches, and declines.
    pub async fn apply(&self, matches: Matches, filters: Filters) {
        for launch in matches.launches {
            self.accept(vec![launch.offer_id], launch.tasks, filters)
                .await;
        }
        self.decline(matches.unused, filters).await;
    }

    /// Says that the framework leaves the agents of these inverse offers in time; `filters` says
    /// for how long it is not to be asked again.
    pub async fn accept_inverse_offers(&self, offers: Vec<OfferId>, filters: Filters) {
        self.answer_inverse_offers(offers, true, filters).await;
    }

    /// Says that it does not.
    pub async fn decline_inverse_offers(&self, offers: Vec<OfferId>, filters: Filters) {
        self.answer_inverse_offers(offers, false, filters).await;
    }

    async fn answer_inverse_offers(&self, offers: Vec<OfferId>, leaves: bool, filters: Filters) {
        if !offers.is_empty() {
            self.tell(Command::AnswerInverse {
                offers,
                leaves,
                filters,
            })
            .await;
        }
    }

    /// Ends a task: TERM, and KILL after its own grace period. Said again until the task has ended.
    pub async fn kill(&self, task: &TaskId) {
        self.tell(Command::Kill {
            task: task.clone(),
            grace: None,
        })
        .await;
    }

    /// As [`kill`](Self::kill), with this much time between TERM and KILL.
    pub async fn kill_within(&self, task: &TaskId, grace: Duration) {
        self.tell(Command::Kill {
            task: task.clone(),
            grace: Some(grace),
        })
        .await;
    }

    /// Asks what became of `tasks`; of every task the master knows of this framework when empty.
    ///
    /// The session asks by itself after each subscription and every ten minutes about the tasks
    /// that were launched through it or were named in [`Options`](crate::Options).
    pub async fn reconcile(&self, tasks: Vec<KnownTask>) {
        self.tell(Command::Reconcile(tasks)).await;
    }

    /// Asks what became of `operations`; of every one the master knows of this framework when
    /// empty.
    pub async fn reconcile_operations(&self, operations: Vec<KnownOperation>) {
        self.tell(Command::ReconcileOperations(operations)).await;
    }

    /// Asks for offers again, in `roles` or, when empty, in all; forgets every filter there.
    pub async fn revive(&self, roles: &[Role]) {
        self.tell(Command::Revive(roles.to_vec())).await;
    }

    /// Wants no offers in `roles` or, when empty, in any.
    pub async fn suppress(&self, roles: &[Role]) {
        self.tell(Command::Suppress(roles.to_vec())).await;
    }

    /// Sends bytes to an executor: at most once.
    pub async fn message(&self, agent: &AgentId, executor: &ExecutorId, data: Vec<u8>) {
        let (agent, executor) = (agent.clone(), executor.clone());
        self.tell(Command::Message {
            agent,
            executor,
            data,
        })
        .await;
    }

    /// Ends an executor: it hears of it, and is killed after its grace period. What it has not
    /// ended by then is lost, or gone. The framework hears [`Failure`](crate::Failure) when it is
    /// over.
    pub async fn shutdown_executor(&self, agent: &AgentId, executor: &ExecutorId) {
        let (agent, executor) = (agent.clone(), executor.clone());
        self.tell(Command::ShutDown { agent, executor }).await;
    }

    /// Ends the framework and all its tasks; the session ends when the master has heard it.
    pub async fn teardown(&self) {
        self.tell(Command::Teardown).await;
    }

    /// Ends the session and leaves the tasks running, for `failover_timeout`.
    pub async fn stop(&self) {
        self.tell(Command::Stop).await;
    }

    pub(crate) fn commands(&self) -> &mpsc::Sender<Command> {
        &self.commands
    }

    /// A session that has ended takes no commands; whoever reads its events knows.
    async fn tell(&self, command: Command) {
        if self.commands.send(command).await.is_err() {
            tracing::debug!("the session has ended, a command is dropped");
        }
    }
}
