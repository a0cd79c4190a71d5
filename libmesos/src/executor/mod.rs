//! `MesosExecutorDriver`: an executor's side of its dealings with the agent, over the SDK's.

mod driver;
mod forward;
mod native;

pub(crate) use self::native::{
    abort, finalize, initialize, join, send_message, send_update, start, stop,
};
