//! What a process may do: capabilities, filters of system calls, resource limits.

use std::io;

use nix::errno::Errno;
use rustix::thread::{
    CapabilitySet, CapabilitySets, configure_capability_in_ambient_set,
    remove_capability_from_bounding_set,
};

/// The most of one resource that a process may use: the numbers of `setrlimit`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResourceLimit {
    /// The kernel's number of the resource: `RLIMIT_NOFILE` is 7.
    pub resource: i32,
    /// What holds now; the process may raise it up to `hard`.
    pub soft: u64,
    /// The most that `soft` can be raised to. `u64::MAX` is no limit.
    pub hard: u64,
}

/// One set per bit: the numbers of capabilities that the kernel could have.
fn each() -> impl Iterator<Item = CapabilitySet> {
    (0..u64::BITS).map(|number| CapabilitySet::from_bits_retain(1 << number))
}

/// Takes every capability that is not among these out of the bounding set, for good.
pub(crate) fn limit_capabilities(bounding: u64) -> io::Result<()> {
    for capability in each() {
        if capability.bits() & bounding != 0 {
            continue;
        }
        match remove_capability_from_bounding_set(capability) {
            Ok(()) => {}
            // The kernel knows no capability of this number, and so none of a higher one.
            Err(rustix::io::Errno::INVAL) => break,
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Has exactly the `held` capabilities from now on. Those in `passed_on` outlive an exec by any
/// user.
pub(crate) fn set_capabilities(held: u64, passed_on: u64) -> io::Result<()> {
    let sets = CapabilitySets {
        effective: CapabilitySet::from_bits_retain(held),
        permitted: CapabilitySet::from_bits_retain(held),
        // A set that only the ambient one needs: alone it lets files give more than was held
        // (CVE-2022-24769).
        inheritable: CapabilitySet::from_bits_retain(passed_on),
    };
    rustix::thread::set_capabilities(None, sets)?;
    for capability in each().filter(|capability| capability.bits() & passed_on != 0) {
        configure_capability_in_ambient_set(capability, true)?;
    }
    Ok(())
}

/// Lets every system call from now on pass this classic BPF program. Each instruction is a number:
/// code, jump if true, jump if false and operand, of 16, 8, 8 and 32 bits from above.
pub(crate) fn filter_calls(program: &[u64]) -> io::Result<()> {
    let instruction = |word: &u64| seccompiler::sock_filter {
        code: (word >> 48) as u16,
        jt: (word >> 40) as u8,
        jf: (word >> 32) as u8,
        k: *word as u32,
    };
    let program: Vec<_> = program.iter().map(instruction).collect();
    seccompiler::apply_filter(&program).map_err(|error| match error {
        seccompiler::Error::Prctl(source) | seccompiler::Error::Seccomp(source) => source,
        other => io::Error::other(other.to_string()),
    })
}

/// Sets one resource limit.
pub(crate) fn set_limit(limit: &ResourceLimit) -> io::Result<()> {
    let wanted = libc::rlimit64 {
        rlim_cur: limit.soft,
        rlim_max: limit.hard,
    };
    let resource = limit.resource.cast_unsigned();
    // SAFETY: the struct lives until the call is over, and the old limit is not asked for.
    let result = unsafe { libc::prlimit64(0, resource, &raw const wanted, std::ptr::null_mut()) };
    Ok(Errno::result(result).map(drop)?)
}
