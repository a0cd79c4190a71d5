//! What is set aside of an agent, and what that leaves to whom.

use tepui_model::{Resources, Time};

use super::{
    Agent, Choice, Court,
    clamp::subtract_what_is_there,
    prospect::{Prospect, Supply},
};
use crate::{contest::Stage, holds::HoldKey};

/// A part of an agent that is set aside for a client.
#[derive(Clone, Debug)]
pub(crate) struct Hold {
    pub(crate) key: HoldKey,
    pub(crate) client: u32,
    pub(crate) resources: Resources,
    pub(crate) until: Time,
    /// A gang collects it: its client's other offers are not made of it.
    pub(crate) for_gang: bool,
}

/// Who looks at what is set aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Viewer {
    /// Somebody for whom nothing is.
    Anybody,
    /// This client, for an offer by itself.
    Client(u32),
    /// The gang that collects, which is this client's.
    Gang(u32),
}

impl Hold {
    fn is_for(&self, viewer: Viewer) -> bool {
        match viewer {
            Viewer::Anybody => false,
            Viewer::Client(client) => self.client == client && !self.for_gang,
            Viewer::Gang(client) => self.client == client,
        }
    }
}

/// What is set aside of an agent.
#[derive(Clone, Debug, Default)]
pub(crate) struct Held {
    /// The oldest first: it is filled first.
    holds: Vec<Hold>,
    outlook: Outlook,
}

/// What was found when it was last chosen whom to make an offer.
#[derive(Clone, Copy, Debug, Default)]
struct Outlook {
    /// The stamp of what was free then.
    stamp: u64,
    worthwhile: bool,
    held_back: bool,
}

impl Held {
    pub(crate) fn iter(&self) -> core::slice::Iter<'_, Hold> {
        self.holds.iter()
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.holds.is_empty()
    }

    pub(super) const fn is_worthwhile(&self) -> bool {
        self.outlook.worthwhile
    }

    pub(super) const fn holds_back(&self) -> bool {
        self.outlook.held_back
    }

    /// What the holds that are not for a viewer leave of what is free.
    pub(super) fn leave(&self, free: &Resources, viewer: Viewer) -> Resources {
        let (mut left, mut shown) = (free.clone(), free.clone());
        for hold in &self.holds {
            let before = left.clone();
            subtract_what_is_there(&mut left, &hold.resources);
            if hold.is_for(viewer) {
                continue;
            }
            if let Ok(filled) = before.checked_sub(&left) {
                // Cannot fail: each hold is filled from what those before it left.
                let _ = shown.subtract(&filled);
            }
        }
        shown
    }

    /// As whom a client looks at it.
    fn viewer(&self, client: u32) -> Viewer {
        let viewer = Viewer::Client(client);
        if self.has(viewer) {
            viewer
        } else {
            Viewer::Anybody
        }
    }

    fn has(&self, viewer: Viewer) -> bool {
        self.holds.iter().any(|hold| hold.is_for(viewer))
    }
}

/// What a client that something is set aside for sees of an agent, or all the others.
struct Face {
    viewer: Viewer,
    free: Resources,
    prospect: Prospect,
}

impl Agent {
    /// What is set aside of it.
    pub(crate) const fn held(&self) -> &Held {
        &self.held
    }

    /// Sets something aside for a client.
    pub(crate) fn hold(&mut self, key: HoldKey, client: u32, resources: Resources, until: Time) {
        self.push_hold(Hold {
            key,
            client,
            resources,
            until,
            for_gang: false,
        });
    }

    /// Sets something aside for a client's gang.
    pub(crate) fn hold_for_gang(
        &mut self,
        key: HoldKey,
        client: u32,
        resources: Resources,
        until: Time,
    ) {
        self.push_hold(Hold {
            key,
            client,
            resources,
            until,
            for_gang: true,
        });
    }

    fn push_hold(&mut self, hold: Hold) {
        self.held.holds.push(hold);
        // While something is set aside, whoever looks sees something of its own.
        self.prospect = None;
        self.held.outlook = Outlook::default();
    }

