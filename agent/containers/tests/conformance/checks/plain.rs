//! What every container has that asks for nothing special.

use super::{Group, Line};
use crate::setup::Setup;

pub(super) fn groups() -> Vec<Group> {
    let group = Group::new(
        Setup::new("plain"),
        &[&NAMESPACES, &PROCESS, &MOUNTS, &DEVICES, &HIDDEN],
    );
    let own = "it has no init of its own";
    vec![group.with_own(own, &INIT)]
}

const NAMESPACES: [Line; 11] = [
    ("namespace_pid", "own pid $host_pid", "own"),
    ("namespace_mount", "own mnt $host_mnt", "own"),
    ("namespace_uts", "own uts $host_uts", "own"),
    ("namespace_ipc", "own ipc $host_ipc", "own"),
    ("namespace_network", "own net $host_net", "own"),
    ("namespace_cgroup", "own cgroup $host_cgroup", "own"),
    ("hostname", "hostname", "conformance"),
    (
        "processes_of_the_host_unseen",
        "test $(ls -d /proc/[0-9]* | wc -l) -lt 9 && echo few",
        "few",
    ),
    (
        "network_has_loopback_alone",
        "tail -n +3 /proc/net/dev | cut -d: -f1 | tr -d ' '",
        "lo",
    ),
    (
        "network_loopback_is_up",
        "cat /sys/class/net/lo/flags",
        "0x9",
    ),
    (
        "cgroup_looks_like_the_root",
        "grep -v ':/$' /proc/self/cgroup | wc -l",
        "0",
    ),
];

const PROCESS: [Line; 10] = [
    ("working_directory", "pwd", "/srv"),
    (
        "working_directory_is_inside",
        "readlink /proc/self/cwd",
        "/srv",
    ),
    ("arguments", "echo \"$0|$1\"", "a name|an  argument"),
    (
        "environment_value",
        "echo \"$GREETING\"",
        "hello  \"world\" $HOME",
    ),
    (
        "environment_nothing_else",
        "cat /proc/$$/environ | tr '\\0' '\\n' | cut -d= -f1 | grep -v -E '^(PWD|SHLVL|OLDPWD|_)$' \
         | sort | tr '\\n' ' '",
        "EMPTY GREETING HOME PATH",
    ),
    ("standard_input_is_empty", "wc -c", "0"),
    (
        "open_files",
        "ls /proc/self/fd | tr '\\n' ' '",
        // The fourth is the folder that is listed.
        "0 1 2 3",
    ),
    ("umask", "umask", "0022"),
    ("user_root", "echo $(id -u) $(id -g) $(id -G)", "0 0 0"),
    ("no_new_privileges", "field NoNewPrivs", "1"),
];

const MOUNTS: [Line; 18] = [
    ("mount_proc", "kind /proc", "proc"),
    ("mount_proc_nosuid", "has /proc nosuid", "yes"),
    ("mount_proc_nodev", "has /proc nodev", "yes"),
    ("mount_proc_noexec", "has /proc noexec", "yes"),
    ("mount_sys", "kind /sys", "sysfs"),
    ("mount_sys_read_only", "has /sys ro", "yes"),
    ("mount_sys_nosuid", "has /sys nosuid", "yes"),
    ("mount_dev", "kind /dev", "tmpfs"),
    ("mount_dev_nosuid", "has /dev nosuid", "yes"),
    ("mount_terminals", "kind /dev/pts", "devpts"),
    ("mount_shared_memory", "kind /dev/shm", "tmpfs"),
    ("mount_shared_memory_nodev", "has /dev/shm nodev", "yes"),
    ("mount_shared_memory_nosuid", "has /dev/shm nosuid", "yes"),
    ("mount_shared_memory_mode", "stat -c %a /dev/shm", "1777"),
    ("mount_queues", "kind /dev/mqueue", "mqueue"),
    (
        "mounts_are_private",
        "grep -c -E ' (shared|master):' /proc/self/mountinfo",
        "0",
    ),
    (
        "root_has_no_parent",
        "ls -d /../bin /../../srv | wc -l",
        "2",
    ),
    (
        "root_of_the_host_is_gone",
        "ls / | tr '\\n' ' ' | grep -c -E 'boot|home|opt|usr|lib'",
        "0",
    ),
];

