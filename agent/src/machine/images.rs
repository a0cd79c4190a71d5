//! Images of tasks: fetched before a container is started, and let go of when it has ended.

use std::future::Future;

use tepui_agent_core::{ContainerPlan, Event, ImageConfig, ImagePlan};
use tepui_containers::{Ids, ImageVolume, RootSpec};
use tepui_images::{Credentials, Image, Images, Root, RunConfig, Wanted};
use tepui_model::{ContainerId, ImageNames};
use tokio::time::sleep;

use super::fetches::{Abandoned, Meter};
use crate::{driver::Front, limits};

/// Tells the core which images there are, whenever that changes.
pub(crate) async fn tell(images: Images, front: Front) {
    loop {
        images.changed().await;
        front.tell(present(&images)).await;
        sleep(limits::IMAGES_TOLD_EVERY).await;
    }
}

/// The images that there are.
pub(crate) fn present(images: &Images) -> Event {
    Event::Images {
        names: ImageNames::new(images.names()),
    }
}

/// Images of tasks.
#[derive(Clone, Debug)]
pub(crate) struct Provider {
    images: Images,
}

/// A container's own root.
#[derive(Debug)]
pub(crate) struct OwnRoot {
    pub(crate) root: RootSpec,
    /// Who runs the task there, if the image says so.
    pub(crate) ids: Option<Ids>,
}

impl Provider {
    pub(crate) const fn new(images: Images) -> Self {
        Self { images }
    }

    pub(crate) const fn images(&self) -> &Images {
        &self.images
    }

    /// Gets the root of a task in an image, and completes its plan by what the image says.
    pub(crate) async fn root(
        &self,
        plan: ContainerPlan,
        asked: &ImagePlan,
        abandoned: &mut Option<Abandoned>,
        fetching: impl Future<Output = ()> + Send,
        meter: &Meter,
    ) -> Result<(ContainerPlan, OwnRoot), String> {
        let cannot = |error: &dyn std::fmt::Display| format!("image '{}': {error}", asked.name);
        let container = plan.container.clone();
        let pull = self.pull(asked, fetching, meter);
        let image = Abandoned::unless(abandoned, pull).await;
        let image = image.map_err(|error| cannot(&error))?;
        let plan = plan
            .in_image(&config(&image.run))
            .map_err(|error| cannot(&error))?;
        let ids = match &plan.image_user {
            Some(user) => Some(
                self.images
                    .user(&image, user)
                    .await
                    .map_err(|it| cannot(&it))?,
            ),
            None => None,
        };
        let root = self
            .images
            .provide(&container, image)
            .await
            .map_err(|it| cannot(&it))?;
        let root = RootSpec::Layers {
            lower: root.lower,
            upper: root.upper,
            work: root.work,
        };
        let ids = ids.map(|user| Ids {
            uid: user.uid,
            gid: user.gid,
            groups: user.groups,
        });
        Ok((plan, OwnRoot { root, ids }))
    }

    /// Gets the volumes of a task that begin as images.
    pub(crate) async fn volumes(
        &self,
        plan: &ContainerPlan,
        abandoned: &mut Option<Abandoned>,
        meter: &Meter,
    ) -> Result<Vec<ImageVolume>, String> {
        let mut images = Vec::new();
        for volume in &plan.image_volumes {
            let asked = &volume.image;
            meter.note(&shown(&asked.name), 0, None);
            let pull = self.pull(asked, async {}, meter);
            let image = Abandoned::unless(abandoned, pull).await;
            images.push(image.map_err(|error| format!("image '{}': {error}", asked.name))?);
        }
        if images.is_empty() {
            return Ok(Vec::new());
        }
        let has_root = plan.image.is_some();
        let folders = self
            .images
            .provide_volumes(&plan.container, has_root, images);
        let folders = folders.await.map_err(|error| error.to_string())?;
        let volumes = plan.image_volumes.iter().zip(folders);
        let volume = |(plan, root): (&tepui_agent_core::ImageVolume, Root)| ImageVolume {
            lower: root.lower,
            upper: root.upper,
            work: root.work,
            target: plan.container_path.clone(),
            read_only: plan.read_only,
        };
        Ok(volumes.map(volume).collect())
    }

    async fn pull(
        &self,
        asked: &ImagePlan,
        fetching: impl Future<Output = ()> + Send,
        meter: &Meter,
    ) -> Result<Image, String> {
        let credentials = match &asked.credentials {
            Some(secret) => Credentials::read(&secret.0).map_err(|error| error.to_string())?,
            None => Credentials::default(),
        };
        let reference = asked.name.parse();
        let wanted = Wanted {
            reference: reference
                .map_err(|error: tepui_images::InvalidReference| error.to_string())?,
            cached: asked.cached,
            credentials,
        };
        let what = shown(&asked.name);
        let told = |bytes, total| meter.note(&what, bytes, Some(total));
        let image = self.images.pull(&wanted, fetching, told).await;
        image.map_err(|error| error.to_string())
    }

    /// Lets go of what an ended container has of images.
    pub(crate) async fn release(&self, container: &ContainerId) -> Result<(), String> {
        self.images
            .release(container)
            .await
            .map_err(|error| error.to_string())
    }
}

/// An image, for people.
pub(super) fn shown(name: &str) -> String {
    format!("the image '{name}'")
}

fn config(run: &RunConfig) -> ImageConfig {
    let run = run.clone();
    ImageConfig {
        entrypoint: run.entrypoint,
        command: run.command,
        environment: run.environment,
        working_dir: run.working_dir,
        user: run.user,
        volumes: run.volumes,
        stop_signal: run.stop_signal,
    }
}
