//! Tests of the module that this one belongs to.

use std::sync::Arc;

use tepui_model::{AgentCapability, AgentId, StatusUuid, TaskId};

use super::*;
use crate::testing::{agent_info, aware, task_info};

fn said(message: agent_message::Message) -> Result<AgentReport, String> {
    let wire = AgentMessage {
        message: Some(message),
    };
    AgentReport::try_from(wire).map_err(|error| error.to_string())
}

fn registration() -> services::Register {
    let agent = AgentId::new("a").unwrap();
    let framework = FrameworkId::new("f").unwrap();
    let known = services::KnownTask {
        framework_id: Some((&framework).into()),
        task: Some(task_info("t", &agent, "cpus:1")),
        latest: Some(v1::TaskStatus {
            task_id: v1::TaskId {
                value: "t".to_owned(),
            },
            state: v1::TaskState::TaskRunning.into(),
            ..Default::default()
        }),
    };
    services::Register {
        agent: Some(v1::AgentInfo::clone(&agent_info("one", "cpus:4").wire)),
        version: "1".to_owned(),
        capabilities: vec![v1::agent_info::Capability { r#type: Some(1) }],
        tasks: vec![known],
        frameworks: vec![v1::FrameworkInfo::clone(&aware().with_id(framework).wire)],
        operations: Vec::new(),
        executors: Vec::new(),
        images: Some(services::Images {
            names: vec!["busybox:latest".to_owned(), "no name".to_owned()],
        }),
    }
}

#[test]
fn a_registration_is_taken_with_its_tasks_and_frameworks() {
    let register = agent_message::Message::Register(registration());
    let AgentReport::Register(taken) = said(register).unwrap() else {
        panic!()
    };
    assert_eq!(taken.tasks[0].task.id.as_str(), "t");
    assert_eq!(taken.tasks[0].latest.state, TaskState::Running);
    assert_eq!(taken.images.to_proto(), ["busybox:latest"]);
    assert_eq!(taken.frameworks[0].id.as_ref().unwrap().as_str(), "f");
    assert_eq!(
        taken.capabilities,
        AgentCapabilities::NONE.with(AgentCapability::MultiRole)
    );
    let event = AgentReport::Register(taken).into_event(ConnectionId(3));
    assert!(matches!(
        event,
        Event::RegisterAgent {
            connection: ConnectionId(3),
            ..
        }
    ));
}

#[test]
fn a_message_that_lacks_something_names_the_field() {
    let empty = AgentReport::try_from(AgentMessage::default()).unwrap_err();
    assert_eq!(empty.to_string(), "message: must be set");
    let lacks = |change: fn(&mut services::Register)| {
        let mut register = registration();
        change(&mut register);
        said(agent_message::Message::Register(register)).unwrap_err()
    };
    assert_eq!(
        lacks(|register| register.agent = None),
        "register.agent: must be set"
    );
    let task = "register.tasks.task: must be set";
    assert_eq!(lacks(|register| register.tasks[0].task = None), task);
    let latest = "register.tasks.latest: must be set";
    assert_eq!(lacks(|register| register.tasks[0].latest = None), latest);
    let id = "register.tasks.framework_id: must be set";
    assert_eq!(lacks(|register| register.tasks[0].framework_id = None), id);
    let status = said(agent_message::Message::StatusUpdate(
        services::StatusUpdate::default(),
    ));
    assert_eq!(status.unwrap_err(), "status_update.status: must be set");
}

#[test]
fn an_update_keeps_its_uuid_and_the_newest_state() {
    let update = services::StatusUpdate {
        framework_id: Some(v1::FrameworkId {
            value: "f".to_owned(),
        }),
        status: Some(v1::TaskStatus {
            task_id: v1::TaskId {
                value: "t".to_owned(),
            },
            state: v1::TaskState::TaskRunning.into(),
            uuid: Some(vec![7; 16]),
            ..Default::default()
        }),
        latest_state: v1::TaskState::TaskFinished.into(),
    };
    let AgentReport::Update {
        status,
        latest_state,
        ..
    } = said(agent_message::Message::StatusUpdate(update)).unwrap()
    else {
        panic!();
    };
    assert_eq!(status.uuid, Some(StatusUuid::from_bytes([7; 16])));
    assert_eq!(latest_state, TaskState::Finished);
}

#[test]
fn a_registration_with_too_many_tasks_is_refused() {
    let mut register = registration();
    let task = register.tasks.remove(0);
    register.tasks = vec![task; limits::MAX_TASKS_PER_REGISTRATION + 1];
    let error = said(agent_message::Message::Register(register)).unwrap_err();
    assert_eq!(
        error,
        "register.tasks: has 100001 items, 100000 are allowed"
    );
}

#[test]
fn an_agent_of_absurd_size_is_refused_and_the_largest_there_may_be_is_not() {
    let claims = |resources: &str| {
        let mut register = registration();
        register.agent = Some(v1::AgentInfo::clone(&agent_info("one", resources).wire));
        said(agent_message::Message::Register(register)).map(|_| ())
    };
    assert_eq!(claims("cpus:65536;mem:268435456;gpus:4096"), Ok(()));
    let pebibyte = claims("cpus:4;mem:1073741824").unwrap_err();
    assert_eq!(
        pebibyte,
        "register.agent.resources: mem:1073741824 is more than one machine can have, which is \
         268435456"
    );
    assert!(claims("cpus:40000;cpus(a):40000").is_err(), "in all");
    assert!(claims("gpus:5000").is_err());
}

#[test]
fn quantities_of_an_agent_that_are_none_are_refused() {
    // Exactly 0 is as good as not naming the kind; what rounds to it is not.
    for value in [
        -1.0,
        f64::NAN,
        f64::INFINITY,
        f64::NEG_INFINITY,
        1e300,
        0.0001,
    ] {
        let mut register = registration();
        let agent = register.agent.as_mut().unwrap();
        agent.resources[0].scalar = Some(v1::value::Scalar { value });
        let error = said(agent_message::Message::Register(register)).unwrap_err();
        assert!(
            error.starts_with("register.agent: AgentInfo.resources"),
            "{value}: {error}"
        );
    }
}

fn sent(command: AgentCommand) -> master_message::Message {
    MasterMessage::from(command).message.unwrap()
}

#[test]
fn every_command_goes_to_the_wire() {
    use master_message::Message;
    let framework_id = FrameworkId::new("f").unwrap();
    let task_id = TaskId::new("t").unwrap();
    let registered = sent(AgentCommand::Registered {
        agent_id: AgentId::new("a").unwrap(),
        master: Arc::new(v1::MasterInfo::default()),
        silence_limit: Duration::from_secs(75),
    });
    let Message::Registered(registered) = registered else {
        panic!()
    };
    assert_eq!(
        registered.silence_limit.unwrap().nanoseconds,
        75_000_000_000
    );
    assert!(matches!(sent(AgentCommand::Ping), Message::Ping(_)));
    let kill = |grace| AgentCommand::KillTask {
        framework_id: framework_id.clone(),
        task_id: task_id.clone(),
        grace,
        preempted: Some(Arc::from("by b")),
    };
    let Message::KillTask(own) = sent(kill(None)) else {
        panic!()
    };
    assert_eq!(own.kill_policy, None);
    assert_eq!(own.preempted(), "by b");
    let Message::KillTask(told) = sent(kill(Some(Duration::from_nanos(3)))) else {
        panic!()
    };
    assert_eq!(
        told.kill_policy.unwrap().grace_period.unwrap().nanoseconds,
        3
    );
    let uuid = StatusUuid::from_bytes([9; 16]);
    let acknowledge = AgentCommand::Acknowledge {
        framework_id: framework_id.clone(),
        task_id,
        uuid,
    };
    let Message::Acknowledge(acknowledge) = sent(acknowledge) else {
        panic!()
    };
    assert_eq!(acknowledge.uuid, [9; 16]);
    let shutdown = sent(AgentCommand::ShutdownFramework { framework_id });
    assert!(matches!(shutdown, Message::ShutdownFramework(_)));
    let refused = AgentCommand::Refused {
        message: "no".to_owned(),
        forget_identity: true,
        shut_down: false,
    };
    let Message::Refused(refused) = sent(refused) else {
        panic!()
    };
    assert!(refused.forget_identity);
}
