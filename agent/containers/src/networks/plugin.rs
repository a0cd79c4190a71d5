//! Running a plugin: a program that is told by its environment and its input what to do, and
//! answers on its output. It is trusted to be the operator's, but not to be right, quick or quiet.

use std::{
    fs::{OpenOptions, TryLockError},
    io::{self, Seek as _, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    process::Stdio,
};

use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _},
    process::{Child, Command as Process},
    time::{sleep, timeout},
};

use super::{NetworkError, Networks, config::kind, namespace, record::Attaching};
use crate::{
    limits::{MAX_PLUGIN_OUTPUT_BYTES, MAX_PLUGIN_WORDS, PLUGIN_LOCK_PAUSE, PLUGIN_REAP_TIMEOUT},
    records::Folder,
};

/// Where plugins look for the programs that they use, when the agent does not know better.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The error code of a plugin that does not speak the version of the configuration.
const INCOMPATIBLE_VERSION: u64 = 1;

/// What a plugin is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Command {
    Add,
    Delete,
    Check,
    /// Say which versions it speaks.
    Version,
}

impl Command {
    const fn name(self) -> &'static str {
        match self {
            Self::Add => "ADD",
            Self::Delete => "DEL",
            Self::Check => "CHECK",
            Self::Version => "VERSION",
        }
    }

    /// As in "failed to ...".
    const fn verb(self) -> &'static str {
        match self {
            Self::Add => "attach the container",
            Self::Delete => "detach the container",
            Self::Check => "find the container attached",
            Self::Version => "tell its versions",
        }
    }
}

/// The plugins, as they are run for one container.
pub(super) struct Plugins<'a> {
    networks: &'a Networks,
    folder: &'a Folder,
    container: String,
    namespace: PathBuf,
}

/// What a plugin said and how it ended.
struct Ended {
    success: bool,
    output: Vec<u8>,
    words: Vec<u8>,
}

/// How a plugin says that it failed.
#[derive(Default, Deserialize)]
struct Failure {
    #[serde(default)]
    code: u64,
    #[serde(default)]
    msg: String,
    #[serde(default)]
    details: String,
}

impl<'a> Plugins<'a> {
    pub(super) fn new(networks: &'a Networks, folder: &'a Folder) -> Self {
        let container = folder.path().file_name().unwrap_or_default();
        Self {
            networks,
            folder,
            container: container.to_string_lossy().into_owned(),
            namespace: namespace(folder),
        }
    }

    /// Runs one plugin, and gives what it answers when it succeeds.
    pub(super) async fn call(
        &self,
        command: Command,
        attaching: &Attaching,
        input: &Value,
    ) -> Result<Vec<u8>, NetworkError> {
        let network = &attaching.network;
        let empty = serde_json::Map::new();
        let plugin = kind(input.as_object().unwrap_or(&empty)).unwrap_or_default();
        let ended = self.run(command, attaching, plugin, input).await?;
        if ended.success {
            return Ok(ended.output);
        }
        let failure: Failure = serde_json::from_slice(&ended.output).unwrap_or_default();
        let mut message = told(&failure, &ended);
        if failure.code == INCOMPATIBLE_VERSION && command != Command::Version {
            message += &self.versions(attaching, plugin).await;
        }
        Err(NetworkError::Failed {
            network: network.clone(),
            plugin: plugin.to_owned(),
            verb: command.verb(),
            message,
        })
    }

    /// Which versions a plugin speaks, for people.
    async fn versions(&self, attaching: &Attaching, plugin: &str) -> String {
        #[derive(Deserialize)]
        struct Versions {
            #[serde(rename = "supportedVersions")]
            supported: Vec<String>,
        }
        let input = json!({"cniVersion": "1.0.0", "type": plugin});
        let answer = self.run(Command::Version, attaching, plugin, &input).await;
        let versions = answer.ok().and_then(|ended| {
            let versions: Versions = serde_json::from_slice(&ended.output).ok()?;
            Some(versions.supported.join(", "))
        });
        versions.map_or_else(String::new, |known| {
            format!(
                " (this plugin speaks {known}: set the cniVersion of the network to one of them)"
            )
        })
    }

    async fn run(
        &self,
        command: Command,
        attaching: &Attaching,
        plugin: &str,
        input: &Value,
    ) -> Result<Ended, NetworkError> {
        let network = attaching.network.clone();
        let program = self.program(&network, plugin)?;
        let failed = |source| NetworkError::Run {
            network: attaching.network.clone(),
            plugin: program.clone(),
            source,
        };
        let limit = self.networks.plugin_timeout;
        let input = match timeout(limit, self.input(input)).await {
            Ok(input) => input.map_err(failed)?,
            Err(_) => return Err(NetworkError::Busy { network, limit }),
        };
        let mut process = self.process(command, &program, &attaching.interface);
        process.stdin(input);
        let mut child = Group::spawn(process).map_err(failed)?;
        let plugin = plugin.to_owned();
        let outcome = match timeout(limit, child.talk()).await {
            Ok(Ok(Some(ended))) => return Ok(ended),
            Ok(Ok(None)) => NetworkError::TooLong { network, plugin },
            Ok(Err(source)) => failed(source),
            Err(_) => NetworkError::TimedOut {
                network,
                plugin,
                verb: command.verb(),
                limit,
            },
        };
        child.end().await;
        Err(outcome)
    }