const DEVICES: [Line; 17] = [
    ("device_null", "device /dev/null", "1:3 666"),
    ("device_zero", "device /dev/zero", "1:5 666"),
    ("device_full", "device /dev/full", "1:7 666"),
    ("device_random", "device /dev/random", "1:8 666"),
    ("device_urandom", "device /dev/urandom", "1:9 666"),
    ("device_tty", "device /dev/tty", "5:0 666"),
    (
        "device_null_takes_all",
        "echo x > /dev/null && echo done",
        "done",
    ),
    (
        "device_zero_gives_zeroes",
        "head -c 2 /dev/zero | od -An -tx1",
        "00 00",
    ),
    (
        "device_full_is_full",
        "echo x > /dev/full || echo full",
        "full",
    ),
    ("device_random_gives", "head -c 8 /dev/urandom | wc -c", "8"),
    ("link_fd", "readlink /dev/fd", "/proc/self/fd"),
    ("link_stdin", "readlink /dev/stdin", "/proc/self/fd/0"),
    ("link_stdout", "readlink /dev/stdout", "/proc/self/fd/1"),
    ("link_stderr", "readlink /dev/stderr", "/proc/self/fd/2"),
    ("link_ptmx", "readlink /dev/ptmx", "pts/ptmx"),
    (
        "devices_of_the_host_unseen",
        "ls /dev | grep -c -E '^(sd|vd|nvme|loop|mem|kmem|port|kmsg|kvm|fuse)'",
        "0",
    ),
    (
        "device_made_inside_is_none",
        "mknod /tmp/disk b 254 0; mknod /tmp/other b 8 0; head -c 1 /tmp/disk /tmp/other | wc -c",
        "0",
    ),
];

const HIDDEN: [Line; 17] = [
    ("masked_kcore", "head -c 1 /proc/kcore | wc -c", "0"),
    ("masked_keys", "head -c 1 /proc/keys | wc -c", "0"),
    (
        "masked_timer_list",
        "head -c 1 /proc/timer_list | wc -c",
        "0",
    ),
    (
        "masked_sched_debug",
        "head -c 1 /proc/sched_debug | wc -c",
        "0",
    ),
    (
        "masked_latency_stats",
        "head -c 1 /proc/latency_stats | wc -c",
        "0",
    ),
    (
        "masked_interrupts",
        "head -c 1 /proc/interrupts | wc -c",
        "0",
    ),
    (
        "masked_page_flags",
        "head -c 1 /proc/kpageflags | wc -c",
        "0",
    ),
    ("masked_acpi", "ls /proc/acpi | wc -l", "0"),
    ("masked_scsi", "ls /proc/scsi | wc -l", "0"),
    ("masked_firmware", "ls /sys/firmware | wc -l", "0"),
    (
        "masked_file_takes_nothing_away",
        "echo x > /dev/null && head -c 1 /dev/null | wc -c",
        "0",
    ),
    ("read_only_proc_sys", "has /proc/sys ro", "yes"),
    (
        "read_only_proc_bus",
        "test ! -d /proc/bus && echo yes || has /proc/bus ro",
        "yes",
    ),
    (
        "read_only_proc_fs",
        "test ! -d /proc/fs && echo yes || has /proc/fs ro",
        "yes",
    ),
    (
        "read_only_proc_irq",
        "test ! -d /proc/irq && echo yes || has /proc/irq ro",
        "yes",
    ),
    (
        "read_only_sysctl_cannot_be_written",
        "(: >> /proc/sys/kernel/hostname) || echo refused",
        "refused",
    ),
    (
        "read_only_sysrq",
        "test ! -e /proc/sysrq-trigger && echo refused || (: >> /proc/sysrq-trigger) \
         || echo refused",
        "refused",
    ),
];

const INIT: [Line; 3] = [
    (
        "init_is_not_the_task",
        "test $$ != 1 && echo other",
        "other",
    ),
    (
        "init_reaps_orphans",
        "sh -c 'sleep 0.1 & :'; sleep 0.6; grep -l '^State:.Z' /proc/[0-9]*/status | wc -l",
        "0",
    ),
    (
        "init_cannot_be_looked_into",
        "readlink /proc/1/fd/0 || echo refused",
        "refused",
    ),
];
