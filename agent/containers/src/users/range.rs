//! Which users of the machine are whose: ranges of 65,536, each one container's.

use std::{
    collections::BTreeSet,
    fmt,
    str::FromStr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::limits::{CONTAINER_USERS, DEFAULT_USERS, MIN_USERS_START};

/// Users and groups of the machine, of which containers get theirs: `START:SIZE`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UserRange {
    start: u32,
    size: u32,
}

/// Why a text is no range of users.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRange {
    /// It is not in that form.
    #[error("'{0}' is no range of users: give START:SIZE, as in {DEFAULT}", DEFAULT = UserRange::default())]
    Form(String),
    /// It has users of the machine in it.
    #[error("a range of users begins at {MIN_USERS_START} at least: those below are the machine's")]
    Low,
    /// It is too small for a single container.
    #[error("a range of users has {CONTAINER_USERS} at least: so many has each container")]
    Small,
    /// It goes beyond the last user that there can be.
    #[error("a range of users ends below 4294967295: there are no others")]
    High,
}

impl UserRange {
    /// A range.
    ///
    /// # Errors
    /// When it has users that containers must not have, or too few.
    pub fn new(start: u32, size: u32) -> Result<Self, InvalidRange> {
        if start < MIN_USERS_START {
            return Err(InvalidRange::Low);
        }
        if size < CONTAINER_USERS {
            return Err(InvalidRange::Small);
        }
        // The last number means "nobody" in many system calls.
        match start.checked_add(size) {
            Some(end) if end < u32::MAX => Ok(Self { start, size }),
            _ => Err(InvalidRange::High),
        }
    }

    /// For how many containers there are users.
    #[must_use]
    pub const fn containers(self) -> u32 {
        self.size / CONTAINER_USERS
    }

    /// The first user of each container's.
    fn starts(self) -> impl DoubleEndedIterator<Item = u32> {
        (0..self.containers()).map(move |number| self.start + number * CONTAINER_USERS)
    }
}

impl Default for UserRange {
    fn default() -> Self {
        let (start, size) = DEFAULT_USERS;
        Self { start, size }
    }
}

impl fmt::Display for UserRange {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.start, self.size)
    }
}

impl FromStr for UserRange {
    type Err = InvalidRange;

    fn from_str(text: &str) -> Result<Self, InvalidRange> {
        let numbers = text.split_once(':').and_then(|(start, size)| {
            let number = |text: &str| text.parse::<u32>().ok();
            number(start).zip(number(size))
        });
        let (start, size) = numbers.ok_or_else(|| InvalidRange::Form(text.to_owned()))?;
        Self::new(start, size)
    }
}

/// The users that containers have.
#[derive(Clone, Debug)]
pub(crate) struct Ranges(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    range: UserRange,
    /// The first user of each container that has its own.
    taken: BTreeSet<u32>,
    /// After whom is looked for the next: whose were given back last are given away last, since
    /// files on the machine may still be theirs.
    last: u32,
}

impl State {
    /// The first users that are free, and overlap with nobody's: those of an earlier agent may lie
    /// anywhere.
    fn free(&self) -> Option<u32> {
        let is_free = |start: &u32| {
            let from = start.saturating_sub(CONTAINER_USERS - 1);
            let to = start.saturating_add(CONTAINER_USERS - 1);
            self.taken.range(from..=to).next().is_none()
        };
        let after = self.range.starts().filter(|start| *start > self.last);
        let before = self.range.starts().filter(|start| *start <= self.last);
        after.chain(before).find(is_free)
    }
}

impl Ranges {
    pub(crate) fn new(range: UserRange) -> Self {
        Self(Arc::new(Mutex::new(State {
            range,
            taken: BTreeSet::new(),
            last: 0,
        })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing that holds the lock can leave it half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes users for a container. `None` when all are taken.
    pub(crate) fn take(&self) -> Option<Lease> {
        let mut state = self.state();
        let start = state.free()?;
        state.taken.insert(start);
        state.last = start;
        Some(Lease {
            start,
            of: self.clone(),
        })
    }

    /// Takes those that a container of an earlier agent has.
    pub(crate) fn take_again(&self, start: u32) -> Lease {
        self.state().taken.insert(start);
        Lease {
            start,
            of: self.clone(),
        }
    }
}

/// Users that are one container's until this is dropped.
#[derive(Debug)]
pub(crate) struct Lease {
    start: u32,
    of: Ranges,
}

impl Lease {
    /// The user of the machine that is root in the container.
    pub(crate) const fn start(&self) -> u32 {
        self.start
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.of.state().taken.remove(&self.start);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_reads_back_and_has_none_of_the_machine_s_users() {
        let range: UserRange = "100000:131072".parse().unwrap();
        assert_eq!(
            (range.to_string().parse(), range.containers()),
            (Ok(range), 2)
        );
        assert_eq!(
            UserRange::default().to_string().parse(),
            Ok(UserRange::default())
        );
        let refused = |text: &str| text.parse::<UserRange>().unwrap_err();
        for text in ["", "1", "a:b", "100000:", "100000:-1", "4294967296:65536"] {
            assert_eq!(refused(text), InvalidRange::Form(text.to_owned()));
        }
        assert_eq!(refused("0:65536"), InvalidRange::Low);
        assert_eq!(refused("65535:65536"), InvalidRange::Low);
        assert_eq!(refused("65536:65535"), InvalidRange::Small);
        assert_eq!(refused("4294901759:65536"), InvalidRange::High);
        assert!("4294901758:65536".parse::<UserRange>().is_ok());
    }

    #[test]
    fn each_container_has_users_that_nobody_else_has() {
        let ranges = Ranges::new("100000:200000".parse().unwrap());
        let first = ranges.take().unwrap();
        let second = ranges.take().unwrap();
        let third = ranges.take().unwrap();
        let starts = [&first, &second, &third].map(Lease::start);
        assert_eq!(starts, [100_000, 165_536, 231_072]);
        assert!(
            ranges.take().is_none(),
            "three times 65,536 is all there is"
        );
        drop(first);
        drop(third);
        assert_eq!(
            ranges.take().unwrap().start(),
            100_000,
            "they are taken in turn"
        );
    }

    #[test]
    fn what_was_given_back_last_is_taken_last() {
        let ranges = Ranges::new("100000:200000".parse().unwrap());
        let starts: Vec<_> = (0..4).map(|_| ranges.take().unwrap().start()).collect();
        assert_eq!(starts, [100_000, 165_536, 231_072, 100_000]);
    }

    #[test]
    fn who_was_there_before_a_restart_keeps_its_users_wherever_they_are() {
        let ranges = Ranges::new("100000:200000".parse().unwrap());
        // The operator had another range then.
        let kept = ranges.take_again(150_000);
        assert_eq!(ranges.take().unwrap().start(), 231_072);
        let all: Vec<_> = std::iter::from_fn(|| ranges.take()).collect();
        assert_eq!(all.len(), 1);
        drop((kept, all));
        assert_eq!(std::iter::from_fn(|| ranges.take()).take(9).count(), 9);
    }
}
