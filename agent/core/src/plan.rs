//! What a task's container is to be, made from what the framework asked for.

mod environment;
mod executor;
mod guest;
mod image;
mod networks;
mod pod;
mod program;
mod rights;
mod secrets;
mod uris;
mod volumes;

use std::path::{Path, PathBuf};

use tepui_model::{AgentId, ContainerId, FrameworkInfo, Quantity, Resources, TaskInfo};
use tepui_proto::v1;

pub(crate) use self::{
    environment::Environment,
    executor::executor,
    guest::{GuestPlace, guest, resources as resources_of_guest},
    pod::pod,
};
pub use self::{
    image::{ImageConfig, ImagePlan},
    networks::{NetworkAttachment, NetworkPlan, PortMapping, Protocol},
    rights::{Calls, Communication, ResourceLimit, Rights},
    secrets::{Secret, SecretFile, SecretReference, SecretSource},
    uris::{UriPlan, UriSource},
    volumes::ImageVolume,
};
use crate::{Config, ExecutorKey, TaskKey, VolumeMount, checks, volumes as persistent};

/// Where programs are looked up when nobody says.
pub(crate) const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What is said to who asks for them.
pub(crate) const GPUS: &str = "GPUs: its operator has to ask for 'gpu/nvidia' in --isolation";

/// The rows and columns of a terminal of which nobody says how large it is.
const USUAL_SIZE: (u16, u16) = (24, 80);

/// What a task's container is to be.
#[derive(Clone, Debug)]
pub struct ContainerPlan {
    /// The container's name.
    pub container: ContainerId,
    /// The task it is for; for an executor, a key made of the executor's id.
    pub task: TaskKey,
    /// Its working directory. The shell makes it.
    pub sandbox: PathBuf,
    /// Where else its working directory is to be found.
    pub shown: Shown,
    /// What runs.
    pub program: Program,
    /// The whole environment.
    pub environment: Vec<(String, String)>,
    /// Variables that the agent's operator has the values of.
    pub secret_variables: Vec<(String, SecretReference)>,
    /// Secrets that it finds as files.
    pub secret_files: Vec<SecretFile>,
    /// What its checks will ask the agent's operator for, each time anew.
    pub check_secrets: Vec<(String, SecretReference)>,
    /// Who it runs as: the command's user, or else the framework's.
    pub user: String,
    /// The host name inside, if it has its own.
    pub hostname: Option<String>,
    /// The network that it has.
    pub network: NetworkPlan,
    /// How much it may use.
    pub limits: Limits,
    /// The volumes it sees.
    pub volumes: Vec<VolumeMount>,
    /// What its processes may do.
    pub rights: Rights,
    /// The volumes it sees that begin as images.
    pub image_volumes: Vec<ImageVolume>,
    /// What is fetched into the sandbox before it starts.
    pub uris: Vec<UriPlan>,
    /// The image that its root is made of. Without one, it is the host's.
    pub image: Option<ImagePlan>,
    /// Who runs it, as the image knows him; instead of `user`.
    pub image_user: Option<String>,
    /// Where the program starts, if that is not the sandbox.
    pub working_dir: Option<PathBuf>,
    /// Folders of its root that are made where they are not there.
    pub folders: Vec<PathBuf>,
    /// The signal that asks it to end, if that is not SIGTERM.
    pub stop_signal: Option<String>,
    /// The rows and columns of the program's terminal, if it has one.
    pub terminal: Option<(u16, u16)>,
    /// The container that it is inside of, if it is.
    pub parent: Option<Parent>,
    /// The executor whose program it is for, if that calls the agent.
    pub executor: Option<ExecutorKey>,
}

/// Where a container's working directory is to be found besides where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shown {
    /// As `latest` beside it.
    Latest,
    /// By a link in another container's.
    Within {
        /// That one's.
        sandbox: PathBuf,
        /// The name in its folder `containers`.
        name: ContainerId,
    },
    /// Nowhere.
    Alone,
}

/// The container that another is inside of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parent {
    /// Its name.
    pub container: ContainerId,
    /// Its sandbox.
    pub sandbox: PathBuf,
    /// Whether its processes are shared.
    pub share_processes: bool,
}

/// What runs in a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Program {
    /// None: the container holds what others inside of it share.
    Hold,
    /// A line for `/bin/sh -c`.
    Shell(String),
    /// A program with its arguments, run without a shell.
    Exec {
        /// A path, or a name to look up.
        path: String,
        /// All arguments with the first, the name it is called by.
        arguments: Vec<String>,
    },
    /// What the image says, with these arguments instead of its own if there are any.
    Image {
        /// The arguments.
        arguments: Vec<String>,
    },
}

