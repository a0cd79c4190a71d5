//! The operator's side of the master: questions, and streams of what happens.

mod changes;

use std::time::Duration;

use tepui_model::{AgentId, FrameworkId, TaskId};
use tepui_proto::{
    services::{self, operator_client::OperatorClient},
    v1::{
        self,
        master::{Call, Response, call::Type, response},
    },
};
use tonic::{Streaming, transport::Channel};

use crate::{Error, Masters, calls, limits, masters::dial};

/// A connection to a master, for its operator API. A cheap clone.
#[derive(Debug, Clone)]
pub struct Operator {
    address: String,
    client: OperatorClient<Channel>,
}

impl Operator {
    /// Connects to the first of `masters` (`HOST:PORT[,HOST:PORT]`) that answers.
    ///
    /// # Errors
    /// The last one's, when none does.
    pub async fn connect(masters: &str) -> Result<Self, Error> {
        let masters: Masters = masters.parse()?;
        let mut last = Error::NoMaster;
        for address in masters.addresses() {
            match dial(address).await {
                Ok(channel) => {
                    let client = OperatorClient::new(channel)
                        .max_decoding_message_size(limits::MAX_MESSAGE_BYTES);
                    return Ok(Self {
                        address: address.clone(),
                        client,
                    });
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// The address that answered.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Any v1 operator call.
    ///
    /// # Errors
    /// As the master answers.
    pub async fn call(&self, call: Call) -> Result<Response, Error> {
        let answer = self.client.clone().call(call).await;
        answer
            .map(tonic::Response::into_inner)
            .map_err(|status| self.refusal(status))
    }

    /// GET_STATE: agents, frameworks, tasks and executors, all from one moment.
    ///
    /// # Errors
    /// As the master answers.
    pub async fn state(&self) -> Result<response::GetState, Error> {
        self.get(Type::GetState, "get_state", |response| response.get_state)
            .await
    }

    /// GET_AGENTS.
    ///
    /// # Errors
    /// As the master answers.
    pub async fn agents(&self) -> Result<response::GetAgents, Error> {
        self.get(Type::GetAgents, "get_agents", |response| {
            response.get_agents
        })
        .await
    }

    /// GET_FRAMEWORKS.
    ///
    /// # Errors
    /// As the master answers.
    pub async fn frameworks(&self) -> Result<response::GetFrameworks, Error> {
        self.get(Type::GetFrameworks, "get_frameworks", |response| {
            response.get_frameworks
        })
        .await
    }

    /// GET_TASKS.
    ///
    /// # Errors
    /// As the master answers.
    pub async fn tasks(&self) -> Result<response::GetTasks, Error> {
        self.get(Type::GetTasks, "get_tasks", |response| response.get_tasks)
            .await
    }

    /// GET_ROLES.
    ///
    /// # Errors
    /// As the master answers.
    pub async fn roles(&self) -> Result<response::GetRoles, Error> {
        self.get(Type::GetRoles, "get_roles", |response| response.get_roles)
            .await
    }

    /// Where an agent answers (`HOST:PORT`); `None` when the master has no such agent.
    ///
    /// # Errors
    /// As the master answers.
    pub async fn agent_address(&self, agent: &AgentId) -> Result<Option<String>, Error> {
        let agents = self.agents().await?.agents;
        let has_id = |known: &&response::get_agents::Agent| {
            known
                .agent_info
                .id
                .as_ref()
                .is_some_and(|id| id.value == agent.as_str())
        };
        Ok(agents
            .iter()
            .find(has_id)
            .map(|agent| address_of(&agent.agent_info)))
    }

    /// Where the framework of this name serves its own API (`HOST:PORT`, from its `webui_url`);
    /// `None` when no connected framework of that name says so.
    ///
    /// # Errors
    /// As the master answers.
    pub async fn framework_address(&self, name: &str) -> Result<Option<String>, Error> {
        let frameworks = self.frameworks().await?.frameworks;
        let address = |framework: &response::get_frameworks::Framework| {
            let info = &framework.framework_info;
            let url = info.webui_url.as_deref().filter(|_| framework.connected);
            let address = url?.strip_prefix("http://")?.split('/').next()?;
            (info.name == name).then(|| address.to_owned())
        };
        Ok(frameworks.iter().find_map(address))
    }

    /// Ends a framework and all its tasks.
    ///
    /// # Errors
    /// As the master answers: there may be no such framework.
    pub async fn teardown(&self, framework: &FrameworkId) -> Result<(), Error> {
        let teardown = v1::master::call::Teardown {
            framework_id: framework.into(),
        };
        let call = Call {
            teardown: Some(teardown),
            ..of(Type::Teardown)
        };
        self.call(call).await.map(drop)
    }

    /// Ends a task, of this framework when one is named, with this time between TERM and KILL.
    ///
    /// # Errors
    /// As the master answers: there may be no such task, or several.
    pub async fn kill_task(
        &self,
        task: &TaskId,
        framework: Option<&FrameworkId>,
        grace: Option<Duration>,
    ) -> Result<(), Error> {
        let request = services::KillTaskRequest {
            task_id: Some(task.into()),
            framework_id: framework.map(Into::into),
            grace_period: grace.and_then(|grace| calls::kill_policy(grace).grace_period),
        };
        let answer = self.client.clone().kill_task(request).await;
        answer.map(drop).map_err(|status| self.refusal(status))
    }

    /// Why a framework, a role or a task waits, or why an agent is not offered.
    ///
    /// # Errors
    /// As the master answers: there may be no such subject.
    pub async fn explain(
        &self,
        request: services::ExplainRequest,
    ) -> Result<services::Explanation, Error> {
        let answer = self.client.clone().explain(request).await;
        answer
            .map(tonic::Response::into_inner)
            .map_err(|status| self.refusal(status))
    }

    /// Every outstanding offer, then every change.
    ///
    /// # Errors
    /// As the master answers.
    pub async fn watch_offers(
        &self,
        framework: Option<&FrameworkId>,
    ) -> Result<Streaming<services::OfferChange>, Error> {
        let request = services::WatchOffersRequest {
            framework_id: framework.map(Into::into),
        };
        let answer = self.client.clone().watch_offers(request).await;
        answer
            .map(tonic::Response::into_inner)
            .map_err(|status| self.refusal(status))
    }

    /// The v1 operator event stream: a snapshot, then each change.
    ///
    /// # Errors
    /// As the master answers.
    pub async fn watch_events(&self) -> Result<Streaming<v1::master::Event>, Error> {
        let answer = self
            .client
            .clone()
            .watch_events(services::WatchEventsRequest {})
            .await;
        answer
            .map(tonic::Response::into_inner)
            .map_err(|status| self.refusal(status))
    }

    async fn get<T>(
        &self,
        kind: Type,
        what: &'static str,
        part: impl FnOnce(Response) -> Option<T>,
    ) -> Result<T, Error> {
        let response = self.call(of(kind)).await?;
        part(response).ok_or_else(|| Error::Incomplete {
            address: self.address.clone(),
            what,
        })
    }

    fn refusal(&self, status: tonic::Status) -> Error {
        Error::from_status(&self.address, status)
    }
}

fn of(kind: Type) -> Call {
    Call {
        r#type: Some(kind.into()),
        ..Default::default()
    }
}

/// Where the agent of `info` answers.
fn address_of(info: &v1::AgentInfo) -> String {
    // Mesos' default port of an agent, for an AgentInfo that leaves it out.
    format!("{}:{}", info.hostname, info.port.unwrap_or(5051))
}
