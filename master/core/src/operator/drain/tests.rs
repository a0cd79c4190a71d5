//! Tests of the module that this one belongs to.

use tepui_model::{AgentCapabilities, AgentCapability, AgentId, TaskState};
use tepui_proto::v1::{
    self,
    master::{Call, call, response::get_agents::Agent},
};

use crate::{
    AgentCommand, ConnectionId, FrameworkEvent, OperatorError, RecordKind, Registration,
    testing::{Cluster, Node, Scheduler, agent_info, aware, names, seconds},
};

type Grace = v1::master::call::DrainAgent;

fn drain(id: &AgentId, mark_gone: bool) -> Grace {
    call::DrainAgent {
        agent_id: id.into(),
        max_grace_period: None,
        mark_gone: Some(mark_gone),
    }
}

fn operate(cluster: &mut Cluster, kind: call::Type, id: &AgentId) -> Result<(), OperatorError> {
    let id = v1::AgentId::from(id);
    let call = Call {
        r#type: Some(kind.into()),
        deactivate_agent: Some(call::DeactivateAgent {
            agent_id: id.clone(),
        }),
        reactivate_agent: Some(call::ReactivateAgent {
            agent_id: id.clone(),
        }),
        mark_agent_gone: Some(call::MarkAgentGone { agent_id: id }),
        ..Call::default()
    };
    cluster.v1(call).map(drop)
}

fn drain_with(cluster: &mut Cluster, drain_agent: Grace) -> Result<(), OperatorError> {
    let call = Call {
        r#type: Some(call::Type::DrainAgent.into()),
        drain_agent: Some(drain_agent),
        ..Call::default()
    };
    cluster.v1(call).map(drop)
}

fn registration() -> Registration {
    Registration {
        capabilities: AgentCapabilities::NONE.with(AgentCapability::AgentDraining),
        ..Registration::new(agent_info("one", "cpus:4;mem:1024"))
    }
}

fn register(cluster: &mut Cluster) -> Node {
    let connection = cluster.try_register(registration());
    let commands = cluster.commands(connection);
    let id = commands.iter().find_map(|command| match command {
        AgentCommand::Registered { agent_id, .. } => Some(agent_id.clone()),
        _ => None,
    });
    let id = id.expect("Registered");
    Node {
        connection,
        info: registration().info.with_id(id.clone()),
        id,
    }
}

/// The agent comes back without tasks.
fn come_back(cluster: &mut Cluster, node: &Node) -> ConnectionId {
    cluster.try_register(Registration {
        info: node.info.clone(),
        ..registration()
    })
}

fn running() -> (Cluster, Scheduler, Node) {
    let mut cluster = Cluster::new();
    let scheduler = cluster.subscribe(aware());
    let node = register(&mut cluster);
    cluster.settle();
    cluster.launch(&scheduler, "t", "cpus:1");
    let uuid = cluster.report(&node, &scheduler.id, "t", TaskState::Running);
    cluster.acknowledge(&scheduler, &node, "t", uuid);
    cluster.settle();
    cluster.events(scheduler.connection);
    cluster.commands(node.connection);
    (cluster, scheduler, node)
}

fn shown(cluster: &Cluster) -> Agent {
    cluster.snapshot().get_agents().agents.remove(0)
}

fn state(cluster: &Cluster) -> Option<v1::DrainState> {
    shown(cluster).drain_info.map(|info| info.state())
}

fn end_task(cluster: &mut Cluster, scheduler: &Scheduler, node: &Node) {
    let uuid = cluster.report(node, &scheduler.id, "t", TaskState::Killed);
    assert_eq!(state(cluster), Some(v1::DrainState::Draining));
    cluster.acknowledge(scheduler, node, "t", uuid);
}

/// Whether the registry has no agent that is deactivated or draining.
fn is_none_kept_out(cluster: &Cluster) -> bool {
    let mut kinds = cluster.registry.keys().map(|(kind, _)| *kind);
    kinds.all(|kind| kind != RecordKind::Deactivated)
}

#[test]
fn a_deactivated_agent_is_not_offered_and_its_tasks_go_on() {
    let (mut cluster, scheduler, node) = running();
    operate(&mut cluster, call::Type::DeactivateAgent, &node.id).unwrap();
    let events = cluster.events(scheduler.connection);
    assert!(
        matches!(events[..], [FrameworkEvent::Rescind(_)]),
        "{events:?}"
    );
    cluster.pass(seconds(60));
    assert!(cluster.offers(&scheduler).is_empty());
    assert!(
        cluster
            .commands(node.connection)
            .iter()
            .all(|it| matches!(it, AgentCommand::Ping))
    );
    assert_eq!(cluster.state_of("t"), ["TASK_RUNNING"]);
    let shown = shown(&cluster);
    assert_eq!((shown.active, shown.deactivated), (false, Some(true)));
    operate(&mut cluster, call::Type::ReactivateAgent, &node.id).unwrap();
    cluster.settle();
    assert_eq!(cluster.offers(&scheduler).len(), 1);
    assert!(is_none_kept_out(&cluster));
}

