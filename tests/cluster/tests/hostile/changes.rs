//! What a wrong or hostile operator or agent may ask for: it is refused whole, and nothing is
//! different afterwards.

use tepui_cluster_tests::Cluster;
use tepui_proto::services::{
    AgentMessage, Register, agent_link_client::AgentLinkClient, agent_message::Message,
    master_message,
};
use tepui_sdk::{
    Operator,
    v1::{
        self,
        master::{Call, call, call::Type},
        quota::QuotaConfig,
        resource,
        value::Scalar,
    },
};
use tokio_stream::wrappers::ReceiverStream;

/// Numbers that are no quantity.
const NONSENSE: [f64; 6] = [
    -1.0,
    f64::NAN,
    f64::INFINITY,
    f64::NEG_INFINITY,
    1e300,
    -0.001,
];

/// Names that are no role (Mesos: ROL-01).
const NO_ROLES: [&str; 12] = [
    "", "/", "/a", "a/", "a//b", ".", "..", "a/..", "a/*", "-a", "a b", "a\u{7f}",
];

fn scalar(name: &str, value: f64) -> v1::Resource {
    v1::Resource {
        name: name.to_owned(),
        r#type: v1::value::Type::Scalar.into(),
        scalar: Some(Scalar { value }),
        ..Default::default()
    }
}

fn reserved(role: &str, value: f64) -> v1::Resource {
    let reservation = resource::ReservationInfo {
        r#type: Some(resource::reservation_info::Type::Dynamic.into()),
        role: Some(role.to_owned()),
        ..Default::default()
    };
    v1::Resource {
        reservations: vec![reservation],
        ..scalar("cpus", value)
    }
}

/// Everything that a change could have changed.
async fn everything(operator: &Operator) -> String {
    let agents = operator.agents().await.unwrap().agents.into_iter();
    let agents: Vec<_> = agents
        .map(|it| (it.total_resources, it.deactivated, it.drain_info))
        .collect();
    format!(
        "{:?} {:?} {:?} {:?} {agents:?}",
        operator.quota().await.unwrap(),
        operator.weights().await.unwrap(),
        operator.maintenance_schedule().await.unwrap(),
        operator.operations().await.unwrap(),
    )
}

/// Asks for each in turn, on a cluster of one agent with a quota and a weight.
fn expect_refusals(calls: impl FnOnce(&v1::AgentId) -> Vec<(String, Call)>) {
    let cluster = Cluster::start(1);
    cluster
        .tepui(&["quota", "set", "kept", "--limit", "cpus:1"])
        .ok();
    cluster.tepui(&["weight", "set", "kept=2"]).ok();
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let operator = Operator::connect(cluster.master.address()).await.unwrap();
        let before = everything(&operator).await;
        let agent = operator.agents().await.unwrap().agents.remove(0);
        for (what, call) in calls(&agent.agent_info.id.unwrap()) {
            let answer = operator.call(call).await;
            let problem = answer.expect_err(&what).to_string();
            assert!(problem.len() > 10, "{what}: {problem}");
            assert_eq!(everything(&operator).await, before, "{what}: {problem}");
        }
    });
    super::expect_alive(&cluster);
}

fn of(kind: Type) -> Call {
    Call {
        r#type: Some(kind.into()),
        ..Default::default()
    }
}

fn quotas(configs: [QuotaConfig; 2]) -> Call {
    Call {
        update_quota: Some(call::UpdateQuota {
            // Even by force.
            force: Some(true),
            quota_configs: configs.into(),
        }),
        ..of(Type::UpdateQuota)
    }
}

fn quota(role: &str, guarantee: Option<f64>, limit: Option<f64>) -> QuotaConfig {
    let map = |value: Option<f64>| {
        value
            .map(|value| ("cpus".to_owned(), Scalar { value }))
            .into_iter()
            .collect()
    };
    QuotaConfig {
        role: role.to_owned(),
        guarantees: map(guarantee),
        limits: map(limit),
    }
}

fn weights(weights: &[(&str, f64)]) -> Call {
    let info = |(role, weight): &(&str, f64)| v1::WeightInfo {
        role: Some((*role).to_owned()),
        weight: *weight,
    };
    Call {
        update_weights: Some(call::UpdateWeights {
            weight_infos: weights.iter().map(info).collect(),
        }),
        ..of(Type::UpdateWeights)
    }
}

fn reserve(agent: &v1::AgentId, resources: Vec<v1::Resource>) -> Call {
    Call {
        reserve_resources: Some(call::ReserveResources {
            agent_id: agent.clone(),
            source: Vec::new(),
            resources,
        }),
        ..of(Type::ReserveResources)
    }
}

fn create(agent: &v1::AgentId, megabytes: f64) -> Call {
    let mut volume = reserved("a", megabytes);
    "disk".clone_into(&mut volume.name);
    volume.disk = Some(resource::DiskInfo {
        persistence: Some(resource::disk_info::Persistence {
            id: "v".to_owned(),
            principal: None,
        }),
        volume: Some(v1::Volume {
            mode: v1::volume::Mode::Rw.into(),
            container_path: "v".to_owned(),
            ..Default::default()
        }),
        ..Default::default()
    });
    Call {
        create_volumes: Some(call::CreateVolumes {
            agent_id: agent.clone(),
            volumes: vec![volume],
        }),
        ..of(Type::CreateVolumes)
    }
}

