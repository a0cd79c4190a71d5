//! `tepui service`: the container service framework, and what people ask of it.

mod view;

use std::{path::PathBuf, process::ExitCode, time::Duration};

use tepui_edge::span;
use tepui_service::client::{Client, ClientError};

use self::view::App;
use crate::{
    arguments::{Component, Master, Read},
    commands::file,
    failure::Failure,
    output::{self, Column, Format},
    signals,
};

/// What to do with services.
#[derive(Debug, clap::Args)]
pub(crate) struct Service {
    #[command(subcommand)]
    command: Command,
}

impl Service {
    /// Whether this is the framework itself, and not a question to it.
    pub(crate) fn serves(&self) -> bool {
        matches!(self.command, Command::Serve(_))
    }
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Run the framework itself: it keeps what was deployed running
    Serve(Component<tepui_service::Options>),
    /// Deploy the apps of a file: new ones start, known ones are replaced instance by instance
    Deploy(Deploy),
    /// List apps
    Ls(Read),
    /// Show one app and its instances
    Status(Status),
    /// Change the number of an app's instances
    Scale(Scale),
    /// End all instances of an app and forget it
    Rm(Named),
}

#[derive(Debug, clap::Args)]
struct Deploy {
    #[command(flatten)]
    master: Master,
    /// The file, in YAML; several apps are separated by `---`
    file: PathBuf,
    /// Return when every instance is ready, or fail after this long
    #[arg(long, value_name = "DURATION", value_parser = span::parse)]
    wait: Option<Duration>,
}

#[derive(Debug, clap::Args)]
struct Status {
    #[command(flatten)]
    read: Read,
    /// The app's name
    name: String,
    /// Show it again after each change, until Ctrl-C
    #[arg(short, long)]
    watch: bool,
}

#[derive(Debug, clap::Args)]
struct Scale {
    #[command(flatten)]
    master: Master,
    /// The app's name
    name: String,
    /// How many instances
    replicas: u32,
}

#[derive(Debug, clap::Args)]
struct Named {
    #[command(flatten)]
    master: Master,
    /// The app's name
    name: String,
}

const APPS: [Column; 6] = [
    Column::text("APP"),
    Column::number("WANTED"),
    Column::number("RUNNING"),
    Column::number("READY"),
    Column::number("VERSION"),
    Column::text("WAITING FOR"),
];

const INSTANCES: [Column; 6] = [
    Column::text("INSTANCE"),
    Column::text("STATE"),
    Column::text("HEALTH"),
    Column::text("ADDRESSES"),
    Column::wide("AGENT ID"),
    Column::text("MESSAGE"),
];

/// Does it.
pub(crate) async fn run(service: Service) -> Result<ExitCode, Failure> {
    match service.command {
        Command::Serve(component) => {
            tepui_service::serve(component.options, signals::end()?)
                .await
                .map_err(Failure::failed)?;
        }
        Command::Deploy(deploy) => return self::deploy(deploy).await,
        Command::Ls(read) => {
            let apps = connect(&read.master).await?.list().await?;
            let apps: Vec<App> = apps.into_iter().map(App::from).collect();
            output::print(read.output, &apps, &APPS, apps.iter().map(App::row))?;
        }
        Command::Status(status) => return self::status(status).await,
        Command::Scale(scale) => {
            let app = connect(&scale.master)
                .await?
                .scale(&scale.name, scale.replicas)
                .await?;
            println!("{}", App::from(app).sentence());
        }
        Command::Rm(named) => {
            connect(&named.master).await?.remove(&named.name).await?;
            println!("{} is removed", named.name);
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn connect(master: &Master) -> Result<Client, Failure> {
    Ok(Client::discover(&master.master).await?)
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        match error {
            ClientError::Unreachable(error) => error.into(),
            _ => Self::failed(error),
        }
    }
}

async fn deploy(deploy: Deploy) -> Result<ExitCode, Failure> {
    let apps = tepui_service::from_yaml(&file::read(&deploy.file)?)
        .map_err(|error| Failure::Usage(format!("{}: {error}", deploy.file.display())))?;
    let mut client = connect(&deploy.master).await?;
    for app in client.deploy(&apps).await? {
        println!("{}", App::from(app).sentence());
    }
    let Some(limit) = deploy.wait else {
        return Ok(ExitCode::SUCCESS);
    };
    for app in &apps {
        let name = app.name.to_string();
        let ready = tokio::time::timeout(limit, await_ready(&mut client, &name)).await;
        let app = ready
            .map_err(|_| Failure::Failed(format!("{name} is not ready after {limit:?}")))??;
        println!("{}", app.sentence());
    }
    Ok(ExitCode::SUCCESS)
}

async fn await_ready(client: &mut Client, name: &str) -> Result<App, Failure> {
    let mut changes = client.watch(name).await?;
    while let Some(change) = changes.message().await.map_err(ClientError::from)? {
        if let Some(app) = change.app.map(App::from).filter(App::is_ready) {
            return Ok(app);
        }
    }
    Err(Failure::Failed(format!("{name} was removed meanwhile")))
}

async fn status(status: Status) -> Result<ExitCode, Failure> {
    let mut client = connect(&status.read.master).await?;
    if !status.watch {
        print(
            status.read.output,
            &client.status(&status.name).await?.into(),
        )?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut changes = client.watch(&status.name).await?;
    let end = signals::end()?;
    tokio::pin!(end);
    loop {
        let change = tokio::select! {
            change = changes.message() => change.map_err(ClientError::from)?,
            () = &mut end => return Ok(ExitCode::SUCCESS),
        };
        match change.and_then(|it| it.app) {
            Some(app) => print(status.read.output, &app.into())?,
            None => return Ok(ExitCode::SUCCESS),
        }
    }
}

fn print(format: Format, app: &App) -> Result<(), Failure> {
    if format != Format::Json {
        println!("{}", app.sentence());
    }
    output::print(
        format,
        app,
        &INSTANCES,
        app.instances.iter().map(view::Instance::row),
    )
}
