//! What an image says about how it is run.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Digest, Error, limits::MAX_LAYERS};

/// What an image says about how it is run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunConfig {
    /// What runs, before the arguments.
    pub entrypoint: Vec<String>,
    /// The arguments when the task gives none, or else what runs.
    pub command: Vec<String>,
    /// Variables, by name.
    pub environment: Vec<(String, String)>,
    /// Where it starts.
    pub working_dir: Option<String>,
    /// Who runs it: a name or number of the image's own, and a group after a colon.
    pub user: Option<String>,
    /// Folders that it writes to.
    pub volumes: Vec<String>,
    /// The signal that asks it to end, by name or number.
    pub stop_signal: Option<String>,
    /// The ports that it listens on, as in `80/tcp`.
    pub exposed_ports: Vec<String>,
}

/// An image's configuration, as far as it is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Config {
    pub(crate) run: RunConfig,
    /// The layers by their content when unpacked, the lowest first.
    pub(crate) diff_ids: Vec<Digest>,
    pub(crate) os: String,
    pub(crate) architecture: String,
}

/// Absent and `null` are the same.
type Maybe<T> = Option<T>;

#[derive(Deserialize)]
struct Document {
    #[serde(default)]
    architecture: Maybe<String>,
    #[serde(default)]
    os: Maybe<String>,
    #[serde(default)]
    config: Maybe<Run>,
    rootfs: Root,
}

#[derive(Deserialize)]
struct Root {
    #[serde(default)]
    diff_ids: Maybe<Vec<Digest>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Run {
    #[serde(default)]
    user: Maybe<String>,
    #[serde(default)]
    exposed_ports: Maybe<BTreeMap<String, serde::de::IgnoredAny>>,
    #[serde(default)]
    env: Maybe<Vec<String>>,
    #[serde(default)]
    entrypoint: Maybe<Vec<String>>,
    #[serde(default)]
    cmd: Maybe<Vec<String>>,
    #[serde(default)]
    volumes: Maybe<BTreeMap<String, serde::de::IgnoredAny>>,
    #[serde(default)]
    working_dir: Maybe<String>,
    #[serde(default)]
    stop_signal: Maybe<String>,
}

impl Config {
    /// Reads a configuration, of OCI or docker.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, Error> {
        let document: Document = serde_json::from_slice(bytes)
            .map_err(|error| Error::Broken(format!("its configuration cannot be read: {error}")))?;
        let diff_ids = document.rootfs.diff_ids.unwrap_or_default();
        if diff_ids.is_empty() || diff_ids.len() > MAX_LAYERS {
            let count = diff_ids.len();
            let text = format!("it has {count} layers, and 1 to {MAX_LAYERS} can be used");
            return Err(Error::Unsupported(text));
        }
        Ok(Self {
            run: document.config.unwrap_or_default().read()?,
            diff_ids,
            os: document.os.unwrap_or_default(),
            architecture: document.architecture.unwrap_or_default(),
        })
    }
}

impl Run {
    fn read(self) -> Result<RunConfig, Error> {
        let keys = |map: Maybe<BTreeMap<String, _>>| map.unwrap_or_default().into_keys().collect();
        let filled = |text: Maybe<String>| text.filter(|text| !text.is_empty());
        let run = RunConfig {
            entrypoint: self.entrypoint.unwrap_or_default(),
            command: self.cmd.unwrap_or_default(),
            environment: self
                .env
                .unwrap_or_default()
                .iter()
                .map(|it| variable(it))
                .collect(),
            working_dir: filled(self.working_dir),
            user: filled(self.user),
            volumes: keys(self.volumes),
            stop_signal: filled(self.stop_signal),
            exposed_ports: keys(self.exposed_ports),
        };
        if run.texts().any(|text| text.contains('\0')) {
            return Err(Error::Broken(
                "its configuration contains a NUL character".to_owned(),
            ));
        }
        if run.environment.iter().any(|(name, _)| name.is_empty()) {
            return Err(Error::Broken("one of its variables has no name".to_owned()));
        }
        Ok(run)
    }
}

impl RunConfig {
    fn texts(&self) -> impl Iterator<Item = &String> {
        let lists = [
            &self.entrypoint,
            &self.command,
            &self.volumes,
            &self.exposed_ports,
        ];
        let pairs = self
            .environment
            .iter()
            .flat_map(|(name, value)| [name, value]);
        let single = [&self.working_dir, &self.user, &self.stop_signal];
        lists
            .into_iter()
            .flatten()
            .chain(pairs)
            .chain(single.into_iter().flatten())
    }
}

/// A name without a value has an empty one.
fn variable(text: &str) -> (String, String) {
    let (name, value) = text.split_once('=').unwrap_or((text, ""));
    (name.to_owned(), value.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(config: &str) -> Result<Config, Error> {
        let id = Digest::of(b"");
        Config::read(
            format!(
                r#"{{"os":"linux","config":{config},"rootfs":{{"type":"layers","diff_ids":["{id}"]}}}}"#
            )
            .as_bytes(),
        )
    }

    #[test]
    fn everything_that_says_how_it_is_run_is_read() {
        let config = r#"{"User":"1:2","ExposedPorts":{"80/tcp":{}},"Env":["A=b=c","D"],
            "Entrypoint":["/e"],"Cmd":["x"],"Volumes":{"/v":{}},"WorkingDir":"/w",
            "StopSignal":"SIGQUIT","Healthcheck":{"Test":["NONE"]}}"#;
        let run = read(config).unwrap().run;
        assert_eq!(run.user.as_deref(), Some("1:2"));
        assert_eq!(
            run.environment,
            [("A".into(), "b=c".into()), ("D".into(), String::new())]
        );
        assert_eq!(
            (run.entrypoint, run.command),
            (vec!["/e".to_owned()], vec!["x".to_owned()])
        );
        assert_eq!(
            (run.volumes, run.exposed_ports),
            (vec!["/v".into()], vec!["80/tcp".into()])
        );
        assert_eq!(run.working_dir.as_deref(), Some("/w"));
        assert_eq!(run.stop_signal.as_deref(), Some("SIGQUIT"));
    }

    #[test]
    fn null_and_absent_are_nothing_and_no_layers_are_refused() {
        let run = read(r#"{"User":"","Env":null,"Cmd":null,"WorkingDir":""}"#)
            .unwrap()
            .run;
        assert_eq!(run, RunConfig::default());
        assert_eq!(read("null").unwrap().run, RunConfig::default());
        assert!(Config::read(br#"{"rootfs":{"diff_ids":[]}}"#).is_err());
        assert!(read(r#"{"Env":["=x"]}"#).is_err());
        assert!(read(r#"{"Cmd":["a\u0000b"]}"#).is_err());
    }
}
