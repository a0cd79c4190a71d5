//! What each framework calls and hears, counted under Mesos' names.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use tepui_master_core::{
    Action, Answer, ConnectionId, ExecutorWish, FrameworkEvent, FrameworkFigures, SchedulerCall,
};
use tepui_model::{FrameworkId, OfferOperation, ResourceOperation, TaskState};

/// What is not a letter, a digit, or one of `-_.~`.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// A group of counters, and the counter in it: `calls` and `accept`.
type Name = (&'static str, &'static str);

/// The counters of all frameworks that are there; cheap to clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Traffic(Arc<Mutex<Table>>);

#[derive(Debug, Default)]
struct Table {
    by_framework: BTreeMap<FrameworkId, Counts>,
    /// Who speaks on a stream.
    speakers: HashMap<ConnectionId, FrameworkId>,
    /// Of streams whose framework is not subscribed yet.
    strangers: HashMap<ConnectionId, Counts>,
}

#[derive(Debug, Default)]
struct Counts(BTreeMap<Name, u64>);

impl Counts {
    fn add(&mut self, name: Name, count: usize) {
        if count > 0 {
            *self.0.entry(name).or_default() += count as u64;
        }
    }

    fn add_call(&mut self, call: &SchedulerCall) {
        let Some(name) = call_name(&call.action) else {
            return;
        };
        self.add(("calls", name), 1);
        match &call.action {
            Action::Accept(accept) => {
                self.add(("offers", "accepted"), accept.offers.len());
                for operation in &accept.operations {
                    self.add(("operations", operation_name(&operation.kind)), 1);
                }
            }
            Action::Decline(decline) => self.add(("offers", "declined"), decline.offers.len()),
            _ => {}
        }
    }

    fn add_event(&mut self, event: &FrameworkEvent) {
        self.add(("events", event_name(event)), 1);
        match event {
            FrameworkEvent::Offers { offers, .. } => self.add(("offers", "sent"), offers.len()),
            FrameworkEvent::Rescind(_) => self.add(("offers", "rescinded"), 1),
            _ => {}
        }
    }
}

impl Traffic {
    /// Counts a call that came on a stream.
    pub(crate) fn call(&self, connection: ConnectionId, call: &SchedulerCall) {
        self.of(connection, |counts| counts.add_call(call));
    }

    /// Counts an event that goes to a stream.
    pub(crate) fn event(&self, connection: ConnectionId, event: &FrameworkEvent) {
        if let FrameworkEvent::Subscribed { framework_id, .. } = event {
            self.lock().introduce(connection, framework_id);
        }
        self.of(connection, |counts| counts.add_event(event));
    }

    /// Counts a task that has come into this state, if it has ended in it.
    pub(super) fn task(&self, framework: &FrameworkId, state: TaskState) {
        if state.is_terminal() {
            let name = ("tasks/terminal", state_name(state));
            let mut table = self.lock();
            if let Some(counts) = table.by_framework.get_mut(framework) {
                counts.add(name, 1);
            }
        }
    }

    /// The stream is over; its framework may come back on another.
    pub(crate) fn over(&self, connection: ConnectionId) {
        let mut table = self.lock();
        table.speakers.remove(&connection);
        table.strangers.remove(&connection);
    }

    /// The framework is gone for good.
    pub(crate) fn removed(&self, framework: &str) {
        let mut table = self.lock();
        table.by_framework.retain(|id, _| id.as_str() != framework);
        table.speakers.retain(|_, id| id.as_str() != framework);
    }

    /// The metrics of one framework.
    pub(super) fn metrics(&self, framework: &FrameworkFigures) -> Vec<(String, f64)> {
        let name = encoded(&framework.name);
        let prefix = format!("master/frameworks/{name}/{}", framework.id);
        let mut metrics = Vec::new();
        let mut add = |name: String, value: f64| metrics.push((format!("{prefix}/{name}"), value));
        add("subscribed".to_owned(), f64::from(framework.connected));
        for (state, count) in &framework.tasks {
            add(
                format!("tasks/active/{}", state_name(*state)),
                *count as f64,
            );
        }
        for (role, suppressed) in &framework.suppressed {
            add(format!("roles/{role}/suppressed"), f64::from(*suppressed));
        }
        let table = self.lock();
        let nothing = Counts::default();
        let counts = table.by_framework.get(&framework.id).unwrap_or(&nothing);
        for group in ["calls", "events", "operations"] {
            let all = counts.0.iter().filter(|((of, _), _)| *of == group);
            add(group.to_owned(), all.map(|(_, count)| *count as f64).sum());
        }
        for ((group, name), count) in &counts.0 {
            add(format!("{group}/{name}"), *count as f64);
        }
        metrics
    }

    fn of(&self, connection: ConnectionId, count: impl FnOnce(&mut Counts)) {
        let mut table = self.lock();
        let Table {
            by_framework,
            speakers,
            strangers,
        } = &mut *table;
        count(match speakers.get(&connection) {
            Some(framework) => by_framework.entry(framework.clone()).or_default(),
            None => strangers.entry(connection).or_default(),
        });
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        // Nothing that can panic runs while the table is half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    /// What was counted on the stream so far is the framework's.
    fn introduce(&mut self, connection: ConnectionId, framework: &FrameworkId) {
        let counts = self.by_framework.entry(framework.clone()).or_default();
        let before = self.strangers.remove(&connection).unwrap_or_default();
        for (name, count) in before.0 {
            *counts.0.entry(name).or_default() += count;
        }
        self.speakers.insert(connection, framework.clone());
    }
}

/// A name as a part of a path.
fn encoded(name: &str) -> String {
    utf8_percent_encode(name, ENCODED).to_string()
}

fn state_name(state: TaskState) -> &'static str {
    match state {
        TaskState::Staging => "task_staging",
        TaskState::Starting => "task_starting",
        TaskState::Running => "task_running",
        TaskState::Killing => "task_killing",
        TaskState::Finished => "task_finished",
        TaskState::Failed => "task_failed",
        TaskState::Killed => "task_killed",
        TaskState::Error => "task_error",
        TaskState::Lost => "task_lost",
        TaskState::Dropped => "task_dropped",
        TaskState::Unreachable => "task_unreachable",
        TaskState::Gone => "task_gone",
        TaskState::GoneByOperator => "task_gone_by_operator",
        TaskState::Unknown => "task_unknown",
    }
}

