//! A task in an image: which one, and what runs in it (Mesos: IMG-01, ISO-08).

use std::path::PathBuf;

use tepui_proto::v1;

use super::{ContainerPlan, PATH, Program, Secret, Unplannable};

/// The image that a container's root is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImagePlan {
    /// Its name, as docker has it.
    pub name: String,
    /// Whether one that is here under that name will do.
    pub cached: bool,
    /// The framework's own credentials for registries, in docker's form.
    pub credentials: Option<Secret>,
    /// Whether the task says itself who runs it.
    pub(crate) user_given: bool,
}

/// What an image says about how it is run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImageConfig {
    /// What runs, before the arguments.
    pub entrypoint: Vec<String>,
    /// The arguments when the task gives none, or else what runs.
    pub command: Vec<String>,
    /// Variables.
    pub environment: Vec<(String, String)>,
    /// Where it starts.
    pub working_dir: Option<String>,
    /// Who runs it, as the image knows him.
    pub user: Option<String>,
    /// Folders that it writes to.
    pub volumes: Vec<String>,
    /// The signal that asks it to end.
    pub stop_signal: Option<String>,
}

/// The image that a task asks for, if it does.
pub(super) fn image(
    container: Option<&v1::ContainerInfo>,
    command: &v1::CommandInfo,
) -> Result<Option<ImagePlan>, Unplannable> {
    let Some(container) = container else {
        return Ok(None);
    };
    let (name, cached, credentials) = match container.r#type() {
        v1::container_info::Type::Docker => docker(container)?,
        _ => match container
            .mesos
            .as_ref()
            .and_then(|mesos| mesos.image.as_ref())
        {
            Some(image) => mesos(image)?,
            None => return Ok(None),
        },
    };
    Ok(Some(ImagePlan {
        name,
        cached,
        credentials,
        user_given: command.user.is_some(),
    }))
}

/// The image that a volume begins as.
pub(super) fn of_volume(image: &v1::Image) -> Result<ImagePlan, Unplannable> {
    let (name, cached, credentials) = mesos(image)?;
    Ok(ImagePlan {
        name,
        cached,
        credentials,
        user_given: true,
    })
}

type Named = (String, bool, Option<Secret>);

fn mesos(image: &v1::Image) -> Result<Named, Unplannable> {
    let docker = match (image.r#type(), &image.docker) {
        (v1::image::Type::Appc, _) => return Err(Unplannable::Unsupported("AppC images")),
        (_, Some(docker)) => docker,
        (_, None) => {
            let text = "An image of type DOCKER has its name in 'docker'";
            return Err(Unplannable::Invalid(text.to_owned()));
        }
    };
    let credentials = match &docker.config {
        None => None,
        Some(secret) => match &secret.value {
            Some(value) => Some(Secret(value.data.clone())),
            None => return Err(Unplannable::Unsupported("secrets given by reference")),
        },
    };
    Ok((docker.name.clone(), image.cached(), credentials))
}

/// What the docker containerizer would run: in our own containers, as far as it can be had there.
fn docker(container: &v1::ContainerInfo) -> Result<Named, Unplannable> {
    let Some(docker) = &container.docker else {
        let text = "A container of type DOCKER has its image in 'docker'";
        return Err(Unplannable::Invalid(text.to_owned()));
    };
    let asks = [
        (docker.privileged(), "privileged containers"),
        (
            !docker.parameters.is_empty(),
            "parameters of the docker command",
        ),
    ];
    match asks.into_iter().find(|(asked, _)| *asked) {
        Some((_, what)) => Err(Unplannable::Unsupported(what)),
        None => Ok((docker.image.clone(), !docker.force_pull_image(), None)),
    }
}

impl ContainerPlan {
    /// Completes the plan of a task in an image by what the image says. What the task says counts
    /// more.
    ///
    /// # Errors
    /// What does not fit together.
    pub fn in_image(mut self, image: &ImageConfig) -> Result<Self, String> {
        let Some(asked) = &self.image else {
            return Ok(self);
        };
        // An image may give a task fewer rights, and never more than its framework's user has.
        let is_root = matches!(self.user.as_str(), "root" | "0");
        if !asked.user_given && is_root {
            self.image_user.clone_from(&image.user);
        }
        if let Program::Image { arguments } = &self.program {
            self.program = program(arguments, image)?;
        }
        let mut environment = image.environment.clone();
        environment.retain(|(name, _)| !self.environment.iter().any(|(own, _)| own == name));
        environment.append(&mut self.environment);
        if !environment.iter().any(|(name, _)| name == "PATH") {
            environment.push(("PATH".to_owned(), PATH.to_owned()));
        }
        self.environment = environment;
        if let Some(folder) = &image.working_dir {
            // Relative to the root, whatever it says.
            let folder = PathBuf::from("/").join(folder);
            self.folders.push(folder.clone());
            self.working_dir = Some(folder);
        }
        let volumes = image
            .volumes
            .iter()
            .map(|path| PathBuf::from("/").join(path));
        self.folders.extend(volumes);
        self.stop_signal.clone_from(&image.stop_signal);
        Ok(self)
    }
}

