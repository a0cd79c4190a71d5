//! `cgroups/mem`: a hard limit on memory and swap together, and out-of-memory reports.

use super::{Isolate, Machine, Preparation};
use crate::{Bytes, LaunchError, Limits, cgroups::Controller, limits::MIN_MEMORY_BYTES};

pub(super) struct Memory;

/// The ends of the scale of scores between those that are never and always taken first, which
/// belong to the operator.
const SCORES: std::ops::RangeInclusive<u64> = 3..=999;

impl Isolate for Memory {
    fn missing(&self, machine: &Machine) -> Option<String> {
        machine.lacks_controller(Controller::Memory)
    }

    fn prepare(&self, container: &mut Preparation<'_>) -> Result<(), LaunchError> {
        if container.has_parents_limits() {
            return Ok(());
        }
        let limits = &container.spec.limits;
        let (hard, soft) = (hard_limit(limits), soft_limit(limits));
        container.group()?.set_memory(hard, soft)?;
        if soft < hard {
            container.plan.oom_score_adj = Some(oom_score(soft, container.machine.memory));
        }
        Ok(())
    }
}

/// The hard limit: what was asked for, or the task's own limit above that.
pub(crate) fn hard_limit(limits: &Limits) -> Bytes {
    limits
        .memory_limit
        .unwrap_or(limits.memory)
        .max(soft_limit(limits))
}

pub(super) fn soft_limit(limits: &Limits) -> Bytes {
    limits.memory.max(Bytes(MIN_MEMORY_BYTES))
}

/// Tasks that may use more than they asked for are the first to go when the machine runs out of
/// memory, those that asked for little before those that asked for much (Mesos: ISO-03).
fn oom_score(requested: Bytes, machine: Bytes) -> i32 {
    let share = 1000 * u128::from(requested.0) / u128::from(machine.0.max(1));
    let score = 1000_u64.saturating_sub(u64::try_from(share).unwrap_or(u64::MAX));
    i32::try_from(score.clamp(*SCORES.start(), *SCORES.end())).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use tepui_model::Quantity;

    use super::*;

    fn limits(memory: u64, memory_limit: Option<u64>) -> Limits {
        let cpu_shares = Quantity::from_units(1);
        let bytes = |megabytes| Bytes(megabytes << 20);
        let (memory, memory_limit) = (bytes(memory), memory_limit.map(bytes));
        Limits {
            cpu_shares,
            cpu_limit: None,
            low_cpu_priority: false,
            memory,
            memory_limit,
            pids: None,
        }
    }

    #[test]
    fn the_hard_limit_is_the_request_unless_the_task_may_use_more() {
        assert_eq!(hard_limit(&limits(64, None)), Bytes(64 << 20));
        assert_eq!(hard_limit(&limits(64, Some(128))), Bytes(128 << 20));
        assert_eq!(hard_limit(&limits(64, Some(33))), Bytes(64 << 20));
        assert_eq!(hard_limit(&limits(1, None)), Bytes(MIN_MEMORY_BYTES));
    }

    #[test]
    fn who_asked_for_little_is_taken_first() {
        let machine = Bytes(1 << 30);
        assert_eq!(oom_score(Bytes(0), machine), 999);
        assert_eq!(oom_score(Bytes(1 << 29), machine), 500);
        assert_eq!(oom_score(Bytes(1 << 31), machine), 3);
    }
}