    /// The file that a plugin reads, once no other has it open any more.
    ///
    /// A plugin outlives an agent that is killed under it. The lock on the file is its as long as
    /// it runs, so that the next agent does not delete what is still being added.
    async fn input(&self, input: &Value) -> io::Result<Stdio> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let mut file = options
            .mode(0o600)
            .open(self.folder.path().join("network.input"))?;
        loop {
            match file.try_lock() {
                Ok(()) => break,
                // Locks of files are no events that could be waited for here.
                Err(TryLockError::WouldBlock) => sleep(PLUGIN_LOCK_PAUSE).await,
                Err(TryLockError::Error(error)) => return Err(error),
            }
        }
        file.set_len(0)?;
        file.write_all(input.to_string().as_bytes())?;
        file.rewind()?;
        Ok(Stdio::from(file))
    }

    fn process(&self, command: Command, program: &Path, interface: &str) -> Process {
        let mut process = Process::new(program);
        process
            .env_clear()
            .env(
                "PATH",
                std::env::var_os("PATH").unwrap_or_else(|| PATH.into()),
            )
            .env("CNI_COMMAND", command.name())
            .env("CNI_PATH", joined(&self.networks.plugin_dirs, ":"));
        if command != Command::Version {
            process
                .env("CNI_CONTAINERID", &self.container)
                .env("CNI_IFNAME", interface);
            // After a restart of the machine there is nothing to detach but what is kept elsewhere.
            let there = tepui_sys::is_network(&self.namespace);
            if there || command != Command::Delete {
                process.env("CNI_NETNS", &self.namespace);
            }
        }
        process
    }

    fn program(&self, network: &str, plugin: &str) -> Result<PathBuf, NetworkError> {
        let folders = &self.networks.plugin_dirs;
        let mut paths = folders.iter().map(|folder| folder.join(plugin));
        let found = paths.find(|path| path.is_file());
        found.ok_or_else(|| NetworkError::NoPlugin {
            network: network.to_owned(),
            plugin: plugin.to_owned(),
            folders: if folders.is_empty() {
                "any folder, for none is named".to_owned()
            } else {
                joined(folders, ", ")
            },
        })
    }
}

fn joined(folders: &[PathBuf], separator: &str) -> String {
    let folders: Vec<_> = folders
        .iter()
        .map(|folder| folder.to_string_lossy())
        .collect();
    folders.join(separator)
}

/// What a plugin that failed said: in its answer, or beside it.
fn told(failure: &Failure, ended: &Ended) -> String {
    let said = match (failure.msg.as_str(), failure.details.as_str()) {
        ("", "") => String::from_utf8_lossy(&ended.words).into_owned(),
        (message, "") | ("", message) => message.to_owned(),
        (message, details) => format!("{message}: {details}"),
    };
    let said = said.trim();
    let end = said.floor_char_boundary(MAX_PLUGIN_WORDS);
    if said.is_empty() {
        "it does not say why".to_owned()
    } else {
        said[..end].to_owned()
    }
}

/// A plugin that runs, with all that it has started. All of it is killed when this is dropped, for
/// nothing of a plugin may go on alone.
struct Group {
    child: Child,
    /// Until its end was seen: then its number may mean somebody else.
    leader: Option<Pid>,
}

impl Group {
    fn spawn(mut process: Process) -> io::Result<Self> {
        let child = process
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .current_dir("/")
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        let number = child.id().and_then(|number| i32::try_from(number).ok());
        let leader = number.map(Pid::from_raw);
        Ok(Self { child, leader })
    }

    /// Hears it out, and waits for its end. `None` when it says too much.
    async fn talk(&mut self) -> io::Result<Option<Ended>> {
        let (stdout, stderr) = (self.child.stdout.take(), self.child.stderr.take());
        let heard = tokio::try_join!(hear(stdout), hear(stderr));
        let (output, words) = match heard {
            Ok(heard) => heard,
            Err(error) if error.kind() == io::ErrorKind::FileTooLarge => return Ok(None),
            Err(error) => return Err(error),
        };
        let status = self.child.wait().await?;
        self.leader = None;
        Ok(Some(Ended {
            success: status.success(),
            output,
            words,
        }))
    }

    /// Kills it with all that it has started, and waits for its end.
    async fn end(mut self) {
        self.kill();
        // One that hangs in the kernel is reaped when it comes out.
        if timeout(PLUGIN_REAP_TIMEOUT, self.child.wait())
            .await
            .is_ok()
        {
            self.leader = None;
        }
    }

    fn kill(&self) {
        if let Some(leader) = self.leader {
            let _ = killpg(leader, Signal::SIGKILL);
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Reads to the end, or fails as soon as it is too much.
async fn hear(pipe: Option<impl AsyncRead + Unpin>) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if let Some(pipe) = pipe {
        let mut limited = pipe.take(MAX_PLUGIN_OUTPUT_BYTES as u64 + 1);
        limited.read_to_end(&mut bytes).await?;
    }
    if bytes.len() > MAX_PLUGIN_OUTPUT_BYTES {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    Ok(bytes)
}
