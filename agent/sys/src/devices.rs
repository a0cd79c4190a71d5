//! Which device files the processes of a v2 cgroup may use: there are no files to write a list to,
//! but a program that the kernel asks.

use std::{
    io,
    os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd},
};

use nix::errno::Errno;

/// Devices that may be used, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeviceRule {
    /// Whether they are block devices, and no character devices.
    pub block: bool,
    /// The number of the driver; none for all.
    pub major: Option<u32>,
    /// The number of the device among the driver's; none for all.
    pub minor: Option<u32>,
    /// Whether they may be read.
    pub read: bool,
    /// Whether they may be written.
    pub write: bool,
    /// Whether files for them may be made.
    pub make: bool,
}

const BPF_PROG_LOAD: u32 = 5;
const BPF_PROG_ATTACH: u32 = 8;
const BPF_PROG_TYPE_CGROUP_DEVICE: u32 = 15;
const BPF_CGROUP_DEVICE: u32 = 6;
/// Beside the programs of groups above, all of which must allow it.
const BPF_F_ALLOW_MULTI: u32 = 2;

const BLOCK: i32 = 1;
const CHARACTER: i32 = 2;
const MAKE: i32 = 1;
const READ: i32 = 2;
const WRITE: i32 = 4;

/// The most instructions that the kernel takes from anybody.
const MAX_INSTRUCTIONS: usize = 4096;

#[repr(C)]
struct Load {
    kind: u32,
    count: u32,
    instructions: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log: u64,
    kernel_version: u32,
    flags: u32,
}

#[repr(C)]
struct Attach {
    target: u32,
    program: u32,
    kind: u32,
    flags: u32,
}

/// How often a program is loaded before an interruption counts as an error.
const LOAD_ATTEMPTS: u32 = 10;

/// Lets the processes of a v2 cgroup, and of those below, use these devices alone.
pub fn allow_devices(group: BorrowedFd<'_>, rules: &[DeviceRule]) -> io::Result<()> {
    let program = load(&assemble(rules))?;
    let attach = Attach {
        target: group.as_raw_fd() as u32,
        program: program.as_raw_fd() as u32,
        kind: BPF_CGROUP_DEVICE,
        flags: BPF_F_ALLOW_MULTI,
    };
    call(BPF_PROG_ATTACH, &attach).map(drop)
}

/// Whether the kernel takes such a program.
pub fn can_allow_devices() -> io::Result<()> {
    load(&assemble(&[])).map(drop)
}

fn load(program: &[u64]) -> io::Result<OwnedFd> {
    if program.len() > MAX_INSTRUCTIONS {
        return Err(io::Error::other("there are too many devices in the list"));
    }
    let license = c"Apache-2.0";
    let load = Load {
        kind: BPF_PROG_TYPE_CGROUP_DEVICE,
        count: program.len() as u32,
        instructions: program.as_ptr() as u64,
        license: license.as_ptr() as u64,
        log_level: 0,
        log_size: 0,
        log: 0,
        kernel_version: 0,
        flags: 0,
    };
    let file = uninterrupted(|| call(BPF_PROG_LOAD, &load))?;
    // SAFETY: the kernel has just given this descriptor to us, and nobody else has it.
    Ok(unsafe { OwnedFd::from_raw_fd(file) })
}

/// Tries again where the kernel gave up checking a program because a signal came: EAGAIN.
fn uninterrupted<T>(mut attempt: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    for _ in 1..LOAD_ATTEMPTS {
        match attempt() {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            done => return done,
        }
    }
    attempt()
}

fn call<T>(command: u32, attributes: &T) -> io::Result<i32> {
    let size = size_of::<T>();
    // SAFETY: the struct and what it points to live until the call is over, and the size is its.
    let result =
        unsafe { libc::syscall(libc::SYS_bpf, command, std::ptr::from_ref(attributes), size) };
    Ok(Errno::result(result as i32)?)
}

/// A program of 64 bits an instruction: code, registers, jump and operand from below. The kernel
/// puts what it is about into three numbers: kind and access, driver, device.
fn assemble(rules: &[DeviceRule]) -> Vec<u64> {
    let mut program = vec![
        // Register 2 is the kind, 3 the access, 4 the driver and 5 the device.
        instruction(0x61, 2, 1, 0, 0),
        instruction(0x54, 2, 0, 0, 0xffff),
        instruction(0x61, 3, 1, 0, 0),
        instruction(0x74, 3, 0, 0, 16),
        instruction(0x61, 4, 1, 4, 0),
        instruction(0x61, 5, 1, 8, 0),
    ];
    for rule in rules {
        program.extend(one(rule));
    }
    program.extend(answer(false));
    program
}

