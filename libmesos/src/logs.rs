//! What the library tells on standard error, as Mesos' does.

use std::io::stderr;

use tracing_subscriber::{EnvFilter, filter::LevelFilter};

/// From now on events are written. `TEPUI_LOG` says which, as for `tepui` itself; `MESOS_QUIET`
/// leaves only what goes wrong. A second call does nothing.
pub(crate) fn start() {
    let quiet = std::env::var_os("MESOS_QUIET").is_some_and(|it| it != "0" && it != "false");
    let level = if quiet {
        LevelFilter::ERROR
    } else {
        LevelFilter::INFO
    };
    let filter = EnvFilter::builder()
        .with_env_var("TEPUI_LOG")
        .with_default_directive(level.into())
        .from_env_lossy();
    let logs = tracing_subscriber::fmt().with_env_filter(filter);
    // Fails when there is one: then it stays.
    let _ = logs.with_writer(stderr).with_ansi(false).try_init();
}
