//! `tepui run`: one command as a task, the quick test of any cluster.

use std::{
    future::Future,
    pin::Pin,
    process::ExitCode,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use tepui_edge::span;
use tepui_sdk::{
    Driver, Event, Events, Node, Options as Session, Profile, Task, TaskBuilder, Uri,
    model::{Filters, Offer, Role, TaskState, TaskStatus},
    v1,
};
use tokio::task::JoinHandle;

use super::{exec::our_size, logs};
use crate::{arguments::Master, client, failure::Failure, signals};

/// The flags of `tepui run`.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    master: Master,
    /// The task's name, and the beginning of its id [default: the command's first word]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Cores; fractions are shares of one
    #[arg(long, value_name = "COUNT", default_value_t = 0.1)]
    cpus: f64,
    /// Memory; the task is ended when it takes more
    #[arg(long, value_name = "MB", default_value_t = 32.0)]
    mem: f64,
    /// Disk
    #[arg(long, value_name = "MB", default_value_t = 0.0)]
    disk: f64,
    /// GPUs, whole ones
    #[arg(long, value_name = "COUNT", default_value_t = 0)]
    gpus: u32,
    /// An environment variable of the task; may be given several times
    #[arg(long, value_name = "KEY=VALUE", value_parser = variable)]
    env: Vec<(String, String)>,
    /// The user that the command runs as [default: the one who runs the framework]
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// Give the task users of its own, none of which is one of the machine's: its root is nobody
    /// outside
    #[arg(long)]
    own_users: bool,
    /// A network of the task's own instead of the agent's, by its name, or none; may be given
    /// several times
    #[arg(long, value_name = "NAME")]
    network: Vec<String>,
    /// A port of the task on its first network that a port of the agent leads to, which the task
    /// is told as PORT0, PORT1 ...; may be given several times
    #[arg(long, value_name = "PORT", requires = "network")]
    publish: Vec<u16>,
    /// The image that the command runs in, as in busybox:1.36 or localhost:5000/a/b@sha256:...;
    /// without a command, it runs what the image says
    #[arg(long, value_name = "IMAGE")]
    image: Option<String>,
    /// When the agent asks the registry for the image
    #[arg(
        long,
        value_enum,
        default_value_t,
        value_name = "WHEN",
        requires = "image"
    )]
    pull: Pull,
    /// A volume of the task at a path, absolute or from the sandbox, that begins as an image; with
    /// `,ro` it can only be read; may be given several times
    #[arg(long, value_name = "PATH=IMAGE[,ro]", value_parser = variable)]
    image_volume: Vec<(String, String)>,
    /// Something that the agent fetches into the task's sandbox first: an address of http or https,
    /// or a path that the agent allows. Archives are unpacked there. Options follow after commas:
    /// executable, extract=false, cache, output=PATH, checksum=sha256:...; may be given several
    /// times
    #[arg(long, value_name = "URI[,OPTION...]", value_parser = uri)]
    uri: Vec<Uri>,
    /// Give the command a terminal, to go to with tepui attach; what it writes is printed all the
    /// same
    #[arg(short, long)]
    tty: bool,
    /// The role whose share the task takes
    #[arg(long, value_name = "ROLE", default_value = "*")]
    role: String,
    /// End the task after this long; then the exit code is 124, as with timeout(1)
    #[arg(long, value_name = "DURATION", value_parser = span::parse)]
    timeout: Option<Duration>,
    /// The command and its arguments
    #[arg(last = true, required_unless_present = "image", value_name = "CMD")]
    command: Vec<String>,
}

/// When an agent asks the registry for an image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum Pull {
    /// When it has none of that name
    #[default]
    Missing,
    /// Every time: the name may stand for another image by now
    Always,
}

/// The exit code of a command that ran out of time, as timeout(1) has it.
const TIMED_OUT: u8 = 124;
/// How long the end of the output may lag behind the end of the task.
const OUTPUT_LIMIT: Duration = Duration::from_secs(30);
/// How long the master may take to hear that we are done.
const FAREWELL_LIMIT: Duration = Duration::from_millis(500);
/// What can be said of something to be fetched.
const URI_OPTIONS: [&str; 5] = ["executable", "extract", "cache", "output", "checksum"];
/// How long offers that do not fit are declined for.
const REFUSAL: Duration = Duration::from_secs(1);

fn variable(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("write KEY=VALUE")?;
    Ok((key.to_owned(), value.to_owned()))
}

