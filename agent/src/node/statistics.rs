//! What a container uses, as Mesos has it.

use std::time::{SystemTime, UNIX_EPOCH};

use tepui_containers::{Bytes, DeviceUsage, Pressure, Stall, Usage};
use tepui_model::Resources;
use tepui_proto::v1::{
    self,
    cgroup_info::blkio::{Operation, Statistics, Value, throttling},
};

/// What a container uses, and what it was asked to have.
pub(super) fn of(usage: &Usage, resources: Option<&Resources>) -> v1::ResourceStatistics {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let megabytes = |resources: &Resources| Bytes::from_megabytes(resources.memory()).0;
    let memory = &usage.memory;
    let throttled = usage.throttling.as_ref();
    v1::ResourceStatistics {
        timestamp: now.as_secs_f64(),
        processes: Some(small(usage.processes)),
        threads: Some(small(usage.pids)),
        cpus_user_time_secs: Some(seconds(user(usage))),
        cpus_system_time_secs: Some(seconds(usage.cpu_system_nanos)),
        cpus_soft_limit: resources.map(|resources| resources.cpus().as_f64()),
        cpus_limit: resources.map(|resources| resources.cpus().as_f64()),
        cpus_nr_periods: throttled.map(|it| small(it.periods)),
        cpus_nr_throttled: throttled.map(|it| small(it.throttled)),
        cpus_throttled_time_secs: throttled.map(|it| seconds(it.nanos)),
        mem_limit_bytes: resources.map(megabytes),
        mem_soft_limit_bytes: resources.map(megabytes),
        mem_total_bytes: Some(usage.memory_bytes),
        mem_total_memsw_bytes: memory.with_swap,
        mem_kmem_usage_bytes: memory.kernel,
        mem_kmem_tcp_usage_bytes: memory.sockets,
        mem_file_bytes: memory.file,
        mem_cache_bytes: memory.file,
        mem_anon_bytes: memory.anonymous,
        mem_rss_bytes: memory.anonymous,
        mem_mapped_file_bytes: memory.mapped,
        mem_swap_bytes: memory.swap,
        mem_unevictable_bytes: memory.unevictable,
        disk_limit_bytes: usage.disk.map(|disk| disk.limit.0),
        disk_used_bytes: usage.disk.map(|disk| disk.used.0),
        blkio_statistics: disks(&usage.devices),
        ..v1::ResourceStatistics::default()
    }
}

/// How long processes waited, in microseconds, where the kernel measures it.
pub(super) fn pressure(usage: &Usage) -> serde_json::Value {
    let stall = |stall: Option<Stall>| {
        stall.map(|it| {
            serde_json::json!({
                "some_microseconds": it.some_micros,
                "full_microseconds": it.full_micros,
            })
        })
    };
    let pressure = usage.pressure;
    if pressure == Pressure::default() {
        return serde_json::Value::Null;
    }
    serde_json::json!({
        "cpu": stall(pressure.cpu),
        "memory": stall(pressure.memory),
        "io": stall(pressure.io),
    })
}

/// The kernel's own sum is exact, and its parts are rounded.
fn user(usage: &Usage) -> u64 {
    usage.cpu_nanos.saturating_sub(usage.cpu_system_nanos)
}

fn seconds(nanos: u64) -> f64 {
    nanos as f64 / 1e9
}

fn small(count: u64) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

fn disks(devices: &[DeviceUsage]) -> Option<Statistics> {
    if devices.is_empty() {
        return None;
    }
    Some(Statistics {
        throttling: devices.iter().map(disk).collect(),
        ..Statistics::default()
    })
}

fn disk(device: &DeviceUsage) -> throttling::Statistics {
    let value = |operation: Operation, value| Value {
        op: Some(operation.into()),
        value: Some(value),
    };
    let values = |read: u64, written: u64| {
        vec![
            value(Operation::Total, read.saturating_add(written)),
            value(Operation::Read, read),
            value(Operation::Write, written),
        ]
    };
    throttling::Statistics {
        device: Some(v1::device::Number {
            major_number: device.major.into(),
            minor_number: device.minor.into(),
        }),
        io_serviced: values(device.reads, device.writes),
        io_service_bytes: values(device.read_bytes, device.written_bytes),
    }
}

#[cfg(test)]
mod tests {
    use tepui_containers::{DiskReport, MemoryUsage, Throttling};

    use super::*;

    #[test]
    fn pressure_is_shown_where_it_is_measured() {
        assert!(pressure(&Usage::default()).is_null());
        let memory = Some(Stall {
            some_micros: 7,
            full_micros: 3,
        });
        let usage = Usage {
            pressure: Pressure {
                memory,
                ..Pressure::default()
            },
            ..Usage::default()
        };
        let shown = pressure(&usage);
        assert_eq!(shown["memory"]["some_microseconds"], 7);
        assert_eq!(shown["memory"]["full_microseconds"], 3);
        assert!(shown["cpu"].is_null());
    }

    #[test]
    fn all_that_is_counted_has_its_field() {
        let usage = Usage {
            cpu_nanos: 3_000_000_000,
            cpu_user_nanos: 1_990_000_000,
            cpu_system_nanos: 1_000_000_000,
            throttling: Some(Throttling {
                periods: 9,
                throttled: 2,
                nanos: 500_000_000,
            }),
            memory_bytes: 100,
            memory: MemoryUsage {
                file: Some(60),
                anonymous: Some(40),
                ..MemoryUsage::default()
            },
            pids: 5,
            processes: 2,
            devices: vec![DeviceUsage {
                major: 8,
                minor: 1,
                read_bytes: 10,
                written_bytes: 20,
                reads: 1,
                writes: 2,
            }],
            disk: Some(DiskReport {
                limit: Bytes(9),
                used: Bytes(7),
                file_limit: Some(5),
                files: 3,
            }),
            ..Usage::default()
        };
        let shown = of(&usage, None);
        assert_eq!((shown.processes, shown.threads), (Some(2), Some(5)));
        assert_eq!(shown.cpus_user_time_secs, Some(2.0));
        assert_eq!(shown.cpus_system_time_secs, Some(1.0));
        assert_eq!(shown.cpus_nr_throttled, Some(2));
        assert_eq!(shown.cpus_throttled_time_secs, Some(0.5));
        assert_eq!(
            (shown.mem_cache_bytes, shown.mem_rss_bytes),
            (Some(60), Some(40))
        );
        assert_eq!(
            (shown.disk_used_bytes, shown.disk_limit_bytes),
            (Some(7), Some(9))
        );
        let disks = shown.blkio_statistics.unwrap().throttling;
        assert_eq!(disks[0].device.as_ref().unwrap().major_number, 8);
        assert_eq!(disks[0].io_service_bytes[0].value, Some(30));
        assert!(of(&Usage::default(), None).blkio_statistics.is_none());
    }
}