/// Allows what a rule has, or goes on behind it.
fn one(rule: &DeviceRule) -> Vec<u64> {
    let kind = if rule.block { BLOCK } else { CHARACTER };
    let access = [(rule.make, MAKE), (rule.read, READ), (rule.write, WRITE)];
    let access: i32 = access
        .iter()
        .filter(|(may, _)| *may)
        .map(|(_, bit)| bit)
        .sum();
    let numbers = [(4, rule.major), (5, rule.minor)];
    let numbers: Vec<_> = numbers
        .into_iter()
        .filter_map(|(register, number)| Some((register, number?)))
        .collect();
    // The kind, what is asked for beyond the access, the numbers, and the answer.
    let length = 1 + 3 + numbers.len() + 2;
    let behind = |at: usize| (length - at - 1) as i16;
    let mut part = vec![
        instruction(0x55, 2, 0, behind(0), kind),
        instruction(0xbc, 1, 3, 0, 0),
        instruction(0x54, 1, 0, 0, access),
        instruction(0x5d, 1, 3, behind(3), 0),
    ];
    for (register, number) in numbers {
        let jump = behind(part.len());
        part.push(instruction(0x55, register, 0, jump, number as i32));
    }
    part.extend(answer(true));
    part
}

fn answer(allowed: bool) -> [u64; 2] {
    [
        instruction(0xb4, 0, 0, 0, i32::from(allowed)),
        instruction(0x95, 0, 0, 0, 0),
    ]
}

fn instruction(code: u8, to: u8, from: u8, jump: i16, operand: i32) -> u64 {
    let registers = u64::from(to | from << 4);
    let jump = u64::from(jump as u16);
    u64::from(code) | registers << 8 | jump << 16 | u64::from(operand as u32) << 32
}

#[cfg(test)]
mod tests {
    use std::{fs, fs::File, os::fd::AsFd, path::PathBuf, process::Command};

    use super::*;

    #[test]
    fn a_check_that_a_signal_cut_off_is_done_again_and_not_for_ever() {
        let again = || Err(io::ErrorKind::WouldBlock.into());
        let mut left = 3;
        let third = uninterrupted(|| {
            left -= 1;
            if left == 0 { Ok(7) } else { again() }
        });
        assert_eq!((third.unwrap(), left), (7, 0));
        let mut attempts = 0;
        let never: io::Result<i32> = uninterrupted(|| {
            attempts += 1;
            again()
        });
        assert_eq!(never.unwrap_err().kind(), io::ErrorKind::WouldBlock);
        assert_eq!(attempts, LOAD_ATTEMPTS);
        let refused: io::Result<i32> =
            uninterrupted(|| Err(io::ErrorKind::PermissionDenied.into()));
        assert_eq!(refused.unwrap_err().kind(), io::ErrorKind::PermissionDenied);
    }

    fn rule(minor: Option<u32>, write: bool) -> DeviceRule {
        DeviceRule {
            block: false,
            major: Some(1),
            minor,
            read: true,
            write,
            make: false,
        }
    }

    #[test]
    fn a_program_jumps_from_rule_to_rule_and_ends_with_no() {
        let program = assemble(&[rule(Some(3), true), rule(None, false)]);
        assert_eq!(program.len(), 6 + 8 + 7 + 2);
        assert_eq!(
            program[6], 0x0000_0002_0007_0255,
            "another kind: the next rule"
        );
        assert_eq!(program[8], 0x0000_0006_0000_0154, "reading and writing");
        assert_eq!(
            program[11], 0x0000_0003_0002_0555,
            "another device: the next rule"
        );
        assert_eq!(program[21..], [0xb4, 0x95]);
        assert_eq!(assemble(&[]).len(), 8);
    }

    /// A v2 hierarchy, whether it has controllers or not.
    fn unified() -> Option<PathBuf> {
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
        let line = mounts.lines().find(|line| line.contains(" - cgroup2 "))?;
        line.split(' ').nth(4).map(PathBuf::from)
    }

    #[test]
    fn processes_of_a_group_use_the_devices_of_the_list_and_no_others() {
        let Some(hierarchy) = unified().filter(|_| nix::unistd::geteuid().is_root()) else {
            return eprintln!("not run: it needs root, and a v2 hierarchy of cgroups");
        };
        let group = hierarchy.join(format!("tepui-devices-{}", std::process::id()));
        fs::create_dir(&group).unwrap();
        let opened = File::open(&group).unwrap();
        let line = format!(
            "echo 0 > {}/cgroup.procs; for name in zero full; do \
             head -c 1 /dev/$name > /dev/null && echo read $name; done; \
             (: > /dev/full) && echo written",
            group.display()
        );
        let said = || {
            let output = Command::new("sh").args(["-c", &line]).output().unwrap();
            String::from_utf8(output.stdout).unwrap()
        };
        let open = said();
        let null = rule(Some(3), true);
        allow_devices(opened.as_fd(), &[null, rule(Some(7), false)]).unwrap();
        let first = said();
        fs::remove_dir(&group).unwrap();
        assert_eq!(open, "read zero\nread full\nwritten\n", "without the list");
        assert_eq!(first, "read full\n");
    }
}