/// How much a container may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Processors asked for.
    pub cpus: Quantity,
    /// The most processors it may use; none for all.
    pub cpu_limit: Option<Quantity>,
    /// Whether others come first when processors are short.
    pub low_cpu_priority: bool,
    /// Megabytes of memory asked for.
    pub memory: Quantity,
    /// The most megabytes of memory it may use; none for all.
    pub memory_limit: Option<Quantity>,
    /// The most megabytes its sandbox may hold; none if it asks for no disk.
    pub disk: Option<Quantity>,
    /// GPUs of its own.
    pub gpus: u32,
}

/// Why no container can be made for a task, for the framework to read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unplannable {
    /// The task is wrong.
    #[error("{0}")]
    Invalid(String),
    /// The task asks for what this version cannot do; to leave it out silently would be worse.
    #[error("This agent does not support {0}")]
    Unsupported(&'static str),
}

/// The agent's own part of a plan.
#[derive(Debug)]
pub(crate) struct Place<'a> {
    pub(crate) config: &'a Config,
    pub(crate) agent: &'a AgentId,
    pub(crate) framework: &'a FrameworkInfo,
    pub(crate) key: &'a TaskKey,
    pub(crate) container: &'a ContainerId,
}

/// Makes the plan of a task's container.
pub(crate) fn plan(place: &Place<'_>, task: &TaskInfo) -> Result<ContainerPlan, Unplannable> {
    if task.resources.gpus().is_positive() && !place.config.gives_gpus {
        return Err(Unplannable::Unsupported(GPUS));
    }
    let command = supported(&task.wire)?;
    let checks = checks::checks(task)?;
    let image = image::image(task.wire.container.as_ref(), command)?;
    let sandbox = sandbox(
        &place.config.work_dir,
        place.agent,
        place.key,
        place.container,
    );
    let environment = environment::environment(place, task, command, &sandbox, image.is_some())?;
    let inside = crate::task::is_pod(task.wire.executor.as_ref());
    let rights = rights::rights(task.wire.container.as_ref(), inside)?;
    if rights.share_cgroups && !task.wire.limits.is_empty() {
        let message = "A task that shares the cgroups of its executor has no limits of its own";
        return Err(Unplannable::Invalid(message.to_owned()));
    }
    Ok(ContainerPlan {
        container: place.container.clone(),
        task: place.key.clone(),
        program: program::program(command, image.is_some())?,
        environment: environment.values,
        secret_variables: environment.references,
        secret_files: secrets::files(task.wire.container.as_ref())?,
        check_secrets: checks.iter().flat_map(checks::Check::secrets).collect(),
        user: command
            .user
            .clone()
            .unwrap_or_else(|| place.framework.user.clone()),
        hostname: task
            .wire
            .container
            .as_ref()
            .and_then(|container| container.hostname.clone()),
        rights,
        network: networks::network(task)?,
        limits: limits(place.config, task)?,
        volumes: volumes(place.config, task)?,
        image_volumes: volumes::images(task.wire.container.as_ref())?,
        uris: uris::uris(command)?,
        image,
        image_user: None,
        terminal: terminal(task.wire.container.as_ref()),
        executor: None,
        working_dir: None,
        folders: Vec::new(),
        stop_signal: None,
        sandbox,
        shown: Shown::Latest,
        parent: None,
    })
}

/// What a command runs, of a check.
pub(crate) fn program_of(command: &v1::CommandInfo) -> Result<Program, Unplannable> {
    program::program(command, false)
}

/// What a check's command has besides the environment of its task.
pub(crate) fn environment_of(command: &v1::CommandInfo) -> Result<Environment, Unplannable> {
    environment::of_check(command)
}

/// The persistent volumes among the task's resources, and those that it names.
fn volumes(config: &Config, task: &TaskInfo) -> Result<Vec<VolumeMount>, Unplannable> {
    let mut mounts = persistent::mounts(&config.work_dir, &task.resources)
        .map_err(|error| Unplannable::Invalid(error.to_string()))?;
    mounts.extend(volumes::named(task.wire.container.as_ref())?);
    Ok(mounts)
}

/// Where a container's sandbox is (Mesos: SBX-01).
pub(crate) fn sandbox(
    work_dir: &Path,
    agent: &AgentId,
    key: &TaskKey,
    container: &ContainerId,
) -> PathBuf {
    let mut path = work_dir.join("slaves");
    path.push(agent.as_str());
    path.push("frameworks");
    path.push(key.framework.as_str());
    path.push("executors");
    // A command task is its own executor, of the same id.
    path.push(key.task.as_str());
    path.push("runs");
    path.push(container.as_str());
    path
}

