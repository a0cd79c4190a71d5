//! The agent's HTTP: executors and operators.

#[path = "../../../master/src/tests/http/client.rs"]
#[allow(dead_code)]
mod client;
mod executors;
mod operators;

use client::Client;
