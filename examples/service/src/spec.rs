//! What an app is: the fields, their defaults, and what they may be.

mod command;
mod duration;
mod names;
mod wire;
mod yaml;

use std::{collections::BTreeMap, time::Duration};

use tepui_sdk::{Constraint, model::Quantity};

pub use self::{command::Command, names::AppName, yaml::from_yaml};
use crate::limits;

/// What is wrong with an app: the field, and what it must be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// A field has a value that it may not have.
    #[error("app {app:?}: `{field}` {problem}")]
    Field {
        /// Which app, by the name given.
        app: String,
        /// Which field, dotted when it lies deeper.
        field: String,
        /// What it must be.
        problem: String,
    },
    /// The file is no YAML, or has a key that no app has.
    #[error("{0}")]
    File(String),
}

/// What is wanted: `replicas` instances of a command.
#[derive(Debug, Clone, PartialEq)]
pub struct App {
    /// Its name, unique in the framework.
    pub name: AppName,
    /// How many instances.
    pub replicas: u32,
    /// What each runs; in an image, no arguments mean the image's own.
    pub command: Command,
    /// The image that each runs in, as in `busybox:1.36`; on the host's files when `None`.
    pub image: Option<String>,
    /// CPUs of each.
    pub cpus: Quantity,
    /// Memory of each, in MB.
    pub memory: Quantity,
    /// Disk of each, in MB.
    pub disk: Quantity,
    /// The user to run as; the framework's when `None`.
    pub user: Option<String>,
    /// The environment of each, besides `PORT0`, `PORT_<NAME>` and what the agent sets.
    pub environment: BTreeMap<String, String>,
    /// Labels of each task.
    pub labels: BTreeMap<String, String>,
    /// Names of the ports that each gets from its offer.
    pub ports: Vec<String>,
    /// Where instances may run: all must hold.
    pub constraints: Vec<Constraint>,
    /// How to see whether an instance is well.
    pub health: Option<HealthCheck>,
    /// Pauses before a failed instance is replaced.
    pub backoff: Backoff,
    /// How a version replaces the one before.
    pub upgrade: Upgrade,
    /// Between TERM and KILL.
    pub kill_grace: Duration,
    /// Among the tasks of the framework's role, the lower gives way first.
    pub priority: i32,
}

/// A check of each instance by its agent, inside the network that it has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HealthCheck {
    /// Which of the app's ports.
    pub port: String,
    /// With a path, a GET that must answer 200 to 399; without, a connection.
    pub http_path: Option<String>,
    /// From one check to the next.
    pub interval: Duration,
    /// How long an answer may take.
    pub timeout: Duration,
    /// Failures that early after the start do not count.
    pub grace: Duration,
    /// So many in a row end the instance.
    pub failures: u32,
}

/// Pauses that grow with each failure. The defaults are Marathon's.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Backoff {
    /// After the first failure.
    pub first: Duration,
    /// What each further failure multiplies it by.
    pub factor: f64,
    /// It grows no longer than this.
    pub longest: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self {
            first: Duration::from_secs(1),
            factor: 1.15,
            longest: Duration::from_secs(300),
        }
    }
}

/// How an app is replaced by its next version. The defaults are Marathon's.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Upgrade {
    /// The part of the replicas that stays ready meanwhile, rounded up.
    pub minimum_health: f64,
    /// The part of the replicas that may run beyond their number meanwhile, rounded down.
    pub over_capacity: f64,
}

impl Default for Upgrade {
    fn default() -> Self {
        Self {
            minimum_health: 1.0,
            over_capacity: 1.0,
        }
    }
}

impl App {
    /// The first thing that is wrong with it.
    ///
    /// # Errors
    /// [`Invalid::Field`] names the field.
    pub fn validate(&self) -> Result<(), Invalid> {
        self.check_sizes()?;
        self.check_ports()?;
        self.check_environment()?;
        self.check_health()?;
        self.check_pace()
    }

