//! One agent: what it has, who holds what of it, and what is free.

mod clamp;
mod class;
mod cut;
mod held;
mod ledger;
mod profile;
mod prospect;
mod refusals;
mod room;
mod verdict;

use std::borrow::Cow;

use tepui_model::{AgentKey, Conversion, Insufficient, Resources, Scalars, Time};

#[cfg(test)]
pub(crate) use self::cut::cut;
pub use self::profile::AgentProfile;
pub(crate) use self::{
    clamp::subtract_what_is_there,
    class::Class,
    held::{Held, Hold, Viewer},
    prospect::Choice,
    refusals::Refusals,
};
use self::{
    ledger::{Ledger, NotHeld},
    prospect::{Prospect, Supply},
};
use crate::{
    contest::{Contest, Load, Stage, open},
    options::Options,
};

/// An agent and the ledger of its resources.
#[derive(Clone, Debug)]
pub(crate) struct Agent {
    key: AgentKey,
    profile: AgentProfile,
    /// What nobody holds; shared volumes are free always, but for the rest of a run in which they
    /// were offered (Mesos: ALL-07).
    free: Resources,
    /// Names the value of `free`: equal numbers, equal resources.
    stamp: u64,
    stamps: u64,
    ledger: Ledger,
    held: Held,
    /// More is held than there is.
    overdrawn: bool,
    /// It has shared volumes.
    has_shared: bool,
    /// They were offered in this run.
    shared_given: bool,
    /// What it takes to be offered anything of it.
    barrier: Class,
    refusals: Refusals,
    /// Made for the free resources of that stamp.
    prospect: Option<(u64, Prospect)>,
    /// What of it is among the available: unreserved, not revocable and free.
    pub(crate) available: Scalars,
    /// Whether it is offered.
    pub(crate) active: bool,
    /// Whether the whitelist names it (Mesos: OFF-20).
    pub(crate) listed: bool,
    /// When it is to be looked at next if nothing changes before.
    pub(crate) wake: Option<Time>,
}

impl Agent {
    pub(crate) fn new(key: AgentKey, profile: AgentProfile) -> Self {
        Self {
            key,
            free: profile.total.clone(),
            has_shared: has_shared(&profile.total),
            shared_given: false,
            profile,
            stamp: 0,
            stamps: 0,
            ledger: Ledger::default(),
            held: Held::default(),
            overdrawn: false,
            barrier: Class::default(),
            refusals: Refusals::new(),
            prospect: None,
            available: Scalars::new(),
            active: true,
            listed: true,
            wake: None,
        }
    }

    pub(crate) const fn profile(&self) -> &AgentProfile {
        &self.profile
    }

    pub(crate) const fn total(&self) -> &Resources {
        &self.profile.total
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
        self.active && self.listed && !self.free.is_empty()
    }

    /// What of it counts as available: what quota is about, if it is offered.
    pub(crate) fn open(&self) -> Scalars {
        if self.active && self.listed {
            open(&self.free)
        } else {
            Scalars::new()
        }
    }

    /// How empty it is: the largest part of any scalar that is free, in thousandths.
    pub(crate) fn free_permille(&self) -> u32 {
        let total = self.profile.total.scalars();
        let share = self.free.scalars().dominant_share(&total).as_f64();
        // At most 1000: what is free is a part of what there is.
        (share * 1000.0) as u32
    }

    /// It is described anew.
    pub(crate) fn set_profile(&mut self, profile: AgentProfile) {
        self.has_shared = has_shared(&profile.total);
        self.profile = profile;
        self.prospect = None;
        self.count_anew();
    }

    /// Sets what it takes to be offered anything of it.
    pub(crate) fn set_barrier(&mut self, barrier: Class) {
        if self.barrier != barrier {
            self.barrier = barrier;
            self.prospect = None;
        }
    }

