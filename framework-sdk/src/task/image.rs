//! Tasks in images.

use tepui_proto::v1;

use super::{Task, TaskBuilder};

impl TaskBuilder {
    /// Runs in an image, as in `busybox:1.36`, or what the image says if there is no command. One
    /// that the agent has under that name will do.
    pub fn image(mut self, name: impl Into<String>) -> Self {
        let container = self.info.container.get_or_insert_default();
        container.r#type = v1::container_info::Type::Mesos.into();
        let image = container
            .mesos
            .get_or_insert_default()
            .image
            .get_or_insert_default();
        image.r#type = v1::image::Type::Docker.into();
        image.docker.get_or_insert_default().name = name.into();
        // Without a program, the image's own is meant, and not an empty line.
        let command = self.info.command.get_or_insert_default();
        if command.value.is_none() {
            command.shell = Some(false);
        }
        self
    }

    /// A volume at this path, absolute or from the sandbox, that begins as an image. What the task
    /// changes there goes with it.
    pub fn image_volume(
        mut self,
        path: impl Into<String>,
        image: impl Into<String>,
        read_only: bool,
    ) -> Self {
        let container = self
            .info
            .container
            .get_or_insert_with(|| v1::ContainerInfo {
                r#type: v1::container_info::Type::Mesos.into(),
                ..Default::default()
            });
        let mode = if read_only {
            v1::volume::Mode::Ro
        } else {
            v1::volume::Mode::Rw
        };
        container.volumes.push(v1::Volume {
            mode: mode.into(),
            container_path: path.into(),
            image: Some(v1::Image {
                r#type: v1::image::Type::Docker.into(),
                docker: Some(v1::image::Docker {
                    name: image.into(),
                    ..Default::default()
                }),
                ..Default::default()
            }),
            ..Default::default()
        });
        self
    }

    /// Asks the registry whether the image has changed, even if the agent has one of that name.
    pub fn pull_always(mut self) -> Self {
        let container = self.info.container.get_or_insert_default();
        let image = container
            .mesos
            .get_or_insert_default()
            .image
            .get_or_insert_default();
        image.cached = Some(false);
        self
    }

    /// Arguments for the program of the image, instead of its own.
    pub fn arguments<S: Into<String>>(mut self, arguments: impl IntoIterator<Item = S>) -> Self {
        let command = self.info.command.get_or_insert_default();
        (command.shell, command.value) = (Some(false), None);
        command.arguments = arguments.into_iter().map(Into::into).collect();
        self
    }
}

impl Task {
    /// The images that it begins with: its own, its executor's, and those of their volumes.
    pub fn images(&self) -> impl Iterator<Item = &str> {
        let executor = self.info.executor.as_ref();
        let executor = executor.and_then(|executor| executor.container.as_ref());
        let containers = self.info.container.iter().chain(executor);
        containers.flat_map(images_of)
    }
}

fn images_of(container: &v1::ContainerInfo) -> impl Iterator<Item = &str> {
    let of_docker = container.docker.as_ref().map(|docker| &*docker.image);
    let own = container.mesos.as_ref().and_then(|it| it.image.as_ref());
    let volumes = container.volumes.iter();
    let images = volumes
        .filter_map(|volume| volume.image.as_ref())
        .chain(own);
    let named = images.filter_map(|image| image.docker.as_ref());
    named.map(|image| &*image.name).chain(of_docker)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_names_every_image_that_it_begins_with() {
        let task = TaskBuilder::new("t").cpus(0.1).memory(32.0).shell("ls");
        assert_eq!(task.clone().build().unwrap().images().count(), 0);
        let mut task = task.image("own:1").image_volume("data", "data:1", true);
        task.wire().executor = Some(v1::ExecutorInfo {
            container: Some(v1::ContainerInfo {
                docker: Some(v1::container_info::DockerInfo {
                    image: "executor:1".to_owned(),
                    ..Default::default()
                }),
                ..Default::default()
            }),
            ..Default::default()
        });
        let task = task.build().unwrap();
        let images: Vec<_> = task.images().collect();
        assert_eq!(images, ["data:1", "own:1", "executor:1"]);
    }

    #[test]
    fn a_task_in_an_image_needs_no_command_and_any_other_does() {
        let task = || TaskBuilder::new("t").cpus(0.1).memory(32.0);
        assert!(task().build().is_err());
        let mut builder = task().image("busybox").pull_always();
        let image = builder
            .wire()
            .container
            .clone()
            .unwrap()
            .mesos
            .unwrap()
            .image
            .unwrap();
        assert_eq!(
            (image.docker.unwrap().name.as_str(), image.cached),
            ("busybox", Some(false))
        );
        assert_eq!(builder.wire().command.as_ref().unwrap().shell, Some(false));
        assert!(builder.build().is_ok());
        let mut line = task().shell("ls").image("busybox");
        assert_eq!(line.wire().command.as_ref().unwrap().shell, Some(true));
        let mut own = task().image("busybox").arguments(["a"]);
        let command = own.wire().command.clone().unwrap();
        assert_eq!(
            (command.value, command.arguments),
            (None, vec!["a".to_owned()])
        );
    }
}
