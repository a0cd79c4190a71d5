//! Frameworks say what they wait for (Mesos: OFF-18, where nobody listens).

use tepui_model::{AgentKey, FrameworkKey, Resources, Role};

use super::Allocator;
use crate::demand::{Ask, Demand};

impl Allocator {
    /// A framework says what it waits for in a role that it has: offers are cut to as many asks as
    /// fit, and what they leave is free for others. An offer that is made takes its asks along; if
    /// it comes back whole, they are open again.
    ///
    /// This replaces what was said before, offers that wait for an answer included: asks that these
    /// cover are not to be among the new ones. Without any ask, the framework is offered nothing.
    /// Asks that share the name of a gang are offered all together or not at all; a gang that is
    /// asked for as before keeps its place in the queue. What was said is forgotten when the
    /// framework disconnects or gives up the role.
    pub fn request(&mut self, framework: FrameworkKey, role: &Role, asks: Vec<Ask>) {
        self.change_demand(framework, role, Some(asks));
    }

    /// A framework wants whatever there is again.
    pub fn withdraw_request(&mut self, framework: FrameworkKey, role: &Role) {
        self.change_demand(framework, role, None);
    }

    fn change_demand(&mut self, framework: FrameworkKey, role: &Role, asks: Option<Vec<Ask>>) {
        let Some(client) = self.contest.find(framework, role) else {
            return;
        };
        let state = self.contest.client(client).map(|client| client.state);
        let Some(state) = state.filter(|state| state.subscribed && state.active) else {
            return;
        };
        let (together, alone) = asks
            .map(|asks| asks.into_iter().partition(|ask| ask.gang.is_some()))
            .map_or((Vec::new(), None), |(together, alone)| {
                (together, Some(alone))
            });
        self.contest.set_demand(client, alone.map(Demand::new));
        let holds = self.gangs.ask(client, together);
        self.end_holds(holds);
        if state.in_play() {
            self.candidates.add_for(client);
        }
    }

    /// An offer was declined or rescinded: the asks that it covered are open again. What it held
    /// is for [`Allocator::recover`].
    pub fn reopen(
        &mut self,
        framework: FrameworkKey,
        role: &Role,
        agent: AgentKey,
        offer: &Resources,
    ) {
        let Some(client) = self.contest.find(framework, role) else {
            return;
        };
        let demand = self.contest.demand_mut(client);
        if demand.is_some_and(|demand| demand.give_back(agent, offer)) {
            self.candidates.add_for(client);
        }
    }

    /// An offer was accepted, whole or in part: the asks that it covered are used up.
    pub fn accept(
        &mut self,
        framework: FrameworkKey,
        role: &Role,
        agent: AgentKey,
        offer: &Resources,
    ) {
        let client = self.contest.find(framework, role);
        if let Some(demand) = client.and_then(|client| self.contest.demand_mut(client)) {
            demand.accept(agent, offer);
        }
    }

    /// Everybody who waits for something that has not been offered, and for what.
    pub fn open_demands(&self) -> impl Iterator<Item = (FrameworkKey, &Role, Vec<Ask>)> + '_ {
        let clients = self.contest.clients().iter();
        let clients = clients.take_while(|_| self.contest.has_demand());
        let waiting = clients.filter(|(_, client)| client.state.in_play());
        waiting.filter_map(|(_, client)| {
            let asks: Vec<Ask> = client.demand.as_ref()?.open().cloned().collect();
            let role = &self.contest.role(client.role)?.name;
            (!asks.is_empty()).then_some((client.framework, role, asks))
        })
    }

    /// What a framework waits for in a role and has not been offered; nothing if it never said.
    #[must_use]
    pub fn open_asks(&self, framework: FrameworkKey, role: &Role) -> Option<Vec<Ask>> {
        let client = self.contest.client(self.contest.find(framework, role)?)?;
        let demand = client.demand.as_ref()?;
        Some(demand.open().cloned().collect())
    }
}
