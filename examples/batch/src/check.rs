//! The plain count: the words of some files, one after another, on one processor, in one map.
//!
//! It shares with the job only the definition of a word ([`crate::words`]), so that a mistake in
//! the plan, the shuffle, the sort or the sum shows as a difference.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, Read},
};

use crate::{
    limits::{BUFFER_BYTES, DIFFERENCES},
    record,
    words::Splitter,
};

/// Why the plain count did not come about.
#[derive(Debug, thiserror::Error)]
#[error("cannot read {path}: {cause}")]
pub struct Unreadable {
    /// The file.
    pub path: String,
    /// What the system says.
    pub cause: io::Error,
}

/// How often each word is there.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Counts {
    words: BTreeMap<Vec<u8>, i64>,
    /// The bytes that were read.
    bytes: u64,
}

/// What a comparison found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verdict {
    /// The bytes that were read for the plain count.
    pub bytes: u64,
    /// The words of the plain count, each once.
    pub distinct: u64,
    /// All words of the plain count.
    pub total: i64,
    /// How many words differ.
    pub different: u64,
    /// The first of them, in sentences.
    pub differences: Vec<String>,
}

impl Verdict {
    /// Whether the result is the plain count.
    #[must_use]
    pub const fn agrees(&self) -> bool {
        self.different == 0
    }
}

impl Counts {
    /// Counts the words of the files.
    ///
    /// # Errors
    /// [`Unreadable`], naming the file.
    pub fn of_files(paths: impl IntoIterator<Item = impl AsRef<str>>) -> Result<Self, Unreadable> {
        let mut counts = Self::default();
        for path in paths {
            let path = path.as_ref();
            let unreadable = |cause| Unreadable {
                path: path.to_owned(),
                cause,
            };
            counts
                .read(File::open(path).map_err(unreadable)?)
                .map_err(unreadable)?;
        }
        Ok(counts)
    }

    /// Counts the words of the lines.
    ///
    /// # Errors
    /// None in practice: memory is read.
    pub fn of_lines(lines: impl IntoIterator<Item = impl AsRef<str>>) -> Result<Self, Unreadable> {
        let mut counts = Self::default();
        for line in lines {
            let unreadable = |cause| Unreadable {
                path: "the input".to_owned(),
                cause,
            };
            counts.read(line.as_ref().as_bytes()).map_err(unreadable)?;
        }
        Ok(counts)
    }

    fn read(&mut self, mut text: impl Read) -> io::Result<()> {
        let words = &mut self.words;
        let mut count = |word: &[u8]| {
            match words.get_mut(word) {
                Some(count) => *count += 1,
                None => drop(words.insert(word.to_vec(), 1)),
            }
            Ok::<(), io::Error>(())
        };
        let mut splitter = Splitter::new();
        let mut buffer = vec![0; BUFFER_BYTES];
        loop {
            let length = text.read(&mut buffer)?;
            if length == 0 {
                return splitter.end(&mut count);
            }
            self.bytes += length as u64;
            splitter.feed(&buffer[..length], &mut count)?;
        }
    }

    /// Compares with the records of a result, whatever their order.
    pub fn compare<'a>(mut self, result: impl IntoIterator<Item = &'a [u8]>) -> Verdict {
        let mut verdict = Verdict {
            bytes: self.bytes,
            distinct: self.words.len() as u64,
            total: self.words.values().sum(),
            ..Verdict::default()
        };
        for line in result {
            let counted = self.words.remove(record::key(line));
            if counted != record::count(line).ok() {
                let line = record::shown(line);
                verdict.differ(match counted {
                    Some(counted) => format!("the result has {line:?}, counted {counted}"),
                    None => format!("the result has {line:?} that is not there, or twice"),
                });
            }
        }
        for (word, count) in &self.words {
            let word = record::shown(word);
            verdict.differ(format!("the result lacks {word:?}, counted {count}"));
        }
        verdict
    }
}

impl Verdict {
    fn differ(&mut self, difference: String) {
        self.different += 1;
        if self.differences.len() < DIFFERENCES {
            self.differences.push(difference);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compared(result: &[&str]) -> Verdict {
        let counts = Counts::of_lines(["a b a", "c"]).unwrap();
        counts.compare(result.iter().map(|line| line.as_bytes()))
    }

    #[test]
    fn the_right_result_agrees_in_any_order() {
        let verdict = compared(&["c\t1", "a\t2", "b\t1"]);
        assert!(verdict.agrees(), "{verdict:?}");
        assert_eq!((verdict.bytes, verdict.distinct, verdict.total), (6, 3, 4));
    }

    #[test]
    fn each_kind_of_difference_is_named() {
        for (result, difference) in [
            (
                ["c\t1", "a\t3", "b\t1"].as_slice(),
                "the result has \"a\\t3\", counted 2",
            ),
            (&["c\t1", "a\t2"], "the result lacks \"b\", counted 1"),
            (
                &["a\t2", "a\t2", "b\t1", "c\t1"],
                "the result has \"a\\t2\" that is not there, or twice",
            ),
            (
                &["a\t2", "b\tx", "c\t1"],
                "the result has \"b\\tx\", counted 1",
            ),
        ] {
            assert_eq!(compared(result).differences, [difference]);
        }
    }

    #[test]
    fn a_thousand_differences_are_counted_and_a_few_named() {
        let lines: Vec<String> = (0..1000).map(|n| format!("x{n}\t1")).collect();
        let verdict = Counts::default().compare(lines.iter().map(|line| line.as_bytes()));
        assert_eq!(
            (verdict.different, verdict.differences.len()),
            (1000, DIFFERENCES)
        );
    }

    #[test]
    fn a_file_that_cannot_be_read_is_named() {
        let error = Counts::of_files(["/none"]).unwrap_err();
        assert!(
            error.to_string().starts_with("cannot read /none: "),
            "{error}"
        );
    }
}
