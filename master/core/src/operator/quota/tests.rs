//! Tests of the module that this one belongs to.

use std::collections::BTreeMap;

use tepui_model::TaskState;
use tepui_proto::v1::{
    self,
    master::{Call, call},
    quota::{QuotaConfig, QuotaRequest, QuotaStatus},
    value::Scalar,
};

use crate::{
    Config, OperatorError, OperatorReply, RecordKind,
    testing::{Cluster, Scheduler, config, of_roles, resources, seconds},
};

fn map(of: &[(&str, f64)]) -> BTreeMap<String, Scalar> {
    let entry = |&(name, value): &(&str, f64)| (name.to_owned(), Scalar { value });
    of.iter().map(entry).collect()
}

fn quota(role: &str, guarantees: &[(&str, f64)], limits: &[(&str, f64)]) -> QuotaConfig {
    QuotaConfig {
        role: role.to_owned(),
        guarantees: map(guarantees),
        limits: map(limits),
    }
}

fn update(cluster: &mut Cluster, quota_configs: &[QuotaConfig], force: bool) -> Result<(), String> {
    let update = call::UpdateQuota {
        force: Some(force),
        quota_configs: quota_configs.to_vec(),
    };
    let call = Call {
        r#type: Some(call::Type::UpdateQuota.into()),
        update_quota: Some(update),
        ..Call::default()
    };
    let answer = cluster.v1(call);
    answer.map(drop).map_err(|error| error.to_string())
}

#[expect(deprecated, reason = "the old call is still answered")]
fn set(cluster: &mut Cluster, quota_request: QuotaRequest) -> Result<(), OperatorError> {
    let call = Call {
        r#type: Some(call::Type::SetQuota.into()),
        set_quota: Some(call::SetQuota { quota_request }),
        ..Call::default()
    };
    cluster.v1(call).map(drop)
}

#[expect(deprecated, reason = "the old call is still answered")]
fn remove(cluster: &mut Cluster, role: &str) -> Result<(), String> {
    let role = role.to_owned();
    let call = Call {
        r#type: Some(call::Type::RemoveQuota.into()),
        remove_quota: Some(call::RemoveQuota { role }),
        ..Call::default()
    };
    let answer = cluster.v1(call);
    answer.map(drop).map_err(|error| error.to_string())
}

fn request(role: &str, guarantee: &str) -> QuotaRequest {
    QuotaRequest {
        force: None,
        role: Some(role.to_owned()),
        guarantee: resources(guarantee).to_proto(None),
    }
}

fn status(cluster: &mut Cluster) -> QuotaStatus {
    let call = Call {
        r#type: Some(call::Type::GetQuota.into()),
        ..Call::default()
    };
    match cluster.v1(call) {
        Ok(OperatorReply::V1(response)) => response.get_quota.unwrap().status,
        other => panic!("{other:?}"),
    }
}

/// A framework of role `a` that runs a task of one CPU on an agent of four.
fn running() -> (Cluster, Scheduler) {
    let (mut cluster, scheduler, node) = Cluster::pair(of_roles(&["a"]));
    cluster.launch(&scheduler, "t", "cpus:1");
    cluster.report(&node, &scheduler.id, "t", TaskState::Running);
    cluster.settle();
    (cluster, scheduler)
}

#[test]
fn quotas_are_told_as_they_were_set_and_outlive_the_master() {
    let mut cluster = Cluster::new();
    cluster.register("one", "cpus:4;mem:1024");
    let quotas = [
        quota("a", &[("cpus", 2.0)], &[("cpus", 3.0), ("mem", 0.0)]),
        quota("a/b", &[], &[("cpus", 1.5)]),
    ];
    update(&mut cluster, &quotas, false).unwrap();
    assert_eq!(status(&mut cluster).configs, quotas);
    cluster.restart();
    assert_eq!(status(&mut cluster).configs, quotas);
    let names: Vec<_> = cluster.master.get_roles().roles;
    assert!(names.iter().any(|role| role.name == "a/b"));
    update(
        &mut cluster,
        &[quota("a", &[], &[]), quota("a/b", &[], &[])],
        false,
    )
    .unwrap();
    assert_eq!(status(&mut cluster), QuotaStatus::default());
    assert!(
        cluster
            .registry
            .keys()
            .all(|(kind, _)| *kind != RecordKind::Quota)
    );
}

