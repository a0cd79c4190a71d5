//! `tepui reserve` and `tepui unreserve`: resources of an agent for one role only.

use std::process::ExitCode;

use tepui_sdk::{
    Operator,
    model::{AgentId, Resources},
    v1::{
        Resource,
        resource::{ReservationInfo, reservation_info::Type},
    },
};

use crate::{arguments::Master, client, failure::Failure};

/// What to reserve.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: tepui reserve S3 'cpus(prod):2;mem(prod):512'")]
pub(crate) struct Reserve {
    #[command(flatten)]
    what: What,
    /// In whose name
    #[arg(long, value_name = "NAME")]
    principal: Option<String>,
}

/// What to reserve no longer.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: tepui unreserve S3 'cpus(prod):2;mem(prod):512'")]
pub(crate) struct Unreserve {
    #[command(flatten)]
    what: What,
}

#[derive(Debug, clap::Args)]
struct What {
    #[command(flatten)]
    master: Master,
    /// The agent: its id, the id's end (S3) or its host name
    agent: String,
    /// Each with its role: name(role):value;...
    resources: Resources,
}

/// Reserves what nobody uses.
pub(crate) async fn reserve(options: Reserve) -> Result<ExitCode, Failure> {
    let mut resources = reserved(&options.what)?;
    for resource in &mut resources {
        for reservation in &mut resource.reservations {
            reservation.r#type = Some(Type::Dynamic.into());
            reservation.principal.clone_from(&options.principal);
        }
    }
    let operator = client::connect(&options.what.master.master).await?;
    let agent = client::find_agent(&operator, &options.what.agent).await?;
    operator.reserve_resources(&agent, resources).await?;
    Ok(ExitCode::SUCCESS)
}

/// Gives reservations back.
pub(crate) async fn unreserve(options: Unreserve) -> Result<ExitCode, Failure> {
    let mut resources = reserved(&options.what)?;
    let operator = client::connect(&options.what.master.master).await?;
    let agent = client::find_agent(&operator, &options.what.agent).await?;
    let total = total_of(&operator, &agent).await?;
    for resource in &mut resources {
        resource.reservations = as_made(&total, resource)?;
    }
    operator.unreserve_resources(&agent, resources).await?;
    Ok(ExitCode::SUCCESS)
}

/// The resources of an agent, with their reservations.
pub(crate) async fn total_of(
    operator: &Operator,
    agent: &AgentId,
) -> Result<Vec<Resource>, Failure> {
    let mut agents = operator.agents().await?.agents.into_iter();
    let found = agents.find(|it| {
        let id = it.agent_info.id.as_ref();
        id.is_some_and(|id| id.value == agent.as_str())
    });
    let found = found.ok_or_else(|| {
        Failure::Failed(format!(
            "agent {agent} is not there now; see `tepui agents`"
        ))
    })?;
    Ok(found.total_resources)
}

/// The role that a resource is reserved to.
pub(crate) fn role_of(resource: &Resource) -> Option<&str> {
    resource.reservations.last().map(ReservationInfo::role)
}

fn reserved(what: &What) -> Result<Vec<Resource>, Failure> {
    let resources = what.resources.to_proto(None);
    if resources.is_empty() {
        return Err(Failure::Usage("no resources are named".to_owned()));
    }
    match resources.iter().find(|it| it.reservations.is_empty()) {
        None => Ok(resources),
        Some(resource) => Err(Failure::Usage(format!(
            "'{0}' has no role: write {0}(ROLE):...",
            resource.name
        ))),
    }
}

/// The reservations with the principal and the labels under which they were made.
fn as_made(total: &[Resource], wanted: &Resource) -> Result<Vec<ReservationInfo>, Failure> {
    let found = total.iter().find(|it| {
        let dynamic = it.reservations.last();
        let dynamic = dynamic.is_some_and(|last| last.r#type() == Type::Dynamic);
        it.name == wanted.name && it.disk.is_none() && role_of(it) == role_of(wanted) && dynamic
    });
    let found = found.map(|resource| resource.reservations.clone());
    found.ok_or_else(|| {
        let role = role_of(wanted).unwrap_or_default();
        Failure::Failed(format!(
            "no {} of that agent is reserved to role '{role}' by an operator or a framework; see \
             `tepui agents -o json`",
            wanted.name
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resources(text: &str) -> Vec<Resource> {
        text.parse::<Resources>().unwrap().to_proto(None)
    }

    #[test]
    fn reservations_are_given_back_as_they_were_made() {
        let mut total = resources("cpus:4;cpus(a):2;mem(b):64");
        let wanted = &resources("cpus(a):1")[0];
        assert!(as_made(&total, wanted).is_err(), "a static one stays");
        for resource in &mut total {
            for reservation in &mut resource.reservations {
                reservation.r#type = Some(Type::Dynamic.into());
                reservation.principal = Some("p".to_owned());
            }
        }
        let made = as_made(&total, wanted).unwrap();
        assert_eq!((made[0].role(), made[0].principal()), ("a", "p"));
        let text = as_made(&total, &resources("mem(a):1")[0])
            .unwrap_err()
            .to_string();
        assert!(
            text.starts_with("no mem of that agent is reserved to role 'a'"),
            "{text}"
        );
    }
}
