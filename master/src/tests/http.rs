//! The v1 HTTP API over real sockets: what goes over the wire, byte for byte where clients care.

mod abuse;
mod client;
mod operators;
mod pieces;
mod plain;
mod schedulers;

use serde_json::{Value, json};

use client::{Answer, Client};

/// A SUBSCRIBE of a framework of that name.
fn subscribe(name: &str) -> Value {
    json!({"type": "SUBSCRIBE", "subscribe": {"framework_info": {"user": "u", "name": name}}})
}
