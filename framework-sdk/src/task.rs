//! Tasks: what a framework wants to run, before it is known where.

mod image;
mod uris;
mod walls;

use std::time::Duration;

use tepui_model::{Kind, Offer, Quantity, Ranges, Resources, Scalars, TaskId, Traits, Value};
use tepui_proto::v1;

pub use self::uris::Uri;
use crate::{Constraint, calls};

/// Why a [`TaskBuilder`] builds no task.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TaskInvalid {
    /// The id cannot be one.
    #[error("task id: {0}")]
    Id(#[from] tepui_model::InvalidId),
    /// A quantity is no number that can be had.
    #[error("`{what}` of task {task:?}: {cause}")]
    Quantity {
        /// Which task.
        task: String,
        /// Of what.
        what: String,
        /// Why not.
        cause: String,
    },
    /// None of `shell`, `command` and `executor` was called.
    #[error("task {0:?} has nothing to run: give it a shell line or a command")]
    NoCommand(String),
    /// No resources at all, which the master would refuse (SPC-02).
    #[error("task {0:?} needs no resources: give it cpus and memory")]
    NoResources(String),
}

/// Describes a task step by step.
///
/// ```
/// use tepui_sdk::TaskBuilder;
///
/// let task = TaskBuilder::new("hello-1").cpus(0.1).memory(32.0).shell("echo hello").build()?;
/// assert_eq!(task.id().as_str(), "hello-1");
/// # Ok::<(), tepui_sdk::TaskInvalid>(())
/// ```
#[derive(Debug, Clone)]
pub struct TaskBuilder {
    id: String,
    info: v1::TaskInfo,
    needs: Vec<(Kind, f64)>,
    ports: Vec<Port>,
    constraints: Vec<Constraint>,
    /// The name of the port at which the agent checks the task's health.
    checked_port: Option<String>,
}

impl TaskBuilder {
    /// A task of this id, which is also its name until [`name`](Self::name) is called.
    pub fn new(id: impl AsRef<str>) -> Self {
        let id = id.as_ref().to_owned();
        let info = v1::TaskInfo {
            name: id.clone(),
            ..Default::default()
        };
        Self {
            id,
            info,
            needs: Vec::new(),
            ports: Vec::new(),
            constraints: Vec::new(),
            checked_port: None,
        }
    }