#[test]
fn a_drain_ends_when_the_last_end_is_acknowledged() {
    let (mut cluster, scheduler, node) = running();
    let ask = call::DrainAgent {
        max_grace_period: Some(core::time::Duration::from_millis(1500).try_into().unwrap()),
        ..drain(&node.id, false)
    };
    drain_with(&mut cluster, ask).unwrap();
    let commands = cluster.commands(node.connection);
    let [
        AgentCommand::Drain {
            max_grace_period,
            mark_gone: false,
        },
    ] = commands[..]
    else {
        panic!("{commands:?}");
    };
    assert_eq!(
        max_grace_period,
        Some(core::time::Duration::from_millis(1500))
    );
    let info = shown(&cluster).drain_info.unwrap();
    let grace = info.config.max_grace_period.unwrap().nanoseconds;
    assert_eq!((grace, info.config.mark_gone), (1_500_000_000, Some(false)));
    assert!(shown(&cluster).estimated_drain_start_time.is_some());
    let refused = operate(&mut cluster, call::Type::ReactivateAgent, &node.id).unwrap_err();
    assert_eq!(refused.to_string(), "Agent is still in the DRAINING state");
    end_task(&mut cluster, &scheduler, &node);
    assert_eq!(state(&cluster), Some(v1::DrainState::Drained));
    cluster.pass(seconds(10));
    assert!(cluster.offers(&scheduler).is_empty());
    operate(&mut cluster, call::Type::ReactivateAgent, &node.id).unwrap();
    assert_eq!(state(&cluster), None);
}

#[test]
fn an_agent_without_tasks_is_drained_at_once() {
    let mut cluster = Cluster::new();
    let node = register(&mut cluster);
    drain_with(&mut cluster, drain(&node.id, false)).unwrap();
    assert_eq!(state(&cluster), Some(v1::DrainState::Drained));
}

#[test]
fn a_drain_outlives_the_master_and_is_told_again() {
    let (mut cluster, scheduler, mut node) = running();
    drain_with(&mut cluster, drain(&node.id, false)).unwrap();
    cluster.restart();
    assert_eq!(cluster.snapshot().get_agents().recovered_agents.len(), 1);
    let tasks = [("t", "cpus:1", TaskState::Running)];
    cluster.reregister(&mut node, Some((&scheduler.id, aware())), &tasks);
    assert_eq!(
        names(&cluster.commands(node.connection)),
        ["registered", "drain"]
    );
    assert_eq!(state(&cluster), Some(v1::DrainState::Draining));
    let uuid = cluster.report(&node, &scheduler.id, "t", TaskState::Killed);
    let again = tepui_model::FrameworkInfo::with_id(aware(), scheduler.id.clone());
    let scheduler = cluster.subscribe(again);
    cluster.acknowledge(&scheduler, &node, "t", uuid);
    assert_eq!(state(&cluster), Some(v1::DrainState::Drained));
    cluster.restart();
    come_back(&mut cluster, &node);
    assert_eq!(state(&cluster), Some(v1::DrainState::Drained));
}

#[test]
fn an_unreachable_agent_is_drained_when_it_returns() {
    let (mut cluster, scheduler, mut node) = running();
    cluster.disconnect_agent(&node);
    cluster.pass(seconds(80));
    assert!(cluster.snapshot().get_agents().agents.is_empty());
    drain_with(&mut cluster, drain(&node.id, true)).unwrap();
    cluster.events(scheduler.connection);
    let tasks = [("t", "cpus:1", TaskState::Running)];
    cluster.reregister(&mut node, Some((&scheduler.id, aware())), &tasks);
    assert_eq!(
        names(&cluster.commands(node.connection)),
        ["registered", "drain"]
    );
    end_task(&mut cluster, &scheduler, &node);
    assert_eq!(
        names(&cluster.commands(node.connection)),
        ["acknowledge t", "refused for ever"]
    );
    assert!(cluster.snapshot().get_agents().agents.is_empty());
    assert!(is_none_kept_out(&cluster));
}

#[test]
fn a_drained_agent_that_was_to_be_gone_is_told_to_end_whenever_it_returns() {
    let mut cluster = Cluster::new();
    let node = register(&mut cluster);
    drain_with(&mut cluster, drain(&node.id, true)).unwrap();
    assert!(cluster.cut_agents.contains(&node.connection));
    cluster.restart();
    let connection = come_back(&mut cluster, &node);
    let commands = cluster.commands(connection);
    let [AgentCommand::Refused { shut_down, .. }] = commands[..] else {
        panic!("{commands:?}");
    };
    assert!(shut_down);
}

#[test]
fn what_cannot_be_done_is_refused_and_changes_nothing() {
    let (mut cluster, _, node) = running();
    let before = cluster.registry.clone();
    let stranger = AgentId::new("m-S9").unwrap();
    let kinds = [call::Type::DeactivateAgent, call::Type::ReactivateAgent];
    for kind in kinds {
        let refused = operate(&mut cluster, kind, &stranger).unwrap_err();
        assert_eq!(
            refused,
            OperatorError::Invalid("Unknown agent m-S9".to_owned())
        );
    }
    let refused = operate(&mut cluster, call::Type::ReactivateAgent, &node.id).unwrap_err();
    assert_eq!(refused.to_string(), "Agent is not deactivated");
    let mut ask = drain(&node.id, false);
    ask.agent_id.value = "a/b".to_owned();
    assert!(drain_with(&mut cluster, ask).is_err());
    for (seconds, nanos) in [(-1, 0), (0, -1), (1, 1_000_000_000)] {
        let mut grace: Grace = drain(&node.id, false);
        let period = core::time::Duration::ZERO.try_into().unwrap();
        let period = grace.max_grace_period.insert(period);
        (period.seconds, period.nanos) = (seconds, nanos);
        assert!(
            drain_with(&mut cluster, grace).is_err(),
            "{seconds} {nanos}"
        );
    }
    cluster.try_register(Registration::new(agent_info("old", "cpus:1")));
    let old = AgentId::new("m-S1").unwrap();
    let refused = drain_with(&mut cluster, drain(&old, false)).unwrap_err();
    assert_eq!(refused.to_string(), "Agent is not capable of draining");
    cluster
        .registry
        .remove(&(RecordKind::Agent, old.to_string()));
    assert_eq!(cluster.registry, before);
}
