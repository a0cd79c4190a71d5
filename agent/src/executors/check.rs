//! What must be in a call of an executor, in Mesos' order and words.

use prost::Message;
use tepui_agent_core::ExecutorKey;
use tepui_model::TaskStatus;
use tepui_proto::v1::{
    self,
    executor::{Call, call},
    task_status::Source,
};

use super::Refused;
use crate::limits;

pub(super) fn invalid(problem: impl std::fmt::Display) -> Refused {
    Refused::Invalid(format!("Failed to validate Executor::Call: {problem}"))
}

/// Looks whether everything is there that a call of its type must have.
pub(super) fn check(call: &Call) -> Result<(), Refused> {
    let missing = |field: &str| Err(invalid(format!("Expecting '{field}' to be present")));
    // A type that this version does not know is as none.
    let Some(Ok(kind)) = call.r#type.map(call::Type::try_from) else {
        return missing("type");
    };
    match kind {
        call::Type::Subscribe if call.subscribe.is_none() => missing("subscribe"),
        call::Type::Message if call.message.is_none() => missing("message"),
        call::Type::Update => match &call.update {
            None => missing("update"),
            Some(update) => check_update(call, &update.status),
        },
        _ => Ok(()),
    }
}

fn check_update(call: &Call, status: &v1::TaskStatus) -> Result<(), Refused> {
    let (executor, framework) = (&call.executor_id.value, &call.framework_id.value);
    let Some(uuid) = &status.uuid else {
        return Err(invalid("Expecting 'uuid' to be present"));
    };
    if uuid.len() != 16 {
        return Err(invalid("Not a valid UUID"));
    }
    if let Some(named) = status
        .executor_id
        .as_ref()
        .filter(|it| it.value != *executor)
    {
        return Err(invalid(format!(
            "ExecutorID in Call: {executor} does not match ExecutorID in TaskStatus: {}",
            named.value
        )));
    }
    if status.source() != Source::Executor || status.source.is_none() {
        return Err(invalid(format!(
            "Received Call from executor {executor} of framework {framework} with invalid source, \
             expecting 'SOURCE_EXECUTOR'"
        )));
    }
    if status.state() == v1::TaskState::TaskStaging {
        return Err(invalid(format!(
            "Received TASK_STAGING from executor {executor} of framework {framework} which is not \
             allowed"
        )));
    }
    Ok(())
}

/// An update as the core takes it.
pub(super) fn status(key: &ExecutorKey, mut wire: v1::TaskStatus) -> Result<TaskStatus, Refused> {
    let (size, most) = (wire.encoded_len(), limits::UPDATE_BYTES);
    if size > most {
        return Err(invalid(format!(
            "The update has {size} bytes, at most {most} are taken"
        )));
    }
    if wire.uuid.is_none() {
        return Err(invalid("Expecting 'uuid' to be present"));
    }
    wire.executor_id = Some((&key.executor).into());
    // Whatever it says, the agent knows better.
    wire.agent_id = None;
    TaskStatus::try_from(wire).map_err(invalid)
}

#[cfg(test)]
mod tests {
    use tepui_proto::decode;

    use super::*;

    fn verdict(body: &str) -> Result<(), String> {
        let ids = r#""executor_id": {"value": "e"}, "framework_id": {"value": "f"}"#;
        let call: Call = decode::json(format!("{{{ids}{body}}}").as_bytes()).unwrap();
        check(&call).map_err(|refused| {
            let text = refused.to_string();
            text["Failed to validate Executor::Call: ".len()..].to_owned()
        })
    }

    #[test]
    fn what_is_missing_or_wrong_is_named_as_mesos_does() {
        let update = |status: &str| {
            let id = r#""task_id": {"value": "t"}"#;
            format!(r#", "type": "UPDATE", "update": {{"status": {{{id}, {status}}}}}"#)
        };
        let uuid = r#""uuid": "AAAAAAAAAAAAAAAAAAAAAA==""#;
        let cases = [
            (String::new(), "Expecting 'type' to be present"),
            (
                r#", "type": "SUBSCRIBE""#.to_owned(),
                "Expecting 'subscribe' to be present",
            ),
            (
                r#", "type": "UPDATE""#.to_owned(),
                "Expecting 'update' to be present",
            ),
            (
                r#", "type": "MESSAGE""#.to_owned(),
                "Expecting 'message' to be present",
            ),
            (
                update(r#""state": "TASK_RUNNING""#),
                "Expecting 'uuid' to be present",
            ),
            (
                update(r#""state": "TASK_RUNNING", "uuid": "AAAA""#),
                "Not a valid UUID",
            ),
            (
                update(&format!(r#""state": "TASK_RUNNING", {uuid}"#)),
                "Received Call from executor e of framework f with invalid source, expecting \
                 'SOURCE_EXECUTOR'",
            ),
            (
                update(&format!(
                    r#""state": "TASK_RUNNING", {uuid}, "executor_id": {{"value": "x"}}"#
                )),
                "ExecutorID in Call: e does not match ExecutorID in TaskStatus: x",
            ),
            (
                update(&format!(
                    r#""state": "TASK_STAGING", {uuid}, "source": "SOURCE_EXECUTOR""#
                )),
                "Received TASK_STAGING from executor e of framework f which is not allowed",
            ),
        ];
        for (body, expected) in cases {
            assert_eq!(verdict(&body), Err(expected.to_owned()), "{body}");
        }
        assert_eq!(verdict(r#", "type": "HEARTBEAT""#), Ok(()));
    }
}