    /// The name that people see.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.info.name = name.into();
        self
    }

    /// CPUs; thousandths count.
    pub fn cpus(self, cpus: f64) -> Self {
        self.scalar(Kind::Cpus, cpus)
    }

    /// Memory in megabytes.
    pub fn memory(self, megabytes: f64) -> Self {
        self.scalar(Kind::Memory, megabytes)
    }

    /// Disk in megabytes.
    pub fn disk(self, megabytes: f64) -> Self {
        self.scalar(Kind::Disk, megabytes)
    }

    /// Graphics processors.
    pub fn gpus(self, gpus: u32) -> Self {
        self.scalar(Kind::Gpus, gpus.into())
    }

    /// Any scalar resource; nothing of it when `quantity` is 0.
    pub fn scalar(mut self, kind: Kind, quantity: f64) -> Self {
        self.needs.push((kind, quantity));
        self
    }

    /// `count` more ports, whichever the offer has: `PORT0`, `PORT1` ... in the environment.
    pub fn ports(mut self, count: usize) -> Self {
        let ports = std::iter::repeat_with(Port::default).take(count);
        self.ports.extend(ports);
        self
    }

    /// One more port with a name: also `PORT_<NAME>` in the environment, and in the task's
    /// discovery information.
    pub fn port(mut self, name: impl Into<String>) -> Self {
        self.ports.push(Port {
            name: Some(name.into()),
            inside: None,
        });
        self
    }

    /// Gives the task a network of its own, attached to the one of this name, instead of the
    /// host's; to several when called again. `none` is one with nothing in it.
    pub fn network(mut self, name: impl Into<String>) -> Self {
        let container = self
            .info
            .container
            .get_or_insert_with(|| v1::ContainerInfo {
                r#type: v1::container_info::Type::Mesos.into(),
                ..Default::default()
            });
        container.network_infos.push(v1::NetworkInfo {
            name: Some(name.into()),
            ..Default::default()
        });
        self
    }

    /// One more port, whichever the offer has, that leads to this one of the task on its first
    /// network.
    pub fn publish(mut self, port: u16) -> Self {
        self.ports.push(Port {
            name: None,
            inside: Some(port),
        });
        self
    }

    /// Runs a line with `/bin/sh -c`.
    pub fn shell(mut self, line: impl Into<String>) -> Self {
        let command = self.info.command.get_or_insert_default();
        (command.shell, command.value) = (Some(true), Some(line.into()));
        command.arguments.clear();
        self
    }

    /// Runs a program; the first argument is its name or path.
    pub fn command<S: Into<String>>(mut self, arguments: impl IntoIterator<Item = S>) -> Self {
        let arguments: Vec<String> = arguments.into_iter().map(Into::into).collect();
        let command = self.info.command.get_or_insert_default();
        (command.shell, command.value) = (Some(false), arguments.first().cloned());
        command.arguments = arguments;
        self
    }

    /// A variable of the task's environment.
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        let environment = self
            .info
            .command
            .get_or_insert_default()
            .environment
            .get_or_insert_default();
        environment
            .variables
            .push(variable(name.into(), value.into()));
        self
    }

    /// The user to run as, instead of the framework's.
    pub fn user(mut self, user: impl Into<String>) -> Self {
        self.info.command.get_or_insert_default().user = Some(user.into());
        self
    }

    /// Runs in an executor of the framework's own instead of by a command. All tasks that name an
    /// executor by this id on an agent are in the same one.
    pub fn executor(mut self, executor: v1::ExecutorInfo) -> Self {
        self.info.executor = Some(executor);
        self
    }

    /// Bytes for the executor, which nobody else looks at.
    pub fn data(mut self, data: impl Into<Vec<u8>>) -> Self {
        self.info.data = Some(data.into());
        self
    }

    /// The task's program has a terminal, of so many rows and columns; what it writes there is in
    /// its `stdout` all the same.
    pub fn terminal(mut self, rows: u16, columns: u16) -> Self {
        let container = self
            .info
            .container
            .get_or_insert_with(|| v1::ContainerInfo {
                r#type: v1::container_info::Type::Mesos.into(),
                ..v1::ContainerInfo::default()
            });
        container.tty_info = Some(v1::TtyInfo {
            window_size: Some(v1::tty_info::WindowSize {
                rows: rows.into(),
                columns: columns.into(),
            }),
        });
        self
    }

    /// A label that tools can read.
    pub fn label(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        let label = v1::Label {
            key: key.into(),
            value: Some(value.into()),
        };
        self.info.labels.get_or_insert_default().labels.push(label);
        self
    }

    /// Among the tasks of a role, the lower is preempted first; 0 unless set.
    pub fn priority(mut self, priority: i32) -> Self {
        self.info.tepui_priority = Some(priority);
        self
    }

    /// How long the task may take between TERM and KILL; three seconds unless set (KIL-01).
    pub fn kill_grace(mut self, grace: Duration) -> Self {
        self.info.kill_policy = Some(calls::kill_policy(grace));
        self
    }

    /// Lets the agent check the task's health, inside the network that the task has, at its port of
    /// this name. The number is filled in when the task is placed.
    pub fn health_check(mut self, port: impl Into<String>, check: v1::HealthCheck) -> Self {
        self.info.health_check = Some(check);
        self.checked_port = Some(port.into());
        self
    }

    /// Runs only on agents where this holds.
    pub fn constraint(mut self, constraint: Constraint) -> Self {
        self.constraints.push(constraint);
        self
    }

    /// The message as it is so far; for what has no method here.
    pub fn wire(&mut self) -> &mut v1::TaskInfo {
        &mut self.info
    }

    /// The finished description.
    ///
    /// # Errors
    /// The first thing that is wrong with it.
    pub fn build(self) -> Result<Task, TaskInvalid> {
        let id = TaskId::new(&self.id)?;
        let mut info = self.info;
        info.task_id = (&id).into();
        let mut needs = Scalars::new();
        for (kind, quantity) in self.needs {
            let invalid = |cause: String| TaskInvalid::Quantity {
                task: id.to_string(),
                what: kind.name().to_owned(),
                cause,
            };
            let quantity = Quantity::from_f64(quantity).map_err(|e| invalid(e.to_string()))?;
            if quantity < Quantity::ZERO {
                return Err(invalid("it is negative".to_owned()));
            }
            needs.increase(&kind, quantity);
        }
        let has_image = info.container.as_ref().is_some_and(|container| {
            let mesos = container.mesos.as_ref();
            container.docker.is_some() || mesos.is_some_and(|mesos| mesos.image.is_some())
        });
        let has_program = info
            .command
            .as_ref()
            .is_some_and(|command| command.value.is_some());
        if !has_program && !has_image && info.executor.is_none() {
            return Err(TaskInvalid::NoCommand(id.to_string()));
        }
        if needs.is_empty() && self.ports.is_empty() {
            return Err(TaskInvalid::NoResources(id.to_string()));
        }
        let (ports, constraints) = (self.ports, self.constraints);
        Ok(Task {
            checked_port: self.checked_port,
            id,
            info,
            needs,
            ports,
            constraints,
        })
    }
}

