//! What a word is: one definition, for the tasks of a job and for the plain count that checks them.
//!
//! A word is a longest run of ASCII letters, digits, underscores and bytes of 128 and above (so
//! that UTF-8 text keeps its letters). ASCII letters count as small ones. A word of more than
//! [`WORD_BYTES`] bytes counts by its first so many. No word goes across the end of a file.

use crate::limits::WORD_BYTES;

/// Cuts a text into words, however the text is cut into pieces.
#[derive(Debug, Default)]
pub struct Splitter {
    word: Vec<u8>,
}

impl Splitter {
    /// Before the first byte of a text.
    #[must_use]
    pub fn new() -> Self {
        Self {
            word: Vec::with_capacity(WORD_BYTES),
        }
    }

    /// Takes the next piece of the text and hands out each word that ends in it.
    ///
    /// # Errors
    /// The first error of `each`.
    pub fn feed<E>(
        &mut self,
        piece: &[u8],
        mut each: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        for &byte in piece {
            if !is_of_a_word(byte) {
                self.end(&mut each)?;
            } else if self.word.len() < WORD_BYTES {
                self.word.push(byte.to_ascii_lowercase());
            }
        }
        Ok(())
    }

    /// The text has ended: hands out its last word, and is ready for the next text.
    ///
    /// # Errors
    /// The error of `each`.
    pub fn end<E>(&mut self, each: &mut impl FnMut(&[u8]) -> Result<(), E>) -> Result<(), E> {
        if self.word.is_empty() {
            return Ok(());
        }
        let result = each(&self.word);
        self.word.clear();
        result
    }
}

const fn is_of_a_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 128
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use proptest::prelude::*;

    use super::*;

    fn words<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<Vec<u8>> {
        let mut found = Vec::new();
        let mut each = |word: &[u8]| {
            found.push(word.to_vec());
            Ok::<(), Infallible>(())
        };
        let mut splitter = Splitter::new();
        for piece in pieces {
            let Ok(()) = splitter.feed(piece, &mut each);
        }
        let Ok(()) = splitter.end(&mut each);
        found
    }

    #[test]
    fn a_word_is_a_run_of_letters_digits_underscores_and_high_bytes() {
        let text = "The size_t of a-b; x86, \u{dc}ber\t\0the END";
        let expected = [
            "the",
            "size_t",
            "of",
            "a",
            "b",
            "x86",
            "\u{dc}ber",
            "the",
            "end",
        ]
        .map(str::as_bytes);
        assert_eq!(words([text.as_bytes()]), expected);
        assert!(words([b" \n;".as_slice()]).is_empty());
    }

    #[test]
    fn a_word_beyond_the_limit_counts_by_its_beginning() {
        let long = vec![b'A'; WORD_BYTES + 40];
        assert_eq!(
            words([long.as_slice(), b" b"]),
            [vec![b'a'; WORD_BYTES], vec![b'b']]
        );
    }

    proptest! {
        #[test]
        fn words_do_not_depend_on_how_the_text_is_cut(
            text in proptest::collection::vec(prop_oneof![Just(b' '), any::<u8>()], 0..200),
            size in 1_usize..20,
        ) {
            prop_assert_eq!(words([text.as_slice()]), words(text.chunks(size)));
        }

        #[test]
        fn no_word_can_break_a_record(text in proptest::collection::vec(any::<u8>(), 0..200)) {
            for word in words([text.as_slice()]) {
                prop_assert!(!word.is_empty() && word.len() <= WORD_BYTES);
                prop_assert!(!word.iter().any(|byte| matches!(byte, b'\t' | b'\n' | 0)));
            }
        }
    }
}
