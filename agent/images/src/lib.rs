//! Container images: pulled, verified, unpacked safely, kept and collected.
//!
//! [`Images`] is the whole of it: `pull` finds an image in the store or fetches it from a
//! registry, an OCI layout or an archive of `docker save`; `provide` makes the folders of a
//! container's root, and `release` removes them. Layers are kept by their content and shared by
//! all containers; what nobody uses goes when room is needed.
//!
//! Nothing that a registry or an image says is believed: every byte counts for a digest, every
//! path is resolved beneath the layer's own folder by the kernel, and everything has a limit. The
//! fetcher of what tasks want in their sandboxes has [`Downloads`] and [`extract`] from here, which
//! go by the same rules.
#![forbid(unsafe_code)]

mod config;
mod credentials;
mod digest;
mod download;
mod error;
#[doc(hidden)]
pub mod fuzzing;
mod images;
pub mod limits;
mod manifest;
mod options;
mod path;
mod reference;
mod retry;
mod source;
mod store;
mod stream;
mod unpack;
mod users;

pub use config::RunConfig;
pub use credentials::{Credentials, InvalidCredentials};
pub use digest::{Digest, Hasher, InvalidDigest};
pub use download::{Download, Downloads};
pub use error::Error;
pub use images::{Image, Images, Wanted};
pub use options::{
    DEFAULT_PULL_TIMEOUT, DEFAULT_SIZE_LIMIT, DEFAULT_STALL_TIMEOUT, Endpoint, Home,
    InvalidEndpoint, Options,
};
pub use reference::{InvalidReference, Reference};
pub use retry::Retry;
pub use source::Pieces;
pub use store::{Listed, Pruned, Root, list};
pub use unpack::{Form, Unpacked, extract, make_file, unpack, unpack_main};
pub use users::User;
