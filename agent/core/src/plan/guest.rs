//! What the container of a guest is to be.

use std::{collections::BTreeMap, path::PathBuf};

use tepui_model::{ContainerId, FrameworkId, InvalidId, Quantity, Resources, TaskId};
use tepui_proto::v1;

use super::{
    ContainerPlan, Limits, Shown, Unplannable, environment, image, networks, program, rights,
    secrets, terminal, uris, volumes,
};
use crate::{GuestOrder, Named, Parent, TaskKey};

/// The part of a plan that is the agent's.
#[derive(Debug)]
pub(crate) struct GuestPlace<'a> {
    pub(crate) container: &'a ContainerId,
    /// What it is inside of.
    pub(crate) host: Option<&'a Named>,
    pub(crate) sandbox: PathBuf,
    pub(crate) shown: Shown,
    pub(crate) user: String,
}

/// Makes the plan of a guest, which was given these resources.
pub(crate) fn guest(
    place: GuestPlace<'_>,
    order: &GuestOrder,
    resources: &Resources,
) -> Result<ContainerPlan, Unplannable> {
    let nothing = v1::CommandInfo::default();
    let command = order.command.as_ref().unwrap_or(&nothing);
    let container = order.container.as_ref();
    if resources.gpus().is_positive() {
        return Err(Unplannable::Unsupported(
            "GPUs of containers that calls launch",
        ));
    }
    let image = image::image(container, command)?;
    let rights = share(place.host.is_some(), container, order)?;
    let linux = container.and_then(|container| container.linux_info.as_ref());
    let environment = environment::of_guest(
        command,
        &place.sandbox,
        image.is_some(),
        terminal(container).is_some(),
    )?;
    let parent = place.host.map(|host| Parent {
        container: host.container.clone(),
        sandbox: host.sandbox.clone(),
        share_processes: linux.is_some_and(v1::LinuxInfo::share_pid_namespace),
    });
    Ok(ContainerPlan {
        container: place.container.clone(),
        task: key(place.host, place.container)?,
        program: program::program(command, image.is_some())?,
        environment: environment.values,
        secret_variables: environment.references,
        secret_files: secrets::files(container)?,
        check_secrets: Vec::new(),
        hostname: hostname(container, place.host)?,
        user: place.user,
        limits: limits(resources, &order.limits)?,
        rights,
        network: networks::of(container, resources)?,
        volumes: volumes::named(container)?,
        image_volumes: volumes::images(container)?,
        uris: uris::uris(command)?,
        image,
        image_user: None,
        terminal: terminal(container),
        executor: None,
        working_dir: None,
        folders: Vec::new(),
        stop_signal: None,
        sandbox: place.sandbox,
        shown: place.shown,
        parent,
    })
}

/// A key for who must have one: the executor's that it is in, or made of its own name.
fn key(host: Option<&Named>, container: &ContainerId) -> Result<TaskKey, Unplannable> {
    if let Some(executor) = host.and_then(|host| host.executor.as_ref()) {
        let task = TaskId::from(&executor.executor);
        return Ok(TaskKey::new(&executor.framework, &task));
    }
    let invalid = |error: InvalidId| Unplannable::Invalid(error.to_string());
    let framework = FrameworkId::new(container.as_str()).map_err(invalid)?;
    let task = TaskId::new(container.as_str()).map_err(invalid)?;
    Ok(TaskKey { framework, task })
}

/// Who is inside of another has the host name of that one, and its network.
fn hostname(
    container: Option<&v1::ContainerInfo>,
    host: Option<&Named>,
) -> Result<Option<String>, Unplannable> {
    let Some(container) = container else {
        return Ok(None);
    };
    let named = container.network_infos.iter().any(|it| it.name.is_some());
    match host {
        None => Ok(container.hostname.clone()),
        Some(_) if named => Err(Unplannable::Unsupported(
            "networks of a container inside of another: it has those of the other",
        )),
        Some(_) => Ok(None),
    }
}

/// Inside of another it shares that one's cgroups unless it says otherwise (Mesos' default), and
/// has no limits of its own then.
fn share(
    is_inside: bool,
    container: Option<&v1::ContainerInfo>,
    order: &GuestOrder,
) -> Result<super::Rights, Unplannable> {
    let mut rights = rights::rights(container, is_inside)?;
    let linux = container.and_then(|container| container.linux_info.as_ref());
    let says = linux.and_then(|linux| linux.share_cgroups);
    rights.share_cgroups = is_inside && says != Some(false);
    let limited = !order.resources.is_empty() || !order.limits.is_empty();
    if rights.share_cgroups && limited {
        return Err(Unplannable::Invalid(
            "Resources and limits are for containers with cgroups of their own: set \
             'container.linux_info.share_cgroups' to false"
                .to_owned(),
        ));
    }
    Ok(rights)
}

/// What a guest is given. Alone, it is given nothing of what the agent offers, so it has none of
/// the traits that this has (Mesos: the rules of `LAUNCH_CONTAINER`).
pub(crate) fn resources(order: &GuestOrder) -> Result<Resources, Unplannable> {
    let invalid = |message: String| Unplannable::Invalid(message);
    let given = Resources::try_from(order.resources.as_slice())
        .map_err(|error| invalid(error.to_string()))?;
    let of_offers = given.filter(|traits| {
        let is_volume = traits.shared || traits.disk.is_some();
        is_volume || traits.revocable || !traits.reservations.is_empty()
    });
    if !of_offers.is_empty() {
        return Err(invalid(format!(
            "{of_offers} cannot be used: only unreserved resources that are neither revocable nor \
             shared and no volumes are for containers that calls launch"
        )));
    }
    Ok(given)
}

/// What it asks for, it may use; what it does not ask for, without bound within what it is in.
fn limits(resources: &Resources, asked: &BTreeMap<String, f64>) -> Result<Limits, Unplannable> {
    if let Some(other) = asked
        .keys()
        .find(|name| !["cpus", "mem"].contains(&name.as_str()))
    {
        let other = other.escape_debug();
        let text = format!("There is no limit for '{other}': only for 'cpus' and 'mem'");
        return Err(Unplannable::Invalid(text));
    }
    let limit = |name: &str, request: Quantity| match asked.get(name) {
        Some(limit) if *limit == f64::INFINITY => Ok(None),
        Some(limit) => {
            let limit = Quantity::from_f64(*limit)
                .map_err(|error| Unplannable::Invalid(format!("limits[{name}]: {error}")))?;
            if limit < request || !limit.is_positive() {
                let text = format!("limits[{name}] is less than what is asked for");
                return Err(Unplannable::Invalid(text));
            }
            Ok(Some(limit))
        }
        None => Ok(Some(request).filter(|request| request.is_positive())),
    };
    let (cpus, memory) = (resources.cpus(), resources.memory());
    Ok(Limits {
        cpus,
        cpu_limit: limit("cpus", cpus)?,
        low_cpu_priority: false,
        memory,
        memory_limit: limit("mem", memory)?,
        disk: Some(resources.disk()).filter(|disk| disk.is_positive()),
        gpus: 0,
    })
}
