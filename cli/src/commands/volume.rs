//! `tepui volume`: disk of a role that outlives tasks.

use std::process::ExitCode;

use tepui_sdk::{
    Operator,
    model::AgentId,
    v1::{
        Resource, Volume as Mount,
        resource::{DiskInfo, disk_info::Persistence},
        value::Scalar,
        volume::Mode,
    },
};

use super::reserve::{role_of, total_of};
use crate::{arguments::Master, client, failure::Failure};

/// What to do with volumes.
#[derive(Debug, clap::Args)]
pub(crate) struct Volume {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Make a volume of disk that is reserved to a role
    #[command(after_help = "Example: tepui volume create S3 db-1 --role prod --size 1024")]
    Create(Create),
    /// Destroy a volume and what is on it
    #[command(after_help = "Example: tepui volume destroy S3 db-1")]
    Destroy(Which),
    /// Add disk that is reserved to the same role
    #[command(after_help = "Example: tepui volume grow S3 db-1 --by 512")]
    Grow(Change),
    /// Give disk of a volume back to the role
    #[command(after_help = "Example: tepui volume shrink S3 db-1 --by 512")]
    Shrink(Change),
}

#[derive(Debug, clap::Args)]
struct Which {
    #[command(flatten)]
    master: Master,
    /// The agent: its id, the id's end (S3) or its host name
    agent: String,
    /// The volume's id
    id: String,
}

#[derive(Debug, clap::Args)]
struct Create {
    #[command(flatten)]
    which: Which,
    /// The role that the disk is reserved to
    #[arg(long)]
    role: String,
    /// Megabytes
    #[arg(long, value_name = "MB")]
    size: f64,
    /// Where tasks find it, in their sandbox [default: the volume's id]
    #[arg(long, value_name = "PATH")]
    path: Option<String>,
    /// In whose name
    #[arg(long, value_name = "NAME")]
    principal: Option<String>,
}

#[derive(Debug, clap::Args)]
struct Change {
    #[command(flatten)]
    which: Which,
    /// Megabytes
    #[arg(long, value_name = "MB")]
    by: f64,
}

/// Carries out a command on volumes.
pub(crate) async fn run(volume: Volume) -> Result<ExitCode, Failure> {
    match volume.command {
        Command::Create(create) => {
            let (operator, agent, total) = reach(&create.which).await?;
            let volume = new_volume(&total, &create)?;
            operator.create_volumes(&agent, vec![volume]).await?;
        }
        Command::Destroy(which) => {
            let (operator, agent, total) = reach(&which).await?;
            let volume = find(&total, &which.id)?;
            operator.destroy_volumes(&agent, vec![volume]).await?;
        }
        Command::Grow(change) => {
            let (operator, agent, total) = reach(&change.which).await?;
            let volume = find(&total, &change.which.id)?;
            let addition = plain(&volume, change.by);
            operator.grow_volume(&agent, volume, addition).await?;
        }
        Command::Shrink(change) => {
            let (operator, agent, total) = reach(&change.which).await?;
            let volume = find(&total, &change.which.id)?;
            operator.shrink_volume(&agent, volume, change.by).await?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn reach(which: &Which) -> Result<(Operator, AgentId, Vec<Resource>), Failure> {
    let operator = client::connect(&which.master.master).await?;
    let agent = client::find_agent(&operator, &which.agent).await?;
    let total = total_of(&operator, &agent).await?;
    Ok((operator, agent, total))
}

fn persistence(resource: &Resource) -> Option<&Persistence> {
    resource.disk.as_ref()?.persistence.as_ref()
}

/// Disk of the same kind and role that is no volume.
fn plain(like: &Resource, megabytes: f64) -> Resource {
    let source = like.disk.as_ref().and_then(|disk| disk.source.clone());
    Resource {
        scalar: Some(Scalar { value: megabytes }),
        disk: source.map(|source| DiskInfo {
            source: Some(source),
            ..DiskInfo::default()
        }),
        shared: None,
        ..like.clone()
    }
}

fn new_volume(total: &[Resource], create: &Create) -> Result<Resource, Failure> {
    let role = create.role.as_str();
    let is_free = |it: &&Resource| {
        let right = it.name == "disk" && role_of(it) == Some(role);
        right && persistence(it).is_none()
    };
    let free = total.iter().find(is_free).ok_or_else(|| {
        let agent = &create.which.agent;
        let size = create.size;
        Failure::Failed(format!(
            "no disk of that agent is reserved to role '{role}': `tepui reserve {agent} \
             'disk({role}):{size}'` first"
        ))
    })?;
    let path = create.path.as_ref().unwrap_or(&create.which.id);
    let mut volume = plain(free, create.size);
    let disk = volume.disk.get_or_insert_default();
    disk.persistence = Some(Persistence {
        id: create.which.id.clone(),
        principal: create.principal.clone(),
    });
    disk.volume = Some(Mount {
        mode: Mode::Rw.into(),
        container_path: path.clone(),
        ..Mount::default()
    });
    Ok(volume)
}

fn find(total: &[Resource], id: &str) -> Result<Resource, Failure> {
    let is_it = |it: &&Resource| persistence(it).is_some_and(|found| found.id == id);
    let mut found = total.iter().filter(is_it);
    match (found.next(), found.next()) {
        (Some(volume), None) => Ok(volume.clone()),
        (None, _) => Err(Failure::Failed(format!(
            "that agent has no volume '{id}'; see `tepui agents -o json`"
        ))),
        (Some(one), Some(other)) => Err(Failure::Failed(format!(
            "that agent has more than one volume '{id}', of roles '{}' and '{}'",
            role_of(one).unwrap_or_default(),
            role_of(other).unwrap_or_default()
        ))),
    }
}

#[cfg(test)]
mod tests {
    use tepui_sdk::model::Resources;

    use super::*;

    fn create(role: &str) -> Create {
        Create {
            which: Which {
                master: Master {
                    master: String::new(),
                },
                agent: "S1".to_owned(),
                id: "v".to_owned(),
            },
            role: role.to_owned(),
            size: 64.0,
            path: None,
            principal: None,
        }
    }

    #[test]
    fn a_volume_is_made_of_reserved_disk_and_found_by_its_id() {
        let mut total = "disk:100;disk(a):100"
            .parse::<Resources>()
            .unwrap()
            .to_proto(None);
        let text = new_volume(&total, &create("b")).unwrap_err().to_string();
        assert!(
            text.ends_with("`tepui reserve S1 'disk(b):64'` first"),
            "{text}"
        );
        let volume = new_volume(&total, &create("a")).unwrap();
        assert_eq!(volume.scalar.unwrap().value, 64.0);
        assert!(
            find(&total, "v")
                .unwrap_err()
                .to_string()
                .contains("no volume 'v'")
        );
        total.push(volume.clone());
        assert_eq!(find(&total, "v").unwrap(), volume);
        let more = plain(&volume, 5.0);
        assert_eq!((more.disk, more.scalar.unwrap().value), (None, 5.0));
        total.push(volume);
        assert!(
            find(&total, "v")
                .unwrap_err()
                .to_string()
                .contains("more than one")
        );
    }
}