/// What runs when the task names no program, as in Mesos' table for docker images: the arguments
/// stand for the image's own.
fn program(arguments: &[String], image: &ImageConfig) -> Result<Program, String> {
    let mut all = image.entrypoint.clone();
    match (all.is_empty(), arguments, image.command.as_slice()) {
        (false, [], command) => all.extend_from_slice(command),
        (true, [], command) => all = command.to_vec(),
        (true, arguments, [first, ..]) => {
            all.push(first.clone());
            all.extend_from_slice(arguments);
        }
        (false, arguments, _) => all.extend_from_slice(arguments),
        (true, _, []) => {}
    }
    let Some(path) = all.first().cloned() else {
        return Err("the image has neither an entrypoint nor a command: name a command".to_owned());
    };
    Ok(Program::Exec {
        path,
        arguments: all,
    })
}

#[cfg(test)]
mod tests {
    use super::{super::tests::plan_of, *};
    use crate::agent::tests::wire_task;

    fn container(name: &str) -> v1::ContainerInfo {
        v1::ContainerInfo {
            r#type: v1::container_info::Type::Mesos.into(),
            mesos: Some(v1::container_info::MesosInfo {
                image: Some(v1::Image {
                    r#type: v1::image::Type::Docker.into(),
                    docker: Some(v1::image::Docker {
                        name: name.to_owned(),
                        ..v1::image::Docker::default()
                    }),
                    ..v1::Image::default()
                }),
            }),
            ..v1::ContainerInfo::default()
        }
    }

    /// A task in an image, with a command or without.
    fn wire(value: Option<&str>, arguments: &[&str]) -> v1::TaskInfo {
        let mut wire = wire_task("t");
        wire.container = Some(container("busybox"));
        let command = wire.command.as_mut().unwrap();
        command.shell = Some(false);
        command.value = value.map(str::to_owned);
        command.arguments = arguments.iter().map(ToString::to_string).collect();
        wire
    }

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    fn runs(entrypoint: &str, command: &str, value: Option<&str>, arguments: &[&str]) -> String {
        let image = ImageConfig {
            entrypoint: words(entrypoint),
            command: words(command),
            ..ImageConfig::default()
        };
        match plan_of(wire(value, arguments)).unwrap().in_image(&image) {
            Ok(plan) => match plan.program {
                Program::Exec { path, arguments } => format!("{path}: {}", arguments.join(" ")),
                other => format!("{other:?}"),
            },
            Err(error) => error,
        }
    }

    #[test]
    fn what_runs_follows_mesos_table_of_entrypoint_command_and_arguments() {
        assert!(runs("", "", None, &[]).contains("neither an entrypoint"));
        assert_eq!(runs("", "/c d", None, &[]), "/c: /c d");
        assert_eq!(runs("/e f", "", None, &[]), "/e: /e f");
        assert_eq!(runs("/e f", "c d", None, &[]), "/e: /e f c d");
        assert!(runs("", "", None, &["a"]).contains("neither an entrypoint"));
        assert_eq!(runs("", "/c d", None, &["a"]), "/c: /c a");
        assert_eq!(runs("/e f", "", None, &["a"]), "/e: /e f a");
        assert_eq!(runs("/e f", "c d", None, &["a"]), "/e: /e f a");
        for (entrypoint, command) in [("", ""), ("/e", "c")] {
            assert_eq!(runs(entrypoint, command, Some("/v"), &[]), "/v: /v");
            assert_eq!(
                runs(entrypoint, command, Some("/v"), &["n", "a"]),
                "/v: n a"
            );
        }
    }

    #[test]
    fn a_line_of_shell_is_the_tasks_own_and_none_is_an_error() {
        let mut line = wire(Some("ls | wc"), &[]);
        line.command.as_mut().unwrap().shell = None;
        let plan = plan_of(line.clone())
            .unwrap()
            .in_image(&ImageConfig::default())
            .unwrap();
        assert_eq!(plan.program, Program::Shell("ls | wc".to_owned()));
        line.command.as_mut().unwrap().value = None;
        assert!(plan_of(line).is_err());
    }

