//! What the allocator has to know of an agent.

use std::sync::Arc;

use tepui_model::{AgentCapabilities, AgentCapability, Attributes, FaultDomain, Resources};

/// What the allocator has to know of an agent.
#[derive(Clone, Debug, PartialEq)]
pub struct AgentProfile {
    /// Everything it has to give.
    pub total: Resources,
    /// The name by which others reach it.
    pub hostname: Arc<str>,
    /// What it says of itself.
    pub attributes: Attributes,
    /// Where it stands.
    pub domain: Option<FaultDomain>,
    /// What it can do.
    pub capabilities: AgentCapabilities,
}

impl AgentProfile {
    /// An agent that can do everything, of which nothing else is known.
    #[must_use]
    pub fn new(total: Resources) -> Self {
        Self {
            total,
            hostname: Arc::from(""),
            attributes: Attributes::default(),
            domain: None,
            capabilities: AgentCapabilities::NONE
                .with(AgentCapability::MultiRole)
                .with(AgentCapability::HierarchicalRole)
                .with(AgentCapability::ReservationRefinement),
        }
    }
}