/// The task's command, if everything it asks for can be had.
fn supported(task: &v1::TaskInfo) -> Result<&v1::CommandInfo, Unplannable> {
    task.command
        .as_ref()
        .ok_or_else(|| Unplannable::Invalid("The task has no command".to_owned()))
}

fn containable(container: &v1::ContainerInfo) -> Result<(), Unplannable> {
    match container.tty_info {
        Some(_) => Err(Unplannable::Unsupported("terminals of executors")),
        None => Ok(()),
    }
}

/// The size of a task's terminal, if it is to have one.
fn terminal(container: Option<&v1::ContainerInfo>) -> Option<(u16, u16)> {
    let asked = container?.tty_info.as_ref()?;
    let number = |number: u32| u16::try_from(number).unwrap_or(u16::MAX);
    let size = asked.window_size.as_ref();
    Some(size.map_or(USUAL_SIZE, |size| (number(size.rows), number(size.columns))))
}

/// Requests are the task's resources; limits are the same unless it sets others (Mesos: SPC-03).
fn limits(config: &Config, task: &TaskInfo) -> Result<Limits, Unplannable> {
    let limit = |name: &str, request: Quantity| match task.wire.limits.get(name) {
        None => Ok(Some(request)),
        Some(limit) if limit.value == f64::INFINITY => Ok(None),
        Some(limit) => Quantity::from_f64(limit.value)
            .map(Some)
            .map_err(|error| Unplannable::Invalid(format!("limits[{name}]: {error}"))),
    };
    let (cpus, memory) = (task.resources.cpus(), task.resources.memory());
    // What volumes have is not the sandbox's.
    let disk = task.resources.filter(|traits| traits.disk.is_none()).disk();
    Ok(Limits {
        cpus,
        cpu_limit: limit("cpus", cpus)?,
        low_cpu_priority: config.revocable_cpu_low_priority
            && task.resources.revocable().cpus().is_positive(),
        memory,
        memory_limit: limit("mem", memory)?,
        disk: Some(disk).filter(|disk| disk.is_positive()),
        gpus: u32::try_from(task.resources.gpus().millis() / 1000).unwrap_or(u32::MAX),
    })
}

