//! Where effects leave the master: each to the one it is for. Nothing here waits.

mod warnings;
mod watchers;

use std::{collections::HashMap, mem};

use tepui_edge::Outbox;
use tepui_master_core::{
    AgentCommand, ConnectionId, Effect, Ending, FrameworkEvent, Notice, OperatorError,
    OperatorReply, RequestId,
};
use tepui_proto::{services::MasterMessage, v1::scheduler};
use tokio::sync::oneshot;
use tonic::Status;

use crate::{
    desk::metrics::Tally,
    driver::Step,
    sessions::{Road, Sessions},
};

use warnings::Warnings;
pub(crate) use watchers::Watcher;
use watchers::Watchers;

/// The other end of a connection.
#[derive(Debug)]
pub(crate) enum Peer {
    Framework(Outbox<scheduler::Event>, Road),
    Agent(Outbox<MasterMessage>),
}

/// Who waits for the reply to a request.
#[derive(Debug)]
pub(crate) enum Waiting {
    /// A call.
    Call(oneshot::Sender<Result<OperatorReply, OperatorError>>),
    /// A watcher, whose stream begins with the reply.
    Watch(Watcher),
}

/// Hands effects to those they are for, in order.
#[derive(Debug, Default)]
pub(crate) struct Dispatcher {
    peers: HashMap<ConnectionId, Peer>,
    waiting: HashMap<RequestId, Waiting>,
    watchers: Watchers,
    warnings: Warnings,
    sessions: Sessions,
    tally: Tally,
}

impl Dispatcher {
    /// One that tells who is on which stream, and counts tasks that end.
    pub(crate) fn new(sessions: Sessions, tally: Tally) -> Self {
        Self {
            sessions,
            tally,
            ..Self::default()
        }
    }

    /// Does the steps, which must be durable by now.
    pub(crate) fn run(&mut self, steps: Vec<Step>) {
        for step in steps {
            match step {
                Step::Open(connection, peer) => {
                    self.peers.insert(connection, peer);
                }
                Step::Close(connection) => self.end(connection, None),
                Step::Expect(request, waiting) => {
                    self.waiting.insert(request, waiting);
                }
                // An error means that nobody waits for it any more.
                Step::Probe(probe) => drop(probe.send(())),
                Step::Do(effect) => self.perform(effect),
            }
        }
    }

    fn perform(&mut self, effect: Effect) {
        match effect {
            // The driver has put these into the batch.
            Effect::Persist(_) => {}
            Effect::ToFramework { connection, event } => self.to_framework(connection, event),
            Effect::EndFramework { connection, ending } => {
                self.end(connection, status(ending));
            }
            Effect::ToAgent {
                connection,
                command,
            } => self.to_agent(connection, command),
            Effect::EndAgent { connection } => self.end(connection, None),
            Effect::Reply { request, result } => self.reply(request, result),
            Effect::Publish(notice) => {
                record(&notice);
                self.count(&notice);
                self.watchers.publish(&notice);
            }
            Effect::Warn(text) => self.warnings.log(&text),
        }
    }

    fn count(&self, notice: &Notice) {
        match notice {
            Notice::TaskUpdated {
                framework_id,
                state,
                ..
            } => self.tally.count(framework_id, *state),
            Notice::FrameworkRemoved(info) => {
                let id = info.id.as_ref().map_or("", |id| &id.value);
                self.tally.traffic.removed(id);
            }
            _ => {}
        }
    }

    fn to_framework(&self, connection: ConnectionId, event: FrameworkEvent) {
        if let Some(Peer::Framework(outbox, road)) = self.peers.get(&connection) {
            if let FrameworkEvent::Subscribed { framework_id, .. } = &event {
                self.sessions.begin(framework_id, connection, road);
            }
            self.tally.traffic.event(connection, &event);
            outbox.push(event.into());
        }
    }

    fn to_agent(&self, connection: ConnectionId, command: AgentCommand) {
        if let Some(Peer::Agent(outbox)) = self.peers.get(&connection) {
            outbox.push(command.into());
        }
    }

    fn end(&mut self, connection: ConnectionId, status: Option<Status>) {
        if let Some(peer) = self.peers.remove(&connection) {
            if let Peer::Framework(..) = peer {
                self.sessions.end(connection);
                self.tally.traffic.over(connection);
            }
            peer.end(status);
        }
    }

    fn reply(&mut self, request: RequestId, result: Result<OperatorReply, OperatorError>) {
        match self.waiting.remove(&request) {
            // An error means that the caller has gone away.
            Some(Waiting::Call(caller)) => drop(caller.send(result)),
            Some(Waiting::Watch(watcher)) => self.watchers.begin(watcher, result),
            None => {}
        }
    }

    /// Ends every stream. Calls that still wait are dropped, which their callers see.
    pub(crate) fn end_all(&mut self, status: &Status) {
        for (_, peer) in mem::take(&mut self.peers) {
            peer.end(Some(status.clone()));
        }
        for (_, waiting) in mem::take(&mut self.waiting) {
            if let Waiting::Watch(watcher) = waiting {
                watcher.end(status.clone());
            }
        }
        self.watchers.end_all(status);
    }
}

impl Peer {
    fn end(&self, status: Option<Status>) {
        match self {
            Self::Framework(outbox, _) => outbox.end(status),
            Self::Agent(outbox) => outbox.end(status),
        }
    }
}

/// Wherever a peer is lost on its way when the master stops or fails, its stream ends.
impl Drop for Peer {
    fn drop(&mut self) {
        self.end(Some(stopping()));
    }
}

/// What callers hear when the master is on its way out.
pub(crate) fn stopping() -> Status {
    Status::unavailable("the master is stopping")
}

/// Writes to the log who came and who went.
fn record(notice: &Notice) {
    match notice {
        Notice::AgentAdded(agent) => {
            let id = agent.agent_info.id.as_ref().map(|id| id.value.as_str());
            let hostname = &agent.agent_info.hostname;
            tracing::info!(agent = id, %hostname, "an agent registered");
        }
        Notice::AgentRemoved(id) => tracing::info!(agent = %id, "an agent is gone"),
        Notice::FrameworkAdded(framework) => {
            let id = framework
                .framework_info
                .id
                .as_ref()
                .map(|id| id.value.as_str());
            let name = &framework.framework_info.name;
            tracing::info!(framework = id, %name, "a framework subscribed");
        }
        Notice::FrameworkRemoved(info) => {
            let id = info.id.as_ref().map(|id| id.value.as_str());
            tracing::info!(framework = id, name = %info.name, "a framework is removed");
        }
        _ => {}
    }
}

fn status(ending: Ending) -> Option<Status> {
    match ending {
        Ending::Done => None,
        Ending::InvalidCall(text) => Some(Status::invalid_argument(text)),
        Ending::NotNow(text) => Some(Status::failed_precondition(text)),
    }
}
