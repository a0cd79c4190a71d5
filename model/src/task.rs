//! Tasks: what a framework launches, the states they go through and the news of them.

mod info;
mod passengers;
mod state;
mod status;
mod validate;

pub use tepui_proto::v1::task_status::{Reason, Source};

pub use self::{
    info::{InvalidTask, TaskInfo},
    passengers::{Passengers, StatusPassengers},
    state::{IllegalTransition, TaskState},
    status::{InvalidStatus, StatusUuid, TaskStatus},
    validate::TaskInvalid,
};
