//! `disk/du`: a limit on what the sandbox holds, and on how many files, measured every while
//! (Mesos: ISO-06).
//!
//! There is nothing to prepare: whoever watches the container measures.

use super::{Isolate, Machine, Preparation};
use crate::LaunchError;

pub(super) struct Disk;

impl Isolate for Disk {
    fn missing(&self, _: &Machine) -> Option<String> {
        None
    }

    fn prepare(&self, _: &mut Preparation<'_>) -> Result<(), LaunchError> {
        Ok(())
    }
}
