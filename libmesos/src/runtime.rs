//! The one runtime on which all sessions of the process live.

use std::{io, sync::LazyLock};

use tokio::runtime::{Builder, Handle, Runtime};

/// It ends with the process. None of its threads is one of Java's.
static RUNTIME: LazyLock<io::Result<Runtime>> = LazyLock::new(|| {
    Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("libmesos")
        .enable_all()
        .build()
});

/// The runtime's handle.
///
/// # Errors
/// When the system gives no thread for it: with that text.
pub(crate) fn handle() -> Result<&'static Handle, String> {
    match &*RUNTIME {
        Ok(runtime) => Ok(runtime.handle()),
        Err(error) => Err(format!("libmesos cannot start a thread: {error}")),
    }
}
