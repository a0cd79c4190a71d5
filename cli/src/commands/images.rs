//! `tepui agent images`: the images of tasks that an agent has, and making room.

use std::{path::PathBuf, process::ExitCode};

use clap::{Args, Subcommand};
use tepui_images::Listed;
use tepui_sdk::{
    Node,
    v1::{self, agent},
};

use crate::{
    failure::Failure,
    output::{self, Column, Format},
};

/// What is done with images.
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Example: tepui agent images --work-dir /var/lib/tepui/agent"
)]
pub(crate) struct Options {
    #[command(subcommand)]
    action: Option<Action>,
    /// The agent's folder
    #[arg(
        long,
        env = "TEPUI_WORK_DIR",
        value_name = "DIR",
        default_value = "/var/lib/tepui/agent"
    )]
    work_dir: PathBuf,
    /// The agent's folder for images [default: `images` in the work dir]
    #[arg(long, env = "TEPUI_IMAGE_STORE_DIR", value_name = "DIR")]
    image_store_dir: Option<PathBuf>,
    /// The form of the answer
    #[arg(short, long, value_enum, default_value_t, value_name = "FORM")]
    output: Format,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Remove the images of a running agent that no task uses
    #[command(after_help = "Example: tepui agent images prune --keep busybox:1.36")]
    Prune {
        /// The agent
        #[arg(
            long,
            env = "TEPUI_AGENT",
            value_name = "HOST:PORT",
            default_value = "127.0.0.1:5051"
        )]
        agent: String,
        /// An image that stays; may be given several times
        #[arg(long, value_name = "IMAGE")]
        keep: Vec<String>,
    },
}

const COLUMNS: [Column; 6] = [
    Column::text("IMAGE"),
    Column::number("MB"),
    Column::number("LAYERS"),
    Column::number("CONTAINERS"),
    Column::text("PORTS"),
    Column::wide("DIGEST"),
];

/// Lists or removes.
pub(crate) async fn run(options: Options) -> Result<ExitCode, Failure> {
    match options.action {
        Some(Action::Prune { agent, keep }) => prune(&agent, &keep).await,
        None => {
            let folder = options.image_store_dir;
            let folder = folder.unwrap_or_else(|| options.work_dir.join("images"));
            let images = tepui_images::list(&folder).map_err(Failure::failed)?;
            let rows = images.iter().map(row);
            output::print(options.output, &message(&images), &COLUMNS, rows)?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

async fn prune(agent: &str, keep: &[String]) -> Result<ExitCode, Failure> {
    let kept = keep.iter().map(|name| v1::Image {
        r#type: v1::image::Type::Docker.into(),
        docker: Some(v1::image::Docker {
            name: name.clone(),
            ..v1::image::Docker::default()
        }),
        ..v1::Image::default()
    });
    let call = agent::Call {
        r#type: Some(agent::call::Type::PruneImages.into()),
        prune_images: Some(agent::call::PruneImages {
            excluded_images: kept.collect(),
        }),
        ..agent::Call::default()
    };
    Node::connect(agent).await?.call(call).await?;
    Ok(ExitCode::SUCCESS)
}

fn row(image: &Listed) -> Vec<String> {
    vec![
        image.name.clone(),
        image.bytes.div_ceil(1 << 20).to_string(),
        image.layers.to_string(),
        image.containers.to_string(),
        image.ports.join(","),
        image.digest.to_string(),
    ]
}

fn message(images: &[Listed]) -> serde_json::Value {
    let one = |image: &Listed| {
        serde_json::json!({
            "name": image.name,
            "digest": image.digest.to_string(),
            "bytes": image.bytes,
            "layers": image.layers,
            "containers": image.containers,
            "last_used": image.used,
            "exposed_ports": image.ports,
        })
    };
    serde_json::json!({ "images": images.iter().map(one).collect::<Vec<_>>() })
}
