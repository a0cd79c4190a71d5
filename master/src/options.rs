//! What can be set on a master: one struct for flags, environment, configuration file and manual.

mod parsed;
mod settings;

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use clap::ArgAction;
use tepui_allocator::Minimum;
use tepui_edge::span;
use tepui_model::FaultDomain;

use crate::{Error, limits};

pub use parsed::{ByteSize, PlacementKind, Roles, SorterKind, StoreKind, Weights};

/// What can be set on a master.
///
/// Each field is a flag, `TEPUI_<NAME>` in the environment and a key of the configuration file; its
/// comment is the manual.
#[derive(Clone, Debug, PartialEq, clap::Args)]
pub struct Options {
    /// Address and port for agents, frameworks and operators; port 0 takes any free one
    #[arg(
        long,
        env = "TEPUI_LISTEN",
        value_name = "ADDRESS:PORT",
        default_value = "127.0.0.1:5050"
    )]
    pub listen: SocketAddr,

    /// Name by which others reach this master [default: the address it listens on]
    #[arg(long, env = "TEPUI_HOSTNAME", value_name = "NAME")]
    pub hostname: Option<String>,

    /// Folder for what must survive a restart; one master at a time
    #[arg(
        long,
        env = "TEPUI_WORK_DIR",
        value_name = "DIR",
        default_value = "/var/lib/tepui/master"
    )]
    pub work_dir: PathBuf,

    /// Where the registry is kept: `rocksdb`, in the work dir
    #[arg(
        long,
        env = "TEPUI_STORE",
        value_name = "STORE",
        default_value = "rocksdb"
    )]
    pub store: StoreKind,

    /// How long a framework may sit on an offer before it is taken back; 0s for ever
    #[arg(long, env = "TEPUI_OFFER_TIMEOUT", value_name = "DURATION", default_value = "30s", value_parser = span::parse)]
    pub offer_timeout: Duration,

    /// How long changes are gathered before resources are offered
    #[arg(long, env = "TEPUI_ALLOCATION_WINDOW", value_name = "DURATION", default_value = "5ms", value_parser = span::parse)]
    pub allocation_window: Duration,

    /// How long what a gang collects is set aside for it before others have their turn
    #[arg(long, env = "TEPUI_GANG_HOLD_TIMEOUT", value_name = "DURATION", default_value = "60s", value_parser = span::parse)]
    pub gang_hold_timeout: Duration,

    /// The least that is worth an offer: `;` for and, `|` for or
    #[arg(
        long,
        env = "TEPUI_MIN_ALLOCATABLE_RESOURCES",
        value_name = "QUANTITIES",
        default_value = "cpus:0.01|mem:32"
    )]
    pub min_allocatable_resources: Minimum,

    /// What matching a regular expression of an offer constraint may keep in memory, as in `4KB`
    #[arg(
        long,
        env = "TEPUI_OFFER_CONSTRAINTS_RE2_MAX_MEM",
        value_name = "BYTES",
        default_value = "4KB"
    )]
    pub offer_constraints_re2_max_mem: ByteSize,

    /// How many instructions such an expression may be compiled to
    #[arg(
        long,
        env = "TEPUI_OFFER_CONSTRAINTS_RE2_MAX_PROGRAM_SIZE",
        value_name = "COUNT",
        default_value_t = 100
    )]
    pub offer_constraints_re2_max_program_size: usize,

    /// File that names the hosts whose agents are offered, one a line; read again every 5 seconds
    /// [default: all agents are]
    #[arg(long, env = "TEPUI_WHITELIST", value_name = "FILE")]
    pub whitelist: Option<PathBuf>,

    /// The fault domain that this master stands in, as in `eu-north/a`; agents of other regions
    /// are offered only to frameworks that know regions
    #[arg(long, env = "TEPUI_DOMAIN", value_name = "REGION/ZONE")]
    pub domain: Option<FaultDomain>,

    /// Whether agents that say no domain are refused
    #[arg(long, env = "TEPUI_REQUIRE_AGENT_DOMAIN", value_name = "BOOL", default_value_t = false, action = ArgAction::Set)]
    pub require_agent_domain: bool,

    /// Resources that do not count for fairness, as in `gpus,tokens`
    #[arg(
        long,
        env = "TEPUI_FAIR_SHARING_EXCLUDED_RESOURCE_NAMES",
        value_name = "NAME,...",
        value_delimiter = ','
    )]
    pub fair_sharing_excluded_resource_names: Vec<String>,

    /// Whether agents with GPUs are kept for frameworks that know about GPUs
    #[arg(long, env = "TEPUI_FILTER_GPU_RESOURCES", value_name = "BOOL", default_value_t = true, action = ArgAction::Set)]
    pub filter_gpu_resources: bool,

    /// How roles are ordered: `drf`, the least weighted share first, or `random`, by weighted lot
    #[arg(
        long,
        env = "TEPUI_ROLE_SORTER",
        value_name = "SORTER",
        default_value = "drf"
    )]
    pub role_sorter: SorterKind,

    /// How the frameworks of a role are ordered: `drf` or `random`
    #[arg(
        long,
        env = "TEPUI_FRAMEWORK_SORTER",
        value_name = "SORTER",
        default_value = "drf"
    )]
    pub framework_sorter: SorterKind,

    /// Which agents are offered first: `spread`, others in every run, or `binpack`, the fullest
    #[arg(
        long,
        env = "TEPUI_PLACEMENT",
        value_name = "PLACEMENT",
        default_value = "spread"
    )]
    pub placement: PlacementKind,

    /// The part of the known agents that must be back after a restart before anything is offered,
    /// if any quota is set
    #[arg(
        long,
        env = "TEPUI_ALLOCATOR_AGENT_RECOVERY_FACTOR",
        value_name = "FRACTION",
        default_value_t = 0.8
    )]
    pub allocator_agent_recovery_factor: f64,

    /// How long they are waited for
    #[arg(long, env = "TEPUI_ALLOCATOR_RECOVERY_TIMEOUT", value_name = "DURATION", default_value = "10min", value_parser = span::parse)]
    pub allocator_recovery_timeout: Duration,

    /// The roles that frameworks may have, as in `prod,dev/web`; `*` is always among them
    /// [default: any]
    #[arg(long, env = "TEPUI_ROLES", value_name = "ROLE,...")]
    pub roles: Option<Roles>,

    /// Weights of roles, as in `prod=2,dev=0.5`; a role without one has 1. Weights that operators
    /// set at run time win
    #[arg(
        long,
        env = "TEPUI_WEIGHTS",
        value_name = "ROLE=WEIGHT,...",
        default_value = ""
    )]
    pub weights: Weights,

    /// Tasks give way to what roles of a higher priority ask for: after a notice they are killed
    #[arg(long, env = "TEPUI_PREEMPTION", value_name = "BOOL", default_value_t = false, num_args = 0..=1, default_missing_value = "true", action = ArgAction::Set)]
    pub preemption: bool,

    /// How long a stated demand waits before others have to give way to it
    #[arg(long, env = "TEPUI_PREEMPTION_PATIENCE", value_name = "DURATION", default_value = "30s", value_parser = span::parse)]
    pub preemption_patience: Duration,

    /// How long a framework has between the notice and the kill of its task
    #[arg(long, env = "TEPUI_PREEMPTION_NOTICE", value_name = "DURATION", default_value = "30s", value_parser = span::parse)]
    pub preemption_notice: Duration,

    /// How long an agent may take to answer a ping
    #[arg(long, env = "TEPUI_AGENT_PING_TIMEOUT", value_name = "DURATION", default_value = "15s", value_parser = span::parse)]
    pub agent_ping_timeout: Duration,

    /// How many pings an agent may leave unanswered before it is unreachable
    #[arg(
        long,
        env = "TEPUI_MAX_AGENT_PING_TIMEOUTS",
        value_name = "COUNT",
        default_value_t = 5
    )]
    pub max_agent_ping_timeouts: u32,

    /// How long agents may take to come back after a restart of the master before they are
    /// unreachable
    #[arg(long, env = "TEPUI_AGENT_REREGISTER_TIMEOUT", value_name = "DURATION", default_value = "10min", value_parser = span::parse)]
    pub agent_reregister_timeout: Duration,

    /// How many ended frameworks are remembered
    #[arg(
        long,
        env = "TEPUI_MAX_COMPLETED_FRAMEWORKS",
        value_name = "COUNT",
        default_value_t = 50
    )]
    pub max_completed_frameworks: usize,

    /// How many ended tasks are remembered of each framework
    #[arg(
        long,
        env = "TEPUI_MAX_COMPLETED_TASKS_PER_FRAMEWORK",
        value_name = "COUNT",
        default_value_t = 1000
    )]
    pub max_completed_tasks_per_framework: usize,

    /// How many tasks on unreachable agents are remembered of each framework
    #[arg(
        long,
        env = "TEPUI_MAX_UNREACHABLE_TASKS_PER_FRAMEWORK",
        value_name = "COUNT",
        default_value_t = 1000
    )]
    pub max_unreachable_tasks_per_framework: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 5050)),
            hostname: None,
            work_dir: PathBuf::from("/var/lib/tepui/master"),
            store: StoreKind::RocksDb,
            offer_timeout: Duration::from_secs(30),
            allocation_window: Duration::from_millis(5),
            gang_hold_timeout: Duration::from_secs(60),
            min_allocatable_resources: Minimum::default(),
            offer_constraints_re2_max_mem: ByteSize(4096),
            offer_constraints_re2_max_program_size: 100,
            whitelist: None,
            domain: None,
            require_agent_domain: false,
            fair_sharing_excluded_resource_names: Vec::new(),
            filter_gpu_resources: true,
            role_sorter: SorterKind::default(),
            framework_sorter: SorterKind::default(),
            placement: PlacementKind::default(),
            allocator_agent_recovery_factor: 0.8,
            allocator_recovery_timeout: Duration::from_secs(600),
            roles: None,
            weights: Weights::default(),
            preemption: false,
            preemption_patience: Duration::from_secs(30),
            preemption_notice: Duration::from_secs(30),
            agent_ping_timeout: Duration::from_secs(15),
            max_agent_ping_timeouts: 5,
            agent_reregister_timeout: Duration::from_secs(600),
            max_completed_frameworks: 50,
            max_completed_tasks_per_framework: 1000,
            max_unreachable_tasks_per_framework: 1000,
        }
    }
}

