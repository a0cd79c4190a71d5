//! A later stage: fetches its partition of every output, sorts, and reduces each key's records.

use std::{
    fs::{self, File},
    io::{BufReader, Write},
    path::{Path, PathBuf},
};

use super::{Failure, Fetch, LostOutput, command, output::Outputs, sort::Sorter};
use crate::{
    limits::{BUFFER_BYTES, MERGE_RUNS, SORT_BYTES},
    part::{PartError, PartReader},
    plan::{Output, Plan, Shuffle},
    record,
    spec::{Builtin, Work},
};

/// An output that is here now.
pub(super) struct Fetched {
    output: Output,
    path: PathBuf,
}

/// Fetches this task's partition of every output of the stage before.
pub(super) fn fetch(
    plan: &Plan,
    shuffle: &Shuffle,
    sandbox: &Path,
    fetch: &dyn Fetch,
) -> Result<Vec<Fetched>, Failure> {
    let folder = sandbox.join("fetched");
    fs::create_dir_all(&folder).map_err(Failure::io("create", &folder))?;
    let fetched: Vec<_> = plan
        .outputs(shuffle)
        .map(|output| {
            let path = folder.join(output.task.place.partition.to_string());
            Fetched { output, path }
        })
        .collect();
    let wanted: Vec<_> = fetched
        .iter()
        .map(|fetched| (&fetched.output, fetched.path.as_path()))
        .collect();
    fetch.fetch(&shuffle.framework, plan.place.partition, &wanted)?;
    Ok(fetched)
}

/// Reduces what was fetched.
pub(super) fn run(
    fetched: Vec<Fetched>,
    work: &Work,
    runs: &Path,
    outputs: &mut Outputs,
) -> Result<(), Failure> {
    let mut sorter = Sorter::new(runs, SORT_BYTES, MERGE_RUNS);
    for fetched in fetched {
        read(&fetched, &mut sorter)?;
        // Its records are in memory or in a run; the disk need not have them twice.
        fs::remove_file(&fetched.path).map_err(Failure::io("remove", &fetched.path))?;
    }
    match (&work.command, work.builtin) {
        (Some(command), _) => {
            let feed = |stdin: &mut dyn Write| {
                sorter.finish(|record| {
                    let written = stdin
                        .write_all(record)
                        .and_then(|()| stdin.write_all(b"\n"));
                    written.map_err(Failure::Command)
                })
            };
            command::run(command, feed, |line| outputs.write(line))
        }
        (None, Some(Builtin::Sum)) => sum(sorter, outputs),
        (None, _) => Err(Failure::NoPlan),
    }
}

/// Gives all records of a partition to the sorter. One that is not whole counts as lost: whoever
/// wrote it must do so again.
fn read(fetched: &Fetched, sorter: &mut Sorter) -> Result<(), Failure> {
    let Fetched { output, path } = fetched;
    let file = File::open(path).map_err(Failure::io("open", path))?;
    let mut part = PartReader::new(BufReader::with_capacity(BUFFER_BYTES, file));
    loop {
        match part.read() {
            Ok(Some(record)) => sorter.add(record)?,
            Ok(None) => return Ok(()),
            Err(PartError::Io(cause)) => return Err(Failure::io("read", path)(cause)),
            Err(damage) => {
                let lost = LostOutput {
                    output: output.clone(),
                    cause: damage.to_string(),
                };
                return Err(Failure::Lost(vec![lost]));
            }
        }
    }
}

/// Adds up the values of each key; equal keys stand together.
fn sum(sorter: Sorter, outputs: &mut Outputs) -> Result<(), Failure> {
    let mut present: Option<(Vec<u8>, i64)> = None;
    sorter.finish(|line| {
        let (key, more) = (record::key(line), record::count(line)?);
        match &mut present {
            Some((same, sum)) if same == key => *sum = record::add(key, *sum, more)?,
            other => {
                if let Some((key, sum)) = other.replace((key.to_vec(), more)) {
                    outputs.count(&key, sum)?;
                }
            }
        }
        Ok(())
    })?;
    present.map_or(Ok(()), |(key, sum)| outputs.count(&key, sum))
}
