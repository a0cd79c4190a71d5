//! What an agent's free resources look like to the clients, and who has seen them already.

use tepui_model::{AgentKey, Resources, Role, Time};

use super::{Class, Refusals, cut::cut};
use crate::{
    contest::{Allowance, Client, Contest, Stage, open, smaller},
    demand::Parts,
    options::{Minimum, Options},
    slots::Slots,
};

/// Kept from run to run for as long as the same resources are free: an agent whose offer was
/// declined is not looked through again.
#[derive(Clone, Debug)]
pub(crate) struct Prospect {
    /// What it takes to be offered everything.
    needed: Class,
    /// The roles that something free is reserved to.
    reserved: Vec<Role>,
    /// Whether everything together is enough for an offer.
    is_enough: bool,
    /// Whether ranges and sets alone are.
    is_rich_in_items: bool,
    /// Made when somebody first looks. One serves all clients, unless resources are reserved or
    /// need a capability.
    views: Vec<View>,
    /// Somebody could be made an offer that no view shows.
    promising: bool,
    /// Somebody would be offered more, were it not for quota.
    held_back: bool,
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
    /// The asks that the offer covers.
    pub(crate) parts: Parts,
}

/// What a client can be offered.
#[derive(Debug)]
pub(crate) enum Possible {
    /// What that view shows.
    View(usize),
    /// A part of it, and the asks that it covers.
    Part(Resources, Parts),
}

/// Why a client cannot be offered anything of an agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Denial {
    /// Its constraints exclude the agent.
    Excluded,
    /// It lacks a capability that the agent needs.
    Incapable,
    /// Nothing that is free is for it.
    Nothing,
    /// Its quota, or what is kept for the guarantees of others, leaves too little.
    Quota(Allowance),
    /// What it would get is too little for an offer.
    BelowMinimum,
    /// None of its asks fits, or it has none left.
    NoAsk,
}

/// What an agent has to give, and by which rules it is given.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Supply<'a> {
    pub(crate) key: AgentKey,
    pub(crate) free: &'a Resources,
    /// What it takes to be offered anything of the agent.
    pub(crate) barrier: Class,
    pub(crate) refusals: &'a Refusals,
    pub(crate) contest: &'a Contest,
    pub(crate) options: &'a Options,
    pub(crate) stage: Stage,
}

impl Supply<'_> {
    /// Whether nothing is said of any client or role that sets it apart from others.
    fn is_simple(&self) -> bool {
        !self.contest.has_terms() && !self.contest.has_quotas()
    }
}

impl Prospect {
    pub(crate) fn new(supply: Supply<'_>) -> Self {
        let needed = Class::needed(supply.free, supply.barrier);
        let reserved = if supply.free.is_plain() {
            Vec::new()
        } else {
            supply.free.reservation_roles().into_iter().collect()
        };
        let items = || cut(supply.free, &tepui_model::Scalars::new());
        let minimum = &supply.options.min_allocatable;
        Self {
            needed,
            reserved,
            is_enough: is_enough(supply.free, minimum),
            is_rich_in_items: !minimum.is_of_scalars() && minimum.is_met_by(&items()),
            views: Vec::new(),
            promising: false,
            held_back: false,
        }
    }

    /// Whether all clients see the same.
    fn is_same_for_all(&self) -> bool {
        self.needed.is_nothing() && self.reserved.is_empty()
    }

    /// The client to be served next, of those that have not seen what they would be offered.
    pub(crate) fn first_unseen(&mut self, supply: Supply<'_>) -> Option<Choice> {
        if self.is_same_for_all() && supply.is_simple() {
            let at = self.view(supply, None, Class::default());
            let view = &self.views[at];
            let client = view
                .worthwhile
                .then(|| supply.contest.first_without(&view.seen))?;
            return client.map(|client| Choice {
                client,
                offer: None,
                parts: Parts::new(),
            });
        }
        if self.is_hopeless(supply) {
            return None;
        }
        let mut order = match supply.stage {
            Stage::Guarantees => supply.contest.needy_in_order(),
            Stage::Shares if self.is_for_open_roles_only(supply) => {
                self.held_back = true;
                supply.contest.open_in_order()
            }
            Stage::Shares => supply.contest.in_order(),
        };
        order.find_map(|client| self.unseen(supply, client))
    }

