//! What Java holds a number of, in a field of its object: no address crosses the border.

use std::{
    collections::HashMap,
    sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError},
};

/// Values by number.
#[derive(Debug)]
pub(crate) struct Table<T>(LazyLock<Mutex<Numbered<T>>>);

#[derive(Debug)]
struct Numbered<T> {
    last: i64,
    values: HashMap<i64, Arc<T>>,
}

impl<T> Table<T> {
    pub(crate) const fn new() -> Self {
        Self(LazyLock::new(|| {
            Mutex::new(Numbered {
                last: 0,
                values: HashMap::new(),
            })
        }))
    }

    /// Its number: never 0, never one that was given before.
    pub(crate) fn insert(&self, value: Arc<T>) -> i64 {
        let mut numbered = self.lock();
        numbered.last += 1;
        let number = numbered.last;
        numbered.values.insert(number, value);
        number
    }

    pub(crate) fn get(&self, number: i64) -> Option<Arc<T>> {
        self.lock().values.get(&number).cloned()
    }

    pub(crate) fn remove(&self, number: i64) -> Option<Arc<T>> {
        self.lock().values.remove(&number)
    }

    fn lock(&self) -> MutexGuard<'_, Numbered<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_never_given_twice() {
        let table = Table::new();
        let first = table.insert(Arc::new('a'));
        assert_eq!(table.get(first).as_deref(), Some(&'a'));
        assert_eq!(table.remove(first).as_deref(), Some(&'a'));
        assert_ne!(table.insert(Arc::new('b')), first);
        assert_eq!(table.get(first), None);
    }
}
