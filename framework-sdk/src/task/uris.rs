//! What tasks want in their sandboxes before they start.

use tepui_proto::v1;

use super::TaskBuilder;

/// Something that the agent fetches into a task's sandbox: from http, https, or the agent's machine
/// as far as its operator allows. Archives are unpacked there.
///
/// ```
/// use tepui_sdk::{TaskBuilder, Uri};
///
/// let task = TaskBuilder::new("a")
///     .cpus(0.1)
///     .memory(32.0)
///     .uri(Uri::new("https://example.com/tool").executable())
///     .uri(Uri::new("https://example.com/data.tar.xz").cached())
///     .shell("./tool data")
///     .build()?;
/// # Ok::<(), tepui_sdk::TaskInvalid>(())
/// ```
#[derive(Debug, Clone)]
pub struct Uri(v1::command_info::Uri);

impl Uri {
    /// An address, or a path.
    pub fn new(value: impl Into<String>) -> Self {
        Self(v1::command_info::Uri {
            value: value.into(),
            ..Default::default()
        })
    }

    /// It is a program, and not unpacked.
    #[must_use]
    pub const fn executable(mut self) -> Self {
        self.0.executable = Some(true);
        self
    }

    /// It stays as it is, also if it is an archive.
    #[must_use]
    pub const fn packed(mut self) -> Self {
        self.0.extract = Some(false);
        self
    }

    /// The agent keeps it for other tasks of the same user, and asks nobody whether it has changed.
    #[must_use]
    pub const fn cached(mut self) -> Self {
        self.0.cache = Some(true);
        self
    }

    /// Its path from the sandbox, instead of the last name of its address.
    #[must_use]
    pub fn output(mut self, path: impl Into<String>) -> Self {
        self.0.output_file = Some(path.into());
        self
    }

    /// What it must be, as in `sha256:...`; anything else fails the task.
    #[must_use]
    pub fn checksum(mut self, digest: impl Into<String>) -> Self {
        self.0.tepui_checksum = Some(digest.into());
        self
    }
}

impl TaskBuilder {
    /// One more thing that is fetched into the sandbox before the task starts.
    pub fn uri(mut self, uri: Uri) -> Self {
        self.info.command.get_or_insert_default().uris.push(uri.0);
        self
    }
}
