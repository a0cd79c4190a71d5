//! Running the one binary as people do.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
};

use serde_json::Value;

/// What a command printed and how it ended.
#[derive(Debug)]
pub struct Ran {
    /// The exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub output: String,
    /// Standard error.
    pub error: String,
}

impl Ran {
    /// The output of a command that must have succeeded.
    ///
    /// # Panics
    /// When it failed.
    pub fn ok(self) -> String {
        assert_eq!(self.code, Some(0), "{self:?}");
        self.output
    }

    /// The output as JSON.
    ///
    /// # Panics
    /// When the command failed or printed something else.
    pub fn json(self) -> Value {
        let output = self.ok();
        serde_json::from_str(&output).unwrap_or_else(|error| panic!("{error} in {output}"))
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self {
            code: output.status.code(),
            output: text(&output.stdout),
            error: text(&output.stderr),
        }
    }
}

/// The binary under test: it lies beside the running program, or above the tests' own folder.
///
/// # Panics
/// When it has not been built.
pub fn program() -> PathBuf {
    let running = std::env::current_exe().unwrap_or_else(|error| panic!("{error}"));
    let folders = running.ancestors().skip(1).take(2);
    let program = folders
        .map(|folder| folder.join("tepui"))
        .find(|it| it.is_file());
    program.unwrap_or_else(|| panic!("build the program first: cargo build --release -p tepui"))
}

/// Runs the binary to its end.
///
/// # Panics
/// When it cannot be started.
pub fn tepui(arguments: &[&str]) -> Ran {
    tepui_in(Path::new("/"), arguments)
}

/// Runs the binary in a folder.
///
/// # Panics
/// When it cannot be started.
pub fn tepui_in(folder: &Path, arguments: &[&str]) -> Ran {
    let output = Command::new(program())
        .args(arguments)
        .current_dir(folder)
        .output();
    output
        .unwrap_or_else(|error| panic!("{arguments:?}: {error}"))
        .into()
}
