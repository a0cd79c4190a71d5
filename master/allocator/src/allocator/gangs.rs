//! Gangs are placed whole, or collect until they can be.

use std::{cmp::Reverse, collections::BTreeMap};

use tepui_model::{AgentKey, Scalars, Time};

use super::Allocator;
use crate::{
    agents::{Agent, Choice, Court, Viewer, subtract_what_is_there},
    contest::{Allowance, Stage, open},
    gang::{Collected, Collecting, Gang, GangKey, Place, Room, plan, plan_in_order},
    holds::HoldKey,
    limits::{MAX_GANGS_FIRST, MAX_GANGS_TRIED},
    run::Allocation,
};

impl Allocator {
    /// The offers of a gang are over without any of them being accepted: it waits again, behind
    /// all others.
    pub fn return_gang(&mut self, gang: GangKey) {
        if let Some(client) = self.gangs.unshow(gang) {
            self.candidates.add_for(client);
        }
    }

    /// An offer of a gang was accepted: what it asked for is asked for no longer.
    pub fn serve_gang(&mut self, gang: GangKey) {
        self.gangs.serve(gang);
    }

    /// Places the gangs that can be, and lets one of the others collect.
    pub(crate) fn place_gangs(&mut self, now: Time) -> Vec<Allocation> {
        let mut made = Vec::new();
        if self.gangs.is_empty() {
            return made;
        }
        self.gangs.begin_look(now);
        self.end_collecting(now);
        let priority = |gang: &Gang| {
            let client = self.contest.client(gang.client);
            let role = client.and_then(|client| self.contest.role(client.role));
            role.map_or(0, |role| role.rank)
        };
        let queue = self.gangs.queue(priority);
        for key in some_of(queue, self.candidates.runs()) {
            self.place_gang(key, now, &mut made);
        }
        made
    }

    /// Gives back what was collected if its time is over, and with it the place in the queue; or if
    /// its client takes offers no longer.
    fn end_collecting(&mut self, now: Time) {
        let Some(collecting) = &self.gangs.collecting else {
            return;
        };
        let (key, in_vain) = (collecting.gang, collecting.until <= now);
        let waits = self
            .gangs
            .get(key)
            .is_some_and(|gang| self.is_in_play(gang.client));
        if in_vain {
            self.gangs.send_back(key);
            self.gangs.rest_until = now + self.options.gang_hold_timeout;
        }
        if in_vain || !waits {
            let holds = self.gangs.stop_collecting();
            self.end_holds(holds);
        }
    }

    fn is_in_play(&self, client: u32) -> bool {
        let client = self.contest.client(client);
        client.is_some_and(|client| client.state.in_play())
    }

    fn place_gang(&mut self, key: GangKey, now: Time, made: &mut Vec<Allocation>) {
        let waits = |gang: &&Gang| self.is_in_play(gang.client);
        let Some(gang) = self.gangs.get(key).filter(waits).cloned() else {
            return;
        };
        let collects = self.gangs.collects(key);
        let viewer = if collects {
            Viewer::Gang(gang.client)
        } else {
            Viewer::Client(gang.client)
        };
        let rooms = self.rooms(&gang, viewer, now);
        let (places, missing) = plan(&gang.asks, rooms.clone());
        if missing == 0 && self.may_have(gang.client, places.iter()) {
            return self.offer_gang(key, gang.client, places, made);
        }
        self.gangs.note_missing(key, missing);
        if !collects && !self.begin_collecting(key, &gang, now) {
            return;
        }
        self.collect(key, &gang, rooms, now);
    }

    /// What each agent has for a gang.
    fn rooms(&mut self, gang: &Gang, viewer: Viewer, now: Time) -> Vec<Room> {
        let mut rooms = Vec::new();
        let mut retry_at: Option<Time> = None;
        for (key, agent) in self.agents.iter() {
            match agent.room(self.court(), (gang.client, viewer), &gang.asks, now) {
                Ok(free) => rooms.push(Room {
                    agent: AgentKey(key),
                    free,
                }),
                Err(until) => retry_at = retry_at.into_iter().chain(until).min(),
            }
        }
        self.gangs.note_retry(retry_at);
        rooms
    }