/// A port that a task asks for.
#[derive(Debug, Clone, Default)]
struct Port {
    name: Option<String>,
    /// The port of the task's own network that it leads to.
    inside: Option<u16>,
}

/// A task that may be launched wherever there is room for it.
#[derive(Debug, Clone)]
pub struct Task {
    id: TaskId,
    info: v1::TaskInfo,
    needs: Scalars,
    ports: Vec<Port>,
    constraints: Vec<Constraint>,
    /// The name of the port at which the agent checks the task's health.
    checked_port: Option<String>,
}

/// Why a task cannot run on an offer.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum Misfit {
    /// This must hold and does not.
    #[error("not {0}")]
    Constraint(Constraint),
    /// There is too little of this.
    #[error("too little {}", .0.name())]
    Scalar(Kind),
    /// There are too few ports.
    #[error("too few ports")]
    Ports,
}

/// A task with its place.
#[derive(Debug, Clone)]
pub struct Placed {
    /// What to launch.
    pub info: v1::TaskInfo,
    /// What it takes from the offer.
    pub resources: Resources,
    /// The numbers of its ports, in the order in which they were asked for.
    pub ports: Vec<u16>,
}

impl Task {
    /// Its id.
    pub fn id(&self) -> &TaskId {
        &self.id
    }

    /// The scalar resources it needs.
    pub fn needs(&self) -> &Scalars {
        &self.needs
    }

    /// Places the task on `offer`, of which `free` is left: its resources come from what is
    /// reserved first, and its ports are the lowest that are free.
    ///
    /// # Errors
    /// The first reason why it cannot run there.
    pub fn place(&self, offer: &Offer, free: &Resources) -> Result<Placed, Misfit> {
        if let Some(unmet) = self.constraints.iter().find(|c| !c.holds(offer)) {
            return Err(Misfit::Constraint(unmet.clone()));
        }
        let (resources, ports) = self.take(free)?;
        let mut info = self.info.clone();
        info.agent_id = (&offer.agent_id).into();
        info.resources = resources.to_proto(Some(&offer.role));
        self.announce(&mut info, &ports);
        Ok(Placed {
            info,
            resources,
            ports,
        })
    }