#[test]
fn what_is_wrong_is_refused_whole_and_changes_nothing() {
    let (mut cluster, _) = running();
    update(
        &mut cluster,
        &[quota("a", &[("cpus", 2.0)], &[("cpus", 3.0)])],
        false,
    )
    .unwrap();
    let (registry, told) = (cluster.registry.clone(), status(&mut cluster));
    let good = quota("b", &[("cpus", 1.0)], &[]);
    for (bad, problem) in [
        (
            quota("b", &[], &[("cpus", 1.0)]),
            "Role 'b' appears more than once",
        ),
        (quota("a//b", &[], &[]), "Invalid 'QuotaConfig.role'"),
        (
            quota("c", &[("cpus", -1.0)], &[]),
            "Invalid guarantee configuration",
        ),
        (
            quota("c", &[], &[("cpus", f64::NAN)]),
            "Invalid limit configuration",
        ),
        (quota("c", &[("cpus", f64::INFINITY)], &[]), "1 trillion"),
        (quota("c", &[], &[("mem", 1e300)]), "1 exabyte"),
        (
            quota("c", &[("cpus", 2.0)], &[("cpus", 1.0)]),
            "is not contained within",
        ),
        (
            quota("a/x", &[("cpus", 2.5)], &[]),
            "does not contain the sum",
        ),
        (
            quota("a/x", &[], &[("cpus", 4.0)]),
            "not contained in its ancestor 'a'",
        ),
        (
            quota("c", &[("cpus", 2.0)], &[]),
            "(use 'force' flag to bypass this check)",
        ),
        (
            quota("a", &[], &[("cpus", 0.5)]),
            "already consuming 'cpus:1'",
        ),
    ] {
        let text = update(&mut cluster, &[good.clone(), bad], false).unwrap_err();
        assert!(text.starts_with("Invalid QuotaConfig: "), "{text}");
        assert!(text.contains(problem), "{text}");
        assert_eq!(cluster.registry, registry, "{problem}");
        assert_eq!(status(&mut cluster), told, "{problem}");
    }
}

/// Mesos: ROL-02.
#[test]
fn the_role_that_all_have_may_have_a_quota_too() {
    let mut cluster = Cluster::new();
    let scheduler = cluster.subscribe(of_roles(&["*"]));
    cluster.register("one", "cpus:4;mem:64");
    update(&mut cluster, &[quota("*", &[], &[("cpus", 1.0)])], false).unwrap();
    cluster.settle();
    let offer = cluster.offer(&scheduler);
    assert_eq!(offer.resources, resources("cpus:1;mem:64"));
    let told = status(&mut cluster).configs;
    assert_eq!(told[0].role, "*");
}

#[test]
fn force_overrides_what_the_cluster_has_and_what_is_consumed() {
    let (mut cluster, _) = running();
    let beyond = [
        quota("a", &[], &[("cpus", 0.5)]),
        quota("b", &[("cpus", 99.0)], &[]),
    ];
    update(&mut cluster, &beyond, true).unwrap();
    assert_eq!(status(&mut cluster).configs.len(), 2);
    let contradictory = quota("b/c", &[("cpus", 100.0)], &[]);
    assert!(
        update(&mut cluster, &[contradictory], true).is_err(),
        "not what contradicts itself"
    );
}

#[test]
fn a_lowered_limit_takes_offers_back_and_is_kept() {
    let (mut cluster, scheduler) = running();
    let offer = cluster.offer(&scheduler);
    assert_eq!(offer.resources.cpus().to_string(), "3");
    update(&mut cluster, &[quota("a", &[], &[("cpus", 2.0)])], false).unwrap();
    assert_eq!(cluster.master.offers_to(None).len(), 0);
    cluster.pass(seconds(1));
    let offer = cluster.offer(&scheduler);
    assert_eq!(offer.resources.cpus().to_string(), "1");
}

#[test]
fn the_old_calls_set_a_guarantee_that_is_the_limit_too() {
    let (mut cluster, _) = running();
    set(&mut cluster, request("b", "cpus:1;mem:5")).unwrap();
    let wanted = [("cpus", 1.0), ("mem", 5.0)];
    let told = status(&mut cluster);
    assert_eq!(told.configs, [quota("b", &wanted, &wanted)]);
    for (bad, problem) in [
        (request("b", "cpus:1"), "already has quota"),
        (request("c", ""), "QuotaInfo with empty 'guarantee'"),
        (
            request("c", "ports:[1-2]"),
            "must not include non-scalar resources",
        ),
        (
            request("c", "cpus(x):1"),
            "must not contain any ReservationInfo",
        ),
    ] {
        let error = set(&mut cluster, bad).unwrap_err();
        assert!(matches!(error, OperatorError::Invalid(_)));
        assert!(error.to_string().contains(problem), "{error}");
    }
    let error = set(&mut cluster, request("c", "cpus:9")).unwrap_err();
    assert!(matches!(error, OperatorError::Conflict(_)), "{error}");
    let beyond = QuotaRequest {
        force: Some(true),
        ..request("c", "cpus:9")
    };
    set(&mut cluster, beyond).unwrap();
    remove(&mut cluster, "b").unwrap();
    assert!(
        remove(&mut cluster, "b")
            .unwrap_err()
            .contains("has no quota set")
    );
    assert_eq!(status(&mut cluster).configs.len(), 1);
    assert_eq!(v1::quota::QuotaStatus::default().configs.len(), 0);
}

