//! The fetcher: what tasks want in their sandboxes before they start (Mesos: FET-01 to FET-04).
//!
//! [`Fetcher::fetch`] takes what one container wants, in order: it downloads or copies each file
//! into the sandbox, by way of the cache if the task says so, checks it, makes it a program or
//! unpacks it. All that touches the sandbox, and all that reads files of this machine, is done by
//! threads that have the rights of the task's user and no more; nothing that a server or an archive
//! says is believed.
#![forbid(unsafe_code)]

mod cache;
mod copy;
mod error;
mod fetcher;
pub mod limits;
mod local;
mod options;
mod owner;
#[cfg(test)]
mod tests;
mod work;

pub use error::Error;
pub use fetcher::{Fetcher, Figures, Progress};
pub use options::Options;
pub use owner::Owner;
pub use work::{Item, Job, Source};
