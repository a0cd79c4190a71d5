//! Tests of volumes that several tasks use, and of how tasks see volumes (Mesos: VOL-04, VOL-05).

use std::sync::Arc;

use tepui_model::{
    Resources, TaskState, Traits,
    resources::{DiskTraits, Volume, VolumeMode},
};
use tepui_proto::v1;

use crate::{
    calls::Operation,
    testing::{
        Cluster, Node, Scheduler, names,
        operations::{create, destroy, launch, named, reserve, reserved, shared_volume, volume},
        refining, resources, task_info,
    },
};

fn pair() -> (Cluster, Scheduler, Node) {
    let mut cluster = Cluster::new();
    let scheduler = cluster.subscribe(refining(&["web"]));
    let node = cluster.register("one", "cpus:4;mem:1024;disk:1000");
    cluster.settle();
    (cluster, scheduler, node)
}

fn task_with(id: &str, node: &Node, volume: &Resources) -> v1::TaskInfo {
    let mut task = task_info(id, &node.id, "cpus:1");
    task.resources = (resources("cpus:1") + volume).to_proto(None);
    task
}

/// The volume as a task sees it that may only read it, and finds it elsewhere.
fn read_only(volume: &Resources) -> Resources {
    volume.with_traits(|traits| Traits {
        disk: traits.disk.as_ref().map(|disk| DiskTraits {
            volume: Some(Volume {
                container_path: Arc::from("elsewhere"),
                host_path: None,
                mode: VolumeMode::ReadOnly,
            }),
            ..disk.clone()
        }),
        ..traits.clone()
    })
}

/// What an offer says of the one volume in it.
fn mount(offer: &tepui_model::Offer) -> Volume {
    let volumes = offer.resources.volumes();
    let (traits, ..) = volumes.bundles().next().unwrap();
    traits.disk.clone().unwrap().volume.unwrap()
}

/// A volume is made, and two tasks use it.
fn made_for_two(data: &Resources, node: &Node) -> Vec<Operation> {
    let tasks = ["a", "b"].map(|name| task_with(name, node, data));
    vec![
        named("", reserve(&reserved("disk:64", "web"))),
        named("", create(data)),
        launch(tasks.into()),
    ]
}

#[test]
fn tasks_of_one_accept_use_a_shared_volume_at_once_and_so_do_tasks_of_the_next() {
    let (mut cluster, scheduler, node) = pair();
    let data = shared_volume("data", 64, "web");
    cluster.commands(node.connection);
    cluster.do_all(&scheduler, made_for_two(&data, &node));
    assert_eq!(
        names(&cluster.commands(node.connection))[2..],
        ["run a", "run b"]
    );
    cluster.settle();
    let offer = cluster.offer(&scheduler);
    assert_eq!(offer.resources.volumes(), data, "it is offered once");
    let again = launch(vec![task_with("c", &node, &data)]);
    let operations = vec![again, named("d", destroy(&data))];
    cluster.accept_with(&scheduler, &[&offer.id], operations);
    assert_eq!(names(&cluster.commands(node.connection)), ["run c"]);
    let ends = cluster.operation_ends(&scheduler);
    assert_eq!(ends[0].2, "Persistent volumes in use");
}

#[test]
fn a_shared_volume_is_destroyed_when_its_last_task_has_ended() {
    let (mut cluster, scheduler, node) = pair();
    let data = shared_volume("data", 64, "web");
    cluster.do_all(&scheduler, made_for_two(&data, &node));
    for task in ["a", "b"] {
        cluster.settle();
        let operation = named("d", destroy(&data));
        cluster.do_all(&scheduler, vec![operation]);
        let ends = cluster.operation_ends(&scheduler);
        assert_eq!(ends[0].2, "Persistent volumes in use");
        cluster.report(&node, &scheduler.id, task, TaskState::Finished);
    }
    cluster.settle();
    cluster.do_all(&scheduler, vec![named("d", destroy(&data))]);
    assert_eq!(cluster.operation_ends(&scheduler), []);
    assert!(cluster.total(&node).volumes().is_empty());
}

#[test]
fn a_task_names_a_shared_volume_once() {
    let (mut cluster, scheduler, node) = pair();
    let data = shared_volume("data", 64, "web");
    let mut task = task_with("a", &node, &data);
    task.resources.extend(data.to_proto(None));
    let operations = vec![
        named("", reserve(&reserved("disk:64", "web"))),
        named("", create(&data)),
        launch(vec![task]),
    ];
    cluster.do_all(&scheduler, operations);
    let problem = cluster.update(&scheduler).message.unwrap();
    assert_eq!(problem, "Task uses duplicate persistence ID: data");
}

#[test]
fn how_a_task_mounted_a_volume_is_not_how_it_is_offered_again() {
    for shared in [false, true] {
        let (mut cluster, scheduler, node) = pair();
        let data = if shared {
            shared_volume("data", 64, "web")
        } else {
            volume("data", 64, "web")
        };
        let operations = vec![
            named("", reserve(&reserved("disk:64", "web"))),
            named("", create(&data)),
            launch(vec![task_with("a", &node, &read_only(&data))]),
        ];
        cluster.do_all(&scheduler, operations);
        cluster.report(&node, &scheduler.id, "a", TaskState::Finished);
        cluster.settle();
        let offers = cluster.offers(&scheduler);
        let offer = offers
            .iter()
            .find(|offer| !offer.resources.volumes().is_empty());
        let mount = mount(offer.unwrap());
        assert_eq!(mount.mode, VolumeMode::ReadWrite, "shared: {shared}");
        assert_eq!(&*mount.container_path, "data");
    }
}
