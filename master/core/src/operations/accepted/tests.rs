//! Tests of the module that this one belongs to.

use tepui_model::{Quantity, ResourceOperation, Resources};

use crate::{
    OperationState::{Error, Finished},
    Registration,
    testing::{
        Cluster, Node, Scheduler, able, agent_info, names,
        operations::{
            create, destroy, launch, named, reserve, reserved, shared_volume, unreserve, volume,
            web_pair,
        },
        resources, task_info,
    },
};

/// Text of the one refusal that the framework hears for an operation named `o`.
fn refusal(cluster: &mut Cluster, scheduler: &Scheduler, operation: ResourceOperation) -> String {
    let total = cluster.snapshot().get_agents();
    cluster.do_all(scheduler, vec![named("o", operation)]);
    let (name, state, text) = cluster.operation_ends(scheduler).remove(0);
    assert_eq!((name.as_str(), state), ("o", Error));
    assert_eq!(
        cluster.snapshot().get_agents().agents[0].total_resources,
        total.agents[0].total_resources,
        "nothing changes"
    );
    cluster.settle();
    text
}

/// A reservation of disk, then a volume on it.
fn make_volume(cluster: &mut Cluster, scheduler: &Scheduler, id: &str, megabytes: u32) {
    let disk = reserved(&format!("disk:{megabytes}"), "web");
    let operations = vec![
        named("", reserve(&disk)),
        named("", create(&volume(id, megabytes, "web"))),
    ];
    cluster.do_all(scheduler, operations);
    cluster.settle();
}

#[test]
fn operations_of_one_accept_build_on_each_other_and_reach_the_agent_in_order() {
    let (mut cluster, scheduler, node) = web_pair();
    cluster.commands(node.connection);
    let data = volume("data", 64, "web");
    let task = {
        let mut task = task_info("t", &node.id, "cpus:1");
        let uses = resources("cpus:1") + &data;
        task.resources = uses.to_proto(None);
        task
    };
    let operations = vec![
        named("r", reserve(&reserved("disk:64", "web"))),
        named("c", create(&data)),
        launch(vec![task]),
    ];
    cluster.do_all(&scheduler, operations);
    let told = cluster.commands(node.connection);
    assert_eq!(names(&told), ["apply RESERVE", "apply CREATE", "run t"]);
    assert_eq!(cluster.operation_ends(&scheduler), []);
    let expected = resources("cpus:4;mem:1024;disk:936;ports:[1-9]") + &data;
    assert_eq!(cluster.total(&node), expected);
    let pending = ["r", "c"].map(|id| (id.to_owned(), "OPERATION_PENDING"));
    assert_eq!(cluster.shown_operations(), pending);
    assert_eq!(cluster.state_of("t"), ["TASK_STAGING"]);
}

#[test]
fn what_was_reserved_is_offered_to_its_role_only() {
    let (mut cluster, scheduler, node) = web_pair();
    let other = cluster.subscribe(crate::testing::of_roles(&["db"]));
    cluster.do_all(
        &scheduler,
        vec![named("", reserve(&reserved("cpus:4;mem:1024", "web")))],
    );
    cluster.settle();
    let held = reserved("cpus:4;mem:1024", "web");
    for offer in cluster.offers(&other) {
        assert_eq!(offer.resources.reserved(), Resources::new());
    }
    let own = cluster.offers(&scheduler);
    assert!(own.iter().any(|offer| offer.resources.contains(&held)));
    assert!(cluster.total(&node).contains(&held));
}

#[test]
fn a_framework_reserves_for_the_role_of_the_offer_only() {
    let (mut cluster, scheduler, _) = web_pair();
    let text = refusal(&mut cluster, &scheduler, reserve(&reserved("cpus:1", "db")));
    assert_eq!(
        text,
        "A reserve operation was attempted for a resource with role 'db', but the resource was \
         allocated to role 'web'"
    );
}

