//! The batch framework as a program of its own; `tepui batch` has the same within.

use std::{env, process::ExitCode};

use clap::Parser;
use tepui_batch::plan::WORKER_COMMAND;

/// Runs batch jobs: map, shuffle, reduce
#[derive(Debug, Parser)]
#[command(name = "tepui-batch", version)]
struct Arguments {
    #[command(flatten)]
    options: tepui_batch::Options,
}

fn main() -> ExitCode {
    let mut arguments = env::args_os().skip(1);
    if arguments
        .next()
        .is_some_and(|first| first == WORKER_COMMAND)
    {
        return tepui_batch::worker::main(arguments);
    }
    let Arguments { options } = Arguments::parse();
    match run(options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("tepui-batch: {error}");
            ExitCode::FAILURE
        }
    }
}

#[tokio::main]
async fn run(options: tepui_batch::Options) -> Result<(), tepui_batch::Error> {
    tepui_batch::serve(options, async {
        // Without a handler for the signal there is no orderly end, and the framework runs on.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    })
    .await
}