/// A URI with its options. Whatever is no option after a comma belongs to the address.
fn uri(text: &str) -> Result<Uri, String> {
    let mut rest = text;
    let mut options = Vec::new();
    while let Some((before, option)) = rest.rsplit_once(',') {
        let (name, value) = option.split_once('=').unwrap_or((option, "true"));
        if !URI_OPTIONS.contains(&name) {
            break;
        }
        options.push((name, value));
        rest = before;
    }
    let on = |name: &str, value: &str| match value {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(format!("{name} is true or false, and not '{value}'")),
    };
    let mut uri = Uri::new(rest);
    for (name, value) in options {
        uri = match name {
            "output" => uri.output(value),
            "checksum" => uri.checksum(value),
            "executable" if on(name, value)? => uri.executable(),
            "extract" if !on(name, value)? => uri.packed(),
            "cache" if on(name, value)? => uri.cached(),
            _ => uri,
        };
    }
    Ok(uri)
}

/// Runs the command, copies its output, and gives its exit code.
pub(crate) async fn run(options: Options) -> Result<ExitCode, Failure> {
    let task = describe(&options)?;
    let role = Role::new(&options.role).map_err(|error| Failure::Usage(error.to_string()))?;
    // Asked first, because a session would wait for a master that is not there.
    client::connect(&options.master.master).await?;
    let mut profile = Profile::new("tepui-run").role(&role);
    if options.gpus > 0 {
        profile = profile.gpus();
    }
    let session = Session::new(&options.master.master, profile)?;
    let (driver, events) = tepui_sdk::connect(session);
    let mut run = Run {
        task,
        driver,
        placed: None,
        output: None,
        is_waiting_told: false,
        timed_out: false,
    };
    let outcome = run.follow(events, options.timeout).await;
    if let Some(output) = run.output.take() {
        finish_output(output).await;
    }
    outcome
}

fn describe(options: &Options) -> Result<Task, Failure> {
    let image = options.image.as_deref();
    let first = options.command.first().map(String::as_str).or(image);
    let base = first
        .unwrap_or_default()
        .rsplit('/')
        .next()
        .unwrap_or_default();
    let name = options.name.clone().unwrap_or_else(|| base.to_owned());
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let id: String = name
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .collect();
    let mut task = TaskBuilder::new(format!(
        "{id}.{:x}-{:x}",
        now.as_micros(),
        std::process::id()
    ))
    .name(name)
    .cpus(options.cpus)
    .memory(options.mem);
    if !options.command.is_empty() {
        task = task.command(options.command.clone());
    }
    if let Some(image) = image {
        task = task.image(image);
    }
    if options.pull == Pull::Always {
        task = task.pull_always();
    }
    if options.disk > 0.0 {
        task = task.disk(options.disk);
    }
    if options.gpus > 0 {
        task = task.gpus(options.gpus);
    }
    if let Some(user) = &options.user {
        task = task.user(user);
    }
    if options.own_users {
        task = task.own_users();
    }
    for (key, value) in &options.env {
        task = task.env(key, value);
    }
    task = with_files(task, options);
    for name in &options.network {
        task = task.network(name);
    }
    for port in &options.publish {
        task = task.publish(*port);
    }
    if options.tty {
        let (rows, columns) = our_size();
        task = task.terminal(rows, columns);
    }
    task.build()
        .map_err(|error| Failure::Usage(error.to_string()))
}

/// What the task finds in its sandbox.
fn with_files(mut task: TaskBuilder, options: &Options) -> TaskBuilder {
    for (path, image) in &options.image_volume {
        let (image, read_only) = match image.strip_suffix(",ro") {
            Some(image) => (image, true),
            None => (image.as_str(), false),
        };
        task = task.image_volume(path, image, read_only);
    }
    for uri in &options.uri {
        task = task.uri(uri.clone());
    }
    task
}

/// A task on its way.
struct Run {
    task: Task,
    driver: Driver,
    placed: Option<Offer>,
    output: Option<JoinHandle<Result<(), Failure>>>,
    is_waiting_told: bool,
    timed_out: bool,
}

impl Run {
    async fn follow(
        &mut self,
        mut events: Events,
        timeout: Option<Duration>,
    ) -> Result<ExitCode, Failure> {
        let mut interrupt = pinned(signals::end()?);
        let mut deadline = pinned(after(timeout));
        loop {
            tokio::select! {
                event = events.next() => {
                    let event = event.ok_or_else(|| Failure::failed("the session ended"))??;
                    if let Some(end) = self.handle(event).await {
                        self.farewell(events).await;
                        return end;
                    }
                }
                () = &mut interrupt => {
                    self.end_task().await?;
                    interrupt = pinned(signals::end()?);
                }
                () = &mut deadline => {
                    self.timed_out = true;
                    self.end_task().await?;
                    deadline = pinned(std::future::pending());
                }
            }
        }
    }

