//! What clients have refused on one agent, and until when: the filters of decline and accept.
//!
//! Frameworks by the thousand refuse agents by the ten thousand, so a refusal is 16 bytes: equal
//! amounts, which most are, are kept once per agent.

use tepui_model::{Resources, Time};

use crate::limits::{MAX_AMOUNTS_COMPARED, MAX_REFUSALS_PER_CLIENT};

/// The refusals on one agent.
///
/// A refusal whose time has passed no longer blocks an offer. It stays, until
/// [`Refusals::forget_expired`], as the memory that this client has seen these resources.
#[derive(Clone, Debug)]
pub(crate) struct Refusals {
    /// Sorted by client.
    entries: Vec<Entry>,
    amounts: Vec<Amount>,
    /// No entry ends before this.
    earliest: Time,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    until: Time,
    client: u32,
    /// The index of what was refused.
    amount: u32,
}

/// What was refused, for the entries that refer to it.
#[derive(Clone, Debug)]
struct Amount {
    resources: Resources,
    /// The number of entries; the place is free when it is zero.
    uses: u32,
}

/// A refusal as others see it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Refusal {
    pub(crate) client: u32,
    pub(crate) until: Time,
}

impl From<&Entry> for Refusal {
    fn from(entry: &Entry) -> Self {
        Self {
            client: entry.client,
            until: entry.until,
        }
    }
}

impl Refusals {
    pub(crate) const fn new() -> Self {
        Self {
            entries: Vec::new(),
            amounts: Vec::new(),
            earliest: Time::MAX,
        }
    }

    /// Notes a refusal. Older ones of the same client that it makes pointless are dropped, and it
    /// is itself dropped if an older one covers it for as long. Returns whether one that still
    /// meant something had to make room.
    pub(crate) fn insert(&mut self, client: u32, resources: &Resources, until: Time) -> bool {
        let (from, mut to) = self.span(client);
        for at in (from..to).rev() {
            let Entry {
                until: older_until,
                amount,
                ..
            } = self.entries[at];
            let older = &self.amounts[amount as usize].resources;
            if older_until <= until && resources.contains(older) {
                self.remove_at(at);
                to -= 1;
            } else if until <= older_until && older.contains(resources) {
                return false;
            }
        }
        let crowded = to - from >= MAX_REFUSALS_PER_CLIENT;
        if crowded {
            let first = (from..to).min_by_key(|at| self.entries[*at].until);
            self.remove_at(first.unwrap_or(from));
            to -= 1;
        }
        let amount = self.share(resources);
        self.entries.insert(
            to,
            Entry {
                until,
                client,
                amount,
            },
        );
        self.earliest = self.earliest.min(until);
        crowded
    }

    /// Forgets everything a client has refused, and says whether there was anything.
    pub(crate) fn forget_client(&mut self, client: u32) -> bool {
        let (from, to) = self.span(client);
        for entry in self.entries.drain(from..to) {
            release(&mut self.amounts, entry.amount);
        }
        from < to
    }

    /// Whether a refusal may have ended by now. Without looking: there may be none.
    pub(crate) fn may_have_expired(&self, now: Time) -> bool {
        self.earliest <= now
    }

    /// Forgets those that have ended by now.
    pub(crate) fn forget_expired(&mut self, now: Time) {
        let amounts = &mut self.amounts;
        self.entries.retain(|entry| {
            let stays = now < entry.until;
            if !stays {
                release(amounts, entry.amount);
            }
            stays
        });
        self.earliest = self
            .entries
            .iter()
            .map(|entry| entry.until)
            .min()
            .unwrap_or(Time::MAX);
    }

    /// The refusals that cover an offer: those of the offer or of more (Mesos: OFF-07).
    pub(crate) fn covering(&self, offer: &Resources) -> impl Iterator<Item = Refusal> + '_ {
        let covers = |amount: &Amount| amount.uses > 0 && amount.resources.contains(offer);
        let covers: Vec<bool> = self.amounts.iter().map(covers).collect();
        let entries = self
            .entries
            .iter()
            .filter(move |entry| covers[entry.amount as usize]);
        entries.map(Refusal::from)
    }

    /// Whether a client has refused an offer or more.
    pub(crate) fn covers(&self, client: u32, offer: &Resources) -> bool {
        let (from, to) = self.span(client);
        let refused = |entry: &Entry| &self.amounts[entry.amount as usize].resources;
        self.entries[from..to]
            .iter()
            .any(|entry| refused(entry).contains(offer))
    }

    /// What a client has refused, and until when.
    pub(crate) fn of(&self, client: u32) -> impl Iterator<Item = (&Resources, Time)> + '_ {
        let (from, to) = self.span(client);
        let entries = self.entries[from..to].iter();
        entries.map(|entry| (&self.amounts[entry.amount as usize].resources, entry.until))
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// All refusals, by client.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Refusal> + '_ {
        self.entries.iter().map(Refusal::from)
    }

    /// When the next refusal ends: never too late, but early if one was forgotten before it ended.
    pub(crate) fn next_end(&self, now: Time) -> Time {
        if now < self.earliest {
            return self.earliest;
        }
        let ends = self.entries.iter().map(|entry| entry.until);
        ends.filter(|until| now < *until).min().unwrap_or(Time::MAX)
    }

    /// Where the entries of a client are.
    fn span(&self, client: u32) -> (usize, usize) {
        let from = self.entries.partition_point(|entry| entry.client < client);
        let own = self.entries[from..]
            .iter()
            .take_while(|entry| entry.client == client);
        (from, from + own.count())
    }

    fn remove_at(&mut self, at: usize) {
        let entry = self.entries.remove(at);
        release(&mut self.amounts, entry.amount);
    }

    /// The index of an equal amount that is there already, or of a new one.
    fn share(&mut self, resources: &Resources) -> u32 {
        let recent = self
            .amounts
            .iter_mut()
            .enumerate()
            .rev()
            .take(MAX_AMOUNTS_COMPARED);
        for (index, amount) in recent {
            if amount.uses > 0 && amount.resources == *resources {
                amount.uses += 1;
                return index as u32;
            }
        }
        let new = Amount {
            resources: resources.clone(),
            uses: 1,
        };
        if let Some(free) = self.amounts.iter().position(|amount| amount.uses == 0) {
            self.amounts[free] = new;
            return free as u32;
        }
        self.amounts.push(new);
        (self.amounts.len() - 1) as u32
    }
}

fn release(amounts: &mut Vec<Amount>, index: u32) {
    let amount = &mut amounts[index as usize];
    amount.uses -= 1;
    if amount.uses == 0 {
        amount.resources = Resources::new();
    }
    while amounts.last().is_some_and(|last| last.uses == 0) {
        amounts.pop();
    }
}

#[cfg(test)]
mod tests;