    /// A hold stands no longer.
    pub(crate) fn end_hold(&mut self, key: HoldKey) {
        self.held.holds.retain(|hold| hold.key != key);
        self.held.outlook = Outlook::default();
    }

    /// A client was made an offer: the holds that it covers are spent. Returns them.
    pub(crate) fn spend_holds(&mut self, client: u32, offer: &Resources) -> Vec<HoldKey> {
        let mut left = offer.clone();
        let spent = |hold: &mut Hold| {
            hold.is_for(Viewer::Client(client)) && left.subtract(&hold.resources).is_ok()
        };
        let spent = self.held.holds.extract_if(.., spent);
        let spent = spent.map(|hold| hold.key).collect();
        if self.held.is_empty() {
            self.held.outlook = Outlook::default();
        }
        spent
    }

    /// As [`Agent::choose`], while something is set aside.
    pub(super) fn choose_beside_holds(&mut self, court: Court<'_>, now: Time) -> Option<Choice> {
        let mut faces = self.faces(court);
        let mut unseen = self.first_unseen_of(&mut faces, court);
        if unseen.is_none()
            && self.refusals.may_have_expired(now)
            && self.has_expired(&mut faces, court, now)
        {
            self.note_outlook(&faces);
            self.refusals.forget_expired(now);
            faces = self.faces(court);
            unseen = self.first_unseen_of(&mut faces, court);
        }
        self.note_outlook(&faces);
        unseen
    }

    /// What everybody sees, then what each of those sees for whom something is set aside.
    fn faces(&self, court: Court<'_>) -> Vec<Face> {
        let own = self.held.iter().filter(|hold| !hold.for_gang);
        let mut clients: Vec<u32> = own.map(|hold| hold.client).collect();
        clients.sort_unstable();
        clients.dedup();
        let clients = clients.into_iter().map(Viewer::Client);
        let face = |viewer| {
            let free = self.held.leave(&self.free, viewer);
            let supply = Supply {
                free: &free,
                ..self.supply(court)
            };
            Face {
                viewer,
                prospect: Prospect::new(supply),
                free,
            }
        };
        [Viewer::Anybody]
            .into_iter()
            .chain(clients)
            .map(face)
            .collect()
    }

    /// The client to be served next, of those that have not seen what they would be offered.
    fn first_unseen_of(&self, faces: &mut [Face], court: Court<'_>) -> Option<Choice> {
        let mut order = match court.stage {
            Stage::Guarantees => court.contest.needy_in_order(),
            Stage::Shares => court.contest.in_order(),
        };
        order.find_map(|client| {
            let viewer = self.held.viewer(client);
            let face = faces.iter_mut().find(|face| face.viewer == viewer)?;
            let supply = Supply {
                free: &face.free,
                ..self.supply(court)
            };
            let mut choice = face.prospect.unseen(supply, client)?;
            choice.offer.get_or_insert_with(|| face.free.clone());
            Some(choice)
        })
    }

    /// Whether the refusal of a client that could be made an offer has ended.
    fn has_expired(&self, faces: &mut [Face], court: Court<'_>, now: Time) -> bool {
        let mut ended = self.refusals.iter().filter(|refusal| refusal.until <= now);
        ended.any(|refusal| {
            let client = refusal.client;
            let viewer = self.held.viewer(client);
            let face = faces.iter_mut().find(|face| face.viewer == viewer);
            court.contest.live().contains(client)
                && face.is_some_and(|face| {
                    let supply = Supply {
                        free: &face.free,
                        ..self.supply(court)
                    };
                    face.prospect.possible(supply, client).is_ok()
                })
        })
    }

    fn note_outlook(&mut self, faces: &[Face]) {
        let before = self.held.outlook;
        let mut outlook = Outlook {
            stamp: self.stamp,
            ..Outlook::default()
        };
        if before.stamp == self.stamp {
            outlook = before;
        }
        for face in faces {
            outlook.worthwhile |= face.prospect.is_worthwhile();
            outlook.held_back |= face.prospect.holds_back();
        }
        self.held.outlook = outlook;
    }
}
