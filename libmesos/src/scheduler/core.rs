//! What follows from what a framework says and what a master says: decided here, done elsewhere.

use std::collections::BTreeSet;

use tepui_sdk::v1::{
    self,
    framework_info::capability::Type as Capability,
    scheduler::{Call, Event, OfferConstraints, call, event},
    task_status::{Reason, Source},
};

use super::calls;

/// What the framework asks of the session.
#[derive(Debug)]
pub(super) enum Command {
    Call(Box<Call>),
    Update(Box<Terms>),
    /// For good, with its tasks, unless it `fails_over` to another process.
    Stop {
        fails_over: bool,
    },
}

/// What a framework subscribes with.
#[derive(Debug, Clone, Default)]
pub(super) struct Terms {
    pub(super) framework: v1::FrameworkInfo,
    pub(super) suppressed: BTreeSet<String>,
    pub(super) constraints: Option<OfferConstraints>,
}

/// What the scheduler is told, by the callbacks of Mesos' `Scheduler`.
#[derive(Debug)]
pub(super) enum Callback {
    Registered(v1::FrameworkId, Box<v1::MasterInfo>),
    Reregistered(Box<v1::MasterInfo>),
    Disconnected,
    Offers(Vec<v1::Offer>),
    Rescinded(v1::OfferId),
    Update(Box<v1::TaskStatus>),
    Message(call::Message),
    AgentLost(v1::AgentId),
    ExecutorLost(v1::ExecutorId, v1::AgentId, i32),
    Error(String),
}

/// What the session is to do.
#[derive(Debug)]
pub(super) enum Effect {
    Send(Box<Call>),
    Tell(Callback),
    ExpectHeartbeats(f64),
    End,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Core {
    terms: Terms,
    connected: bool,
    /// Whether this driver was subscribed before.
    registered: bool,
    /// It waits for the master to hear that it is gone.
    ending: bool,
}

impl Core {
    pub(super) const fn new(terms: Terms) -> Self {
        Self {
            terms,
            connected: false,
            registered: false,
            ending: false,
        }
    }

    pub(super) const fn is_connected(&self) -> bool {
        self.connected
    }

    pub(super) const fn is_ending(&self) -> bool {
        self.ending
    }

    /// The call that subscribes.
    pub(super) fn subscribe(&self) -> Call {
        let terms = self.terms.clone();
        let suppressed = terms.suppressed.into_iter().collect();
        calls::subscribe(terms.framework, suppressed, terms.constraints)
    }

    /// The master says something.
    pub(super) fn hear(&mut self, event: Event) -> Vec<Effect> {
        let told = match event.r#type() {
            event::Type::Subscribed => return self.subscribed(event.subscribed),
            event::Type::Error => {
                let text = event.error.map(|it| it.message).unwrap_or_default();
                return self.failed(text);
            }
            event::Type::Offers => event.offers.map(|it| Callback::Offers(it.offers)),
            event::Type::Rescind => event.rescind.map(|it| Callback::Rescinded(it.offer_id)),
            event::Type::Update => {
                let status = event.update.map(|it| it.status);
                status.map(|it| Callback::Update(Box::new(it)))
            }
            event::Type::Message => event.message.map(|it| {
                Callback::Message(call::Message {
                    agent_id: it.agent_id,
                    executor_id: it.executor_id,
                    data: it.data,
                })
            }),
            event::Type::Failure => event.failure.and_then(failure),
            // The old API has neither inverse offers nor feedback about operations.
            _ => None,
        };
        if self.ending {
            return Vec::new();
        }
        told.map(Effect::Tell).into_iter().collect()
    }

    fn subscribed(&mut self, subscribed: Option<event::Subscribed>) -> Vec<Effect> {
        let subscribed = subscribed.unwrap_or_default();
        self.terms.framework.id = Some(subscribed.framework_id.clone());
        self.connected = true;
        let master = Box::new(subscribed.master_info.unwrap_or_default());
        let told = if std::mem::replace(&mut self.registered, true) {
            Callback::Reregistered(master)
        } else {
            Callback::Registered(subscribed.framework_id, master)
        };
        let heartbeat = subscribed.heartbeat_interval_seconds.unwrap_or_default();
        vec![Effect::ExpectHeartbeats(heartbeat), Effect::Tell(told)]
    }

    /// The master refuses this framework, or is done with it.
    pub(super) fn failed(&mut self, text: String) -> Vec<Effect> {
        // Asked to end the framework, it says that it is gone: that is its answer.
        if self.ending {
            return vec![Effect::End];
        }
        vec![Effect::Tell(Callback::Error(text)), Effect::End]
    }