fn patient() -> Config {
    Config {
        allocator_recovery_timeout: seconds(30),
        ..config()
    }
}

#[test]
fn after_a_restart_with_quotas_nothing_is_offered_before_most_agents_are_back() {
    let mut cluster = Cluster::with(patient());
    let scheduler = cluster.subscribe(of_roles(&["a"]));
    let mut nodes: Vec<_> = ["1", "2", "3", "4", "5"]
        .map(|name| cluster.register(name, "cpus:4;mem:1024"))
        .into();
    update(&mut cluster, &[quota("b", &[("cpus", 1.0)], &[])], false).unwrap();
    cluster.restart();
    let again = cluster.subscribe(of_roles(&["a"]).with_id(scheduler.id.clone()));
    for node in nodes.iter_mut().take(3) {
        cluster.reregister(node, None, &[]);
    }
    cluster.pass(seconds(10));
    assert!(cluster.offers(&again).is_empty());
    cluster.reregister(&mut nodes[3], None, &[]);
    cluster.settle();
    assert!(!cluster.offers(&again).is_empty());
}

#[test]
fn agents_are_not_waited_for_longer_than_the_timeout_nor_without_quotas() {
    for has_quota in [true, false] {
        let mut cluster = Cluster::with(patient());
        let scheduler = cluster.subscribe(of_roles(&["a"]));
        let mut one = cluster.register("1", "cpus:4;mem:1024");
        cluster.register("2", "cpus:4;mem:1024");
        if has_quota {
            update(&mut cluster, &[quota("b", &[("cpus", 1.0)], &[])], false).unwrap();
        }
        cluster.restart();
        let again = cluster.subscribe(of_roles(&["a"]).with_id(scheduler.id.clone()));
        cluster.reregister(&mut one, None, &[]);
        cluster.pass(seconds(29));
        assert_eq!(cluster.offers(&again).is_empty(), has_quota);
        cluster.pass(seconds(2));
        assert!(!cluster.master.offers_to(None).is_empty());
    }
}

#[test]
fn a_role_that_is_not_on_the_list_has_no_quota() {
    let mut cluster = Cluster::with(Config {
        roles: Some([crate::testing::role("a")].into()),
        ..config()
    });
    let guarantee = [("cpus", 1.0)];
    let both = [quota("a", &guarantee, &[]), quota("b", &guarantee, &[])];
    assert_eq!(
        update(&mut cluster, &both, true).unwrap_err(),
        "Invalid QuotaConfig: 'b' is not on the roles whitelist"
    );
    assert_eq!(status(&mut cluster).configs, [], "all or nothing");
    update(&mut cluster, &[quota("a", &guarantee, &[])], true).unwrap();
    update(&mut cluster, &[quota("*", &guarantee, &[])], true).unwrap();
}

#[test]
fn figures_tell_each_kind_that_a_quota_is_about() {
    let (mut cluster, _) = running();
    let wanted = quota("a", &[("cpus", 2.0)], &[("cpus", 3.0), ("mem", 0.0)]);
    update(&mut cluster, &[wanted], true).unwrap();
    let figures = |cluster: &Cluster| {
        let quotas = cluster.master.figures().quotas.into_iter();
        let told = quotas.map(|it| {
            let limit = it.limit.map(|limit| limit.as_f64());
            let amounts = (it.guarantee.as_f64(), limit, it.consumed.as_f64());
            (it.role.to_string(), it.kind.name().to_owned(), amounts)
        });
        told.collect::<Vec<_>>()
    };
    let of = |kind: &str, amounts| ("a".to_owned(), kind.to_owned(), amounts);
    assert_eq!(
        figures(&cluster),
        [
            of("cpus", (2.0, Some(3.0), 1.0)),
            of("mem", (0.0, Some(0.0), 0.0)),
        ]
    );
    cluster.settle();
    let offers = cluster.master.offers_to(None);
    assert_eq!(offers[0].resources, resources("cpus:2"));
    assert_eq!(figures(&cluster)[0].2.2, 3.0, "offers are counted");
}
