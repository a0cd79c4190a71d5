//! Something is set aside for a framework, or no longer.

use tepui_model::{AgentKey, FrameworkKey, Resources, Role, Time};

use super::Allocator;
use crate::{
    agents::exclusive,
    holds::{HoldKey, HoldRefused, HoldView},
};

impl Allocator {
    /// Sets resources of an agent aside for a framework in a role until a time: while the hold
    /// stands, what is free of them, or becomes free, is offered to that client only. They need
    /// not be free, nor even there.
    ///
    /// It ends at its time, when it is released, when its client was made an offer that covers it,
    /// and when its agent goes or its client takes offers no longer. Shared volumes cannot be set
    /// aside: they are free however many use them.
    pub fn hold(
        &mut self,
        agent: AgentKey,
        framework: FrameworkKey,
        role: &Role,
        resources: &Resources,
        until: Time,
    ) -> Result<HoldKey, HoldRefused> {
        let resources = exclusive(resources).into_owned();
        if resources.is_empty() {
            return Err(HoldRefused::Nothing);
        }
        let client = self.contest.find(framework, role).filter(|client| {
            let client = self.contest.client(*client);
            client.is_some_and(|client| client.state.in_play())
        });
        let client = client.ok_or(HoldRefused::NotInPlay(framework))?;
        let ledger = self.agents.get_mut(agent.0);
        let ledger = ledger.ok_or(HoldRefused::NoAgent(agent))?;
        let key = self.holds.insert(agent, until);
        let key = key.ok_or(HoldRefused::TooMany)?;
        ledger.hold(key, client, resources, until);
        self.nominate(agent);
        Ok(key)
    }

    /// Nothing is set aside by that hold any longer. Says whether it stood.
    pub fn release_hold(&mut self, key: HoldKey) -> bool {
        let Some(agent) = self.holds.remove(key) else {
            return false;
        };
        if let Some(ledger) = self.agents.get_mut(agent.0) {
            ledger.end_hold(key);
        }
        self.nominate(agent);
        true
    }

    /// Whether that hold stands.
    #[must_use]
    pub fn is_held(&self, key: HoldKey) -> bool {
        self.holds.iter().any(|(held, _)| held == key)
    }

    /// What is set aside, the oldest first.
    pub fn holds(&self) -> impl Iterator<Item = HoldView> + '_ {
        let agents = self.agents.iter();
        let holds = agents.flat_map(|(key, agent)| {
            let holds = agent.held().iter();
            holds.map(move |hold| (AgentKey(key), hold))
        });
        let view = |(agent, hold): (AgentKey, &crate::agents::Hold)| {
            let client = self.contest.client(hold.client)?;
            Some(HoldView {
                key: hold.key,
                agent,
                framework: client.framework,
                role: self.contest.role(client.role)?.name.clone(),
                resources: hold.resources.clone(),
                until: hold.until,
            })
        };
        let mut views: Vec<HoldView> = holds.filter_map(view).collect();
        views.sort_by_key(|view| view.key);
        views.into_iter()
    }

    /// Ends those whose time has come.
    pub(crate) fn expire_holds(&mut self, now: Time) {
        while let Some((_, key)) = self.holds.first_end().filter(|(end, _)| *end <= now) {
            self.release_hold(key);
        }
    }

    /// A client takes offers no longer: nothing is set aside for it.
    pub(super) fn end_holds_of_client(&mut self, client: u32) {
        let own = |(key, agent): (HoldKey, AgentKey)| {
            let mut holds = self.agents.get(agent.0)?.held().iter();
            holds
                .any(|hold| hold.key == key && hold.client == client)
                .then_some(key)
        };
        let keys: Vec<HoldKey> = self.holds.iter().filter_map(own).collect();
        for key in keys {
            self.release_hold(key);
        }
    }
}
