//! The environment of a task: its own variables, then Mesos' (Mesos: EXE-06), then its ports.

use core::time::Duration;
use std::path::Path;

use tepui_model::TaskInfo;
use tepui_proto::v1;

use super::{
    PATH, Place, Unplannable,
    secrets::{self, SecretReference, SecretSource},
};
use crate::limits;

/// The agent's own program, for tasks that see it.
const EXECUTABLE: &str = "TEPUI_EXECUTABLE";

/// What a terminal is taken for by programs on it, when nobody says.
const TERMINAL: &str = "xterm";

/// Where a task in an image sees its sandbox (Mesos' default).
const SANDBOX_IN_IMAGE: &str = "/mnt/mesos/sandbox";

/// The variables of one task. A later one of the same name takes the place of an earlier one.
#[derive(Default)]
struct Variables {
    values: Vec<(String, String)>,
    references: Vec<(String, SecretReference)>,
}

/// The environment of a container, of which some is with the agent's operator.
#[derive(Debug)]
pub(crate) struct Environment {
    pub(crate) values: Vec<(String, String)>,
    pub(crate) references: Vec<(String, SecretReference)>,
}

/// What a variable has.
enum Content {
    Value(String),
    Reference(SecretReference),
}

impl Variables {
    fn refer(&mut self, name: &str, reference: SecretReference) {
        self.values.retain(|(known, _)| known != name);
        self.references.retain(|(known, _)| known != name);
        self.references.push((name.to_owned(), reference));
    }

    fn set(&mut self, name: &str, value: impl Into<String>) {
        let value = value.into();
        self.references.retain(|(known, _)| known != name);
        match self.values.iter_mut().find(|(known, _)| known == name) {
            Some((_, known)) => *known = value,
            None => self.values.push((name.to_owned(), value)),
        }
    }

    fn set_all(&mut self, command: &v1::CommandInfo) -> Result<(), Unplannable> {
        let environment = command.environment.iter();
        for variable in environment.flat_map(|environment| &environment.variables) {
            match content(variable)? {
                Content::Value(value) => self.set(name(variable)?, value),
                Content::Reference(reference) => self.refer(name(variable)?, reference),
            }
        }
        Ok(())
    }

    fn has(&self, name: &str) -> bool {
        let mut referred = self.references.iter().map(|(known, _)| known);
        let mut names = self.values.iter().map(|(known, _)| known);
        names.any(|known| known == name) || referred.any(|known| known == name)
    }
}

/// The whole environment of a task. Of the agent's own nothing is inherited.
pub(super) fn environment(
    place: &Place<'_>,
    task: &TaskInfo,
    command: &v1::CommandInfo,
    sandbox: &Path,
    in_image: bool,
) -> Result<Environment, Unplannable> {
    let mut variables = of_command(command, in_image)?;
    set_ports(&mut variables, task);
    let sandbox = if in_image {
        SANDBOX_IN_IMAGE.into()
    } else {
        sandbox.to_string_lossy()
    };
    set_mesos(&mut variables, place, task, &sandbox);
    if super::terminal(task.wire.container.as_ref()).is_some() {
        set_unless_there(&mut variables, "TERM", TERMINAL);
    }
    if in_image {
        // The program is the host's.
        variables.values.retain(|(name, _)| name != EXECUTABLE);
    }
    bounded(variables)
}

/// What the command itself says.
fn of_command(command: &v1::CommandInfo, in_image: bool) -> Result<Variables, Unplannable> {
    let mut variables = Variables::default();
    // An image may say otherwise.
    if !in_image {
        variables.set("PATH", PATH);
    }
    variables.set_all(command)?;
    Ok(variables)
}

/// What a check's command says. The rest is the task's.
pub(super) fn of_check(command: &v1::CommandInfo) -> Result<Environment, Unplannable> {
    let mut variables = Variables::default();
    variables.set_all(command)?;
    bounded(variables)
}

fn bounded(variables: Variables) -> Result<Environment, Unplannable> {
    let size: usize = variables
        .values
        .iter()
        .map(|(name, value)| name.len() + value.len())
        .sum();
    if size > limits::MAX_ENVIRONMENT_BYTES {
        let limit = limits::MAX_ENVIRONMENT_BYTES;
        let message = format!("The environment has {size} bytes, at most {limit} are taken");
        return Err(Unplannable::Invalid(message));
    }
    let Variables { values, references } = variables;
    Ok(Environment { values, references })
}

