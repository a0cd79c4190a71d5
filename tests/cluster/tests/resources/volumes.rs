//! Persistent volumes with real tasks in them (Mesos: VOL-01 to VOL-05).

use tepui_cluster_tests::{Cluster, can_isolate, eventually};
use tepui_sdk::{
    Operations,
    model::{OperationId, Resources, TaskState, Traits, resources},
    v1::{self, OperationState, framework_info::capability::Type as Capability},
};

use crate::framework::{Framework, little, plain, talk, task};

fn name(text: &str) -> OperationId {
    OperationId::new(text).unwrap()
}

/// The volume as a task has it that may only read.
fn read_only(volume: &Resources) -> Resources {
    volume.with_traits(|traits| {
        let mut disk = traits.disk.clone();
        if let Some(mount) = disk.as_mut().and_then(|disk| disk.volume.as_mut()) {
            mount.mode = resources::VolumeMode::ReadOnly;
        }
        Traits {
            disk,
            ..traits.clone()
        }
    })
}

/// A framework, and what it makes a volume of.
struct Room {
    framework: Framework,
    disk: Resources,
    volume: Resources,
    /// What a task with the volume takes.
    uses: Resources,
}

impl Room {
    fn of(cluster: &Cluster, id: &str, shared: bool) -> Self {
        let capabilities = shared.then_some(Capability::SharedResources);
        let framework = Framework::subscribe(cluster, "db", capabilities.as_slice());
        let volume = framework.volume(id, 64, shared);
        Self {
            disk: framework.reserved("disk:64"),
            uses: little() + &volume,
            volume,
            framework,
        }
    }
}

/// Launches one task with the volume and waits for its good end. An offer may go back while it is
/// accepted, when its agent has been away: then the next one is taken.
async fn run(framework: &mut Framework, id: &str, volume: &Resources, line: &str) {
    let uses = little() + volume;
    loop {
        framework
            .use_offer(&uses, |offer| {
                Operations::new().launch(vec![task(id, offer, &uses, line)])
            })
            .await;
        let end = framework.ends(1).await.remove(0);
        if end.state != TaskState::Dropped {
            return assert_eq!(end.state, TaskState::Finished, "{end:?}");
        }
    }
}

/// The volume grows, and shrinks to half of what it was; what is on it stays.
async fn resize(framework: &mut Framework, volume: &Resources) -> Resources {
    let larger = framework.volume("v", 96, false);
    let addition = plain("disk:32");
    let reserved = framework.reserved("disk:32");
    let both = volume.clone() + &addition;
    framework
        .use_offer(&both, |_| {
            let grow = Operations::new().reserve(&reserved);
            grow.grow_volume(volume, &reserved).with_id(name("grow"))
        })
        .await;
    let grown = framework.operation("grow").await;
    assert_eq!(grown.0, OperationState::OperationFinished, "{grown:?}");
    run(framework, "more", &larger, "grep -q kept data/file").await;
    framework
        .use_offer(&larger, |_| {
            let by = "64".parse().unwrap();
            let shrink = Operations::new().shrink_volume(&larger, by);
            shrink.with_id(name("shrink"))
        })
        .await;
    let shrunk = framework.operation("shrink").await;
    assert_eq!(shrunk.0, OperationState::OperationFinished, "{shrunk:?}");
    let smaller = framework.volume("v", 32, false);
    run(framework, "less", &smaller, "grep -q kept data/file").await;
    smaller
}

async fn destroy(framework: &mut Framework, volume: &Resources) {
    framework
        .use_offer(volume, |_| {
            Operations::new().destroy(volume).with_id(name("destroy"))
        })
        .await;
    let destroyed = framework.operation("destroy").await;
    assert_eq!(destroyed.0, OperationState::OperationFinished);
}

/// Another volume of the same name is empty.
async fn make_anew(framework: &mut Framework) {
    let again = framework.volume("v", 96, false);
    let uses = little() + &again;
    framework
        .use_offer(&(little() + framework.reserved("disk:96")), |offer| {
            let line = "test ! -e data/file";
            let made = Operations::new().create(&again);
            made.launch(vec![task("new", offer, &uses, line)])
        })
        .await;
    framework.finished().await;
}

/// Where the agent keeps a volume.
fn folder(cluster: &Cluster, id: &str) -> std::path::PathBuf {
    let volumes = cluster.folder().join("agent-0/volumes/roles/db");
    volumes.join(id)
}

#[test]
fn what_a_task_wrote_outlives_it_and_its_agent_until_the_volume_is_destroyed() {
    let mut cluster = Cluster::start(1);
    talk(async {
        let Room {
            mut framework,
            disk,
            volume,
            uses,
        } = Room::of(&cluster, "v", false);
        framework
            .use_offer(&plain("cpus:0.1;mem:32;disk:64"), |offer| {
                let writer = task("writer", offer, &uses, "echo kept > data/file");
                let made = Operations::new().reserve(&disk).create(&volume);
                made.launch(vec![writer])
            })
            .await;
        framework.finished().await;
        let file = folder(&cluster, "v").join("file");
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "kept\n");

        cluster.agents[0].kill_hard();
        cluster.agents[0].start_again();
        run(&mut framework, "reader", &volume, "grep -q kept data/file").await;

        if can_isolate() {
            let line = "grep -q kept data/file && ! touch data/more";
            run(&mut framework, "looker", &read_only(&volume), line).await;
        }

        let smaller = resize(&mut framework, &volume).await;
        destroy(&mut framework, &smaller).await;
        eventually("the data is gone", || (!file.exists()).then_some(()));
        make_anew(&mut framework).await;
    });
}

