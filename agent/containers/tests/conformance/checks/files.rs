//! Volumes, and roots that may only be read.

use std::path::Path;

use nix::sys::stat::{Mode, SFlag, makedev, mknod};

use super::{Group, Line};
use crate::setup::Setup;

pub(super) fn groups() -> Vec<Group> {
    let mut volumes = Group::new(Setup::new("volumes"), &[&VOLUMES]);
    volumes.with_volumes = true;
    let mut setup = Setup::new("fixed-root");
    setup.read_only_root = true;
    let mut fixed = Group::new(setup, &[&FIXED_ROOT]);
    fixed.with_volumes = true;
    vec![volumes, fixed]
}

/// A file for zeroes, in a folder that becomes a volume.
pub(super) fn make_device(path: &Path) {
    let mode = Mode::from_bits_truncate(0o666);
    mknod(path, SFlag::S_IFCHR, mode, makedev(1, 5)).unwrap();
}

const VOLUMES: [Line; 10] = [
    ("volume_is_there", "cat /data/found", "data"),
    (
        "volume_can_be_written",
        "echo x > /data/new && cat /data/new",
        "x",
    ),
    ("volume_nodev", "has /data nodev", "yes"),
    (
        "volume_devices_are_none",
        "head -c 1 /data/zero | wc -c",
        "0",
    ),
    ("volume_within_a_volume", "cat /data/inner/found", "inner"),
    ("volume_read_only", "has /fixed ro", "yes"),
    ("volume_read_only_is_there", "cat /fixed/found", "fixed"),
    (
        "volume_read_only_cannot_be_written",
        "(: > /fixed/new) || echo refused",
        "refused",
    ),
    (
        "volume_within_read_only",
        "(: > /data/inner/new) || echo refused",
        "refused",
    ),
    (
        "volume_read_only_stays",
        "mount -o remount,rw,bind /fixed && echo done || echo refused",
        "refused",
    ),
];

const FIXED_ROOT: [Line; 7] = [
    ("root_read_only", "has / ro", "yes"),
    (
        "root_read_only_takes_no_files",
        "(: > /file) || echo refused",
        "refused",
    ),
    (
        "root_read_only_keeps_its_files",
        "chmod 700 /srv/text || echo refused",
        "refused",
    ),
    (
        "root_read_only_takes_no_folders",
        "mkdir /tmp/x || echo refused",
        "refused",
    ),
    (
        "root_read_only_has_shared_memory",
        "echo x > /dev/shm/x && cat /dev/shm/x",
        "x",
    ),
    (
        "root_read_only_has_volumes",
        "echo x > /data/new && cat /data/new",
        "x",
    ),
    (
        "root_read_only_has_null",
        "echo x > /dev/null && echo done",
        "done",
    ),
];
