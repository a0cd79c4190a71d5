//! One agent: what it has, who holds what of it, and what is free.

use tepui_model::{Resources, Time};

use crate::{
    clamp::subtract_what_is_there,
    contest::Contest,
    options::Options,
    prospect::{Choice, Prospect, Supply},
    refusals::Refusals,
};

/// An agent and the ledger of its resources.
#[derive(Clone, Debug)]
pub(crate) struct Agent {
    total: Resources,
    free: Resources,
    /// Names the value of `free`: equal numbers, equal resources.
    stamp: u64,
    stamps: u64,
    holdings: Vec<Holding>,
    /// More is held than there is.
    overdrawn: bool,
    gpus: bool,
    refusals: Refusals,
    /// Made for the free resources of that stamp.
    prospect: Option<(u64, Prospect)>,
    /// Whether it is offered.
    pub(crate) active: bool,
    /// Whether it waits to be looked at.
    pub(crate) candidate: bool,
    /// When it is to be looked at next if nothing changes before.
    pub(crate) wake: Option<Time>,
}

/// What a client holds.
#[derive(Clone, Debug)]
struct Holding {
    client: u32,
    resources: Resources,
    /// Of an offer that is untouched since it was made: the stamp of what was free before it, if
    /// the offer took it all.
    untouched: Option<Option<u64>>,
}

/// A client does not hold that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotHeld;

impl Agent {
    pub(crate) fn new(total: Resources) -> Self {
        Self {
            gpus: total.gpus().is_positive(),
            free: total.clone(),
            total,
            stamp: 0,
            stamps: 0,
            holdings: Vec::new(),
            overdrawn: false,
            refusals: Refusals::new(),
            prospect: None,
            active: true,
            candidate: false,
            wake: None,
        }
    }

    pub(crate) const fn total(&self) -> &Resources {
        &self.total
    }

    pub(crate) const fn free(&self) -> &Resources {
        &self.free
    }

    pub(crate) const fn refusals(&self) -> &Refusals {
        &self.refusals
    }

    /// Everything held, a client possibly several times.
    pub(crate) fn holdings(&self) -> impl Iterator<Item = (u32, &Resources)> + '_ {
        self.holdings
            .iter()
            .map(|holding| (holding.client, &holding.resources))
    }

    pub(crate) fn holds_anything(&self, client: u32) -> bool {
        self.holdings.iter().any(|holding| holding.client == client)
    }

    /// Whether an offer of it can be thought of.
    pub(crate) fn is_offerable(&self) -> bool {
        self.active && !self.free.is_empty()
    }

    /// It has other resources now.
    pub(crate) fn set_total(&mut self, total: Resources) {
        self.gpus = total.gpus().is_positive();
        self.total = total;
        self.prospect = None;
        self.count_anew();
    }

    /// A client holds resources that were not offered to it, as far as we know.
    pub(crate) fn charge(&mut self, client: u32, resources: &Resources) {
        self.add_to_sum(client, resources);
        if self.free.subtract(resources).is_ok() {
            self.change_stamp();
        } else {
            self.count_anew();
        }
    }

    /// Gives a client what was chosen, and returns it.
    pub(crate) fn grant(&mut self, client: u32, offer: Option<Resources>) -> Resources {
        let (resources, before) = match offer {
            None => (core::mem::take(&mut self.free), Some(self.stamp)),
            Some(part) => {
                subtract_what_is_there(&mut self.free, &part);
                (part, None)
            }
        };
        self.change_stamp();
        self.settle_client(client);
        let granted = resources.clone();
        self.holdings.push(Holding {
            client,
            resources,
            untouched: Some(before),
        });
        granted
    }

    /// A client gives resources back.
    pub(crate) fn release(&mut self, client: u32, resources: &Resources) -> Result<(), NotHeld> {
        let returned = |holding: &Holding| {
            holding.client == client
                && holding.untouched.is_some()
                && holding.resources == *resources
        };
        if let Some(at) = self.holdings.iter().rposition(returned) {
            let offer = self.holdings.swap_remove(at);
            match offer.untouched {
                Some(Some(before)) if self.free.is_empty() && !self.overdrawn => {
                    self.free = offer.resources;
                    self.stamp = before;
                    return Ok(());
                }
                _ => return Ok(self.put_back(resources)),
            }
        }
        self.settle_client(client);
        let own = |holding: &Holding| holding.client == client;
        let at = self.holdings.iter().position(own).ok_or(NotHeld)?;
        self.holdings[at]
            .resources
            .subtract(resources)
            .map_err(|_| NotHeld)?;
        if self.holdings[at].resources.is_empty() {
            self.holdings.swap_remove(at);
        }
        Ok(self.put_back(resources))
    }

    /// A client gives everything back.
    pub(crate) fn release_all(&mut self, client: u32) -> Resources {
        let own = self
            .holdings
            .extract_if(.., |holding| holding.client == client);
        let sum = own.fold(Resources::new(), |sum, holding| sum + holding.resources);
        if !sum.is_empty() {
            self.put_back(&sum);
        }
        sum
    }

    fn put_back(&mut self, resources: &Resources) {
        if self.overdrawn {
            return self.count_anew();
        }
        self.free += resources;
        self.change_stamp();
    }

    /// Works out what is free from what there is and what is held.
    fn count_anew(&mut self) {
        let held = self
            .holdings()
            .fold(Resources::new(), |sum, (_, held)| sum + held);
        self.overdrawn = !self.total.contains(&held);
        self.free.clone_from(&self.total);
        subtract_what_is_there(&mut self.free, &held);
        self.change_stamp();
    }

    fn change_stamp(&mut self) {
        self.stamps += 1;
        self.stamp = self.stamps;
    }

    fn add_to_sum(&mut self, client: u32, resources: &Resources) {
        self.settle_client(client);
        match self
            .holdings
            .iter_mut()
            .find(|holding| holding.client == client)
        {
            Some(holding) => holding.resources += resources,
            None => {
                let resources = resources.clone();
                self.holdings.push(Holding {
                    client,
                    resources,
                    untouched: None,
                });
            }
        }
    }

    /// Adds an untouched offer of a client to what else it holds.
    fn settle_client(&mut self, client: u32) {
        let own = |holding: &Holding| holding.client == client;
        let Some(first) = self.holdings.iter().position(own) else {
            return;
        };
        self.holdings[first].untouched = None;
        while let Some(at) = self.holdings[first + 1..].iter().position(own) {
            let other = self.holdings.swap_remove(first + 1 + at);
            self.holdings[first].resources += other.resources;
        }
    }
}

