//! Since when asks have waited.

use core::time::Duration;
use std::collections::BTreeMap;

use tepui_allocator::Ask;
use tepui_model::{FrameworkKey, Role, Time};

use crate::{Master, limits::MAX_WAITING_ASKS};

/// An ask that has not been offered.
#[derive(Clone, Debug)]
pub(super) struct Wait {
    /// With how often it is still asked for.
    pub(super) ask: Ask,
    pub(super) since: Time,
}

/// The asks that wait, by who asks.
#[derive(Debug, Default)]
pub(super) struct Waits {
    asks: BTreeMap<(FrameworkKey, Role), Vec<Wait>>,
}

impl Waits {
    /// Takes over what is open now. What was open before has waited since then, also when it was
    /// said anew.
    fn replace(&mut self, now: Time, open: impl Iterator<Item = (FrameworkKey, Role, Vec<Ask>)>) {
        let before = core::mem::take(&mut self.asks);
        let mut left = MAX_WAITING_ASKS;
        for (framework, role, asks) in open {
            let place = (framework, role);
            let known = before.get(&place).map_or(&[][..], Vec::as_slice);
            let mut waits: Vec<Wait> = Vec::new();
            // Those of a gang are offered all together or not at all: nobody ends for a part.
            for ask in asks.into_iter().filter(|ask| ask.gang.is_none()).take(left) {
                if let Some(same) = waits.iter_mut().find(|it| it.ask.is_like(&ask)) {
                    same.ask.count = same.ask.count.saturating_add(ask.count);
                    continue;
                }
                let known = known.iter().find(|it| it.ask.is_like(&ask));
                let since = known.map_or(now, |known| known.since);
                waits.push(Wait { ask, since });
            }
            left -= waits.len();
            if !waits.is_empty() {
                self.asks.insert(place, waits);
            }
        }
    }

    /// When the next of those that are patient will have waited long enough.
    pub(super) fn next_overdue(&self, now: Time, patience: Duration) -> Option<Time> {
        let due = self.iter().map(|(_, _, wait)| wait.since + patience);
        due.filter(|due| *due > now).min()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (FrameworkKey, &Role, &Wait)> + '_ {
        let all = self.asks.iter();
        all.flat_map(|((framework, role), waits)| {
            waits.iter().map(move |wait| (*framework, role, wait))
        })
    }
}

impl Master {
    /// Brings what waits up to date. What is open after resources were allocated was not served.
    pub(super) fn note_waits(&mut self) {
        let open = self.allocator.open_demands();
        let open = open.map(|(framework, role, asks)| (framework, role.clone(), asks));
        self.preemptions.waits.replace(self.now, open);
    }
}
