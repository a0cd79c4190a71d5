//! What can be set about custom executors.

use std::time::Duration;

use clap::ArgAction;
use tepui_agent_core::limits;
use tepui_edge::span;

use crate::Error;

/// What can be set about custom executors.
#[derive(Clone, Debug, PartialEq, Eq, clap::Args)]
pub struct ExecutorOptions {
    /// How long an executor may take from its start until it subscribes
    #[arg(
        long,
        env = "TEPUI_EXECUTOR_REGISTRATION_TIMEOUT",
        value_name = "DURATION",
        default_value = "1min",
        value_parser = span::parse
    )]
    pub executor_registration_timeout: Duration,

    /// How long an executor may take to subscribe again after a restart of the agent
    #[arg(
        long,
        env = "TEPUI_EXECUTOR_REREGISTRATION_TIMEOUT",
        value_name = "DURATION",
        default_value = "15s",
        value_parser = span::parse
    )]
    pub executor_reregistration_timeout: Duration,

    /// How long an executor gets between SHUTDOWN and SIGKILL, unless it says otherwise itself
    #[arg(
        long,
        env = "TEPUI_EXECUTOR_SHUTDOWN_GRACE_PERIOD",
        value_name = "DURATION",
        default_value = "5s",
        value_parser = span::parse
    )]
    pub executor_shutdown_grace_period: Duration,

    /// How long an executor looks for an agent that is away, before it gives up
    #[arg(
        long,
        env = "TEPUI_RECOVERY_TIMEOUT",
        value_name = "DURATION",
        default_value = "15min",
        value_parser = span::parse
    )]
    pub recovery_timeout: Duration,

    /// Whether executors reach the agent by a unix domain socket too: `agent.sock` in the work
    /// dir
    #[arg(
        long,
        env = "TEPUI_HTTP_EXECUTOR_DOMAIN_SOCKETS",
        value_name = "BOOL",
        default_value_t = false,
        action = ArgAction::Set
    )]
    pub http_executor_domain_sockets: bool,
}

impl Default for ExecutorOptions {
    fn default() -> Self {
        Self {
            executor_registration_timeout: limits::EXECUTOR_REGISTRATION_TIMEOUT,
            executor_reregistration_timeout: limits::EXECUTOR_REREGISTRATION_TIMEOUT,
            executor_shutdown_grace_period: limits::EXECUTOR_SHUTDOWN_GRACE,
            recovery_timeout: limits::RECOVERY_TIMEOUT,
            http_executor_domain_sockets: false,
        }
    }
}

impl ExecutorOptions {
    /// The flags with their values.
    pub(super) fn flags(&self) -> [(&'static str, String); 5] {
        [
            (
                "executor-registration-timeout",
                span::format(self.executor_registration_timeout),
            ),
            (
                "executor-reregistration-timeout",
                span::format(self.executor_reregistration_timeout),
            ),
            (
                "executor-shutdown-grace-period",
                span::format(self.executor_shutdown_grace_period),
            ),
            ("recovery-timeout", span::format(self.recovery_timeout)),
            (
                "http-executor-domain-sockets",
                self.http_executor_domain_sockets.to_string(),
            ),
        ]
    }

    pub(super) fn validate(&self) -> Result<(), Error> {
        let spans = [
            (
                "executor-registration-timeout",
                self.executor_registration_timeout,
            ),
            (
                "executor-reregistration-timeout",
                self.executor_reregistration_timeout,
            ),
            ("recovery-timeout", self.recovery_timeout),
        ];
        match spans.into_iter().find(|(_, span)| span.is_zero()) {
            None => Ok(()),
            Some((flag, _)) => Err(Error::Option {
                flag,
                problem: "must be longer than nothing: no executor could ever be there in time"
                    .to_owned(),
            }),
        }
    }
}
