//! What is held comes back, is learnt of, or changes its nature.

use tepui_model::{AgentKey, Conversion, FrameworkKey, Insufficient, Resources, Role};

use super::Allocator;
use crate::{contest::Load, options::Filter, violation::Violation};

impl Allocator {
    /// An offer came back whole, declined or rescinded: its asks are open again. With a filter, the
    /// framework has refused it.
    pub fn return_offer(
        &mut self,
        framework: FrameworkKey,
        role: &Role,
        agent: AgentKey,
        offer: &Resources,
        refuse: Option<Filter>,
    ) {
        self.reopen(framework, role, agent, offer);
        self.recover(framework, role, agent, offer, refuse);
    }

    /// Resources are free again: an accepted offer left them, a task has ended. With a filter, the
    /// framework has refused them.
    ///
    /// Resources of an agent or a framework that is gone are passed over: they went with it.
    pub fn recover(
        &mut self,
        framework: FrameworkKey,
        role: &Role,
        agent: AgentKey,
        resources: &Resources,
        refuse: Option<Filter>,
    ) {
        let Some(client) = self.contest.find(framework, role) else {
            return;
        };
        let Some(ledger) = self.agents.get_mut(agent.0) else {
            return;
        };
        if resources.is_empty() {
            return;
        }
        if ledger.release(client, resources).is_err() {
            let resources = resources.to_string();
            let role = role.clone();
            let violation = Violation::NotHeld {
                framework,
                role,
                agent,
                resources,
            };
            self.misuse.get_or_insert(violation);
            return;
        }
        let last = !ledger.ledger().has(client);
        self.contest.give_back(client, &Load::of(resources), last);
        let subscribed = self
            .contest
            .client(client)
            .is_some_and(|client| client.state.subscribed);
        if let Some(Filter { until }) = refuse.filter(|_| subscribed) {
            ledger.refuse(client, resources, until);
            self.contest.note_refusal(client, agent);
        }
        self.nominate(agent);
        self.contest.retire(client);
    }

    /// A framework uses resources that the allocator did not give it: tasks learnt of when their
    /// agent came back. Neither the framework nor its role need be known.
    pub fn charge(
        &mut self,
        framework: FrameworkKey,
        role: &Role,
        agent: AgentKey,
        resources: &Resources,
    ) {
        let Some(ledger) = self.agents.get_mut(agent.0) else {
            return;
        };
        if resources.is_empty() {
            return;
        }
        let client = self.contest.enlist(framework, role);
        let first = !ledger.ledger().has(client);
        ledger.charge(client, resources);
        self.contest.take(client, &Load::of(resources), first);
        self.count_free(agent);
    }

    /// What a framework holds on an agent changes its nature, one conversion after another: an
    /// operation was accepted. What there is on the agent follows. If any of it is not held,
    /// nothing happens.
    pub fn convert_held(
        &mut self,
        framework: FrameworkKey,
        role: &Role,
        agent: AgentKey,
        conversions: &[Conversion],
    ) -> Result<(), Insufficient> {
        let client = self.contest.find(framework, role);
        let (Some(client), Some(ledger)) = (client, self.agents.get_mut(agent.0)) else {
            return nothing_is_there(conversions);
        };
        let held = ledger.ledger().has(client);
        ledger.convert_held(client, conversions)?;
        let holds = ledger.ledger().has(client);
        let (mut less, mut more) = (Load::default(), Load::default());
        for conversion in conversions {
            less.add(&Load::of(&conversion.consumed));
            more.add(&Load::of(&conversion.converted));
        }
        self.convert_total(conversions);
        self.contest.take(client, &more, holds && !held);
        self.contest.give_back(client, &less, held && !holds);
        self.nominate(agent);
        self.contest.retire(client);
        Ok(())
    }

    /// What nobody holds of an agent changes its nature, one conversion after another: an
    /// operator's operation. If any of it is not free, nothing happens.
    pub fn convert_free(
        &mut self,
        agent: AgentKey,
        conversions: &[Conversion],
    ) -> Result<(), Insufficient> {
        let Some(ledger) = self.agents.get_mut(agent.0) else {
            return nothing_is_there(conversions);
        };
        ledger.convert_free(conversions)?;
        self.convert_total(conversions);
        self.nominate(agent);
        Ok(())
    }

    fn convert_total(&mut self, conversions: &[Conversion]) {
        // First what comes, so that a role that stays is not forgotten in between.
        for conversion in conversions {
            self.contest.grow(&conversion.converted);
        }
        for conversion in conversions {
            self.contest.shrink(&conversion.consumed);
        }
    }
}

/// What becomes of conversions where there is nothing to convert.
fn nothing_is_there(conversions: &[Conversion]) -> Result<(), Insufficient> {
    Resources::new().apply_all(conversions)
}
