//! Containers that calls of operators have launched inside of those of tasks and executors.
//!
//! Such a container is a session of the runtime: it shares what the container has that it is in,
//! ends with it, and with this agent. It is known by its name, a chain of ids, until it is removed.

mod console;
mod folder;
mod name;
mod table;

pub(crate) use self::{
    console::{Console, Piece, relay},
    folder::{Log, make},
    name::{Name, check},
    table::{Inside, Known, State, Taken, Typing},
};
