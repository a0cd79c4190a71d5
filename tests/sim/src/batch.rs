//! What follows from one event, on its way to the disk and then to the world.
//!
//! Both servers work alike: while what follows from one event is being made durable, their core
//! takes the next ones. What follows is carried out in order, each part once its changes are
//! durable. A death in between loses the rest.

use std::collections::VecDeque;

use tepui_model::Time;

/// The changes that follow from one event, and what is done once they are durable.
#[derive(Debug)]
pub(crate) struct Batch<C, E> {
    pub(crate) changes: Vec<C>,
    pub(crate) deeds: Vec<E>,
}

impl<C, E> Batch<C, E> {
    pub(crate) const fn new(changes: Vec<C>, deeds: Vec<E>) -> Self {
        Self { changes, deeds }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.deeds.is_empty()
    }
}

/// Batches in the order they were made.
#[derive(Debug)]
pub(crate) struct Line<C, E> {
    batches: VecDeque<Batch<C, E>>,
    /// When the last one is durable.
    last: Time,
}

impl<C, E> Default for Line<C, E> {
    fn default() -> Self {
        Self {
            batches: VecDeque::new(),
            last: Time::ZERO,
        }
    }
}

impl<C, E> Line<C, E> {
    pub(crate) fn is_empty(&self) -> bool {
        self.batches.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.batches.len()
    }

    /// Adds a batch that is durable at a time, or when those before it are.
    pub(crate) fn push(&mut self, batch: Batch<C, E>, durable: Time) -> Time {
        self.batches.push_back(batch);
        self.last = self.last.max(durable);
        self.last
    }

    pub(crate) fn pop(&mut self) -> Option<Batch<C, E>> {
        self.batches.pop_front()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_batch_is_durable_before_the_one_before_it() {
        let mut line: Line<u8, u8> = Line::default();
        let at = |micros| Time::from_micros(micros);
        assert_eq!(line.push(Batch::new(vec![1], vec![]), at(9)), at(9));
        assert_eq!(line.push(Batch::new(vec![], vec![2]), at(5)), at(9));
        assert_eq!(line.pop().map(|batch| batch.changes), Some(vec![1]));
        assert_eq!(line.len(), 1);
    }
}
