//! The hash that decides which partition a key belongs to.
//!
//! It is FNV-1a with 64 bits (Fowler, Noll, Vo: offset basis `cbf29ce484222325`, prime
//! `100000001b3`, both hexadecimal), because every task of a job must agree on it, whatever machine
//! and whatever version of the program it runs on. It is no defence against keys chosen to collide.

const OFFSET_BASIS: u64 = 0xcbf2_9ce4_8422_2325;
const PRIME: u64 = 0x0000_0100_0000_01b3;

/// An FNV-1a hash of what has been fed to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fnv(u64);

impl Fnv {
    /// The hash of nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self(OFFSET_BASIS)
    }

    /// Takes the next bytes.
    pub fn feed(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(PRIME);
        }
    }

    /// The hash of all that was fed.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl Default for Fnv {
    fn default() -> Self {
        Self::new()
    }
}

/// The partition, of `partitions`, that records with this key go to.
#[must_use]
pub fn partition_of(key: &[u8], partitions: u32) -> u32 {
    let mut hash = Fnv::new();
    hash.feed(key);
    let partition = hash.get() % u64::from(partitions.max(1));
    // Smaller than a u32, as the remainder of a division by one.
    partition as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(text: &str) -> u64 {
        let mut hash = Fnv::new();
        hash.feed(text.as_bytes());
        hash.get()
    }

    #[test]
    fn the_hash_has_the_published_values() {
        // From the test vectors of draft-eastlake-fnv.
        assert_eq!(hash(""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(hash("a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(hash("foobar"), 0x8594_4171_f739_67e8);
    }

    #[test]
    fn the_partition_of_a_key_never_changes() {
        let partitions: Vec<_> = ["", "a", "the", "int"]
            .map(|key| partition_of(key.as_bytes(), 7))
            .into();
        assert_eq!(
            partitions,
            [hash(""), hash("a"), hash("the"), hash("int")].map(|h| (h % 7) as u32)
        );
        assert_eq!(partition_of(b"any", 1), 0);
    }

    #[test]
    fn keys_spread_evenly() {
        let mut counts = [0_u32; 8];
        for n in 0..8000 {
            counts[partition_of(format!("word{n}").as_bytes(), 8) as usize] += 1;
        }
        assert!(
            counts.iter().all(|count| (800..1200).contains(count)),
            "{counts:?}"
        );
    }
}