    fn check_sizes(&self) -> Result<(), Invalid> {
        self.require(self.replicas <= limits::MAX_REPLICAS, "replicas", || {
            format!(
                "is {}: at most {} are possible",
                self.replicas,
                limits::MAX_REPLICAS
            )
        })?;
        self.require(self.cpus > Quantity::ZERO, "cpus", || {
            "must be more than 0".to_owned()
        })?;
        self.require(self.memory > Quantity::ZERO, "mem", || {
            "must be more than 0".to_owned()
        })?;
        self.require(self.disk >= Quantity::ZERO, "disk", || {
            "must not be negative".to_owned()
        })?;
        let image = self.image.as_deref();
        let named = |name: &str| !name.is_empty() && !name.contains(|c: char| c.is_whitespace());
        self.require(image.is_none_or(named), "image", || {
            "must be the name of an image, as in busybox:1.36".to_owned()
        })?;
        let is_images = image.is_some() && self.command.is_none();
        let command = self.command.problem().filter(|_| !is_images);
        self.require(command.is_none(), "command", || {
            command.unwrap_or_default().to_owned()
        })
    }

    fn check_ports(&self) -> Result<(), Invalid> {
        self.require(self.ports.len() <= limits::MAX_PORTS, "ports", || {
            format!(
                "has {} names: at most {} are possible",
                self.ports.len(),
                limits::MAX_PORTS
            )
        })?;
        for (index, name) in self.ports.iter().enumerate() {
            self.require(names::is_port_name(name), "ports", || {
                format!("has {name:?}: a name is lower-case letters, digits and '-'")
            })?;
            self.require(!self.ports[..index].contains(name), "ports", || {
                format!("has {name:?} twice")
            })?;
        }
        Ok(())
    }

    fn check_environment(&self) -> Result<(), Invalid> {
        for (name, value) in &self.environment {
            let sound = !name.is_empty() && !name.contains(['=', '\0']) && !value.contains('\0');
            self.require(sound, "env", || {
                format!("has {name:?}, which no environment can hold")
            })?;
        }
        Ok(())
    }

    fn check_health(&self) -> Result<(), Invalid> {
        let Some(health) = &self.health else {
            return Ok(());
        };
        self.require(self.ports.contains(&health.port), "health.port", || {
            format!(
                "is {:?}, which is not one of the app's `ports`",
                health.port
            )
        })?;
        let path = health.http_path.as_deref().unwrap_or("/");
        let printable = path.starts_with('/') && path.bytes().all(|byte| byte.is_ascii_graphic());
        self.require(printable, "health.http.path", || {
            format!("is {path:?}: it must begin with '/' and have no space")
        })?;
        self.require(
            health.interval >= limits::SHORTEST_INTERVAL,
            "health.interval",
            || format!("must be {:?} or more", limits::SHORTEST_INTERVAL),
        )?;
        self.require(!health.timeout.is_zero(), "health.timeout", || {
            "must not be 0".to_owned()
        })?;
        self.require(health.failures > 0, "health.failures", || {
            "must be 1 or more".to_owned()
        })
    }

    fn check_pace(&self) -> Result<(), Invalid> {
        let Backoff {
            first,
            factor,
            longest,
        } = self.backoff;
        self.require(!first.is_zero(), "backoff.first", || {
            "must not be 0".to_owned()
        })?;
        self.require(
            factor >= 1.0 && factor.is_finite(),
            "backoff.factor",
            || "must be 1 or more".to_owned(),
        )?;
        self.require(longest >= first, "backoff.longest", || {
            "must not be shorter than `backoff.first`".to_owned()
        })?;
        let Upgrade {
            minimum_health,
            over_capacity,
        } = self.upgrade;
        for (part, field) in [
            (minimum_health, "upgrade.minimum_health"),
            (over_capacity, "upgrade.over_capacity"),
        ] {
            self.require((0.0..=1.0).contains(&part), field, || {
                "must be 0 to 1".to_owned()
            })?;
        }
        // With neither room above nor below, no instance could ever be replaced.
        self.require(
            minimum_health < 1.0 || over_capacity > 0.0,
            "upgrade",
            || "must leave room: minimum_health below 1 or over_capacity above 0".to_owned(),
        )
    }

    fn require(
        &self,
        holds: bool,
        field: &str,
        problem: impl FnOnce() -> String,
    ) -> Result<(), Invalid> {
        if holds {
            return Ok(());
        }
        let (app, field) = (self.name.to_string(), field.to_owned());
        Err(Invalid::Field {
            app,
            field,
            problem: problem(),
        })
    }
}
