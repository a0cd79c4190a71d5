//! Checks and health checks of tasks (Mesos: CHK-01 to CHK-03).
//!
//! A check is asked for at times that the agent's timers say, carried out by the shell inside the
//! container's network, and judged here. Nothing in here knows what time it is, or waits.

mod asked;
mod judge;

use core::time::Duration;

use tepui_model::ContainerId;
use tepui_proto::v1;

pub(crate) use asked::checks;
pub(crate) use judge::{Check, Judgement, Memory};

use crate::{Program, SecretReference, TaskKey};

/// One check to carry out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbeOrder {
    /// The container.
    pub container: ContainerId,
    /// The task.
    pub task: TaskKey,
    /// Which of the task's checks.
    pub check: usize,
    /// The how-manieth time; what is found is told with it.
    pub number: u64,
    /// What to ask.
    pub probe: Probe,
    /// How long that may take; none for ever.
    pub timeout: Option<Duration>,
}

/// What a check asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Probe {
    /// How a program ends that is run in the container.
    Command {
        /// The program.
        program: Program,
        /// Variables besides those of the task, or in place of them.
        environment: Vec<(String, String)>,
        /// Such variables that the agent's operator has the values of.
        secrets: Vec<(String, SecretReference)>,
    },
    /// How a server answers a GET.
    Http {
        /// The server.
        at: Target,
        /// What is asked for.
        path: String,
        /// Whether by TLS. Whose certificate it is does not matter.
        tls: bool,
    },
    /// Whether somebody takes connections.
    Tcp {
        /// Who.
        at: Target,
    },
    /// What a server says by gRPC's own health protocol.
    Grpc {
        /// The server.
        at: Target,
        /// The service that is asked about; empty for all of it.
        service: String,
    },
}

/// A port on the loopback device that the container sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    /// The port.
    pub port: u16,
    /// Whether at `::1` rather than `127.0.0.1`.
    pub version_6: bool,
}

/// What a check found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// The program exited, or was ended by a signal: as a shell's `$?`.
    Exited(i32),
    /// The server answered with this status.
    Http(u16),
    /// Somebody took the connection, or nobody did.
    Tcp(bool),
    /// The server says that it serves, or something else.
    Grpc(bool),
    /// There was no answer in time.
    TimedOut,
    /// It could not be carried out, or the answer means nothing.
    Failed(String),
}

impl Finding {
    /// Whether this is well (Mesos: CHK-01).
    #[must_use]
    pub const fn is_well(&self) -> bool {
        match self {
            Self::Exited(code) => *code == 0,
            Self::Http(status) => matches!(status, 200..=399),
            Self::Tcp(well) | Self::Grpc(well) => *well,
            Self::TimedOut | Self::Failed(_) => false,
        }
    }

    /// What was found, for people.
    pub(crate) fn words(&self) -> String {
        match self {
            Self::Exited(code) => format!("the command exited with status {code}"),
            Self::Http(status) => format!("the server answered with status {status}"),
            Self::Tcp(true) => "the port takes connections".to_owned(),
            Self::Tcp(false) => "the port takes no connections".to_owned(),
            Self::Grpc(true) => "the server says that it serves".to_owned(),
            Self::Grpc(false) => "the server says that it does not serve".to_owned(),
            Self::TimedOut => "no answer in time".to_owned(),
            Self::Failed(why) => why.clone(),
        }
    }
}

/// What a framework is told of a `CheckInfo`; without a finding, or without an answer, only of what
/// kind it is.
pub(crate) fn check_status(kind: &Probe, finding: Option<&Finding>) -> v1::CheckStatusInfo {
    use v1::{check_info::Type, check_status_info as info};
    let mut status = v1::CheckStatusInfo::default();
    match kind {
        Probe::Command { .. } => {
            let exit_code = match finding {
                Some(Finding::Exited(code)) => Some(*code),
                _ => None,
            };
            status.r#type = Some(Type::Command.into());
            status.command = Some(info::Command { exit_code });
        }
        Probe::Http { .. } => {
            let status_code = match finding {
                Some(Finding::Http(code)) => Some(u32::from(*code)),
                _ => None,
            };
            status.r#type = Some(Type::Http.into());
            status.http = Some(info::Http { status_code });
        }
        Probe::Tcp { .. } | Probe::Grpc { .. } => {
            let succeeded = match finding {
                Some(Finding::Tcp(taken)) => Some(*taken),
                _ => None,
            };
            status.r#type = Some(Type::Tcp.into());
            status.tcp = Some(info::Tcp { succeeded });
        }
    }
    status
}
