//! What the framework keeps on disk: jobs, what they read, their tasks, and its own identity.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tepui_sdk::model::{FrameworkId, InvalidId, Time};

use super::{Extent, Job, JobState, Task};
use crate::{
    ids::{JobId, Place},
    plan::Source,
    spec,
};

/// The kinds of records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Family {
    /// The framework itself: its id, and the number of the last job.
    Framework,
    /// A job, without its tasks.
    Jobs,
    /// What a task of the first stage of a job reads.
    Sources,
    /// A task that has been launched at least once.
    Tasks,
}

/// One change of what is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The kind of record.
    pub family: Family,
    /// Its key.
    pub key: String,
    /// Its new value; none if the record goes.
    pub value: Option<Vec<u8>>,
}

/// Why records cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum Damaged {
    /// A record is of another version, or of none.
    #[error("record {key:?} of {family:?} cannot be read: {cause}")]
    Value {
        /// Its kind.
        family: Family,
        /// Its key.
        key: String,
        /// What is wrong with it.
        cause: serde_json::Error,
    },
    /// A record belongs to no job, or to no place in its job.
    #[error("record {key:?} of {family:?} belongs to no job")]
    Stray {
        /// Its kind.
        family: Family,
        /// Its key.
        key: String,
    },
    /// The framework's id is none.
    #[error("the framework's id cannot be read: {0}")]
    Framework(#[from] InvalidId),
}

/// What an earlier life left.
#[derive(Debug, Default)]
pub struct Recovered {
    /// The framework's id, if it ever had one.
    pub framework: Option<FrameworkId>,
    /// Every job.
    pub jobs: Vec<Job>,
    /// The number of the last job ever submitted.
    pub last: u64,
}

/// A job on disk: its tasks and sources are records of their own.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredJob {
    number: u64,
    spec: spec::Job,
    sources: u32,
    extent: Extent,
    state: JobState,
    reason: String,
    #[serde(with = "as_micros")]
    submitted: Time,
    ended: Option<u64>,
}

const FRAMEWORK_ID: &str = "id";
const LAST_NUMBER: &str = "last";

impl Family {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Framework, Self::Jobs, Self::Sources, Self::Tasks];

    /// The name on disk.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Framework => "framework",
            Self::Jobs => "jobs",
            Self::Sources => "sources",
            Self::Tasks => "tasks",
        }
    }
}

impl Change {
    pub(super) fn framework(id: &FrameworkId) -> Self {
        Self::put(Family::Framework, FRAMEWORK_ID.to_owned(), &id.as_str())
    }

    pub(super) fn no_framework() -> Self {
        Self::delete(Family::Framework, FRAMEWORK_ID.to_owned())
    }

    pub(super) fn number(last: u64) -> Self {
        Self::put(Family::Framework, LAST_NUMBER.to_owned(), &last)
    }

    pub(super) fn job(job: &Job) -> Self {
        let stored = StoredJob {
            number: job.number,
            spec: job.spec.clone(),
            sources: job.sources.len() as u32,
            extent: job.extent,
            state: job.state,
            reason: job.reason.clone(),
            submitted: job.submitted,
            ended: job.ended.map(Time::as_micros),
        };
        Self::put(Family::Jobs, job.id.to_string(), &stored)
    }

    pub(super) fn source(job: &JobId, partition: u32, source: &Source) -> Self {
        Self::put(Family::Sources, source_key(job, partition), source)
    }

    pub(super) fn task(job: &JobId, place: Place, task: &Task) -> Self {
        Self::put(Family::Tasks, task_key(job, place), task)
    }

    pub(super) fn delete_job(job: &JobId) -> Self {
        Self::delete(Family::Jobs, job.to_string())
    }

    pub(super) fn delete_source(job: &JobId, partition: u32) -> Self {
        Self::delete(Family::Sources, source_key(job, partition))
    }

    pub(super) fn delete_task(job: &JobId, place: Place) -> Self {
        Self::delete(Family::Tasks, task_key(job, place))
    }

    fn put(family: Family, key: String, value: &impl Serialize) -> Self {
        // Fails for maps whose keys are no texts and numbers that are none; there are no such here,
        // as the limits of a job file see to.
        let value = serde_json::to_vec(value).unwrap_or_default();
        Self {
            family,
            key,
            value: Some(value),
        }
    }

