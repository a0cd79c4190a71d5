//! Gangs: asks that are offered all together or not at all.
//!
//! A gang that does not fit into what is free may collect: what it could be placed on is set aside
//! for it until it is whole. Only one gang at a time does, so that no two wait for each other's
//! half; and only for so long, so that none keeps the others waiting for ever.

mod plan;

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use tepui_model::{AgentKey, Time};

pub(crate) use self::plan::{Place, Room, plan, plan_in_order};
use crate::{
    demand::Ask,
    holds::HoldKey,
    limits::{MAX_GANG_COPIES, MAX_GANGS_PER_CLIENT},
};

/// Names a gang whose offers are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GangKey(u64);

/// What a framework asks for together.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Gang {
    pub(crate) client: u32,
    pub(crate) name: Arc<str>,
    pub(crate) asks: Vec<Ask>,
    /// When it came to the queue, as a number.
    age: u64,
    /// How many copies found no place when it was last looked for one.
    pub(crate) missing: u32,
}

/// A gang that collects what it needs.
#[derive(Clone, Debug)]
pub(crate) struct Collecting {
    pub(crate) gang: GangKey,
    /// When it gives all back.
    pub(crate) until: Time,
    /// What is set aside for it.
    pub(crate) places: Vec<Collected>,
}

/// A part of a gang that something is set aside for.
#[derive(Clone, Debug)]
pub(crate) struct Collected {
    pub(crate) hold: HoldKey,
    pub(crate) place: Place,
}

impl Gang {
    /// What is asked for besides those places; asks of which all copies have one stay, for none.
    pub(crate) fn without<'a>(&self, places: impl Iterator<Item = &'a Place>) -> Vec<Ask> {
        let mut asks = self.asks.clone();
        for (at, count) in places.flat_map(|place| &place.parts) {
            asks[*at].count = asks[*at].count.saturating_sub(*count);
        }
        asks
    }
}

/// All gangs that wait or wait for an answer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Gangs {
    made: u64,
    ages: u64,
    waiting: BTreeMap<GangKey, Gang>,
    /// Their offers are made and neither accepted nor over.
    shown: BTreeMap<GangKey, Gang>,
    pub(crate) collecting: Option<Collecting>,
    /// Nobody collects before: one did in vain, and the others shall have their turn.
    pub(crate) rest_until: Time,
    /// When a filter ends that kept a gang from its place.
    retry_at: Option<Time>,
    /// When they were last looked at.
    looked_at: Time,
}

