//! What groups count, as the kernel writes it.

use std::{collections::BTreeMap, path::Path};

use super::read;
use crate::{DeviceUsage, MemoryUsage, Pressure, Stall, Throttling};

/// A file of `key value` lines.
pub(super) struct Keyed(String);

impl Keyed {
    pub(super) fn of(path: &Path) -> Self {
        Self(read(path))
    }

    pub(super) fn get(&self, key: &str) -> Option<u64> {
        let mut lines = self.0.lines().filter_map(|line| line.split_once(' '));
        lines.find_map(|(name, value)| (name == key).then(|| value.trim().parse().ok())?)
    }
}

/// Periods, and how many of them were too short. `time` and its unit in nanoseconds differ.
pub(super) fn throttling(statistics: &Keyed, time: (&str, u64)) -> Option<Throttling> {
    Some(Throttling {
        periods: statistics.get("nr_periods")?,
        throttled: statistics.get("nr_throttled")?,
        nanos: statistics.get(time.0)?.saturating_mul(time.1),
    })
}

/// The memory of a v1 group. What groups below use counts, as it does for the limit.
pub(super) fn memory_v1(statistics: &Keyed) -> MemoryUsage {
    let total = |key: &str| statistics.get(&format!("total_{key}"));
    MemoryUsage {
        file: total("cache"),
        anonymous: total("rss"),
        mapped: total("mapped_file"),
        swap: total("swap"),
        unevictable: total("unevictable"),
        ..MemoryUsage::default()
    }
}

/// The memory of a v2 group.
pub(super) fn memory_v2(statistics: &Keyed) -> MemoryUsage {
    MemoryUsage {
        file: statistics.get("file"),
        anonymous: statistics.get("anon"),
        mapped: statistics.get("file_mapped"),
        unevictable: statistics.get("unevictable"),
        // Before 5.18 the kernel gives its parts alone.
        kernel: statistics.get("kernel").or_else(|| {
            let parts = ["kernel_stack", "slab"].map(|key| statistics.get(key));
            parts.into_iter().sum()
        }),
        sockets: statistics.get("sock"),
        ..MemoryUsage::default()
    }
}

/// What a v1 group reads from disks and writes to them: lines of `major:minor operation count`.
pub(super) fn devices_v1(bytes: &str, operations: &str) -> Vec<DeviceUsage> {
    let mut devices = BTreeMap::new();
    for (text, counts_bytes) in [(bytes, true), (operations, false)] {
        for (number, operation, count) in text.lines().filter_map(line_v1) {
            let device = devices.entry(number).or_insert_with(|| empty(number));
            match (operation, counts_bytes) {
                ("Read", true) => device.read_bytes = count,
                ("Write", true) => device.written_bytes = count,
                ("Read", false) => device.reads = count,
                ("Write", false) => device.writes = count,
                _ => {}
            }
        }
    }
    devices.into_values().collect()
}

fn line_v1(line: &str) -> Option<((u32, u32), &str, u64)> {
    let mut words = line.split(' ');
    let number = device_number(words.next()?)?;
    Some((number, words.next()?, words.next()?.parse().ok()?))
}

/// The same of a v2 group: lines of `major:minor rbytes=1 wbytes=2 rios=3 wios=4`.
pub(super) fn devices_v2(text: &str) -> Vec<DeviceUsage> {
    let device = |line: &str| {
        let mut words = line.split(' ');
        let mut device = empty(device_number(words.next()?)?);
        for (key, count) in words.filter_map(|word| word.split_once('=')) {
            let count = count.parse().unwrap_or(0);
            match key {
                "rbytes" => device.read_bytes = count,
                "wbytes" => device.written_bytes = count,
                "rios" => device.reads = count,
                "wios" => device.writes = count,
                _ => {}
            }
        }
        Some(device)
    };
    text.lines().filter_map(device).collect()
}

