//! The file in which a task leaves one partition of its output.
//!
//! Records, one a line, then a last line that says how many there are and what they hash to:
//! `\0end <records> <fnv-1a 64 of all the lines before, 16 hexadecimal digits>`. Who reads the file
//! over the network can so tell a whole one from one that was cut or changed on the way.

use std::{
    io::{self, BufRead, Read, Write},
    mem,
};

use crate::{hash::Fnv, limits::RECORD_BYTES, record::shown};

/// The beginning of the last line.
const END: &[u8] = b"\0end ";

/// Why a partition cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum PartError {
    /// A record is longer than [`RECORD_BYTES`].
    #[error("a record has more than {RECORD_BYTES} bytes: it begins with {0:?}")]
    TooLong(String),
    /// The last line is missing or no such line.
    #[error("the partition has no end: it was cut after {records} records")]
    Cut {
        /// The records before.
        records: u64,
    },
    /// The records are not those that were written.
    #[error("the partition was changed: its {records} records do not match its checksum")]
    Changed {
        /// The records that were read.
        records: u64,
    },
    /// The file itself cannot be written or read.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// How much was written or read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Volume {
    /// How many records.
    pub records: u64,
    /// How many bytes they have, line ends included.
    pub bytes: u64,
}

/// Writes a partition.
#[derive(Debug)]
pub struct PartWriter<W> {
    out: W,
    volume: Volume,
    hash: Fnv,
}

impl<W: Write> PartWriter<W> {
    /// Writes to `out`, which should be buffered.
    pub fn new(out: W) -> Self {
        Self {
            out,
            volume: Volume::default(),
            hash: Fnv::new(),
        }
    }

    /// Adds a record, given without its line end.
    ///
    /// # Errors
    /// [`PartError::TooLong`], or that of the file.
    pub fn write(&mut self, record: &[u8]) -> Result<(), PartError> {
        if record.len() > RECORD_BYTES {
            return Err(PartError::TooLong(shown(record)));
        }
        self.out.write_all(record)?;
        self.out.write_all(b"\n")?;
        self.hash.feed(record);
        self.hash.feed(b"\n");
        self.volume.records += 1;
        self.volume.bytes += record.len() as u64 + 1;
        Ok(())
    }

    /// Writes the last line and hands everything to the operating system.
    ///
    /// # Errors
    /// That of the file.
    pub fn finish(mut self) -> Result<Volume, PartError> {
        self.out.write_all(END)?;
        writeln!(self.out, "{} {:016x}", self.volume.records, self.hash.get())?;
        self.out.flush()?;
        Ok(self.volume)
    }
}

/// Reads a partition, and checks it at its end.
#[derive(Debug)]
pub struct PartReader<R> {
    lines: R,
    /// The line that is handed out, and the one behind it: the last of all is no record.
    line: Vec<u8>,
    next: Vec<u8>,
    volume: Volume,
    hash: Fnv,
    started: bool,
}

impl<R: BufRead> PartReader<R> {
    /// Reads from `lines`.
    pub fn new(lines: R) -> Self {
        Self {
            lines,
            line: Vec::new(),
            next: Vec::new(),
            volume: Volume::default(),
            hash: Fnv::new(),
            started: false,
        }
    }

    /// The next record, without its line end; none after the last, when the partition proved whole.
    ///
    /// # Errors
    /// [`PartError::Cut`] and [`PartError::Changed`], at the end; that of the file.
    pub fn read(&mut self) -> Result<Option<&[u8]>, PartError> {
        if !mem::replace(&mut self.started, true) {
            read_line(&mut self.lines, &mut self.next)?;
        }
        mem::swap(&mut self.line, &mut self.next);
        if !read_line(&mut self.lines, &mut self.next)? {
            return self.check_end().map(|()| None);
        }
        self.hash.feed(&self.line);
        self.volume.records += 1;
        self.volume.bytes += self.line.len() as u64;
        let record = self.line.strip_suffix(b"\n").unwrap_or(&self.line);
        Ok(Some(record))
    }

    /// How much has been read.
    pub const fn volume(&self) -> Volume {
        self.volume
    }

    /// Compares the last line, which is in `line`, with what was read.
    fn check_end(&self) -> Result<(), PartError> {
        let records = self.volume.records;
        let end = self
            .line
            .strip_prefix(END)
            .and_then(|rest| rest.strip_suffix(b"\n"));
        let Some(end) = end else {
            return Err(PartError::Cut { records });
        };
        if end == format!("{records} {:016x}", self.hash.get()).as_bytes() {
            Ok(())
        } else {
            Err(PartError::Changed { records })
        }
    }
}

/// Reads one line with its end into `line`; false at the end of the file.
fn read_line(lines: &mut impl BufRead, line: &mut Vec<u8>) -> Result<bool, PartError> {
    line.clear();
    let most = RECORD_BYTES as u64 + 1;
    let length = lines.by_ref().take(most).read_until(b'\n', line)?;
    if length as u64 == most && !line.ends_with(b"\n") {
        return Err(PartError::TooLong(shown(line)));
    }
    Ok(length > 0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(records: &[&[u8]]) -> Vec<u8> {
        let mut file = Vec::new();
        let mut part = PartWriter::new(&mut file);
        for record in records {
            part.write(record).unwrap();
        }
        part.finish().unwrap();
        file
    }

    fn read(file: &[u8]) -> Result<Vec<Vec<u8>>, PartError> {
        let mut part = PartReader::new(file);
        let mut records = Vec::new();
        while let Some(record) = part.read()? {
            records.push(record.to_vec());
        }
        assert_eq!(part.volume().records, records.len() as u64);
        Ok(records)
    }

    #[test]
    fn the_last_line_says_how_many_records_there_are_and_their_hash() {
        assert_eq!(written(&[]), b"\0end 0 cbf29ce484222325\n");
        let file = written(&[b"a\t1", b"b\t2"]);
        assert!(file.starts_with(b"a\t1\nb\t2\n\0end 2 "));
    }

    #[test]
    fn a_partition_cut_anywhere_is_refused() {
        let file = written(&[b"a\t1", b"b\t22", b""]);
        for length in 0..file.len() {
            assert!(
                matches!(read(&file[..length]), Err(PartError::Cut { .. })),
                "{length}"
            );
        }
        assert_eq!(read(&file).unwrap().len(), 3);
    }

    #[test]
    fn a_changed_byte_is_noticed() {
        let mut file = written(&[b"a\t1", b"b\t2"]);
        file[2] = b'7';
        assert!(matches!(
            read(&file),
            Err(PartError::Changed { records: 2 })
        ));
    }

    #[test]
    fn a_record_beyond_the_limit_is_neither_written_nor_read() {
        let long = vec![b'x'; RECORD_BYTES + 1];
        let refused = PartWriter::new(Vec::new()).write(&long);
        assert!(matches!(refused, Err(PartError::TooLong(_))));
        assert!(matches!(read(&long), Err(PartError::TooLong(_))));
        let longest = &long[1..];
        assert_eq!(read(&written(&[longest])).unwrap(), [longest]);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            records in proptest::collection::vec("[^\n]{0,20}", 0..20),
        ) {
            let records: Vec<&[u8]> = records.iter().map(String::as_bytes).collect();
            prop_assert_eq!(read(&written(&records)).unwrap(), records);
        }
    }
}
