//! An agent alone, for tests: it can be killed without killing the test. SIGTERM stops it.

use std::process::ExitCode;

use clap::Parser;
use tepui_agent::{Options, run};
use tokio::signal::unix::{SignalKind, signal};

/// An agent alone.
#[derive(Debug, Parser)]
struct Program {
    #[command(flatten)]
    options: Options,
}

fn main() -> ExitCode {
    if let Some(code) = tepui_containers::init_main() {
        return code;
    }
    if let Some(code) = tepui_images::unpack_main() {
        return code;
    }
    match serve(Program::parse().options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

#[tokio::main]
async fn serve(options: Options) -> Result<(), Box<dyn std::error::Error>> {
    let mut terminate = signal(SignalKind::terminate())?;
    run(options, async move {
        terminate.recv().await;
    })
    .await?;
    Ok(())
}
