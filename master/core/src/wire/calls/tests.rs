//! Tests of the module that this one belongs to.

use core::time::Duration;

use super::*;
use crate::testing::{aware, task_info};

fn typed(kind: call::Type) -> Call {
    Call {
        r#type: Some(kind.into()),
        ..Call::default()
    }
}

fn problem(wire: Call) -> String {
    SchedulerCall::try_from(wire).unwrap_err().to_string()
}

fn subscribe_call(info: v1::FrameworkInfo) -> call::Subscribe {
    call::Subscribe {
        framework_info: info,
        ..call::Subscribe::default()
    }
}

#[test]
fn a_subscription_is_taken_with_its_suppressed_roles_and_constraints() {
    let mut subscribe = subscribe_call(v1::FrameworkInfo::clone(&aware().wire));
    subscribe.suppressed_roles = vec!["*".to_owned()];
    let constraints = v1::scheduler::OfferConstraints {
        role_constraints: [("*".to_owned(), Default::default())].into(),
    };
    subscribe.offer_constraints = Some(constraints.clone());
    let wire = Call {
        subscribe: Some(subscribe),
        ..typed(call::Type::Subscribe)
    };
    let call = SchedulerCall::try_from(wire).unwrap();
    let Action::Subscribe(subscribe) = call.action else {
        panic!()
    };
    assert_eq!(subscribe.info.name, "test");
    assert_eq!(subscribe.suppressed_roles, [Role::default()]);
    assert_eq!(subscribe.constraints.as_deref(), Some(&constraints));
}

#[test]
fn a_subscription_that_breaks_a_rule_is_answered_and_not_broken_off() {
    let invalid = |subscribe| {
        let wire = Call {
            subscribe: Some(subscribe),
            ..typed(call::Type::Subscribe)
        };
        match SchedulerCall::try_from(wire).unwrap().action {
            Action::InvalidSubscription(text) => text,
            other => panic!("{other:?}"),
        }
    };
    let nobody = v1::FrameworkInfo::default();
    assert!(invalid(subscribe_call(nobody)).contains("user"));
    let mut suppressed = subscribe_call(v1::FrameworkInfo::clone(&aware().wire));
    suppressed.suppressed_roles = vec!["a b".to_owned()];
    assert!(invalid(suppressed).contains("whitespace"));
}

#[test]
fn a_call_without_type_or_body_names_the_field() {
    assert_eq!(problem(Call::default()), "type: must be set");
    assert!(
        problem(Call {
            r#type: Some(999),
            ..Call::default()
        })
        .starts_with("type: ")
    );
    for (kind, field) in [
        (call::Type::Subscribe, "subscribe"),
        (call::Type::Accept, "accept"),
        (call::Type::Decline, "decline"),
        (call::Type::Kill, "kill"),
        (call::Type::Request, "request"),
        (call::Type::Acknowledge, "acknowledge"),
        (call::Type::UpdateFramework, "update_framework"),
    ] {
        assert_eq!(problem(typed(kind)), format!("{field}: must be set"));
    }
}

#[test]
fn an_accept_keeps_its_tasks_as_they_came() {
    let agent = AgentId::new("a").unwrap();
    let mut malformed = task_info("a/b", &agent, "cpus:1");
    malformed.resources[0].scalar = None;
    let operation = v1::offer::Operation {
        r#type: Some(v1::offer::operation::Type::Launch.into()),
        launch: Some(v1::offer::operation::Launch {
            task_infos: vec![malformed.clone()],
        }),
        ..Default::default()
    };
    let accept = call::Accept {
        offer_ids: vec![v1::OfferId {
            value: "m-O0".to_owned(),
        }],
        operations: vec![operation],
        filters: Some(v1::Filters {
            refuse_seconds: Some(0.0),
        }),
        ..call::Accept::default()
    };
    let wire = Call {
        accept: Some(accept),
        ..typed(call::Type::Accept)
    };
    let Action::Accept(accept) = SchedulerCall::try_from(wire).unwrap().action else {
        panic!()
    };
    assert_eq!(accept.operations[0].kind.tasks(), [malformed]);
    assert_eq!(accept.filters, Filters::NONE);
}

#[test]
fn a_malformed_id_names_the_field() {
    let kill = call::Kill::default();
    let wire = Call {
        kill: Some(kill),
        ..typed(call::Type::Kill)
    };
    assert_eq!(problem(wire), "kill.task_id: ID must not be empty");
    let decline = call::Decline {
        offer_ids: vec![v1::OfferId::default()],
        ..call::Decline::default()
    };
    let wire = Call {
        decline: Some(decline),
        ..typed(call::Type::Decline)
    };
    assert_eq!(problem(wire), "decline.offer_ids: ID must not be empty");
    let mut wire = typed(call::Type::Teardown);
    wire.framework_id = Some(v1::FrameworkId {
        value: "a/b".to_owned(),
    });
    assert!(problem(wire).starts_with("framework_id: "));
}

