//! What a container's processes may do: capabilities, users, system calls.

use super::{Group, Line};
use crate::setup::Setup;

pub(super) fn groups() -> Vec<Group> {
    let root = Group::new(Setup::new("root"), &[&ROOT]);
    let own = "it has no filter of its own there";
    let mut user = Setup::new("user");
    user.user = (1000, 1001, vec![5, 6]);
    let mut weak = Setup::new("weak");
    weak.powerful = false;
    let mut filtered = Setup::new("filtered");
    filtered.profile = Some("some");
    vec![
        root.with_own(own, &FILTER),
        Group::new(user, &[&USER]),
        Group::new(weak, &[&WEAK]),
        Group::new(filtered, &[&FILTERED]),
    ]
}

const ROOT: [Line; 14] = [
    ("capabilities_effective", "field CapEff", "00000000a80425fb"),
    ("capabilities_permitted", "field CapPrm", "00000000a80425fb"),
    ("capabilities_bounding", "field CapBnd", "00000000a80425fb"),
    (
        "capabilities_inheritable",
        "field CapInh",
        "0000000000000000",
    ),
    ("capabilities_ambient", "field CapAmb", "0000000000000000"),
    (
        "may_change_owners",
        "touch /tmp/owned; chown 7:8 /tmp/owned && stat -c %u:%g /tmp/owned",
        "7:8",
    ),
    ("may_read_what_belongs_to_others", "cat /of-user", "of-user"),
    ("may_change_its_root", "chroot / /bin/echo done", "done"),
    (
        "may_send_raw_packets",
        "ping -c 1 -W 5 127.0.0.1 > /dev/null && echo done",
        "done",
    ),
    (
        "may_not_mount",
        "mount -t tmpfs none /tmp && echo done || echo refused",
        "refused",
    ),
    (
        "may_not_unmount",
        "umount /proc && echo done || echo refused",
        "refused",
    ),
    (
        "may_not_remount",
        "mount -o remount,rw,bind /proc/sys && echo done || echo refused",
        "refused",
    ),
    (
        "may_not_name_the_host",
        "hostname other && echo done || echo refused",
        "refused",
    ),
    (
        "may_not_raise_its_priority",
        "nice -n -5 echo done || echo refused",
        "refused",
    ),
];

const FILTER: [Line; 2] = [
    ("filter_is_there_by_default", "field Seccomp", "2"),
    (
        "may_not_make_user_namespaces",
        "unshare -U echo done || echo refused",
        "refused",
    ),
];

const USER: [Line; 12] = [
    ("user_id", "id -u", "1000"),
    ("user_group", "id -g", "1001"),
    ("user_groups", "id -G", "1001 5 6"),
    (
        "user_real_and_saved",
        "grep -E '^[UG]id' /proc/self/status | tr '\\t\\n' '  '",
        "Uid: 1000 1000 1000 1000 Gid: 1001 1001 1001 1001",
    ),
    (
        "user_has_no_capabilities",
        "echo $(field CapEff) $(field CapPrm) $(field CapAmb)",
        "0000000000000000 0000000000000000 0000000000000000",
    ),
    ("user_no_new_privileges", "field NoNewPrivs", "1"),
    (
        "user_cannot_write_to_the_root",
        "(: > /file) && echo done || echo refused",
        "refused",
    ),
    (
        "user_cannot_read_what_is_root_s",
        "cat /of-root || echo refused",
        "refused",
    ),
    ("user_reads_its_own", "cat /of-user", "of-user"),
    (
        "user_makes_files_of_its_own",
        "touch /tmp/mine; stat -c '%u:%g %a' /tmp/mine",
        "1000:1001 644",
    ),
    (
        "user_cannot_give_files_away",
        "touch /tmp/gift; chown 0 /tmp/gift || echo refused",
        "refused",
    ),
    (
        "user_cannot_make_devices",
        "mknod /tmp/null c 1 3 || echo refused",
        "refused",
    ),
];

const WEAK: [Line; 7] = [
    (
        "weak_root_has_nothing",
        "echo $(field CapEff) $(field CapPrm)",
        "0000000000000000 0000000000000000",
    ),
    (
        "weak_root_can_get_nothing",
        "field CapBnd",
        "0000000000000000",
    ),
    (
        "weak_root_cannot_change_owners",
        "touch /tmp/owned; chown 7 /tmp/owned || echo refused",
        "refused",
    ),
    (
        "weak_root_cannot_read_what_belongs_to_others",
        "cat /of-user || echo refused",
        "refused",
    ),
    (
        "weak_root_cannot_change_its_root",
        "chroot / /bin/echo done || echo refused",
        "refused",
    ),
    (
        "weak_root_cannot_make_devices",
        "mknod /tmp/null c 1 3 || echo refused",
        "refused",
    ),
    (
        "weak_root_is_root_all_the_same",
        "id -u; cat /of-root",
        "0\nof-root",
    ),
];

const FILTERED: [Line; 7] = [
    ("filter_is_on", "field Seccomp", "2"),
    (
        "filter_with_an_error_of_its_own",
        "mkdir /tmp/x 2>&1 | grep -c 'Permission denied'",
        "1",
    ),
    (
        "filter_with_the_usual_error",
        "ln -s a /tmp/l 2>&1 | grep -c 'Operation not permitted'",
        "1",
    ),
    ("filter_that_kills", "sync; echo $?", "159"),
    (
        "filter_by_argument_refuses",
        "linux32 echo done || echo refused",
        "refused",
    ),
    (
        "filter_by_argument_allows",
        "linux64 echo done || echo refused",
        "done",
    ),
    (
        "filter_lets_the_rest_pass",
        "touch /tmp/y && echo done",
        "done",
    ),
];
