//! What a cluster on one machine consists of: which processes, with which flags, in which folders.

use std::{
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    time::Duration,
};

use crate::{client, failure::Failure};

/// How long agents may take to register before something is wrong.
const REGISTRATION_LIMIT: Duration = Duration::from_secs(30);
const REGISTRATION_POLL: Duration = Duration::from_millis(20);
/// The share of the machine's memory that the agents offer, in percent; the rest is for the cluster
/// itself and whatever else runs here.
const MEMORY_PERCENT: u64 = 60;
/// The disk that each agent offers, in MB: nothing is set aside for it.
const DISK_MEGABYTES: u64 = 4096;
/// The agents share one network, so each has its own ports to offer.
const FIRST_TASK_PORT: u16 = 31000;
const TASK_PORTS_PER_AGENT: u16 = 100;

/// The folder of a cluster.
pub(super) struct Folder {
    path: PathBuf,
    is_ours: bool,
}

impl Folder {
    /// Uses the given folder, or makes one that goes at the end.
    pub(super) fn prepare(given: Option<&Path>) -> Result<Self, Failure> {
        let folder = match given {
            Some(path) => Self {
                path: std::path::absolute(path)?,
                is_ours: false,
            },
            None => {
                let name = format!("tepui-dev-{}", std::process::id());
                Self {
                    path: std::env::temp_dir().join(name),
                    is_ours: true,
                }
            }
        };
        std::fs::create_dir_all(folder.logs()).map_err(|cause| {
            Failure::Failed(format!(
                "the folder {} cannot be made: {cause}",
                folder.path.display()
            ))
        })?;
        Ok(folder)
    }

    /// Where each part's log is.
    pub(super) fn logs(&self) -> PathBuf {
        self.path.join("logs")
    }

    fn of(&self, part: &str) -> String {
        self.path.join(part).display().to_string()
    }

    /// Removes the folder if nobody asked for it.
    pub(super) fn remove_if_ours(&self) {
        if self.is_ours
            && let Err(cause) = std::fs::remove_dir_all(&self.path)
        {
            eprintln!(
                "tepui: {} could not be removed: {cause}",
                self.path.display()
            );
        }
    }
}

/// One process of the cluster.
pub(super) struct Part {
    pub(super) name: String,
    pub(super) arguments: Vec<String>,
    /// Where it answers once it is ready.
    pub(super) address: SocketAddr,
    /// Agents take their tasks with them when they are told to leave for good.
    pub(super) is_agent: bool,
}

/// Every process of the cluster.
pub(super) struct Plan {
    pub(super) master: Part,
    pub(super) agents: Vec<Part>,
    pub(super) frameworks: Vec<Part>,
}

impl Plan {
    /// What the user wants to know once it runs.
    pub(super) fn summary(&self, folder: &Folder) -> String {
        let agents: Vec<String> = self
            .agents
            .iter()
            .map(|it| it.address.to_string())
            .collect();
        let address = self.master.address;
        let port = if address.port() == 5050 {
            String::new()
        } else {
            format!(" --master {address}")
        };
        format!(
            "the cluster runs: master {address}, agents {}\n\
             logs and state are in {}\n\
             try: tepui run{port} -- echo hello    tepui agents{port}    tepui offers --watch{port}\n\
             Ctrl-C ends all",
            agents.join(" "),
            folder.path.display(),
        )
    }
}

