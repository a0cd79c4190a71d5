//! RecordIO: each record is its length in decimal digits, a line feed, and its bytes.

/// The most digits of a length: what a 64-bit number has.
const DIGITS: usize = 20;

/// Frames one record.
#[must_use]
pub fn encode(record: &[u8]) -> Vec<u8> {
    let mut framed = Vec::with_capacity(record.len() + DIGITS + 1);
    framed.extend_from_slice(record.len().to_string().as_bytes());
    framed.push(b'\n');
    framed.extend_from_slice(record);
    framed
}

/// Why a stream of records cannot be read any further.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// What stands where a length is due.
    #[error("a record must begin with its length in decimal digits")]
    Length,
    /// The length of a record.
    #[error("a record of {length} bytes is over the limit of {limit}")]
    TooLong {
        /// What it says.
        length: u64,
        /// What is taken.
        limit: usize,
    },
}

/// Takes records out of bytes as they come. After an error it gives only that error.
#[derive(Debug)]
pub struct Decoder {
    limit: usize,
    buffer: Vec<u8>,
    /// How much of the buffer has been given out.
    taken: usize,
    failed: Option<RecordError>,
}

impl Decoder {
    /// A decoder of records of at most so many bytes.
    #[must_use]
    pub const fn new(limit: usize) -> Self {
        Self {
            limit,
            buffer: Vec::new(),
            taken: 0,
            failed: None,
        }
    }

    /// Takes bytes in. To be followed by [`Self::next_record`] until there is none, so that no more
    /// than these bytes and one record are held.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.failed.is_none() {
            self.buffer.drain(..self.taken);
            self.taken = 0;
            self.buffer.extend_from_slice(bytes);
        }
    }

    /// The next record that is whole.
    ///
    /// # Errors
    /// Bytes that are no records, and a record over the limit.
    pub fn next_record(&mut self) -> Result<Option<Vec<u8>>, RecordError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        match self.frame() {
            Ok(None) => Ok(None),
            Ok(Some((start, end))) => {
                let record = self.buffer[start..end].to_vec();
                self.taken = end;
                Ok(Some(record))
            }
            Err(error) => {
                self.buffer = Vec::new();
                self.failed = Some(error.clone());
                Err(error)
            }
        }
    }

    /// Whether a record has begun that is not whole.
    #[must_use]
    pub fn is_within_record(&self) -> bool {
        self.taken < self.buffer.len()
    }

    /// From where to where the next record goes in the buffer.
    fn frame(&self) -> Result<Option<(usize, usize)>, RecordError> {
        let rest = &self.buffer[self.taken..];
        let line = rest.iter().take(DIGITS + 1).position(|byte| *byte == b'\n');
        let digits = &rest[..line.unwrap_or(rest.len())];
        if digits.len() > DIGITS || !digits.iter().all(u8::is_ascii_digit) {
            return Err(RecordError::Length);
        }
        let Some(line) = line else {
            return Ok(None);
        };
        let text = std::str::from_utf8(digits).map_err(|_| RecordError::Length)?;
        let length: u64 = text.parse().map_err(|_| RecordError::Length)?;
        let limit = self.limit;
        let fits = usize::try_from(length).ok().filter(|size| *size <= limit);
        let size = fits.ok_or(RecordError::TooLong { length, limit })?;
        let start = self.taken + line + 1;
        let end = start + size;
        Ok((end <= self.buffer.len()).then_some((start, end)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn all(decoder: &mut Decoder) -> Vec<Vec<u8>> {
        std::iter::from_fn(|| decoder.next_record().unwrap()).collect()
    }

    proptest! {
        #[test]
        fn records_come_out_as_they_went_in_however_the_bytes_are_cut(
            records in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..8),
            cut in 1usize..50,
        ) {
            let bytes: Vec<u8> = records.iter().flat_map(|it| encode(it)).collect();
            let mut decoder = Decoder::new(40);
            let mut seen = Vec::new();
            for piece in bytes.chunks(cut) {
                decoder.push(piece);
                seen.extend(all(&mut decoder));
            }
            prop_assert_eq!(seen, records);
            prop_assert!(!decoder.is_within_record());
        }

        #[test]
        fn no_bytes_make_the_decoder_panic(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            let mut decoder = Decoder::new(50);
            decoder.push(&bytes);
            while let Ok(Some(_)) = decoder.next_record() {}
        }
    }

    #[test]
    fn an_empty_record_is_a_record() {
        let mut decoder = Decoder::new(10);
        decoder.push(b"0\n2\nab");
        assert_eq!(all(&mut decoder), [b"".to_vec(), b"ab".to_vec()]);
    }

    #[test]
    fn a_length_that_is_no_number_fails_for_good() {
        for wrong in [
            "x\n",
            "-1\n",
            " 1\na",
            "\n",
            "123456789012345678901",
            "0x1\n",
        ] {
            let mut decoder = Decoder::new(10);
            decoder.push(wrong.as_bytes());
            assert_eq!(decoder.next_record(), Err(RecordError::Length), "{wrong:?}");
            decoder.push(b"2\nab");
            assert_eq!(decoder.next_record(), Err(RecordError::Length));
        }
    }

    #[test]
    fn a_record_over_the_limit_is_refused_before_it_is_there() {
        let mut decoder = Decoder::new(10);
        decoder.push(b"18446744073709551615\n");
        let (length, limit) = (u64::MAX, 10);
        let error = RecordError::TooLong { length, limit };
        assert_eq!(decoder.next_record(), Err(error));
        let mut decoder = Decoder::new(10);
        decoder.push(b"11\n");
        assert!(decoder.next_record().is_err());
    }

    #[test]
    fn what_is_not_whole_waits() {
        let mut decoder = Decoder::new(10);
        decoder.push(b"1");
        assert_eq!(decoder.next_record(), Ok(None));
        assert!(decoder.is_within_record());
        decoder.push(b"0\n123456789");
        assert_eq!(decoder.next_record(), Ok(None));
        decoder.push(b"0");
        assert_eq!(decoder.next_record(), Ok(Some(b"1234567890".to_vec())));
    }
}