#[test]
fn a_kill_has_a_grace_that_is_not_negative() {
    let kill = |nanoseconds| {
        let policy = v1::KillPolicy {
            grace_period: Some(v1::DurationInfo { nanoseconds }),
        };
        let kill = call::Kill {
            task_id: v1::TaskId {
                value: "t".to_owned(),
            },
            kill_policy: Some(policy),
            ..call::Kill::default()
        };
        SchedulerCall::try_from(Call {
            kill: Some(kill),
            ..typed(call::Type::Kill)
        })
    };
    let Action::Kill(taken) = kill(5).unwrap().action else {
        panic!()
    };
    assert_eq!(taken.grace, Some(Duration::from_nanos(5)));
    let refused = kill(-5).unwrap_err().to_string();
    assert_eq!(
        refused,
        "kill.kill_policy.grace_period: must not be negative"
    );
}

#[test]
fn an_acknowledgement_needs_a_uuid_of_sixteen_bytes() {
    let acknowledge = call::Acknowledge {
        agent_id: v1::AgentId {
            value: "a".to_owned(),
        },
        task_id: v1::TaskId {
            value: "t".to_owned(),
        },
        uuid: vec![1; 15],
    };
    let wire = Call {
        acknowledge: Some(acknowledge),
        ..typed(call::Type::Acknowledge)
    };
    assert!(problem(wire).starts_with("acknowledge.uuid: "));
}

#[test]
fn one_invalid_role_and_the_whole_call_has_no_effect() {
    let revive = call::Revive {
        roles: vec!["a".to_owned(), "b c".to_owned()],
    };
    let wire = Call {
        revive: Some(revive),
        ..typed(call::Type::Revive)
    };
    let Action::Ignored(reason) = SchedulerCall::try_from(wire).unwrap().action else {
        panic!()
    };
    assert!(reason.starts_with("REVIVE: "), "{reason}");
    let wire = typed(call::Type::Suppress);
    let Action::Suppress(roles) = SchedulerCall::try_from(wire).unwrap().action else {
        panic!()
    };
    assert!(roles.is_empty(), "all of them");
}

#[test]
fn what_is_for_an_executor_names_it() {
    for kind in [call::Type::Message, call::Type::Shutdown] {
        assert!(SchedulerCall::try_from(typed(kind)).is_err(), "{kind:?}");
    }
    let message = |executor: &str| Call {
        message: Some(call::Message {
            agent_id: v1::AgentId {
                value: "a".to_owned(),
            },
            executor_id: v1::ExecutorId {
                value: executor.to_owned(),
            },
            data: b"hi".to_vec(),
        }),
        ..typed(call::Type::Message)
    };
    let taken = SchedulerCall::try_from(message("e")).unwrap();
    let Action::CallExecutor(call) = taken.action else {
        panic!()
    };
    assert_eq!(call.executor_id.as_str(), "e");
    let refusal = SchedulerCall::try_from(message("a/b")).unwrap_err();
    assert_eq!(refusal.field, "message.executor_id");
}

#[test]
fn answers_to_inverse_offers_need_their_body_and_good_ids() {
    let ids = |value: &str| {
        vec![v1::OfferId {
            value: value.to_owned(),
        }]
    };
    for kind in [
        call::Type::AcceptInverseOffers,
        call::Type::DeclineInverseOffers,
    ] {
        assert!(SchedulerCall::try_from(typed(kind)).is_err(), "{kind:?}");
        for (id, is_good) in [("m-O1", true), ("a/b", false)] {
            let call = Call {
                accept_inverse_offers: Some(call::AcceptInverseOffers {
                    inverse_offer_ids: ids(id),
                    filters: None,
                }),
                decline_inverse_offers: Some(call::DeclineInverseOffers {
                    inverse_offer_ids: ids(id),
                    filters: None,
                }),
                ..typed(kind)
            };
            assert_eq!(
                SchedulerCall::try_from(call).is_ok(),
                is_good,
                "{kind:?} {id}"
            );
        }
    }
}

#[test]
fn lists_beyond_their_limit_are_refused() {
    let offer_ids = vec![
        v1::OfferId {
            value: "o".to_owned()
        };
        limits::MAX_OFFERS_PER_CALL + 1
    ];
    let decline = call::Decline {
        offer_ids,
        ..call::Decline::default()
    };
    let wire = Call {
        decline: Some(decline),
        ..typed(call::Type::Decline)
    };
    assert_eq!(
        problem(wire),
        "decline.offer_ids: has 100001 items, 100000 are allowed"
    );
    let operations = vec![v1::offer::Operation::default(); limits::MAX_OPERATIONS_PER_ACCEPT + 1];
    let accept = call::Accept {
        operations,
        ..call::Accept::default()
    };
    let wire = Call {
        accept: Some(accept),
        ..typed(call::Type::Accept)
    };
    assert_eq!(
        problem(wire),
        "accept.operations: has 10001 items, 10000 are allowed"
    );
}
