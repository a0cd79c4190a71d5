//! Containers of command tasks: launcher, init, isolators, cgroups v1 and v2.
//!
//! [`Runtime`] is the whole of it: `probe` refuses machines that cannot isolate as asked for,
//! `launch` starts a [`Spec`], `wait` tells how it ended, `recover` finds containers after a
//! restart of the agent. The program that uses it calls [`init_main`] first in its `main`, since a
//! sealed copy of it becomes the launcher and the init of every container.
#![forbid(unsafe_code)]

mod capabilities;
mod cgroups;
mod console;
mod container;
mod disk;
mod error;
mod exit;
#[doc(hidden)]
pub mod fuzzing;
mod gpus;
mod grants;
mod init;
mod isolation;
mod isolators;
mod launch;
mod launcher;
pub mod limits;
mod measure;
mod net_classes;
mod networks;
mod options;
mod probe;
mod processors;
mod projects;
mod records;
mod recover;
mod refusal;
mod runtime;
mod seat;
mod seccomp;
mod security;
mod session;
mod spec;
mod usage;
mod users;

pub use capabilities::{Capabilities, UnknownCapability};
pub use cgroups::Error as CgroupError;
pub use console::{TerminalInput, TerminalOutput};
pub use error::{Error, LaunchError};
pub use exit::{DiskReport, Exit, ExitStatus, OomReport};
pub use gpus::Gpus;
pub use init::init_main;
pub use isolation::{InvalidIsolation, Isolation, Isolator};
pub use isolators::IoPolicy;
pub use launch::find_user;
pub use net_classes::{HandleRange, InvalidHandles, NetClasses};
pub use networks::{
    Attached, Attachment, InterfaceAddress, NetworkError, NetworkSpec, Networks, PortMapping,
    Protocol,
};
pub use options::{InitProgram, Options};
pub use probe::{Offer, offers};
pub use projects::{InvalidProjects, ProjectRange};
pub use refusal::{CannotIsolate, Missing, Refusal};
pub use runtime::{Recovered, RecoveredState, Runtime, Started};
pub use seccomp::SeccompError;
pub use security::{Device, Policy, Resource, ResourceLimit, Seccomp, Security};
pub use session::{
    Session, SessionControl, SessionInput, SessionOutput, SessionSpec, SessionStream,
};
pub use spec::{
    Bytes, Communication, Ids, ImageVolume, Limits, LogRoom, Parent, Program, RootSpec, SecretFile,
    Spec, VolumeKind, VolumeSpec,
};
pub use usage::{DeviceUsage, MemoryUsage, Pressure, Stall, Throttling, Usage};
pub use users::{InvalidRange, UserRange, Users, UsersPolicy};

/// Signals and terminals, as they cross this crate's border.
pub use tepui_sys::{RawTerminal, Signal, WindowSize, window_size};
