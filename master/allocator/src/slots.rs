//! Sets of small numbers, one bit each: which clients are in play, which have refused an agent,
//! which agents are to be looked at.

/// A set of slots of clients, or of keys of agents.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Slots {
    words: Vec<u64>,
}

impl Slots {
    pub(crate) const fn new() -> Self {
        Self { words: Vec::new() }
    }

    /// Whether it was not there before.
    pub(crate) fn insert(&mut self, slot: u32) -> bool {
        let (word, bit) = place(slot);
        if word >= self.words.len() {
            self.words.resize(word + 1, 0);
        }
        let is_new = self.words[word] & bit == 0;
        self.words[word] |= bit;
        is_new
    }

    /// Whether it was there.
    pub(crate) fn remove(&mut self, slot: u32) -> bool {
        let (word, bit) = place(slot);
        let Some(word) = self.words.get_mut(word) else {
            return false;
        };
        let was_there = *word & bit != 0;
        *word &= !bit;
        was_there
    }

    /// Adds the members of `other`.
    pub(crate) fn add_all(&mut self, other: &Self) {
        if self.words.len() < other.words.len() {
            self.words.resize(other.words.len(), 0);
        }
        for (word, more) in self.words.iter_mut().zip(&other.words) {
            *word |= more;
        }
    }

    /// The members, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        self.without(const { &Self::new() })
    }

    pub(crate) fn contains(&self, slot: u32) -> bool {
        let (word, bit) = place(slot);
        self.words.get(word).is_some_and(|word| word & bit != 0)
    }

    /// The members that are not in `other`, in order.
    pub(crate) fn without<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = u32> + 'a {
        let words = self.words.iter().enumerate();
        words.flat_map(|(index, word)| {
            let left = word & !other.words.get(index).copied().unwrap_or(0);
            Bits(left).map(move |bit| index as u32 * u64::BITS + bit)
        })
    }

    /// Whether the two sets are the same.
    pub(crate) fn has_the_members_of(&self, other: &Self) -> bool {
        self.without(other).next().is_none() && other.without(self).next().is_none()
    }
}

fn place(slot: u32) -> (usize, u64) {
    ((slot / u64::BITS) as usize, 1 << (slot % u64::BITS))
}

/// The positions of the ones in a word, lowest first.
struct Bits(u64);

impl Iterator for Bits {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        if self.0 == 0 {
            return None;
        }
        let lowest = self.0.trailing_zeros();
        self.0 &= self.0 - 1;
        Some(lowest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slots(members: &[u32]) -> Slots {
        let mut slots = Slots::new();
        for slot in members {
            slots.insert(*slot);
        }
        slots
    }

    #[test]
    fn the_difference_is_in_order_and_knows_sets_of_any_length() {
        let members = slots(&[200, 0, 63, 64, 65, 128]);
        let left = |other: &[u32]| members.without(&slots(other)).collect::<Vec<_>>();
        assert_eq!(left(&[]), [0, 63, 64, 65, 128, 200]);
        assert_eq!(left(&[0, 64, 1000]), [63, 65, 128, 200]);
        assert!(left(&[0, 63, 64, 65, 128, 200]).is_empty());
    }

    #[test]
    fn the_members_of_both_are_in_the_sum() {
        let mut sum = slots(&[1, 64]);
        sum.add_all(&slots(&[1, 700]));
        sum.add_all(&slots(&[2]));
        assert_eq!(sum.iter().collect::<Vec<_>>(), [1, 2, 64, 700]);
    }

    #[test]
    fn a_removed_member_is_gone() {
        let mut members = slots(&[5, 70]);
        assert!(!members.insert(5) && members.insert(7));
        assert!(members.remove(70));
        assert!(!members.remove(70) && !members.remove(7000));
        assert!(members.contains(5));
        assert!(!members.contains(70));
        assert!(!members.contains(7000));
    }
}
