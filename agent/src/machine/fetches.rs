//! What is fetched before a container starts: given up when nobody wants it any more, and told of
//! while it goes on.

use std::{
    collections::BTreeMap,
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tepui_agent_core::{ContainerPlan, UriPlan, UriSource};
use tepui_containers::{Bytes, Ids, find_user};
use tepui_fetcher::{Item, Job, Owner, Progress, Source};
use tepui_model::ContainerId;
use tokio::sync::{oneshot, watch};

use super::Users;

/// The fetches that can be given up, by container. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fetches(Arc<Mutex<BTreeMap<ContainerId, oneshot::Sender<()>>>>);

/// Tells whoever fetches that nobody wants it any more.
#[derive(Debug)]
pub(crate) struct Abandoned(oneshot::Receiver<()>);

impl Fetches {
    fn all(&self) -> MutexGuard<'_, BTreeMap<ContainerId, oneshot::Sender<()>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets what is about to be fetched be given up from now on.
    pub(crate) fn expect(&self, plan: &ContainerPlan) -> Option<Abandoned> {
        let images = plan.image.iter().count() + plan.image_volumes.len();
        if images == 0 && plan.uris.is_empty() {
            return None;
        }
        let (sender, abandoned) = oneshot::channel();
        self.all().insert(plan.container.clone(), sender);
        Some(Abandoned(abandoned))
    }

    /// Gives up what is being fetched for a container, if that is going on.
    pub(crate) fn abandon(&self, container: &ContainerId) {
        if let Some(sender) = self.all().remove(container) {
            // It may be over just now.
            let _ = sender.send(());
        }
    }

    /// Everything is there, or will never be.
    pub(crate) fn over(&self, container: &ContainerId) {
        self.all().remove(container);
    }
}

impl Abandoned {
    /// Does a part of the fetching, unless it is given up meanwhile.
    pub(crate) async fn unless<T>(
        abandoned: &mut Option<Self>,
        work: impl Future<Output = Result<T, String>> + Send,
    ) -> Result<T, String> {
        let given_up = async {
            match abandoned {
                Some(Self(receiver)) => drop(receiver.await),
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            done = work => done,
            () = given_up => Err("nobody wants it any more".to_owned()),
        }
    }
}

/// How far a fetch is. Who tells of it takes the newest.
#[derive(Clone, Debug)]
pub(crate) struct Meter {
    latest: Arc<watch::Sender<String>>,
}

impl Meter {
    pub(crate) fn new() -> (Self, watch::Receiver<String>) {
        let (latest, receiver) = watch::channel(String::new());
        let latest = Arc::new(latest);
        (Self { latest }, receiver)
    }

    /// Notes how much of something is there.
    pub(crate) fn note(&self, what: &str, bytes: u64, total: Option<u64>) {
        let text = match total {
            Some(total) if total > 0 => {
                let percent = u128::from(bytes.min(total)) * 100 / u128::from(total);
                format!("{what}: {percent} %")
            }
            _ if bytes > 0 => format!("{what}: {} MB", bytes >> 20),
            _ => what.to_owned(),
        };
        self.latest.send_if_modified(|latest| {
            let is_new = *latest != text;
            if is_new {
                *latest = text;
            }
            is_new
        });
    }

    pub(crate) fn note_uri(&self, progress: &Progress) {
        self.note(&shown(&progress.uri), progress.bytes, progress.total);
    }
}

fn shown(uri: &str) -> String {
    format!("the URI '{uri}'")
}

/// What the fetcher is asked for.
pub(super) fn job(
    plan: &ContainerPlan,
    in_image: Option<&Ids>,
    users: &Users,
) -> Result<Job, String> {
    let owner = match (in_image, users.for_task(plan.user.clone())?) {
        (_, None) => None,
        (Some(ids), Some(_)) => Some(ids.clone()),
        (None, Some(name)) => find_user(&name).map_err(|error| error.to_string())?,
    };
    let owner = owner.map(|ids| Owner {
        uid: ids.uid,
        gid: ids.gid,
        groups: ids.groups,
    });
    Ok(Job {
        sandbox: plan.sandbox.clone(),
        // Two users of one number are one.
        user: owner
            .as_ref()
            .map_or_else(String::new, |it| it.uid.to_string()),
        owner,
        room: plan.limits.disk.map(|disk| Bytes::from_megabytes(disk).0),
        items: plan.uris.iter().map(item).collect::<Result<_, _>>()?,
    })
}

fn item(uri: &UriPlan) -> Result<Item, String> {
    let source = match &uri.source {
        UriSource::Remote(address) => Source::Remote(address.clone()),
        UriSource::Local(path) => Source::Local(path.clone()),
    };
    let checksum = uri.checksum.as_deref().map(str::parse).transpose();
    Ok(Item {
        source,
        file: uri.file.clone(),
        executable: uri.executable,
        extract: uri.extract,
        cache: uri.cache,
        checksum: checksum.map_err(|error: tepui_images::InvalidDigest| error.to_string())?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_waits_hears_how_much_is_there() {
        let (meter, mut told) = Meter::new();
        let mut heard = |what: &str, bytes, total| {
            meter.note(what, bytes, total);
            told.borrow_and_update().clone()
        };
        assert_eq!(heard("it", 0, None), "it");
        assert_eq!(heard("it", 3 << 20, None), "it: 3 MB");
        assert_eq!(heard("it", 1, Some(3)), "it: 33 %");
        assert_eq!(heard("it", 9, Some(3)), "it: 100 %");
    }

    #[tokio::test]
    async fn what_nobody_wants_any_more_is_not_waited_for() {
        let fetches = Fetches::default();
        let (sender, receiver) = oneshot::channel();
        let container = ContainerId::new("c").unwrap();
        fetches.all().insert(container.clone(), sender);
        let mut abandoned = Some(Abandoned(receiver));
        let done = Abandoned::unless(&mut abandoned, async { Ok(1) }).await;
        assert_eq!(done, Ok(1));
        fetches.abandon(&container);
        let waiting = std::future::pending::<Result<(), String>>();
        let given_up = Abandoned::unless(&mut abandoned, waiting).await;
        assert_eq!(given_up, Err("nobody wants it any more".to_owned()));
        assert!(fetches.all().is_empty());
    }
}
