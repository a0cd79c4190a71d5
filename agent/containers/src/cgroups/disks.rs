//! How groups share disks.

use std::{fs, path::Path};

use super::{Error, IoLimits, is_gone, read, write};

/// The files for the weight of a group, v1 and v2: of the BFQ scheduler, and of the kernel's own.
pub(super) const WEIGHTS: [&str; 4] = [
    "io.weight",
    "io.bfq.weight",
    "blkio.weight",
    "blkio.bfq.weight",
];

/// Whether groups beside this one can be weighed.
pub(super) fn can_weigh(group: &Path) -> bool {
    WEIGHTS.iter().any(|name| group.join(name).exists())
}

/// Weighs and bounds a group of v1.
pub(super) fn limit_v1(group: &Path, limits: IoLimits) -> Result<(), Error> {
    weigh(group, limits)?;
    let files = [
        ("blkio.throttle.read_bps_device", limits.most_read),
        ("blkio.throttle.write_bps_device", limits.most_written),
    ];
    for (name, most) in files {
        let Some(most) = most else { continue };
        for disk in numbers() {
            bound(&group.join(name), &format!("{disk} {}", most.0))?;
        }
    }
    Ok(())
}

/// Weighs and bounds a group of v2.
pub(super) fn limit_v2(group: &Path, limits: IoLimits) -> Result<(), Error> {
    weigh(group, limits)?;
    let bounds = [("rbps", limits.most_read), ("wbps", limits.most_written)];
    let bounds = bounds
        .into_iter()
        .filter_map(|(key, most)| Some(format!(" {key}={}", most?.0)));
    let bounds: String = bounds.collect();
    if bounds.is_empty() {
        return Ok(());
    }
    let mut disks = numbers().into_iter();
    disks.try_for_each(|disk| bound(&group.join("io.max"), &format!("{disk}{bounds}")))
}

fn weigh(group: &Path, limits: IoLimits) -> Result<(), Error> {
    let Some(weight) = limits.weight else {
        return Ok(());
    };
    let mut files = WEIGHTS.iter().map(|name| group.join(name));
    match files.find(|file| file.exists()) {
        Some(file) => write(&file, weight),
        None => Err(Error::new(
            "weigh",
            group,
            "the kernel weighs no disks here",
        )),
    }
}

/// A disk that has gone since it was listed bounds nobody.
fn bound(file: &Path, line: &str) -> Result<(), Error> {
    match fs::write(file, line) {
        Err(error) if is_gone(&error) => Ok(()),
        written => {
            written.map_err(|error| Error::new("write", file, format_args!("{error} ({line})")))
        }
    }
}

/// The numbers of this machine's disks that have any room.
fn numbers() -> Vec<String> {
    let disks = fs::read_dir("/sys/block").into_iter().flatten().flatten();
    let disks = disks.map(|disk| disk.path());
    let disks = disks.filter(|disk| !["", "0"].contains(&read(&disk.join("size")).trim()));
    let numbers = disks.map(|disk| read(&disk.join("dev")).trim().to_owned());
    numbers.filter(|number| !number.is_empty()).collect()
}