/// None for what is ignored.
const fn call_name(action: &Action) -> Option<&'static str> {
    Some(match action {
        Action::Subscribe(_) | Action::InvalidSubscription(_) => "subscribe",
        Action::Teardown => "teardown",
        Action::Accept(_) => "accept",
        Action::Decline(_) => "decline",
        Action::AnswerInverseOffers(answer) => match answer.answer {
            Answer::Accepted => "accept_inverse_offers",
            Answer::Declined => "decline_inverse_offers",
        },
        Action::Request(_) => "request",
        Action::Revive(_) => "revive",
        Action::Suppress(_) => "suppress",
        Action::Kill(_) => "kill",
        Action::Acknowledge(_) => "acknowledge",
        Action::Reconcile(_) => "reconcile",
        Action::AcknowledgeOperation(_) => "acknowledge_operation_status",
        Action::ReconcileOperations(_) => "reconcile_operations",
        Action::UpdateFramework(_) => "update_framework",
        Action::CallExecutor(call) => match call.wish {
            ExecutorWish::ShutDown => "shutdown",
            ExecutorWish::Hear(_) => "message",
        },
        Action::Ignored(_) => return None,
    })
}

const fn event_name(event: &FrameworkEvent) -> &'static str {
    match event {
        FrameworkEvent::Subscribed { .. } => "subscribed",
        FrameworkEvent::Offers { .. } => "offers",
        FrameworkEvent::Rescind(_) => "rescind",
        FrameworkEvent::InverseOffers(_) => "inverse_offers",
        FrameworkEvent::RescindInverseOffer(_) => "rescind_inverse_offer",
        FrameworkEvent::Update(_) | FrameworkEvent::InvalidTask { .. } => "update",
        FrameworkEvent::Message { .. } => "message",
        FrameworkEvent::OperationUpdate(_) => "update_operation_status",
        FrameworkEvent::Failure { .. } => "failure",
        FrameworkEvent::Error(_) => "error",
    }
}

const fn operation_name(operation: &OfferOperation) -> &'static str {
    match operation {
        OfferOperation::Launch(_) => "launch",
        OfferOperation::LaunchGroup { .. } => "launch_group",
        OfferOperation::Resources(operation) => match operation {
            ResourceOperation::Reserve { .. } => "reserve",
            ResourceOperation::Unreserve { .. } => "unreserve",
            ResourceOperation::Create { .. } => "create",
            ResourceOperation::Destroy { .. } => "destroy",
            ResourceOperation::GrowVolume { .. } => "grow_volume",
            ResourceOperation::ShrinkVolume { .. } => "shrink_volume",
            ResourceOperation::CreateDisk { .. } => "create_disk",
            ResourceOperation::DestroyDisk { .. } => "destroy_disk",
        },
        OfferOperation::Invalid { .. } => "unknown",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures() -> FrameworkFigures {
        FrameworkFigures {
            id: FrameworkId::new("m-0").unwrap(),
            name: "a/b c".to_owned(),
            connected: true,
            tasks: BTreeMap::from([(TaskState::Running, 3)]),
            suppressed: Vec::new(),
        }
    }

    fn call(action: Action) -> SchedulerCall {
        SchedulerCall {
            framework_id: None,
            action,
        }
    }

    #[test]
    fn what_was_called_before_the_framework_was_known_is_its_own() {
        let (traffic, stream) = (Traffic::default(), ConnectionId(1));
        traffic.call(stream, &call(Action::Revive(Vec::new())));
        traffic.lock().introduce(stream, &figures().id);
        traffic.call(stream, &call(Action::Revive(Vec::new())));
        traffic.event(stream, &FrameworkEvent::Error(String::new()));
        traffic.task(&figures().id, TaskState::Failed);
        traffic.task(&figures().id, TaskState::Running);
        let metrics: BTreeMap<_, _> = traffic.metrics(&figures()).into_iter().collect();
        let value = |name: &str| metrics.get(&format!("master/frameworks/a%2Fb%20c/m-0/{name}"));
        assert_eq!(value("calls"), Some(&2.0));
        assert_eq!(value("calls/revive"), Some(&2.0));
        assert_eq!(value("events/error"), Some(&1.0));
        assert_eq!(value("tasks/active/task_running"), Some(&3.0));
        assert_eq!(value("tasks/terminal/task_failed"), Some(&1.0));
        assert_eq!(value("subscribed"), Some(&1.0));
    }

    #[test]
    fn nothing_is_kept_of_streams_that_are_over_and_frameworks_that_are_gone() {
        let traffic = Traffic::default();
        traffic.call(ConnectionId(1), &call(Action::Teardown));
        traffic.over(ConnectionId(1));
        traffic.lock().introduce(ConnectionId(2), &figures().id);
        traffic.over(ConnectionId(2));
        traffic.removed("m-0");
        let table = traffic.lock();
        assert!(table.strangers.is_empty() && table.speakers.is_empty());
        assert!(table.by_framework.is_empty());
    }
}
