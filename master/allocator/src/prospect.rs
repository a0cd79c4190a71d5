//! What an agent's free resources look like to the clients, and who has seen them already.

use tepui_model::{Resources, Role, Time};

use crate::{class::Class, contest::Contest, options::Options, refusals::Refusals, slots::Slots};

/// Kept from run to run for as long as the same resources are free: an agent whose offer was
/// declined is not looked through again.
#[derive(Clone, Debug)]
pub(crate) struct Prospect {
    /// What it takes to be offered everything.
    needed: Class,
    /// The roles that something free is reserved to.
    reserved: Vec<Role>,
    /// Made when somebody first looks. One serves all clients, unless resources are reserved or
    /// need a capability.
    views: Vec<View>,
}

/// What a group of clients sees.
#[derive(Clone, Debug)]
struct View {
    /// The role, if something is reserved to it or to an ancestor.
    role: Option<Role>,
    /// The part of the class that matters.
    class: Class,
    /// What they would be offered; `None` if it is everything that is free.
    offer: Option<Resources>,
    /// Whether that is enough for an offer.
    worthwhile: bool,
    /// The clients that have refused it, of the group or not.
    seen: Slots,
}

/// What to offer to whom.
#[derive(Debug)]
pub(crate) struct Choice {
    /// The client.
    pub(crate) client: u32,
    /// What it is offered; `None` if it is everything that is free.
    pub(crate) offer: Option<Resources>,
}

/// What an agent has to give, and by which rules it is given.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Supply<'a> {
    pub(crate) free: &'a Resources,
    /// Whether the agent has GPUs.
    pub(crate) gpus: bool,
    pub(crate) refusals: &'a Refusals,
    pub(crate) contest: &'a Contest,
    pub(crate) options: &'a Options,
}

impl Prospect {
    pub(crate) fn new(supply: Supply<'_>) -> Self {
        let needed = Class::needed(supply.free, supply.gpus && supply.options.withhold_gpus);
        let reserved = if supply.free.is_plain() {
            Vec::new()
        } else {
            supply.free.reservation_roles().into_iter().collect()
        };
        Self {
            needed,
            reserved,
            views: Vec::new(),
        }
    }

    /// The client to be served next, of those that have not seen what they would be offered.
    pub(crate) fn first_unseen(&mut self, supply: Supply<'_>) -> Option<Choice> {
        if self.needed.is_nothing() && self.reserved.is_empty() {
            let view = self.view(supply, None, Class::default());
            let client = view
                .worthwhile
                .then(|| supply.contest.first_without(&view.seen))?;
            return client.map(|client| Choice {
                client,
                offer: None,
            });
        }
        supply.contest.in_order().find_map(|client| {
            let view = self.view_of(supply, client)?;
            let unseen = view.worthwhile && !view.seen.contains(client);
            unseen.then(|| Choice {
                client,
                offer: view.offer.clone(),
            })
        })
    }

    /// Whether the refusal of a client that could be made an offer has ended.
    pub(crate) fn has_expired(&mut self, supply: Supply<'_>, now: Time) -> bool {
        let mut ended = supply
            .refusals
            .iter()
            .filter(|refusal| refusal.until <= now);
        ended.any(|refusal| {
            supply.contest.live().contains(refusal.client)
                && self
                    .view_of(supply, refusal.client)
                    .is_some_and(|view| view.worthwhile)
        })
    }

    /// Whether anybody who looked saw enough for an offer.
    pub(crate) fn is_worthwhile(&self) -> bool {
        self.views.iter().any(|view| view.worthwhile)
    }

    /// A client has refused `refused`.
    pub(crate) fn note_refusal(&mut self, client: u32, refused: &Resources, free: &Resources) {
        for view in &mut self.views {
            if refused.contains(view.offer.as_ref().unwrap_or(free)) {
                view.seen.insert(client);
            }
        }
    }

    /// A client's refusals are forgotten.
    pub(crate) fn forget_client(&mut self, client: u32) {
        self.views
            .iter_mut()
            .for_each(|view| view.seen.remove(client));
    }

    /// Whether this is as if made anew.
    pub(crate) fn is_true(&self, supply: Supply<'_>) -> bool {
        let fresh = Self::new(supply);
        self.needed == fresh.needed
            && self.reserved == fresh.reserved
            && self.views.iter().all(|view| {
                let other = fresh.new_view(supply, view.role.as_ref(), view.class);
                view.offer == other.offer
                    && view.worthwhile == other.worthwhile
                    && view.seen.has_the_members_of(&other.seen)
            })
    }

    fn view_of(&mut self, supply: Supply<'_>, client: u32) -> Option<&View> {
        let client = supply.contest.client(client)?;
        let role = &supply.contest.role(client.role)?.name;
        let holds = |holder: &Role| holder == role || role.is_below(holder);
        let role = self.reserved.iter().any(holds).then_some(role);
        Some(self.view(supply, role, client.state.class.within(self.needed)))
    }

    fn view(&mut self, supply: Supply<'_>, role: Option<&Role>, class: Class) -> &View {
        let known = |view: &View| view.class == class && view.role.as_ref() == role;
        let at = self.views.iter().position(known).unwrap_or_else(|| {
            self.views.push(self.new_view(supply, role, class));
            self.views.len() - 1
        });
        &self.views[at]
    }

    fn new_view(&self, supply: Supply<'_>, role: Option<&Role>, class: Class) -> View {
        let offer = self.offer(supply.free, role, class);
        let sees = offer.as_ref().unwrap_or(supply.free);
        let worthwhile = class.admits_agent(self.needed)
            && !sees.is_empty()
            && supply.options.min_allocatable.is_met_by(sees);
        let mut seen = Slots::new();
        for refusal in supply.refusals.covering(sees) {
            seen.insert(refusal.client);
        }
        View {
            role: role.cloned(),
            class,
            offer,
            worthwhile,
            seen,
        }
    }

    /// What a group is offered, unless it is everything: what is reserved to others, or what it
    /// does not know how to use, is left out.
    fn offer(&self, free: &Resources, role: Option<&Role>, class: Class) -> Option<Resources> {
        if self.reserved.is_empty() && class == self.needed {
            return None;
        }
        let offer = free.filter(|traits| {
            let own = match role {
                Some(role) => traits.is_allocatable_to(role),
                None => traits.reservations.is_empty(),
            };
            own && class.admits(traits)
        });
        (offer != *free).then_some(offer)
    }
}
