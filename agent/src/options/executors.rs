//! What can be set about custom executors.

use std::{path::PathBuf, time::Duration};

use clap::ArgAction;
use tepui_agent_core::limits;
use tepui_edge::span;

use super::flags::paths;
use crate::{Error, executors::Tokens};

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

    /// Whether executors must say by a token who they are, which they find in their environment
    #[arg(
        long,
        env = "TEPUI_AUTHENTICATE_HTTP_EXECUTORS",
        value_name = "BOOL",
        default_value_t = false,
        action = ArgAction::Set
    )]
    pub authenticate_http_executors: bool,

    /// A file with the key that tokens of executors are made with
    #[arg(long, env = "TEPUI_JWT_SECRET_KEY", value_name = "PATH")]
    pub jwt_secret_key: Option<PathBuf>,
}

impl Default for ExecutorOptions {
    fn default() -> Self {
        Self {
            executor_registration_timeout: limits::EXECUTOR_REGISTRATION_TIMEOUT,
            executor_reregistration_timeout: limits::EXECUTOR_REREGISTRATION_TIMEOUT,
            executor_shutdown_grace_period: limits::EXECUTOR_SHUTDOWN_GRACE,
            recovery_timeout: limits::RECOVERY_TIMEOUT,
            http_executor_domain_sockets: false,
            authenticate_http_executors: false,
            jwt_secret_key: None,
        }
    }
}

impl ExecutorOptions {
    /// The flags with their values.
    pub(super) fn flags(&self) -> [(&'static str, String); 7] {
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
            (
                "authenticate-http-executors",
                self.authenticate_http_executors.to_string(),
            ),
            // Where it is, and not what.
            ("jwt-secret-key", paths(self.jwt_secret_key.as_slice())),
        ]
    }

    /// The key for tokens, read from its file.
    pub(crate) fn tokens(&self) -> Result<Option<Tokens>, Error> {
        let read = |path: &PathBuf| Tokens::read(path, self.authenticate_http_executors);
        let tokens = self.jwt_secret_key.as_ref().map(read).transpose();
        tokens.map_err(|error| Error::Option {
            flag: "jwt-secret-key",
            problem: format!("cannot be read: {error}"),
        })
    }

    pub(super) fn validate(&self) -> Result<(), Error> {
        if self.authenticate_http_executors && self.jwt_secret_key.is_none() {
            return Err(Error::Option {
                flag: "authenticate-http-executors",
                problem: "needs a key to make tokens with: name a file with --jwt-secret-key"
                    .to_owned(),
            });
        }
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
