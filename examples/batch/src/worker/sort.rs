//! Sorts any number of records in bounded memory: sorted runs go to disk, and are merged.

use std::{
    cmp::Ordering,
    collections::{BinaryHeap, VecDeque, binary_heap::PeekMut},
    fs::{self, File},
    io::{BufRead, BufReader, BufWriter, Write},
    mem,
    path::{Path, PathBuf},
};

use super::Failure;
use crate::{limits::BUFFER_BYTES, record};

/// Collects records, and hands them out in the order of [`record::compare`].
#[derive(Debug)]
pub(super) struct Sorter {
    folder: PathBuf,
    /// The records in memory, one behind the other, and where each begins and ends.
    text: Vec<u8>,
    places: Vec<(u32, u32)>,
    memory: usize,
    merged_at_once: usize,
    runs: VecDeque<PathBuf>,
    written: u64,
}

impl Sorter {
    /// Keeps up to `memory` bytes in memory, and writes the rest into `folder`; merges up to
    /// `merged_at_once` runs at a time.
    pub(super) fn new(folder: &Path, memory: usize, merged_at_once: usize) -> Self {
        Self {
            folder: folder.to_owned(),
            text: Vec::new(),
            places: Vec::new(),
            // Places are 32 bits wide.
            memory: memory.min(u32::MAX as usize / 2),
            merged_at_once: merged_at_once.max(2),
            runs: VecDeque::new(),
            written: 0,
        }
    }

    /// Takes a record, which has no line end in it.
    pub(super) fn add(&mut self, record: &[u8]) -> Result<(), Failure> {
        let held = self.text.len() + mem::size_of_val(self.places.as_slice());
        if !self.places.is_empty() && held + record.len() > self.memory {
            self.write_run()?;
        }
        let begin = self.text.len();
        self.text.extend_from_slice(record);
        self.places.push((begin as u32, self.text.len() as u32));
        Ok(())
    }

    /// Hands out all records in order, and removes its files.
    pub(super) fn finish(
        mut self,
        mut each: impl FnMut(&[u8]) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        if self.runs.is_empty() {
            self.sort();
            return self.in_memory().try_for_each(each);
        }
        self.write_run()?;
        while self.runs.len() > self.merged_at_once {
            let some = self.runs.drain(..self.merged_at_once).collect();
            let (path, mut run) = self.create_run()?;
            merge(some, |record| write_line(&mut run, record, &path))?;
            run.flush().map_err(Failure::io("write", &path))?;
            self.runs.push_back(path);
        }
        merge(self.runs.into(), &mut each)
    }

    fn sort(&mut self) {
        let text = &self.text;
        let record = |&(begin, end): &(u32, u32)| &text[begin as usize..end as usize];
        self.places
            .sort_unstable_by(|left, right| record::compare(record(left), record(right)));
    }

    fn in_memory(&self) -> impl Iterator<Item = &[u8]> {
        self.places
            .iter()
            .map(|&(begin, end)| &self.text[begin as usize..end as usize])
    }

    /// Sorts what is in memory and moves it to disk.
    fn write_run(&mut self) -> Result<(), Failure> {
        self.sort();
        let (path, mut run) = self.create_run()?;
        self.in_memory()
            .try_for_each(|record| write_line(&mut run, record, &path))?;
        run.flush().map_err(Failure::io("write", &path))?;
        self.runs.push_back(path);
        self.text.clear();
        self.places.clear();
        Ok(())
    }

    fn create_run(&mut self) -> Result<(PathBuf, BufWriter<File>), Failure> {
        fs::create_dir_all(&self.folder).map_err(Failure::io("create", &self.folder))?;
        let path = self.folder.join(self.written.to_string());
        self.written += 1;
        let file = File::create(&path).map_err(Failure::io("create", &path))?;
        Ok((path, BufWriter::with_capacity(BUFFER_BYTES, file)))
    }
}

