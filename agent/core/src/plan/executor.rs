//! What an executor's container is to be (Mesos: EXE-04, EXE-06).

use tepui_model::{ExecutorId, Resources};
use tepui_proto::v1;

use super::{
    ContainerPlan, Place, Shown, Unplannable, containable, environment, image, networks,
    persistent, program, rights, sandbox, secrets, shared_limits, uris, volumes,
};
use crate::ExecutorKey;

/// Makes the plan of an executor's container. The place's key is made of the executor's id; `total`
/// is what it takes together with the task that it is started for.
pub(crate) fn executor(
    place: &Place<'_>,
    info: &v1::ExecutorInfo,
    total: &Resources,
    role: Option<String>,
) -> Result<ContainerPlan, Unplannable> {
    let command = info
        .command
        .as_ref()
        .ok_or_else(|| Unplannable::Invalid("'ExecutorInfo.command' must be set".to_owned()))?;
    if let Some(container) = &info.container {
        containable(container)?;
    }
    let image = image::image(info.container.as_ref(), command)?;
    if total.gpus().is_positive() {
        return Err(Unplannable::Unsupported(
            "GPUs of executors and of tasks that are run by them",
        ));
    }
    let config = place.config;
    let sandbox = sandbox(&config.work_dir, place.agent, place.key, place.container);
    let mut mounts = persistent::mounts(&config.work_dir, total)
        .map_err(|error| Unplannable::Invalid(error.to_string()))?;
    mounts.extend(volumes::named(info.container.as_ref())?);
    let user = command.user.clone();
    let container = info.container.as_ref();
    let in_image = image.is_some();
    let environment = environment::of_executor(place, (info, command), role, &sandbox, in_image)?;
    Ok(ContainerPlan {
        container: place.container.clone(),
        task: place.key.clone(),
        program: program::program(command, in_image)?,
        environment: environment.values,
        secret_variables: environment.references,
        secret_files: secrets::files(container)?,
        check_secrets: Vec::new(),
        network: networks::of(container, total)?,
        user: user.unwrap_or_else(|| place.framework.user.clone()),
        hostname: container.and_then(|container| container.hostname.clone()),
        rights: rights::rights(container, false)?,
        limits: shared_limits(config, total),
        volumes: mounts,
        image_volumes: volumes::images(info.container.as_ref())?,
        uris: uris::uris(command)?,
        image,
        executor: Some(ExecutorKey::new(
            &place.key.framework,
            &ExecutorId::from(&place.key.task),
        )),
        image_user: None,
        terminal: None,
        working_dir: None,
        folders: Vec::new(),
        stop_signal: None,
        sandbox,
        shown: Shown::Latest,
        parent: None,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use tepui_model::{AgentId, ContainerId, Quantity};

    use super::*;
    use crate::{
        TaskKey,
        agent::tests::{config, framework, sleeper},
    };

    fn plan_of(info: &v1::ExecutorInfo, checkpoint: bool) -> Result<ContainerPlan, Unplannable> {
        let mut framework = framework("f");
        framework.checkpoint = checkpoint;
        let mut config = config();
        config.ip = Some("127.0.0.1".to_owned());
        let key = TaskKey::new(framework.id.as_ref().unwrap(), &sleeper("e").id);
        let place = Place {
            config: &config,
            agent: &AgentId::new("m-S0").unwrap(),
            framework: &framework,
            key: &key,
            container: &ContainerId::new("c").unwrap(),
        };
        let total: Resources = "cpus:1.5;mem:96;ports:[31000-31001]".parse().unwrap();
        executor(&place, info, &total, Some("web".to_owned()))
    }

    fn info() -> v1::ExecutorInfo {
        v1::ExecutorInfo {
            executor_id: v1::ExecutorId {
                value: "e".to_owned(),
            },
            command: Some(v1::CommandInfo {
                value: Some("./run".to_owned()),
                ..v1::CommandInfo::default()
            }),
            ..v1::ExecutorInfo::default()
        }
    }

    #[test]
    fn an_executor_sees_what_mesos_documents() {
        let sandbox = "/var/lib/tepui/agent/slaves/m-S0/frameworks/f/executors/e/runs/c";
        let plan = plan_of(&info(), true).unwrap();
        assert_eq!(plan.sandbox.to_str(), Some(sandbox));
        let variables: BTreeMap<String, String> = plan.environment.into_iter().collect();
        for (name, value) in [
            ("MESOS_FRAMEWORK_ID", "f"),
            ("MESOS_EXECUTOR_ID", "e"),
            ("MESOS_SLAVE_ID", "m-S0"),
            ("MESOS_AGENT_ENDPOINT", "host:5051"),
            ("MESOS_SLAVE_PID", "slave(1)@127.0.0.1:5051"),
            ("MESOS_DIRECTORY", sandbox),
            ("MESOS_SANDBOX", sandbox),
            ("MESOS_CHECKPOINT", "1"),
            ("MESOS_RECOVERY_TIMEOUT", "15mins"),
            ("MESOS_SUBSCRIPTION_BACKOFF_MAX", "2secs"),
            ("MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD", "5secs"),
            ("MESOS_HTTP_COMMAND_EXECUTOR", "0"),
            ("MESOS_ALLOCATION_ROLE", "web"),
            ("LIBPROCESS_IP", "127.0.0.1"),
            ("LIBPROCESS_PORT", "0"),
        ] {
            assert_eq!(
                variables.get(name).map(String::as_str),
                Some(value),
                "{name}"
            );
        }
        assert!(!variables.contains_key("MESOS_TASK_ID"));
        assert!(!variables.contains_key("MESOS_DOMAIN_SOCKET"));
    }

    #[test]
    fn one_in_an_image_sees_what_is_there_and_nothing_of_the_host_s() {
        let mut info = info();
        let docker = v1::image::Docker {
            name: "busybox".to_owned(),
            ..v1::image::Docker::default()
        };
        let image = v1::Image {
            r#type: v1::image::Type::Docker.into(),
            docker: Some(docker),
            ..v1::Image::default()
        };
        info.container = Some(v1::ContainerInfo {
            r#type: v1::container_info::Type::Mesos.into(),
            mesos: Some(v1::container_info::MesosInfo { image: Some(image) }),
            ..v1::ContainerInfo::default()
        });
        let plan = plan_of(&info, true).unwrap();
        assert_eq!(plan.image.unwrap().name, "busybox");
        let variables: BTreeMap<String, String> = plan.environment.into_iter().collect();
        assert_eq!(variables["MESOS_SANDBOX"], "/mnt/mesos/sandbox");
        assert!(!variables.contains_key("TEPUI_EXECUTABLE"));
        assert!(!variables.contains_key("PATH"), "the image's counts");
    }

    #[test]
    fn without_checkpointing_there_is_nothing_to_come_back_for() {
        let mut info = info();
        info.shutdown_grace_period = Some(v1::DurationInfo {
            nanoseconds: 1_500_000_000,
        });
        let plan = plan_of(&info, false).unwrap();
        let variables: BTreeMap<String, String> = plan.environment.into_iter().collect();
        assert_eq!(variables["MESOS_CHECKPOINT"], "0");
        assert_eq!(variables["MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD"], "1500ms");
        assert!(!variables.contains_key("MESOS_RECOVERY_TIMEOUT"));
    }

    #[test]
    fn it_may_use_what_it_and_its_task_take_together() {
        let limits = plan_of(&info(), true).unwrap().limits;
        assert_eq!(limits.cpus, Quantity::from_millis(1500));
        assert_eq!(limits.memory_limit, Some(Quantity::from_units(96)));
        let nothing = v1::ExecutorInfo {
            command: None,
            ..info()
        };
        let refusal = plan_of(&nothing, true).unwrap_err().to_string();
        assert_eq!(refusal, "'ExecutorInfo.command' must be set");
    }
}
