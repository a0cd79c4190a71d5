//! `tepui batch`: the batch framework, and what people ask of it.

mod progress;
mod view;

use std::{
    io::{Write, stdout},
    path::PathBuf,
    process::ExitCode,
};

use tepui_batch::{
    api::LogsRequest,
    client::{Client, ClientError},
};

use self::view::Job;
use crate::{
    arguments::{Component, Master, Read},
    commands::file,
    failure::Failure,
    output::{self, Column, Format},
    signals,
};

/// What to do with batch jobs.
#[derive(Debug, clap::Args)]
pub(crate) struct Batch {
    #[command(subcommand)]
    command: Command,
}

impl Batch {
    /// Whether this is the framework itself, and not a question to it.
    pub(crate) fn serves(&self) -> bool {
        matches!(self.command, Command::Serve(_))
    }
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Run the framework itself: it runs what is submitted
    Serve(Component<tepui_batch::Options>),
    /// Submit the job of a file
    Submit(Submit),
    /// List jobs
    Ls(Read),
    /// Show one job and its tasks
    Status(Status),
    /// Print what the tasks of a job wrote
    Logs(Logs),
    /// Print the result of a job, `key<TAB>value` on each line
    Result(Named),
    /// Count the words of a job again, plainly and in this process, and compare
    Verify(Named),
    /// End a job and its tasks
    Cancel(Named),
}

#[derive(Debug, clap::Args)]
struct Submit {
    #[command(flatten)]
    master: Master,
    /// The file, in YAML; `-` for standard input
    file: PathBuf,
    /// Show the progress and return when the job has ended; exit code 1 if it did not succeed
    #[arg(short, long)]
    wait: bool,
}

#[derive(Debug, clap::Args)]
struct Status {
    #[command(flatten)]
    read: Read,
    /// The job's id
    job: String,
    /// Show the progress until the job has ended
    #[arg(short, long)]
    watch: bool,
}

#[derive(Debug, clap::Args)]
struct Logs {
    #[command(flatten)]
    master: Master,
    /// The job's id
    job: String,
    /// Only the tasks of this stage, counted from 0
    #[arg(long, value_name = "NUMBER")]
    stage: Option<u32>,
    /// Only the task of this partition, counted from 0
    #[arg(long, value_name = "NUMBER", requires = "stage")]
    partition: Option<u32>,
    /// Standard output instead of standard error
    #[arg(long)]
    stdout: bool,
    /// Go on until the task ends
    #[arg(short, long, requires = "partition")]
    follow: bool,
}

#[derive(Debug, clap::Args)]
struct Named {
    #[command(flatten)]
    master: Master,
    /// The job's id
    job: String,
}

const JOBS: [Column; 6] = [
    Column::text("JOB"),
    Column::text("STATE"),
    Column::text("STAGES"),
    Column::number("FILES"),
    Column::number("RETRIES"),
    Column::text("REASON"),
];

const TASKS: [Column; 7] = [
    Column::number("STAGE"),
    Column::number("PARTITION"),
    Column::text("STATE"),
    Column::text("TASK"),
    Column::text("AGENT"),
    Column::number("RETRIES"),
    Column::text("MESSAGE"),
];

/// Does it.
pub(crate) async fn run(batch: Batch) -> Result<ExitCode, Failure> {
    match batch.command {
        Command::Serve(component) => {
            tepui_batch::serve(component.options, signals::end()?)
                .await
                .map_err(Failure::failed)?;
        }
        Command::Submit(submit) => return self::submit(submit).await,
        Command::Ls(read) => {
            let jobs = connect(&read.master).await?.list().await?;
            let jobs: Vec<Job> = jobs.into_iter().map(Job::from).collect();
            output::print(read.output, &jobs, &JOBS, jobs.iter().map(Job::row))?;
        }
        Command::Status(status) => return self::status(status).await,
        Command::Logs(logs) => self::logs(logs).await?,
        Command::Result(named) => {
            let mut pieces = connect(&named.master).await?.result(&named.job).await?;
            while let Some(piece) = pieces.message().await.map_err(ClientError::from)? {
                stdout().write_all(&piece.data)?;
            }
        }
        Command::Verify(named) => return verify(named).await,
        Command::Cancel(named) => {
            let job = connect(&named.master).await?.cancel(&named.job).await?;
            println!("{}", Job::from(job).sentence());
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

async fn submit(submit: Submit) -> Result<ExitCode, Failure> {
    let text = file::read(&submit.file)?;
    let mut client = connect(&submit.master).await?;
    let job = Job::from(client.submit(&text).await?);
    println!("{}", job.sentence());
    if !submit.wait {
        return Ok(ExitCode::SUCCESS);
    }
    let job = progress::follow(&mut client, job.id()).await?;
    println!("{}", job.sentence());
    Ok(code_of(&job))
}

async fn status(status: Status) -> Result<ExitCode, Failure> {
    let mut client = connect(&status.read.master).await?;
    if status.watch {
        let job = progress::follow(&mut client, &status.job).await?;
        println!("{}", job.sentence());
        return Ok(code_of(&job));
    }
    let job = Job::from(client.status(&status.job).await?);
    if status.read.output != Format::Json {
        println!("{}", job.sentence());
    }
    let rows = job.tasks().iter().map(view::Task::row);
    output::print(status.read.output, &job, &TASKS, rows)?;
    Ok(ExitCode::SUCCESS)
}

fn code_of(job: &Job) -> ExitCode {
    ExitCode::from(u8::from(!job.has_succeeded()))
}

async fn logs(logs: Logs) -> Result<(), Failure> {
    let Logs {
        master,
        job,
        stage,
        partition,
        stdout: is_stdout,
        follow,
    } = logs;
    let request = LogsRequest {
        job_id: job,
        stage,
        partition,
        stdout: is_stdout,
        follow,
    };
    let mut pieces = connect(&master).await?.logs(request).await?;
    let mut current = String::new();
    while let Some(piece) = pieces.message().await.map_err(ClientError::from)? {
        if piece.task_id != current && partition.is_none() {
            println!("==> {} <==", piece.task_id);
        }
        current = piece.task_id;
        stdout().write_all(&piece.data)?;
        stdout().flush()?;
        if !piece.error.is_empty() {
            eprintln!("tepui: {current}: {}", piece.error);
        }
    }
    Ok(())
}

async fn verify(named: Named) -> Result<ExitCode, Failure> {
    let verdict = connect(&named.master).await?.verify(&named.job).await?;
    let counted = format!(
        "{} words, {} of them different, in {} bytes",
        verdict.total, verdict.distinct, verdict.bytes
    );
    if verdict.agrees() {
        println!(
            "{}: equal to a plain sequential count: {counted}",
            named.job
        );
        return Ok(ExitCode::SUCCESS);
    }
    verdict
        .differences
        .iter()
        .for_each(|it| eprintln!("tepui: {it}"));
    let text = format!(
        "{} words differ from a plain sequential count: {counted}",
        verdict.different
    );
    Err(Failure::Failed(text))
}
