//! `linux/capabilities`, `linux/seccomp`, `linux/nnp`, `posix/rlimits`: what the task's processes
//! may do.

use super::{Isolate, Machine, Preparation};
use crate::{
    Capabilities, LaunchError,
    init::wire::{CapabilityPlan, LimitPlan},
};

/// `linux/capabilities`: of root's power, only what a task needs.
pub(super) struct CapabilitySets;

impl Isolate for CapabilitySets {
    fn missing(&self, machine: &Machine) -> Option<String> {
        machine.lacks_capability("SETPCAP")
    }

    fn prepare(&self, container: &mut Preparation<'_>) -> Result<(), LaunchError> {
        let sets = Sets::new(container)?;
        let is_root = container
            .plan
            .user
            .as_ref()
            .is_none_or(|user| user.uid == 0);
        // Who is not root has none by the kernel's rules, unless they were asked for by name.
        let passed_on = match container.spec.security.effective {
            Some(_) if !is_root => sets.effective,
            _ => Capabilities::NONE,
        };
        let held = if is_root { sets.effective } else { passed_on };
        container.plan.rights.capabilities = Some(CapabilityPlan {
            bounding: sets.bounding.bits(),
            held: held.bits(),
            passed_on: passed_on.bits(),
        });
        Ok(())
    }
}

/// What a container can have, and has at first (Mesos: ISO-09).
struct Sets {
    bounding: Capabilities,
    effective: Capabilities,
}

impl Sets {
    fn new(container: &Preparation<'_>) -> Result<Self, LaunchError> {
        let (asked, policy) = (&container.spec.security, container.policy);
        let allowed = policy.bounding_capabilities;
        let wanted = asked.effective.unwrap_or(Capabilities::NONE);
        let wanted = wanted.with(asked.bounding.unwrap_or(Capabilities::NONE));
        let beyond = wanted.without(allowed.with(policy.effective_capabilities));
        if beyond != Capabilities::NONE {
            return Err(LaunchError::Invalid(format!(
                "the task asks for the capabilities {beyond}, which this agent does not allow: \
                 start it with --bounding-capabilities {}",
                allowed.with(beyond)
            )));
        }
        let given = policy.effective_capabilities;
        let bounding = match (asked.bounding, asked.effective) {
            (Some(bounding), _) => bounding,
            (None, Some(effective)) => effective,
            (None, None) => given,
        };
        let effective = asked.effective.unwrap_or_else(|| given.and(bounding));
        if !bounding.has(effective) {
            return Err(LaunchError::Invalid(format!(
                "the effective capabilities {} are not among the bounding ones",
                effective.without(bounding)
            )));
        }
        // What the agent itself lacks it cannot give. Asked for by name, that is an error.
        let lacking = wanted.without(container.machine.capabilities);
        if lacking != Capabilities::NONE {
            return Err(LaunchError::Invalid(format!(
                "the task asks for the capabilities {lacking}, which this agent itself lacks"
            )));
        }
        let own = container.machine.capabilities;
        Ok(Self {
            bounding: bounding.and(own),
            effective: effective.and(own),
        })
    }
}

/// `linux/nnp`: no program gives more rights to who runs it.
pub(super) struct NoNewPrivileges;

impl Isolate for NoNewPrivileges {
    fn missing(&self, _: &Machine) -> Option<String> {
        None
    }

    fn prepare(&self, container: &mut Preparation<'_>) -> Result<(), LaunchError> {
        container.plan.rights.no_new_privileges = true;
        Ok(())
    }
}

/// `linux/seccomp`: only the system calls that a task needs.
pub(super) struct SystemCalls;

impl Isolate for SystemCalls {
    fn missing(&self, machine: &Machine) -> Option<String> {
        (!machine.filters_calls).then(|| "the kernel is built without it".to_owned())
    }

    fn prepare(&self, container: &mut Preparation<'_>) -> Result<(), LaunchError> {
        // Without the isolator for it, a task has what the agent has.
        let capabilities = container.plan.rights.capabilities.as_ref();
        let bounding = capabilities.map_or(container.machine.capabilities, |sets| {
            Capabilities::from_bits(sets.bounding)
        });
        let asked = &container.spec.security.seccomp;
        let programs = container
            .filters
            .programs(asked, container.policy, bounding)?;
        container.plan.rights.filters = programs.to_vec();
        Ok(())
    }
}

/// `posix/rlimits`: the limits on single processes that a task asks for.
pub(super) struct ResourceLimits;

impl Isolate for ResourceLimits {
    fn missing(&self, _: &Machine) -> Option<String> {
        None
    }

    fn prepare(&self, container: &mut Preparation<'_>) -> Result<(), LaunchError> {
        let mut plans: Vec<LimitPlan> = Vec::new();
        for limit in &container.spec.security.resource_limits {
            let number = |limit: Option<u64>| limit.unwrap_or(u64::MAX);
            let (soft, hard) = (number(limit.soft), number(limit.hard));
            let resource = limit.resource.number();
            if soft > hard {
                return Err(LaunchError::Invalid(format!(
                    "the limit on {:?} is {soft} at first, and must not be above {hard}",
                    limit.resource
                )));
            }
            if plans.iter().any(|plan| plan.resource == resource) {
                let message = format!("the limit on {:?} is given twice", limit.resource);
                return Err(LaunchError::Invalid(message));
            }
            plans.push(LimitPlan {
                resource,
                soft,
                hard,
            });
        }
        container.plan.rights.limits = plans;
        Ok(())
    }
}
