//! `tepui events`: what happens in the cluster, as it happens.

use std::process::ExitCode;

use tepui_sdk::v1::master::{Event, event::Type};

use super::offers::ended;
use crate::{
    arguments::Read,
    client,
    failure::Failure,
    output::{self, Format},
    signals,
};

/// Prints events until the stream or the user ends it.
pub(crate) async fn run(read: Read) -> Result<ExitCode, Failure> {
    let operator = client::connect(&read.master.master).await?;
    let mut events = operator.watch_events().await?;
    let end = signals::end()?;
    tokio::pin!(end);
    loop {
        let event = tokio::select! {
            event = events.message() => event.map_err(|status| ended(&status))?,
            () = &mut end => return Ok(ExitCode::SUCCESS),
        };
        let Some(event) = event else {
            return Err(Failure::Failed("the master ended the stream".to_owned()));
        };
        if read.output == Format::Json {
            output::print_json_line(&event)?;
        } else if let Some(line) = line(&event) {
            println!("{line}");
        }
    }
}

/// One line for people; heartbeats are no news to them.
fn line(event: &Event) -> Option<String> {
    let text = match event.r#type() {
        Type::Unknown | Type::Heartbeat => return None,
        Type::Subscribed => {
            let state = event.subscribed.as_ref()?.get_state.as_ref();
            let agents = state
                .and_then(|it| it.get_agents.as_ref())
                .map_or(0, |it| it.agents.len());
            format!("watching a cluster of {agents} agents")
        }
        Type::TaskAdded => {
            let task = &event.task_added.as_ref()?.task;
            format!(
                "{} of {} on {}",
                task.task_id.value, task.framework_id.value, task.agent_id.value
            )
        }
        Type::TaskUpdated => {
            let status = &event.task_updated.as_ref()?.status;
            let message = status.message.as_deref().unwrap_or_default();
            format!(
                "{} {} {message}",
                status.task_id.value,
                status.state().as_str_name()
            )
        }
        Type::AgentAdded => {
            let info = &event.agent_added.as_ref()?.agent.agent_info;
            format!(
                "{} {}:{}",
                id(&info.id),
                info.hostname,
                info.port.unwrap_or_default()
            )
        }
        Type::AgentRemoved => event.agent_removed.as_ref()?.agent_id.value.clone(),
        Type::FrameworkAdded => {
            framework(&event.framework_added.as_ref()?.framework.framework_info)
        }
        Type::FrameworkUpdated => {
            framework(&event.framework_updated.as_ref()?.framework.framework_info)
        }
        Type::FrameworkRemoved => framework(&event.framework_removed.as_ref()?.framework_info),
    };
    Some(format!(
        "{:<18} {}",
        event.r#type().as_str_name(),
        text.trim_end()
    ))
}

fn id(id: &Option<tepui_sdk::v1::AgentId>) -> String {
    id.as_ref().map(|it| it.value.clone()).unwrap_or_default()
}

fn framework(info: &tepui_sdk::v1::FrameworkInfo) -> String {
    let id = info
        .id
        .as_ref()
        .map(|it| it.value.as_str())
        .unwrap_or_default();
    format!("{id} {}", info.name)
}
