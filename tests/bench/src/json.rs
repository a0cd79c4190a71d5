//! Messages as JSON, in megabytes of text per second: written, and read with all the leniency that
//! Mesos has, beside serde_json, which writes and reads the same text and does not know what it
//! means.

use std::hint::black_box;

use serde_json::Value;
use tepui_proto::{
    decode,
    v1::{self, master, scheduler},
};

use crate::{
    Settings,
    report::{Report, Span, timed},
};

/// Tasks of one text: some hundred kilobytes.
const TASKS: usize = 500;

pub(crate) fn run(settings: &Settings, report: &mut Report) -> Result<(), String> {
    let answer = answer();
    let written = |report: &mut Report| -> Result<(), String> {
        let text = serde_json::to_vec(&answer).map_err(text)?;
        let value: Value = serde_json::from_slice(&text).map_err(self::text)?;
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..settings.samples {
            ours.push(timed(|| black_box(serde_json::to_vec(black_box(&answer)).is_ok())).1);
            theirs.push(timed(|| black_box(serde_json::to_vec(black_box(&value)).is_ok())).1);
        }
        print(report, "encode", text.len(), &ours, &theirs);
        Ok(())
    };
    written(report)?;
    let text = serde_json::to_vec(&call()).map_err(text)?;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..settings.samples {
        let (call, span) = timed(|| decode::json::<scheduler::Call>(black_box(&text)));
        call.map_err(self::text)?;
        ours.push(span);
        let (value, span) = timed(|| serde_json::from_slice::<Value>(black_box(&text)));
        value.map_err(self::text)?;
        theirs.push(span);
    }
    print(report, "decode", text.len(), &ours, &theirs);
    Ok(())
}

fn print(report: &mut Report, part: &str, bytes: usize, ours: &[Span], theirs: &[Span]) {
    let rate = |spans: &[Span]| {
        let mut busy: Vec<_> = spans.iter().map(|span| span.busy).collect();
        busy.sort_unstable();
        let median = busy.get(busy.len() / 2).copied().unwrap_or_default();
        format!("{:.0}", bytes as f64 / 1e6 / median.as_secs_f64())
    };
    report
        .part(part)
        .with("bytes", bytes)
        .with("mb_per_second", rate(ours))
        .with("serde_json_mb_per_second", rate(theirs))
        .with_times("time", ours)
        .with_times("serde_json", theirs);
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

fn id(kind: &str, number: usize) -> String {
    format!("6ac1a1a5-6c1e-4f0f-8b0a-3d2e1f5b7c9d-{kind}{number:04}")
}

fn scalar(name: &str, value: f64) -> v1::Resource {
    v1::Resource {
        name: name.to_owned(),
        r#type: v1::value::Type::Scalar.into(),
        scalar: Some(v1::value::Scalar { value }),
        allocation_info: Some(v1::resource::AllocationInfo {
            role: Some("*".to_owned()),
        }),
        ..v1::Resource::default()
    }
}

fn resources() -> Vec<v1::Resource> {
    vec![
        scalar("cpus", 0.1),
        scalar("mem", 16.0),
        scalar("disk", 32.0),
    ]
}

/// What an operator reads.
fn answer() -> master::Response {
    let task = |number| {
        let task_id = v1::TaskId {
            value: format!("web.instance-{number}"),
        };
        let agent_id = v1::AgentId {
            value: id("S", number),
        };
        let status = v1::TaskStatus {
            task_id: task_id.clone(),
            agent_id: Some(agent_id.clone()),
            state: v1::TaskState::TaskRunning.into(),
            source: Some(v1::task_status::Source::Executor.into()),
            timestamp: Some(1_764_000_000.123 + number as f64),
            uuid: Some(vec![number as u8; 16]),
            ..v1::TaskStatus::default()
        };
        v1::Task {
            name: format!("web {number}"),
            task_id,
            framework_id: v1::FrameworkId { value: id("", 0) },
            agent_id,
            state: v1::TaskState::TaskRunning.into(),
            resources: resources(),
            statuses: vec![status],
            ..v1::Task::default()
        }
    };
    master::Response {
        r#type: Some(master::response::Type::GetTasks.into()),
        get_tasks: Some(master::response::GetTasks {
            tasks: (0..TASKS).map(task).collect(),
            ..master::response::GetTasks::default()
        }),
        ..master::Response::default()
    }
}

/// What a framework says.
fn call() -> scheduler::Call {
    use scheduler::call::{Accept, Type};
    let task = |number| v1::TaskInfo {
        name: format!("web {number}"),
        task_id: v1::TaskId {
            value: format!("web.instance-{number}"),
        },
        agent_id: v1::AgentId {
            value: id("S", number),
        },
        resources: resources(),
        command: Some(v1::CommandInfo {
            value: Some("exec /usr/bin/web --port=$PORT0 \"$@\"".to_owned()),
            ..v1::CommandInfo::default()
        }),
        ..v1::TaskInfo::default()
    };
    let launch = v1::offer::Operation {
        r#type: Some(v1::offer::operation::Type::Launch.into()),
        launch: Some(v1::offer::operation::Launch {
            task_infos: (0..TASKS).map(task).collect(),
        }),
        ..v1::offer::Operation::default()
    };
    scheduler::Call {
        framework_id: Some(v1::FrameworkId { value: id("", 0) }),
        r#type: Some(Type::Accept.into()),
        accept: Some(Accept {
            offer_ids: vec![v1::OfferId { value: id("O", 1) }],
            operations: vec![launch],
            ..Accept::default()
        }),
        ..scheduler::Call::default()
    }
}
