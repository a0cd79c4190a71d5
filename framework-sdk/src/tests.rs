//! What the tests of several modules need.

use tepui_model::{AgentId, Attributes, FrameworkId, ImageNames, Offer, OfferId, Resources, Role};

/// An offer of these resources, for the role `web`, of an agent with these attributes.
pub(crate) fn offer(resources: &str, attributes: &str) -> Offer {
    Offer {
        id: OfferId::new("offer-1").unwrap(),
        framework_id: FrameworkId::new("framework-1").unwrap(),
        agent_id: AgentId::new("agent-1").unwrap(),
        hostname: "host-1".to_owned(),
        port: 5051,
        role: Role::new("web").unwrap(),
        resources: Resources::parse(resources, &Role::default()).unwrap(),
        attributes: Attributes::parse(attributes).unwrap(),
        executor_ids: Vec::new(),
        domain: None,
        unavailability: None,
        images: ImageNames::default(),
    }
}
