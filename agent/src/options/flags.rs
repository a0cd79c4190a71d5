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
        self.own_flags()
            .into_iter()
            .chain(self.offer.flags())
            .chain(self.containers.flags())
            .chain(self.disks.flags())
            .chain(self.rights.flags())
            .chain(self.networks.flags())
            .chain(self.walls.flags())
            .chain(self.gpus.flags())
            .chain(self.cgroups.flags())
            .chain(self.executors.flags())
            .chain(self.images.flags())
            .chain(self.fetcher.flags())
            .chain(self.logs.flags())
            .chain(self.cleanup.flags())
            .map(flag)
            .collect()
    }

    /// Who the agent is, and whom it serves.
    fn own_flags(&self) -> [(&'static str, String); 6] {
        [
            ("master", self.master.to_string()),
            ("listen", self.listen.to_string()),
            ("hostname", self.hostname.clone().unwrap_or_default()),
            ("work-dir", self.work_dir.display().to_string()),
            ("runtime-dir", paths(self.runtime_dir.as_slice())),
            (
                "registration-backoff-factor",
                span::format(self.registration_backoff_factor),
            ),
        ]
    }
}

/// Paths, with commas between them.
pub(super) fn paths(paths: &[PathBuf]) -> String {
    let names = paths.iter().map(|path| path.display().to_string());
    names.collect::<Vec<_>>().join(",")
}
