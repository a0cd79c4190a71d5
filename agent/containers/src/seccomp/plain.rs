//! The calls that a filter allows whatever their arguments are, in front of all other comparisons.
//!
//! These are most of a profile, and their numbers are neighbours. Compared range by range they
//! take a tenth of the instructions that one comparison for each call takes, which the kernel has
//! to check, translate and try out for every task that starts.

use seccompiler::TargetArch;

/// Instructions of the kernel's little machine, as `linux/filter.h` numbers them.
const LOAD: u16 = 0x20;
const JUMP: u16 = 0x05;
const IF_EQUAL: u16 = 0x15;
const IF_GREATER: u16 = 0x25;
const IF_AT_LEAST: u16 = 0x35;
const RETURN: u16 = 0x06;

/// `SECCOMP_RET_ALLOW`.
const ALLOW: u32 = 0x7fff_0000;
/// Where the number of the call is, as the kernel tells it: `seccomp_data.nr`.
const CALL: u32 = 0;
/// Where the kind of processor is: `seccomp_data.arch`.
const PROCESSOR: u32 = 4;

/// Instructions that allow these calls, given in ascending order, and go on with what comes behind
/// them for all others. Nothing for no calls.
pub(super) fn allow(calls: impl IntoIterator<Item = u32>, processor: TargetArch) -> Vec<u64> {
    let ranges = ranges(calls);
    if ranges.is_empty() {
        return Vec::new();
    }
    // What follows each range's place is four instructions each.
    let behind = |place: usize| u32::try_from(4 * (ranges.len() - place)).unwrap_or(u32::MAX);
    let mut program = vec![
        instruction(LOAD, 0, 0, PROCESSOR),
        instruction(IF_EQUAL, 1, 0, audit_number(processor)),
        instruction(JUMP, 0, 0, behind(0) + 1),
        instruction(LOAD, 0, 0, CALL),
    ];
    for (place, (first, last)) in ranges.iter().enumerate() {
        program.extend([
            instruction(IF_GREATER, 3, 0, *last),
            instruction(IF_AT_LEAST, 1, 0, *first),
            // Below this range and above the one before it: in none.
            instruction(JUMP, 0, 0, behind(place + 1) + 1),
            instruction(RETURN, 0, 0, ALLOW),
        ]);
    }
    program
}

/// Neighbours, joined: the first and the last of each row.
fn ranges(calls: impl IntoIterator<Item = u32>) -> Vec<(u32, u32)> {
    let mut ranges: Vec<(u32, u32)> = Vec::new();
    for call in calls {
        match ranges.last_mut() {
            Some((_, last)) if *last + 1 == call => *last = call,
            _ => ranges.push((call, call)),
        }
    }
    ranges
}

/// One instruction as one number, as [`Kernel::filter_calls`](tepui_sys::Kernel) takes them: what
/// to do, how many instructions to leave out if so and if not, and a value.
pub(super) fn instruction(code: u16, yes: u8, no: u8, value: u32) -> u64 {
    u64::from(code) << 48 | u64::from(yes) << 40 | u64::from(no) << 32 | u64::from(value)
}

/// The number of a kind of processor in `linux/audit.h`.
fn audit_number(processor: TargetArch) -> u32 {
    match processor {
        TargetArch::x86_64 => 0xc000_003e,
        TargetArch::aarch64 => 0xc000_00b7,
        TargetArch::riscv64 => 0xc000_00f3,
    }
}
