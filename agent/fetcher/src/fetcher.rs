//! One thing after the other: found, fetched, checked, and put into the sandbox.

use std::{
    fs::File,
    io::{Read, Seek as _},
    os::{fd::OwnedFd, unix::ffi::OsStrExt as _},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use rustix::fs::{Mode, OFlags, fchmod, fchown, open};
use tepui_images::{
    Download, Downloads, Error as Problem, Form, Pieces, Retry, extract, make_file,
};
use tokio::sync::Semaphore;

use crate::{
    Error, Item, Job, Options, Source,
    cache::{Cache, Entry},
    copy::{Bounds, Copied, copy},
    error::problem,
    limits::JOBS_AT_ONCE,
    local,
    owner::as_owner,
};

/// What a program that was fetched may (Mesos: 0755), and what another file may.
const PROGRAM: u32 = 0o755;
const FILE: u32 = 0o644;

/// Fetches what tasks want. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Fetcher(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    options: Options,
    downloads: Downloads,
    cache: Arc<Cache>,
    turns: Semaphore,
    succeeded: AtomicU64,
    failed: AtomicU64,
}

/// What the fetcher has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Containers that got all that they wanted.
    pub succeeded: u64,
    /// Containers that did not.
    pub failed: u64,
    /// The bytes in the cache.
    pub cache_used: u64,
    /// The bytes that may be there.
    pub cache_total: u64,
}

/// How far the fetching is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// What is being fetched.
    pub uri: String,
    /// The bytes that are there.
    pub bytes: u64,
    /// How many there will be, if that is known.
    pub total: Option<u64>,
}

/// Tells the threads of a fetch that nobody wants it any more.
struct GivenUp(Arc<AtomicBool>);

impl Drop for GivenUp {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A fetch that is going on.
struct Fetching<'a> {
    fetcher: &'a Inner,
    job: &'a Job,
    sandbox: &'a OwnedFd,
    given_up: &'a Arc<AtomicBool>,
    /// How many bytes there is room for still.
    room: u64,
}

impl Fetcher {
    /// Sets up the fetcher, with an empty cache.
    ///
    /// # Errors
    /// The cache's folder cannot be used, or the certificates cannot be read.
    pub fn open(options: Options) -> Result<Self, Error> {
        let cache = Cache::open(&options.cache_dir, options.cache_size);
        let cache = cache.map_err(|source| Error::Cache {
            path: options.cache_dir.clone(),
            source,
        })?;
        let downloads = Downloads::new(options.stall_timeout, options.trusted.as_deref());
        Ok(Self(Arc::new(Inner {
            downloads: downloads.map_err(Error::SetUp)?,
            cache: Arc::new(cache),
            turns: Semaphore::new(JOBS_AT_ONCE),
            succeeded: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            options,
        })))
    }

    /// What was done so far.
    #[must_use]
    pub fn figures(&self) -> Figures {
        let (cache_used, cache_total) = self.0.cache.bytes();
        Figures {
            succeeded: self.0.succeeded.load(Ordering::Relaxed),
            failed: self.0.failed.load(Ordering::Relaxed),
            cache_used,
            cache_total,
        }
    }

    /// Removes from the cache what nobody uses just now: the disk is full.
    pub fn relieve(&self) {
        self.0.cache.clear();
    }

    /// Fetches all that a container wants, in order. `told` hears of each, and how far it is.
    /// Dropping the future gives up; what is in the sandbox by then stays.
    ///
    /// # Errors
    /// What cannot be fetched first, and why.
    pub async fn fetch(&self, job: &Job, mut told: impl FnMut(Progress)) -> Result<(), Error> {
        let fetched = self.fetch_all(job, &mut told).await;
        let counter = match fetched {
            Ok(()) => &self.0.succeeded,
            Err(_) => &self.0.failed,
        };
        counter.fetch_add(1, Ordering::Relaxed);
        fetched
    }