    #[test]
    fn the_tasks_variables_count_more_than_the_images_and_mesos_most() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let image = ImageConfig {
            environment: vec![
                pair("PATH", "/own"),
                pair("A", "image"),
                pair("MESOS_TASK_ID", "x"),
            ],
            ..ImageConfig::default()
        };
        let mut wire = wire(Some("/v"), &[]);
        wire.command.as_mut().unwrap().environment = Some(v1::Environment {
            variables: vec![v1::environment::Variable {
                name: "A".to_owned(),
                value: Some("task".to_owned()),
                ..v1::environment::Variable::default()
            }],
        });
        let plan = plan_of(wire.clone()).unwrap().in_image(&image).unwrap();
        let get = |plan: &ContainerPlan, name: &str| {
            let mut found = plan.environment.iter().filter(|(known, _)| known == name);
            let value = found.next().map(|(_, value)| value.clone());
            assert_eq!(found.next(), None, "{name} is there twice");
            value
        };
        assert_eq!(get(&plan, "PATH").as_deref(), Some("/own"));
        assert_eq!(get(&plan, "A").as_deref(), Some("task"));
        assert_eq!(get(&plan, "MESOS_TASK_ID").as_deref(), Some("t"));
        assert_eq!(
            get(&plan, "MESOS_SANDBOX").as_deref(),
            Some("/mnt/mesos/sandbox")
        );
        assert_eq!(
            get(&plan, "TEPUI_EXECUTABLE"),
            None,
            "it is not in the image"
        );
        let plain = plan_of(wire)
            .unwrap()
            .in_image(&ImageConfig::default())
            .unwrap();
        assert_eq!(get(&plain, "PATH").as_deref(), Some(PATH));
    }

    #[test]
    fn an_images_user_counts_where_it_takes_rights_away() {
        let image = ImageConfig {
            user: Some("web".to_owned()),
            ..ImageConfig::default()
        };
        let user = |wire: v1::TaskInfo| plan_of(wire).unwrap().in_image(&image).unwrap().image_user;
        // The framework is nobody's.
        assert_eq!(user(wire(Some("/v"), &[])), None);
        let mut root = plan_of(wire(Some("/v"), &[])).unwrap();
        root.user = "root".to_owned();
        assert_eq!(
            root.in_image(&image).unwrap().image_user.as_deref(),
            Some("web")
        );
        let mut given = wire(Some("/v"), &[]);
        given.command.as_mut().unwrap().user = Some("root".to_owned());
        assert_eq!(user(given), None);
    }

    #[test]
    fn where_it_starts_and_what_it_writes_to_is_beneath_the_root() {
        let image = ImageConfig {
            working_dir: Some("app".to_owned()),
            volumes: vec!["/data".to_owned()],
            stop_signal: Some("SIGQUIT".to_owned()),
            ..ImageConfig::default()
        };
        let plan = plan_of(wire(Some("/v"), &[]))
            .unwrap()
            .in_image(&image)
            .unwrap();
        assert_eq!(plan.working_dir, Some("/app".into()));
        assert_eq!(plan.folders, [PathBuf::from("/app"), "/data".into()]);
        assert_eq!(plan.stop_signal.as_deref(), Some("SIGQUIT"));
    }

    #[test]
    fn dockers_containers_are_ours_as_far_as_they_can_be() {
        let asked = |change: fn(&mut v1::container_info::DockerInfo)| {
            let mut wire = wire(None, &[]);
            let mut docker = v1::container_info::DockerInfo {
                image: "a/b:1".to_owned(),
                ..v1::container_info::DockerInfo::default()
            };
            change(&mut docker);
            wire.container = Some(v1::ContainerInfo {
                r#type: v1::container_info::Type::Docker.into(),
                docker: Some(docker),
                ..v1::ContainerInfo::default()
            });
            plan_of(wire).map(|plan| plan.image.unwrap())
        };
        let image = asked(|docker| docker.force_pull_image = Some(true)).unwrap();
        assert_eq!((image.name.as_str(), image.cached), ("a/b:1", false));
        assert!(asked(|docker| docker.privileged = Some(true)).is_err());
    }

    #[test]
    fn appc_images_are_refused_and_secrets_are_not_shown() {
        let mut wire = wire(None, &[]);
        let image = |wire: &mut v1::TaskInfo, change: fn(&mut v1::Image)| {
            let container = wire.container.as_mut().unwrap();
            change(container.mesos.as_mut().unwrap().image.as_mut().unwrap());
        };
        image(&mut wire, |image| {
            image.docker.as_mut().unwrap().config = Some(v1::Secret {
                value: Some(v1::secret::Value {
                    data: b"hush".to_vec(),
                }),
                ..v1::Secret::default()
            });
        });
        let plan = plan_of(wire.clone()).unwrap();
        assert_eq!(
            plan.image.as_ref().unwrap().credentials,
            Some(Secret(b"hush".to_vec()))
        );
        assert!(!format!("{plan:?}").contains(&format!("{:?}", b"hush")));
        image(&mut wire, |image| {
            image.r#type = v1::image::Type::Appc.into()
        });
        let error = plan_of(wire).unwrap_err().to_string();
        assert_eq!(error, "This agent does not support AppC images");
    }
}