impl Gangs {
    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.shown.is_empty()
    }

    /// What a client waits for in gangs, in place of what it said before. A gang that is asked for
    /// as before keeps its place in the queue, and what it has collected. Those beyond the limits
    /// are passed over. Returns what is set aside no longer.
    pub(crate) fn ask(&mut self, client: u32, asks: Vec<Ask>) -> Vec<HoldKey> {
        let mut wanted: Vec<(Arc<str>, Vec<Ask>)> = Vec::new();
        for ask in asks {
            let Some(name) = ask.gang.clone() else {
                continue;
            };
            match wanted.iter_mut().find(|(known, _)| *known == name) {
                Some((_, asks)) => asks.push(ask),
                None => wanted.push((name, vec![ask])),
            }
        }
        wanted.retain(|(_, asks)| copies(asks) <= u64::from(MAX_GANG_COPIES));
        wanted.truncate(MAX_GANGS_PER_CLIENT);
        let mut stays = |gang: &Gang| {
            let same = wanted
                .iter()
                .position(|(name, asks)| gang.name == *name && gang.asks == *asks);
            same.map(|at| wanted.remove(at)).is_some()
        };
        self.waiting
            .retain(|_, gang| gang.client != client || stays(gang));
        self.shown.retain(|_, gang| gang.client != client);
        for (name, asks) in wanted {
            self.made += 1;
            let missing = u32::try_from(copies(&asks)).unwrap_or(u32::MAX);
            let gang = Gang {
                client,
                name,
                asks,
                age: self.next_age(),
                missing,
            };
            self.waiting.insert(GangKey(self.made), gang);
        }
        self.stop_if_gone()
    }

    /// A client has gangs no longer. Returns what is set aside no longer.
    pub(crate) fn forget_client(&mut self, client: u32) -> Vec<HoldKey> {
        self.waiting.retain(|_, gang| gang.client != client);
        self.shown.retain(|_, gang| gang.client != client);
        self.stop_if_gone()
    }

    /// The gang that collects waits no longer: it stops.
    fn stop_if_gone(&mut self) -> Vec<HoldKey> {
        let gone = |it: &Collecting| !self.waiting.contains_key(&it.gang);
        if self.collecting.as_ref().is_some_and(gone) {
            return self.stop_collecting();
        }
        Vec::new()
    }

    /// Nobody collects any longer. Returns what is set aside no longer.
    pub(crate) fn stop_collecting(&mut self) -> Vec<HoldKey> {
        let collecting = self.collecting.take().into_iter();
        let places = collecting.flat_map(|collecting| collecting.places);
        places.map(|place| place.hold).collect()
    }

    /// Those that wait: first by the priority of their roles, then by age.
    pub(crate) fn queue(&self, priority: impl Fn(&Gang) -> i32) -> Vec<GangKey> {
        let mut queue: Vec<_> = self.waiting.iter().collect();
        queue.sort_by_key(|(_, gang)| (Reverse(priority(gang)), gang.age));
        queue.into_iter().map(|(key, _)| *key).collect()
    }

    pub(crate) fn get(&self, key: GangKey) -> Option<&Gang> {
        self.waiting.get(&key)
    }

    pub(crate) fn note_missing(&mut self, key: GangKey, missing: u32) {
        if let Some(gang) = self.waiting.get_mut(&key) {
            gang.missing = missing;
        }
    }

    /// A gang goes to the end of the queue.
    pub(crate) fn send_back(&mut self, key: GangKey) {
        let age = self.next_age();
        if let Some(gang) = self.waiting.get_mut(&key) {
            gang.age = age;
        }
    }

    /// All offers of a gang are made.
    pub(crate) fn show(&mut self, key: GangKey) {
        if let Some(gang) = self.waiting.remove(&key) {
            self.shown.insert(key, gang);
        }
    }

    /// The offers of a gang are over, and none was accepted: it waits again, last of all.
    /// Returns whose it is.
    pub(crate) fn unshow(&mut self, key: GangKey) -> Option<u32> {
        let gang = self.shown.remove(&key)?;
        let client = gang.client;
        self.waiting.insert(key, gang);
        self.send_back(key);
        Some(client)
    }

    /// Offers of a gang were accepted: it is served.
    pub(crate) fn serve(&mut self, key: GangKey) {
        self.shown.remove(&key);
    }

    /// Those of a client that wait: their names and how many copies have no place.
    pub(crate) fn waiting_of(&self, client: u32) -> impl Iterator<Item = &Gang> + '_ {
        self.waiting
            .values()
            .filter(move |gang| gang.client == client)
    }

    /// An agent is gone: what was asked of it alone is asked no longer, and neither is the rest of
    /// that gang. Returns what is set aside no longer.
    pub(crate) fn lose_agent(&mut self, agent: AgentKey) -> Vec<HoldKey> {
        let pinned = |gang: &Gang| gang.asks.iter().any(|ask| ask.agent == Some(agent));
        self.waiting.retain(|_, gang| !pinned(gang));
        self.shown.retain(|_, gang| !pinned(gang));
        if let Some(collecting) = &mut self.collecting {
            collecting.places.retain(|part| part.place.agent != agent);
        }
        self.stop_if_gone()
    }

    /// They are looked at.
    pub(crate) fn begin_look(&mut self, now: Time) {
        self.looked_at = now;
        self.retry_at = None;
    }

    /// A filter that keeps a gang from its place ends then.
    pub(crate) fn note_retry(&mut self, end: Option<Time>) {
        self.retry_at = self.retry_at.into_iter().chain(end).min();
    }

    /// Whether that gang is the one that collects.
    pub(crate) fn collects(&self, key: GangKey) -> bool {
        self.collecting.as_ref().is_some_and(|it| it.gang == key)
    }

    /// When to look again if nothing changes before.
    pub(crate) fn next_look(&self) -> Option<Time> {
        if self.waiting.is_empty() {
            return None;
        }
        let until = self.collecting.as_ref().map(|it| it.until);
        let rested = self.collecting.is_none().then_some(self.rest_until);
        let ends = [until, rested, self.retry_at].into_iter().flatten();
        ends.filter(|end| self.looked_at < *end).min()
    }

    /// The clients that have gangs.
    pub(crate) fn clients(&self) -> BTreeSet<u32> {
        let gangs = self.waiting.values().chain(self.shown.values());
        gangs.map(|gang| gang.client).collect()
    }

    const fn next_age(&mut self) -> u64 {
        self.ages += 1;
        self.ages
    }
}

/// How many times something is asked for.
fn copies(asks: &[Ask]) -> u64 {
    asks.iter().map(|ask| u64::from(ask.count)).sum()
}
