//! What stands around each stored value: a version and a checksum.
//!
//! `version (1) | crc32, little endian (4) | value`. The checksum also covers family and key, so
//! that a value that turns up under another key is noticed.

use crate::{Error, Family};

/// The frame's version; another one is refused.
const VERSION: u8 = 1;
const HEADER_BYTES: usize = 5;

/// The bytes to store for a value.
pub(crate) fn seal(family: Family, key: &str, value: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER_BYTES + value.len());
    bytes.push(VERSION);
    bytes.extend(checksum(VERSION, family, key, value).to_le_bytes());
    bytes.extend(value);
    bytes
}

/// The value in stored bytes, or what is wrong with them.
pub(crate) fn open(family: Family, key: &str, bytes: &[u8]) -> Result<Vec<u8>, Error> {
    let corrupt = |message: String| Error::Corrupt {
        family,
        key: key.to_owned(),
        message,
    };
    let Some((&[version, a, b, c, d], value)) = bytes.split_first_chunk::<HEADER_BYTES>() else {
        return Err(corrupt(format!(
            "it has {} bytes, at least {HEADER_BYTES}",
            bytes.len()
        )));
    };
    if version != VERSION {
        return Err(corrupt(format!(
            "its version is {version}, this program knows {VERSION}"
        )));
    }
    let (stored, actual) = (
        u32::from_le_bytes([a, b, c, d]),
        checksum(version, family, key, value),
    );
    if stored != actual {
        return Err(corrupt(format!(
            "its checksum is {actual:08x}, {stored:08x} was stored"
        )));
    }
    Ok(value.to_vec())
}

fn checksum(version: u8, family: Family, key: &str, value: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    for part in [
        &[version],
        family.name().as_bytes(),
        &[0],
        key.as_bytes(),
        &[0],
        value,
    ] {
        hasher.update(part);
    }
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const THINGS: Family = Family::new("things");

    proptest! {
        #[test]
        fn what_was_sealed_opens(key in ".{1,40}", value: Vec<u8>) {
            prop_assert_eq!(open(THINGS, &key, &seal(THINGS, &key, &value)).unwrap(), value);
        }
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_refused() {
        let sealed = seal(THINGS, "k", b"some value");
        for bit in 0..sealed.len() * 8 {
            let mut damaged = sealed.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(
                matches!(open(THINGS, "k", &damaged), Err(Error::Corrupt { .. })),
                "bit {bit}"
            );
        }
        for length in 0..sealed.len() {
            assert!(
                open(THINGS, "k", &sealed[..length]).is_err(),
                "{length} bytes"
            );
        }
    }

    #[test]
    fn a_value_under_another_key_or_family_is_refused() {
        let sealed = seal(THINGS, "k", b"v");
        assert!(open(THINGS, "j", &sealed).is_err());
        assert!(open(Family::new("others"), "k", &sealed).is_err());
    }
}
