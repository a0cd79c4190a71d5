//! `MesosSchedulerDriver`: a framework's side of a subscription, by the rules of Mesos' driver.
//!
//! Those are not the SDK's own: nothing is reconciled unasked, an update is acknowledged after its
//! callback or by the framework itself, and what is said while there is no master is dropped, but
//! that launched tasks are lost.

mod callbacks;
mod calls;
mod core;
mod driver;
mod native;
mod session;

pub(crate) use self::native::{
    abort, accept_offers, acknowledge, decline_offer, finalize, initialize, join, kill_task,
    launch_tasks, launch_tasks_on, message, reconcile, request, revive, start, stop, suppress,
    update_framework,
};