#[test]
fn a_reservation_in_the_name_of_somebody_else_is_refused() {
    let mut cluster = Cluster::new();
    let mut wire = tepui_proto::v1::FrameworkInfo::clone(&crate::testing::of_roles(&["web"]).wire);
    wire.principal = Some("me".to_owned());
    let scheduler = cluster.subscribe(wire.try_into().unwrap());
    cluster.register("one", "cpus:4;mem:1024");
    cluster.settle();
    let text = refusal(
        &mut cluster,
        &scheduler,
        reserve(&reserved("cpus:1", "web")),
    );
    assert!(text.contains("attempted by principal 'me'"), "{text}");
}

#[test]
fn more_than_the_offer_has_cannot_be_reserved() {
    let (mut cluster, scheduler, _) = web_pair();
    for wanted in ["cpus:5", "cpus:9999999999", "gpus:1", "ports:[9-10]"] {
        let wanted = reserve(&reserved(wanted, "web"));
        let text = refusal(&mut cluster, &scheduler, wanted);
        assert!(!text.is_empty());
    }
}

#[test]
fn a_volume_of_a_name_that_the_role_has_is_refused() {
    let (mut cluster, scheduler, _) = web_pair();
    make_volume(&mut cluster, &scheduler, "data", 64);
    let operations = vec![
        named("", reserve(&reserved("disk:64", "web"))),
        named("o", create(&volume("data", 64, "web"))),
    ];
    cluster.do_all(&scheduler, operations);
    let ends = cluster.operation_ends(&scheduler);
    assert_eq!(ends[0].2, "Persistence ID 'data' is not unique");
}

#[test]
fn the_disk_of_a_volume_cannot_be_unreserved() {
    let (mut cluster, scheduler, _) = web_pair();
    make_volume(&mut cluster, &scheduler, "data", 64);
    let text = refusal(
        &mut cluster,
        &scheduler,
        unreserve(&volume("data", 64, "web")),
    );
    assert!(text.starts_with("A dynamically reserved persistent volume"));
    let disk = unreserve(&reserved("disk:64", "web"));
    let text = refusal(&mut cluster, &scheduler, disk);
    assert!(!text.is_empty(), "what it lies on is there no more");
}

#[test]
fn a_volume_that_a_task_uses_cannot_be_destroyed() {
    let (mut cluster, scheduler, node) = web_pair();
    let shared = shared_volume("data", 64, "web");
    let operations = vec![
        named("", reserve(&reserved("disk:64", "web"))),
        named("o", create(&shared)),
    ];
    cluster.do_all(&scheduler, operations);
    // This framework does not know shared volumes.
    let ends = cluster.operation_ends(&scheduler);
    assert!(ends[0].2.contains("SHARED_RESOURCES"), "{ends:?}");
    cluster.settle();
    let data = volume("data", 64, "web");
    let mut task = task_info("t", &node.id, "cpus:1");
    task.resources = (resources("cpus:1") + &data).to_proto(None);
    let operations = vec![
        named("", create(&data)),
        launch(vec![task]),
        named("d", destroy(&data)),
    ];
    cluster.do_all(&scheduler, operations);
    let ends = cluster.operation_ends(&scheduler);
    assert_eq!(ends[0].2, "Persistent volumes in use");
}

#[test]
fn a_volume_that_nobody_uses_is_destroyed_and_its_disk_unreserved() {
    let (mut cluster, scheduler, node) = web_pair();
    let before = cluster.total(&node);
    make_volume(&mut cluster, &scheduler, "data", 64);
    let operations = vec![
        named("d", destroy(&volume("data", 64, "web"))),
        named("u", unreserve(&reserved("disk:64", "web"))),
    ];
    cluster.do_all(&scheduler, operations);
    assert_eq!(cluster.operation_ends(&scheduler), []);
    assert_eq!(cluster.total(&node), before);
}

