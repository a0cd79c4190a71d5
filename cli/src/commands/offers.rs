//! `tepui offers`: what is on offer now, or, with `--watch`, as it changes.

use std::process::ExitCode;

use tepui_sdk::{
    model::FrameworkId,
    services::{OfferRemoved, offer_change::Change},
    v1,
};

use super::ps::{ports, scalar};
use crate::{
    arguments::Read,
    client,
    failure::Failure,
    output::{self, Column, Format},
    signals,
};

/// The flags of `tepui offers`.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    read: Read,
    /// Go on with every change, until Ctrl-C
    #[arg(short, long)]
    watch: bool,
    /// Only offers to the framework of this id
    #[arg(long, value_name = "ID")]
    framework: Option<String>,
}

const COLUMNS: [Column; 7] = [
    Column::text("OFFER"),
    Column::text("FRAMEWORK"),
    Column::text("ROLE"),
    Column::text("AGENT"),
    Column::number("CPUS"),
    Column::number("MEM"),
    Column::wide("PORTS"),
];

/// Prints the offers.
pub(crate) async fn run(options: Options) -> Result<ExitCode, Failure> {
    let framework = options.framework.as_ref().map(FrameworkId::new).transpose();
    let framework = framework.map_err(|error| Failure::Usage(error.to_string()))?;
    let operator = client::connect(&options.read.master.master).await?;
    let mut changes = operator.watch_offers(framework.as_ref()).await?;
    let mut standing = Vec::new();
    let end = signals::end()?;
    tokio::pin!(end);
    loop {
        let change = tokio::select! {
            change = changes.message() => change.map_err(|status| ended(&status))?,
            () = &mut end => return Ok(ExitCode::SUCCESS),
        };
        let Some(change) = change else {
            return Err(Failure::Failed("the master ended the stream".to_owned()));
        };
        if options.watch {
            print_change(options.read.output, &change)?;
            continue;
        }
        match change.change {
            Some(Change::Added(offer)) => standing.push(offer),
            Some(Change::SnapshotEnd(_)) => break,
            Some(Change::Removed(_)) | None => {}
        }
    }
    output::print(
        options.read.output,
        &standing,
        &COLUMNS,
        standing.iter().map(row),
    )?;
    Ok(ExitCode::SUCCESS)
}

/// What a stream's end means to the one who watches.
pub(crate) fn ended(status: &impl std::fmt::Display) -> Failure {
    Failure::Failed(format!("the stream ended: {status}"))
}

fn print_change(format: Format, change: &tepui_sdk::services::OfferChange) -> Result<(), Failure> {
    if format == Format::Json {
        return output::print_json_line(change);
    }
    match &change.change {
        Some(Change::Added(offer)) => println!("+ {}", row(offer).join("  ")),
        Some(Change::Removed(removed)) => println!("- {}", gone(removed)),
        Some(Change::SnapshotEnd(_)) | None => {}
    }
    Ok(())
}

fn row(offer: &v1::Offer) -> Vec<String> {
    let role = offer
        .allocation_info
        .as_ref()
        .and_then(|it| it.role.clone());
    let port = offer
        .url
        .as_ref()
        .map(|it| format!(":{}", it.address.port))
        .unwrap_or_default();
    vec![
        offer.id.value.clone(),
        offer.framework_id.value.clone(),
        role.unwrap_or_default(),
        format!("{}{port}", offer.hostname),
        output::number(scalar(&offer.resources, "cpus")),
        output::number(scalar(&offer.resources, "mem")),
        ports(&offer.resources),
    ]
}

fn gone(removed: &OfferRemoved) -> String {
    let id = removed
        .offer_id
        .as_ref()
        .map(|it| it.value.as_str())
        .unwrap_or_default();
    format!(
        "{id}  {}",
        removed
            .reason()
            .as_str_name()
            .to_lowercase()
            .replace('_', " ")
    )
}
