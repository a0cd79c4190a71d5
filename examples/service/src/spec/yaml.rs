//! Apps as people write them.
//!
//! One file may hold several apps, separated by `---`. A key that no app has is refused by its
//! name, because a misspelt key would otherwise silently mean its default.

use std::{collections::BTreeMap, time::Duration};

use serde::Deserialize;
use tepui_sdk::model::Quantity;

use super::{App, Backoff, Command, HealthCheck, Invalid, Upgrade, duration::Span};
use crate::limits;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct AppFile {
    name: String,
    #[serde(default = "one")]
    replicas: u32,
    command: Option<CommandFile>,
    image: Option<String>,
    #[serde(default = "default_cpus")]
    cpus: f64,
    #[serde(default = "default_memory")]
    mem: f64,
    #[serde(default)]
    disk: f64,
    user: Option<String>,
    #[serde(default)]
    env: BTreeMap<String, Text>,
    #[serde(default)]
    labels: BTreeMap<String, Text>,
    #[serde(default)]
    ports: Vec<String>,
    #[serde(default)]
    constraints: Vec<String>,
    health: Option<HealthFile>,
    #[serde(default)]
    backoff: BackoffFile,
    #[serde(default)]
    upgrade: UpgradeFile,
    kill_grace: Option<Span>,
    #[serde(default)]
    priority: i32,
}

#[derive(Debug, Deserialize)]
#[serde(
    untagged,
    expecting = "`command` must be a line for the shell or a list of arguments"
)]
enum CommandFile {
    Shell(String),
    Arguments(Vec<Text>),
}

