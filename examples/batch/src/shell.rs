//! The edge: the core's clock, disk and network.

mod api;
mod collect;
mod logs;
mod requests;
mod results;
mod serve;
mod store;
mod views;
mod watch;

pub use self::serve::{Server, serve};