impl Agent {
    /// The client to be made an offer, if any, and what it is offered.
    ///
    /// Those who have not seen the resources come before those who have, however small the share
    /// of these and however short their filters. When all have seen them, those whose filter has
    /// ended begin another round. So nobody starves behind frameworks that want nothing and do
    /// not say so.
    pub(crate) fn choose(
        &mut self,
        contest: &Contest,
        options: &Options,
        now: Time,
    ) -> Option<Choice> {
        if !self.is_offerable() {
            return None;
        }
        let unseen = self.look(contest, options, Prospect::first_unseen);
        let ended = |prospect: &mut Prospect, supply: Supply<'_>| prospect.has_expired(supply, now);
        if unseen.is_some()
            || !self.refusals.may_have_expired(now)
            || !self.look(contest, options, ended)
        {
            return unseen;
        }
        self.refusals.forget_expired(now);
        self.prospect = None;
        self.look(contest, options, Prospect::first_unseen)
    }

    /// When to look again after nobody was to be made an offer, if nothing changes before.
    pub(crate) fn next_look(&self, now: Time) -> Option<Time> {
        let (_, prospect) = self.prospect.as_ref()?;
        let waits = self.is_offerable() && prospect.is_worthwhile();
        waits
            .then(|| self.refusals.next_end(now))
            .filter(|end| *end < Time::MAX)
    }

    /// A client does not want those resources, or a part of them, before that time.
    pub(crate) fn refuse(&mut self, client: u32, resources: &Resources, until: Time) {
        let displaced = self.refusals.insert(client, resources, until);
        match &mut self.prospect {
            Some((stamp, prospect)) if *stamp == self.stamp && !displaced => {
                prospect.note_refusal(client, resources, &self.free);
            }
            prospect => *prospect = None,
        }
    }

    /// Forgets what a client has refused, and says whether there was anything.
    pub(crate) fn forget_client(&mut self, client: u32) -> bool {
        let forgot = self.refusals.forget_client(client);
        if let Some((_, prospect)) = self.prospect.as_mut().filter(|_| forgot) {
            prospect.forget_client(client);
        }
        forgot
    }

    /// Whether the cached prospect is as if made anew.
    pub(crate) fn is_prospect_true(&self, contest: &Contest, options: &Options) -> bool {
        let Self {
            free,
            gpus,
            refusals,
            ..
        } = self;
        let supply = Supply {
            free,
            gpus: *gpus,
            refusals,
            contest,
            options,
        };
        let current = self
            .prospect
            .as_ref()
            .filter(|(stamp, _)| *stamp == self.stamp);
        current.is_none_or(|(_, prospect)| prospect.is_true(supply))
    }

    /// Asks the prospect, brought up to date.
    fn look<T>(
        &mut self,
        contest: &Contest,
        options: &Options,
        ask: impl FnOnce(&mut Prospect, Supply<'_>) -> T,
    ) -> T {
        let Self {
            free,
            gpus,
            refusals,
            ..
        } = self;
        let supply = Supply {
            free,
            gpus: *gpus,
            refusals,
            contest,
            options,
        };
        let known = self
            .prospect
            .take()
            .filter(|(stamp, _)| *stamp == self.stamp);
        let (_, prospect) = self
            .prospect
            .insert(known.unwrap_or_else(|| (self.stamp, Prospect::new(supply))));
        ask(prospect, supply)
    }
}