    /// A client uses resources that were not offered to it, as far as we know.
    pub(crate) fn charge(&mut self, client: u32, resources: &Resources) {
        self.ledger.charge(client, resources.clone());
        if self.free.subtract(&exclusive(resources)).is_ok() {
            self.change_stamp();
        } else {
            self.count_anew();
        }
    }

    /// Gives a client what was chosen, and returns it.
    pub(crate) fn grant(&mut self, client: u32, offer: Option<Resources>) -> Resources {
        let (resources, stamp) = match offer {
            None if !self.has_shared => (core::mem::take(&mut self.free), Some(self.stamp)),
            part => {
                let part = part.unwrap_or_else(|| self.free.clone());
                subtract_what_is_there(&mut self.free, &part);
                self.shared_given |= has_shared(&part);
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

    /// A client gives everything back. Returns what it weighs.
    pub(crate) fn release_all(&mut self, client: u32) -> Load {
        let mut sum = Load::default();
        let mut all = Resources::new();
        for resources in self.ledger.release_all(client) {
            sum.add(&Load::of(&resources));
            all += &*exclusive(&resources);
        }
        self.put_back(&all);
        sum
    }

    /// What a client holds changes its nature, or nothing does if it does not hold that.
    pub(crate) fn convert_held(
        &mut self,
        client: u32,
        conversions: &[Conversion],
    ) -> Result<(), Insufficient> {
        if let [only] = conversions {
            return self.convert_one(client, only);
        }
        let before = self.clone();
        let mut conversions = conversions.iter();
        let converted = conversions.try_for_each(|one| self.convert_one(client, one));
        converted.inspect_err(|_| *self = before)
    }

    /// Costs what the conversion weighs: an agent may have reservations by the thousand.
    fn convert_one(&mut self, client: u32, conversion: &Conversion) -> Result<(), Insufficient> {
        let Conversion {
            consumed,
            converted,
        } = conversion;
        if !self.ledger.holds(client, consumed) {
            self.profile.total.clone().apply(conversion)?;
            Resources::new().subtract(consumed)?;
        }
        self.profile.total.apply(conversion)?;
        // It does hold that.
        let _ = self.ledger.release(client, consumed);
        if !converted.is_empty() {
            self.ledger.charge(client, converted.clone());
        }
        if self.overdrawn || has_shared(consumed) || has_shared(converted) {
            self.has_shared = has_shared(&self.profile.total);
            self.prospect = None;
            self.count_anew();
        }
        Ok(())
    }

    /// What nobody holds changes its nature, or nothing does if it is not all free.
    pub(crate) fn convert_free(&mut self, conversions: &[Conversion]) -> Result<(), Insufficient> {
        let mut total = self.profile.total.clone();
        total.apply_all(conversions)?;
        let mut free = self.free.clone();
        free.apply_all(conversions)?;
        self.set_total(total);
        Ok(())
    }

    fn set_total(&mut self, total: Resources) {
        self.has_shared = has_shared(&total);
        self.profile.total = total;
        self.prospect = None;
        self.count_anew();
    }

    /// The run is over: shared volumes can be offered again. Whether there is anything to offer
    /// them with.
    pub(crate) fn end_run(&mut self) -> bool {
        let given = core::mem::take(&mut self.shared_given);
        if given {
            self.count_anew();
        }
        given && !exclusive(&self.free).is_empty()
    }

    /// Disks are taken from what there is, and not as they come back: whoever held a volume may
    /// have mounted it in another way (Mesos: VOL-05).
    fn put_back(&mut self, resources: &Resources) {
        if self.overdrawn || has_disk(resources) {
            return self.count_anew();
        }
        self.free += &*exclusive(resources);
        self.change_stamp();
    }

    /// Works out what is free from what there is and what is held.
    fn count_anew(&mut self) {
        (self.free, self.overdrawn) = self.count();
        self.change_stamp();
    }

    /// What is free, and whether more is held than there is.
    pub(crate) fn count(&self) -> (Resources, bool) {
        let mut free = self.profile.total.clone();
        let mut overdrawn = false;
        for (_, held) in self.ledger.iter() {
            overdrawn |= !subtract_what_is_there(&mut free, &exclusive(held));
        }
        (free, overdrawn)
    }

    fn change_stamp(&mut self) {
        self.stamps += 1;
        self.stamp = self.stamps;
    }
}

fn has_disk(resources: &Resources) -> bool {
    !resources.is_plain()
        && resources
            .bundles()
            .any(|(traits, ..)| traits.disk.is_some())
}

fn has_shared(resources: &Resources) -> bool {
    !resources.is_plain() && resources.bundles().any(|(traits, ..)| traits.shared)
}

/// What only one can hold: everything but shared volumes.
pub(crate) fn exclusive(resources: &Resources) -> Cow<'_, Resources> {
    if has_shared(resources) {
        Cow::Owned(resources.filter(|traits| !traits.shared))
    } else {
        Cow::Borrowed(resources)
    }
}

/// The rules by which an agent is given out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Court<'a> {
    pub(crate) contest: &'a Contest,
    pub(crate) options: &'a Options,
    pub(crate) stage: Stage,
}

impl Agent {
    /// The client to be made an offer, if any, and what it is offered.
    ///
    /// Those who have not seen the resources come before those who have, however small the share
    /// of these and however short their filters. When all have seen them, those whose filter has
    /// ended begin another round. So nobody starves behind frameworks that want nothing and do
    /// not say so.
    pub(crate) fn choose(&mut self, court: Court<'_>, now: Time) -> Option<Choice> {
        if !self.is_offerable() {
            return None;
        }
        if !self.held.is_empty() {
            return self.choose_beside_holds(court, now);
        }
        let unseen = self.look(court, Prospect::first_unseen);
        let ended = |prospect: &mut Prospect, supply: Supply<'_>| prospect.has_expired(supply, now);
        if unseen.is_some() || !self.refusals.may_have_expired(now) || !self.look(court, ended) {
            return unseen;
        }
        self.refusals.forget_expired(now);
        self.prospect = None;
        self.look(court, Prospect::first_unseen)
    }

