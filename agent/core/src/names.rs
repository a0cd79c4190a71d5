//! Names for containers and status updates: a seed and a counter, so that a run can be repeated.

use tepui_model::{ContainerId, StatusUuid};

/// Makes names that differ from each other, and from those of any other seed.
#[derive(Debug)]
pub(crate) struct Names {
    seed: u128,
    count: u64,
}

impl Names {
    pub(crate) const fn new(seed: u128) -> Self {
        Self { seed, count: 0 }
    }

    /// A name for a status update.
    pub(crate) fn update(&mut self) -> StatusUuid {
        StatusUuid::from_bytes(self.next())
    }

    /// A name for a container, in the form of a UUID.
    pub(crate) fn container(&mut self) -> ContainerId {
        let hex: String = self
            .next()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let groups = [
            &hex[..8],
            &hex[8..12],
            &hex[12..16],
            &hex[16..20],
            &hex[20..],
        ];
        #[expect(
            clippy::expect_used,
            reason = "hexadecimal digits and dashes are a valid id"
        )]
        ContainerId::new(groups.join("-")).expect("a valid id")
    }

    /// Sixteen bytes marked as a random UUID (RFC 9562, version 4).
    fn next(&mut self) -> [u8; 16] {
        self.count += 1;
        let low = mix((self.seed as u64) ^ mix(self.count));
        let high = mix(((self.seed >> 64) as u64) ^ mix(low ^ self.count));
        let mut bytes = ((u128::from(high) << 64) | u128::from(low)).to_be_bytes();
        bytes[6] = (bytes[6] & 0x0f) | 0x40;
        bytes[8] = (bytes[8] & 0x3f) | 0x80;
        bytes
    }
}

/// The finaliser of SplitMix64: a bijection whose output looks random.
const fn mix(value: u64) -> u64 {
    let value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_never_repeat_within_and_across_seeds() {
        let mut seen = BTreeSet::new();
        for seed in [0, 1, 1 << 64, u128::MAX] {
            let mut names = Names::new(seed);
            for _ in 0..5000 {
                assert!(seen.insert(names.next()));
            }
        }
    }

    #[test]
    fn a_seed_gives_the_same_names_again() {
        let name = |seed| Names::new(seed).container();
        assert_eq!(name(7), name(7));
        assert_ne!(name(7), name(8));
        assert_eq!(name(7).as_str().len(), 36);
        assert_eq!(&name(7).as_str()[14..15], "4");
    }
}
