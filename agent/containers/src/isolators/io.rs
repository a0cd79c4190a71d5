//! `cgroups/blkio`: what is read from disks and written to them is counted, as in Mesos; and
//! weighed and bounded if the operator says so.

use super::{Isolate, Machine, Preparation};
use crate::{
    Bytes, LaunchError, Limits,
    cgroups::{Controller, IoLimits},
    limits::{MAX_IO_WEIGHT, MIN_IO_WEIGHT},
};

/// How tasks share disks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IoPolicy {
    /// What a container weighs per processor that it asks for, where others want the same disk.
    pub weight_per_cpu: Option<u32>,
    /// The most that a container reads from each disk in a second.
    pub most_read: Option<Bytes>,
    /// The most that it writes to each.
    pub most_written: Option<Bytes>,
}

impl IoPolicy {
    /// What the kernel is told of it for one container.
    pub(super) fn of(self, limits: &Limits) -> IoLimits {
        let cpus = u64::try_from(limits.cpu_shares.millis()).unwrap_or(0);
        let weight = |per_cpu: u32| {
            let weight = u64::from(per_cpu).saturating_mul(cpus) / 1000;
            weight.clamp(MIN_IO_WEIGHT, MAX_IO_WEIGHT)
        };
        IoLimits {
            weight: self.weight_per_cpu.map(weight),
            most_read: self.most_read,
            most_written: self.most_written,
        }
    }
}

pub(super) struct Io;

impl Isolate for Io {
    fn missing(&self, machine: &Machine) -> Option<String> {
        machine.lacks_controller(Controller::Io)
    }

    fn prepare(&self, container: &mut Preparation<'_>) -> Result<(), LaunchError> {
        // To be in a group of the controller is all that it takes to be counted.
        if container.has_parents_limits() || container.policy.io == IoPolicy::default() {
            return Ok(());
        }
        let limits = container.policy.io.of(&container.spec.limits);
        let limits = match container.plan.hold {
            // Each container inside of it is bounded for itself.
            true => IoLimits {
                weight: limits.weight,
                ..IoLimits::default()
            },
            false => limits,
        };
        container.group()?.set_io(limits)?;
        Ok(())
    }
}