fn write_line(file: &mut impl Write, record: &[u8], path: &Path) -> Result<(), Failure> {
    let written = file.write_all(record).and_then(|()| file.write_all(b"\n"));
    written.map_err(Failure::io("write", path))
}

/// A run that is being read, standing at a record.
struct Run {
    path: PathBuf,
    lines: BufReader<File>,
    record: Vec<u8>,
}

impl Run {
    fn open(path: PathBuf) -> Result<Self, Failure> {
        let file = File::open(&path).map_err(Failure::io("open", &path))?;
        let mut run = Self {
            path,
            lines: BufReader::new(file),
            record: Vec::new(),
        };
        run.advance()?;
        Ok(run)
    }

    /// Goes to the next record; false behind the last.
    fn advance(&mut self) -> Result<bool, Failure> {
        self.record.clear();
        let read = self.lines.read_until(b'\n', &mut self.record);
        let length = read.map_err(Failure::io("read", &self.path))?;
        self.record.pop();
        Ok(length > 0)
    }
}

/// The greatest of a heap is the run whose record comes first.
impl Ord for Run {
    fn cmp(&self, other: &Self) -> Ordering {
        record::compare(&other.record, &self.record)
    }
}

impl PartialOrd for Run {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Run {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Run {}

/// Hands out the records of several runs in order, and removes each run at its end. No run is
/// empty.
fn merge(
    paths: Vec<PathBuf>,
    mut each: impl FnMut(&[u8]) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut runs = BinaryHeap::with_capacity(paths.len());
    for path in paths {
        runs.push(Run::open(path)?);
    }
    while let Some(mut first) = runs.peek_mut() {
        each(&first.record)?;
        if !first.advance()? {
            let run = PeekMut::pop(first);
            fs::remove_file(&run.path).map_err(Failure::io("remove", &run.path))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sorted(records: &[Vec<u8>], memory: usize, merged_at_once: usize) -> (Vec<Vec<u8>>, u64) {
        let folder = tempfile::tempdir().unwrap();
        let mut sorter = Sorter::new(&folder.path().join("runs"), memory, merged_at_once);
        for record in records {
            sorter.add(record).unwrap();
        }
        let runs = sorter.written;
        let mut found = Vec::new();
        let keep = |record: &[u8]| {
            found.push(record.to_vec());
            Ok(())
        };
        sorter.finish(keep).unwrap();
        let left = fs::read_dir(folder.path().join("runs")).map_or(0, Iterator::count);
        assert_eq!(left, 0, "runs are left on disk");
        (found, runs)
    }

    #[test]
    fn few_records_never_touch_the_disk() {
        let records: Vec<Vec<u8>> = [b"b\t1".as_slice(), b"a\t2", b"a\t1"].map(Vec::from).into();
        let (found, runs) = sorted(&records, 1000, 4);
        assert_eq!(found, [b"a\t1", b"a\t2", b"b\t1"]);
        assert_eq!(runs, 0);
        assert!(sorted(&[], 1000, 4).0.is_empty());
    }

    #[test]
    fn many_records_are_merged_in_several_rounds() {
        let records: Vec<_> = (0..1000)
            .map(|n| format!("{}", n * 7919 % 1000).into_bytes())
            .collect();
        let (found, runs) = sorted(&records, 100, 3);
        let mut expected = records;
        expected.sort();
        assert_eq!(found, expected);
        assert!(runs > 50, "{runs}");
    }

    proptest! {
        #[test]
        fn any_records_come_out_in_order(
            records in proptest::collection::vec("[ab\t\u{1}]{0,6}", 0..60),
            memory in 1_usize..200,
            merged_at_once in 2_usize..5,
        ) {
            let records: Vec<_> = records.into_iter().map(String::into_bytes).collect();
            let mut expected = records.clone();
            expected.sort_by(|left, right| record::compare(left, right));
            prop_assert_eq!(sorted(&records, memory, merged_at_once).0, expected);
        }
    }
}