impl Options {
    /// Checks the values against each other and against what makes sense, before anything starts.
    ///
    /// # Errors
    /// [`Error::Option`] names the flag and what it may be.
    pub fn validate(&self) -> Result<(), Error> {
        let second = Duration::from_secs(1);
        let quarter = Duration::from_secs(15 * 60);
        let year = Duration::from_secs(31_557_600);
        let millis = Duration::from_millis;
        if !self.offer_timeout.is_zero() {
            within("offer-timeout", self.offer_timeout, millis(100), year)?;
        }
        within(
            "allocation-window",
            self.allocation_window,
            Duration::ZERO,
            second,
        )?;
        within(
            "gang-hold-timeout",
            self.gang_hold_timeout,
            millis(100),
            quarter,
        )?;
        within(
            "agent-ping-timeout",
            self.agent_ping_timeout,
            millis(100),
            quarter,
        )?;
        within(
            "agent-reregister-timeout",
            self.agent_reregister_timeout,
            second,
            year,
        )?;
        if !(0.0..=1.0).contains(&self.allocator_agent_recovery_factor) {
            let flag = "allocator-agent-recovery-factor";
            return Err(refuse(flag, "must be between 0 and 1"));
        }
        within(
            "allocator-recovery-timeout",
            self.allocator_recovery_timeout,
            Duration::ZERO,
            year,
        )?;
        bounds(self)?;
        if self.max_agent_ping_timeouts == 0 {
            return Err(refuse("max-agent-ping-timeouts", "must be at least 1"));
        }
        if self
            .hostname
            .as_deref()
            .is_some_and(|name| name.trim().is_empty())
        {
            return Err(refuse("hostname", "must not be empty"));
        }
        if self.work_dir.as_os_str().is_empty() {
            return Err(refuse("work-dir", "must not be empty"));
        }
        Ok(())
    }
}

