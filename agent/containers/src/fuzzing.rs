//! Readers of what operators and plugins say, for those who try them with anything at all. Not for
//! use.

use crate::{Capabilities, networks, seccomp};

/// Reads and compiles a profile of system calls.
pub fn seccomp_profile(text: &str) {
    drop(seccomp::compile("fuzzed", text, Capabilities::DEFAULT));
}

/// Reads what a plugin of a network answered.
pub fn network_answer(bytes: &[u8]) {
    networks::read_any(bytes);
}
