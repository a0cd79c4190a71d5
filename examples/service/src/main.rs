//! The service framework as a program of its own; `tepui service` has the same within.

use clap::Parser;

/// Keeps as many instances of a command running as are wanted
#[derive(Debug, Parser)]
#[command(name = "tepui-service", version)]
struct Arguments {
    #[command(flatten)]
    options: tepui_service::Options,
}

#[tokio::main]
async fn main() -> Result<(), tepui_service::Error> {
    let Arguments { options } = Arguments::parse();
    tepui_service::serve(options, async {
        // Without a handler for the signal there is no orderly end, and the framework runs on.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    })
    .await
}
