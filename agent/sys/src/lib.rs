//! System calls of the agent: the only crate with unsafe code.
//!
//! [`Kernel`] is what a container's init asks of the kernel; [`Linux`] asks the real one, and
//! `fake::Recorder` (feature `fake`) writes the calls down. The rest is what the agent itself needs
//! beside tokio: process descriptors, sealed programs, file descriptors sent through sockets.

mod confine;
mod devices;
mod enter;
#[cfg(any(test, feature = "fake"))]
pub mod fake;
mod files;
mod heap;
mod identity;
mod kernel;
mod launcher;
mod linux;
mod logs;
mod mounts;
mod network;
mod pidfd;
mod projects;
mod rights;
mod seal;
mod secrets;
mod socket;
mod spawn;
mod terminal;
mod users;
mod watched;

pub use confine::{Confinement, confine};
pub use devices::{DeviceRule, allow_devices, can_allow_devices};
pub use enter::Entered;
pub use files::{open_beneath, open_folder, open_output};
pub use heap::give_back_large_blocks;
pub use identity::{boot_id, start_time};
pub use kernel::{Device, Forked, Kernel, Layers, Mount, Place, Reaped, User};
pub use launcher::{become_launcher, close_inherited, keep_only, leave};
pub use linux::Linux;
pub use logs::{LogStream, Logger, Room};
pub use mounts::make_beneath;
pub use network::{
    bring_up, in_network, is_network, make_network, remove_network, stream_socket_in,
};
pub use pidfd::PidFd;
pub use projects::{
    ProjectLimit, ProjectUse, has_projects, join_project, limit_project, open_folder_inside,
    project_of, project_use,
};
pub use rights::ResourceLimit;
pub use seal::seal_program;
pub use socket::{Received, receive, send};
pub use spawn::{Namespaces, spawn};
pub use terminal::{RawTerminal, WindowSize, resize, window_size};
pub use users::{keep_namespace, map_users};
pub use watched::Watched;

/// The signals that cross this crate's border.
pub use nix::sys::signal::Signal;
