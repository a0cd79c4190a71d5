//! Tests of the module that this one belongs to.

use tepui_model::{Quantity, Resources, Traits};
use tepui_proto::v1::{
    self,
    master::{Call, call},
};

use crate::{
    OperationState::Finished,
    OperatorError, Registration,
    testing::{
        Cluster, Node, agent_info, names,
        operations::{launch, reserved, volume, web_pair},
        refining, resources, task_info,
    },
};

fn reserve(
    cluster: &mut Cluster,
    node: &Node,
    source: &Resources,
    wanted: &Resources,
) -> Result<(), OperatorError> {
    let call = Call {
        r#type: Some(call::Type::ReserveResources.into()),
        reserve_resources: Some(call::ReserveResources {
            agent_id: (&node.id).into(),
            source: source.to_proto(None),
            resources: wanted.to_proto(None),
        }),
        ..Call::default()
    };
    cluster.v1(call).map(drop)
}

fn reserve_new(
    cluster: &mut Cluster,
    node: &Node,
    text: &str,
    role: &str,
) -> Result<(), OperatorError> {
    reserve(cluster, node, &Resources::new(), &reserved(text, role))
}

fn unreserve(cluster: &mut Cluster, node: &Node, what: &Resources) -> Result<(), OperatorError> {
    let call = Call {
        r#type: Some(call::Type::UnreserveResources.into()),
        unreserve_resources: Some(call::UnreserveResources {
            agent_id: (&node.id).into(),
            resources: what.to_proto(None),
        }),
        ..Call::default()
    };
    cluster.v1(call).map(drop)
}

#[test]
fn an_operator_reserves_what_is_free_and_takes_it_back() {
    let mut cluster = Cluster::new();
    let node = cluster.register("one", "cpus:4;mem:1024");
    reserve_new(&mut cluster, &node, "cpus:1", "web").unwrap();
    let told = cluster.applied(&node);
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].1.id, None);
    let shared = resources("cpus:3;mem:1024") + &reserved("cpus:1", "web");
    assert_eq!(cluster.total(&node), shared);
    let roles = cluster.master.get_roles().roles;
    assert!(roles.iter().any(|role| role.name == "web"));
    cluster.report_operation(&node, told[0].0, Finished);
    let told = cluster.commands(node.connection);
    assert_eq!(names(&told), ["acknowledge an operation"]);
    unreserve(&mut cluster, &node, &reserved("cpus:1", "web")).unwrap();
    assert_eq!(cluster.total(&node), resources("cpus:4;mem:1024"));
}

#[test]
fn offers_are_taken_back_only_as_far_as_they_are_needed() {
    let mut cluster = Cluster::new();
    let scheduler = cluster.subscribe(crate::testing::of_roles(&["web"]));
    let node = cluster.register("one", "cpus:4;mem:1024");
    cluster.settle();
    // Two offers of one agent: a rest of the first comes back as another.
    let first = cluster.offer(&scheduler);
    let task = task_info("t", &node.id, "cpus:2;mem:512");
    cluster.accept_with(&scheduler, &[&first.id], vec![launch(vec![task])]);
    cluster.settle();
    let second = cluster.offer(&scheduler);
    cluster.report(&node, &scheduler.id, "t", tepui_model::TaskState::Finished);
    cluster.settle();
    let third = cluster.offer(&scheduler);
    reserve_new(&mut cluster, &node, "cpus:1", "db").unwrap();
    let left = cluster.master.offers_to(None);
    assert_eq!(left.len(), 1, "one of the two is enough");
    assert!([&second.id, &third.id].contains(&&left[0].id));
    reserve_new(&mut cluster, &node, "cpus:3", "db").unwrap();
    assert!(cluster.master.offers_to(None).is_empty());
}

#[test]
fn what_tasks_use_is_not_there_for_operators_and_no_offer_suffers() {
    let (mut cluster, scheduler, node) = web_pair();
    let task = task_info("t", &node.id, "cpus:2");
    cluster.do_all(&scheduler, vec![launch(vec![task])]);
    cluster.settle();
    let before = cluster.total(&node);
    let refused = reserve_new(&mut cluster, &node, "cpus:3", "web").unwrap_err();
    assert!(matches!(refused, OperatorError::Conflict(_)), "{refused}");
    assert_eq!(cluster.total(&node), before);
    assert_eq!(cluster.master.offers_to(None).len(), 1);
    assert!(cluster.applied(&node).is_empty());
}

#[test]
fn what_makes_no_sense_is_invalid_and_changes_nothing() {
    let (mut cluster, _, node) = web_pair();
    let before = cluster.total(&node);
    let plain = resources("cpus:1");
    for wanted in [Resources::new(), plain, resources("cpus(web):1")] {
        let refused = reserve(&mut cluster, &node, &Resources::new(), &wanted).unwrap_err();
        assert!(matches!(refused, OperatorError::Invalid(_)), "{refused}");
    }
    let stranger = Node {
        id: tepui_model::AgentId::new("x-S1").unwrap(),
        ..node.clone()
    };
    assert_eq!(
        reserve_new(&mut cluster, &stranger, "cpus:1", "web"),
        Err(OperatorError::Invalid(
            "No agent found with specified ID".to_owned()
        ))
    );
    let empty = Call {
        r#type: Some(call::Type::CreateVolumes.into()),
        ..Call::default()
    };
    let refused = cluster.v1(empty).unwrap_err();
    assert_eq!(refused.to_string(), "create_volumes must be set");
    assert_eq!(cluster.total(&node), before);
}

