//! A record is a line: a key, and after the first tab its value.

use std::cmp::Ordering;

/// Why a value cannot be summed up.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CountError {
    /// The value is no whole number.
    #[error("the builtin `sum` adds whole numbers, but key {key:?} has the value {value:?}")]
    NotANumber {
        /// The record's key.
        key: String,
        /// The record's value.
        value: String,
    },
    /// The sum is too large for 64 bits.
    #[error("the sum of key {key:?} does not fit into 64 bits")]
    Overflow {
        /// The record's key.
        key: String,
    },
}

/// The key: all before the first tab, or the whole record if it has none.
#[must_use]
pub fn key(record: &[u8]) -> &[u8] {
    split(record).0
}

/// The key and the value; without a tab the value is empty.
#[must_use]
pub fn split(record: &[u8]) -> (&[u8], &[u8]) {
    match record.iter().position(|&byte| byte == b'\t') {
        Some(tab) => (&record[..tab], &record[tab + 1..]),
        None => (record, &[]),
    }
}

/// The order of a shuffle: by key, then by value, bytewise. Equal keys stand together, and the
/// order of the values does not depend on which task's output arrived first; not even where a
/// record without a tab stands beside one whose value is empty.
#[must_use]
pub fn compare(left: &[u8], right: &[u8]) -> Ordering {
    split(left).cmp(&split(right)).then_with(|| left.cmp(right))
}

/// The value of a record as the whole number that `sum` adds.
///
/// # Errors
/// [`CountError::NotANumber`].
pub fn count(record: &[u8]) -> Result<i64, CountError> {
    let (key, value) = split(record);
    str::from_utf8(value)
        .ok()
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| CountError::NotANumber {
            key: shown(key),
            value: shown(value),
        })
}

/// Adds `more` to the sum of `key`.
///
/// # Errors
/// [`CountError::Overflow`].
pub fn add(key: &[u8], sum: i64, more: i64) -> Result<i64, CountError> {
    sum.checked_add(more)
        .ok_or_else(|| CountError::Overflow { key: shown(key) })
}

/// The beginning of a text of any bytes, for a message.
pub(crate) fn shown(bytes: &[u8]) -> String {
    const SHOWN: usize = 80;
    String::from_utf8_lossy(&bytes[..bytes.len().min(SHOWN)]).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_tab_ends_the_key() {
        assert_eq!(split(b"a\tb\tc"), (b"a".as_slice(), b"b\tc".as_slice()));
        assert_eq!(split(b"alone"), (b"alone".as_slice(), b"".as_slice()));
        assert_eq!(split(b"\tv"), (b"".as_slice(), b"v".as_slice()));
    }

    #[test]
    fn the_order_is_by_key_even_when_keys_have_bytes_below_the_tab() {
        assert_eq!(compare(b"a\tz", b"a\x01\ta"), Ordering::Less);
        assert_eq!(compare(b"a\t2", b"a\t1"), Ordering::Greater);
        assert_eq!(compare(b"b", b"a\t1"), Ordering::Greater);
        assert_eq!(compare(b"a", b"a\t"), Ordering::Less);
    }

    #[test]
    fn what_cannot_be_added_is_refused_by_name() {
        assert_eq!(count(b"k\t-12"), Ok(-12));
        for wrong in ["k\t", "k", "k\t1.5", "k\t 1", "k\t1\t2"] {
            let error = count(wrong.as_bytes()).unwrap_err();
            assert!(error.to_string().contains("key \"k\""), "{error}");
        }
        assert_eq!(add(b"k", 1, 2), Ok(3));
        let error = add(b"k", i64::MAX, 1).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the sum of key \"k\" does not fit into 64 bits"
        );
    }
}
