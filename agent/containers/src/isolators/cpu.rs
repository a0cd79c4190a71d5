//! `cgroups/cpu`: a share of the processors, and a quota if the task has one.

use std::time::Duration;

use tepui_model::Quantity;

use super::{Isolate, Machine, Preparation};
use crate::{
    LaunchError, Limits,
    cgroups::{Controller, CpuLimits},
    limits::{CFS_PERIOD, MIN_CFS_QUOTA},
};

pub(super) struct Cpu;

impl Isolate for Cpu {
    fn missing(&self, machine: &Machine) -> Option<String> {
        machine.lacks_controller(Controller::Cpu)
    }

    fn prepare(&self, container: &mut Preparation<'_>) -> Result<(), LaunchError> {
        if container.has_parents_limits() {
            return Ok(());
        }
        let (group, limits) = (container.group()?, of(&container.spec.limits));
        group.set_cpu(CpuLimits {
            quota: None,
            ..limits
        })?;
        // Its init sets that, for a container is not to wait for what it may use while it is made:
        // with a hundredth of a processor that would take a hundred times as long.
        *container.quota = limits.quota.and_then(|quota| group.quota(quota));
        Ok(())
    }
}

/// What the kernel is told of them.
pub(super) fn of(limits: &Limits) -> CpuLimits {
    CpuLimits {
        millicpus: millicpus(limits.cpu_shares),
        low_priority: limits.low_cpu_priority,
        quota: limits.cpu_limit.map(quota),
    }
}

fn millicpus(cpus: Quantity) -> u64 {
    u64::try_from(cpus.millis()).unwrap_or(0)
}

/// CPU time per period (Mesos: ISO-01).
fn quota(cpus: Quantity) -> Duration {
    let thousandth = CFS_PERIOD / 1000;
    let thousandths = u32::try_from(millicpus(cpus)).unwrap_or(u32::MAX);
    thousandth.saturating_mul(thousandths).max(MIN_CFS_QUOTA)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quota_is_the_processors_share_of_a_period_and_at_least_a_millisecond() {
        assert_eq!(quota(Quantity::from_units(2)), Duration::from_millis(200));
        assert_eq!(quota(Quantity::from_millis(250)), Duration::from_millis(25));
        assert_eq!(quota(Quantity::from_millis(1)), MIN_CFS_QUOTA);
        assert_eq!(quota(Quantity::ZERO), MIN_CFS_QUOTA);
    }
}
