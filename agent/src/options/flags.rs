//! Every flag of an agent and its value, for the operator to see.

use std::path::PathBuf;

use tepui_edge::span;
use tepui_proto::v1;

use super::Options;

impl Options {
    /// Every flag and its value, for the operator to see.
    pub(crate) fn flags(&self) -> Vec<v1::Flag> {
        let flag = |(name, value): (&str, _)| v1::Flag {
            // With Mesos' letters, for its clients.
            name: name.replace('-', "_"),
            value: Some(value),
        };
        self.identity_flags()
            .into_iter()
            .chain(self.container_flags())
            .chain(self.networks.flags())
            .chain(self.walls.flags())
            .chain(self.disks.flags())
            .chain(self.gpus.flags())
            .chain(self.cgroups.flags())
            .chain(self.executors.flags())
            .chain(self.images.flags())
            .chain(self.fetcher.flags())
            .chain(self.logs.flags())
            .map(flag)
            .collect()
    }

    /// Who the agent is, whom it serves and what it has.
    fn identity_flags(&self) -> [(&'static str, String); 12] {
        let domain = self.domain.as_ref().map(ToString::to_string);
        [
            ("master", self.master.to_string()),
            ("listen", self.listen.to_string()),
            ("hostname", self.hostname.clone().unwrap_or_default()),
            ("work-dir", self.work_dir.display().to_string()),
            ("runtime-dir", paths(self.runtime_dir.as_slice())),
            ("resources", self.resources.clone()),
            ("default-role", self.default_role.clone()),
            (
                "oversubscribed-resources",
                self.oversubscribed_resources.clone(),
            ),
            ("attributes", self.attributes.clone()),
            ("domain", domain.unwrap_or_default()),
            (
                "reconfiguration-policy",
                self.reconfiguration_policy.to_string(),
            ),
            (
                "registration-backoff-factor",
                span::format(self.registration_backoff_factor),
            ),
        ]
    }

    /// What containers get.
    fn container_flags(&self) -> [(&'static str, String); 14] {
        let seccomp = self.seccomp_profile_name.clone();
        [
            (
                "revocable-cpu-low-priority",
                self.revocable_cpu_low_priority.to_string(),
            ),
            ("isolation", self.isolation.to_string()),
            ("cgroup-root", self.cgroup_root.clone().unwrap_or_default()),
            ("pids-limit", self.pids_limit.to_string()),
            (
                "effective-capabilities",
                self.effective_capabilities.to_string(),
            ),
            (
                "bounding-capabilities",
                self.bounding_capabilities.to_string(),
            ),
            (
                "seccomp-config-dir",
                paths(self.seccomp_config_dir.as_slice()),
            ),
            ("seccomp-profile-name", seccomp.unwrap_or_default()),
            ("allow-unconfined", self.allow_unconfined.to_string()),
            ("allowed-host-paths", paths(&self.allowed_host_paths)),
            ("switch-user", self.switch_user.to_string()),
            ("gc-delay", span::format(self.gc_delay)),
            ("gc-disk-headroom", self.gc_disk_headroom.to_string()),
            (
                "disk-watch-interval",
                span::format(self.disk_watch_interval),
            ),
        ]
    }
}

/// Paths, with commas between them.
pub(super) fn paths(paths: &[PathBuf]) -> String {
    let names = paths.iter().map(|path| path.display().to_string());
    names.collect::<Vec<_>>().join(",")
}
