//! Revocable resources: who is offered them, and what tasks may do with them (Mesos: REV-01).

use tepui_cluster_tests::Cluster;
use tepui_sdk::{
    Operations,
    model::{Resources, TaskState, Traits},
    v1::framework_info::capability::Type as Capability,
};

use crate::framework::{Framework, plain, talk, task};

fn revocable(text: &str) -> Resources {
    plain(text).with_traits(|traits| Traits {
        revocable: true,
        ..traits.clone()
    })
}

#[test]
fn revocable_resources_are_for_those_who_take_them_and_are_not_mixed_with_others() {
    let mut cluster = Cluster::start(0);
    cluster.add_agent(&["--oversubscribed-resources", "cpus:2"]);
    cluster.await_agents(1);
    talk(async {
        let mut plain_one = Framework::subscribe(&cluster, "plain", &[]);
        let offer = plain_one.offer(&plain("cpus:2")).await;
        assert!(
            offer.resources.revocable().is_empty(),
            "{}",
            offer.resources
        );
        plain_one.decline(offer).await;

        let capabilities = [Capability::RevocableResources];
        let mut framework = Framework::subscribe(&cluster, "batch", &capabilities);
        let two = revocable("cpus:2");
        let mixed = plain("cpus:0.1;mem:32") + revocable("cpus:0.1");
        let right = plain("mem:32") + &two;
        framework
            .use_offer(&right, |offer| {
                let tasks = vec![
                    task("mixed", offer, &mixed, "true"),
                    task("right", offer, &right, "true"),
                ];
                Operations::new().launch(tasks)
            })
            .await;
        let ends = framework.ends(2).await;
        assert_eq!(ends[0].state, TaskState::Error, "{ends:?}");
        let problem = "Task uses invalid resources: Cannot use both revocable and non-revocable \
                       'cpus' at the same time";
        assert_eq!(ends[0].message.as_deref(), Some(problem));
        assert_eq!(ends[1].state, TaskState::Finished, "{ends:?}");

        let reserve = framework.reserved("cpus:1").with_traits(|traits| Traits {
            revocable: true,
            ..traits.clone()
        });
        let name = tepui_sdk::model::OperationId::new("reserve").unwrap();
        framework
            .use_offer(&two, |_| Operations::new().reserve(&reserve).with_id(name))
            .await;
        let (state, message) = framework.operation("reserve").await;
        let error = tepui_sdk::v1::OperationState::OperationError;
        assert_eq!(state, error, "{message}");
        assert!(message.contains("revocable resources"), "{message}");
    });
}