fn device_number(text: &str) -> Option<(u32, u32)> {
    let (major, minor) = text.split_once(':')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

const fn empty((major, minor): (u32, u32)) -> DeviceUsage {
    DeviceUsage {
        major,
        minor,
        read_bytes: 0,
        written_bytes: 0,
        reads: 0,
        writes: 0,
    }
}

/// How long processes waited, where the kernel measures it.
pub(super) fn pressure(group: &Path) -> Pressure {
    let of = |name: &str| {
        let text = read(&group.join(name));
        let line = |kind: &str| text.lines().find_map(|line| line.strip_prefix(kind));
        Some(Stall {
            some_micros: total(line("some ")?)?,
            // Kernels before 5.13 have none for processors.
            full_micros: line("full ").and_then(total).unwrap_or(0),
        })
    };
    Pressure {
        cpu: of("cpu.pressure"),
        memory: of("memory.pressure"),
        io: of("io.pressure"),
    }
}

fn total(line: &str) -> Option<u64> {
    let word = line.split(' ').find_map(|word| word.strip_prefix("total="));
    word?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn disks_are_told_apart_in_both_versions() {
        let bytes = "8:0 Read 4096\n8:0 Write 512\n8:0 Total 4608\n254:16 Read 1\nTotal 4609\n";
        let operations = "8:0 Read 2\n8:0 Write 1\n254:16 Read 1\nTotal 4\n";
        let first = DeviceUsage {
            read_bytes: 4096,
            written_bytes: 512,
            reads: 2,
            writes: 1,
            ..empty((8, 0))
        };
        let second = DeviceUsage {
            read_bytes: 1,
            reads: 1,
            ..empty((254, 16))
        };
        assert_eq!(devices_v1(bytes, operations), [first, second]);
        let text = "8:0 rbytes=4096 wbytes=512 rios=2 wios=1 dbytes=0 dios=0\n\
                    254:16 rbytes=1 wbytes=0 rios=1 wios=0\nnonsense\n";
        assert_eq!(devices_v2(text), [first, second]);
    }

    #[test]
    fn pressure_is_read_where_it_is_measured() {
        let folder = tempfile::tempdir().unwrap();
        let text = "some avg10=0.00 avg60=1.50 avg300=0.00 total=7001\n\
                    full avg10=0.00 avg60=0.00 avg300=0.00 total=12\n";
        fs::write(folder.path().join("memory.pressure"), text).unwrap();
        let cpu = text.lines().next().unwrap();
        fs::write(folder.path().join("cpu.pressure"), cpu).unwrap();
        let found = pressure(folder.path());
        let stall = |some_micros, full_micros| {
            Some(Stall {
                some_micros,
                full_micros,
            })
        };
        assert_eq!((found.memory, found.cpu), (stall(7001, 12), stall(7001, 0)));
        assert_eq!(found.io, None);
    }

    #[test]
    fn memory_and_throttling_are_named_as_each_version_does() {
        let v1 = Keyed("cache 1\ntotal_cache 10\ntotal_rss 20\ntotal_swap 3\n".to_owned());
        let memory = memory_v1(&v1);
        assert_eq!((memory.file, memory.anonymous), (Some(10), Some(20)));
        assert_eq!((memory.swap, memory.mapped), (Some(3), None));
        let v2 = Keyed("anon 20\nfile 10\nkernel_stack 1\nslab 2\nsock 4\n".to_owned());
        let memory = memory_v2(&v2);
        assert_eq!((memory.file, memory.anonymous), (Some(10), Some(20)));
        assert_eq!((memory.kernel, memory.sockets), (Some(3), Some(4)));
        let cpu = Keyed("nr_periods 9\nnr_throttled 2\nthrottled_usec 5\n".to_owned());
        let throttling = throttling(&cpu, ("throttled_usec", 1000)).unwrap();
        assert_eq!((throttling.periods, throttling.nanos), (9, 5000));
    }
}
