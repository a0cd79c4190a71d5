//! What an agent has on disk, and what it has only handed over to be written.

use std::collections::BTreeMap;

use tepui_agent_core::{Change, Kind};

use crate::dice::Dice;

/// The records of an agent.
#[derive(Debug, Default)]
pub(crate) struct Disk {
    records: BTreeMap<(Kind, String), Vec<u8>>,
    /// Changes that are in no hurry, in their order.
    waiting: Vec<Change>,
}

impl Disk {
    /// Takes in changes, to be written with the next flush.
    pub(crate) fn write(&mut self, changes: impl IntoIterator<Item = Change>) {
        self.waiting.extend(changes);
    }

    /// Makes everything durable.
    pub(crate) fn flush(&mut self) {
        for Change {
            kind, key, value, ..
        } in self.waiting.drain(..)
        {
            match value {
                Some(value) => self.records.insert((kind, key), value),
                None => self.records.remove(&(kind, key)),
            };
        }
    }

    /// The process dies: what comes first of what waited may have been written.
    pub(crate) fn lose_some(&mut self, dice: &mut Dice) {
        let kept = dice.between(0, self.waiting.len() as u64) as usize;
        self.waiting.truncate(kept);
        self.flush();
    }

    /// The machine dies.
    pub(crate) fn lose_all(&mut self) {
        self.waiting.clear();
    }

    pub(crate) fn records(&self) -> Vec<(Kind, String, Vec<u8>)> {
        let records = self.records.iter();
        records
            .map(|((kind, key), value)| (*kind, key.clone(), value.clone()))
            .collect()
    }

    /// How many records there are about frameworks, tasks, operations and removals.
    pub(crate) fn tasks(&self) -> usize {
        let kinds = self.records.keys().map(|(kind, _)| *kind);
        kinds
            .filter(|kind| !matches!(kind, Kind::Agent | Kind::Resources))
            .count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(key: &str) -> Change {
        Change {
            kind: Kind::Task,
            key: key.to_owned(),
            value: Some(vec![1]),
            urgent: false,
        }
    }

    #[test]
    fn what_is_lost_is_the_end_of_what_waited() {
        for seed in 0..50 {
            let mut disk = Disk::default();
            disk.write([put("a")]);
            disk.flush();
            disk.write([put("b"), put("c"), put("d")]);
            disk.lose_some(&mut Dice::new(seed));
            let keys: Vec<String> = disk.records().into_iter().map(|(_, key, _)| key).collect();
            assert_eq!(keys, ["a", "b", "c", "d"][..keys.len()]);
            assert!(!keys.is_empty());
        }
    }
}
