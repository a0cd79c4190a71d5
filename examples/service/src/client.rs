//! A client of the framework's API, which finds it through the master.

use tepui_sdk::{Operator, dial};
use tonic::{Streaming, transport::Channel};

use crate::{
    FRAMEWORK_NAME,
    api::{self, service_client::ServiceClient},
    limits,
    spec::App,
};

/// Why the API gave no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The master, or the framework, cannot be reached.
    #[error(transparent)]
    Unreachable(#[from] tepui_sdk::Error),
    /// No service framework is subscribed.
    #[error("no service framework is connected to the master at {master}: start one")]
    NotRunning {
        /// Where it was looked for.
        master: String,
    },
    /// The framework answered with a refusal.
    #[error("{message}")]
    Refused {
        /// Its kind.
        code: tonic::Code,
        /// Its text.
        message: String,
    },
}

impl From<tonic::Status> for ClientError {
    fn from(status: tonic::Status) -> Self {
        Self::Refused {
            code: status.code(),
            message: status.message().to_owned(),
        }
    }
}

/// A connection to the framework's API. A cheap clone.
#[derive(Debug, Clone)]
pub struct Client(ServiceClient<Channel>);

impl Client {
    /// Connects to the framework that is subscribed with one of `masters`.
    ///
    /// # Errors
    /// [`ClientError::NotRunning`] when there is none.
    pub async fn discover(masters: &str) -> Result<Self, ClientError> {
        let operator = Operator::connect(masters).await?;
        match operator.framework_address(FRAMEWORK_NAME).await? {
            Some(address) => Self::connect(&address).await,
            None => Err(ClientError::NotRunning {
                master: operator.address().to_owned(),
            }),
        }
    }

    /// Connects to the framework at `HOST:PORT`.
    ///
    /// # Errors
    /// When nobody answers there.
    pub async fn connect(address: &str) -> Result<Self, ClientError> {
        let client = ServiceClient::new(dial(address).await?);
        Ok(Self(
            client.max_decoding_message_size(limits::MAX_MESSAGE_BYTES),
        ))
    }

    /// Makes `apps` what is wanted, and says how they are.
    ///
    /// # Errors
    /// As the framework answers.
    pub async fn deploy(&mut self, apps: &[App]) -> Result<Vec<api::AppStatus>, ClientError> {
        let apps = apps.iter().map(Into::into).collect();
        Ok(self
            .0
            .deploy(api::DeployRequest { apps })
            .await?
            .into_inner()
            .apps)
    }

    /// Every app by name, without its instances.
    ///
    /// # Errors
    /// As the framework answers.
    pub async fn list(&mut self) -> Result<Vec<api::AppStatus>, ClientError> {
        Ok(self.0.list(api::ListRequest {}).await?.into_inner().apps)
    }

    /// One app with its instances.
    ///
    /// # Errors
    /// [`ClientError::Refused`] with `NOT_FOUND` when there is no such app.
    pub async fn status(&mut self, name: &str) -> Result<api::AppStatus, ClientError> {
        let mut once = self.look(name, false).await?;
        let answer = once.message().await?.and_then(|response| response.app);
        answer.ok_or_else(|| tonic::Status::not_found(format!("no app {name:?}")).into())
    }

    /// One app, again after each change, until it is removed.
    ///
    /// # Errors
    /// As [`status`](Self::status).
    pub async fn watch(
        &mut self,
        name: &str,
    ) -> Result<Streaming<api::StatusResponse>, ClientError> {
        self.look(name, true).await
    }

    async fn look(
        &mut self,
        name: &str,
        watch: bool,
    ) -> Result<Streaming<api::StatusResponse>, ClientError> {
        let request = api::StatusRequest {
            name: name.to_owned(),
            watch,
        };
        Ok(self.0.status(request).await?.into_inner())
    }

    /// Wants another number of instances, and says how the app is.
    ///
    /// # Errors
    /// As [`status`](Self::status).
    pub async fn scale(
        &mut self,
        name: &str,
        replicas: u32,
    ) -> Result<api::AppStatus, ClientError> {
        let request = api::ScaleRequest {
            name: name.to_owned(),
            replicas,
        };
        let answer = self.0.scale(request).await?.into_inner().app;
        answer.ok_or_else(|| tonic::Status::not_found(format!("no app {name:?}")).into())
    }

    /// Ends all instances and forgets the app.
    ///
    /// # Errors
    /// As [`status`](Self::status).
    pub async fn remove(&mut self, name: &str) -> Result<(), ClientError> {
        let request = api::RemoveRequest {
            name: name.to_owned(),
        };
        Ok(self.0.remove(request).await.map(drop)?)
    }
}
