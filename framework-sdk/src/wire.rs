//! The stream to a master as it is, for drivers that keep to other rules than this SDK's session:
//! nothing is acknowledged, reconciled or left out.
//!
//! A [`Link`] is opened with the call that subscribes; [`Link::next`] tells what occurs on it, and
//! what follows is the driver's own choice.

pub use crate::{
    backoff::Backoff,
    session::{
        connection::Connection,
        link::{Link, Occurrence},
    },
};
