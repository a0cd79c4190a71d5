//! `tepui maintenance`: which machines will be away, and which are down.

use std::{
    net::IpAddr,
    process::ExitCode,
    time::{Duration, SystemTime},
};

use tepui_edge::span;
use tepui_sdk::v1::{
    self, MachineId,
    allocator::{InverseOfferStatus, inverse_offer_status::Status},
    maintenance::{ClusterStatus, Schedule, Window},
};

use crate::{
    arguments::{Master, Read},
    client,
    failure::Failure,
    output::{self, Column},
};

const SCHEDULE: [Column; 3] = [
    Column::text("MACHINE"),
    Column::text("START"),
    Column::text("DURATION"),
];

const STATUS: [Column; 5] = [
    Column::text("MACHINE"),
    Column::text("STATE"),
    Column::number("LEAVE"),
    Column::number("STAY"),
    Column::number("SILENT"),
];

/// What to do about maintenance.
#[derive(Debug, clap::Args)]
pub(crate) struct Maintenance {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Show the schedule
    #[command(after_help = "Example: tepui maintenance show -o json")]
    Show(Read),
    /// Add machines to the schedule
    #[command(after_help = "Example: tepui maintenance schedule node1 node2 --in 10m --for 2h")]
    Schedule(Add),
    /// Take machines that are not down out of the schedule
    #[command(after_help = "Example: tepui maintenance cancel node2")]
    Cancel(Machines),
    /// Show which machines drain and what frameworks answered, and which are down
    #[command(after_help = "Example: tepui maintenance status")]
    Status(Read),
    /// Take machines of the schedule down: their agents and tasks end
    #[command(after_help = "Example: tepui maintenance down node1")]
    Down(Machines),
    /// Let machines that are down come back
    #[command(after_help = "Example: tepui maintenance up node1")]
    Up(Machines),
}

#[derive(Debug, clap::Args)]
struct Machines {
    #[command(flatten)]
    master: Master,
    /// Host names or IP addresses
    #[arg(required = true, value_name = "MACHINE")]
    machines: Vec<String>,
}

#[derive(Debug, clap::Args)]
struct Add {
    #[command(flatten)]
    master: Master,
    /// Host names or IP addresses; a machine that is in the schedule already moves
    #[arg(required = true, value_name = "MACHINE")]
    machines: Vec<String>,
    /// When they will be away: so long from now [default: now]
    #[arg(long = "in", value_name = "DURATION", value_parser = span::parse)]
    after: Option<Duration>,
    /// For how long [default: for ever]
    #[arg(long = "for", value_name = "DURATION", value_parser = span::parse)]
    span: Option<Duration>,
}

