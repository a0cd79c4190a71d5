//! The files of the project, as git knows them.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::Command,
};

/// One Rust file.
#[derive(Debug)]
pub struct Source {
    /// Relative to the project's root, with forward slashes.
    pub path: String,
    /// The whole text.
    pub text: String,
}

impl Source {
    /// The text before the file's own unit tests.
    pub fn product(&self) -> &str {
        self.text
            .split("\n#[cfg(test)]\nmod ")
            .next()
            .unwrap_or(&self.text)
    }

    /// Whether the file is itself a test or belongs to one.
    pub fn is_test(&self) -> bool {
        self.path.starts_with("tests/")
            || self.path.contains("/tests/")
            || self.path.ends_with("/tests.rs")
    }
}

/// The project's root folder.
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_owned()
}

/// Every Rust file that is tracked or would be, in order of path.
///
/// # Errors
/// When git cannot list the files or one of them cannot be read.
pub fn sources() -> io::Result<Vec<Source>> {
    let root = root();
    let listing = Command::new("git")
        .args([
            "ls-files",
            "--cached",
            "--others",
            "--exclude-standard",
            "*.rs",
        ])
        .current_dir(&root)
        .output()?;
    let listing = String::from_utf8_lossy(&listing.stdout).into_owned();
    let existing = listing.lines().filter(|path| root.join(path).is_file());
    existing
        .map(|path| {
            Ok(Source {
                path: path.to_owned(),
                text: fs::read_to_string(root.join(path))?,
            })
        })
        .collect()
}