#[test]
fn two_tasks_of_one_accept_meet_in_a_shared_volume() {
    let cluster = Cluster::start(1);
    talk(async {
        let Room {
            mut framework,
            disk,
            volume,
            uses,
        } = Room::of(&cluster, "meeting", true);
        // Neither ends before it has seen the other.
        let meet = |mine: &str, other: &str| {
            format!("touch data/{mine}; until test -e data/{other}; do sleep 0.05; done")
        };
        framework
            .use_offer(&plain("cpus:0.2;mem:64;disk:64"), |offer| {
                let tasks = [("a", "b"), ("b", "a")]
                    .map(|(mine, other)| task(mine, offer, &uses, &meet(mine, other)));
                let made = Operations::new().reserve(&disk).create(&volume);
                made.launch(tasks.into())
            })
            .await;
        let ends = framework.ends(2).await;
        let states = ends.iter().map(|end| end.state).collect::<Vec<_>>();
        assert_eq!(states, [TaskState::Finished; 2], "{ends:?}");
        destroy(&mut framework, &volume).await;
        let folder = folder(&cluster, "meeting");
        eventually("the data is gone", || (!folder.exists()).then_some(()));
    });
}

#[test]
fn a_volume_in_use_is_not_destroyed_and_what_only_storage_providers_do_is_an_error() {
    let cluster = Cluster::start(1);
    talk(async {
        let Room {
            mut framework,
            disk,
            volume,
            uses,
        } = Room::of(&cluster, "v", false);
        framework
            .use_offer(&plain("cpus:0.1;mem:32;disk:64"), |offer| {
                let sleeper = task("sleeper", offer, &uses, "sleep 1000");
                let made = Operations::new().reserve(&disk).create(&volume);
                let used = made.launch(vec![sleeper]);
                used.destroy(&volume).with_id(name("destroy"))
            })
            .await;
        let end = framework.operation("destroy").await;
        let error = OperationState::OperationError;
        assert_eq!(end, (error, "Persistent volumes in use".to_owned()));
        let source = plain("disk:1").to_proto(None).remove(0);
        let create_disk = v1::offer::Operation {
            r#type: Some(v1::offer::operation::Type::CreateDisk.into()),
            create_disk: Some(v1::offer::operation::CreateDisk {
                source: source.clone(),
                target_type: v1::resource::disk_info::source::Type::Mount.into(),
                target_profile: Some("fast".to_owned()),
            }),
            ..Default::default()
        };
        let destroy_disk = v1::offer::Operation {
            r#type: Some(v1::offer::operation::Type::DestroyDisk.into()),
            destroy_disk: Some(v1::offer::operation::DestroyDisk { source }),
            ..Default::default()
        };
        framework
            .use_offer(&plain("cpus:0.1"), |_| {
                let make = Operations::new().then(create_disk).with_id(name("make"));
                make.then(destroy_disk).with_id(name("unmake"))
            })
            .await;
        for operation in ["make", "unmake"] {
            let (state, message) = framework.operation(operation).await;
            assert_eq!(state, error, "{operation}: {message}");
            assert!(
                message.contains("managed by a resource provider"),
                "{operation}: {message}"
            );
        }
    });
}

#[test]
fn a_volume_on_a_disk_of_its_own_lies_there() {
    let mut cluster = Cluster::start(0);
    let root = cluster.folder().join("disk");
    let root = root.display().to_string();
    let json = format!(
        r#"[{{"name": "cpus", "type": "SCALAR", "scalar": {{"value": 1}}}},
            {{"name": "disk", "type": "SCALAR", "scalar": {{"value": 64}},
              "disk": {{"source": {{"type": "PATH", "path": {{"root": "{root}"}}}}}}}}]"#
    );
    cluster.add_agent_of(&json, &[]);
    cluster.await_agents(1);
    talk(async {
        let mut framework = Framework::subscribe(&cluster, "db", &[]);
        let there = |traits: &Traits| Traits {
            disk: Some(resources::DiskTraits {
                source: Some(resources::DiskSource {
                    kind: resources::DiskKind::Path,
                    root: Some(root.as_str().into()),
                    vendor: None,
                    id: None,
                    metadata: resources::Labels::new(),
                    profile: None,
                }),
                ..traits.disk.clone().unwrap_or_default()
            }),
            ..traits.clone()
        };
        let disk = framework.reserved("disk:64").with_traits(there);
        let volume = framework.volume("v", 64, false).with_traits(there);
        let uses = little() + &volume;
        framework
            .use_offer(&(little() + plain("disk:64").with_traits(there)), |offer| {
                let made = Operations::new().reserve(&disk).create(&volume);
                made.launch(vec![task("writer", offer, &uses, "echo kept > data/file")])
            })
            .await;
        framework.finished().await;
        let file = std::path::Path::new(&root).join("volumes/roles/db/v/file");
        assert_eq!(std::fs::read_to_string(file).unwrap(), "kept\n");
    });
}