    /// Whether quota allows all of that together, and each part is enough for an offer.
    fn may_have<'a>(&self, slot: u32, places: impl Iterator<Item = &'a Place>) -> bool {
        let Some(client) = self.contest.client(slot) else {
            return false;
        };
        let minimum = client.terms.minimum.as_ref();
        let minimum = minimum.unwrap_or(&self.options.min_allocatable);
        let mut sum = Scalars::new();
        for place in places {
            if !minimum.is_met_by(&place.resources) {
                return false;
            }
            sum.add(&open(&place.resources));
        }
        let stages = [Stage::Shares, Stage::Guarantees];
        let allowance = |stage| self.contest.allowance(client.role, stage, &sum);
        stages
            .into_iter()
            .any(|stage| allowance(stage) == Allowance::All)
    }

    /// All offers of a gang at once.
    fn offer_gang(
        &mut self,
        key: GangKey,
        client: u32,
        places: Vec<Place>,
        made: &mut Vec<Allocation>,
    ) {
        if self.gangs.collects(key) {
            let holds = self.gangs.stop_collecting();
            self.end_holds(holds);
        }
        self.gangs.show(key);
        for place in places {
            let choice = Choice {
                client,
                offer: Some(place.resources),
                parts: Vec::new(),
            };
            made.extend(self.give(place.agent, choice, Some(key)));
            self.nominate(place.agent);
        }
    }

    /// Whether a gang collects from now on: none does, nobody rests, and it would fit into the
    /// cluster if nothing were used.
    fn begin_collecting(&mut self, key: GangKey, gang: &Gang, now: Time) -> bool {
        if self.gangs.collecting.is_some() || now < self.gangs.rest_until {
            return false;
        }
        let whole = self.whole_rooms(gang, now);
        let (places, missing) = plan(&gang.asks, whole);
        if missing > 0 || !self.may_have(gang.client, places.iter()) {
            return false;
        }
        self.gangs.collecting = Some(Collecting {
            gang: key,
            until: now + self.options.gang_hold_timeout,
            places: Vec::new(),
        });
        true
    }

    /// Sets aside what a part of the gang could be placed on now, and for the rest what is to
    /// become free: as quantities of different kinds come free at different times, somebody else
    /// could use each of them just before the other comes.
    fn collect(&mut self, key: GangKey, gang: &Gang, mut rooms: Vec<Room>, now: Time) {
        let Some(mut collecting) = self.gangs.collecting.take() else {
            return;
        };
        let stand = core::mem::take(&mut collecting.places).into_iter();
        let stand = stand.filter(|part| self.holds.has(part.hold));
        let (mut parts, awaited): (Vec<_>, Vec<_>) = stand.partition(|part| {
            let room = rooms.iter_mut().find(|room| room.agent == part.place.agent);
            room.is_some_and(|room| room.free.subtract(&part.place.resources).is_ok())
        });
        let (mut wanted, missing) = plan(&gang.without(places(&parts)), rooms.clone());
        let mut left = gang
            .without(places(&parts).chain(places(&awaited)))
            .into_iter();
        if wanted.is_empty() && left.all(|ask| ask.count == 0) {
            parts.extend(awaited);
        } else {
            self.end_holds(awaited.into_iter().map(|part| part.hold));
            let left = gang.without(places(&parts).chain(&wanted));
            let later = self.later_rooms(gang, &rooms, &parts, &wanted, now);
            wanted.extend(plan_in_order(&left, later).0);
        }
        if self.may_have(gang.client, places(&parts).chain(&wanted)) {
            for place in wanted {
                parts.extend(self.set_aside(gang.client, place, collecting.until));
            }
        }
        collecting.places = parts;
        self.gangs.collecting = Some(collecting);
        self.gangs.note_missing(key, missing);
    }

    /// What each agent would have for a gang if nothing were used.
    fn whole_rooms(&self, gang: &Gang, now: Time) -> Vec<Room> {
        let whole = |(key, agent): (u32, &Agent)| {
            let free = agent.whole_room(self.court(), gang.client, &gang.asks, now)?;
            let agent = AgentKey(key);
            Some(Room { agent, free })
        };
        self.agents.iter().filter_map(whole).collect()
    }

    /// What each agent will have for a gang beside those parts: first where the most is free now.
    fn later_rooms(
        &self,
        gang: &Gang,
        now_free: &[Room],
        parts: &[Collected],
        wanted: &[Place],
        now: Time,
    ) -> Vec<Room> {
        let mut rooms = self.whole_rooms(gang, now);
        for place in places(parts).chain(wanted) {
            if let Some(room) = rooms.iter_mut().find(|room| room.agent == place.agent) {
                subtract_what_is_there(&mut room.free, &place.resources);
            }
        }
        let free: BTreeMap<AgentKey, Scalars> = now_free
            .iter()
            .map(|room| (room.agent, room.free.scalars()))
            .collect();
        rooms.sort_by_cached_key(|room| {
            let free = free.get(&room.agent).cloned().unwrap_or_default();
            (
                Reverse(free.dominant_share(&room.free.scalars())),
                room.agent,
            )
        });
        rooms
    }

    const fn court(&self) -> Court<'_> {
        Court {
            contest: &self.contest,
            options: &self.options,
            stage: Stage::Shares,
        }
    }

    fn set_aside(&mut self, client: u32, place: Place, until: Time) -> Option<Collected> {
        let agent = self.agents.get_mut(place.agent.0)?;
        // The end of the collecting comes first: it is looked for before holds end.
        let hold = self.holds.insert(place.agent, until)?;
        agent.hold_for_gang(hold, client, place.resources.clone(), until);
        self.nominate(place.agent);
        Some(Collected { hold, place })
    }

    pub(super) fn end_holds(&mut self, holds: impl IntoIterator<Item = HoldKey>) {
        for hold in holds {
            self.release_hold(hold);
        }
    }

    /// A client asks for no gangs any longer.
    pub(super) fn forget_gangs(&mut self, client: u32) {
        if !self.gangs.is_empty() {
            let holds = self.gangs.forget_client(client);
            self.end_holds(holds);
        }
    }

    /// The gangs that a client waits for, by name, and how many of their copies find no place.
    pub(crate) fn waiting_gang(&self, client: u32) -> Option<&Gang> {
        self.gangs
            .waiting_of(client)
            .min_by_key(|gang| gang.missing)
    }
}

fn places(parts: &[Collected]) -> impl Iterator<Item = &Place> {
    parts.iter().map(|part| &part.place)
}

/// The first of a queue, and some of the others, in turn: a run takes only so long.
fn some_of(queue: Vec<GangKey>, run: u64) -> Vec<GangKey> {
    if queue.len() <= MAX_GANGS_TRIED {
        return queue;
    }
    let (first, others) = queue.split_at(MAX_GANGS_FIRST);
    let count = MAX_GANGS_TRIED - MAX_GANGS_FIRST;
    let start = (run % others.len() as u64) as usize * count;
    let turn = (0..count).map(|at| others[(start + at) % others.len()]);
    first.iter().copied().chain(turn).collect()
}
