//! Tests of the module that this one belongs to.

use tepui_proto::v1::{
    self,
    master::{Call, call},
};

use crate::{
    Config, OperatorError, RecordKind,
    testing::{Cluster, config, of_roles},
};

fn update(cluster: &mut Cluster, weights: &[(&str, f64)]) -> Result<(), OperatorError> {
    let info = |(role, weight): &(&str, f64)| v1::WeightInfo {
        weight: *weight,
        role: Some((*role).to_owned()),
    };
    let weight_infos = weights.iter().map(info).collect();
    let call = Call {
        r#type: Some(call::Type::UpdateWeights.into()),
        update_weights: Some(call::UpdateWeights { weight_infos }),
        ..Call::default()
    };
    cluster.v1(call).map(|_| ())
}

#[test]
fn weights_are_kept_across_a_restart() {
    let mut cluster = Cluster::new();
    update(&mut cluster, &[("a", 2.5), ("b/c", 1.0)]).unwrap();
    cluster.restart();
    let weights = cluster.master.get_weights().weight_infos;
    let told: Vec<_> = weights
        .iter()
        .map(|info| (info.role(), info.weight))
        .collect();
    assert_eq!(told, [("a", 2.5), ("b/c", 1.0)]);
}

#[test]
fn what_was_set_counts_more_than_the_configuration() {
    let mut config = crate::testing::config();
    config.weights = vec![(
        crate::testing::role("a"),
        tepui_model::Quantity::from_units(9),
    )];
    let mut cluster = Cluster::with(config);
    assert_eq!(cluster.master.get_weights().weight_infos[0].weight, 9.0);
    update(&mut cluster, &[("a", 2.0)]).unwrap();
    cluster.restart();
    assert_eq!(cluster.master.get_weights().weight_infos[0].weight, 2.0);
}

#[test]
fn one_invalid_weight_and_none_is_set() {
    let mut cluster = Cluster::new();
    for bad in [
        ("a", 0.0),
        ("a", -1.0),
        ("a", f64::NAN),
        ("a", 1e300),
        ("", 1.0),
        ("a b", 1.0),
    ] {
        let error = update(&mut cluster, &[("good", 2.0), bad]).unwrap_err();
        assert!(matches!(error, OperatorError::Invalid(_)), "{error}");
    }
    assert!(cluster.master.get_weights().weight_infos.is_empty());
    assert!(
        !cluster
            .registry
            .keys()
            .any(|(kind, _)| *kind == RecordKind::Weight)
    );
}

#[test]
fn a_weight_of_a_role_in_use_is_felt_at_once() {
    let mut cluster = Cluster::new();
    let light = cluster.subscribe(of_roles(&["light"]));
    let heavy = cluster.subscribe(of_roles(&["heavy"]));
    for host in ["a", "b", "c", "d"] {
        cluster.register(host, "cpus:1;mem:32");
    }
    cluster.settle();
    assert_eq!(
        (cluster.offers(&light).len(), cluster.offers(&heavy).len()),
        (2, 2)
    );
    update(&mut cluster, &[("heavy", 3.0)]).unwrap();
    cluster.settle();
    assert_eq!(
        (cluster.offers(&light).len(), cluster.offers(&heavy).len()),
        (1, 3)
    );
}

#[test]
fn a_weight_of_a_role_nobody_has_leaves_offers_alone() {
    let (mut cluster, scheduler, _) = Cluster::pair(of_roles(&["a"]));
    let offer = cluster.offer(&scheduler);
    update(&mut cluster, &[("b", 3.0)]).unwrap();
    assert_eq!(cluster.master.offers_to(None), [offer]);
}

#[test]
fn a_role_that_is_not_on_the_list_has_no_weight() {
    let mut cluster = Cluster::with(Config {
        roles: Some([crate::testing::role("a")].into()),
        ..config()
    });
    let refused = update(&mut cluster, &[("a", 2.0), ("b", 2.0)]).unwrap_err();
    assert_eq!(refused.to_string(), "Unknown role 'b'");
    assert_eq!(cluster.master.get_weights().weight_infos, []);
    update(&mut cluster, &[("a", 2.0), ("*", 3.0)]).unwrap();
}