    /// What a client can be offered, unless it has seen it.
    pub(crate) fn unseen(&mut self, supply: Supply<'_>, client: u32) -> Option<Choice> {
        let possible = self.possible(supply, client).ok()?;
        let unseen = !self.has_seen(supply, client, &possible);
        unseen.then(|| self.choice(client, possible))
    }

    /// Whether nobody can be offered anything: even all of it, or all that guarantees leave of it,
    /// is too little for an offer.
    fn is_hopeless(&mut self, supply: Supply<'_>) -> bool {
        let contest = supply.contest;
        if contest.has_terms() || !self.is_enough {
            return !contest.has_terms();
        }
        let scarce = supply.stage == Stage::Shares && contest.has_guarantees();
        if !scarce || !supply.free.is_plain() || self.is_rich_in_items {
            return false;
        }
        let most = smaller(&open(supply.free), &contest.surplus());
        let enough = is_enough(&Resources::from(most), &supply.options.min_allocatable);
        self.held_back |= !enough;
        !enough
    }

    /// Whether who has used up its limits can be offered nothing here: there are only scalars
    /// that are reserved to nobody, and too few ranges and sets for an offer.
    fn is_for_open_roles_only(&self, supply: Supply<'_>) -> bool {
        let contest = supply.contest;
        contest.has_quotas()
            && !contest.has_terms()
            && supply.free.is_plain()
            && !self.is_rich_in_items
    }

    /// What a client can be offered, whether it has seen it or not.
    pub(crate) fn possible(&mut self, supply: Supply<'_>, slot: u32) -> Result<Possible, Denial> {
        let Some(client) = supply.contest.client(slot) else {
            return Err(Denial::Nothing);
        };
        let at = self.visible(supply, client)?;
        let view = &self.views[at];
        let shown = view.offer.as_ref().unwrap_or(supply.free);
        if shown.is_empty() {
            return Err(Denial::Nothing);
        }
        if supply.is_simple() {
            return if view.worthwhile {
                Ok(Possible::View(at))
            } else {
                Err(Denial::BelowMinimum)
            };
        }
        let (possible, held_back) = narrow(supply, client, shown, view.worthwhile);
        self.held_back |= held_back;
        self.promising |= possible.is_ok();
        possible.map(|part| match part {
            None => Possible::View(at),
            Some((offer, parts)) => Possible::Part(offer, parts),
        })
    }

    /// The index of what a client may have of an agent before quota, minimums and asks.
    fn visible(&mut self, supply: Supply<'_>, client: &Client) -> Result<usize, Denial> {
        if client.terms.excludes(supply.key) {
            return Err(Denial::Excluded);
        }
        if !client.state.class.admits_agent(self.needed) {
            return Err(Denial::Incapable);
        }
        self.view_of(supply, client).ok_or(Denial::Nothing)
    }

    /// What a client may have of an agent before quota, minimums and asks.
    pub(crate) fn room(&mut self, supply: Supply<'_>, client: &Client) -> Option<Resources> {
        let at = self.visible(supply, client).ok()?;
        let shown = self.views[at].offer.as_ref().unwrap_or(supply.free);
        Some(shown.clone())
    }

    fn has_seen(&self, supply: Supply<'_>, client: u32, possible: &Possible) -> bool {
        match possible {
            Possible::View(at) => self.views[*at].seen.contains(client),
            Possible::Part(offer, _) => supply.refusals.covers(client, offer),
        }
    }

    fn choice(&self, client: u32, possible: Possible) -> Choice {
        let (offer, parts) = match possible {
            Possible::View(at) => (self.views[at].offer.clone(), Parts::new()),
            Possible::Part(offer, parts) => (Some(offer), parts),
        };
        Choice {
            client,
            offer,
            parts,
        }
    }

    /// What a client can be offered; `None` if it is everything that is free.
    pub(crate) fn shown<'a>(&'a self, possible: &'a Possible) -> Option<&'a Resources> {
        match possible {
            Possible::View(at) => self.views[*at].offer.as_ref(),
            Possible::Part(offer, _) => Some(offer),
        }
    }

