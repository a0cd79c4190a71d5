//! Agents: who offers resources, and where.

use std::sync::Arc;

use tepui_proto::v1;

use crate::{AgentId, Attributes, FaultDomain, InvalidId, ResourceError, Resources};

/// Why an `AgentInfo` is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidAgent {
    /// The id is no id.
    #[error("AgentInfo.id: {0}")]
    Id(#[from] InvalidId),
    /// No host name.
    #[error("AgentInfo.hostname is required")]
    Hostname,
    /// The port is no port.
    #[error("AgentInfo.port: {0} is not a port")]
    Port(i32),
    /// The resources are refused.
    #[error("AgentInfo.resources: {0}")]
    Resources(ResourceError),
    /// The resources are allocated, which only the master does.
    #[error("AgentInfo.resources must not be allocated to a role")]
    Allocated,
    /// The attributes are refused.
    #[error("AgentInfo.attributes: {0}")]
    Attributes(ResourceError),
}

/// An agent as it describes itself.
#[derive(Clone, Debug, PartialEq)]
pub struct AgentInfo {
    /// The id, once the master has given one; an empty one on the wire is none.
    pub id: Option<AgentId>,
    /// The name by which others reach it.
    pub hostname: String,
    /// The port it listens on.
    pub port: u16,
    /// Everything it has to give.
    pub resources: Resources,
    /// What it says of itself.
    pub attributes: Attributes,
    /// Where it stands.
    pub domain: Option<FaultDomain>,
    /// Everything, as it came.
    pub wire: Arc<v1::AgentInfo>,
}

impl AgentInfo {
    /// The same with other resources, on the wire too.
    #[must_use]
    pub fn with_resources(mut self, resources: Resources) -> Self {
        if self.resources != resources {
            Arc::make_mut(&mut self.wire).resources = resources.to_proto(None);
            self.resources = resources;
        }
        self
    }

    /// The same with an id, on the wire too.
    #[must_use]
    pub fn with_id(mut self, id: AgentId) -> Self {
        Arc::make_mut(&mut self.wire).id = Some((&id).into());
        self.id = Some(id);
        self
    }
}

impl TryFrom<v1::AgentInfo> for AgentInfo {
    type Error = InvalidAgent;

    fn try_from(wire: v1::AgentInfo) -> Result<Self, InvalidAgent> {
        if wire.hostname.is_empty() {
            return Err(InvalidAgent::Hostname);
        }
        let (resources, allocation) =
            Resources::from_proto(&wire.resources).map_err(InvalidAgent::Resources)?;
        if allocation.is_some() {
            return Err(InvalidAgent::Allocated);
        }
        let named = wire.id.as_ref().filter(|id| !id.value.is_empty());
        Ok(Self {
            id: named.map(AgentId::try_from).transpose()?,
            hostname: wire.hostname.clone(),
            port: u16::try_from(wire.port()).map_err(|_| InvalidAgent::Port(wire.port()))?,
            resources,
            attributes: Attributes::try_from(wire.attributes.as_slice())
                .map_err(InvalidAgent::Attributes)?,
            domain: wire.domain.as_ref().and_then(FaultDomain::from_proto),
            wire: Arc::new(wire),
        })
    }
}

impl TryFrom<&v1::AgentInfo> for AgentInfo {
    type Error = InvalidAgent;

    fn try_from(wire: &v1::AgentInfo) -> Result<Self, InvalidAgent> {
        Self::try_from(wire.clone())
    }
}

impl From<&AgentInfo> for v1::AgentInfo {
    fn from(agent: &AgentInfo) -> Self {
        (*agent.wire).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Role;

    fn wire() -> v1::AgentInfo {
        let resources: Resources = "cpus:4;mem:1024".parse().unwrap();
        v1::AgentInfo {
            hostname: "node-1".to_owned(),
            resources: resources.to_proto(None),
            ..Default::default()
        }
    }

    #[test]
    fn an_agent_listens_on_mesos_port_unless_it_says_otherwise() {
        let agent = AgentInfo::try_from(wire()).unwrap();
        assert_eq!((agent.port, agent.id), (5051, None));
        assert_eq!(agent.resources.to_string(), "cpus:4;mem:1024");
    }

    #[test]
    fn an_agent_is_refused_with_the_name_of_the_field() {
        let refusal = |wire: v1::AgentInfo| AgentInfo::try_from(wire).unwrap_err().to_string();
        assert_eq!(
            refusal(v1::AgentInfo::default()),
            "AgentInfo.hostname is required"
        );
        let port = v1::AgentInfo {
            port: Some(70_000),
            ..wire()
        };
        assert_eq!(refusal(port), "AgentInfo.port: 70000 is not a port");
        let nameless = v1::AgentInfo {
            resources: vec![v1::Resource::default()],
            ..wire()
        };
        assert_eq!(
            refusal(nameless),
            "AgentInfo.resources: Empty resource name"
        );
        let resources: Resources = "cpus:4".parse().unwrap();
        let allocated = resources.to_proto(Some(&Role::default()));
        let allocated = v1::AgentInfo {
            resources: allocated,
            ..wire()
        };
        assert_eq!(
            refusal(allocated),
            "AgentInfo.resources must not be allocated to a role"
        );
    }

    #[test]
    fn a_new_id_goes_on_the_wire() {
        let id = AgentId::new("m-S0").unwrap();
        let agent = AgentInfo::try_from(wire()).unwrap().with_id(id.clone());
        let again = AgentInfo::try_from(v1::AgentInfo::from(&agent)).unwrap();
        assert_eq!(again.id, Some(id));
        assert_eq!(again, agent);
    }
}
