//! What agent and helper of a session say to each other.
//!
//! The agent sends one byte with the open files in its luggage, then the plan, and closes its
//! direction. The helper sends [`UP`](crate::init::wire::UP) with a descriptor of itself;
//! [`STARTED`] with one of the program, and the terminal's master if there is one; then how the
//! program ended, as an init writes it. Or, instead of any of it,
//! [`FAILED`](crate::init::wire::FAILED) and a failure.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use tepui_sys::{Entered, WindowSize};

use crate::init::wire::Plan;

/// The byte that says that the program runs.
pub(crate) const STARTED: u8 = b'S';

/// The byte that the plan's files come with.
pub(crate) const PLAN: u8 = b'P';

/// Agent to launcher: a process for a session.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SessionRequest {
    /// Files to which it writes itself to join v1 cgroups.
    pub(crate) join: Vec<PathBuf>,
    /// The v2 cgroup to be born in.
    pub(crate) born_in: Option<PathBuf>,
    /// The session's group, in one hierarchy of those that it is in.
    pub(crate) group: Option<PathBuf>,
}

/// Agent to helper: what is to run, and where.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SessionPlan {
    /// The container's plan, with the session's own program and environment.
    pub(crate) plan: Plan,
    /// The namespaces of the container's init to enter.
    pub(crate) entered: EnteredPlan,
    /// The size of the terminal, if the program gets one.
    pub(crate) terminal: Option<TerminalPlan>,
}

/// The namespaces to enter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct EnteredPlan {
    pub(crate) user: bool,
    pub(crate) mount: bool,
    pub(crate) pid: bool,
    pub(crate) ipc: bool,
    pub(crate) uts: bool,
    pub(crate) cgroup: bool,
    pub(crate) network: bool,
}

impl From<EnteredPlan> for Entered {
    fn from(plan: EnteredPlan) -> Self {
        let EnteredPlan {
            user,
            mount,
            pid,
            ipc,
            uts,
            cgroup,
            network,
        } = plan;
        Self {
            user,
            mount,
            pid,
            ipc,
            uts,
            cgroup,
            network,
        }
    }
}

/// The size of a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TerminalPlan {
    pub(crate) rows: u16,
    pub(crate) columns: u16,
}

impl From<WindowSize> for TerminalPlan {
    fn from(WindowSize { rows, columns }: WindowSize) -> Self {
        Self { rows, columns }
    }
}

impl From<TerminalPlan> for WindowSize {
    fn from(TerminalPlan { rows, columns }: TerminalPlan) -> Self {
        Self { rows, columns }
    }
}
