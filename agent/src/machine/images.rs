//! Images of tasks: fetched before a container is started, and let go of when it has ended.

use std::{
    collections::BTreeMap,
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tepui_agent_core::{ContainerPlan, ImageConfig, ImagePlan};
use tepui_containers::{Ids, RootSpec};
use tepui_images::{Credentials, Image, Images, RunConfig, Wanted};
use tepui_model::ContainerId;
use tokio::sync::oneshot;

/// Images of tasks.
#[derive(Clone, Debug)]
pub(crate) struct Provider {
    images: Images,
    /// Fetches that can be given up, by container.
    going_on: Arc<Mutex<BTreeMap<ContainerId, oneshot::Sender<()>>>>,
}

/// Tells whoever fetches that nobody wants it any more.
#[derive(Debug)]
pub(crate) struct Abandoned(oneshot::Receiver<()>);

/// A container's own root.
#[derive(Debug)]
pub(crate) struct OwnRoot {
    pub(crate) root: RootSpec,
    /// Who runs the task there, if the image says so.
    pub(crate) ids: Option<Ids>,
}

impl Provider {
    pub(crate) fn new(images: Images) -> Self {
        Self {
            images,
            going_on: Arc::default(),
        }
    }

    pub(crate) const fn images(&self) -> &Images {
        &self.images
    }

    fn going_on(&self) -> MutexGuard<'_, BTreeMap<ContainerId, oneshot::Sender<()>>> {
        self.going_on.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets what is about to be fetched be given up from now on.
    pub(crate) fn expect(&self, plan: &ContainerPlan) -> Option<Abandoned> {
        plan.image.as_ref()?;
        let (sender, abandoned) = oneshot::channel();
        self.going_on().insert(plan.container.clone(), sender);
        Some(Abandoned(abandoned))
    }

    /// Gives up what is being fetched for a container, if that is going on.
    pub(crate) fn abandon(&self, container: &ContainerId) {
        if let Some(sender) = self.going_on().remove(container) {
            // It may be over just now.
            let _ = sender.send(());
        }
    }

    /// Gets the root of a task in an image, and completes its plan by what the image says.
    pub(crate) async fn root(
        &self,
        plan: ContainerPlan,
        asked: &ImagePlan,
        abandoned: Option<Abandoned>,
        fetching: impl Future<Output = ()> + Send,
    ) -> Result<(ContainerPlan, OwnRoot), String> {
        let shown = |error: &dyn std::fmt::Display| format!("image '{}': {error}", asked.name);
        let container = plan.container.clone();
        let image = self.pull(asked, abandoned, fetching).await;
        self.going_on().remove(&container);
        let image = image.map_err(|error| shown(&error))?;
        let plan = plan
            .in_image(&config(&image.run))
            .map_err(|error| shown(&error))?;
        let ids = match &plan.image_user {
            Some(user) => Some(
                self.images
                    .user(&image, user)
                    .await
                    .map_err(|it| shown(&it))?,
            ),
            None => None,
        };
        let root = self
            .images
            .provide(&container, image)
            .await
            .map_err(|it| shown(&it))?;
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

    async fn pull(
        &self,
        asked: &ImagePlan,
        abandoned: Option<Abandoned>,
        fetching: impl Future<Output = ()> + Send,
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
        let given_up = async {
            match abandoned {
                Some(Abandoned(receiver)) => drop(receiver.await),
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            image = self.images.pull(&wanted, fetching) => image.map_err(|error| error.to_string()),
            () = given_up => Err("nobody wants it any more".to_owned()),
        }
    }

    /// Lets go of what an ended container has of images.
    pub(crate) async fn release(&self, container: &ContainerId) -> Result<(), String> {
        self.images
            .release(container)
            .await
            .map_err(|error| error.to_string())
    }
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