    /// When to look again after nobody was to be made an offer, if nothing changes before.
    pub(crate) fn next_look(&self, now: Time) -> Option<Time> {
        let prospect = self.prospect.as_ref();
        let worthwhile = self.held.is_worthwhile()
            || prospect.is_some_and(|(_, prospect)| prospect.is_worthwhile());
        let waits = self.is_offerable() && worthwhile;
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
    pub(crate) fn is_prospect_true(&self, court: Court<'_>) -> bool {
        let current = self
            .prospect
            .as_ref()
            .filter(|(stamp, _)| *stamp == self.stamp);
        current.is_none_or(|(_, prospect)| prospect.is_true(self.supply(court)))
    }

    /// Whether somebody would be offered more, were it not for quota.
    pub(crate) fn holds_back(&self) -> bool {
        let prospect = self.prospect.as_ref();
        self.held.holds_back() || prospect.is_some_and(|(_, prospect)| prospect.holds_back())
    }

    const fn supply<'a>(&'a self, court: Court<'a>) -> Supply<'a> {
        Supply {
            key: self.key,
            free: &self.free,
            barrier: self.barrier,
            refusals: &self.refusals,
            contest: court.contest,
            options: court.options,
            stage: court.stage,
        }
    }

    /// Asks the prospect, brought up to date.
    fn look<T>(&mut self, court: Court<'_>, ask: impl FnOnce(&mut Prospect, Supply<'_>) -> T) -> T {
        let current = self
            .prospect
            .take()
            .filter(|(stamp, _)| *stamp == self.stamp);
        let supply = self.supply(court);
        let (stamp, mut prospect) = current.unwrap_or_else(|| (self.stamp, Prospect::new(supply)));
        let answer = ask(&mut prospect, supply);
        self.prospect = Some((stamp, prospect));
        answer
    }
}
