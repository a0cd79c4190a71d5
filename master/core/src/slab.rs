//! A table whose keys are small numbers, used again after removal. Its order is that of the keys,
//! the same in every run.

use tepui_model::{AgentKey, FrameworkKey};

/// A key that is a number.
pub(crate) trait SlabKey: Copy {
    fn new(index: u32) -> Self;
    fn index(self) -> usize;
}

impl SlabKey for AgentKey {
    fn new(index: u32) -> Self {
        Self(index)
    }

    fn index(self) -> usize {
        self.0 as usize
    }
}

impl SlabKey for FrameworkKey {
    fn new(index: u32) -> Self {
        Self(index)
    }

    fn index(self) -> usize {
        self.0 as usize
    }
}

/// Values under keys that it gives out.
#[derive(Debug)]
pub(crate) struct Slab<K, V> {
    slots: Vec<Option<V>>,
    free: Vec<K>,
}

impl<K: SlabKey, V> Slab<K, V> {
    pub(crate) const fn new() -> Self {
        Self {
            slots: Vec::new(),
            free: Vec::new(),
        }
    }

    /// Adds what `make` makes of its own key.
    pub(crate) fn insert_with(&mut self, make: impl FnOnce(K) -> V) -> K {
        if let Some(key) = self.free.pop() {
            self.slots[key.index()] = Some(make(key));
            return key;
        }
        // The tables are bounded far below the range of the keys (limits.rs).
        let key = K::new(u32::try_from(self.slots.len()).unwrap_or(u32::MAX));
        self.slots.push(Some(make(key)));
        key
    }

    pub(crate) fn remove(&mut self, key: K) -> Option<V> {
        let value = self.slots.get_mut(key.index())?.take()?;
        self.free.push(key);
        Some(value)
    }

    pub(crate) fn get(&self, key: K) -> Option<&V> {
        self.slots.get(key.index())?.as_ref()
    }

    pub(crate) fn get_mut(&mut self, key: K) -> Option<&mut V> {
        self.slots.get_mut(key.index())?.as_mut()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &V> {
        self.slots.iter().flatten()
    }

    /// What is at a place; nothing beyond the last.
    pub(crate) fn at(&self, place: usize) -> Option<Option<&V>> {
        Some(self.slots.get(place)?.as_ref())
    }

    pub(crate) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_used_again_after_its_value_is_removed() {
        let mut slab: Slab<AgentKey, &str> = Slab::new();
        let first = slab.insert_with(|_| "first");
        let second = slab.insert_with(|_| "second");
        assert_eq!(slab.remove(first), Some("first"));
        assert_eq!(slab.remove(first), None);
        assert_eq!(slab.insert_with(|_| "third"), first);
        assert_eq!(
            slab.iter().copied().collect::<Vec<_>>(),
            ["third", "second"]
        );
        assert_eq!(slab.get(second), Some(&"second"));
        assert_eq!(slab.len(), 2);
    }

    #[test]
    fn a_key_never_given_out_has_no_value() {
        let mut slab: Slab<FrameworkKey, u8> = Slab::new();
        assert_eq!(slab.get(FrameworkKey(3)), None);
        assert_eq!(slab.remove(FrameworkKey(3)), None);
    }
}
