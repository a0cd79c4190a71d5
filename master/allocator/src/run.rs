//! The run: the free resources of the agents where something changed become offers.

use tepui_model::{AgentKey, FrameworkKey, Resources, Role, Time};

use crate::allocator::Allocator;

/// An offer to be made: resources of one agent for one framework in one of its roles. They are
/// held by it until they are recovered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allocation {
    /// For whom.
    pub framework: FrameworkKey,
    /// In which role.
    pub role: Role,
    /// Of which agent.
    pub agent: AgentKey,
    /// What: all that is free there and that this client may have (Mesos: ALL-06).
    pub resources: Resources,
}

impl Allocator {
    /// Gives out what is free on the agents where something changed since the last run: resources
    /// came back, a filter ended, a framework came or was revived.
    pub fn allocate(&mut self, now: Time) -> Vec<Allocation> {
        let keys = self
            .candidates
            .take(now, self.options.seed, &mut self.agents);
        let mut made = Vec::with_capacity(keys.len());
        for key in keys {
            self.give_out(key, now, &mut made);
        }
        made
    }

    /// The same over all agents.
    pub fn allocate_all(&mut self, now: Time) -> Vec<Allocation> {
        self.candidates.add_all();
        self.allocate(now)
    }

    /// Whether something changed since the last run.
    #[must_use]
    pub fn needs_run(&self) -> bool {
        self.candidates.is_pending()
    }

    /// When to run next if nothing changes before: a filter ends that keeps resources idle.
    #[must_use]
    pub fn next_expiry(&self) -> Option<Time> {
        self.candidates.next_wake()
    }

    /// Offers all that is free on one agent to one client after another, until nothing is left
    /// that anybody may have.
    fn give_out(&mut self, key: AgentKey, now: Time, made: &mut Vec<Allocation>) {
        let Self {
            agents,
            contest,
            candidates,
            options,
            ..
        } = self;
        let Some(agent) = agents.get_mut(key.0).filter(|agent| agent.candidate) else {
            return;
        };
        agent.candidate = false;
        loop {
            contest.settle();
            let Some(choice) = agent.choose(contest, options, now) else {
                break;
            };
            let Some(client) = contest.client(choice.client) else {
                break;
            };
            let Some(role) = contest.role(client.role) else {
                break;
            };
            let (framework, role) = (client.framework, role.name.clone());
            let first = !agent.ledger().has(choice.client);
            let resources = agent.grant(choice.client, choice.offer);
            contest.take(choice.client, &resources.scalars(), first);
            contest.serve(choice.client);
            made.push(Allocation {
                framework,
                role,
                agent: key,
                resources,
            });
        }
        let wake = agent.next_look(now);
        candidates.set_wake(key, agent, wake);
    }
}