#[test]
fn a_reservation_is_refined_a_hundred_times_and_used_by_the_deepest_role() {
    let mut cluster = Cluster::new();
    let roles: Vec<String> = (1..=100).map(|depth| vec!["r"; depth].join("/")).collect();
    let scheduler = cluster.subscribe(refining(&[&roles[99]]));
    let node = cluster.register("one", "cpus:4;mem:1024");
    let mut stack = resources("cpus:1");
    for name in &roles {
        let below = reserved("cpus:1", name);
        let (top, ..) = below.bundles().next().unwrap();
        let top = top.reservations[0].clone();
        let refined = stack.with_traits(|traits| Traits {
            reservations: [&traits.reservations[..], std::slice::from_ref(&top)].concat(),
            ..traits.clone()
        });
        assert_eq!(
            reserve(&mut cluster, &node, &Resources::new(), &refined),
            Ok(())
        );
        stack = refined;
    }
    cluster.settle();
    let offer = cluster.offer(&scheduler);
    assert!(offer.resources.contains(&stack), "{}", offer.resources);
    let mut task = task_info("t", &node.id, "cpus:1");
    task.resources = stack.to_proto(None);
    cluster.commands(node.connection);
    cluster.accept(&scheduler, &[&offer.id], vec![task]);
    assert_eq!(names(&cluster.commands(node.connection)), ["run t"]);
}

#[test]
fn an_agent_that_is_away_gets_no_orders() {
    let (mut cluster, _, node) = web_pair();
    cluster.disconnect_agent(&node);
    let refused = reserve_new(&mut cluster, &node, "cpus:1", "web").unwrap_err();
    assert!(matches!(refused, OperatorError::Conflict(_)), "{refused}");
}

#[test]
fn a_reservation_is_changed_from_one_role_to_another() {
    let mut cluster = Cluster::new();
    let node = cluster.register("one", "cpus:4;mem:1024");
    reserve_new(&mut cluster, &node, "cpus:1", "a").unwrap();
    let (old, new) = (reserved("cpus:1", "a"), reserved("cpus:1", "b"));
    reserve(&mut cluster, &node, &old, &new).unwrap();
    assert_eq!(
        cluster.total(&node),
        resources("cpus:3;mem:1024") + &reserved("cpus:1", "b")
    );
    let more = reserved("cpus:2", "a");
    let refused = reserve(&mut cluster, &node, &new, &more).unwrap_err();
    assert!(matches!(refused, OperatorError::Invalid(_)), "{refused}");
}

fn volumes(cluster: &mut Cluster, call: Call) -> Result<(), OperatorError> {
    cluster.v1(call).map(drop)
}

#[test]
fn an_operator_makes_resizes_and_destroys_volumes() {
    let (mut cluster, _, node) = web_pair();
    let before = cluster.total(&node);
    reserve_new(&mut cluster, &node, "disk:100", "web").unwrap();
    let agent_id = v1::AgentId::from(&node.id);
    let wire = |volume: &Resources| volume.to_proto(None);
    let one = |volume: &Resources| volume.to_proto(None).remove(0);
    let create = Call {
        r#type: Some(call::Type::CreateVolumes.into()),
        create_volumes: Some(call::CreateVolumes {
            agent_id: agent_id.clone(),
            volumes: wire(&volume("data", 60, "web")),
        }),
        ..Call::default()
    };
    volumes(&mut cluster, create.clone()).unwrap();
    assert!(cluster.total(&node).contains(&volume("data", 60, "web")));
    let refused = volumes(&mut cluster, create).unwrap_err();
    assert_eq!(refused.to_string(), "Persistence ID 'data' is not unique");
    let grow = Call {
        r#type: Some(call::Type::GrowVolume.into()),
        grow_volume: Some(call::GrowVolume {
            agent_id: Some(agent_id.clone()),
            volume: one(&volume("data", 60, "web")),
            addition: one(&reserved("disk:40", "web")),
        }),
        ..Call::default()
    };
    volumes(&mut cluster, grow.clone()).unwrap();
    let nowhere = Call {
        grow_volume: grow.grow_volume.map(|grow| call::GrowVolume {
            agent_id: None,
            ..grow
        }),
        ..grow
    };
    let refused = volumes(&mut cluster, nowhere).unwrap_err();
    assert_eq!(refused.to_string(), "grow_volume.agent_id must be set");
    let shrink = Call {
        r#type: Some(call::Type::ShrinkVolume.into()),
        shrink_volume: Some(call::ShrinkVolume {
            agent_id: Some(agent_id.clone()),
            volume: one(&volume("data", 100, "web")),
            subtract: v1::value::Scalar {
                value: Quantity::from_units(30).as_f64(),
            },
        }),
        ..Call::default()
    };
    volumes(&mut cluster, shrink).unwrap();
    let destroy = Call {
        r#type: Some(call::Type::DestroyVolumes.into()),
        destroy_volumes: Some(call::DestroyVolumes {
            agent_id,
            volumes: wire(&volume("data", 70, "web")),
        }),
        ..Call::default()
    };
    volumes(&mut cluster, destroy).unwrap();
    unreserve(&mut cluster, &node, &reserved("disk:100", "web")).unwrap();
    assert_eq!(cluster.total(&node), before);
    assert_eq!(cluster.applied(&node).len(), 6);
}

#[test]
fn an_agent_of_an_old_kind_gets_no_orders() {
    let mut cluster = Cluster::new();
    let info = agent_info("one", "cpus:4;mem:1024");
    let connection = cluster.try_register(Registration::new(info.clone()));
    let id = tepui_model::AgentId::new("m-S0").unwrap();
    let node = Node {
        connection,
        id,
        info,
    };
    let refused = reserve_new(&mut cluster, &node, "cpus:1", "web").unwrap_err();
    assert!(matches!(refused, OperatorError::Conflict(_)), "{refused}");
}
