//! Tasks: what a framework launches, the states they go through and the news of them.

mod info;
mod state;
mod status;
mod validate;

pub use tepui_proto::v1::task_status::{Reason, Source};

pub use self::{
    info::{InvalidTask, TaskInfo},
    state::{IllegalTransition, TaskState},
    status::{InvalidStatus, StatusPassengers, StatusUuid, TaskStatus},
    validate::TaskInvalid,
};
