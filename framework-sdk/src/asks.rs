//! What a framework waits for, said in advance.

use tepui_model::{AgentId, Resources, Role};
use tepui_proto::v1;

/// What a framework waits for: its offers are cut to that, and gangs are offered whole or not at
/// all.
///
/// The resources say how much; where they come from, reserved or not, is the master's to find.
///
/// ```
/// use tepui_sdk::{Asks, model::{Resources, Role}};
///
/// let worker = Resources::parse("cpus:2;mem:512", &Role::default())?;
/// let leader = Resources::parse("cpus:1;mem:2048", &Role::default())?;
/// let asks = Asks::new().gang("training", [(leader, 1), (worker, 8)]);
/// # let _ = asks;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct Asks {
    requests: Vec<v1::Request>,
    role: Option<Role>,
}

impl Asks {
    /// Nothing yet. With nothing else said, the framework wants whatever there is.
    pub fn new() -> Self {
        Self::default()
    }

    /// What follows is asked for in `role`; to be said by a framework that has several.
    pub fn in_role(mut self, role: &Role) -> Self {
        self.role = Some(role.clone());
        self
    }

    /// So many times `resources`, each on one agent, one independent of the other.
    pub fn each(mut self, resources: &Resources, count: u32) -> Self {
        let request = self.request_for(resources, count);
        self.requests.push(request);
        self
    }

    /// So many times `resources` on that agent.
    pub fn on(mut self, agent: &AgentId, resources: &Resources, count: u32) -> Self {
        let request = v1::Request {
            agent_id: Some(agent.into()),
            ..self.request_for(resources, count)
        };
        self.requests.push(request);
        self
    }

    /// A gang: all of its members are offered in one
    /// [`Event::Offers`](crate::Event::Offers), or none is.
    pub fn gang(
        mut self,
        name: impl Into<String>,
        members: impl IntoIterator<Item = (Resources, u32)>,
    ) -> Self {
        let name = name.into();
        for (resources, count) in members {
            let request = v1::Request {
                tepui_gang: Some(name.clone()),
                ..self.request_for(&resources, count)
            };
            self.requests.push(request);
        }
        self
    }

    fn request_for(&self, resources: &Resources, count: u32) -> v1::Request {
        v1::Request {
            resources: resources.to_proto(self.role.as_ref()),
            tepui_count: Some(count),
            ..v1::Request::default()
        }
    }
}

impl From<Asks> for Vec<v1::Request> {
    fn from(asks: Asks) -> Self {
        asks.requests
    }
}
