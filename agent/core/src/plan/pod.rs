//! What the container of a default executor is to be: no program, but what the containers of its
//! tasks share (Mesos: EXE-03).

use tepui_model::Resources;
use tepui_proto::v1;

use super::{
    ContainerPlan, Place, Program, Shown, Unplannable, containable, networks, rights, sandbox,
    shared_limits,
};

/// Makes the plan of the container. The place's key is made of the executor's id; `total` is what
/// the executor takes together with its tasks.
pub(crate) fn pod(
    place: &Place<'_>,
    info: &v1::ExecutorInfo,
    total: &Resources,
) -> Result<ContainerPlan, Unplannable> {
    let container = info.container.as_ref();
    if let Some(container) = container {
        containable(container)?;
        if !container.volumes.is_empty() {
            return Err(Unplannable::Unsupported(
                "volumes of the executor of a task group: give them to its tasks",
            ));
        }
    }
    if info.resources.iter().any(|it| it.disk.is_some()) {
        return Err(Unplannable::Unsupported(
            "persistent volumes of the executor of a task group: give them to its tasks",
        ));
    }
    if total.gpus().is_positive() && !place.config.gives_gpus {
        return Err(Unplannable::Unsupported(super::GPUS));
    }
    if info.resources.iter().any(|it| it.name == "gpus") {
        return Err(Unplannable::Unsupported(
            "GPUs of the executor of a task group: give them to its tasks",
        ));
    }
    let config = place.config;
    Ok(ContainerPlan {
        container: place.container.clone(),
        task: place.key.clone(),
        program: Program::Hold,
        environment: Vec::new(),
        secret_variables: Vec::new(),
        secret_files: Vec::new(),
        check_secrets: Vec::new(),
        user: place.framework.user.clone(),
        hostname: container.and_then(|container| container.hostname.clone()),
        rights: rights::rights(container, false)?,
        network: networks::of(container, total)?,
        limits: shared_limits(config, total),
        volumes: Vec::new(),
        image_volumes: Vec::new(),
        uris: Vec::new(),
        sandbox: sandbox(&config.work_dir, place.agent, place.key, place.container),
        image: None,
        image_user: None,
        executor: None,
        terminal: None,
        working_dir: None,
        folders: Vec::new(),
        stop_signal: None,
        shown: Shown::Latest,
        parent: None,
    })
}