/// Decides on addresses, folders and resources.
pub(super) fn plan(
    listen: SocketAddr,
    agents: u16,
    isolation: Option<&str>,
    folder: &Folder,
) -> Result<Plan, Failure> {
    let mut ports = FreePorts {
        next: listen.port(),
        listen,
    };
    let master = Part {
        name: "master".to_owned(),
        arguments: words([
            "master",
            "--listen",
            &listen.to_string(),
            "--work-dir",
            &folder.of("master"),
        ]),
        address: listen,
        is_agent: false,
    };
    let share = Share::of_machine(agents)?;
    let agents = (0..agents).map(|at| agent(at, listen, ports.take()?, &share, isolation, folder));
    let agents = agents.collect::<Result<Vec<_>, Failure>>()?;
    let framework = |name: &str, address: SocketAddr| {
        let (master, own) = (listen.to_string(), address.to_string());
        let flags = [
            name,
            "serve",
            "--master",
            &master,
            "--listen",
            &own,
            "--work-dir",
            &folder.of(name),
        ];
        Part {
            name: name.to_owned(),
            arguments: words(flags),
            address,
            is_agent: false,
        }
    };
    let frameworks = vec![
        framework("service", ports.take()?),
        framework("batch", ports.take()?),
    ];
    Ok(Plan {
        master,
        agents,
        frameworks,
    })
}

fn agent(
    at: u16,
    master: SocketAddr,
    address: SocketAddr,
    share: &Share,
    isolation: Option<&str>,
    folder: &Folder,
) -> Result<Part, Failure> {
    let name = format!("agent-{}", at + 1);
    let first = FIRST_TASK_PORT + at * TASK_PORTS_PER_AGENT;
    let ports = format!("[{first}-{}]", first + TASK_PORTS_PER_AGENT - 1);
    let resources = format!(
        "cpus:{};mem:{};disk:{DISK_MEGABYTES};ports:{ports}",
        share.cpus, share.megabytes
    );
    let mut arguments = words([
        "agent",
        "--master",
        &master.to_string(),
        "--listen",
        &address.to_string(),
        "--work-dir",
        &folder.of(&name),
        "--runtime-dir",
        &folder.of(&format!("{name}/run")),
        "--resources",
        &resources,
        "--attributes",
        &format!("rack:r{}", at + 1),
    ]);
    arguments.extend(isolation.map(|names| format!("--isolation={names}")));
    Ok(Part {
        name,
        arguments,
        address,
        is_agent: true,
    })
}

fn words<const N: usize>(words: [&str; N]) -> Vec<String> {
    words.map(str::to_owned).to_vec()
}

/// What one agent offers of this machine.
struct Share {
    cpus: u64,
    megabytes: u64,
}

impl Share {
    fn of_machine(agents: u16) -> Result<Self, Failure> {
        let agents = u64::from(agents);
        let cores = std::thread::available_parallelism()?.get() as u64;
        let memory = nix::sys::sysinfo::sysinfo()
            .map_err(Failure::failed)?
            .ram_total()
            / (1024 * 1024);
        // A small machine still gets agents that can run something: cpus are shares, not pins.
        let cpus = (cores / agents).max(2);
        Ok(Self {
            cpus,
            megabytes: (memory * MEMORY_PERCENT / 100 / agents).max(256),
        })
    }
}

/// Hands out the next ports that nobody listens on.
struct FreePorts {
    next: u16,
    listen: SocketAddr,
}

impl FreePorts {
    fn take(&mut self) -> Result<SocketAddr, Failure> {
        while let Some(port) = self.next.checked_add(1) {
            self.next = port;
            let address = SocketAddr::new(self.listen.ip(), port);
            if TcpListener::bind(address).is_ok() {
                return Ok(address);
            }
        }
        Err(Failure::Failed(format!(
            "no free port is left above {}",
            self.listen.port()
        )))
    }
}

/// Waits until the master has every agent.
pub(super) async fn await_registered(master: SocketAddr, agents: usize) -> Result<(), Failure> {
    let operator = client::connect(&master.to_string()).await?;
    let registered = async {
        loop {
            let found = operator.agents().await?.agents;
            if found.iter().filter(|it| it.active).count() >= agents {
                return Ok(());
            }
            tokio::time::sleep(REGISTRATION_POLL).await;
        }
    };
    tokio::time::timeout(REGISTRATION_LIMIT, registered)
        .await
        .unwrap_or_else(|_| {
            let seconds = REGISTRATION_LIMIT.as_secs();
            Err(Failure::Failed(format!(
                "not every agent has registered after {seconds} s"
            )))
        })
}
