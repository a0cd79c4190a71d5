//! Taking the task's rights: the last steps before its program runs, in an order in which each one
//! still may do what it has to.

use std::os::fd::{AsFd as _, OwnedFd};

use tepui_sys::{Kernel, ResourceLimit, User};

use super::wire::{Failure, LimitPlan, Plan, Rights};

/// Takes the task's limits, and enters the user namespace of its container, if that has its own:
/// who is inside could set no limit above what there is.
pub(super) fn limit(
    kernel: &impl Kernel,
    plan: &Plan,
    users: Option<&OwnedFd>,
) -> Result<(), Failure> {
    for limit in &plan.rights.limits {
        set_limit(kernel, limit)?;
    }
    match users {
        Some(users) => kernel
            .enter_users(users.as_fd())
            .map_err(Failure::step("enter the container's user namespace")),
        None => Ok(()),
    }
}

/// Becomes the task's user with the task's rights, for good.
pub(super) fn take(kernel: &impl Kernel, plan: &Plan) -> Result<(), Failure> {
    let rights = &plan.rights;
    if let Some(sets) = &rights.capabilities {
        kernel
            .limit_capabilities(sets.bounding)
            .map_err(Failure::step("take capabilities away"))?;
        if sets.passed_on != 0 {
            kernel
                .keep_capabilities()
                .map_err(Failure::step("keep capabilities"))?;
        }
    }
    if let Some(user) = plan.user.as_ref().map(User::from) {
        let step = format!("become user {}", user.uid);
        kernel.become_user(&user).map_err(Failure::step(step))?;
    }
    if let Some(sets) = &rights.capabilities {
        kernel
            .set_capabilities(sets.held, sets.passed_on)
            .map_err(Failure::step("set capabilities"))?;
    }
    kernel
        .close_on_exec()
        .map_err(Failure::step("close files"))?;
    confine(kernel, rights)
}

/// A limit above what holds for the agent takes a capability that an agent in a container may lack.
fn set_limit(kernel: &impl Kernel, limit: &LimitPlan) -> Result<(), Failure> {
    let LimitPlan {
        resource,
        soft,
        hard,
    } = *limit;
    let wanted = ResourceLimit {
        resource,
        soft,
        hard,
    };
    let step = format!(
        "set the resource limit {resource} to {soft} of {hard} (a hard limit above the agent's own \
         takes CAP_SYS_RESOURCE)"
    );
    kernel.set_limit(&wanted).map_err(Failure::step(step))
}

/// Last of all, since a filter may forbid everything that was done before.
fn confine(kernel: &impl Kernel, rights: &Rights) -> Result<(), Failure> {
    if rights.no_new_privileges {
        kernel
            .renounce_privileges()
            .map_err(Failure::step("renounce new privileges"))?;
    }
    for program in &rights.filters {
        kernel
            .filter_calls(program)
            .map_err(Failure::step("filter system calls"))?;
    }
    Ok(())
}
