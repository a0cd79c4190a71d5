//! What must be in a call of an operator, in Mesos' order and words.

use tepui_agent_core::check_container_id;
use tepui_proto::v1::{
    self,
    agent::{
        Call,
        call::{AttachContainerInput, Type, attach_container_input},
    },
};

/// Looks whether everything is there that a call of its type must have.
pub(super) fn check(call: &Call) -> Result<(), String> {
    // A type that this version does not know is as none.
    let Some(Ok(kind)) = call.r#type.map(Type::try_from) else {
        return missing("type");
    };
    match kind {
        Type::GetMetrics => present("get_metrics", call.get_metrics.as_ref()).map(drop),
        Type::SetLoggingLevel => {
            present("set_logging_level", call.set_logging_level.as_ref()).map(drop)
        }
        Type::ListFiles => present("list_files", call.list_files.as_ref()).map(drop),
        Type::ReadFile => present("read_file", call.read_file.as_ref()).map(drop),
        Type::AttachContainerInput => {
            let field = "attach_container_input";
            input(present(field, call.attach_container_input.as_ref())?)
        }
        kind => match container(call, kind) {
            None => Ok(()),
            Some((field, nested, id)) => check_container_id(field, present(field, id)?, nested),
        },
    }
}

/// The field of a call about a container, and the container's id.
pub(super) fn target(call: &Call, kind: Type) -> Option<(&'static str, Option<&v1::ContainerId>)> {
    container(call, kind).map(|(field, _, id)| (field, id))
}

/// The field of a call about a container, whether it must be inside of another, and its id.
fn container(call: &Call, kind: Type) -> Option<(&'static str, bool, Option<&v1::ContainerId>)> {
    macro_rules! of {
        ($field:ident, $nested:literal) => {
            Some((
                stringify!($field),
                $nested,
                call.$field.as_ref().map(|it| &it.container_id),
            ))
        };
    }
    #[allow(deprecated, reason = "Mesos' clients use them")]
    match kind {
        Type::LaunchNestedContainer => of!(launch_nested_container, true),
        Type::LaunchNestedContainerSession => of!(launch_nested_container_session, true),
        Type::WaitNestedContainer => of!(wait_nested_container, true),
        Type::KillNestedContainer => of!(kill_nested_container, true),
        Type::RemoveNestedContainer => of!(remove_nested_container, true),
        Type::LaunchContainer => of!(launch_container, false),
        Type::WaitContainer => of!(wait_container, false),
        Type::KillContainer => of!(kill_container, false),
        Type::RemoveContainer => of!(remove_container, false),
        Type::AttachContainerOutput => of!(attach_container_output, false),
        _ => None,
    }
}

fn input(input: &AttachContainerInput) -> Result<(), String> {
    let field = "attach_container_input";
    let Some(Ok(kind)) = input.r#type.map(attach_container_input::Type::try_from) else {
        return missing(&format!("{field}.type"));
    };
    match kind {
        attach_container_input::Type::Unknown => Err(format!("'{field}.type' is unknown")),
        attach_container_input::Type::ContainerId => {
            let id = input.container_id.as_ref();
            let id = present(&format!("{field}.container_id"), id)?;
            check_container_id(field, id, false)
        }
        attach_container_input::Type::ProcessIo => {
            let io = input.process_io.as_ref();
            present(&format!("{field}.process_io"), io).map(drop)
        }
    }
}

fn present<'a, T>(field: &str, part: Option<&'a T>) -> Result<&'a T, String> {
    part.map_or_else(|| missing(field), Ok)
}

fn missing<T>(field: &str) -> Result<T, String> {
    Err(format!("Expecting '{field}' to be present"))
}

#[cfg(test)]
mod tests {
    use tepui_proto::decode;

    use super::*;

    #[test]
    fn what_is_missing_is_named_as_mesos_does() {
        let cases = [
            ("{}", "Expecting 'type' to be present"),
            (
                r#"{"type": "LAUNCH_NESTED_CONTAINER"}"#,
                "Expecting 'launch_nested_container' to be present",
            ),
            (
                r#"{"type": "WAIT_NESTED_CONTAINER",
                    "wait_nested_container": {"container_id": {"value": "a"}}}"#,
                "Expecting 'wait_nested_container.container_id.parent' to be present",
            ),
            (
                r#"{"type": "KILL_CONTAINER", "kill_container": {"container_id": {"value": "a.b"}}}"#,
                "'kill_container.container_id' is invalid: 'ContainerID.value' 'a.b' contains \
                 invalid characters",
            ),
            (
                r#"{"type": "ATTACH_CONTAINER_INPUT", "attach_container_input": {}}"#,
                "Expecting 'attach_container_input.type' to be present",
            ),
            (
                r#"{"type": "ATTACH_CONTAINER_INPUT",
                    "attach_container_input": {"type": "CONTAINER_ID"}}"#,
                "Expecting 'attach_container_input.container_id' to be present",
            ),
        ];
        for (body, text) in cases {
            let call: Call = decode::json(body.as_bytes()).unwrap();
            assert_eq!(check(&call), Err(text.to_owned()), "{body}");
        }
        let fine = r#"{"type": "WAIT_CONTAINER", "wait_container": {"container_id":
            {"value": "a", "parent": {"value": "b"}}}}"#;
        assert_eq!(check(&decode::json(fine.as_bytes()).unwrap()), Ok(()));
    }
}
