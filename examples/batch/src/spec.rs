//! The job file: what a user writes, checked as a whole before anything starts.
//!
//! ```yaml
//! name: wordcount
//! input:
//!   files: [/usr/include, "/srv/logs/*.log"]  # files, whole folders, patterns
//!   missing: skip                              # or `refuse`, which is the default
//! stages:
//!   - map: {builtin: words}
//!     partitions: 8
//!   - reduce: {builtin: sum}
//!     partitions: 4
//! ```
//!
//! The first stage maps the input; each later one reduces what the one before it wrote, grouped by
//! key. Input files must be found under the same path on every agent.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::{
    ids::{InvalidName, check_name},
    limits::{self, JOB_FILE_BYTES},
};

/// Why a job file is refused.
#[derive(Debug, thiserror::Error)]
pub enum SpecError {
    /// The file is too long to be one.
    #[error("a job file may have {JOB_FILE_BYTES} bytes, this one has {0}")]
    TooLong(usize),
    /// It is no YAML, or has a key that no job has.
    #[error("not a job file: {0}")]
    Yaml(#[from] serde_yaml_ng::Error),
    /// The job's name is none.
    #[error("name: {0}")]
    Name(#[from] InvalidName),
    /// A value that cannot be.
    #[error("{field}: {message}")]
    Field {
        /// The way to the value.
        field: String,
        /// What is wrong and what would be right.
        message: String,
    },
}

/// A job as written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Job {
    /// The job's name; its id is this name and a number.
    pub name: String,
    /// What the first stage reads.
    pub input: Input,
    /// The stages, in order: one map, then any number of reduces.
    pub stages: Vec<Stage>,
    /// CPUs for each task.
    #[serde(default = "default_cpus")]
    pub cpus: f64,
    /// Memory for each task, in megabytes.
    #[serde(default = "default_memory")]
    pub mem: f64,
    /// How often a task that failed is tried again before the whole job fails.
    #[serde(default = "default_retries")]
    pub retries: u32,
    /// Variables that every task sees.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
}

/// What the first stage reads: files or lines.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// Files, folders (with every file beneath them) and patterns with `*`, `?`, `[...]`, `{...}`.
    /// Symbolic links beneath a folder are not followed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<String>,
    /// The input itself, line by line.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<String>,
    /// What to do about an entry of `files` that does not exist.
    #[serde(default)]
    pub missing: Missing,
}

/// What to do about input that does not exist.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Missing {
    /// Refuse the job.
    #[default]
    Refuse,
    /// Go on without it.
    Skip,
}

/// One stage as written: exactly one of `map` and `reduce`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stage {
    /// Turns lines of the input into records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub map: Option<Work>,
    /// Turns the records of each key, sorted, into others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reduce: Option<Work>,
    /// How many tasks the stage has. There are no more map tasks than input files or lines.
    #[serde(default = "default_partitions")]
    pub partitions: u32,
}

/// What a stage does: exactly one of `builtin` and `command`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Work {
    /// Something that needs no program: `words` (map) or `sum` (reduce).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub builtin: Option<Builtin>,
    /// A shell command that reads lines and writes records, `key<TAB>value`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
}

/// What the worker can do by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Builtin {
    /// Map: each word of the input with the value 1 ([`crate::words`]).
    Words,
    /// Reduce: the sum of each key's values, which must be whole numbers.
    Sum,
}

const fn default_cpus() -> f64 {
    0.5
}

const fn default_memory() -> f64 {
    128.0
}

const fn default_retries() -> u32 {
    3
}

const fn default_partitions() -> u32 {
    4
}

impl Job {
    /// Reads a job file and checks it.
    ///
    /// # Errors
    /// Whatever is wrong with it, by name; nothing unknown is passed over.
    pub fn parse(text: &str) -> Result<Self, SpecError> {
        if text.len() > JOB_FILE_BYTES {
            return Err(SpecError::TooLong(text.len()));
        }
        let job: Self = serde_yaml_ng::from_str(text)?;
        job.validate()?;
        Ok(job)
    }

    /// Whether its result is what [`crate::check`] counts: words, summed up.
    #[must_use]
    pub fn counts_words(&self) -> bool {
        let builtins: Vec<_> = self
            .stages
            .iter()
            .map(|stage| stage.work().builtin)
            .collect();
        builtins == [Some(Builtin::Words), Some(Builtin::Sum)]
    }

