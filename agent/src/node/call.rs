//! The v1 operator calls of an agent that concern what it has.

use tepui_agent_core::Agent;
use tepui_containers::Usage;
use tepui_edge::verbosity;
use tepui_images::Reference;
use tepui_model::ContainerId;
use tepui_proto::v1::{
    self,
    agent::{
        Call, Response,
        call::{self, PruneImages, Type},
        response::{self, GetContainers, GetFlags, GetHealth, GetVersion, get_containers},
    },
};
use tonic::Status;

use super::{Node, check, files, guests, metrics, statistics, stopping};
use crate::machine::Containers;

impl<C: Containers> Node<C> {
    /// Answers a call.
    pub(super) async fn answer(&self, call: Call) -> Result<Response, Status> {
        let mut response = Response::default();
        let kind = match call.r#type() {
            Type::GetHealth => {
                self.look(|_| ()).await?;
                response.get_health = Some(GetHealth { healthy: true });
                response::Type::GetHealth
            }
            Type::GetVersion => {
                response.get_version = Some(version());
                response::Type::GetVersion
            }
            Type::GetFlags => {
                response.get_flags = Some(GetFlags {
                    flags: self.flags.clone(),
                });
                response::Type::GetFlags
            }
            Type::GetMetrics => {
                let metric = |(name, value)| v1::Metric {
                    name,
                    value: Some(value),
                };
                let metrics = self.metrics().await?.into_iter().map(metric);
                let metrics = metrics.collect();
                response.get_metrics = Some(response::GetMetrics { metrics });
                response::Type::GetMetrics
            }
            Type::GetLoggingLevel => {
                let level = verbosity::level();
                response.get_logging_level = Some(response::GetLoggingLevel { level });
                response::Type::GetLoggingLevel
            }
            Type::SetLoggingLevel => {
                let wanted = call.set_logging_level;
                let wanted = wanted.ok_or_else(|| not_set("set_logging_level"))?;
                let span = wanted.duration.nanoseconds;
                verbosity::set_for(wanted.level, span).map_err(Status::invalid_argument)?;
                return Ok(response);
            }
            Type::PruneImages => {
                self.prune_images(call.prune_images.unwrap_or_default())
                    .await?;
                // It has no answer of its own (Mesos: IMG-03).
                return Ok(response);
            }
            Type::GetResourceProviders => {
                response.get_resource_providers = Some(response::GetResourceProviders::default());
                response::Type::GetResourceProviders
            }
            Type::ListFiles => {
                let path = call.list_files.ok_or_else(|| not_set("list_files"))?.path;
                response.list_files = Some(files::list(&self.sandboxes, path).await?);
                response::Type::ListFiles
            }
            Type::ReadFile => {
                let read = call.read_file.ok_or_else(|| not_set("read_file"))?;
                response.read_file = Some(files::read(&self.sandboxes, read).await?);
                response::Type::ReadFile
            }
            other if check::target(&call, other).is_some() && !is_stream(other) => {
                return self.on_container(call).await;
            }
            other => return self.show(other, call).await,
        };
        response.r#type = Some(kind.into());
        Ok(response)
    }

    /// Answers a call about what the core has.
    async fn show(&self, kind: Type, call: Call) -> Result<Response, Status> {
        let mut response = Response::default();
        let kind = match kind {
            Type::GetAgent => {
                response.get_agent = Some(self.look(Agent::get_agent).await?);
                response::Type::GetAgent
            }
            Type::GetTasks => {
                response.get_tasks = Some(self.look(Agent::get_tasks).await?);
                response::Type::GetTasks
            }
            Type::GetFrameworks => {
                response.get_frameworks = Some(self.look(Agent::get_frameworks).await?);
                response::Type::GetFrameworks
            }
            Type::GetExecutors => {
                response.get_executors = Some(self.look(Agent::get_executors).await?);
                response::Type::GetExecutors
            }
            Type::GetState => {
                response.get_state = Some(self.look(Agent::get_state).await?);
                response::Type::GetState
            }
            Type::GetContainers => {
                let asked = call.get_containers.unwrap_or_default();
                return self.containers(asked).await;
            }
            Type::GetOperations => {
                response.get_operations = Some(self.look(Agent::get_operations).await?);
                response::Type::GetOperations
            }
            Type::Unknown => return Err(not_set("type")),
            other => return Err(unsupported(other)),
        };
        response.r#type = Some(kind.into());
        Ok(response)
    }

    /// Every metric that is known, by name.
    pub(super) async fn metrics(&self) -> Result<Vec<(String, f64)>, Status> {
        let figures = self.look(Agent::figures).await?;
        let fetched = self.machine.fetcher().figures();
        Ok(metrics::all(&figures, &fetched, self.started.elapsed()))
    }

    pub(super) async fn look<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Agent) -> T + Send + 'static,
    ) -> Result<T, Status> {
        self.front.look(look).await.ok_or_else(stopping)
    }

    /// Removes the images that no task uses, but those that are excluded.
    async fn prune_images(&self, call: PruneImages) -> Result<(), Status> {
        let names = call.excluded_images.iter();
        let names = names.filter_map(|image| image.docker.as_ref().map(|docker| &docker.name));
        let excluded = names
            .map(|name| name.parse())
            .collect::<Result<Vec<Reference>, _>>();
        let excluded = excluded.map_err(|error| {
            Status::invalid_argument(format!("prune_images.excluded_images: {error}"))
        })?;
        let pruned = self.machine.images().prune(&excluded).await;
        let pruned = pruned.map_err(|error| Status::internal(error.to_string()))?;
        tracing::info!(?pruned, "removed images that no task uses");
        Ok(())
    }

    /// The running containers, and what they use.
    async fn containers(&self, asked: call::GetContainers) -> Result<Response, Status> {
        let measured = self.measured(asked).await?.into_iter();
        let containers = measured.map(|(container, _)| container).collect();
        Ok(Response {
            r#type: Some(response::Type::GetContainers.into()),
            get_containers: Some(GetContainers { containers }),
            ..Response::default()
        })
    }

    /// The same with what the messages have no fields for.
    pub(super) async fn measured(
        &self,
        asked: call::GetContainers,
    ) -> Result<Vec<(get_containers::Container, Usage)>, Status> {
        let shown = move |agent: &Agent| {
            let named = agent.get_containers().into_iter().filter_map(|shown| {
                let id = ContainerId::try_from(&shown.container_id).ok()?;
                Some((id, shown))
            });
            let all = named.chain(guests::shown(agent, &asked));
            let with = all.map(|(id, shown)| (agent.resources_of(&id), id, shown));
            with.collect::<Vec<_>>()
        };
        let mut containers = Vec::new();
        for (resources, id, mut container) in self.look(shown).await? {
            let usage = self.machine.usage(&id).await;
            let shown = usage.as_ref();
            container.resource_statistics =
                shown.map(|usage| statistics::of(usage, resources.as_ref()));
            containers.push((container, usage.unwrap_or_default()));
        }
        Ok(containers)
    }
}

fn version() -> GetVersion {
    GetVersion {
        version_info: tepui_model::version_info(env!("CARGO_PKG_VERSION")),
    }
}

fn not_set(field: &str) -> Status {
    Status::invalid_argument(format!("Call.{field} is not set"))
}

/// Whether a call is answered by a stream, which is not this road's.
const fn is_stream(kind: Type) -> bool {
    matches!(
        kind,
        Type::AttachContainerOutput | Type::LaunchNestedContainerSession
    )
}

fn unsupported(call: Type) -> Status {
    let name = call.as_str_name();
    let what = match call {
        Type::AddResourceProviderConfig
        | Type::UpdateResourceProviderConfig
        | Type::RemoveResourceProviderConfig
        | Type::MarkResourceProviderGone => "there are no resource providers on this agent",
        Type::AttachContainerInput
        | Type::AttachContainerOutput
        | Type::LaunchNestedContainerSession => {
            "it is a stream: make it over HTTP, or use tepui.v1.Node/Exec"
        }
        _ => "this agent does not know the call",
    };
    Status::unimplemented(format!("{name} is not supported: {what}"))
}