#[test]
fn quantities_that_are_none_change_nothing() {
    expect_refusals(|agent| {
        let good = || quota("good", None, Some(2.0));
        let each = NONSENSE.into_iter().flat_map(|value| {
            let guarantee = quota("x", Some(value), None);
            [
                ("guarantee", quotas([good(), guarantee])),
                ("limit", quotas([good(), quota("x", None, Some(value))])),
                ("weight", weights(&[("good", 3.0), ("x", value)])),
                (
                    "reservation",
                    reserve(agent, vec![reserved("a", 1.0), reserved("a", value)]),
                ),
                ("volume", create(agent, value)),
            ]
            .map(|(what, call)| (format!("{what} of {value}"), call))
        });
        let nothing = [
            ("a weight of 0".to_owned(), weights(&[("x", 0.0)])),
            (
                "a reservation of 0".to_owned(),
                reserve(agent, vec![reserved("a", 0.0)]),
            ),
        ];
        each.chain(nothing).collect()
    });
}

#[test]
fn names_that_are_no_role_change_nothing() {
    expect_refusals(|agent| {
        let each = NO_ROLES.into_iter().flat_map(|name| {
            [
                (
                    "quota",
                    quotas([quota("good", None, Some(2.0)), quota(name, None, Some(1.0))]),
                ),
                ("weight", weights(&[("good", 3.0), (name, 2.0)])),
                (
                    "reservation",
                    reserve(agent, vec![reserved("a", 1.0), reserved(name, 0.5)]),
                ),
            ]
            .map(|(what, call)| (format!("{what} of {name:?}"), call))
        });
        each.collect()
    });
}

#[test]
fn what_is_not_there_cannot_be_changed() {
    expect_refusals(|agent| {
        let nobody = v1::AgentId {
            value: "nobody".to_owned(),
        };
        let calls = [
            (
                "more than there is",
                reserve(agent, vec![reserved("a", 64.0)]),
            ),
            ("of nobody", reserve(&nobody, vec![reserved("a", 1.0)])),
            ("a volume of disk that is not reserved", create(agent, 64.0)),
            ("drain without a body", of(Type::DrainAgent)),
            (
                "drain of nobody",
                Call {
                    drain_agent: Some(call::DrainAgent {
                        agent_id: nobody.clone(),
                        ..Default::default()
                    }),
                    ..of(Type::DrainAgent)
                },
            ),
            (
                "reactivation of what is active",
                Call {
                    reactivate_agent: Some(call::ReactivateAgent {
                        agent_id: agent.clone(),
                    }),
                    ..of(Type::ReactivateAgent)
                },
            ),
            (
                "gone, and nobody",
                Call {
                    mark_agent_gone: Some(call::MarkAgentGone { agent_id: nobody }),
                    ..of(Type::MarkAgentGone)
                },
            ),
        ];
        calls.map(|(what, call)| (what.to_owned(), call)).into()
    });
}

fn schedule(machines: &[v1::MachineId], nanoseconds: i64) -> Call {
    let window = v1::maintenance::Window {
        machine_ids: machines.to_vec(),
        unavailability: v1::Unavailability {
            start: v1::TimeInfo { nanoseconds: 1 },
            duration: Some(v1::DurationInfo { nanoseconds }),
        },
    };
    let windows = vec![window];
    Call {
        update_maintenance_schedule: Some(call::UpdateMaintenanceSchedule {
            schedule: v1::maintenance::Schedule { windows },
        }),
        ..of(Type::UpdateMaintenanceSchedule)
    }
}

#[test]
fn a_schedule_that_makes_no_sense_changes_nothing() {
    expect_refusals(|_| {
        let machine = v1::MachineId {
            hostname: Some("x".to_owned()),
            ip: None,
        };
        let twice = [machine.clone(), machine.clone()];
        let down = Call {
            start_maintenance: Some(call::StartMaintenance {
                machines: vec![machine.clone()],
            }),
            ..of(Type::StartMaintenance)
        };
        let calls = [
            ("a window without machines", schedule(&[], 1)),
            ("a machine twice", schedule(&twice, 1)),
            (
                "a window that ends before it starts",
                schedule(&[machine], -1),
            ),
            ("a machine down that is not in the schedule", down),
        ];
        calls.map(|(what, call)| (what.to_owned(), call)).into()
    });
}

#[test]
fn an_agent_that_claims_nonsense_is_not_taken_in() {
    let cluster = Cluster::start(1);
    let pebibyte = f64::from(1 << 30);
    let claims = [
        ("mem", pebibyte),
        ("cpus", 1e6),
        // Nothing, once it is rounded.
        ("cpus", 0.0004),
        ("disk", 1e12),
    ];
    let claims = claims
        .into_iter()
        .chain(NONSENSE.map(|value| ("cpus", value)));
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        for (name, value) in claims {
            let address = format!("http://{}", cluster.master.address());
            let mut client = AgentLinkClient::connect(address).await.unwrap();
            let agent = v1::AgentInfo {
                hostname: "liar".to_owned(),
                resources: vec![scalar("mem", 64.0), scalar(name, value)],
                ..Default::default()
            };
            let register = AgentMessage {
                message: Some(Message::Register(Register {
                    agent: Some(agent),
                    version: "1".to_owned(),
                    ..Default::default()
                })),
            };
            let (reports, outgoing) = tokio::sync::mpsc::channel(1);
            reports.send(register).await.unwrap();
            let answer = client.open(ReceiverStream::new(outgoing)).await;
            let refused = match answer {
                Err(_) => true,
                Ok(stream) => match stream.into_inner().message().await {
                    Ok(Some(said)) => {
                        matches!(said.message, Some(master_message::Message::Refused(_)))
                    }
                    _ => true,
                },
            };
            assert!(refused, "{name}:{value}");
        }
    });
    let agents = cluster.json(&["agents"])["agents"]
        .as_array()
        .unwrap()
        .len();
    assert_eq!(agents, 1);
    super::expect_alive(&cluster);
}