    fn validate(&self) -> Result<(), SpecError> {
        check_name(&self.name)?;
        self.input.validate()?;
        within("stages", self.stages.len(), 1, limits::STAGES)?;
        for (index, stage) in self.stages.iter().enumerate() {
            stage.validate(index)?;
        }
        within(
            "retries",
            self.retries as usize,
            0,
            limits::RETRIES as usize,
        )?;
        amount("cpus", self.cpus, 0.01)?;
        amount("mem", self.mem, 32.0)?;
        self.check_environment()
    }

    fn check_environment(&self) -> Result<(), SpecError> {
        within("env", self.env.len(), 0, limits::ENVIRONMENT)?;
        for (name, value) in &self.env {
            if name.is_empty() || name.contains(['=', '\0']) || value.contains('\0') {
                return Err(field(
                    &format!("env.{name}"),
                    "a variable needs a name without `=`, and neither may have a zero byte",
                ));
            }
        }
        Ok(())
    }
}

impl Input {
    fn validate(&self) -> Result<(), SpecError> {
        match (self.files.is_empty(), self.lines.is_empty()) {
            (true, true) => return Err(field("input", "give either `files` or `lines`")),
            (false, false) => return Err(field("input", "give `files` or `lines`, not both")),
            _ => {}
        }
        within("input.files", self.files.len(), 0, limits::INPUT_ENTRIES)?;
        within("input.lines", self.lines.len(), 0, limits::INPUT_ENTRIES)?;
        if let Some(line) = self.lines.iter().position(|line| line.contains('\n')) {
            return Err(field(
                &format!("input.lines[{line}]"),
                "a line has no line end in it",
            ));
        }
        let mut seen = BTreeSet::new();
        for (index, entry) in self.files.iter().enumerate() {
            let name = format!("input.files[{index}]");
            if !entry.starts_with('/') {
                return Err(field(&name, &format!("{entry:?} must begin with `/`")));
            }
            if !seen.insert(entry) {
                return Err(field(&name, &format!("{entry:?} is there twice")));
            }
        }
        Ok(())
    }
}

impl Stage {
    /// What the stage does.
    #[must_use]
    pub fn work(&self) -> &Work {
        const NOTHING: &Work = &Work {
            builtin: None,
            command: None,
        };
        // One of the two is there in every job that passed `validate`.
        self.map
            .as_ref()
            .or(self.reduce.as_ref())
            .unwrap_or(NOTHING)
    }

    fn validate(&self, index: usize) -> Result<(), SpecError> {
        let name = format!("stages[{index}]");
        let (kind, builtin) = match (&self.map, &self.reduce, index) {
            (Some(_), None, 0) => ("map", Builtin::Words),
            (None, Some(_), 1..) => ("reduce", Builtin::Sum),
            (Some(_), None, _) => {
                return Err(field(
                    &name,
                    "only the first stage is a `map`: write `reduce`",
                ));
            }
            (None, Some(_), 0) => return Err(field(&name, "the first stage must be a `map`")),
            _ => return Err(field(&name, "give either `map` or `reduce`")),
        };
        within(
            &format!("{name}.partitions"),
            self.partitions as usize,
            1,
            limits::PARTITIONS as usize,
        )?;
        let name = format!("{name}.{kind}");
        match (self.work().builtin, &self.work().command) {
            (Some(given), None) if given == builtin => Ok(()),
            (Some(_), None) => Err(field(
                &name,
                &format!("its builtin is `{}`", builtin.name()),
            )),
            (None, Some(command)) if !command.is_empty() && !command.contains('\0') => Ok(()),
            (None, Some(_)) => Err(field(&name, "the command is empty or has a zero byte")),
            _ => Err(field(&name, "give either `builtin` or `command`")),
        }
    }
}

impl Builtin {
    /// Its name in a job file.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Words => "words",
            Self::Sum => "sum",
        }
    }
}

fn field(name: &str, message: &str) -> SpecError {
    SpecError::Field {
        field: name.to_owned(),
        message: message.to_owned(),
    }
}

fn within(name: &str, value: usize, least: usize, most: usize) -> Result<(), SpecError> {
    if (least..=most).contains(&value) {
        return Ok(());
    }
    Err(field(
        name,
        &format!("{value} is not between {least} and {most}"),
    ))
}

fn amount(name: &str, value: f64, least: f64) -> Result<(), SpecError> {
    const MOST: f64 = 1e6;
    if (least..=MOST).contains(&value) {
        return Ok(());
    }
    Err(field(
        name,
        &format!("{value} is not between {least} and {MOST}"),
    ))
}

#[cfg(test)]
mod tests;
