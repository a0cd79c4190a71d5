//! What an agent has for the gang of a client, and what an offer of it has for others.

use tepui_model::{Resources, Time};

use super::{
    Agent, Choice, Court, Viewer,
    prospect::{Prospect, Supply},
};
use crate::demand::Ask;

impl Agent {
    /// What of it a gang of a client may be placed on, before quota; or when to look again, if the
    /// client has refused something like it for a while.
    pub(crate) fn room(
        &self,
        court: Court<'_>,
        (slot, viewer): (u32, Viewer),
        asks: &[Ask],
        now: Time,
    ) -> Result<Resources, Option<Time>> {
        if !self.is_offerable() {
            return Err(None);
        }
        if let Some(until) = self.refused(slot, asks, now) {
            return Err(Some(until).filter(|until| *until < Time::MAX));
        }
        let free = self.held.leave(&self.free, viewer);
        self.room_of(court, slot, &free).ok_or(None)
    }

    /// What of it a gang of a client could be placed on if nothing were used.
    pub(crate) fn whole_room(
        &self,
        court: Court<'_>,
        slot: u32,
        asks: &[Ask],
        now: Time,
    ) -> Option<Resources> {
        let offered = self.active && self.listed && self.refused(slot, asks, now).is_none();
        offered.then(|| self.room_of(court, slot, self.total()))?
    }

    /// Until when a client has refused something that one of those asks could be placed on.
    fn refused(&self, slot: u32, asks: &[Ask], now: Time) -> Option<Time> {
        let wanted = |refused: &Resources| {
            let refused = refused.scalars();
            let mut asks = asks.iter();
            asks.any(|ask| refused.contains(&ask.resources.scalars()))
        };
        let refusals = self.refusals.of(slot);
        let standing = refusals.filter(|(refused, until)| now < *until && wanted(refused));
        standing.map(|(_, until)| until).max()
    }

    /// Shows an offer to clients: what each can be offered of it, unless it has seen that.
    pub(crate) fn showing<'a>(
        &'a self,
        court: Court<'a>,
        offer: &'a Resources,
    ) -> impl FnMut(u32) -> Option<Choice> + 'a {
        let supply = Supply {
            free: offer,
            ..self.supply(court)
        };
        let mut prospect = Prospect::new(supply);
        move |client| prospect.unseen(supply, client)
    }

    fn room_of(&self, court: Court<'_>, slot: u32, free: &Resources) -> Option<Resources> {
        let supply = Supply {
            free,
            ..self.supply(court)
        };
        let client = court.contest.client(slot)?;
        Prospect::new(supply).room(supply, client)
    }
}
