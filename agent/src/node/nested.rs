//! The calls about containers that are answered at once, or when one runs or has ended.
//! The streams are in `attach`.
#![allow(deprecated, reason = "Mesos' clients use the older calls")]

use std::collections::BTreeMap;

use tepui_agent_core::{ContainerName, GuestOrder};
use tepui_proto::v1::agent::{
    Call, Response,
    call::Type,
    response::{self, WaitContainer, WaitNestedContainer},
};
use tonic::Status;

use super::{
    Node,
    check::target,
    inside::{Ended, name},
};
use crate::machine::Containers;

impl<C: Containers> Node<C> {
    /// Answers such a call. What only does something has an answer without a type.
    pub(super) async fn on_container(&self, call: Call) -> Result<Response, Status> {
        let kind = call.r#type();
        let (field, id) = target(&call, kind).ok_or_else(|| {
            Status::unimplemented(format!("{} is no such call", kind.as_str_name()))
        })?;
        let id = id.ok_or_else(|| Status::invalid_argument(format!("Call.{field} is not set")))?;
        let name = name(id)?;
        match kind {
            Type::WaitNestedContainer | Type::WaitContainer => {
                Ok(waited(kind, self.wait_for(&name).await?))
            }
            Type::KillNestedContainer | Type::KillContainer => {
                self.kill_one(&name, signal(&call)).await?;
                Ok(Response::default())
            }
            Type::RemoveNestedContainer | Type::RemoveContainer => {
                self.remove_one(&name).await?;
                Ok(Response::default())
            }
            _ => {
                self.launch_guest(order(name, call)).await?;
                Ok(Response::default())
            }
        }
    }
}

fn signal(call: &Call) -> Option<i32> {
    let nested = call.kill_nested_container.as_ref().and_then(|it| it.signal);
    nested.or_else(|| call.kill_container.as_ref()?.signal)
}

/// What is to be launched.
fn order(name: ContainerName, call: Call) -> GuestOrder {
    if let Some(nested) = call.launch_nested_container {
        return GuestOrder {
            name,
            command: nested.command,
            container: nested.container,
            resources: Vec::new(),
            limits: BTreeMap::new(),
        };
    }
    let launch = call.launch_container.unwrap_or_default();
    let limits = launch.limits.into_iter();
    GuestOrder {
        name,
        command: launch.command,
        container: launch.container,
        resources: launch.resources,
        limits: limits.map(|(name, limit)| (name, limit.value)).collect(),
    }
}

/// How a container ended, in the form that the call asks for: they differ in their names alone.
fn waited(kind: Type, ended: Ended) -> Response {
    macro_rules! filled {
        ($form:ident) => {
            Some($form {
                exit_status: ended.exit_status,
                state: ended.state,
                reason: ended.reason,
                limitation: ended.limitation,
                message: ended.message,
            })
        };
    }
    let mut response = Response::default();
    if kind == Type::WaitContainer {
        response.r#type = Some(response::Type::WaitContainer.into());
        response.wait_container = filled!(WaitContainer);
    } else {
        response.r#type = Some(response::Type::WaitNestedContainer.into());
        response.wait_nested_container = filled!(WaitNestedContainer);
    }
    response
}
