//! Which updates were delivered: the agent repeats an update until it is acknowledged (TSK-09).

use std::collections::{HashMap, VecDeque};

type Uuid = [u8; 16];

/// How far an update had come before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Delivered {
    /// Never seen, or seen so long ago that it is forgotten.
    Never,
    /// With the framework, which is not done with it.
    Pending,
    /// The framework is done with it; the acknowledgement was lost.
    Handled,
}

/// The last updates, up to a number.
#[derive(Debug)]
pub(crate) struct Duplicates {
    capacity: usize,
    order: VecDeque<Uuid>,
    handled: HashMap<Uuid, bool>,
}

impl Duplicates {
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            capacity,
            order: VecDeque::new(),
            handled: HashMap::new(),
        }
    }

    /// Notes a delivery and says how far the same update had come before.
    pub(crate) fn deliver(&mut self, uuid: Uuid) -> Delivered {
        match self.handled.get(&uuid) {
            Some(true) => Delivered::Handled,
            Some(false) => Delivered::Pending,
            None => {
                if self.order.len() == self.capacity
                    && let Some(oldest) = self.order.pop_front()
                {
                    self.handled.remove(&oldest);
                }
                self.order.push_back(uuid);
                self.handled.insert(uuid, false);
                Delivered::Never
            }
        }
    }

    /// The framework is done with it.
    pub(crate) fn handled(&mut self, uuid: Uuid) {
        if let Some(handled) = self.handled.get_mut(&uuid) {
            *handled = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repeated_update_is_pending_until_it_is_handled() {
        let mut duplicates = Duplicates::new(2);
        assert_eq!(duplicates.deliver([1; 16]), Delivered::Never);
        assert_eq!(duplicates.deliver([1; 16]), Delivered::Pending);
        duplicates.handled([1; 16]);
        assert_eq!(duplicates.deliver([1; 16]), Delivered::Handled);
    }

    #[test]
    fn the_oldest_update_is_forgotten_when_there_are_too_many() {
        let mut duplicates = Duplicates::new(2);
        for n in 1..=3 {
            duplicates.deliver([n; 16]);
        }
        assert_eq!(duplicates.deliver([3; 16]), Delivered::Pending);
        assert_eq!(duplicates.deliver([1; 16]), Delivered::Never);
        assert_eq!(duplicates.handled.len(), 2);
    }
}
