//! Regular expressions of offer constraints: RE2's, within bounds.

use std::{fmt, sync::Arc};

use regex::{Regex, RegexBuilder};

use super::InvalidConstraint;
use crate::limits::MAX_CONSTRAINT_TEXT_BYTES;

/// What a regular expression may take (Mesos: OFF-14, `--offer_constraints_re2_max_mem` and
/// `--offer_constraints_re2_max_program_size`).
///
/// Matching takes time in proportion to the text and the compiled expression whatever the
/// expression is, here as in RE2. RE2 counts instructions, of which it has one a character;
/// ours counts bytes, and has about 40 for each of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RegexLimits {
    /// Bytes that matching may keep besides the compiled expression, where RE2's limit of memory
    /// stands.
    pub memory: usize,
    /// Instructions of the compiled expression, as RE2 counts them.
    pub program: usize,
}

/// Bytes of a compiled expression for each of RE2's instructions.
const BYTES_PER_INSTRUCTION: usize = 128;

impl Default for RegexLimits {
    /// 4 KB and 100, as in Mesos.
    fn default() -> Self {
        Self {
            memory: 4096,
            program: 100,
        }
    }
}

impl RegexLimits {
    /// Bytes that a compiled expression may take.
    #[must_use]
    pub const fn compiled_bytes(self) -> usize {
        self.program.saturating_mul(BYTES_PER_INSTRUCTION)
    }
}

/// A regular expression that a whole text has to match.
#[derive(Clone, Debug)]
pub(super) struct Expression {
    regex: Regex,
    /// As the framework wrote it.
    pattern: Arc<str>,
}

impl Expression {
    pub(super) fn new(pattern: &str, limits: RegexLimits) -> Result<Self, InvalidConstraint> {
        let most = limits.memory.min(MAX_CONSTRAINT_TEXT_BYTES);
        if pattern.len() > most {
            let have = pattern.len();
            return Err(InvalidConstraint::RegexTooLong { have, most });
        }
        let ours = with_classes_of_re2(pattern);
        // By itself first: with parentheses around it, `a)|(b` would be one.
        build(pattern, &ours, limits)?;
        Ok(Self {
            regex: build(pattern, &[r"\A(?:", &ours, r")\z"].concat(), limits)?,
            pattern: Arc::from(pattern),
        })
    }

    pub(super) fn matches(&self, text: &str) -> bool {
        self.regex.is_match(text)
    }
}

fn build(pattern: &str, ours: &str, limits: RegexLimits) -> Result<Regex, InvalidConstraint> {
    let mut builder = RegexBuilder::new(ours);
    builder
        .size_limit(limits.compiled_bytes())
        .dfa_size_limit(limits.memory);
    builder.build().map_err(|error| match error {
        regex::Error::CompiledTooBig(_) => InvalidConstraint::RegexTooComplex {
            pattern: pattern.to_owned(),
            most: limits.program,
        },
        other => InvalidConstraint::Regex {
            pattern: pattern.to_owned(),
            cause: other.to_string(),
        },
    })
}

/// Digits, words and spaces are ASCII in RE2; here they would be Unicode's, which are a thousand
/// times as large.
fn with_classes_of_re2(pattern: &str) -> String {
    let mut ours = String::with_capacity(pattern.len());
    let mut rest = pattern.chars();
    while let Some(char) = rest.next() {
        if char != '\\' {
            ours.push(char);
            continue;
        }
        match rest.next() {
            Some('d') => ours.push_str("[0-9]"),
            Some('D') => ours.push_str("[^0-9]"),
            Some('w') => ours.push_str("[0-9A-Za-z_]"),
            Some('W') => ours.push_str("[^0-9A-Za-z_]"),
            Some('s') => ours.push_str(r"[\t\n\f\r ]"),
            Some('S') => ours.push_str(r"[^\t\n\f\r ]"),
            escaped => {
                ours.push('\\');
                ours.extend(escaped);
            }
        }
    }
    ours
}

impl PartialEq for Expression {
    fn eq(&self, other: &Self) -> bool {
        self.pattern == other.pattern
    }
}

impl fmt::Display for Expression {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.pattern)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, text: &str) -> bool {
        let expression = Expression::new(pattern, RegexLimits::default()).unwrap();
        expression.matches(text)
    }

    #[test]
    fn classes_are_those_of_re2() {
        assert!(matches(r"\w+-\d+\.[\w.]+", "node-17.rack.example"));
        assert!(matches(r"\S+\s\D\W[\s\d-]*", "a b!1 2-3"));
        assert!(!matches(r"\d", "\u{663}"), "a digit, but not of ASCII");
        assert!(!matches(r"\w+", "\u{e9}t\u{e9}"));
        assert!(matches(r"\\d", r"\d"), "no class");
        assert!(matches(r"[^\d]+", "ab"));
    }

    #[test]
    fn an_expression_reads_as_it_was_written() {
        let expression = Expression::new(r"\d+", RegexLimits::default()).unwrap();
        assert_eq!(expression.to_string(), r"\d+");
    }
}
