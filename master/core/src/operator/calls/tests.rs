//! Tests of the module that this one belongs to.

use tepui_model::{Filters, FrameworkId};
use tepui_proto::v1::master::{Call, call, response};

use crate::{
    OperatorCall, OperatorError, OperatorReply,
    testing::{Cluster, aware},
};

fn call(kind: call::Type) -> Call {
    Call {
        r#type: Some(kind.into()),
        ..Call::default()
    }
}

#[test]
fn every_read_is_answered_under_its_own_name() {
    let (cluster, ..) = Cluster::pair(aware());
    let reads = [
        (call::Type::GetHealth, response::Type::GetHealth),
        (call::Type::GetVersion, response::Type::GetVersion),
        (call::Type::GetState, response::Type::GetState),
        (call::Type::GetAgents, response::Type::GetAgents),
        (call::Type::GetFrameworks, response::Type::GetFrameworks),
        (call::Type::GetExecutors, response::Type::GetExecutors),
        (call::Type::GetOperations, response::Type::GetOperations),
        (call::Type::GetTasks, response::Type::GetTasks),
        (call::Type::GetRoles, response::Type::GetRoles),
        (call::Type::GetWeights, response::Type::GetWeights),
        (call::Type::GetMaster, response::Type::GetMaster),
    ];
    for (kind, expected) in reads {
        let answer = cluster.master.query(&call(kind)).unwrap();
        assert_eq!(answer.r#type(), expected);
    }
}

#[test]
fn a_call_that_is_not_supported_is_named() {
    let mut cluster = Cluster::new();
    let error = cluster.v1(call(call::Type::Subscribe)).unwrap_err();
    assert_eq!(error, OperatorError::Unsupported("SUBSCRIBE"));
    let text = "the call SUBSCRIBE is not supported by this master";
    assert_eq!(error.to_string(), text);
}

#[test]
fn a_call_without_type_or_body_is_invalid() {
    let mut cluster = Cluster::new();
    assert!(matches!(
        cluster.v1(Call::default()),
        Err(OperatorError::Invalid(_))
    ));
    let unknown = Call {
        r#type: Some(9999),
        ..Call::default()
    };
    assert!(matches!(
        cluster.v1(unknown),
        Err(OperatorError::Invalid(_))
    ));
    for kind in [
        call::Type::Teardown,
        call::Type::UpdateWeights,
        call::Type::MarkAgentGone,
    ] {
        assert!(matches!(
            cluster.v1(call(kind)),
            Err(OperatorError::Invalid(_))
        ));
    }
}

#[test]
fn the_snapshot_of_offers_is_what_stands_of_one_framework_or_of_all() {
    let (mut cluster, scheduler, _) = Cluster::pair(aware());
    let offer = cluster.offer(&scheduler);
    let ask = |cluster: &mut Cluster, framework_id| match cluster
        .operate(OperatorCall::Offers { framework_id })
    {
        Ok(OperatorReply::Offers(offers)) => offers,
        other => panic!("{other:?}"),
    };
    assert_eq!(ask(&mut cluster, None)[0].id, offer.id);
    assert_eq!(ask(&mut cluster, Some(scheduler.id.clone())).len(), 1);
    let other = FrameworkId::new("other").unwrap();
    assert!(ask(&mut cluster, Some(other)).is_empty());
    cluster.decline(&scheduler, &offer.id, Filters::DEFAULT);
    assert!(ask(&mut cluster, None).is_empty());
}