    /// What a client sees before quota and asks.
    pub(crate) fn seen_by(&mut self, supply: Supply<'_>, client: &Client) -> Option<Resources> {
        let at = self.view_of(supply, client)?;
        Some(self.views[at].offer.as_ref().unwrap_or(supply.free).clone())
    }

    /// Whether the refusal of a client that could be made an offer has ended.
    pub(crate) fn has_expired(&mut self, supply: Supply<'_>, now: Time) -> bool {
        let mut ended = supply
            .refusals
            .iter()
            .filter(|refusal| refusal.until <= now);
        ended.any(|refusal| {
            supply.contest.live().contains(refusal.client)
                && self.possible(supply, refusal.client).is_ok()
        })
    }

    /// Whether anybody who looked saw enough for an offer, or was held back from it.
    pub(crate) fn is_worthwhile(&self) -> bool {
        self.held_back || self.promising || self.views.iter().any(|view| view.worthwhile)
    }

    /// Whether somebody would be offered more, were it not for quota.
    pub(crate) const fn holds_back(&self) -> bool {
        self.held_back
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
        for view in &mut self.views {
            view.seen.remove(client);
        }
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

    /// The index of what a client sees before quota and asks.
    fn view_of(&mut self, supply: Supply<'_>, client: &Client) -> Option<usize> {
        let role = &supply.contest.role(client.role)?.name;
        let holds = |holder: &Role| holder == role || role.is_below(holder);
        let role = self.reserved.iter().any(holds).then_some(role);
        Some(self.view(supply, role, client.state.class.within(self.needed)))
    }

    /// The index of the view of a group.
    fn view(&mut self, supply: Supply<'_>, role: Option<&Role>, class: Class) -> usize {
        let known = |view: &View| view.class == class && view.role.as_ref() == role;
        self.views.iter().position(known).unwrap_or_else(|| {
            self.views.push(self.new_view(supply, role, class));
            self.views.len() - 1
        })
    }

    fn new_view(&self, supply: Supply<'_>, role: Option<&Role>, class: Class) -> View {
        let offer = self.offer(supply.free, role, class);
        let sees = offer.as_ref().unwrap_or(supply.free);
        let worthwhile =
            class.admits_agent(self.needed) && is_enough(sees, &supply.options.min_allocatable);
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

/// Whether resources are enough for an offer. Shared volumes alone are not: they are free however
/// many use them (Mesos: ALL-07).
fn is_enough(offer: &Resources, minimum: &Minimum) -> bool {
    let own = || offer.is_plain() || offer.bundles().any(|(traits, ..)| !traits.shared);
    !offer.is_empty() && minimum.is_met_by(offer) && own()
}

/// What quota, the minimum and asks leave of what a client sees: a part and the asks that it
/// covers, or `None` for all of it. Also whether it may be more another time although nothing
/// changes on the agent.
fn narrow(
    supply: Supply<'_>,
    client: &Client,
    shown: &Resources,
    worthwhile: bool,
) -> (Result<Option<(Resources, Parts)>, Denial>, bool) {
    let mut part = None;
    let mut allowance = Allowance::All;
    if supply.contest.has_quotas() {
        allowance = supply
            .contest
            .allowance(client.role, supply.stage, &open(shown));
        match &allowance {
            Allowance::All => {}
            Allowance::NoClaim => return (Err(Denial::Quota(allowance)), false),
            Allowance::Part { scalars, .. } => part = Some(cut(shown, scalars)),
        }
    }
    let held_back = part.is_some();
    let offer = part.as_ref().unwrap_or(shown);
    let enough = match &client.terms.minimum {
        None if part.is_none() => worthwhile,
        None => is_enough(offer, &supply.options.min_allocatable),
        Some(minimum) => is_enough(offer, minimum),
    };
    if !enough {
        let denial = match allowance {
            Allowance::All => Denial::BelowMinimum,
            _ => Denial::Quota(allowance),
        };
        return (Err(denial), held_back);
    }
    let Some(demand) = &client.demand else {
        return (Ok(part.map(|part| (part, Parts::new()))), held_back);
    };
    let fitting = demand.fit(supply.key, offer).map(Some).ok_or(Denial::NoAsk);
    (fitting, held_back)
}
