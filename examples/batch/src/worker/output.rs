//! Where a task's records go: to the result, or to the partition of their key.

use std::{
    fs::{self, File},
    io::BufWriter,
    path::Path,
};

use super::{Failure, combine::Combiner};
use crate::{
    hash::partition_of,
    limits::{BUFFER_BYTES, COMBINE_BYTES, PARTITIONS},
    part::{PartError, PartWriter, Volume},
    plan::{RESULT_FILE, Sink, part_file},
    record,
};

type Part = PartWriter<BufWriter<File>>;

/// The output files of a task, open.
#[derive(Debug)]
pub(super) struct Outputs {
    parts: Vec<Part>,
    combiner: Option<Combiner>,
    line: Vec<u8>,
}

impl Outputs {
    /// Creates the files.
    pub(super) fn create(sink: &Sink, sandbox: &Path) -> Result<Self, Failure> {
        let (names, sum) = match *sink {
            Sink::Result => (vec![RESULT_FILE.to_owned()], false),
            Sink::Partitions { count, sum } => {
                let count = count.clamp(1, PARTITIONS);
                ((0..count).map(part_file).collect(), sum)
            }
        };
        // Many small buffers rather than many large ones: their sum counts.
        let buffer = (COMBINE_BYTES / names.len()).min(BUFFER_BYTES);
        let parts = names.iter().map(|name| open(&sandbox.join(name), buffer));
        Ok(Self {
            parts: parts.collect::<Result<_, _>>()?,
            combiner: sum.then(|| Combiner::new(COMBINE_BYTES)),
            line: Vec::new(),
        })
    }

    /// Takes a record.
    pub(super) fn write(&mut self, line: &[u8]) -> Result<(), Failure> {
        if self.combiner.is_some() {
            return self.count(record::key(line), record::count(line)?);
        }
        Ok(route(&mut self.parts, line)?)
    }

    /// Takes a record whose value is a number.
    pub(super) fn count(&mut self, key: &[u8], count: i64) -> Result<(), Failure> {
        let Self {
            parts,
            combiner,
            line,
        } = self;
        match combiner {
            Some(combiner) => {
                combiner.add(key, count)?;
                if combiner.is_full() {
                    combiner.drain(line, |line| route(parts, line))?;
                }
            }
            None => {
                write_count(line, key, count);
                route(parts, line)?;
            }
        }
        Ok(())
    }

    /// Writes what is still held back, and ends the files.
    pub(super) fn finish(mut self) -> Result<Volume, Failure> {
        let Self {
            parts,
            combiner,
            line,
        } = &mut self;
        if let Some(combiner) = combiner {
            combiner.drain(line, |line| route(parts, line))?;
        }
        let mut total = Volume::default();
        for part in self.parts {
            let volume = part.finish()?;
            total.records += volume.records;
            total.bytes += volume.bytes;
        }
        Ok(total)
    }
}

/// Puts `key<TAB>count` into `line`.
pub(super) fn write_count(line: &mut Vec<u8>, key: &[u8], count: i64) {
    line.clear();
    line.extend_from_slice(key);
    line.push(b'\t');
    line.extend_from_slice(count.to_string().as_bytes());
}

fn route(parts: &mut [Part], line: &[u8]) -> Result<(), PartError> {
    // There are never more than PARTITIONS of them.
    let partition = partition_of(record::key(line), parts.len() as u32);
    parts[partition as usize].write(line)
}

fn open(path: &Path, buffer: usize) -> Result<Part, Failure> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(Failure::io("create", folder))?;
    }
    let file = File::create(path).map_err(Failure::io("create", path))?;
    Ok(PartWriter::new(BufWriter::with_capacity(buffer, file)))
}