    const fn delete(family: Family, key: String) -> Self {
        Self {
            family,
            key,
            value: None,
        }
    }
}

fn source_key(job: &JobId, partition: u32) -> String {
    format!("{job}.{partition}")
}

fn task_key(job: &JobId, place: Place) -> String {
    format!("{job}.{}.{}", place.stage, place.partition)
}

impl Recovered {
    /// Puts the records of a store together again.
    ///
    /// # Errors
    /// [`Damaged`], naming the record: nothing is guessed.
    pub fn read(mut load: impl FnMut(Family) -> Vec<(String, Vec<u8>)>) -> Result<Self, Damaged> {
        let mut recovered = Self::default();
        for (key, value) in load(Family::Framework) {
            match key.as_str() {
                FRAMEWORK_ID => {
                    let id: String = decode(Family::Framework, &key, &value)?;
                    recovered.framework = Some(FrameworkId::new(id)?);
                }
                _ => recovered.last = decode(Family::Framework, &key, &value)?,
            }
        }
        let mut jobs = BTreeMap::new();
        for (key, value) in load(Family::Jobs) {
            let job = read_job(decode(Family::Jobs, &key, &value)?);
            jobs.insert(job.id.clone(), job);
        }
        for (key, value) in load(Family::Sources) {
            let source = decode(Family::Sources, &key, &value)?;
            let place = find(&mut jobs, &key)
                .and_then(|(job, [partition])| job.sources.get_mut(partition as usize));
            *place.ok_or_else(|| stray(Family::Sources, &key))? = source;
        }
        for (key, value) in load(Family::Tasks) {
            let task: Task = decode(Family::Tasks, &key, &value)?;
            let place = find(&mut jobs, &key)
                .and_then(|(job, [stage, partition])| job.task_mut(Place { stage, partition }));
            *place.ok_or_else(|| stray(Family::Tasks, &key))? = task;
        }
        recovered.jobs = jobs.into_values().collect();
        Ok(recovered)
    }
}

fn read_job(stored: StoredJob) -> Job {
    let sources = vec![Source::Lines(Vec::new()); stored.sources as usize];
    let mut job = Job::new(
        stored.number,
        stored.spec,
        sources,
        stored.extent,
        stored.submitted,
    );
    job.state = stored.state;
    job.reason = stored.reason;
    job.ended = stored.ended.map(Time::from_micros);
    job
}

/// The job that a key begins with, and the numbers that it ends with.
fn find<'a, const N: usize>(
    jobs: &'a mut BTreeMap<JobId, Job>,
    key: &str,
) -> Option<(&'a mut Job, [u32; N])> {
    let mut parts = key.rsplitn(N + 1, '.');
    let mut numbers = [0; N];
    for number in numbers.iter_mut().rev() {
        *number = parts.next()?.parse().ok()?;
    }
    let job = jobs.get_mut(&JobId::from(parts.next()?))?;
    Some((job, numbers))
}

fn decode<T: DeserializeOwned>(family: Family, key: &str, value: &[u8]) -> Result<T, Damaged> {
    serde_json::from_slice(value).map_err(|cause| Damaged::Value {
        family,
        key: key.to_owned(),
        cause,
    })
}

fn stray(family: Family, key: &str) -> Damaged {
    Damaged::Stray {
        family,
        key: key.to_owned(),
    }
}

/// A time as microseconds.
pub(super) mod as_micros {
    use serde::{Deserialize, Deserializer, Serializer};
    use tepui_sdk::model::Time;

    pub(crate) fn serialize<S: Serializer>(time: &Time, out: S) -> Result<S::Ok, S::Error> {
        out.serialize_u64(time.as_micros())
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Time, D::Error> {
        u64::deserialize(from).map(Time::from_micros)
    }
}

/// An agent's id as text.
pub(super) mod as_text {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};
    use tepui_sdk::model::AgentId;

    pub(crate) fn serialize<S: Serializer>(id: &AgentId, out: S) -> Result<S::Ok, S::Error> {
        out.serialize_str(id.as_str())
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<AgentId, D::Error> {
        AgentId::new(String::deserialize(from)?).map_err(D::Error::custom)
    }
}
