//! A client: one framework in one of its roles, whom offers are made to.

use std::sync::Arc;

use tepui_model::{AgentKey, FrameworkKey, Scalars};

use super::ranking::Standing;
use crate::{
    agents::Class, constraints::Constraints, demand::Demand, options::Minimum, slots::Slots,
};

/// One framework in one role: whom an offer is made to.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    pub(crate) framework: FrameworkKey,
    /// The slot of its role.
    pub(crate) role: u32,
    pub(crate) state: ClientState,
    pub(crate) terms: Terms,
    /// What it waits for, if it has said so.
    pub(crate) demand: Option<Demand>,
    /// The scalars that it holds over all agents: offers and tasks alike.
    pub(crate) allocated: Scalars,
    /// On how many agents it holds something.
    pub(crate) agents: u32,
    /// Offers made to it ever.
    pub(crate) served: u64,
    /// When its turn is, where turns are drawn.
    pub(crate) turn: f64,
    /// Where it stands within its role, while it is in play.
    pub(crate) standing: Option<Standing>,
    /// Whether the standing is out of date.
    pub(crate) moved: bool,
    /// The agents that it may have refused something of: all those where a refusal is remembered,
    /// and some where one was.
    pub(crate) refused: Slots,
}

/// What decides whether a client is offered anything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ClientState {
    /// The framework has this role. Without it the client only holds what it still has.
    pub(crate) subscribed: bool,
    /// The framework asked for no offers in this role (Mesos: OFF-10).
    pub(crate) suppressed: bool,
    /// The framework is connected.
    pub(crate) active: bool,
    /// The framework may be shown what is shown to others too.
    pub(crate) optimistic: bool,
    /// What it can be offered.
    pub(crate) class: Class,
}

/// What a client wants to be different from what others are offered.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Terms {
    /// What an offer must hold for it (Mesos: OFF-16).
    pub(crate) minimum: Option<Minimum>,
    /// Which agents it can use (Mesos: OFF-14).
    pub(crate) constraints: Option<Arc<Constraints>>,
    /// The agents that its constraints exclude.
    pub(crate) excluded: Slots,
}

impl Terms {
    /// Whether there are none.
    pub(crate) const fn is_none(&self) -> bool {
        self.minimum.is_none() && self.constraints.is_none()
    }

    /// Whether the client can use nothing of that agent.
    pub(crate) fn excludes(&self, agent: AgentKey) -> bool {
        self.constraints.is_some() && self.excluded.contains(agent.0)
    }
}

impl ClientState {
    /// Whether offers are made to it.
    pub(crate) const fn in_play(self) -> bool {
        self.subscribed && self.active && !self.suppressed
    }

    /// Whether offers are made to it that others may be shown too.
    pub(crate) const fn is_optimist(self) -> bool {
        self.in_play() && self.optimistic
    }
}

impl Client {
    pub(crate) fn new(framework: FrameworkKey, role: u32) -> Self {
        Self {
            framework,
            role,
            state: ClientState::default(),
            terms: Terms::default(),
            demand: None,
            allocated: Scalars::new(),
            agents: 0,
            served: 0,
            turn: 0.0,
            standing: None,
            moved: false,
            refused: Slots::new(),
        }
    }

    /// Whether it takes what it is offered: it is in play, and has not said that it waits for
    /// nothing more.
    pub(crate) fn is_hungry(&self) -> bool {
        let asks = |demand: &Demand| demand.open().next().is_some();
        self.state.in_play() && self.demand.as_ref().is_none_or(asks)
    }
}
