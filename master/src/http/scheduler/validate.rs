//! What must be in a call of a framework, in Mesos' order and words.

use tepui_proto::v1::scheduler::{Call, call};

use tepui_edge::http::Refusal;

pub(super) fn invalid(problem: &str) -> Refusal {
    Refusal::bad_request(format!("Failed to validate scheduler::Call: {problem}"))
}

/// Looks whether everything is there that a call of its type must have.
pub(super) fn check(call: &Call) -> Result<(), Refusal> {
    // A type that this version does not know is as none.
    let known = call.r#type.map(call::Type::try_from);
    let Some(Ok(kind)) = known else {
        return Err(invalid("Expecting 'type' to be present"));
    };
    if kind == call::Type::Subscribe {
        return subscribe(call);
    }
    if call.framework_id.is_none() {
        return Err(invalid("Expecting 'framework_id' to be present"));
    }
    match part(call, kind) {
        Some((field, false)) => Err(invalid(&format!("Expecting '{field}' to be present"))),
        _ => Ok(()),
    }
}

fn subscribe(call: &Call) -> Result<(), Refusal> {
    let Some(subscribe) = &call.subscribe else {
        return Err(invalid("Expecting 'subscribe' to be present"));
    };
    let value = |id: &Option<tepui_proto::v1::FrameworkId>| {
        id.as_ref().map(|id| id.value.clone()).unwrap_or_default()
    };
    if value(&call.framework_id) != value(&subscribe.framework_info.id) {
        let problem = "'framework_id' differs from 'subscribe.framework_info.id'";
        return Err(invalid(problem));
    }
    Ok(())
}

/// The part that a call of this type must have, and whether it has it.
fn part(call: &Call, kind: call::Type) -> Option<(&'static str, bool)> {
    use call::Type;
    Some(match kind {
        Type::Accept => ("accept", call.accept.is_some()),
        Type::Decline => ("decline", call.decline.is_some()),
        Type::AcceptInverseOffers => {
            let part = call.accept_inverse_offers.is_some();
            ("accept_inverse_offers", part)
        }
        Type::DeclineInverseOffers => {
            let part = call.decline_inverse_offers.is_some();
            ("decline_inverse_offers", part)
        }
        Type::Kill => ("kill", call.kill.is_some()),
        Type::Shutdown => ("shutdown", call.shutdown.is_some()),
        Type::Acknowledge => ("acknowledge", call.acknowledge.is_some()),
        Type::AcknowledgeOperationStatus => {
            let part = call.acknowledge_operation_status.is_some();
            ("acknowledge_operation_status", part)
        }
        Type::Reconcile => ("reconcile", call.reconcile.is_some()),
        Type::ReconcileOperations => {
            let part = call.reconcile_operations.is_some();
            ("reconcile_operations", part)
        }
        Type::Message => ("message", call.message.is_some()),
        Type::Request => ("request", call.request.is_some()),
        Type::UpdateFramework => ("update_framework", call.update_framework.is_some()),
        Type::Unknown | Type::Subscribe | Type::Teardown | Type::Revive | Type::Suppress => {
            return None;
        }
    })
}

#[cfg(test)]
mod tests {
    use tepui_proto::decode;

    use super::*;

    fn verdict(text: &str) -> Result<(), String> {
        let call: Call = decode::json(text.as_bytes()).unwrap();
        check(&call).map_err(|refusal| {
            assert_eq!(refusal.status, 400);
            let text = refusal.text;
            text["Failed to validate scheduler::Call: ".len()..].to_owned()
        })
    }

    #[test]
    fn what_is_missing_is_named_in_mesos_order() {
        let cases = [
            ("{}", "Expecting 'type' to be present"),
            (r#"{"type": "FLY"}"#, "Expecting 'type' to be present"),
            (
                r#"{"type": "SUBSCRIBE"}"#,
                "Expecting 'subscribe' to be present",
            ),
            (
                r#"{"type": "ACCEPT"}"#,
                "Expecting 'framework_id' to be present",
            ),
            (
                r#"{"type": "REVIVE"}"#,
                "Expecting 'framework_id' to be present",
            ),
            (
                r#"{"type": "ACCEPT", "framework_id": {"value": "f"}}"#,
                "Expecting 'accept' to be present",
            ),
            (
                r#"{"type": "UPDATE_FRAMEWORK", "framework_id": {"value": "f"}}"#,
                "Expecting 'update_framework' to be present",
            ),
            (
                r#"{"type": "SUBSCRIBE", "framework_id": {"value": "f"},
                    "subscribe": {"framework_info": {"user": "u", "name": "n"}}}"#,
                "'framework_id' differs from 'subscribe.framework_info.id'",
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(verdict(text), Err(expected.to_owned()), "{text}");
        }
    }

    #[test]
    fn some_calls_need_nothing_but_the_framework() {
        for kind in ["TEARDOWN", "REVIVE", "SUPPRESS"] {
            let text = format!(r#"{{"type": "{kind}", "framework_id": {{"value": "f"}}}}"#);
            assert_eq!(verdict(&text), Ok(()), "{kind}");
        }
    }
}