/// A text, which YAML may have taken for a number or a truth value.
#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "a text, a number, true or false")]
enum Text {
    Plain(String),
    Whole(i64),
    Number(f64),
    Truth(bool),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct HealthFile {
    tcp: Option<TcpFile>,
    http: Option<HttpFile>,
    interval: Option<Span>,
    timeout: Option<Span>,
    grace: Option<Span>,
    failures: Option<u32>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct TcpFile {
    port: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct HttpFile {
    port: String,
    #[serde(default = "root")]
    path: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct BackoffFile {
    first: Option<Span>,
    factor: Option<f64>,
    longest: Option<Span>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct UpgradeFile {
    minimum_health: Option<f64>,
    over_capacity: Option<f64>,
}

fn one() -> u32 {
    1
}

/// A tenth of a CPU and 32 MB: a small server has room in them, and a laptop for many.
fn default_cpus() -> f64 {
    0.1
}

fn default_memory() -> f64 {
    32.0
}

fn root() -> String {
    "/".to_owned()
}

/// Reads and validates every app of a file.
///
/// # Errors
/// The first thing that is wrong, with the key or the line.
pub fn from_yaml(text: &str) -> Result<Vec<App>, Invalid> {
    let mut apps = Vec::new();
    for document in serde_yaml_ng::Deserializer::from_str(text) {
        let file = Option::<AppFile>::deserialize(document)
            .map_err(|error| Invalid::File(error.to_string()))?;
        // An empty document: a file that ends with `---`.
        let Some(file) = file else { continue };
        let app = file.into_app()?;
        app.validate()?;
        apps.push(app);
    }
    if apps.is_empty() {
        return Err(Invalid::File("there is no app in the file".to_owned()));
    }
    Ok(apps)
}

impl AppFile {
    fn into_app(self) -> Result<App, Invalid> {
        let wrong = |field: &str, problem: String| {
            let (app, field) = (self.name.clone(), field.to_owned());
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
        Ok(App {
            name: self
                .name
                .parse()
                .map_err(|problem| wrong("name", problem))?,
            cpus: quantity("cpus", self.cpus)?,
            memory: quantity("mem", self.mem)?,
            disk: quantity("disk", self.disk)?,
            constraints: self
                .constraints
                .iter()
                .map(constraint)
                .collect::<Result<_, _>>()?,
            health: self
                .health
                .map(|health| health.into_check(wrong))
                .transpose()?,
            replicas: self.replicas,
            // An image has one of its own; without an image, none is an error.
            command: self
                .command
                .map_or(Command::Arguments(Vec::new()), Into::into),
            image: self.image,
            user: self.user,
            environment: texts(self.env),
            labels: texts(self.labels),
            ports: self.ports,
            backoff: self.backoff.into(),
            upgrade: self.upgrade.into(),
            kill_grace: self
                .kill_grace
                .map_or(limits::KILL_GRACE, |Span(grace)| grace),
            priority: self.priority,
        })
    }
}

impl HealthFile {
    fn into_check(self, wrong: impl Fn(&str, String) -> Invalid) -> Result<HealthCheck, Invalid> {
        let (port, http_path) = match (self.tcp, self.http) {
            (Some(tcp), None) => (tcp.port, None),
            (None, Some(http)) => (http.port, Some(http.path)),
            _ => {
                return Err(wrong(
                    "health",
                    "must have either `http` or `tcp`".to_owned(),
                ));
            }
        };
        let or = |span: Option<Span>, default: Duration| span.map_or(default, |Span(span)| span);
        Ok(HealthCheck {
            port,
            http_path,
            interval: or(self.interval, limits::HEALTH_INTERVAL),
            timeout: or(self.timeout, limits::HEALTH_TIMEOUT),
            grace: or(self.grace, limits::HEALTH_GRACE),
            failures: self.failures.unwrap_or(limits::HEALTH_FAILURES),
        })
    }
}

fn texts(map: BTreeMap<String, Text>) -> BTreeMap<String, String> {
    map.into_iter()
        .map(|(key, text)| (key, text.into()))
        .collect()
}

impl From<Text> for String {
    fn from(text: Text) -> Self {
        match text {
            Text::Plain(text) => text,
            Text::Whole(number) => number.to_string(),
            Text::Number(number) => number.to_string(),
            Text::Truth(truth) => truth.to_string(),
        }
    }
}

impl From<CommandFile> for Command {
    fn from(command: CommandFile) -> Self {
        match command {
            CommandFile::Shell(line) => Self::Shell(line),
            CommandFile::Arguments(arguments) => {
                Self::Arguments(arguments.into_iter().map(Into::into).collect())
            }
        }
    }
}

impl From<BackoffFile> for Backoff {
    fn from(file: BackoffFile) -> Self {
        let default = Self::default();
        Self {
            first: file.first.map_or(default.first, |Span(first)| first),
            factor: file.factor.unwrap_or(default.factor),
            longest: file
                .longest
                .map_or(default.longest, |Span(longest)| longest),
        }
    }
}

impl From<UpgradeFile> for Upgrade {
    fn from(file: UpgradeFile) -> Self {
        let default = Self::default();
        Self {
            minimum_health: file.minimum_health.unwrap_or(default.minimum_health),
            over_capacity: file.over_capacity.unwrap_or(default.over_capacity),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FULL: &str = r#"
name: web
replicas: 3
command: 'exec "$TEPUI_EXECUTABLE" demo-web'
cpus: 0.2
mem: 64
env: {GREETING: hello, LEVEL: 3, DEBUG: true}
ports: [http, admin]
constraints: ["rack == r1", "!gpu"]
health: {http: {port: http, path: /ready}, interval: 5s, timeout: 500ms, grace: 1m30s, failures: 4}
backoff: {first: 2s, factor: 2, longest: 1m}
upgrade: {minimum_health: 0.5, over_capacity: 0}
kill_grace: 10
priority: -5
"#;

    fn error(text: &str) -> String {
        from_yaml(text).unwrap_err().to_string()
    }

    #[test]
    fn every_field_is_read() {
        let app = from_yaml(FULL).unwrap().remove(0);
        assert_eq!((app.name.as_str(), app.replicas), ("web", 3));
        assert_eq!(
            (app.cpus.to_string(), app.memory.to_string()),
            ("0.2".into(), "64".into())
        );
        assert_eq!(app.environment["LEVEL"], "3");
        assert_eq!(app.environment["DEBUG"], "true");
        assert_eq!(app.ports, ["http", "admin"]);
        assert_eq!(app.constraints[0].to_string(), "rack == r1");
        let health = app.health.unwrap();
        assert_eq!(
            (health.port.as_str(), health.http_path.as_deref()),
            ("http", Some("/ready"))
        );
        assert_eq!(health.grace, Duration::from_secs(90));
        assert_eq!(app.backoff.longest, Duration::from_secs(60));
        assert!(app.upgrade.over_capacity.abs() < f64::EPSILON);
        assert_eq!(app.kill_grace, Duration::from_secs(10));
        assert_eq!(app.priority, -5);
    }

    #[test]
    fn the_shortest_app_has_the_defaults() {
        let app = from_yaml("{name: a, command: [sleep, 60]}")
            .unwrap()
            .remove(0);
        assert_eq!(
            app.command,
            Command::Arguments(vec!["sleep".into(), "60".into()])
        );
        assert_eq!((app.replicas, app.cpus.to_string()), (1, "0.1".to_owned()));
        assert_eq!(app.backoff, Backoff::default());
        assert_eq!(app.health, None);
    }

    #[test]
    fn an_app_in_an_image_needs_no_command_of_its_own() {
        let app = |text: &str| from_yaml(text).map(|mut apps| apps.remove(0));
        let own = app("{name: a, image: 'busybox:1.36'}").unwrap();
        assert_eq!(own.image.as_deref(), Some("busybox:1.36"));
        assert!(own.command.is_none());
        let given = app("{name: a, image: busybox, command: [ls]}").unwrap();
        assert_eq!(given.command, Command::Arguments(vec!["ls".to_owned()]));
        assert!(app("{name: a, image: ''}").is_err());
        assert!(app("{name: a}").is_err());
    }

    #[test]
    fn one_file_may_hold_several_apps() {
        let text = "{name: a, command: x}\n---\n{name: b, command: y}\n---\n";
        let names: Vec<_> = from_yaml(text)
            .unwrap()
            .iter()
            .map(|app| app.name.to_string())
            .collect();
        assert_eq!(names, ["a", "b"]);
        assert!(error("").contains("no app"));
    }

    #[test]
    fn an_unknown_key_is_refused_by_its_name() {
        assert!(error("{name: a, command: x, replica: 3}").contains("unknown field `replica`"));
        let deep = "{name: a, command: x, ports: [p], health: {tcp: {port: p, host: q}}}";
        assert!(
            error(deep).contains("unknown field `host`"),
            "{}",
            error(deep)
        );
        assert!(error("{command: x}").contains("missing field `name`"));
    }

    #[test]
    fn a_wrong_value_is_refused_with_the_app_and_the_field() {
        let cases = [
            ("{name: A, command: x}", "`name` is \"A\""),
            ("{name: a, command: ''}", "`command` must not be empty"),
            ("{name: a, command: []}", "`command` must name a program"),
            ("{name: a, command: {}}", "`command` must be a line"),
            (
                "{name: a, command: x, cpus: 0}",
                "`cpus` must be more than 0",
            ),
            (
                "{name: a, command: x, cpus: 0.0001}",
                "`cpus` must be more than 0",
            ),
            ("{name: a, command: x, mem: .nan}", "`mem` is wrong"),
            (
                "{name: a, command: x, disk: -1}",
                "`disk` must not be negative",
            ),
            (
                "{name: a, command: x, replicas: 10001}",
                "`replicas` is 10001",
            ),
            (
                "{name: a, command: x, ports: [p, p]}",
                "`ports` has \"p\" twice",
            ),
            ("{name: a, command: x, ports: [P]}", "`ports` has \"P\""),
            (
                "{name: a, command: x, env: {'A=B': c}}",
                "`env` has \"A=B\"",
            ),
            (
                "{name: a, command: x, constraints: ['a b']}",
                "`constraints` has \"a b\"",
            ),
            (
                "{name: a, command: x, health: {}}",
                "`health` must have either",
            ),
            (
                "{name: a, command: x, health: {tcp: {port: p}}}",
                "`health.port` is \"p\"",
            ),
            (
                "{name: a, command: x, backoff: {factor: 0.5}}",
                "`backoff.factor` must be 1",
            ),
            (
                "{name: a, command: x, backoff: {longest: 10ms}}",
                "`backoff.longest`",
            ),
            (
                "{name: a, command: x, upgrade: {over_capacity: 0}}",
                "`upgrade` must leave room",
            ),
            ("{name: a, command: x, kill_grace: fast}", "as in 500ms"),
        ];
        for (text, expected) in cases {
            assert!(error(text).contains(expected), "{text}\n  {}", error(text));
        }
    }

    #[test]
    fn an_app_has_as_many_ports_as_the_limit_and_no_more() {
        let text = |count: usize| {
            let ports: Vec<_> = (0..count).map(|n| format!("p{n}")).collect();
            format!("{{name: a, command: x, ports: [{}]}}", ports.join(", "))
        };
        assert!(from_yaml(&text(limits::MAX_PORTS)).is_ok());
        assert!(error(&text(limits::MAX_PORTS + 1)).contains("`ports` has 65 names"));
    }
}
