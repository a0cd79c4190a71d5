//! What the allocator has to know of an agent.

use std::sync::Arc;

use tepui_allocator::AgentProfile;
use tepui_model::{AgentCapability, AgentInfo};
use tepui_proto::v1::agent_info::capability;

/// An agent as the allocator sees it.
pub(super) fn profile_of(info: &AgentInfo, capabilities: &[capability::Type]) -> AgentProfile {
    AgentProfile {
        total: info.resources.clone(),
        hostname: Arc::from(info.hostname.as_str()),
        attributes: info.attributes.clone(),
        domain: info.domain.clone(),
        capabilities: capabilities
            .iter()
            .filter_map(|capability| AgentCapability::from_proto(*capability))
            .collect(),
    }
}