/// A regular expression of a framework may not take more than the master can spare.
fn bounds(options: &Options) -> Result<(), Error> {
    let memory = options.offer_constraints_re2_max_mem.0;
    if !(1..=limits::MAX_REGEX_MEMORY).contains(&memory) {
        let most = ByteSize(limits::MAX_REGEX_MEMORY);
        let problem = format!("must be between 1B and {most}");
        return Err(refuse("offer-constraints-re2-max-mem", &problem));
    }
    let program = options.offer_constraints_re2_max_program_size;
    if !(1..=limits::MAX_REGEX_PROGRAM).contains(&program) {
        let problem = format!("must be between 1 and {}", limits::MAX_REGEX_PROGRAM);
        return Err(refuse("offer-constraints-re2-max-program-size", &problem));
    }
    if options.require_agent_domain && options.domain.is_none() {
        let problem = "needs --domain too: a master without one refuses agents with one";
        return Err(refuse("require-agent-domain", problem));
    }
    Ok(())
}

fn within(
    flag: &'static str,
    value: Duration,
    least: Duration,
    most: Duration,
) -> Result<(), Error> {
    if (least..=most).contains(&value) {
        return Ok(());
    }
    let [value, least, most] = [value, least, most].map(span::format);
    Err(refuse(
        flag,
        &format!("must be between {least} and {most}, it is {value}"),
    ))
}

fn refuse(flag: &'static str, problem: &str) -> Error {
    Error::Option {
        flag,
        problem: problem.to_owned(),
    }
}

#[cfg(test)]
mod tests;
