//! One agent: what it has, who holds what of it, and what is free.

use tepui_model::{Resources, Scalars, Time};

use crate::{
    clamp::subtract_what_is_there,
    contest::Contest,
    ledger::{Ledger, NotHeld},
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
    ledger: Ledger,
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

impl Agent {
    pub(crate) fn new(total: Resources) -> Self {
        Self {
            gpus: total.gpus().is_positive(),
            free: total.clone(),
            total,
            stamp: 0,
            stamps: 0,
            ledger: Ledger::default(),
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

    pub(crate) const fn ledger(&self) -> &Ledger {
        &self.ledger
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

    /// A client uses resources that were not offered to it, as far as we know.
    pub(crate) fn charge(&mut self, client: u32, resources: &Resources) {
        self.ledger.charge(client, resources.clone());
        if self.free.subtract(resources).is_ok() {
            self.change_stamp();
        } else {
            self.count_anew();
        }
    }

    /// Gives a client what was chosen, and returns it.
    pub(crate) fn grant(&mut self, client: u32, offer: Option<Resources>) -> Resources {
        let (resources, stamp) = match offer {
            None => (core::mem::take(&mut self.free), Some(self.stamp)),
            Some(part) => {
                subtract_what_is_there(&mut self.free, &part);
                (part, None)
            }
        };
        self.change_stamp();
        self.ledger.offer(client, resources.clone(), stamp);
        resources
    }

    /// A client gives resources back.
    pub(crate) fn release(&mut self, client: u32, resources: &Resources) -> Result<(), NotHeld> {
        match self.ledger.release(client, resources)? {
            Some((offer, stamp)) if self.free.is_empty() && !self.overdrawn => {
                self.free = offer;
                self.stamp = stamp;
            }
            _ => self.put_back(resources),
        }
        Ok(())
    }

    /// A client gives everything back. Returns the scalars of it.
    pub(crate) fn release_all(&mut self, client: u32) -> Scalars {
        let mut sum = Scalars::new();
        for resources in self.ledger.release_all(client) {
            sum.add(&resources.scalars());
            self.free += &resources;
        }
        self.change_stamp();
        if self.overdrawn {
            self.count_anew();
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
        (self.free, self.overdrawn) = self.count();
        self.change_stamp();
    }

    /// What is free, and whether more is held than there is.
    pub(crate) fn count(&self) -> (Resources, bool) {
        let mut free = self.total.clone();
        let mut overdrawn = false;
        for (_, held) in self.ledger.iter() {
            overdrawn |= !subtract_what_is_there(&mut free, held);
        }
        (free, overdrawn)
    }

    fn change_stamp(&mut self) {
        self.stamps += 1;
        self.stamp = self.stamps;
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
        self.prospect.take_if(|(stamp, _)| *stamp != self.stamp);
        let made = || (self.stamp, Prospect::new(supply));
        let (_, prospect) = self.prospect.get_or_insert_with(made);
        ask(prospect, supply)
    }
}
