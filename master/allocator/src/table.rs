//! Vectors indexed by dense keys, with holes.

use crate::limits::MAX_KEY;

/// Values by a dense number. Large values are boxed, so that a hole costs one word.
#[derive(Clone, Debug)]
pub(crate) struct Table<T> {
    cells: Vec<Option<Box<T>>>,
}

impl<T> Table<T> {
    pub(crate) const fn new() -> Self {
        Self { cells: Vec::new() }
    }

    pub(crate) fn get(&self, key: u32) -> Option<&T> {
        self.cells.get(key as usize)?.as_deref()
    }

    pub(crate) fn get_mut(&mut self, key: u32) -> Option<&mut T> {
        self.cells.get_mut(key as usize)?.as_deref_mut()
    }

    /// Puts a value in its place and returns the one that was there; gives the new one back if
    /// the key is beyond [`MAX_KEY`].
    pub(crate) fn insert(&mut self, key: u32, value: T) -> Result<Option<T>, T> {
        if key >= MAX_KEY {
            return Err(value);
        }
        let index = key as usize;
        if index >= self.cells.len() {
            self.cells.resize_with(index + 1, || None);
        }
        let previous = self.cells[index].replace(Box::new(value));
        Ok(previous.map(|boxed| *boxed))
    }

    pub(crate) fn remove(&mut self, key: u32) -> Option<T> {
        let value = self.cells.get_mut(key as usize)?.take();
        value.map(|boxed| *boxed)
    }

    /// The largest key there ever was, and one.
    pub(crate) const fn places(&self) -> u32 {
        self.cells.len() as u32
    }

    /// The values in the order of their keys.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &T)> + '_ {
        let cells = self.cells.iter().enumerate();
        cells.filter_map(|(key, cell)| Some((key as u32, cell.as_deref()?)))
    }
}

/// Values that get their number here: the lowest that is free.
#[derive(Clone, Debug)]
pub(crate) struct Slab<T> {
    cells: Vec<Option<T>>,
    free: Vec<u32>,
}

impl<T> Slab<T> {
    pub(crate) const fn new() -> Self {
        Self {
            cells: Vec::new(),
            free: Vec::new(),
        }
    }

    pub(crate) fn get(&self, slot: u32) -> Option<&T> {
        self.cells.get(slot as usize)?.as_ref()
    }

    pub(crate) fn get_mut(&mut self, slot: u32) -> Option<&mut T> {
        self.cells.get_mut(slot as usize)?.as_mut()
    }

    /// Stores a value and returns its slot.
    pub(crate) fn insert(&mut self, value: T) -> u32 {
        if let Some(slot) = self.free.pop() {
            self.cells[slot as usize] = Some(value);
            return slot;
        }
        self.cells.push(Some(value));
        (self.cells.len() - 1) as u32
    }

    /// Takes a value out. Its slot is given to another one later.
    pub(crate) fn remove(&mut self, slot: u32) -> Option<T> {
        let value = self.cells.get_mut(slot as usize)?.take()?;
        self.free.push(slot);
        Some(value)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &T)> + '_ {
        let cells = self.cells.iter().enumerate();
        cells.filter_map(|(slot, cell)| Some((slot as u32, cell.as_ref()?)))
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (u32, &mut T)> + '_ {
        let cells = self.cells.iter_mut().enumerate();
        cells.filter_map(|(slot, cell)| Some((slot as u32, cell.as_mut()?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wild_key_is_given_back() {
        let mut table = Table::new();
        assert_eq!(table.insert(MAX_KEY, 'x'), Err('x'));
        assert_eq!(table.insert(MAX_KEY - 1, 'y'), Ok(None));
        assert_eq!(table.insert(2, 'a'), Ok(None));
        assert_eq!(table.insert(2, 'b'), Ok(Some('a')));
        assert_eq!(
            table.iter().collect::<Vec<_>>(),
            [(2, &'b'), (MAX_KEY - 1, &'y')]
        );
        assert_eq!(table.remove(2), Some('b'));
        assert_eq!(table.remove(2), None);
    }

    #[test]
    fn a_freed_slot_is_used_again() {
        let mut slab = Slab::new();
        assert_eq!([slab.insert('a'), slab.insert('b')], [0, 1]);
        assert_eq!(slab.remove(0), Some('a'));
        assert_eq!(slab.remove(0), None);
        assert_eq!(slab.insert('c'), 0);
        assert_eq!(slab.iter().collect::<Vec<_>>(), [(0, &'c'), (1, &'b')]);
    }
}
