//! A hash over everything that happened, by which two runs of one seed are compared.

use core::fmt::{Debug, Write};

/// FNV-1a over all that happened.
#[derive(Debug)]
pub(crate) struct Trace {
    hash: u64,
    is_printed: bool,
}

/// Feeds what is formatted to the hash, without a text in between.
struct Feed<'a>(&'a mut u64);

impl Write for Feed<'_> {
    fn write_str(&mut self, text: &str) -> core::fmt::Result {
        *self.0 = hash(*self.0, text.as_bytes());
        Ok(())
    }
}

fn hash(start: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(start, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

impl Trace {
    /// Prints every line when `TEPUI_SIM_SEED` is set, for a run that is looked into.
    pub(crate) fn new() -> Self {
        let is_printed = std::env::var_os("TEPUI_SIM_SEED").is_some();
        Self {
            hash: 0xcbf2_9ce4_8422_2325,
            is_printed,
        }
    }

    /// Notes something that happened so many microseconds into the run.
    pub(crate) fn note(&mut self, micros: u64, what: impl Debug) {
        self.hash = hash(self.hash, &micros.to_le_bytes());
        // Writing into a hash does not fail.
        let _ = write!(Feed(&mut self.hash), "{what:?}");
        self.print(micros, what);
    }

    /// Notes the bytes of a message; `what` is made only to be printed.
    pub(crate) fn note_bytes(&mut self, micros: u64, bytes: &[u8], what: impl FnOnce() -> String) {
        self.hash = hash(hash(self.hash, &micros.to_le_bytes()), bytes);
        if self.is_printed {
            self.print(micros, format_args!("{}", what()));
        }
    }

    /// Prints a remark that is no part of the hash.
    pub(crate) fn print(&self, micros: u64, what: impl Debug) {
        if self.is_printed {
            println!("{:12.6} {what:?}", micros as f64 / 1e6);
        }
    }

    pub(crate) fn hash(&self) -> u64 {
        self.hash
    }
}

/// What a message says, without the fields that are not set.
pub(crate) fn compact(message: &impl Debug) -> String {
    let text = format!("{message:?}");
    let mut parts: Vec<String> = Vec::new();
    for part in text.split(", ") {
        let (before, value) = part.rsplit_once(": ").unwrap_or(("", part));
        let unset = ["None", "[]"]
            .iter()
            .find_map(|unset| value.strip_prefix(unset));
        match unset {
            None => parts.push(part.to_owned()),
            Some(after) => {
                let before = before.rsplit_once(' ').map_or("", |(before, _)| before);
                parts.extend(Some(format!("{before}{after}")).filter(|rest| !rest.is_empty()));
            }
        }
    }
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_depends_on_what_happened_and_when() {
        let of = |micros, what: &str| {
            let mut trace = Trace::new();
            trace.note(micros, what);
            trace.hash()
        };
        assert_eq!(of(1, "a"), of(1, "a"));
        assert_ne!(of(1, "a"), of(2, "a"));
        assert_ne!(of(1, "a"), of(1, "b"));
    }

    #[test]
    fn unset_fields_are_left_out_of_what_is_printed() {
        #[derive(Debug)]
        #[expect(dead_code, reason = "only printed")]
        struct Sample {
            a: u8,
            b: Option<u8>,
            c: Vec<u8>,
        }
        assert_eq!(
            compact(&Sample {
                a: 1,
                b: None,
                c: Vec::new()
            }),
            "Sample { a: 1,  }"
        );
        assert_eq!(
            compact(&Some(Sample {
                a: 1,
                b: Some(2),
                c: vec![3]
            }))
            .matches(',')
            .count(),
            2
        );
    }
}
