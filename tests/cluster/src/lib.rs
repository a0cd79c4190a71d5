//! A cluster of the real binaries on this machine, for tests: each part a process that can be
//! killed.

mod cluster;
pub mod images;
pub mod jvm;
mod part;
mod ports;
mod program;

pub use cluster::Cluster;
pub use part::Part;
pub use program::{Ran, program, tepui, tepui_in};

use std::{
    net::TcpListener,
    time::{Duration, Instant},
};

/// How long anything may take in a test before it counts as never.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Asks until the answer is `Some`, or fails with `what`.
///
/// # Panics
/// When there is no answer within [`PATIENCE`].
pub fn eventually<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(
            started.elapsed() < PATIENCE,
            "not within {PATIENCE:?}: {what}"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// An address on this machine that nobody listens on at this moment.
///
/// # Panics
/// When no port is free.
pub fn free_address() -> String {
    let listener =
        TcpListener::bind("127.0.0.1:0").unwrap_or_else(|error| panic!("no port: {error}"));
    let address = listener
        .local_addr()
        .unwrap_or_else(|error| panic!("no address: {error}"));
    address.to_string()
}

/// Whether containers can be made here. Says why not, once a test.
pub fn can_isolate() -> bool {
    let is_root = nix::unistd::geteuid().is_root();
    if !is_root {
        println!("done in part: namespaces and cgroups need root, and this is another user");
    }
    is_root
}