/// The whole environment of an executor (Mesos: EXE-06).
pub(super) fn of_executor(
    place: &Place<'_>,
    (info, command): (&v1::ExecutorInfo, &v1::CommandInfo),
    role: Option<String>,
    sandbox: &Path,
    in_image: bool,
) -> Result<Environment, Unplannable> {
    let mut variables = of_command(command, in_image)?;
    let config = place.config;
    let sandbox = match in_image {
        true => SANDBOX_IN_IMAGE.into(),
        false => sandbox.to_string_lossy(),
    };
    set_common(&mut variables, place, &sandbox);
    variables.set("MESOS_ALLOCATION_ROLE", role.unwrap_or_default());
    let own = info.shutdown_grace_period.as_ref();
    let own = own.and_then(|span| u64::try_from(span.nanoseconds).ok());
    let grace = own.map_or(config.executor_shutdown_grace_period, Duration::from_nanos);
    variables.set("MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD", words(grace));
    if place.framework.checkpoint {
        variables.set("MESOS_RECOVERY_TIMEOUT", words(config.recovery_timeout));
        let backoff = words(limits::SUBSCRIPTION_BACKOFF);
        variables.set("MESOS_SUBSCRIPTION_BACKOFF_MAX", backoff);
    }
    // What libmesos looks for.
    let ip = config.ip.clone();
    let ip = ip.unwrap_or_else(|| config.info.hostname.clone());
    let pid = format!("slave(1)@{ip}:{}", config.info.port);
    variables.set("MESOS_SLAVE_PID", pid);
    variables.set("LIBPROCESS_IP", ip);
    variables.set("LIBPROCESS_PORT", "0");
    if in_image {
        // The program is the host's, as the socket below.
        variables.values.retain(|(name, _)| name != EXECUTABLE);
    } else if let Some(socket) = &config.domain_socket {
        variables.set("MESOS_DOMAIN_SOCKET", socket.to_string_lossy());
    }
    bounded(variables)
}

/// The whole environment of a guest: its own, and where its sandbox is. Nothing of the container
/// that it is inside of is inherited (Mesos: only sessions inherit).
pub(super) fn of_guest(
    command: &v1::CommandInfo,
    sandbox: &Path,
    in_image: bool,
    on_terminal: bool,
) -> Result<Environment, Unplannable> {
    let mut variables = of_command(command, in_image)?;
    let sandbox = match in_image {
        true => SANDBOX_IN_IMAGE.into(),
        false => sandbox.to_string_lossy(),
    };
    variables.set("MESOS_SANDBOX", sandbox);
    if on_terminal {
        set_unless_there(&mut variables, "TERM", TERMINAL);
    }
    bounded(variables)
}

/// A span as Mesos writes it: a whole number of the largest unit that it is a multiple of.
fn words(span: Duration) -> String {
    const UNITS: [(u128, &str); 6] = [
        (86_400_000_000_000, "days"),
        (3_600_000_000_000, "hrs"),
        (60_000_000_000, "mins"),
        (1_000_000_000, "secs"),
        (1_000_000, "ms"),
        (1_000, "us"),
    ];
    let nanos = span.as_nanos();
    let whole = |(unit, _): &&(u128, &str)| nanos > 0 && nanos.is_multiple_of(*unit);
    match UNITS.iter().find(whole) {
        Some((unit, name)) => format!("{}{name}", nanos / unit),
        None => format!("{nanos}ns"),
    }
}

fn name(variable: &v1::environment::Variable) -> Result<&str, Unplannable> {
    let name = variable.name.as_str();
    if name.is_empty() || name.contains(['=', '\0']) {
        let name = name.escape_debug();
        return Err(Unplannable::Invalid(format!(
            "'{name}' cannot name an environment variable"
        )));
    }
    Ok(name)
}

/// A variable's value; a secret given by value is one (Mesos: SPC-09, SEC-01).
fn content(variable: &v1::environment::Variable) -> Result<Content, Unplannable> {
    let name = &variable.name;
    let invalid =
        |what: &str| Unplannable::Invalid(format!("Environment variable '{name}' {what}"));
    let value = match (&variable.value, &variable.secret) {
        (Some(value), None) => value.clone(),
        (None, Some(secret)) => match secrets::source(secret)? {
            SecretSource::Value(value) => {
                String::from_utf8(value.0).map_err(|_| invalid("has a secret that is not text"))?
            }
            SecretSource::Reference(reference) => return Ok(Content::Reference(reference)),
        },
        (None, None) => return Err(invalid("has no value")),
        (Some(_), Some(_)) => return Err(invalid("has both a value and a secret")),
    };
    if value.contains('\0') {
        return Err(invalid("contains a NUL character"));
    }
    Ok(Content::Value(value))
}