    /// Asks for the task's end; the update that tells of it ends the run. A task that is still
    /// waiting for an offer ends here.
    async fn end_task(&self) -> Result<(), Failure> {
        if self.placed.is_none() {
            return Err(Failure::failed(
                "no offer has fitted the task so far; it was not started",
            ));
        }
        self.driver.kill(self.task.id()).await;
        Ok(())
    }

    /// Deals with an event; gives the end of the run if this was it.
    async fn handle(&mut self, event: Event) -> Option<Result<ExitCode, Failure>> {
        match event {
            Event::Offers(offers) => self.place(offers).await,
            Event::Update(status) if status.task_id == *self.task.id() => {
                return self.update(&status);
            }
            Event::Disconnected(reason) => eprintln!("tepui: {reason}; connecting again"),
            _ => {}
        }
        None
    }

    async fn place(&mut self, offers: Vec<Offer>) {
        let filters = Filters {
            refuse: Some(REFUSAL),
        };
        if self.placed.is_some() {
            let ids = offers.into_iter().map(|it| it.id).collect();
            return self.driver.decline(ids, filters).await;
        }
        let mut matcher = tepui_sdk::OfferMatcher::new(offers);
        self.placed = matcher.place(&self.task).map(|(offer, _)| offer.clone());
        if self.placed.is_none() && !self.is_waiting_told {
            self.is_waiting_told = true;
            let reasons = matcher.why_not(&self.task);
            let reasons: Vec<_> = reasons
                .iter()
                .map(|(why, count)| format!("{why} ({count} offers)"))
                .collect();
            eprintln!(
                "tepui: waiting for an offer that fits: {}",
                reasons.join(", ")
            );
        }
        self.driver.apply(matcher.finish(), filters).await;
        if self.placed.is_some() {
            self.driver.suppress(&[]).await;
        }
    }

    fn update(&mut self, status: &TaskStatus) -> Option<Result<ExitCode, Failure>> {
        if let (TaskState::Starting, Some(message)) = (status.state, &status.message) {
            eprintln!("tepui: {message}");
        }
        if status.state == TaskState::Running && self.output.is_none() {
            let offer = self.placed.as_ref()?;
            self.output = Some(tokio::spawn(copy_output(
                offer.clone(),
                self.task.id().to_string(),
            )));
        }
        status.state.is_terminal().then(|| self.end_of(status))
    }

    fn end_of(&self, status: &TaskStatus) -> Result<ExitCode, Failure> {
        if self.timed_out {
            eprintln!("tepui: the task took too long and was ended");
            return Ok(ExitCode::from(TIMED_OUT));
        }
        let message = status.message.as_deref().unwrap_or("no reason was given");
        match (status.state, status.exit_status()) {
            (TaskState::Finished, _) => Ok(ExitCode::SUCCESS),
            (TaskState::Failed | TaskState::Killed, Some(code)) if status.reason.is_none() => {
                Ok(ExitCode::from(code))
            }
            (state, _) => Err(Failure::Failed(format!(
                "the task ended as {state}: {message}"
            ))),
        }
    }

    /// Leaves in order: the master forgets the framework at once.
    async fn farewell(&self, mut events: Events) {
        self.driver.teardown().await;
        // The master may be gone too; it would find the connection closed.
        let _ = tokio::time::timeout(FAREWELL_LIMIT, async {
            while events.next().await.is_some() {}
        })
        .await;
    }
}

async fn copy_output(offer: Offer, task: String) -> Result<(), Failure> {
    let node = Node::connect(&format!("{}:{}", offer.hostname, offer.port)).await?;
    let task = v1::Task {
        task_id: v1::TaskId { value: task },
        framework_id: (&offer.framework_id).into(),
        ..Default::default()
    };
    let output = logs::copy(&node, &task, "stdout", true, false)?;
    let error = logs::copy(&node, &task, "stderr", true, true)?;
    tokio::try_join!(output, error).map(drop)
}

async fn finish_output(output: JoinHandle<Result<(), Failure>>) {
    match tokio::time::timeout(OUTPUT_LIMIT, output).await {
        Ok(Ok(Ok(()))) => {}
        Ok(Ok(Err(failure))) => eprintln!("tepui: the output is not complete: {failure}"),
        Ok(Err(_)) | Err(_) => eprintln!("tepui: the output is not complete"),
    }
}

fn pinned(
    future: impl Future<Output = ()> + Send + 'static,
) -> Pin<Box<dyn Future<Output = ()> + Send>> {
    Box::pin(future)
}

async fn after(timeout: Option<Duration>) {
    match timeout {
        Some(timeout) => tokio::time::sleep(timeout).await,
        None => std::future::pending().await,
    }
}