#[test]
fn no_other_operation_of_an_accept_uses_a_volume_that_grows() {
    let (mut cluster, scheduler, node) = web_pair();
    make_volume(&mut cluster, &scheduler, "data", 64);
    let grow = ResourceOperation::GrowVolume {
        volume: volume("data", 64, "web"),
        addition: reserved("disk:36", "web"),
    };
    let operations = vec![
        named("", reserve(&reserved("disk:36", "web"))),
        named("g", grow),
        named("d", destroy(&volume("data", 100, "web"))),
    ];
    cluster.do_all(&scheduler, operations);
    let ends = cluster.operation_ends(&scheduler);
    assert_eq!(ends.len(), 1, "{ends:?}");
    assert_eq!((ends[0].0.as_str(), ends[0].1), ("d", Error));
    assert!(cluster.total(&node).contains(&volume("data", 100, "web")));
    cluster.settle();
    let shrink = ResourceOperation::ShrinkVolume {
        volume: volume("data", 100, "web"),
        subtract: Quantity::from_units(99),
    };
    cluster.do_all(&scheduler, vec![named("s", shrink)]);
    assert_eq!(cluster.operation_ends(&scheduler), []);
    assert!(cluster.total(&node).contains(&volume("data", 1, "web")));
}

#[test]
fn what_only_a_storage_provider_can_do_is_refused() {
    let (mut cluster, scheduler, _) = web_pair();
    let source = resources("disk:10");
    let text = refusal(
        &mut cluster,
        &scheduler,
        ResourceOperation::DestroyDisk { source },
    );
    assert!(!text.is_empty());
}

#[test]
fn a_name_is_used_once_at_a_time() {
    let (mut cluster, scheduler, node) = web_pair();
    let one = reserved("cpus:1", "web");
    cluster.do_all(&scheduler, vec![named("o", reserve(&one))]);
    cluster.settle();
    cluster.do_all(&scheduler, vec![named("o", reserve(&one))]);
    let ends = cluster.operation_ends(&scheduler);
    assert_eq!(ends[0].2, "Operation has duplicate ID: o");
    cluster.settle();
    let (uuid, _) = cluster.applied(&node)[0].clone();
    let news = cluster.report_operation(&node, uuid, Finished);
    cluster.acknowledge_operation(&scheduler, "o", news);
    cluster.settle();
    let again = crate::calls::Decline {
        offers: Vec::new(),
        filters: tepui_model::Filters::NONE,
    };
    cluster.call(scheduler.connection, crate::Action::Decline(again));
    assert_eq!(cluster.shown_operations(), []);
}

#[test]
fn an_agent_that_would_not_say_what_became_of_it_gets_no_operation() {
    let mut cluster = Cluster::new();
    let scheduler = cluster.subscribe(crate::testing::of_roles(&["web"]));
    let plain = Registration::new(agent_info("one", "cpus:4;mem:1024"));
    cluster.try_register(plain);
    cluster.settle();
    let text = refusal(
        &mut cluster,
        &scheduler,
        reserve(&reserved("cpus:1", "web")),
    );
    assert_eq!(
        text,
        "Operation on agent default resources requested feedback, but agent m-S0 does not have \
         the required AGENT_OPERATION_FEEDBACK and RESOURCE_PROVIDER capabilities"
    );
    assert_eq!(able(agent_info("x", "cpus:1")).operations.len(), 0);
}

#[test]
fn operations_of_an_agent_are_bounded() {
    let mut config = crate::testing::config();
    config.limits.operations_per_agent = 2;
    let mut cluster = Cluster::with(config);
    let scheduler = cluster.subscribe(crate::testing::of_roles(&["web"]));
    let node: Node = cluster.register("one", "cpus:4;mem:1024");
    cluster.settle();
    let one = reserved("cpus:1", "web");
    let operations = ["a", "b", "c"].map(|name| named(name, reserve(&one)));
    cluster.do_all(&scheduler, operations.into());
    let ends = cluster.operation_ends(&scheduler);
    assert_eq!((ends[0].0.as_str(), ends[0].1), ("c", Error));
    assert!(ends[0].2.contains("has 2 operations already"), "{ends:?}");
    assert_eq!(cluster.applied(&node).len(), 2);
}