/// The task's ports in order as `PORT0`, `PORT1`..., and all as `PORTS`, unless it has set them.
fn set_ports(variables: &mut Variables, task: &TaskInfo) {
    let ports: Vec<String> = task
        .resources
        .ports()
        .iter()
        .take(limits::MAX_PORT_VARIABLES)
        .map(|port| port.to_string())
        .collect();
    for (index, port) in ports.iter().enumerate() {
        set_unless_there(variables, &format!("PORT{index}"), port);
    }
    if let Some(first) = ports.first() {
        set_unless_there(variables, "PORT", first);
        set_unless_there(variables, "PORTS", &ports.join(","));
    }
}

fn set_unless_there(variables: &mut Variables, name: &str, value: &str) {
    if !variables.has(name) {
        variables.set(name, value);
    }
}

/// What a task that is its own executor is told.
fn set_mesos(variables: &mut Variables, place: &Place<'_>, task: &TaskInfo, sandbox: &str) {
    let role = task.allocation_role.clone().unwrap_or_default();
    set_common(variables, place, sandbox);
    variables.set("MESOS_TASK_ID", place.key.task.as_str());
    variables.set("MESOS_ALLOCATION_ROLE", role.as_str());
    variables.set("MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD", "5secs");
}

/// What Mesos' agent tells every executor. Nobody else can set these.
fn set_common(variables: &mut Variables, place: &Place<'_>, sandbox: &str) {
    let checkpoint = if place.framework.checkpoint { "1" } else { "0" };
    let settings = [
        ("MESOS_FRAMEWORK_ID", place.key.framework.as_str()),
        ("MESOS_EXECUTOR_ID", place.key.task.as_str()),
        ("MESOS_SLAVE_ID", place.agent.as_str()),
        ("MESOS_AGENT_ID", place.agent.as_str()),
        ("MESOS_CONTAINER_ID", place.container.as_str()),
        ("MESOS_SANDBOX", sandbox),
        ("MESOS_DIRECTORY", sandbox),
        ("MESOS_AGENT_ENDPOINT", place.config.endpoint.as_str()),
        ("MESOS_CHECKPOINT", checkpoint),
        ("MESOS_HTTP_COMMAND_EXECUTOR", "0"),
    ];
    for (name, value) in settings {
        variables.set(name, value);
    }
    let container_name = format!("mesos-{}", place.container);
    variables.set("MESOS_CONTAINER_NAME", container_name);
    if let Some(executable) = &place.config.executable {
        variables.set(EXECUTABLE, executable.to_string_lossy());
    }
}

#[cfg(test)]
mod tests {
    use v1::environment::Variable;

    use super::{super::tests::plan_of, *};
    use crate::agent::tests::wire_task;

    fn with(variables: Vec<Variable>) -> v1::TaskInfo {
        let mut wire = wire_task("t");
        wire.command.as_mut().unwrap().environment = Some(v1::Environment { variables });
        wire
    }

    fn plain(name: &str, value: &str) -> Variable {
        Variable {
            name: name.to_owned(),
            value: Some(value.to_owned()),
            ..Variable::default()
        }
    }

    fn get(wire: v1::TaskInfo, name: &str) -> Option<String> {
        let environment = plan_of(wire).unwrap().environment;
        let mut found = environment.into_iter().filter(|(known, _)| known == name);
        let value = found.next().map(|(_, value)| value);
        assert_eq!(found.next(), None, "{name} is there twice");
        value
    }

    #[test]
    fn a_span_is_written_as_mesos_reads_it() {
        let spans = [
            (0, "0ns"),
            (1_500_000_000, "1500ms"),
            (120_000_000_000, "2mins"),
        ];
        for (nanos, text) in spans {
            assert_eq!(words(Duration::from_nanos(nanos)), text);
        }
        assert_eq!(words(Duration::from_secs(90)), "90secs");
        assert_eq!(words(Duration::from_secs(7200)), "2hrs");
    }

    #[test]
    fn a_task_sees_what_mesos_documents() {
        let sandbox = "/var/lib/tepui/agent/slaves/m-S0/frameworks/f/executors/t/runs/c";
        for (name, value) in [
            ("MESOS_SANDBOX", sandbox),
            ("MESOS_DIRECTORY", sandbox),
            ("MESOS_TASK_ID", "t"),
            ("MESOS_EXECUTOR_ID", "t"),
            ("MESOS_FRAMEWORK_ID", "f"),
            ("MESOS_SLAVE_ID", "m-S0"),
            ("MESOS_AGENT_ID", "m-S0"),
            ("MESOS_AGENT_ENDPOINT", "host:5051"),
            ("MESOS_ALLOCATION_ROLE", "*"),
            ("TEPUI_EXECUTABLE", "/usr/bin/tepui"),
            ("PATH", PATH),
        ] {
            assert_eq!(get(wire_task("t"), name).as_deref(), Some(value), "{name}");
        }
    }

