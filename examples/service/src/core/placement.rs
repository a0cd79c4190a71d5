//! Launching instances on offers.

use tepui_sdk::{
    Misfit, OfferMatcher, Task, TaskBuilder, TaskInvalid,
    model::{Offer, Time},
    v1,
};

use super::{
    Change, Core, Effect, Effects,
    app::Deployed,
    instance::{Instance, Life, task_id},
};
use crate::{
    api, limits,
    spec::{App, AppName, Command, HealthCheck},
};

impl Core {
    /// Places what is wanted on `offers`, spread over the agents, and declines the rest.
    pub(crate) fn offered(&mut self, now: Time, offers: Vec<Offer>, effects: &mut Effects) {
        let mut matcher = OfferMatcher::new(offers);
        let before = self.next_instance;
        let mut placed = Vec::new();
        for (name, deployed) in &mut self.apps {
            let wanted = if now < deployed.pace.until() {
                0
            } else {
                deployed.plan().launches
            };
            let changed = (0..wanted).any(|_| {
                !place_one(
                    name,
                    deployed,
                    &mut self.next_instance,
                    &mut matcher,
                    now,
                    effects,
                )
            });
            if changed || wanted > 0 {
                placed.push(name.clone());
            }
        }
        if self.next_instance != before {
            effects.push(Effect::Persist(self.identity()));
        }
        effects.push(Effect::Apply(matcher.finish()));
        for name in placed {
            self.settle(now, &name, effects);
        }
    }
}

/// Places one more instance; false, and the reason noted, when there is no room for it.
fn place_one(
    name: &AppName,
    deployed: &mut Deployed,
    next: &mut u64,
    matcher: &mut OfferMatcher,
    now: Time,
    effects: &mut Effects,
) -> bool {
    let (Some(id), Ok(task)) = (task_id(name, *next), task(&deployed.app, name, *next)) else {
        "the task cannot be described".clone_into(&mut deployed.misfit);
        return false;
    };
    let neighbours = |offer: &Offer| {
        deployed
            .instances
            .values()
            .filter(|i| i.is_alive() && i.agent_id == offer.agent_id)
            .count()
    };
    let Some((offer, placed)) = matcher.place_where_least(&task, neighbours) else {
        deployed.misfit = explain(matcher, &task);
        return false;
    };
    deployed.misfit.clear();
    let ports = deployed
        .app
        .ports
        .iter()
        .cloned()
        .zip(placed.ports)
        .collect();
    let instance = Instance {
        version: deployed.version,
        agent_id: offer.agent_id.clone(),
        hostname: offer.hostname.clone(),
        ports,
        launched: now,
        life: Life::Launching,
        health: None,
        message: String::new(),
    };
    let stored = api::StoredInstance {
        app: name.to_string(),
        instance: Some(instance.to_wire(&id)),
    };
    effects.push(Effect::Persist(Change::Instance(id, Some(stored))));
    deployed.instances.insert(*next, instance);
    *next += 1;
    true
}

/// The task of one instance.
fn task(app: &App, name: &AppName, number: u64) -> Result<Task, TaskInvalid> {
    let mut task = TaskBuilder::new(format!("{name}.{number}"))
        .name(name.as_str())
        .cpus(app.cpus.as_f64())
        .memory(app.memory.as_f64())
        .disk(app.disk.as_f64())
        .kill_grace(app.kill_grace)
        .env("TEPUI_APP", name.as_str());
    if let Some(image) = &app.image {
        task = task.image(image);
    }
    task = match &app.command {
        command if command.is_none() => task,
        Command::Shell(line) => task.shell(line),
        Command::Arguments(arguments) => task.command(arguments.iter()),
    };
    if app.priority != 0 {
        task = task.priority(app.priority);
    }
    if let Some(user) = &app.user {
        task = task.user(user);
    }
    for (key, value) in &app.environment {
        task = task.env(key, value);
    }
    for (key, value) in &app.labels {
        task = task.label(key, value);
    }
    for port in &app.ports {
        task = task.port(port);
    }
    if let Some(health) = &app.health {
        task = task.health_check(&health.port, check(health));
    }
    for constraint in &app.constraints {
        task = task.constraint(constraint.clone());
    }
    task.build()
}

/// What the agent is told of a check; the SDK adds the number of the port.
fn check(health: &HealthCheck) -> v1::HealthCheck {
    use v1::health_check::{HttpCheckInfo, TcpCheckInfo, Type};
    let mut check = v1::HealthCheck {
        r#type: Some(Type::Tcp.into()),
        delay_seconds: Some(0.0),
        interval_seconds: Some(health.interval.as_secs_f64()),
        timeout_seconds: Some(health.timeout.as_secs_f64()),
        grace_period_seconds: Some(health.grace.as_secs_f64()),
        consecutive_failures: Some(health.failures),
        tepui_starting_interval_seconds: Some(limits::STARTING_INTERVAL.as_secs_f64()),
        ..v1::HealthCheck::default()
    };
    if let Some(path) = &health.http_path {
        check.r#type = Some(Type::Http.into());
        check.http = Some(HttpCheckInfo {
            path: Some(path.clone()),
            ..HttpCheckInfo::default()
        });
    } else {
        check.tcp = Some(TcpCheckInfo::default());
    }
    check
}

/// `no offer fits: 2 have too little cpus, 1 too few ports`.
fn explain(matcher: &OfferMatcher, task: &Task) -> String {
    let reason = |(misfit, offers): (&Misfit, &usize)| format!("{offers} have {misfit}");
    let reasons: Vec<String> = matcher.why_not(task).iter().map(reason).collect();
    format!("no offer fits: {}", reasons.join(", "))
}
