//! Tests of the agent as a whole, and what tests elsewhere build on.

mod checking;
mod draining;
mod executing;
mod guests;
mod histories;
mod imaging;
mod node;
mod operating;
mod pods;
mod preempting;
mod recovering;
mod stories;

use tepui_model::{AgentInfo, FrameworkInfo, Resources, Role, TaskInfo};
use tepui_proto::v1;

use crate::{Agent, Config, TaskKey};

pub(crate) fn config() -> Config {
    let resources: Resources = "cpus:8;mem:8192;ports:[31000-32000]".parse().unwrap();
    let wire = v1::AgentInfo {
        hostname: "host".to_owned(),
        resources: resources.to_proto(None),
        ..v1::AgentInfo::default()
    };
    let mut config = Config::new(
        AgentInfo::try_from(wire).unwrap(),
        "/var/lib/tepui/agent",
        1,
    );
    config.executable = Some("/usr/bin/tepui".into());
    config
}

pub(crate) fn framework(id: &str) -> FrameworkInfo {
    FrameworkInfo::try_from(wire_framework(id)).unwrap()
}

fn wire_framework(id: &str) -> v1::FrameworkInfo {
    v1::FrameworkInfo {
        id: Some(v1::FrameworkId {
            value: id.to_owned(),
        }),
        name: id.to_owned(),
        user: "nobody".to_owned(),
        ..v1::FrameworkInfo::default()
    }
}

/// A framework that knows `TASK_KILLING`, and `TASK_GONE` from `TASK_LOST`.
fn modern(id: &str) -> FrameworkInfo {
    use v1::framework_info::{Capability, capability::Type};
    let capability = |kind: Type| Capability {
        r#type: Some(kind.into()),
    };
    let capabilities = [Type::TaskKillingState, Type::PartitionAware]
        .map(capability)
        .to_vec();
    FrameworkInfo::try_from(v1::FrameworkInfo {
        capabilities,
        ..wire_framework(id)
    })
    .unwrap()
}

pub(crate) fn wire_task(id: &str) -> v1::TaskInfo {
    let resources: Resources = "cpus:1;mem:64".parse().unwrap();
    v1::TaskInfo {
        name: id.to_owned(),
        task_id: v1::TaskId {
            value: id.to_owned(),
        },
        agent_id: v1::AgentId {
            value: "m-S0".to_owned(),
        },
        resources: resources.to_proto(Some(&Role::default())),
        command: Some(v1::CommandInfo {
            value: Some("sleep 1000".to_owned()),
            ..v1::CommandInfo::default()
        }),
        ..v1::TaskInfo::default()
    }
}

pub(crate) fn sleeper(id: &str) -> TaskInfo {
    TaskInfo::try_from(wire_task(id)).unwrap()
}

/// An agent with one running task, whose update waits for its acknowledgement.
pub(crate) fn running() -> (Agent, TaskKey) {
    let mut node = node::Node::registered();
    node.run("t");
    node.start();
    let key = TaskKey::new(framework("f").id.as_ref().unwrap(), &sleeper("t").id);
    (node.agent, key)
}
