//! Sessions that calls of operators have opened in containers (Mesos: NST-03).
//!
//! A session is a further program in a container: it shares what the container has, ends with it,
//! and with this agent. It is known by its name, a chain of ids, until it is removed.

mod console;
mod table;

pub(crate) use self::{
    console::{Console, Piece, Pieces, relay},
    table::{Inside, Known, State, Taken, Typing},
};
