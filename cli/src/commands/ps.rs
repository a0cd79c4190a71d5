//! `tepui ps`: the tasks of the cluster.

use std::{collections::BTreeMap, process::ExitCode};

use tepui_sdk::v1;

use crate::{
    arguments::Read,
    client,
    failure::Failure,
    output::{self, Column},
};

/// The flags of `tepui ps`.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    read: Read,
    /// Also tasks that have ended, and tasks on unreachable agents
    #[arg(short, long)]
    all: bool,
    /// Only the tasks of this framework, by id or name
    #[arg(long, value_name = "FRAMEWORK")]
    framework: Option<String>,
}

const COLUMNS: [Column; 9] = [
    Column::text("TASK"),
    Column::text("FRAMEWORK"),
    Column::text("STATE"),
    Column::number("CPUS"),
    Column::number("MEM"),
    Column::text("PORTS"),
    Column::text("AGENT"),
    Column::wide("AGENT ID"),
    Column::wide("MESSAGE"),
];

/// Prints the tasks, the newest last.
pub(crate) async fn run(options: Options) -> Result<ExitCode, Failure> {
    let operator = client::connect(&options.read.master.master).await?;
    let mut found = operator.tasks().await?;
    if !options.all {
        found.completed_tasks.clear();
        found.unreachable_tasks.clear();
    }
    let names = client::framework_names(&operator).await?;
    let hosts = client::hosts(&operator).await?;
    let name_of = |task: &v1::Task| name(&names, &task.framework_id.value);
    if let Some(wanted) = &options.framework {
        let is_wanted =
            |task: &v1::Task| task.framework_id.value == *wanted || name_of(task) == *wanted;
        found.tasks.retain(is_wanted);
        found.completed_tasks.retain(is_wanted);
        found.unreachable_tasks.retain(is_wanted);
    }
    let all = [
        &found.completed_tasks,
        &found.unreachable_tasks,
        &found.tasks,
    ]
    .into_iter()
    .flatten();
    let rows = all.map(|task| row(task, &name_of(task), &hosts));
    output::print(options.read.output, &found, &COLUMNS, rows)?;
    Ok(ExitCode::SUCCESS)
}

fn name(names: &BTreeMap<String, String>, id: &str) -> String {
    names.get(id).cloned().unwrap_or_else(|| id.to_owned())
}

fn row(task: &v1::Task, framework: &str, hosts: &BTreeMap<String, String>) -> Vec<String> {
    let agent = &task.agent_id.value;
    let message = task
        .statuses
        .last()
        .and_then(|it| it.message.clone())
        .unwrap_or_default();
    vec![
        task.task_id.value.clone(),
        framework.to_owned(),
        task.state()
            .as_str_name()
            .trim_start_matches("TASK_")
            .to_owned(),
        output::number(scalar(&task.resources, "cpus")),
        output::number(scalar(&task.resources, "mem")),
        ports(&task.resources),
        hosts
            .get(agent)
            .cloned()
            .unwrap_or_else(|| "gone".to_owned()),
        agent.clone(),
        message,
    ]
}

/// The sum of a scalar over `resources`.
pub(crate) fn scalar(resources: &[v1::Resource], name: &str) -> f64 {
    let named = resources.iter().filter(|it| it.name == name);
    named
        .filter_map(|it| it.scalar.as_ref())
        .map(|it| it.value)
        .sum()
}

/// The ports of `resources`, as in `31000,31005-31007`.
pub(crate) fn ports(resources: &[v1::Resource]) -> String {
    let ranges = resources
        .iter()
        .filter(|it| it.name == "ports")
        .filter_map(|it| it.ranges.as_ref());
    let text = |it: &v1::value::Range| match it.begin == it.end {
        true => it.begin.to_string(),
        false => format!("{}-{}", it.begin, it.end),
    };
    ranges
        .flat_map(|it| &it.range)
        .map(text)
        .collect::<Vec<_>>()
        .join(",")
}
