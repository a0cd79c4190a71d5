//! Why a client is not offered anything of an agent, asked of the same functions that decide.

use tepui_model::{Resources, Role, Time};

use super::{
    Agent, Court, Hold, Viewer,
    prospect::{Denial, Possible, Prospect, Supply},
};
use crate::{
    contest::{Allowance, Client, open},
    demand::Parts,
    explain::Reason,
};

impl Agent {
    /// The asks that a client would be offered of this agent in that stage if so much were free.
    pub(crate) fn what_if(
        &self,
        court: Court<'_>,
        slot: u32,
        free: &Resources,
        now: Time,
    ) -> Parts {
        if !self.active || !self.listed {
            return Parts::new();
        }
        let left = self.held().leave(free, Viewer::Client(slot));
        let supply = Supply {
            free: &left,
            ..self.supply(court)
        };
        match Prospect::new(supply).possible(supply, slot) {
            Ok(Possible::Part(offer, parts)) => match self.refusal(&offer, slot, now) {
                Reason::NobodyElse => parts,
                _ => Parts::new(),
            },
            _ => Parts::new(),
        }
    }

    /// Why a client is not offered anything of this agent in that stage, as things are.
    pub(crate) fn verdict(&self, court: Court<'_>, slot: u32, now: Time) -> Reason {
        if !self.active {
            return Reason::AgentInactive;
        }
        if !self.listed {
            return Reason::NotListed;
        }
        let Some(client) = court.contest.client(slot).filter(|_| !self.free.is_empty()) else {
            return Reason::NothingFree;
        };
        let all = self.supply(court);
        if self.held().is_empty() {
            return self.judge(all, client, slot, now);
        }
        let left = self.held().leave(&self.free, Viewer::Client(slot));
        let shown = Supply { free: &left, ..all };
        let is_possible = |supply| Prospect::new(supply).possible(supply, slot).is_ok();
        if is_possible(shown) {
            return self.judge(shown, client, slot, now);
        }
        let others = |hold: &&Hold| hold.client != slot || hold.for_gang;
        match self.held().iter().find(others) {
            Some(hold) if is_possible(all) => self.held_for(hold, court),
            _ => self.judge(all, client, slot, now),
        }
    }

    fn judge(&self, supply: Supply<'_>, client: &Client, slot: u32, now: Time) -> Reason {
        let mut prospect = Prospect::new(supply);
        match prospect.possible(supply, slot) {
            Ok(possible) => {
                let offer = prospect.shown(&possible).unwrap_or(supply.free);
                self.refusal(offer, slot, now)
            }
            Err(denial) => self.reason_of(denial, &mut prospect, supply, client),
        }
    }

    fn held_for(&self, hold: &Hold, court: Court<'_>) -> Reason {
        // A hold's client is in play.
        let client = court.contest.client(hold.client);
        client.map_or(Reason::NothingFree, |client| Reason::HeldFor {
            framework: client.framework,
        })
    }

    /// The refusal that is in the way of an offer for the longest.
    fn refusal(&self, offer: &Resources, slot: u32, now: Time) -> Reason {
        let refusals = self.refusals.of(slot);
        let in_the_way =
            refusals.filter(|(refused, until)| now < *until && refused.contains(offer));
        match in_the_way.max_by_key(|(_, until)| *until) {
            None => Reason::NobodyElse,
            Some((refused, until)) => Reason::Filtered {
                until,
                refused: refused.clone(),
            },
        }
    }

    fn reason_of(
        &self,
        denial: Denial,
        prospect: &mut Prospect,
        supply: Supply<'_>,
        client: &Client,
    ) -> Reason {
        let seen = prospect.seen_by(supply, client).unwrap_or_default();
        match denial {
            Denial::Excluded => Reason::Excluded {
                constraints: client
                    .terms
                    .constraints
                    .as_ref()
                    .map_or_else(Vec::new, |it| it.objections(&self.profile)),
            },
            Denial::Incapable => Reason::CapabilityMissing {
                what: client.state.class.lacks(self.barrier),
            },
            Denial::Nothing => nothing_for(supply, client),
            Denial::BelowMinimum => match reserved_to_others(supply, client) {
                Some(reserved) => reserved,
                None => Reason::BelowMinimum { left: seen },
            },
            Denial::NoAsk => {
                let demand = client.demand.as_ref();
                match demand.and_then(|demand| demand.nearest_miss(supply.key, &seen)) {
                    None => Reason::NothingAsked,
                    Some((ask, missing)) => Reason::DoesNotFit { ask, missing },
                }
            }
            Denial::Quota(allowance) => {
                let all = open(&seen);
                let (left, limit) = match allowance {
                    Allowance::Part { scalars, limit } => (scalars, limit),
                    Allowance::All | Allowance::NoClaim => (all.clone(), None),
                };
                let beyond = all.saturating_sub(&left);
                match limit.and_then(|slot| supply.contest.role(slot)) {
                    Some(node) => Reason::QuotaLimit {
                        role: node.name.clone(),
                        beyond,
                    },
                    None => Reason::KeptForGuarantees { kept: beyond },
                }
            }
        }
    }
}

/// Why nothing of what is free is for a client.
fn nothing_for(supply: Supply<'_>, client: &Client) -> Reason {
    reserved_to_others(supply, client).unwrap_or_else(|| Reason::CapabilityMissing {
        what: vec!["free only in resources that the framework does not understand"],
    })
}

/// That what is free is reserved to roles that a client is not in, if any of it is.
fn reserved_to_others(supply: Supply<'_>, client: &Client) -> Option<Reason> {
    let own = supply.contest.role(client.role).map(|node| &node.name);
    let usable = |holder: &Role| own.is_some_and(|own| holder == own || own.is_below(holder));
    let roles = supply.free.reservation_roles().into_iter();
    let roles: Vec<Role> = roles.filter(|holder| !usable(holder)).collect();
    (!roles.is_empty()).then_some(Reason::ReservedFor { roles })
}
