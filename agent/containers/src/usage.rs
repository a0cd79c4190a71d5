//! What a container uses.

use crate::DiskReport;

/// What a container uses. What no isolator counts is nothing, or absent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Processor time so far, in nanoseconds.
    pub cpu_nanos: u64,
    /// Of that, what its own programs took, in nanoseconds.
    pub cpu_user_nanos: u64,
    /// Of that, what the kernel took for them, in nanoseconds.
    pub cpu_system_nanos: u64,
    /// How often its quota was used up.
    pub throttling: Option<Throttling>,
    /// Memory in use now.
    pub memory_bytes: u64,
    /// What that is made of.
    pub memory: MemoryUsage,
    /// Processes and threads now, the container's init included.
    pub pids: u64,
    /// Processes now, the container's init included.
    pub processes: u64,
    /// What was read from disks and written to them.
    pub devices: Vec<DeviceUsage>,
    /// How long its processes waited.
    pub pressure: Pressure,
    /// The processors that it may run on, as in `0-3,7`, where they are bounded.
    pub processors: Option<String>,
    /// The numbers of the GPUs that it has.
    pub gpus: Vec<u32>,
    /// The handle on its packets.
    pub net_class: Option<u32>,
    /// What its sandbox holds and may hold, where the kernel counts it.
    pub disk: Option<DiskReport>,
}

/// How often a quota was used up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Throttling {
    /// Periods in which it ran.
    pub periods: u64,
    /// Those in which it had to wait for the next.
    pub throttled: u64,
    /// How long all its processors together waited, in nanoseconds.
    pub nanos: u64,
}

/// What memory is made of, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MemoryUsage {
    /// With what was swapped out.
    pub with_swap: Option<u64>,
    /// What was swapped out.
    pub swap: Option<u64>,
    /// Files that were read or written, shared memory too.
    pub file: Option<u64>,
    /// What is of no file.
    pub anonymous: Option<u64>,
    /// Files that are mapped.
    pub mapped: Option<u64>,
    /// What cannot be given back.
    pub unevictable: Option<u64>,
    /// What the kernel needs.
    pub kernel: Option<u64>,
    /// Of that, buffers of connections.
    pub sockets: Option<u64>,
}

/// What was read from one disk and written to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeviceUsage {
    /// The number of the driver.
    pub major: u32,
    /// The number of the disk among the driver's.
    pub minor: u32,
    /// Bytes read.
    pub read_bytes: u64,
    /// Bytes written.
    pub written_bytes: u64,
    /// Reads.
    pub reads: u64,
    /// Writes.
    pub writes: u64,
}

/// How long processes waited, where the kernel measures it (v2, PSI).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pressure {
    /// For a processor.
    pub cpu: Option<Stall>,
    /// For memory.
    pub memory: Option<Stall>,
    /// For disks.
    pub io: Option<Stall>,
}

/// Time in which processes could not go on, in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stall {
    /// At least one of them.
    pub some_micros: u64,
    /// All of them.
    pub full_micros: u64,
}
