//! Every call of the v1 APIs over every road - gRPC, HTTP with JSON, HTTP with protobuf - against a
//! real master, compared.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test")]
#![allow(missing_docs, missing_debug_implementations, reason = "a test")]

pub mod agents;
pub mod cases;
pub mod executors;
pub mod http;
pub mod outcome;
pub mod roads;
pub mod scene;
pub mod shape;
pub mod stage;
pub mod streams;
