//! What can be set about images.

use std::{fmt, path::PathBuf, str::FromStr, time::Duration};

use hyper::Uri;

use crate::{Credentials, reference::is_host};

/// How much the store may hold by default, in bytes.
pub const DEFAULT_SIZE_LIMIT: u64 = 20 << 30;
/// How long a pull may take by default.
pub const DEFAULT_PULL_TIMEOUT: Duration = Duration::from_secs(1800);
/// How long a download may be too slow by default (Mesos: IMG-04).
pub const DEFAULT_STALL_TIMEOUT: Duration = Duration::from_secs(60);

/// What docker's own registry is called, and where it is.
const DOCKER_NAMES: [&str; 3] = ["docker.io", "index.docker.io", "registry-1.docker.io"];
const DOCKER_HOST: &str = "registry-1.docker.io";

/// What can be set about images.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where images are kept: one agent's own.
    pub folder: PathBuf,
    /// How much that may be, in bytes when unpacked.
    pub size_limit: u64,
    /// Where images are looked for that name no registry.
    pub home: Home,
    /// Registries that are asked before that one.
    pub mirrors: Vec<Endpoint>,
    /// Who the agent is to registries.
    pub credentials: Credentials,
    /// How long one pull may take.
    pub pull_timeout: Duration,
    /// How long a download may be too slow before it is given up.
    pub stall_timeout: Duration,
    /// The program that unpacks layers, in a process of its own that can touch nothing else; its
    /// `main` calls [`unpack_main`](crate::unpack_main) first. Without it, they are unpacked here.
    pub unpacker: Option<PathBuf>,
    /// Certificates that are trusted besides those of this machine: a file in PEM.
    pub trusted: Option<PathBuf>,
}

impl Options {
    /// Images in `folder`, from docker's registry.
    #[must_use]
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
            size_limit: DEFAULT_SIZE_LIMIT,
            home: Home::default(),
            mirrors: Vec::new(),
            credentials: Credentials::default(),
            pull_timeout: DEFAULT_PULL_TIMEOUT,
            stall_timeout: DEFAULT_STALL_TIMEOUT,
            unpacker: None,
            trusted: None,
        }
    }
}

/// Where images are looked for that name no registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Home {
    /// A registry.
    Registry(Endpoint),
    /// A folder with archives of `docker save`, as in `a/b:1.tar`, and OCI layouts, as in `a/b`.
    Folder(PathBuf),
}

impl Default for Home {
    fn default() -> Self {
        Self::Registry(Endpoint {
            plain: false,
            host: DOCKER_HOST.to_owned(),
        })
    }
}

impl FromStr for Home {
    type Err = InvalidEndpoint;

    fn from_str(text: &str) -> Result<Self, InvalidEndpoint> {
        if text.starts_with('/') {
            return Ok(Self::Folder(text.into()));
        }
        text.parse().map(Self::Registry)
    }
}

impl fmt::Display for Home {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Registry(endpoint) => endpoint.fmt(formatter),
            Self::Folder(folder) => folder.display().fmt(formatter),
        }
    }
}

/// A registry: a host with a port, and whether it is spoken to in plain HTTP.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Endpoint {
    plain: bool,
    host: String,
}

/// A text that names no registry.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no registry: write HOST, HOST:PORT, https://HOST or http://HOST")]
pub struct InvalidEndpoint(String);

impl FromStr for Endpoint {
    type Err = InvalidEndpoint;

    /// Without a scheme it is HTTPS, but for this machine's own addresses.
    fn from_str(text: &str) -> Result<Self, InvalidEndpoint> {
        let (plain, host) = match text.split_once("://") {
            Some(("https", host)) => (Some(false), host),
            Some(("http", host)) => (Some(true), host),
            Some(_) => return Err(InvalidEndpoint(text.to_owned())),
            None => (None, text),
        };
        let host = host.strip_suffix('/').unwrap_or(host);
        if !is_host(host) {
            return Err(InvalidEndpoint(text.to_owned()));
        }
        let host = if DOCKER_NAMES.contains(&host) {
            DOCKER_HOST
        } else {
            host
        };
        Ok(Self {
            plain: plain.unwrap_or_else(|| is_own_machine(host)),
            host: host.to_owned(),
        })
    }
}

impl Endpoint {
    /// The host, with its port if it has one.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    /// Whether it is this machine's own.
    pub(crate) fn is_near(&self) -> bool {
        is_own_machine(&self.host)
    }

    /// What a repository is called there.
    pub(crate) fn repository(&self, name: &str) -> String {
        if self.host == DOCKER_HOST && !name.contains('/') {
            return format!("library/{name}");
        }
        name.to_owned()
    }

    pub(crate) fn uri(&self, path: &str) -> Result<Uri, InvalidEndpoint> {
        format!("{self}{path}")
            .parse()
            .map_err(|_| InvalidEndpoint(self.host.clone()))
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.plain { "http" } else { "https" };
        write!(formatter, "{scheme}://{}", self.host)
    }
}

pub(crate) fn is_own_machine(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if !port.contains(']') => name,
        _ => host,
    };
    let address = name.trim_start_matches('[').trim_end_matches(']');
    let loopback = |address: std::net::IpAddr| address.is_loopback();
    name == "localhost" || address.parse().is_ok_and(loopback)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registries_are_spoken_to_in_https_but_for_this_machines_own() {
        let shown = |text: &str| text.parse::<Endpoint>().unwrap().to_string();
        assert_eq!(shown("quay.io"), "https://quay.io");
        assert_eq!(shown("localhost:5000"), "http://localhost:5000");
        assert_eq!(shown("127.0.0.1:5000/"), "http://127.0.0.1:5000");
        assert_eq!(shown("[::1]:5000"), "http://[::1]:5000");
        assert_eq!(shown("https://localhost"), "https://localhost");
        assert_eq!(shown("http://10.0.0.1"), "http://10.0.0.1");
        assert_eq!(shown("docker.io"), "https://registry-1.docker.io");
        for text in [
            "",
            "ftp://a",
            "a/b",
            "http://a/b",
            "a:0",
            "localhost.evil:x",
            "http://u@a",
        ] {
            assert!(text.parse::<Endpoint>().is_err(), "{text}");
        }
        assert!(!"127.0.0.1.evil.com".parse::<Endpoint>().unwrap().is_near());
    }

    #[test]
    fn images_without_a_registry_come_from_one_or_from_a_folder() {
        let folder = "/srv/images".parse::<Home>().unwrap();
        assert_eq!(folder, Home::Folder("/srv/images".into()));
        let Home::Registry(docker) = Home::default() else {
            panic!("a registry");
        };
        assert_eq!(docker.repository("busybox"), "library/busybox");
        assert_eq!(docker.repository("a/b"), "a/b");
    }
}
