//! Who holds what of one agent.

use tepui_model::Resources;

use super::clamp::subtract_what_is_there;

/// What clients hold of an agent: offers and tasks alike.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ledger {
    holdings: Vec<Holding>,
}

#[derive(Clone, Debug)]
struct Holding {
    client: u32,
    resources: Resources,
    /// Of an offer that nothing has been taken from since: the stamp of what was free before it,
    /// if it was all of that.
    untouched: Option<Option<u64>>,
}

/// A client does not hold that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotHeld;

impl Holding {
    /// Adds resources, unless something would be in it twice: a port cannot be, so that it would
    /// be lost. Only where more is held than there is can that happen.
    fn absorb(&mut self, resources: &Resources) -> bool {
        let lossless = !self.resources.overlaps(resources);
        if lossless {
            self.resources += resources;
            self.untouched = None;
        }
        lossless
    }
}

impl Ledger {
    /// Everything held; a client may come several times.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &Resources)> + '_ {
        self.holdings
            .iter()
            .map(|holding| (holding.client, &holding.resources))
    }

    pub(crate) fn has(&self, client: u32) -> bool {
        self.holdings.iter().any(|holding| holding.client == client)
    }

    /// Whether a client holds all of that.
    pub(crate) fn holds(&self, client: u32, resources: &Resources) -> bool {
        let own = |holding: &&Holding| holding.client == client;
        let mut holdings = self.holdings.iter().filter(own);
        holdings.any(|holding| holding.resources.contains(resources))
            || self.rests(client, resources).is_ok()
    }

    /// A client uses resources.
    pub(crate) fn charge(&mut self, client: u32, resources: Resources) {
        self.settle(client);
        let own = |holding: &&mut Holding| holding.client == client;
        let absorbed = self
            .holdings
            .iter_mut()
            .find(own)
            .is_some_and(|holding| holding.absorb(&resources));
        if !absorbed {
            self.push(client, resources, None);
        }
    }

    /// A client is offered resources; `stamp` names what was free, if they are all of it.
    pub(crate) fn offer(&mut self, client: u32, resources: Resources, stamp: Option<u64>) {
        self.settle(client);
        self.push(client, resources, Some(stamp));
    }

    /// A client gives resources back. If they are an untouched offer of all that was free then,
    /// this returns them and the stamp of that.
    pub(crate) fn release(
        &mut self,
        client: u32,
        resources: &Resources,
    ) -> Result<Option<(Resources, u64)>, NotHeld> {
        let declined = |holding: &Holding| {
            holding.client == client
                && holding.untouched.is_some()
                && holding.resources == *resources
        };
        if let Some(at) = self.holdings.iter().rposition(declined) {
            let offer = self.holdings.swap_remove(at);
            return Ok(offer
                .untouched
                .flatten()
                .map(|stamp| (offer.resources, stamp)));
        }
        self.settle(client);
        self.subtract(client, resources).map(|()| None)
    }

    /// A client gives everything back.
    pub(crate) fn release_all(&mut self, client: u32) -> Vec<Resources> {
        self.holdings
            .extract_if(.., |holding| holding.client == client)
            .map(|holding| holding.resources)
            .collect()
    }

    fn push(&mut self, client: u32, resources: Resources, untouched: Option<Option<u64>>) {
        self.holdings.push(Holding {
            client,
            resources,
            untouched,
        });
    }

    /// A client's holdings become one, its untouched offers too, as far as they can.
    fn settle(&mut self, client: u32) {
        let own = |holding: &Holding| holding.client == client;
        let Some(first) = self.holdings.iter().position(own) else {
            return;
        };
        self.holdings[first].untouched = None;
        let mut at = first + 1;
        while at < self.holdings.len() {
            let (left, right) = self.holdings.split_at_mut(at);
            if own(&right[0]) && left[first].absorb(&right[0].resources) {
                self.holdings.swap_remove(at);
            } else {
                at += 1;
            }
        }
    }

    /// Takes resources from a client's holdings, from several of them if need be, or nothing if
    /// they are not all there.
    fn subtract(&mut self, client: u32, resources: &Resources) -> Result<(), NotHeld> {
        let own = |holding: &Holding| holding.client == client;
        let first = self.holdings.iter().position(own).ok_or(NotHeld)?;
        // Most often there is one holding, and it may be large.
        if self.holdings[first].resources.subtract(resources).is_ok() {
            if self.holdings[first].resources.is_empty() {
                self.holdings.remove(first);
            }
            return Ok(());
        }
        for (at, rest) in self.rests(client, resources)? {
            self.holdings[at].resources = rest;
        }
        self.holdings
            .retain(|holding| !holding.resources.is_empty());
        Ok(())
    }

    /// What is left of a client's holdings, by their place, when those resources are taken from
    /// them.
    fn rests(
        &self,
        client: u32,
        resources: &Resources,
    ) -> Result<Vec<(usize, Resources)>, NotHeld> {
        let mut missing = resources.clone();
        let mut left = Vec::new();
        for (at, holding) in self.holdings.iter().enumerate() {
            if holding.client != client || missing.is_empty() {
                continue;
            }
            let mut rest = holding.resources.clone();
            subtract_what_is_there(&mut rest, &missing);
            subtract_what_is_there(&mut missing, &holding.resources);
            left.push((at, rest));
        }
        match missing.is_empty() {
            true => Ok(left),
            false => Err(NotHeld),
        }
    }
}

