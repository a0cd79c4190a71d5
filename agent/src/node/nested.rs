//! The calls about containers inside of others that are answered at once, or when one has ended.
//! The streams are in `attach`.
#![allow(deprecated, reason = "Mesos' clients use the older calls")]

use tepui_proto::v1::{
    self,
    agent::{
        Call, Response,
        call::Type,
        response::{self, WaitContainer, WaitNestedContainer},
    },
};
use tonic::Status;

use super::{
    Node,
    check::target,
    inside::{Class, Ended, Order, name},
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
            Type::WaitNestedContainer => Ok(waited_nested(self.wait_for(&name).await?)),
            Type::WaitContainer => Ok(waited(self.wait_for(&name).await?)),
            Type::KillNestedContainer | Type::KillContainer => {
                self.kill_one(&name, signal(&call)).await?;
                Ok(Response::default())
            }
            Type::RemoveNestedContainer | Type::RemoveContainer => {
                self.remove_one(&name).await?;
                Ok(Response::default())
            }
            _ => {
                let (command, container) = parts(call)?;
                let order = Order {
                    name,
                    command,
                    container,
                    class: Class::Default,
                };
                self.launch_inside(order).await?;
                Ok(Response::default())
            }
        }
    }
}

fn signal(call: &Call) -> Option<i32> {
    let nested = call.kill_nested_container.as_ref().and_then(|it| it.signal);
    nested.or_else(|| call.kill_container.as_ref()?.signal)
}

type Parts = (Option<v1::CommandInfo>, Option<v1::ContainerInfo>);

/// What is to run, and how.
fn parts(call: Call) -> Result<Parts, Status> {
    if let Some(nested) = call.launch_nested_container {
        return Ok((nested.command, nested.container));
    }
    let alone = call.launch_container.unwrap_or_default();
    if !alone.resources.is_empty() || !alone.limits.is_empty() {
        return Err(Status::invalid_argument(
            "Resources and limits are not taken: the container shares those of the one that it is in",
        ));
    }
    Ok((alone.command, alone.container))
}

fn waited_nested(ended: Ended) -> Response {
    Response {
        r#type: Some(response::Type::WaitNestedContainer.into()),
        wait_nested_container: Some(WaitNestedContainer {
            exit_status: ended.exit_status,
            state: ended.state,
            reason: ended.reason,
            limitation: ended.limitation,
            message: ended.message,
        }),
        ..Response::default()
    }
}

fn waited(ended: Ended) -> Response {
    Response {
        r#type: Some(response::Type::WaitContainer.into()),
        wait_container: Some(WaitContainer {
            exit_status: ended.exit_status,
            state: ended.state,
            reason: ended.reason,
            limitation: ended.limitation,
            message: ended.message,
        }),
        ..Response::default()
    }
}
