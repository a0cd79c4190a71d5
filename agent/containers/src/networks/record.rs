//! What is written down about the networks of a container, before anything is done.

use std::{
    fs::{self, File},
    io::{self, Read as _},
    path::PathBuf,
};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{
    Attached, Attachment, NetworkError, Networks, PortMapping,
    config::kind,
    result::{Resolvers, addresses, resolvers},
};
use crate::{limits::MAX_NETWORK_RECORD_BYTES, records::Folder};

/// What is written down about the networks of a container.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct NetworkRecord {
    pub(super) hostname: Option<String>,
    pub(super) attachments: Vec<Attaching>,
}

/// One network, and how far the container's way into it has come.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Attaching {
    /// The network's name.
    pub(super) network: String,
    /// The device inside the container.
    pub(super) interface: String,
    version: String,
    disable_check: bool,
    /// What each plugin is told, in the order in which they add.
    pub(super) plugins: Vec<Map<String, Value>>,
    /// Whether a plugin may have done something.
    pub(super) begun: bool,
    /// What the last plugin answered.
    pub(super) result: Option<Value>,
}

impl NetworkRecord {
    pub(super) fn new(attachments: Vec<Attaching>, hostname: Option<&str>) -> Self {
        Self {
            hostname: hostname.map(str::to_owned),
            attachments,
        }
    }

    fn path(folder: &Folder) -> PathBuf {
        folder.path().join("network")
    }

    /// Writes it, whole or not at all.
    pub(super) fn write(&self, folder: &Folder) -> Result<(), NetworkError> {
        let path = Self::path(folder);
        let unfinished = folder.path().join("network.new");
        let written = serde_json::to_vec(self).map_err(io::Error::from);
        let written = written.and_then(|bytes| fs::write(&unfinished, bytes));
        written
            .and_then(|()| fs::rename(&unfinished, &path))
            .map_err(|source| NetworkError::Record { path, source })
    }

    /// Reads it. `None` when the container has no network of its own.
    pub(super) fn read(folder: &Folder) -> Result<Option<Self>, NetworkError> {
        let path = Self::path(folder);
        let read = || {
            let mut bytes = Vec::new();
            let file = File::open(&path)?;
            file.take(MAX_NETWORK_RECORD_BYTES)
                .read_to_end(&mut bytes)?;
            Ok(serde_json::from_slice(&bytes)?)
        };
        match read() {
            Ok(record) => Ok(Some(record)),
            Err(error) if io::Error::kind(&error) == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(NetworkError::Record { path, source }),
        }
    }

    /// What the container is attached to so far.
    pub(super) fn attached(&self) -> Vec<Attached> {
        let attached = |one: &Attaching| {
            Some(Attached {
                network: one.network.clone(),
                interface: one.interface.clone(),
                addresses: addresses(one.result.as_ref()?).ok()?,
            })
        };
        self.attachments.iter().filter_map(attached).collect()
    }

    /// Who resolves names: as the first network has it that says anything.
    pub(super) fn resolvers(&self) -> Resolvers {
        let results = self
            .attachments
            .iter()
            .filter_map(|one| one.result.as_ref());
        let mut said = results.map(resolvers);
        said.find(|found| !found.servers.is_empty())
            .unwrap_or_default()
    }
}

impl Attaching {
    pub(super) fn new(
        networks: &Networks,
        wanted: &Attachment,
        number: usize,
    ) -> Result<Self, NetworkError> {
        let config = networks.find(&wanted.network)?;
        let mut plugins = config.plugins;
        let mapped = plugins
            .iter_mut()
            .map(|plugin| give(plugin, &wanted.ports))
            .fold(false, |mapped, does| mapped | does);
        if !mapped && !wanted.ports.is_empty() {
            return Err(NetworkError::NoPortMappings(wanted.network.clone()));
        }
        Ok(Self {
            network: wanted.network.clone(),
            interface: format!("eth{number}"),
            version: config.version,
            disable_check: config.disable_check,
            plugins,
            begun: false,
            result: None,
        })
    }

    /// Whether its plugins can be asked how it is. They cannot in versions before 0.4.0.
    pub(super) fn checkable(&self) -> bool {
        !self.disable_check && !self.version.starts_with("0.3")
    }

    /// What a plugin reads.
    pub(super) fn input(&self, plugin: &Map<String, Value>, previous: Option<&Value>) -> Value {
        let mut input = plugin.clone();
        if let Some(previous) = previous {
            input.insert("prevResult".to_owned(), previous.clone());
        }
        Value::Object(input)
    }

    /// Reads the answer to ADD.
    pub(super) fn read_answer(
        &self,
        plugin: &Map<String, Value>,
        output: &[u8],
    ) -> Result<Value, NetworkError> {
        let wrong = |problem: String| NetworkError::Answer {
            network: self.network.clone(),
            plugin: kind(plugin).unwrap_or_default().to_owned(),
            problem,
        };
        let result: Value =
            serde_json::from_slice(output).map_err(|error| wrong(error.to_string()))?;
        addresses(&result).map_err(wrong)?;
        Ok(result)
    }
}

/// Tells a plugin of the ports, if it is one that maps ports, and says whether it is. What it can
/// do is no business of its own.
fn give(plugin: &mut Map<String, Value>, ports: &[PortMapping]) -> bool {
    let capabilities = plugin.remove("capabilities");
    let maps = |all: &Value| all.get("portMappings") == Some(&Value::Bool(true));
    let maps = capabilities.as_ref().is_some_and(maps);
    if maps && !ports.is_empty() {
        let mappings: Vec<_> = ports.iter().map(mapping).collect();
        plugin.insert(
            "runtimeConfig".to_owned(),
            json!({"portMappings": mappings}),
        );
    }
    maps
}

fn mapping(port: &PortMapping) -> Value {
    json!({
        "hostPort": port.host_port,
        "containerPort": port.container_port,
        "protocol": port.protocol,
    })
}