    async fn fetch_all(&self, job: &Job, told: &mut impl FnMut(Progress)) -> Result<(), Error> {
        // Never closed.
        let _turn = self.0.turns.acquire().await;
        let sandbox = open_sandbox(job)?;
        let given_up = Arc::new(AtomicBool::new(false));
        let _given_up = GivenUp(Arc::clone(&given_up));
        let mut fetching = Fetching {
            fetcher: &self.0,
            job,
            sandbox: &sandbox,
            given_up: &given_up,
            room: job.room.unwrap_or(u64::MAX),
        };
        for item in &job.items {
            let uri = item.source.shown();
            let told = |bytes, total| {
                told(Progress {
                    uri: uri.clone(),
                    bytes,
                    total,
                });
            };
            let fetched = fetching.one(item, told).await;
            fetched.map_err(|error| Error::Uri {
                uri: uri.clone(),
                problem: problem(&error),
            })?;
            tracing::debug!(uri, sandbox = %job.sandbox.display(), "fetched");
        }
        Ok(())
    }
}

/// Opens the sandbox, and gives it to its user.
fn open_sandbox(job: &Job) -> Result<OwnedFd, Error> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let shown = |error: rustix::io::Errno| Error::Sandbox(error.into());
    let sandbox = open(&job.sandbox, flags, Mode::empty()).map_err(shown)?;
    if let Some(owner) = &job.owner {
        let user = rustix::process::Uid::from_raw(owner.uid);
        let group = rustix::process::Gid::from_raw(owner.gid);
        fchown(&sandbox, Some(user), Some(group)).map_err(shown)?;
    }
    Ok(sandbox)
}