    #[test]
    fn a_tasks_own_variables_win_over_defaults_but_not_over_mesos() {
        let wire = with(vec![
            plain("PATH", "/bin"),
            plain("MESOS_TASK_ID", "x"),
            plain("A", "b"),
        ]);
        assert_eq!(get(wire.clone(), "PATH").as_deref(), Some("/bin"));
        assert_eq!(get(wire.clone(), "MESOS_TASK_ID").as_deref(), Some("t"));
        assert_eq!(get(wire, "A").as_deref(), Some("b"));
    }

    #[test]
    fn ports_are_numbered_in_order_unless_the_task_names_them() {
        let mut wire = with(vec![plain("PORT1", "80")]);
        let range = |begin, end| v1::value::Range { begin, end };
        wire.resources.push(v1::Resource {
            name: "ports".to_owned(),
            r#type: v1::value::Type::Ranges.into(),
            ranges: Some(v1::value::Ranges {
                range: vec![range(31005, 31006), range(31001, 31001)],
            }),
            ..v1::Resource::default()
        });
        for (name, value) in [
            ("PORT0", "31001"),
            ("PORT1", "80"),
            ("PORT2", "31006"),
            ("PORT", "31001"),
        ] {
            assert_eq!(get(wire.clone(), name).as_deref(), Some(value), "{name}");
        }
        assert_eq!(get(wire, "PORTS").as_deref(), Some("31001,31005,31006"));
    }

    #[test]
    fn a_secret_by_value_is_a_value_and_one_by_reference_is_for_the_agent_to_look_up() {
        let mut variable = Variable {
            name: "S".to_owned(),
            ..Variable::default()
        };
        let data = b"hush".to_vec();
        variable.secret = Some(v1::Secret {
            value: Some(v1::secret::Value { data }),
            ..v1::Secret::default()
        });
        assert_eq!(
            get(with(vec![variable.clone()]), "S").as_deref(),
            Some("hush")
        );
        variable.secret = Some(v1::Secret::default());
        assert!(plan_of(with(vec![variable.clone()])).is_err());
        let reference = v1::secret::Reference {
            name: "db".to_owned(),
            key: None,
        };
        variable.secret = Some(v1::Secret {
            reference: Some(reference),
            ..v1::Secret::default()
        });
        let plan = plan_of(with(vec![plain("S", "other"), variable.clone()])).unwrap();
        assert_eq!(plan.secret_variables.len(), 1);
        assert!(plan.environment.iter().all(|(name, _)| name != "S"));
        let plan = plan_of(with(vec![variable, plain("S", "last")])).unwrap();
        assert!(plan.secret_variables.is_empty(), "the last one counts");
    }

    #[test]
    fn the_commands_of_checks_have_secrets_as_their_tasks_do() {
        let secret = |secret| Variable {
            name: "S".to_owned(),
            secret: Some(secret),
            ..Variable::default()
        };
        let value = secret(v1::Secret {
            value: Some(v1::secret::Value {
                data: b"hush".to_vec(),
            }),
            ..v1::Secret::default()
        });
        let reference = secret(v1::Secret {
            reference: Some(v1::secret::Reference {
                name: "db".to_owned(),
                key: None,
            }),
            ..v1::Secret::default()
        });
        let of = |variables: Vec<Variable>| {
            of_check(&v1::CommandInfo {
                environment: Some(v1::Environment { variables }),
                ..v1::CommandInfo::default()
            })
        };
        let hush = ("S".to_owned(), "hush".to_owned());
        let found = of(vec![reference.clone(), value.clone()]).unwrap();
        assert_eq!((found.values, found.references.len()), (vec![hush], 0));
        let found = of(vec![value, reference]).unwrap();
        assert_eq!((found.values.len(), found.references.len()), (0, 1));
        assert_eq!(found.references[0].1.name, "db");
        assert!(of(vec![secret(v1::Secret::default())]).is_err());
    }

    #[test]
    fn variables_that_cannot_be_set_are_invalid() {
        for (name, value) in [("", "x"), ("A=B", "x"), ("A", "x\0y")] {
            assert!(
                plan_of(with(vec![plain(name, value)])).is_err(),
                "{name:?}={value:?}"
            );
        }
        let huge = "x".repeat(limits::MAX_ENVIRONMENT_BYTES);
        assert!(plan_of(with(vec![plain("A", &huge)])).is_err());
    }
}