    fn take(&self, free: &Resources) -> Result<(Resources, Vec<u16>), Misfit> {
        let mut bundles: Vec<_> = free
            .bundles()
            .filter(|(traits, ..)| is_usable(traits))
            .collect();
        // The plain bundle comes first and is the last to be used.
        bundles.reverse();
        let mut taken = Resources::new();
        for (kind, need) in self.needs.iter() {
            let mut missing = need;
            for (traits, amounts, _) in &bundles {
                let part = amounts.scalars().get(&kind).min(missing);
                taken.insert(traits, kind.name(), &Value::Scalar(part));
                missing = missing.saturating_sub(part);
            }
            if !missing.is_zero() {
                return Err(Misfit::Scalar(kind));
            }
        }
        let mut numbers = Vec::new();
        for (traits, amounts, _) in &bundles {
            let missing = self.ports.len() - numbers.len();
            let part: Ranges = amounts.ports().take_first(missing as u64);
            numbers.extend(part.iter().filter_map(|number| u16::try_from(number).ok()));
            taken.insert(traits, "ports", &Value::Ranges(part));
        }
        if numbers.len() < self.ports.len() {
            return Err(Misfit::Ports);
        }
        // Ascending, as the agent numbers them: PORT0 is the lowest.
        numbers.sort_unstable();
        Ok((taken, numbers))
    }

    /// Tells the task, and whoever looks for it, the numbers of its named ports.
    fn announce(&self, info: &mut v1::TaskInfo, numbers: &[u16]) {
        for (port, number) in self.ports.iter().zip(numbers) {
            if let Some(inside) = port.inside {
                map(info, *number, inside);
            }
            let Some(name) = &port.name else { continue };
            if self.checked_port.as_ref() == Some(name) {
                check_at(info, *number);
            }
            let variable = variable(
                format!("PORT_{}", environment_name(name)),
                number.to_string(),
            );
            let command = info.command.get_or_insert_default();
            command
                .environment
                .get_or_insert_default()
                .variables
                .push(variable);
            let port = v1::Port {
                number: u32::from(*number),
                name: Some(name.clone()),
                protocol: Some("tcp".to_owned()),
                ..Default::default()
            };
            let discovery = info.discovery.get_or_insert_with(|| v1::DiscoveryInfo {
                visibility: v1::discovery_info::Visibility::Framework.into(),
                name: Some(info.name.clone()),
                ..Default::default()
            });
            discovery.ports.get_or_insert_default().ports.push(port);
        }
    }
}

/// Reserved or not, but neither revocable nor a volume nor of a resource provider: those are asked
/// for by name, through the wire message.
fn is_usable(traits: &Traits) -> bool {
    !traits.revocable && !traits.shared && traits.disk.is_none() && traits.provider.is_none()
}

fn variable(name: String, value: String) -> v1::environment::Variable {
    v1::environment::Variable {
        name,
        value: Some(value),
        ..Default::default()
    }
}

fn environment_name(name: &str) -> String {
    let upper = |c: char| {
        if c.is_ascii_alphanumeric() {
            c.to_ascii_uppercase()
        } else {
            '_'
        }
    };
    name.chars().map(upper).collect()
}

/// Tells the agent at which port it is to check the task's health.
fn check_at(info: &mut v1::TaskInfo, number: u16) {
    let Some(check) = &mut info.health_check else {
        return;
    };
    if let Some(http) = &mut check.http {
        http.port = number.into();
    }
    if let Some(tcp) = &mut check.tcp {
        tcp.port = number.into();
    }
    if let Some(grpc) = &mut check.tepui_grpc {
        grpc.port = number.into();
    }
}

/// Lets a port of the host lead to one on the task's first network.
fn map(info: &mut v1::TaskInfo, host: u16, inside: u16) {
    let container = info.container.as_mut();
    let network = container.and_then(|container| container.network_infos.first_mut());
    if let Some(network) = network {
        network.port_mappings.push(v1::network_info::PortMapping {
            host_port: host.into(),
            container_port: inside.into(),
            protocol: Some("tcp".to_owned()),
        });
    }
}

#[cfg(test)]
mod tests;
