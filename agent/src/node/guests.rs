//! Containers that calls launch, inside of others or alone: what the core decides about them, and
//! the answers that wait for what becomes of them.

use std::{fs, io, path::PathBuf};

use tepui_agent_core::{
    Agent, ContainerName as Name, Guest, GuestEnd, GuestOrder, GuestRefusal, Phase, StillRunning,
};
use tepui_proto::v1::{
    self, ContainerStatus, TaskState,
    agent::{call::GetContainers, response::get_containers::Container},
};
use tokio::task::spawn_blocking;
use tonic::Status;

use super::{Node, inside::Ended, stopping};
use crate::machine::Containers;

impl<C: Containers> Node<C> {
    /// Launches a container, and waits until its program runs.
    pub(super) async fn launch_guest(&self, order: GuestOrder) -> Result<(), Status> {
        let name = order.name.clone();
        if self.inside.get(&name).is_some() {
            return Err(refuse(GuestRefusal::Exists(name)));
        }
        if let Some(parent) = name.parent()
            && self.inside.get(&parent).is_some()
        {
            return Err(Status::invalid_argument(format!(
                "Parent container {parent} is a session: only sessions can be inside of one"
            )));
        }
        let launch = move |agent: &mut Agent, _, fx: &mut _| agent.launch_guest(&order, fx);
        let launched = self.front.ask(launch).await.ok_or_else(stopping)?;
        launched.map_err(refuse)?;
        self.front
            .guest_beyond(name.clone(), Phase::Launching)
            .await;
        match self.guest(&name).await?.and_then(|guest| guest.end) {
            Some(GuestEnd::Failed(message)) => {
                // Nobody knows a container that never was.
                let _ = self.remove_guest(&name).await?;
                let text = format!("Failed to launch container {name}: {message}");
                Err(Status::invalid_argument(text))
            }
            _ => Ok(()),
        }
    }

    async fn guest(&self, name: &Name) -> Result<Option<Guest>, Status> {
        let name = name.clone();
        self.look(move |agent: &Agent| agent.guest(&name).cloned())
            .await
    }

    /// Waits until such a container has ended; none if there is none of that name.
    pub(super) async fn wait_for_guest(&self, name: &Name) -> Result<Option<Ended>, Status> {
        let Some(guest) = self.guest(name).await? else {
            return Ok(None);
        };
        let end = match guest.end {
            Some(end) => end,
            None => {
                self.front.guest_beyond(name.clone(), Phase::Running).await;
                let ended = self.guest(name).await?.and_then(|guest| guest.end);
                let removed = || Status::not_found(format!("Container {name} was removed"));
                ended.ok_or_else(removed)?
            }
        };
        Ok(Some(end.into()))
    }

    /// Kills such a container; false if there is none of that name that lives.
    pub(super) async fn kill_guest(&self, name: &Name) -> Result<bool, Status> {
        let name = name.clone();
        let kill = move |agent: &mut Agent, now, fx: &mut _| agent.kill_guest(now, &name, fx);
        self.front.ask(kill).await.ok_or_else(stopping)
    }

    /// Forgets such a container with its sandbox. One that nobody knows is forgotten already.
    pub(super) async fn remove_guest(
        &self,
        name: &Name,
    ) -> Result<Result<(), StillRunning>, Status> {
        let name = name.clone();
        let remove = move |agent: &mut Agent, _, fx: &mut _| agent.remove_guest(&name, fx);
        let removed = self.front.ask(remove).await.ok_or_else(stopping)?;
        let Ok(sandboxes) = removed else {
            return Ok(Err(StillRunning));
        };
        let removed = spawn_blocking(move || sandboxes.iter().for_each(remove_sandbox)).await;
        removed.map_err(|error| Status::internal(error.to_string()))?;
        Ok(Ok(()))
    }
}

/// Nothing above it is a task's, so no link leads elsewhere.
fn remove_sandbox(sandbox: &PathBuf) {
    match fs::remove_dir_all(sandbox) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            let sandbox = sandbox.display();
            tracing::warn!(%sandbox, %error, "cannot remove the sandbox of a container");
        }
        _ => {}
    }
}

/// Those that run and are asked for, for `GET_CONTAINERS`; with what the machine calls them.
pub(super) fn shown(
    agent: &Agent,
    asked: &GetContainers,
) -> Vec<(tepui_model::ContainerId, Container)> {
    let wanted = |name: &Name| match name.parent() {
        Some(_) => asked.show_nested(),
        None => asked.show_standalone(),
    };
    let guests = agent.guests();
    let guests = guests.filter(|(name, guest)| guest.phase == Phase::Running && wanted(name));
    let show = |(name, guest): (&Name, &Guest)| {
        let executor = guest.executor.as_ref();
        let shown = Container {
            framework_id: executor.map(|it| (&it.framework).into()),
            executor_id: executor.map(|it| (&it.executor).into()),
            executor_name: None,
            container_id: name.into(),
            container_status: Some(ContainerStatus {
                container_id: Some(name.into()),
                executor_pid: guest.pid,
                ..ContainerStatus::default()
            }),
            resource_statistics: None,
        };
        (guest.container.clone(), shown)
    };
    guests.map(show).collect()
}

fn refuse(refusal: GuestRefusal) -> Status {
    let message = refusal.to_string();
    match refusal {
        GuestRefusal::Exists(_) => Status::already_exists(message),
        GuestRefusal::Full => Status::resource_exhausted(message),
        GuestRefusal::Invalid(_) => Status::invalid_argument(message),
    }
}

impl From<GuestEnd> for Ended {
    fn from(end: GuestEnd) -> Self {
        match end {
            GuestEnd::Exited(exit) => exit.into(),
            GuestEnd::Failed(message) => Self {
                state: Some(TaskState::TaskFailed.into()),
                reason: Some(v1::task_status::Reason::ContainerLaunchFailed.into()),
                message: Some(message),
                ..Self::default()
            },
        }
    }
}