impl Fetching<'_> {
    async fn one(
        &mut self,
        item: &Item,
        mut told: impl FnMut(u64, Option<u64>),
    ) -> Result<(), Problem> {
        told(0, None);
        if item.cache && self.fetcher.options.cache_size > 0 {
            if let Some(entry) = self.cached(item, &mut told).await? {
                return self.deliver(item, &entry).await;
            }
            tracing::warn!(
                uri = item.source.shown(),
                "not cached: what is in use leaves no room; see --fetcher-cache-size"
            );
        }
        let file = self.direct(item, &mut told).await?;
        self.finish(item, file).await
    }

    /// The file in the cache, fetched into it if need be; none if there is no room for it.
    async fn cached(
        &self,
        item: &Item,
        told: &mut impl FnMut(u64, Option<u64>),
    ) -> Result<Option<Arc<Entry>>, Problem> {
        let cache = &self.fetcher.cache;
        let key = (self.job.user.clone(), item.source.clone());
        let _turn = cache.turn(key.clone()).await;
        if let Some(entry) = cache.find(&key, item.checksum.as_ref()) {
            return Ok(Some(entry));
        }
        let full = Arc::new(AtomicBool::new(false));
        let pour = {
            let (cache, full) = (Arc::clone(cache), Arc::clone(&full));
            let (given_up, item) = (Arc::clone(self.given_up), item.clone());
            let limit = self.fetcher.options.size_limit;
            move |read: &mut dyn Read| {
                let draft = cache.draft();
                let mut draft = draft.map_err(|error| {
                    Problem::Broken(format!("the cache cannot be written: {error}"))
                })?;
                let to = draft.file().try_clone();
                let to = to.map_err(|error| Problem::Broken(error.to_string()))?;
                let bounds = Bounds {
                    limit,
                    given_up: &given_up,
                    checksum: item.checksum.as_ref(),
                };
                let copied = copy(read, &to, &bounds, |bytes| {
                    if draft.grow(bytes) {
                        return Ok(());
                    }
                    full.store(true, Ordering::Relaxed);
                    Err(Problem::TooLarge("the cache is full".to_owned()))
                })?;
                Ok(draft.keep(key.clone(), copied.digest))
            }
        };
        // The cache is the agent's own.
        match self.pour(item, pour, told, false).await {
            Err(_) if full.load(Ordering::Relaxed) => Ok(None),
            fetched => fetched.map(Some),
        }
    }

    /// Fetches a file into the sandbox.
    async fn direct(
        &mut self,
        item: &Item,
        told: &mut impl FnMut(u64, Option<u64>),
    ) -> Result<File, Problem> {
        let pour = self.pouring(item);
        let (file, copied) = self.pour(item, pour, told, true).await?;
        self.room = self.room.saturating_sub(copied.bytes);
        Ok(file)
    }

    /// What puts a file into the sandbox.
    fn pouring(
        &self,
        item: &Item,
    ) -> impl Fn(&mut dyn Read) -> Result<(File, Copied), Problem> + Clone + Send + 'static + use<>
    {
        let sandbox = self.sandbox.try_clone().map(Arc::new);
        let sandbox = sandbox.map_err(|error| error.to_string());
        let (given_up, item) = (Arc::clone(self.given_up), item.clone());
        let limit = self.limit();
        move |read: &mut dyn Read| {
            let sandbox = sandbox.clone().map_err(Problem::Broken)?;
            let sandbox = sandbox.try_clone().map_err(broken)?;
            let file = make_file(sandbox, item.file.as_os_str().as_bytes())?;
            let bounds = Bounds {
                limit,
                given_up: &given_up,
                checksum: item.checksum.as_ref(),
            };
            let copied = copy(read, &file, &bounds, |_| Ok(()))?;
            let mode = if item.executable { PROGRAM } else { FILE };
            fchmod(&file, Mode::from_raw_mode(mode)).map_err(|error| broken(error.into()))?;
            Ok((file, copied))
        }
    }

    fn limit(&self) -> u64 {
        self.fetcher.options.size_limit.min(self.room)
    }

    /// Opens what is fetched and hands it to a reader on a thread of its own, which has the rights
    /// of the task's user if `as_user` says so. What may pass is tried again.
    async fn pour<T: Send + 'static>(
        &self,
        item: &Item,
        pour: impl Fn(&mut dyn Read) -> Result<T, Problem> + Clone + Send + 'static,
        told: &mut impl FnMut(u64, Option<u64>),
        as_user: bool,
    ) -> Result<T, Problem> {
        let user = || self.job.owner.clone().filter(|_| as_user);
        let address = match &item.source {
            Source::Local(path) => {
                let allowed = local::allowed(&self.fetcher.options, path)?;
                // Whoever writes, the task's user reads.
                let mut file = as_owner(self.job.owner.clone(), move || allowed.open()).await?;
                return as_owner(user(), move || pour(&mut file)).await;
            }
            Source::Remote(address) => address,
        };
        let mut retry = Retry::default();
        loop {
            let attempt = async {
                let download: Download = self.fetcher.downloads.get(address).await?;
                let total = download.length();
                let pour = pour.clone();
                let read = |mut pieces: Pieces| as_owner(user(), move || pour(&mut pieces));
                download.read(read, |bytes| told(bytes, total)).await
            };
            match attempt.await {
                Err(error) if retry.again(&error).await => {}
                done => return done,
            }
        }
    }

    /// Brings what is in the cache into the sandbox: unpacked, or as it is.
    async fn deliver(&mut self, item: &Item, entry: &Arc<Entry>) -> Result<(), Problem> {
        let mut file = entry.open()?;
        if form(item).is_some() {
            return self.unpack(item, file).await;
        }
        let pour = self.pouring(item);
        let (_, copied) = as_owner(self.job.owner.clone(), move || pour(&mut file)).await?;
        self.room = self.room.saturating_sub(copied.bytes);
        Ok(())
    }

    /// Unpacks what was fetched, if that is asked for.
    async fn finish(&mut self, item: &Item, file: File) -> Result<(), Problem> {
        match form(item) {
            Some(_) => self.unpack(item, file).await,
            None => Ok(()),
        }
    }

    async fn unpack(&mut self, item: &Item, mut file: File) -> Result<(), Problem> {
        let Some(form) = form(item) else {
            return Ok(());
        };
        let sandbox = self.sandbox.try_clone().map_err(broken)?;
        let (limit, given_up) = (self.limit(), Arc::clone(self.given_up));
        let name = item.file.file_name().unwrap_or_default();
        let name = name.to_string_lossy().into_owned();
        let unpacked = as_owner(self.job.owner.clone(), move || {
            file.rewind().map_err(broken)?;
            extract(&file, (form, &name), sandbox, limit, &given_up)
        });
        self.room = self.room.saturating_sub(unpacked.await?);
        Ok(())
    }
}

/// The form of what is unpacked; none if it stays as it is.
fn form(item: &Item) -> Option<Form> {
    let name = item.file.file_name().and_then(|name| name.to_str());
    name.filter(|_| item.extract).and_then(Form::of)
}

fn broken(error: std::io::Error) -> Problem {
    Problem::Broken(error.to_string())
}
