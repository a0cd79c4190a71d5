//! The names of jobs and tasks. A task's id says which job, stage, partition and attempt it is, so
//! that a status update needs no table to find its place.

use std::{fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::limits::NAME_BYTES;

/// Why a text is not the name or the id that it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidName {
    /// A job's name has other characters, or is too long.
    #[error(
        "{0:?} is no name of a job: use 1 to {NAME_BYTES} small letters, digits and dashes, \
         beginning with a letter"
    )]
    Job(String),
    /// The text is no id of a task of a batch job.
    #[error("{0:?} is no task of a batch job: JOB.STAGE.PARTITION.ATTEMPT")]
    Task(String),
}

/// Checks the name that a job file gives to its job.
///
/// # Errors
/// [`InvalidName::Job`].
pub fn check_name(name: &str) -> Result<(), InvalidName> {
    let letters = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let begins = name
        .bytes()
        .next()
        .is_some_and(|byte| byte.is_ascii_lowercase());
    if begins && name.len() <= NAME_BYTES && name.bytes().all(letters) {
        Ok(())
    } else {
        Err(InvalidName::Job(name.to_owned()))
    }
}

/// A job: the name from its file and the number of its submission, `wordcount-3`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct JobId(Arc<str>);

impl JobId {
    /// The `number`th job ever submitted.
    #[must_use]
    pub fn new(name: &str, number: u64) -> Self {
        Self(format!("{name}-{number}").into())
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl From<String> for JobId {
    fn from(id: String) -> Self {
        Self(id.into())
    }
}

impl From<JobId> for String {
    fn from(id: JobId) -> Self {
        id.as_str().to_owned()
    }
}

impl From<&str> for JobId {
    /// Takes any text: a job of that id may or may not exist.
    fn from(id: &str) -> Self {
        Self(id.into())
    }
}

/// A place in a job: the work that one task does, in one attempt or several.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Place {
    /// The stage, from 0.
    pub stage: u32,
    /// The partition of the stage, from 0.
    pub partition: u32,
}

/// One attempt at a place of a job, and the id of the task that is this attempt.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Attempt {
    /// The job.
    pub job: JobId,
    /// The place in it.
    pub place: Place,
    /// The number of the attempt, from 1.
    pub number: u32,
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Place { stage, partition } = self.place;
        write!(f, "{}.{stage}.{partition}.{}", self.job, self.number)
    }
}

impl FromStr for Attempt {
    type Err = InvalidName;

    fn from_str(id: &str) -> Result<Self, InvalidName> {
        let mut parts = id.rsplitn(4, '.');
        let mut number = || parts.next().and_then(|part| part.parse().ok());
        let (attempt, partition, stage) = (number(), number(), number());
        match (parts.next(), stage, partition, attempt) {
            (Some(job), Some(stage), Some(partition), Some(number)) => Ok(Self {
                job: JobId::from(job),
                place: Place { stage, partition },
                number,
            }),
            _ => Err(InvalidName::Task(id.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_of_a_task_says_what_it_is() {
        let attempt = Attempt {
            job: JobId::new("word-count", 12),
            place: Place {
                stage: 1,
                partition: 30,
            },
            number: 2,
        };
        assert_eq!(attempt.to_string(), "word-count-12.1.30.2");
        assert_eq!("word-count-12.1.30.2".parse(), Ok(attempt));
        for wrong in ["", "a", "1.2.3", "job.a.1.2", "job.1.2.-1"] {
            assert!(wrong.parse::<Attempt>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_longest_names_make_an_id_that_mesos_takes() {
        let attempt = Attempt {
            job: JobId::new(&"n".repeat(NAME_BYTES), u64::MAX),
            place: Place {
                stage: u32::MAX,
                partition: u32::MAX,
            },
            number: u32::MAX,
        };
        assert!(attempt.to_string().len() <= 255);
    }

    #[test]
    fn a_name_is_of_small_letters_digits_and_dashes() {
        for name in ["a", "word-count", "x86"] {
            assert_eq!(check_name(name), Ok(()));
        }
        for name in [
            "",
            "-a",
            "A",
            "a.b",
            "a/b",
            "a b",
            &"a".repeat(NAME_BYTES + 1),
        ] {
            assert!(check_name(name).is_err(), "{name}");
        }
    }
}
