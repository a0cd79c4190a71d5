//! Limits on single processes and on all of a container.

use tepui_containers::Resource;

use super::{Group, Line};
use crate::setup::Setup;

pub(super) fn groups() -> Vec<Group> {
    let mut setup = Setup::new("limited");
    setup.pids = 24;
    setup.limits = vec![
        (Resource::OpenFiles, "RLIMIT_NOFILE", 64, 128),
        (Resource::Core, "RLIMIT_CORE", 0, 0),
        (Resource::FileSize, "RLIMIT_FSIZE", 1 << 20, 1 << 20),
        (Resource::Stack, "RLIMIT_STACK", 4 << 20, 4 << 20),
        (Resource::Cpu, "RLIMIT_CPU", 100, 200),
        (Resource::AddressSpace, "RLIMIT_AS", 1 << 30, 1 << 30),
    ];
    let own = "on v1 it leaves the hierarchies writable";
    vec![Group::new(setup, &[&PROCESS, &CGROUP]).with_own(own, &FIXED)]
}

const PROCESS: [Line; 9] = [
    ("rlimit_open_files_soft", "ulimit -Sn", "64"),
    ("rlimit_open_files_hard", "ulimit -Hn", "128"),
    (
        "rlimit_open_files_can_be_raised",
        "ulimit -Sn 100; ulimit -Sn",
        "100",
    ),
    (
        "rlimit_open_files_cannot_be_passed",
        "ulimit -Hn 256; ulimit -Hn",
        "128",
    ),
    ("rlimit_core", "ulimit -c", "0"),
    (
        "rlimit_file_size",
        "awk '/^Max file size/ { print $4, $5 }' /proc/self/limits",
        "1048576 1048576",
    ),
    (
        "rlimit_file_size_holds",
        "head -c 2000000 /dev/zero > /tmp/large; stat -c %s /tmp/large",
        "1048576",
    ),
    (
        "rlimit_stack",
        "awk '/^Max stack size/ { print $4, $5 }' /proc/self/limits",
        "4194304 4194304",
    ),
    (
        "rlimit_cpu",
        "awk '/^Max cpu time/ { print $4, $5 }' /proc/self/limits",
        "100 200",
    ),
];

const CGROUP: [Line; 6] = [
    (
        "cgroup_memory_limit",
        "first /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max",
        "67108864",
    ),
    (
        "cgroup_cpu_quota",
        "cat /sys/fs/cgroup/cpu.max || echo $(first /sys/fs/cgroup/cpu*/cpu.cfs_quota_us) \
         $(first /sys/fs/cgroup/cpu*/cpu.cfs_period_us)",
        "50000 100000",
    ),
    (
        "cgroup_none_can_be_made",
        "mkdir /sys/fs/cgroup/new /sys/fs/cgroup/memory/new || echo refused",
        "refused",
    ),
    (
        "cgroup_is_its_own",
        "first /sys/fs/cgroup/pids/cgroup.procs /sys/fs/cgroup/cgroup.procs | grep -c .",
        "1",
    ),
    (
        "cgroup_counts_processes",
        "test $(first /sys/fs/cgroup/pids/pids.current /sys/fs/cgroup/pids.current) -lt 9 \
         && echo few",
        "few",
    ),
    (
        "cgroup_pids_limit_holds",
        "(i=0; while [ $i -lt 40 ]; do sleep 20 > /dev/null 2>&1 & i=$((i + 1)); done) 2>&1 \
         | grep -c 'ork'",
        // What sleeps ends with the container, of which this is the last check.
        "1",
    ),
];

const FIXED: [Line; 1] = [(
    "cgroup_cannot_be_written",
    "for file in /sys/fs/cgroup/cgroup.procs /sys/fs/cgroup/memory/cgroup.procs; do \
         echo $$ > $file && echo done; done; true",
    "",
)];