#[cfg(test)]
mod tests {
    use tepui_model::Role;

    use super::*;

    fn parse(text: &str) -> Resources {
        Resources::parse(text, &Role::default()).unwrap()
    }

    fn held(ledger: &Ledger) -> Vec<String> {
        ledger.iter().map(|(_, held)| held.to_string()).collect()
    }

    #[test]
    fn an_untouched_offer_comes_back_as_it_was() {
        let mut ledger = Ledger::default();
        let (task, offer) = (parse("cpus:1"), parse("cpus:3;ports:[1-9]"));
        ledger.charge(1, task.clone());
        ledger.offer(1, offer.clone(), Some(7));
        assert_eq!(ledger.release(1, &offer), Ok(Some((offer.clone(), 7))));
        ledger.offer(1, offer, Some(8));
        assert_eq!(ledger.release(1, &parse("ports:[1-8]")), Ok(None));
        assert_eq!(held(&ledger), ["cpus:4;ports:[9-9]"]);
        assert_eq!(ledger.release(1, &parse("cpus:4;ports:[9-9]")), Ok(None));
        assert!(!ledger.has(1));
    }

    #[test]
    fn what_is_held_twice_can_be_given_back_twice() {
        let mut ledger = Ledger::default();
        for task in ["ports:[1-2]", "ports:[2-3]", "ports:[3-3];cpus:1"] {
            ledger.charge(1, parse(task));
        }
        assert_eq!(ledger.release(1, &parse("ports:[1-1,3-3]")), Ok(None));
        assert_eq!(ledger.release(1, &parse("ports:[2-3];cpus:1")), Ok(None));
        assert_eq!(held(&ledger), ["ports:[2-2]"]);
        assert_eq!(ledger.release(1, &parse("ports:[2-3]")), Err(NotHeld));
        assert_eq!(held(&ledger), ["ports:[2-2]"]);
        assert_eq!(ledger.release(2, &parse("ports:[2-2]")), Err(NotHeld));
    }

    #[test]
    fn all_of_a_client_goes_at_once() {
        let mut ledger = Ledger::default();
        ledger.charge(1, parse("cpus:1"));
        ledger.charge(2, parse("cpus:2"));
        ledger.offer(1, parse("cpus:3"), None);
        assert_eq!(ledger.release_all(1), [parse("cpus:1"), parse("cpus:3")]);
        assert_eq!(held(&ledger), ["cpus:2"]);
    }
}
