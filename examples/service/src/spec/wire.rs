//! Apps in the API and in the store.

use std::time::Duration;

use tepui_sdk::model::Quantity;

use super::{App, AppName, Backoff, Command, HealthCheck, Invalid, Upgrade};
use crate::api;

impl From<&App> for api::App {
    fn from(app: &App) -> Self {
        Self {
            name: app.name.to_string(),
            replicas: app.replicas,
            command: Some((&app.command).into()),
            cpus: app.cpus.as_f64(),
            memory_mb: app.memory.as_f64(),
            disk_mb: app.disk.as_f64(),
            user: app.user.clone().unwrap_or_default(),
            environment: app.environment.clone(),
            labels: app.labels.clone(),
            ports: app.ports.clone(),
            constraints: app.constraints.iter().map(ToString::to_string).collect(),
            health: app.health.as_ref().map(Into::into),
            backoff: Some(api::Backoff {
                first_ms: milliseconds(app.backoff.first),
                factor: app.backoff.factor,
                longest_ms: milliseconds(app.backoff.longest),
            }),
            upgrade: Some(api::Upgrade {
                minimum_health: app.upgrade.minimum_health,
                over_capacity: app.upgrade.over_capacity,
            }),
            kill_grace_ms: milliseconds(app.kill_grace),
            priority: app.priority,
            image: app.image.clone().unwrap_or_default(),
        }
    }
}

impl From<&Command> for api::Command {
    fn from(command: &Command) -> Self {
        let command = match command {
            Command::Shell(line) => api::command::Command::Shell(line.clone()),
            Command::Arguments(arguments) => api::command::Command::Arguments(api::Arguments {
                arguments: arguments.clone(),
            }),
        };
        Self {
            command: Some(command),
        }
    }
}

impl From<&HealthCheck> for api::HealthCheck {
    fn from(health: &HealthCheck) -> Self {
        Self {
            port: health.port.clone(),
            http_path: health.http_path.clone(),
            interval_ms: milliseconds(health.interval),
            timeout_ms: milliseconds(health.timeout),
            grace_ms: milliseconds(health.grace),
            failures: health.failures,
        }
    }
}

impl TryFrom<api::App> for App {
    type Error = Invalid;

    /// Reads and validates an app.
    fn try_from(wire: api::App) -> Result<Self, Invalid> {
        let name = wire.name.clone();
        let wrong = |field: &str, problem: String| {
            let (app, field) = (name.clone(), field.to_owned());
            Invalid::Field {
                app,
                field,
                problem,
            }
        };
        let quantity = |field: &str, value: f64| {
            Quantity::from_f64(value).map_err(|error| wrong(field, format!("is wrong: {error}")))
        };
        let constraint = |text: &String| {
            text.parse()
                .map_err(|e| wrong("constraints", format!("has {e}")))
        };
        let command = wire.command.and_then(|command| command.command);
        let app = Self {
            name: wire
                .name
                .parse::<AppName>()
                .map_err(|problem| wrong("name", problem))?,
            replicas: wire.replicas,
            command: command
                .ok_or_else(|| wrong("command", "is missing".to_owned()))?
                .into(),
            cpus: quantity("cpus", wire.cpus)?,
            memory: quantity("mem", wire.memory_mb)?,
            disk: quantity("disk", wire.disk_mb)?,
            user: (!wire.user.is_empty()).then_some(wire.user),
            environment: wire.environment,
            labels: wire.labels,
            ports: wire.ports,
            constraints: wire
                .constraints
                .iter()
                .map(constraint)
                .collect::<Result<_, _>>()?,
            health: wire.health.map(Into::into),
            backoff: wire.backoff.map(Into::into).unwrap_or_default(),
            upgrade: wire.upgrade.map(Into::into).unwrap_or_default(),
            kill_grace: Duration::from_millis(wire.kill_grace_ms),
            priority: wire.priority,
            image: (!wire.image.is_empty()).then_some(wire.image),
        };
        app.validate().map(|()| app)
    }
}

impl From<api::command::Command> for Command {
    fn from(command: api::command::Command) -> Self {
        match command {
            api::command::Command::Shell(line) => Self::Shell(line),
            api::command::Command::Arguments(list) => Self::Arguments(list.arguments),
        }
    }
}

impl From<api::HealthCheck> for HealthCheck {
    fn from(wire: api::HealthCheck) -> Self {
        Self {
            port: wire.port,
            http_path: wire.http_path,
            interval: Duration::from_millis(wire.interval_ms),
            timeout: Duration::from_millis(wire.timeout_ms),
            grace: Duration::from_millis(wire.grace_ms),
            failures: wire.failures,
        }
    }
}

impl From<api::Backoff> for Backoff {
    fn from(wire: api::Backoff) -> Self {
        Self {
            first: Duration::from_millis(wire.first_ms),
            factor: wire.factor,
            longest: Duration::from_millis(wire.longest_ms),
        }
    }
}

impl From<api::Upgrade> for Upgrade {
    fn from(wire: api::Upgrade) -> Self {
        Self {
            minimum_health: wire.minimum_health,
            over_capacity: wire.over_capacity,
        }
    }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::from_yaml;

    #[test]
    fn an_app_comes_back_from_the_wire_as_it_was() {
        let text = "{name: web, replicas: 2, command: [a, b], cpus: 0.125, ports: [http], \
                    env: {A: b}, labels: {c: d}, constraints: ['rack != r1'], user: nobody, \
                    health: {http: {port: http}}, kill_grace: 7s, priority: -2}";
        let app = from_yaml(text).unwrap().remove(0);
        assert_eq!(App::try_from(api::App::from(&app)).unwrap(), app);
    }

    #[test]
    fn an_app_without_a_command_is_refused_on_the_wire_too() {
        let wire = api::App {
            name: "a".into(),
            ..Default::default()
        };
        assert!(
            App::try_from(wire)
                .unwrap_err()
                .to_string()
                .contains("`command` is missing")
        );
    }
}
