//! What is shown of messages that hold secrets: all but the secrets.
//!
//! Whoever may look at tasks and executors must not thereby have what these alone are to know.

use tepui_proto::v1;

/// An executor without the values of its secrets.
#[must_use]
pub fn without_secrets(executor: &v1::ExecutorInfo) -> v1::ExecutorInfo {
    let mut shown = executor.clone();
    if let Some(command) = &mut shown.command {
        hide_in_command(command);
    }
    if let Some(container) = &mut shown.container {
        hide_in_container(container);
    }
    shown
}

/// A container without the values of its secrets.
pub(crate) fn of_container(container: &v1::ContainerInfo) -> v1::ContainerInfo {
    let mut shown = container.clone();
    hide_in_container(&mut shown);
    shown
}

/// A health check without the values of its command's secrets.
pub(crate) fn of_health_check(check: &v1::HealthCheck) -> v1::HealthCheck {
    let mut shown = check.clone();
    if let Some(command) = &mut shown.command {
        hide_in_command(command);
    }
    shown
}

fn hide_in_command(command: &mut v1::CommandInfo) {
    let environment = command.environment.iter_mut();
    for variable in environment.flat_map(|environment| &mut environment.variables) {
        hide(&mut variable.secret);
    }
}

fn hide_in_container(container: &mut v1::ContainerInfo) {
    for volume in &mut container.volumes {
        if let Some(source) = &mut volume.source {
            hide_in_source(source);
        }
        hide_in_image(&mut volume.image);
    }
    if let Some(mesos) = &mut container.mesos {
        hide_in_image(&mut mesos.image);
    }
}

fn hide_in_source(source: &mut v1::volume::Source) {
    hide(&mut source.secret);
    let csi = source.csi_volume.as_mut();
    let Some(csi) = csi.and_then(|csi| csi.static_provisioning.as_mut()) else {
        return;
    };
    let staged = csi.node_stage_secrets.values_mut();
    staged
        .chain(csi.node_publish_secrets.values_mut())
        .for_each(|secret| secret.value = None);
}

fn hide_in_image(image: &mut Option<v1::Image>) {
    let docker = image.as_mut().and_then(|image| image.docker.as_mut());
    if let Some(docker) = docker {
        hide(&mut docker.config);
        #[expect(deprecated, reason = "frameworks may still use it")]
        if let Some(credential) = &mut docker.credential {
            credential.secret = None;
        }
    }
}

/// What kind it is can be seen, and by which name it is known.
fn hide(secret: &mut Option<v1::Secret>) {
    if let Some(secret) = secret {
        secret.value = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HUSH: &str = "hush-hush";

    fn secret() -> v1::Secret {
        v1::Secret {
            r#type: Some(v1::secret::Type::Value.into()),
            value: Some(v1::secret::Value {
                data: HUSH.as_bytes().to_vec(),
            }),
            ..v1::Secret::default()
        }
    }

    fn command() -> v1::CommandInfo {
        v1::CommandInfo {
            environment: Some(v1::Environment {
                variables: vec![v1::environment::Variable {
                    name: "TOKEN".to_owned(),
                    secret: Some(secret()),
                    ..v1::environment::Variable::default()
                }],
            }),
            ..v1::CommandInfo::default()
        }
    }

    fn container() -> v1::ContainerInfo {
        #[expect(deprecated, reason = "frameworks may still use it")]
        let image = v1::Image {
            docker: Some(v1::image::Docker {
                name: "busybox".to_owned(),
                credential: Some(v1::Credential {
                    principal: "me".to_owned(),
                    secret: Some(HUSH.to_owned()),
                }),
                config: Some(secret()),
            }),
            ..v1::Image::default()
        };
        let source = v1::volume::Source {
            secret: Some(secret()),
            ..v1::volume::Source::default()
        };
        v1::ContainerInfo {
            volumes: vec![v1::Volume {
                container_path: "token".to_owned(),
                source: Some(source),
                image: Some(image.clone()),
                ..v1::Volume::default()
            }],
            mesos: Some(v1::container_info::MesosInfo { image: Some(image) }),
            ..v1::ContainerInfo::default()
        }
    }

    fn tells(message: &impl core::fmt::Debug) -> bool {
        let (text, bytes) = (format!("{message:?}"), format!("{:?}", HUSH.as_bytes()));
        text.contains(HUSH) || text.contains(&bytes)
    }

    #[test]
    fn of_secrets_there_is_all_but_the_value() {
        let executor = v1::ExecutorInfo {
            command: Some(command()),
            container: Some(container()),
            ..v1::ExecutorInfo::default()
        };
        assert!(tells(&executor), "the test can fail");
        let shown = without_secrets(&executor);
        assert!(!tells(&shown));
        let variables = shown.command.unwrap().environment.unwrap().variables;
        assert_eq!(variables[0].name, "TOKEN");
        let secret = variables[0].secret.as_ref().unwrap();
        assert_eq!(secret.r#type(), v1::secret::Type::Value);
        let container = shown.container.unwrap();
        assert_eq!(container.volumes[0].container_path, "token");
        assert!(container.mesos.unwrap().image.unwrap().docker.is_some());
    }

    #[test]
    fn a_task_is_shown_without_its_secrets() {
        let wire = v1::TaskInfo {
            task_id: v1::TaskId {
                value: "t".to_owned(),
            },
            agent_id: v1::AgentId {
                value: "a".to_owned(),
            },
            command: Some(command()),
            container: Some(container()),
            health_check: Some(v1::HealthCheck {
                command: Some(command()),
                ..v1::HealthCheck::default()
            }),
            ..v1::TaskInfo::default()
        };
        assert!(tells(&wire), "the test can fail");
        let task = crate::TaskInfo::try_from(wire).unwrap();
        let framework = crate::FrameworkId::new("f").unwrap();
        let shown = task.to_task(&framework, crate::TaskState::Running);
        assert!(!tells(&shown));
        assert!(shown.container.is_some() && shown.health_check.is_some());
    }
}
