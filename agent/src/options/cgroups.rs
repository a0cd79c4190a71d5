//! What can be set about disks and packets, where cgroups tell those of tasks apart.

use tepui_containers::{Bytes, HandleRange, IoPolicy, Isolation, Isolator, NetClasses};

/// What can be set about disks and packets, where cgroups tell those of tasks apart.
#[derive(Clone, Debug, Default, PartialEq, Eq, clap::Args)]
pub struct CgroupOptions {
    /// Gives each task a handle on its packets, with this upper half, as in `0x0012`, for filters
    /// and queues of this machine [needs cgroups/net_cls in --isolation]
    #[arg(
        long,
        env = "TEPUI_CGROUPS_NET_CLS_PRIMARY_HANDLE",
        value_name = "HANDLE",
        value_parser = half
    )]
    pub cgroups_net_cls_primary_handle: Option<u16>,

    /// The lower halves of these handles: two numbers, the first and the last
    #[arg(
        long,
        env = "TEPUI_CGROUPS_NET_CLS_SECONDARY_HANDLES",
        value_name = "FIRST,LAST",
        default_value_t = HandleRange::default()
    )]
    pub cgroups_net_cls_secondary_handles: HandleRange,

    /// What a task weighs per processor that it asks for, where others want the same disk [needs
    /// cgroups/blkio in --isolation]
    #[arg(
        long,
        env = "TEPUI_IO_WEIGHT_PER_CPU",
        value_name = "WEIGHT",
        value_parser = clap::value_parser!(u32).range(1..=1000)
    )]
    pub io_weight_per_cpu: Option<u32>,

    /// The most that a task reads from each disk, in megabytes per second [needs cgroups/blkio in
    /// --isolation]
    #[arg(
        long,
        env = "TEPUI_IO_MAX_READ",
        value_name = "MEGABYTES",
        value_parser = clap::value_parser!(u32).range(1..)
    )]
    pub io_max_read: Option<u32>,

    /// The most that a task writes to each disk, in megabytes per second [needs cgroups/blkio in
    /// --isolation]
    #[arg(
        long,
        env = "TEPUI_IO_MAX_WRITE",
        value_name = "MEGABYTES",
        value_parser = clap::value_parser!(u32).range(1..)
    )]
    pub io_max_write: Option<u32>,
}

fn half(text: &str) -> Result<u16, String> {
    NetClasses::half(text).ok_or_else(|| "it is no number from 0x1 to 0xffff".to_owned())
}

impl CgroupOptions {
    /// The handles that tasks get, if they get any.
    pub(crate) fn net_classes(&self) -> Option<NetClasses> {
        Some(NetClasses {
            primary: self.cgroups_net_cls_primary_handle?,
            secondary: self.cgroups_net_cls_secondary_handles,
        })
    }

    /// How tasks share disks.
    pub(crate) fn io(&self) -> IoPolicy {
        let bytes = |megabytes: u32| Bytes(u64::from(megabytes) << 20);
        IoPolicy {
            weight_per_cpu: self.io_weight_per_cpu,
            most_read: self.io_max_read.map(bytes),
            most_written: self.io_max_write.map(bytes),
        }
    }

    /// Why an agent cannot start with these, if it cannot: the flag and the problem.
    pub(crate) fn problem(&self, isolation: Isolation) -> Option<(&'static str, &'static str)> {
        let handles = self.cgroups_net_cls_primary_handle.is_some();
        let disks = [
            ("io-weight-per-cpu", self.io_weight_per_cpu),
            ("io-max-read", self.io_max_read),
            ("io-max-write", self.io_max_write),
        ];
        let set = disks.into_iter().find(|(_, value)| value.is_some());
        if handles && !isolation.has(Isolator::NetClass) {
            let problem = "needs cgroups/net_cls in --isolation";
            return Some(("cgroups-net-cls-primary-handle", problem));
        }
        let (flag, _) = set.filter(|_| !isolation.has(Isolator::Io))?;
        Some((flag, "needs cgroups/blkio in --isolation"))
    }

    /// Every flag and its value.
    pub(crate) fn flags(&self) -> [(&'static str, String); 5] {
        let shown = |number: Option<u32>| number.map(|it| it.to_string()).unwrap_or_default();
        let primary = self.cgroups_net_cls_primary_handle;
        let primary = primary.map(|half| format!("0x{half:04x}"));
        [
            (
                "cgroups-net-cls-primary-handle",
                primary.unwrap_or_default(),
            ),
            (
                "cgroups-net-cls-secondary-handles",
                self.cgroups_net_cls_secondary_handles.to_string(),
            ),
            ("io-weight-per-cpu", shown(self.io_weight_per_cpu)),
            ("io-max-read", shown(self.io_max_read)),
            ("io-max-write", shown(self.io_max_write)),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_needs_an_isolator_that_is_not_asked_for_is_refused() {
        let mut options = CgroupOptions::default();
        assert_eq!(options.problem(Isolation::ALL), None);
        options.io_max_read = Some(5);
        assert_eq!(options.problem(Isolation::ALL).unwrap().0, "io-max-read");
        let counted = Isolation::ALL.with(Isolator::Io);
        assert_eq!(options.problem(counted), None);
        assert_eq!(options.io().most_read, Some(Bytes(5 << 20)));
        options.cgroups_net_cls_primary_handle = Some(0x12);
        let (flag, problem) = options.problem(counted).unwrap();
        assert_eq!(flag, "cgroups-net-cls-primary-handle");
        assert!(problem.contains("cgroups/net_cls"), "{problem}");
        assert_eq!(options.net_classes().unwrap().primary, 0x12);
        assert_eq!(options.flags()[0].1, "0x0012");
    }
}