/// Carries out a command about maintenance.
pub(crate) async fn run(maintenance: Maintenance) -> Result<ExitCode, Failure> {
    match maintenance.command {
        Command::Show(read) => show(read).await?,
        Command::Status(read) => status(read).await?,
        Command::Schedule(add) => schedule(add).await?,
        Command::Cancel(named) => {
            let operator = client::connect(&named.master.master).await?;
            let mut schedule = operator.maintenance_schedule().await?;
            let machines = machines(&named.machines);
            for machine in &machines {
                if !schedule
                    .windows
                    .iter()
                    .any(|window| window.machine_ids.contains(machine))
                {
                    return Err(Failure::Failed(format!(
                        "machine '{}' is not in the schedule; see `tepui maintenance show`",
                        name(machine)
                    )));
                }
            }
            take_out(&mut schedule, &machines);
            operator.update_maintenance_schedule(schedule).await?;
        }
        Command::Down(named) => {
            let operator = client::connect(&named.master.master).await?;
            operator
                .start_maintenance(machines(&named.machines))
                .await?;
        }
        Command::Up(named) => {
            let operator = client::connect(&named.master.master).await?;
            operator.stop_maintenance(machines(&named.machines)).await?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn schedule(add: Add) -> Result<(), Failure> {
    let operator = client::connect(&add.master.master).await?;
    let now = SystemTime::now();
    let start = now + add.after.unwrap_or_default();
    let start = start
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    let mut schedule = operator.maintenance_schedule().await?;
    let machine_ids = machines(&add.machines);
    take_out(&mut schedule, &machine_ids);
    schedule.windows.push(Window {
        machine_ids,
        unavailability: v1::Unavailability {
            start: v1::TimeInfo {
                nanoseconds: nanoseconds(start),
            },
            duration: add.span.map(|span| v1::DurationInfo {
                nanoseconds: nanoseconds(span),
            }),
        },
    });
    Ok(operator.update_maintenance_schedule(schedule).await?)
}

fn nanoseconds(span: Duration) -> i64 {
    i64::try_from(span.as_nanos()).unwrap_or(i64::MAX)
}

/// Machines by what people call them: an address, or else a host name.
fn machines(names: &[String]) -> Vec<MachineId> {
    let machine = |name: &String| match name.parse::<IpAddr>() {
        Ok(ip) => MachineId {
            hostname: None,
            ip: Some(ip.to_string()),
        },
        Err(_) => MachineId {
            hostname: Some(name.to_lowercase()),
            ip: None,
        },
    };
    names.iter().map(machine).collect()
}

fn take_out(schedule: &mut Schedule, machines: &[MachineId]) {
    for window in &mut schedule.windows {
        window
            .machine_ids
            .retain(|machine| !machines.contains(machine));
    }
    schedule
        .windows
        .retain(|window| !window.machine_ids.is_empty());
}

fn name(machine: &MachineId) -> String {
    let parts = [machine.hostname(), machine.ip()];
    let set: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    set.join(" ")
}

async fn show(read: Read) -> Result<(), Failure> {
    let operator = client::connect(&read.master.master).await?;
    let found = operator.maintenance_schedule().await?;
    let rows = found.windows.iter().flat_map(rows);
    output::print(read.output, &found, &SCHEDULE, rows)
}

fn rows(window: &Window) -> Vec<Vec<String>> {
    let of = |nanoseconds: i64| Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(0));
    let away = &window.unavailability;
    let start = until(SystemTime::UNIX_EPOCH + of(away.start.nanoseconds));
    let duration = match &away.duration {
        Some(duration) => span::format(of(duration.nanoseconds)),
        None => "for ever".to_owned(),
    };
    let row = |machine| vec![name(machine), start.clone(), duration.clone()];
    window.machine_ids.iter().map(row).collect()
}

/// How far away a time is, to the second.
fn until(start: SystemTime) -> String {
    let seconds = |span: Duration| Duration::from_secs(span.as_secs());
    match start.duration_since(SystemTime::now()) {
        Ok(ahead) => format!("in {}", span::format(seconds(ahead))),
        Err(past) => format!("{} ago", span::format(seconds(past.duration()))),
    }
}

async fn status(read: Read) -> Result<(), Failure> {
    let operator = client::connect(&read.master.master).await?;
    let found = operator.maintenance_status().await?;
    output::print(read.output, &found, &STATUS, states(&found))
}

fn states(status: &ClusterStatus) -> Vec<Vec<String>> {
    let count = |statuses: &[InverseOfferStatus], kind: Status| {
        let of_kind = statuses.iter().filter(|it| it.status() == kind);
        of_kind.count().to_string()
    };
    let mut rows = Vec::new();
    for machine in &status.draining_machines {
        rows.push(vec![
            name(&machine.id),
            "draining".to_owned(),
            count(&machine.statuses, Status::Accept),
            count(&machine.statuses, Status::Decline),
            count(&machine.statuses, Status::Unknown),
        ]);
    }
    for machine in &status.down_machines {
        let none = String::new;
        rows.push(vec![
            name(machine),
            "down".to_owned(),
            none(),
            none(),
            none(),
        ]);
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_is_an_address_or_a_name() {
        let known = machines(&["Node1".to_owned(), "10.0.0.1".to_owned(), "::1".to_owned()]);
        let names: Vec<String> = known.iter().map(name).collect();
        assert_eq!(names, ["node1", "10.0.0.1", "::1"]);
        assert_eq!(known[0].ip, None);
        assert_eq!(known[1].hostname, None);
    }

    #[test]
    fn a_machine_that_is_taken_out_takes_an_empty_window_along() {
        let window = |names: &[&str]| Window {
            machine_ids: machines(&names.iter().map(ToString::to_string).collect::<Vec<_>>()),
            ..Window::default()
        };
        let mut schedule = Schedule {
            windows: vec![window(&["a", "b"]), window(&["c"])],
        };
        take_out(&mut schedule, &machines(&["b".to_owned(), "c".to_owned()]));
        assert_eq!(schedule.windows, [window(&["a"])]);
    }
}
