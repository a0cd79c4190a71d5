//! What the status updates of instances mean.

use tepui_sdk::model::{Reason, TaskState, TaskStatus, Time};

use super::{
    Change, Core, Effect, Effects,
    instance::{Health, Instance, Life, parse_task_id},
};
use crate::spec::AppName;

/// What became of an instance that is no more.
enum Fate {
    /// It ended as it should not have: it is replaced after a pause.
    Failed,
    /// It is gone, through no fault of its own: it is replaced at once.
    Gone,
}

impl Core {
    /// A task is reported: for the first time, again, or because it was asked about.
    pub(crate) fn reported(&mut self, now: Time, status: &TaskStatus, effects: &mut Effects) {
        let known = parse_task_id(&status.task_id).and_then(|(name, number)| {
            let deployed = self.apps.get(name)?;
            deployed
                .instances
                .contains_key(&number)
                .then(|| (deployed.app.name.clone(), number))
        });
        match known {
            Some((name, number)) => self.reported_known(now, &name, number, status, effects),
            // It came back after it was given up, or its record was undone: nobody wants it.
            None if is_alive(status.state) => {
                effects.push(Effect::Kill {
                    task: status.task_id.clone(),
                    grace: None,
                });
            }
            None => {}
        }
    }

    fn reported_known(
        &mut self,
        now: Time,
        name: &AppName,
        number: u64,
        status: &TaskStatus,
        effects: &mut Effects,
    ) {
        let Some(deployed) = self.apps.get_mut(name) else {
            return;
        };
        let Some(instance) = deployed.instances.get_mut(&number) else {
            return;
        };
        if !is_alive(status.state) {
            return self.ended(now, name, number, status, effects);
        }
        // An answer to our own question says nothing of the task.
        let answer = status.reason == Some(Reason::Reconciliation);
        if let Some(message) = status
            .message
            .as_ref()
            .filter(|text| !answer && !text.is_empty())
        {
            instance.message.clone_from(message);
        }
        let started = status.state == TaskState::Running && instance.life == Life::Launching;
        if started {
            instance.life = Life::Running;
            // One of an older version, from which nothing was heard, just goes on.
            let checked = deployed.app.health.is_some() && instance.version == deployed.version;
            instance.health = checked.then_some(Health::Unchecked);
        }
        if hears(instance, status.healthy) || started {
            self.settle(now, name, effects);
        }
    }

    /// An instance is no more, or cannot be reached.
    fn ended(
        &mut self,
        now: Time,
        name: &AppName,
        number: u64,
        status: &TaskStatus,
        effects: &mut Effects,
    ) {
        let Some(deployed) = self.apps.get_mut(name) else {
            return;
        };
        let Some(instance) = deployed.instances.remove(&number) else {
            return;
        };
        let task = status.task_id.clone();
        effects.push(Effect::Persist(Change::Instance(task.clone(), None)));
        if status.state == TaskState::Unreachable {
            // Its agent may come back with it; by then another has taken its place.
            effects.push(Effect::Kill { task, grace: None });
        }
        if matches!(fate(status, instance.life), Fate::Failed) {
            let message = status.message.as_deref().unwrap_or_default();
            let separator = if message.is_empty() { "" } else { ": " };
            deployed.failure = format!(
                "{} {}{separator}{message}",
                status.task_id,
                state_name(status.state)
            );
            deployed.pace.failed(now, &deployed.app.backoff);
        }
        self.settle(now, name, effects);
    }
}

/// Whether a task in this state has resources and may be killed.
fn is_alive(state: TaskState) -> bool {
    matches!(
        state,
        TaskState::Staging | TaskState::Starting | TaskState::Running | TaskState::Killing
    )
}

/// Takes in whether an instance is well; true when that is new.
fn hears(instance: &mut Instance, healthy: Option<bool>) -> bool {
    let health = healthy.map(|healthy| {
        if healthy {
            Health::Healthy
        } else {
            Health::Failing
        }
    });
    let is_new = health.is_some() && instance.is_alive() && instance.health != health;
    if is_new {
        instance.health = health;
    }
    is_new
}

fn fate(status: &TaskStatus, life: Life) -> Fate {
    // Its agent killed it because its check failed.
    let unhealthy = status.healthy == Some(false);
    match (life, status.state) {
        (Life::Ending, _) => Fate::Gone,
        (_, TaskState::Killed) if unhealthy => Fate::Failed,
        // A service that finishes has failed to go on, as in Marathon.
        (_, TaskState::Failed | TaskState::Finished | TaskState::Error) => Fate::Failed,
        _ => Fate::Gone,
    }
}

/// What became of it, as in `web.3 failed`.
fn state_name(state: TaskState) -> &'static str {
    match state {
        TaskState::Finished => "finished",
        TaskState::Failed => "failed",
        TaskState::Error => "was refused",
        TaskState::Killed => "was killed",
        _ => "was lost",
    }
}
