//! Roles as deep as anybody may nest them (Mesos: ROL-01).

use tepui_cluster_tests::Cluster;
use tepui_sdk::{Operations, model::Resources};

use crate::framework::{Framework, little, plain, talk, task};

/// A role a hundred levels down.
fn deep() -> String {
    vec!["r"; 100].join("/")
}

#[test]
fn a_role_a_hundred_levels_down_has_quota_weight_reservations_and_tasks() {
    let mut cluster = Cluster::start(1);
    let role = deep();
    cluster
        .tepui(&["quota", "set", &role, "--limit", "cpus:1"])
        .ok();
    let weight = format!("{role}=3");
    cluster.tepui(&["weight", "set", &weight]).ok();
    let agent = cluster.json(&["agents"])["agents"][0]["agent_info"]["id"]["value"].clone();
    let agent = agent.as_str().unwrap();
    let reserved = format!("cpus({role}):0.5");
    cluster.tepui(&["reserve", agent, &reserved]).ok();
    cluster.master.kill_hard();
    cluster.master.start_again();
    cluster.await_agents(1);
    let quotas = cluster.tepui(&["quota", "list"]).ok();
    assert!(quotas.contains(&role), "{quotas}");
    let weights = cluster.tepui(&["weight", "list"]).ok();
    assert!(weights.contains(&role), "{weights}");
    talk(async {
        let mut framework = Framework::subscribe(&cluster, &role, &[]);
        let uses: Resources = framework.reserved("cpus:0.5") + little();
        framework
            .use_offer(&uses, |offer| {
                Operations::new().launch(vec![task("deep", offer, &uses, "true")])
            })
            .await;
        framework.finished().await;
        let all = framework.reserved("cpus:0.5") + plain("cpus:0.5");
        let offer = framework.offer(&all).await;
        let cpus = offer.resources.cpus().to_string();
        assert_eq!(cpus, "1", "the limit counts what is reserved");
        framework.decline(offer).await;
    });
    cluster.tepui(&["unreserve", agent, &reserved]).ok();
    let too_deep = format!("{}=3", vec!["r"; 600].join("/"));
    let refused = cluster.tepui(&["weight", "set", &too_deep]);
    assert_ne!(refused.code, Some(0), "{refused:?}");
    assert!(refused.error.contains("1024 bytes"), "{refused:?}");
}
