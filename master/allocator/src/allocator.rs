//! The allocator as its caller sees it: changes of the cluster come in.

mod agents;
mod frameworks;
mod gangs;
mod holdings;
mod holds;
mod requests;
mod roles;

use std::{collections::BTreeSet, sync::Arc};

use tepui_model::AgentKey;

pub use self::frameworks::FrameworkProfile;
use crate::{
    agents::Agent, candidates::Candidates, contest::Contest, gang::Gangs, holds::Holds,
    options::Options, table::Table, violation::Violation,
};

/// Decides whose offer the free resources of each agent become.
///
/// Weighted dominant resource fairness, first down the tree of roles, then between the frameworks
/// of a role (Mesos: ALL-02, ALL-03), within what quota promises and allows (Mesos: ALL-04,
/// ALL-05). It is told every change and remembers where something changed, so that
/// [`Allocator::allocate`] looks at those agents only. The same calls in the same order give the
/// same offers.
#[derive(Clone, Debug)]
pub struct Allocator {
    pub(crate) options: Options,
    pub(crate) agents: Table<Agent>,
    pub(crate) contest: Contest,
    pub(crate) candidates: Candidates,
    pub(crate) holds: Holds,
    pub(crate) gangs: Gangs,
    /// The hosts that are offered; all, if there is no list (Mesos: OFF-20).
    pub(crate) whitelist: Option<BTreeSet<Arc<str>>>,
    /// The region of the master.
    pub(crate) region: Option<Arc<str>>,
    /// The first call that made no sense, for [`Allocator::check`].
    pub(crate) misuse: Option<Violation>,
}

impl Allocator {
    /// An allocator of an empty cluster.
    #[must_use]
    pub fn new(options: Options) -> Self {
        let contest = Contest::new(&options);
        Self {
            options,
            agents: Table::new(),
            contest,
            candidates: Candidates::default(),
            holds: Holds::default(),
            gangs: Gangs::default(),
            whitelist: None,
            region: None,
            misuse: None,
        }
    }

    /// The settings.
    #[must_use]
    pub const fn options(&self) -> &Options {
        &self.options
    }

    /// Something of an agent became free, or it is offered again: it is to be looked at.
    pub(crate) fn nominate(&mut self, key: AgentKey) {
        if let Some(agent) = self.agents.get(key.0) {
            self.candidates.add(key, agent);
        }
        self.count_free(key);
    }

    /// What of an agent is free may have changed.
    pub(crate) fn count_free(&mut self, key: AgentKey) {
        let Some(agent) = self.agents.get_mut(key.0) else {
            return;
        };
        self.candidates.set_offerable(key, agent);
        if self.contest.has_guarantees() {
            let open = agent.open();
            self.contest.change_available(&agent.available, &open);
            agent.available = open;
        }
    }
}