/// The limits of a container that several share: all that they ask for together.
pub(crate) fn shared_limits(config: &Config, held: &Resources) -> Limits {
    let (cpus, memory) = (held.cpus(), held.memory());
    let disk = held.filter(|traits| traits.disk.is_none()).disk();
    Limits {
        cpus,
        cpu_limit: Some(cpus),
        low_cpu_priority: config.revocable_cpu_low_priority
            && held.revocable().cpus().is_positive(),
        memory,
        memory_limit: Some(memory),
        disk: Some(disk).filter(|disk| disk.is_positive()),
        // Those of a group are its tasks' own.
        gpus: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::tests::{config, framework, sleeper, wire_task};

    pub(super) fn plan_of(wire: v1::TaskInfo) -> Result<ContainerPlan, Unplannable> {
        plan_on(&config(), wire)
    }

    fn plan_on(config: &Config, wire: v1::TaskInfo) -> Result<ContainerPlan, Unplannable> {
        let task = TaskInfo::try_from(wire).unwrap();
        let framework = framework("f");
        let key = TaskKey::new(framework.id.as_ref().unwrap(), &task.id);
        plan(
            &Place {
                config,
                agent: &AgentId::new("m-S0").unwrap(),
                framework: &framework,
                key: &key,
                container: &ContainerId::new("c").unwrap(),
            },
            &task,
        )
    }

    #[test]
    fn the_sandbox_is_where_mesos_has_it() {
        let plan = plan_of((*sleeper("t").wire).clone()).unwrap();
        let path = "/var/lib/tepui/agent/slaves/m-S0/frameworks/f/executors/t/runs/c";
        assert_eq!(plan.sandbox, PathBuf::from(path));
    }

    #[test]
    fn the_user_is_the_commands_or_else_the_frameworks() {
        assert_eq!(plan_of(wire_task("t")).unwrap().user, "nobody");
        let mut wire = wire_task("t");
        wire.command.as_mut().unwrap().user = Some("daemon".to_owned());
        assert_eq!(plan_of(wire).unwrap().user, "daemon");
    }

    #[test]
    fn limits_are_the_requests_unless_the_task_sets_others() {
        let limits = plan_of(wire_task("t")).unwrap().limits;
        assert_eq!(limits.cpu_limit, Some(limits.cpus));
        assert_eq!(limits.memory_limit, Some(limits.memory));
        let mut wire = wire_task("t");
        wire.limits
            .insert("cpus".to_owned(), v1::value::Scalar { value: 2.0 });
        wire.limits.insert(
            "mem".to_owned(),
            v1::value::Scalar {
                value: f64::INFINITY,
            },
        );
        let limits = plan_of(wire).unwrap().limits;
        assert_eq!(limits.cpu_limit, Some(Quantity::from_units(2)));
        assert_eq!(limits.memory_limit, None);
    }

    #[test]
    fn a_sandbox_may_hold_what_was_asked_for_beside_volumes() {
        assert_eq!(plan_of(wire_task("t")).unwrap().limits.disk, None);
        let mut wire = wire_task("t");
        wire.resources.push(v1::Resource {
            name: "disk".to_owned(),
            r#type: v1::value::Type::Scalar.into(),
            scalar: Some(v1::value::Scalar { value: 64.0 }),
            ..wire.resources[0].clone()
        });
        let disk = plan_of(wire).unwrap().limits.disk;
        assert_eq!(disk, Some(Quantity::from_units(64)));
    }

    #[test]
    fn a_task_on_revocable_processors_comes_after_others() {
        assert!(!plan_of(wire_task("t")).unwrap().limits.low_cpu_priority);
        let mut wire = wire_task("t");
        for resource in &mut wire.resources {
            resource.revocable = Some(v1::resource::RevocableInfo {});
        }
        let limits = plan_of(wire).unwrap().limits;
        assert!(limits.low_cpu_priority && limits.cpus.is_positive());
    }

    #[test]
    fn what_cannot_be_done_is_refused_by_name_and_never_left_out() {
        let refusal = |change: fn(&mut v1::TaskInfo)| {
            let mut wire = wire_task("t");
            change(&mut wire);
            plan_of(wire).unwrap_err().to_string()
        };
        let text = refusal(|task| task.health_check = Some(v1::HealthCheck::default()));
        assert_eq!(text, "'health_check' has no type that is known");
        let text = refusal(|task| {
            let uri = v1::command_info::Uri {
                value: "ftp://x/y".to_owned(),
                ..Default::default()
            };
            task.command.as_mut().unwrap().uris.push(uri);
        });
        let expected = "The URI 'ftp://x/y' has the scheme 'ftp': this agent fetches http, https, \
                        file and paths";
        assert_eq!(text, expected);
        let text = refusal(|task| {
            task.resources.push(v1::Resource {
                name: "gpus".to_owned(),
                ..task.resources[0].clone()
            });
        });
        assert!(
            text.starts_with("This agent does not support GPUs"),
            "{text}"
        );
    }

    #[test]
    fn gpus_are_given_where_the_agent_can() {
        let mut wire = wire_task("t");
        wire.resources.push(v1::Resource {
            name: "gpus".to_owned(),
            scalar: Some(v1::value::Scalar { value: 2.0 }),
            ..wire.resources[0].clone()
        });
        let able = Config {
            gives_gpus: true,
            ..config()
        };
        assert_eq!(plan_on(&able, wire.clone()).unwrap().limits.gpus, 2);
        let refused = plan_of(wire).unwrap_err().to_string();
        assert!(
            refused.ends_with("'gpu/nvidia' in --isolation"),
            "{refused}"
        );
        assert_eq!(plan_on(&able, wire_task("t")).unwrap().limits.gpus, 0);
    }

    #[test]
    fn a_terminal_has_the_size_that_is_asked_for_or_the_usual_one() {
        let size_of = |window_size| {
            let mut wire = wire_task("t");
            wire.container = Some(v1::ContainerInfo {
                r#type: v1::container_info::Type::Mesos.into(),
                tty_info: Some(v1::TtyInfo { window_size }),
                ..v1::ContainerInfo::default()
            });
            let plan = plan_of(wire).unwrap();
            let term = plan.environment.iter().find(|(name, _)| name == "TERM");
            assert_eq!(term.map(|(_, value)| value.as_str()), Some("xterm"));
            plan.terminal
        };
        assert_eq!(size_of(None), Some((24, 80)));
        let window = v1::tty_info::WindowSize {
            rows: 5,
            columns: 1 << 20,
        };
        assert_eq!(size_of(Some(window)), Some((5, u16::MAX)));
        assert_eq!(plan_of(wire_task("t")).unwrap().terminal, None);
    }
}
