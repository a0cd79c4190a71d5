//! `tepui explain`: why a framework, a role or a task waits, or why an agent is not offered.

use std::process::ExitCode;

use tepui_sdk::{
    Operator,
    services::{
        Contender, ExplainRequest, Explanation, Finding, RoleStanding, explain_request::Subject,
    },
    v1,
};

use crate::{
    arguments::Read,
    client,
    failure::Failure,
    output::{self, Column, Format},
};

const FINDINGS: [Column; 5] = [
    Column::number("AGENTS"),
    Column::text("REASON"),
    Column::text("NEAREST"),
    Column::text("ROLE"),
    Column::wide("FRAMEWORK"),
];

const CONTENDERS: [Column; 6] = [
    Column::text("FRAMEWORK"),
    Column::text("ROLE"),
    Column::text("STATE"),
    Column::number("AHEAD"),
    Column::text("FIRST OF THEM"),
    Column::text("WHY"),
];

const ROLES: [Column; 7] = [
    Column::text("ROLE"),
    Column::number("WEIGHT"),
    Column::number("SHARE"),
    Column::text("GUARANTEED"),
    Column::text("LIMIT"),
    Column::text("CONSUMED"),
    Column::number("PRIORITY"),
];

/// What to explain.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  tepui explain framework spark
  tepui explain role batch
  tepui explain agent S3
  tepui explain task web.1")]
pub(crate) struct Options {
    #[command(subcommand)]
    subject: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Why a framework waits for offers
    Framework(About),
    /// Why the frameworks of a role, and of those below it, wait
    Role(About),
    /// Why an agent is not offered, and to whom
    Agent(About),
    /// Where a task is, and why it is as it is
    Task(About),
}

#[derive(Debug, clap::Args)]
struct About {
    #[command(flatten)]
    read: Read,
    /// A name or an id, or its beginning or end where that is enough
    name: String,
}

/// Asks the master and prints what it found.
pub(crate) async fn run(options: Options) -> Result<ExitCode, Failure> {
    let (What::Framework(about) | What::Role(about) | What::Agent(about) | What::Task(about)) =
        &options.subject;
    let operator = client::connect(&about.read.master.master).await?;
    let request = ExplainRequest {
        subject: Some(subject(&operator, &options.subject).await?),
    };
    let found = operator.explain(request).await?;
    match about.read.output {
        Format::Json => output::print_json(&found)?,
        form => print(form, &found)?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn subject(operator: &Operator, what: &What) -> Result<Subject, Failure> {
    Ok(match what {
        What::Framework(about) => {
            Subject::FrameworkId(client::find_framework(operator, &about.name).await?)
        }
        What::Role(about) => Subject::Role(about.name.clone()),
        What::Agent(about) => {
            let agent = client::find_agent(operator, &about.name).await?;
            Subject::AgentId((&agent).into())
        }
        What::Task(about) => {
            Subject::TaskId(client::find_task(operator, &about.name).await?.task_id)
        }
    })
}

fn print(form: Format, found: &Explanation) -> Result<(), Failure> {
    println!("{}", found.summary);
    if !found.findings.is_empty() {
        println!();
        let rows = found.findings.iter().map(finding);
        output::print(form, found, &FINDINGS, rows)?;
    }
    if !found.contenders.is_empty() {
        println!();
        let rows = found.contenders.iter().map(contender);
        output::print(form, found, &CONTENDERS, rows)?;
    }
    if found.left_out > 0 {
        println!("and {} more", found.left_out);
    }
    if !found.roles.is_empty() {
        println!();
        output::print(form, found, &ROLES, found.roles.iter().map(role))?;
    }
    Ok(())
}

fn finding(finding: &Finding) -> Vec<String> {
    let framework = finding.framework_id.clone().unwrap_or_default().value;
    vec![
        finding.agents.to_string(),
        finding.text.clone(),
        finding.agent_id.clone().unwrap_or_default().value,
        finding.role.clone(),
        framework,
    ]
}

fn contender(contender: &Contender) -> Vec<String> {
    let state = match contender.idle.as_str() {
        "" => "waiting",
        idle => idle,
    };
    vec![
        contender.name.clone(),
        contender.role.clone(),
        state.to_owned(),
        contender.ahead.to_string(),
        contender.ahead_names.join(", "),
        contender.why_behind.clone(),
    ]
}

fn role(role: &RoleStanding) -> Vec<String> {
    vec![
        role.role.clone(),
        output::number(role.weight),
        output::number(role.share),
        amounts(&role.guarantees),
        amounts(&role.limits),
        amounts(&role.consumed),
        role.priority.to_string(),
    ]
}

fn amounts(resources: &[v1::Resource]) -> String {
    let item = |resource: &v1::Resource| {
        let value = resource.scalar.as_ref().map_or(0.0, |scalar| scalar.value);
        format!("{}:{}", resource.name, output::number(value))
    };
    resources.iter().map(item).collect::<Vec<_>>().join(";")
}
