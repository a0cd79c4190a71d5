//! What other parts make of the options.

use std::path::PathBuf;

use tepui_allocator::{Options as AllocatorOptions, RegexLimits};
use tepui_edge::span;
use tepui_master_core::{Config, Preemption};
use tepui_model::{Kind, Quantity};
use tepui_proto::v1;
use uuid::Uuid;

use super::Options;
use crate::limits;

impl Options {
    /// The core's settings.
    pub(crate) fn config(&self, master: v1::MasterInfo) -> Config {
        let excluded = &self.fair_sharing_excluded_resource_names;
        let allocator = AllocatorOptions {
            min_allocatable: self.min_allocatable_resources.clone(),
            fairness_excludes: excluded.iter().map(|name| Kind::new(name)).collect(),
            withhold_gpus: self.filter_gpu_resources,
            role_sorter: self.role_sorter.0,
            framework_sorter: self.framework_sorter.0,
            placement: self.placement.0,
            gang_hold_timeout: self.gang_hold_timeout,
            seed: Uuid::new_v4().as_u64_pair().0,
            ..AllocatorOptions::default()
        };
        let factor = Quantity::from_f64(self.allocator_agent_recovery_factor);
        Config {
            // Checked when the options were.
            allocator_agent_recovery_factor: factor.unwrap_or(Quantity::from_units(1)),
            allocator_recovery_timeout: self.allocator_recovery_timeout,
            offer_timeout: Some(self.offer_timeout).filter(|timeout| !timeout.is_zero()),
            allocation_window: self.allocation_window,
            heartbeat_interval: limits::HEARTBEAT,
            agent_ping_timeout: self.agent_ping_timeout,
            max_agent_ping_timeouts: self.max_agent_ping_timeouts,
            agent_reregister_timeout: self.agent_reregister_timeout,
            max_completed_frameworks: self.max_completed_frameworks,
            max_completed_tasks_per_framework: self.max_completed_tasks_per_framework,
            max_unreachable_tasks_per_framework: self.max_unreachable_tasks_per_framework,
            roles: self.roles.as_ref().map(|roles| roles.0.clone()),
            weights: self.weights.0.clone(),
            require_agent_domain: self.require_agent_domain,
            regex: RegexLimits {
                memory: self.offer_constraints_re2_max_mem.0,
                program: self.offer_constraints_re2_max_program_size,
            },
            preemption: self.preemption.then_some(Preemption {
                patience: self.preemption_patience,
                notice: self.preemption_notice,
            }),
            allocator,
            ..Config::new(master)
        }
    }

    /// Every flag and its value, for the operator to see.
    pub(crate) fn flags(&self) -> Vec<v1::Flag> {
        let values = [
            ("listen", self.listen.to_string()),
            ("hostname", self.hostname.clone().unwrap_or_default()),
            ("work-dir", self.work_dir.display().to_string()),
            ("store", self.store.to_string()),
            ("offer-timeout", span::format(self.offer_timeout)),
            ("allocation-window", span::format(self.allocation_window)),
            ("gang-hold-timeout", span::format(self.gang_hold_timeout)),
            (
                "min-allocatable-resources",
                self.min_allocatable_resources.to_string(),
            ),
            (
                "fair-sharing-excluded-resource-names",
                self.fair_sharing_excluded_resource_names.join(","),
            ),
            (
                "filter-gpu-resources",
                self.filter_gpu_resources.to_string(),
            ),
            ("role-sorter", self.role_sorter.to_string()),
            ("framework-sorter", self.framework_sorter.to_string()),
            ("placement", self.placement.to_string()),
            (
                "allocator-agent-recovery-factor",
                self.allocator_agent_recovery_factor.to_string(),
            ),
            (
                "allocator-recovery-timeout",
                span::format(self.allocator_recovery_timeout),
            ),
            ("weights", self.weights.to_string()),
            ("preemption", self.preemption.to_string()),
            (
                "preemption-patience",
                span::format(self.preemption_patience),
            ),
            ("preemption-notice", span::format(self.preemption_notice)),
            ("agent-ping-timeout", span::format(self.agent_ping_timeout)),
            (
                "max-agent-ping-timeouts",
                self.max_agent_ping_timeouts.to_string(),
            ),
            (
                "agent-reregister-timeout",
                span::format(self.agent_reregister_timeout),
            ),
            (
                "max-completed-frameworks",
                self.max_completed_frameworks.to_string(),
            ),
            (
                "max-completed-tasks-per-framework",
                self.max_completed_tasks_per_framework.to_string(),
            ),
            (
                "max-unreachable-tasks-per-framework",
                self.max_unreachable_tasks_per_framework.to_string(),
            ),
        ];
        let flag = |(name, value): (&str, _)| v1::Flag {
            // With Mesos' letters, for its clients.
            name: name.replace('-', "_"),
            value: Some(value),
        };
        let values = values.into_iter().chain(self.values_of_shaping());
        values.map(flag).collect()
    }

    /// What decides which agents are offered to whom.
    fn values_of_shaping(&self) -> [(&'static str, String); 6] {
        [
            (
                "offer-constraints-re2-max-mem",
                self.offer_constraints_re2_max_mem.to_string(),
            ),
            (
                "offer-constraints-re2-max-program-size",
                self.offer_constraints_re2_max_program_size.to_string(),
            ),
            ("whitelist", path(self.whitelist.as_ref())),
            ("domain", text(self.domain.as_ref())),
            ("roles", text(self.roles.as_ref())),
            (
                "require-agent-domain",
                self.require_agent_domain.to_string(),
            ),
        ]
    }
}

fn text(value: Option<&impl ToString>) -> String {
    value.map(ToString::to_string).unwrap_or_default()
}

fn path(value: Option<&PathBuf>) -> String {
    text(value.map(|path| path.display()).as_ref())
}