    /// The connection, or the attempt at one, is over.
    pub(super) fn lost(&mut self) -> Vec<Effect> {
        let was_connected = std::mem::take(&mut self.connected);
        if self.ending {
            return vec![Effect::End];
        }
        let told = was_connected.then_some(Effect::Tell(Callback::Disconnected));
        told.into_iter().collect()
    }

    /// The framework says something, at `now` in seconds since 1970.
    pub(super) fn obey(&mut self, command: Command, now: f64) -> Vec<Effect> {
        match command {
            Command::Call(call) => self.call(call, now),
            Command::Update(terms) => {
                let id = self.terms.framework.id.take();
                self.terms = *terms;
                self.terms.framework.id = id;
                let Terms {
                    framework,
                    suppressed,
                    constraints,
                } = self.terms.clone();
                let suppressed = suppressed.into_iter().collect();
                let call = calls::update_framework(framework, suppressed, constraints);
                self.send(Box::new(call))
            }
            Command::Stop { fails_over } if fails_over || !self.connected => vec![Effect::End],
            Command::Stop { .. } => {
                self.ending = true;
                self.send(Box::new(calls::teardown()))
            }
        }
    }

    fn call(&mut self, call: Box<Call>, now: f64) -> Vec<Effect> {
        match call.r#type() {
            call::Type::Accept if !self.connected => return self.dropped(&call, now),
            call::Type::Revive => {
                let named = call.revive.as_ref().map(|it| it.roles.as_slice());
                for role in self.named(named.unwrap_or_default()) {
                    self.terms.suppressed.remove(&role);
                }
            }
            call::Type::Suppress => {
                let named = call.suppress.as_ref().map(|it| it.roles.as_slice());
                let roles = self.named(named.unwrap_or_default());
                self.terms.suppressed.extend(roles);
            }
            _ => {}
        }
        self.send(call)
    }

    /// The roles that are named; all of the framework's when there are none.
    fn named(&self, roles: &[String]) -> Vec<String> {
        match roles {
            [] if self.can(Capability::MultiRole) => self.terms.framework.roles.clone(),
            [] => vec![self.terms.framework.role().to_owned()],
            roles => roles.to_vec(),
        }
    }

    fn can(&self, capability: Capability) -> bool {
        let mut all = self.terms.framework.capabilities.iter();
        all.any(|it| it.r#type() == capability)
    }

    /// Said to nobody, if there is no master.
    fn send(&self, mut call: Box<Call>) -> Vec<Effect> {
        if !self.connected {
            tracing::info!(call = ?call.r#type(), "there is no master: the call is dropped");
            return Vec::new();
        }
        call.framework_id.clone_from(&self.terms.framework.id);
        vec![Effect::Send(call)]
    }

    /// The tasks that an ACCEPT without a master would have launched are lost.
    fn dropped(&self, call: &Call, now: f64) -> Vec<Effect> {
        let state = if self.can(Capability::PartitionAware) {
            v1::TaskState::TaskDropped
        } else {
            v1::TaskState::TaskLost
        };
        let lost = |task: &v1::TaskInfo| v1::TaskStatus {
            task_id: task.task_id.clone(),
            agent_id: Some(task.agent_id.clone()),
            state: state.into(),
            source: Some(Source::Master.into()),
            reason: Some(Reason::MasterDisconnected.into()),
            message: Some("Master disconnected".to_owned()),
            timestamp: Some(now),
            ..v1::TaskStatus::default()
        };
        let operations = call.accept.iter().flat_map(|it| &it.operations);
        let tell = |task| Effect::Tell(Callback::Update(Box::new(lost(task))));
        operations.flat_map(launched).map(tell).collect()
    }
}

/// The tasks that an operation launches.
fn launched(operation: &v1::offer::Operation) -> impl Iterator<Item = &v1::TaskInfo> {
    let alone = operation.launch.iter().flat_map(|it| &it.task_infos);
    let groups = operation.launch_group.iter().map(|it| &it.task_group);
    alone.chain(groups.flat_map(|group| &group.tasks))
}

fn failure(failure: event::Failure) -> Option<Callback> {
    let agent = failure.agent_id?;
    Some(match failure.executor_id {
        Some(executor) => {
            Callback::ExecutorLost(executor, agent, failure.status.unwrap_or_default())
        }
        None => Callback::AgentLost(agent),
    })
}

#[cfg(test)]
mod tests;
