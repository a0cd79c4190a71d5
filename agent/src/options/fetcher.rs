//! What can be set about what tasks want to be fetched.

use std::{path::PathBuf, time::Duration};

use clap::Args;
use tepui_edge::span;
use tepui_fetcher::limits::{DEFAULT_CACHE_BYTES, DEFAULT_SIZE_LIMIT};

use super::{flags::paths, refuse};
use crate::Error;

const DEFAULT_CACHE_MEGABYTES: u64 = DEFAULT_CACHE_BYTES >> 20;
const DEFAULT_SIZE_MEGABYTES: u64 = DEFAULT_SIZE_LIMIT >> 20;

/// What can be set about what tasks want to be fetched.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct FetcherOptions {
    /// Folder for what was fetched and may be shared [default: `fetch` in the work dir]; it is
    /// emptied when the agent starts
    #[arg(long, env = "TEPUI_FETCHER_CACHE_DIR", value_name = "DIR")]
    pub fetcher_cache_dir: Option<PathBuf>,

    /// How much of what was fetched is kept for others: what was longest not used goes first; with
    /// 0 nothing is kept
    #[arg(
        long,
        env = "TEPUI_FETCHER_CACHE_SIZE",
        value_name = "MB",
        default_value_t = DEFAULT_CACHE_MEGABYTES
    )]
    pub fetcher_cache_size: u64,

    /// The largest file that is fetched for a task, and the most that one is unpacked to
    #[arg(
        long,
        env = "TEPUI_FETCHER_SIZE_LIMIT",
        value_name = "MB",
        default_value_t = DEFAULT_SIZE_MEGABYTES
    )]
    pub fetcher_size_limit: u64,

    /// How long a server may send less than a kilobyte a second before it is given up
    #[arg(
        long,
        env = "TEPUI_FETCHER_STALL_TIMEOUT",
        value_name = "DURATION",
        default_value = "1m",
        value_parser = span::parse
    )]
    pub fetcher_stall_timeout: Duration,

    /// Certificates in PEM that are trusted for HTTPS, besides those of this machine
    #[arg(long, env = "TEPUI_FETCHER_CA", value_name = "FILE")]
    pub fetcher_ca: Option<PathBuf>,

    /// Where paths of URIs lead from that are not absolute
    #[arg(long, env = "TEPUI_FRAMEWORKS_HOME", value_name = "DIR")]
    pub frameworks_home: Option<PathBuf>,
}

impl Default for FetcherOptions {
    fn default() -> Self {
        Self {
            fetcher_cache_dir: None,
            fetcher_cache_size: DEFAULT_CACHE_MEGABYTES,
            fetcher_size_limit: DEFAULT_SIZE_MEGABYTES,
            fetcher_stall_timeout: Duration::from_secs(60),
            fetcher_ca: None,
            frameworks_home: None,
        }
    }
}

impl FetcherOptions {
    /// Checks the values against what makes sense.
    pub(super) fn validate(&self) -> Result<(), Error> {
        if self.fetcher_size_limit == 0 {
            return Err(refuse("fetcher-size-limit", "must be at least 1"));
        }
        if self.fetcher_stall_timeout < Duration::from_millis(10) {
            return Err(refuse("fetcher-stall-timeout", "must be at least 10ms"));
        }
        let absolute = |path: &Option<PathBuf>| path.as_ref().is_none_or(|it| it.is_absolute());
        if !absolute(&self.frameworks_home) {
            return Err(refuse("frameworks-home", "must be an absolute path"));
        }
        Ok(())
    }

    /// The fetcher, with its cache in this folder unless another was named.
    pub(crate) fn fetcher(
        &self,
        folder: PathBuf,
        host_paths: &[PathBuf],
    ) -> tepui_fetcher::Options {
        let folder = self.fetcher_cache_dir.clone().unwrap_or(folder);
        tepui_fetcher::Options {
            cache_size: self.fetcher_cache_size.saturating_mul(1 << 20),
            size_limit: self.fetcher_size_limit.saturating_mul(1 << 20),
            stall_timeout: self.fetcher_stall_timeout,
            trusted: self.fetcher_ca.clone(),
            host_paths: host_paths.to_vec(),
            home: self.frameworks_home.clone(),
            ..tepui_fetcher::Options::new(folder)
        }
    }

    /// Every flag and its value.
    pub(super) fn flags(&self) -> Vec<(&'static str, String)> {
        vec![
            (
                "fetcher-cache-dir",
                paths(self.fetcher_cache_dir.as_slice()),
            ),
            ("fetcher-cache-size", self.fetcher_cache_size.to_string()),
            ("fetcher-size-limit", self.fetcher_size_limit.to_string()),
            (
                "fetcher-stall-timeout",
                span::format(self.fetcher_stall_timeout),
            ),
            ("fetcher-ca", paths(self.fetcher_ca.as_slice())),
            ("frameworks-home", paths(self.frameworks_home.as_slice())),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_that_make_no_sense_are_refused_by_name() {
        type Spoil = fn(&mut FetcherOptions);
        let cases: [(&str, Spoil); 3] = [
            ("--fetcher-size-limit", |o| o.fetcher_size_limit = 0),
            ("--fetcher-stall-timeout", |o| {
                o.fetcher_stall_timeout = Duration::ZERO;
            }),
            ("--frameworks-home", |o| {
                o.frameworks_home = Some("relative".into());
            }),
        ];
        for (flag, spoil) in cases {
            let mut options = FetcherOptions::default();
            spoil(&mut options);
            let text = options.validate().unwrap_err().to_string();
            assert!(text.starts_with(flag), "{text}");
        }
    }
}
