//! Which tasks are refused, and in which words.

use tepui_proto::v1::{DurationInfo, value};

use super::*;
use crate::Resources;

fn wire(resources: &str) -> v1::TaskInfo {
    let resources: Resources = resources.parse().unwrap();
    v1::TaskInfo {
        name: "sleep".to_owned(),
        task_id: v1::TaskId {
            value: "t".to_owned(),
        },
        agent_id: v1::AgentId {
            value: "m-S0".to_owned(),
        },
        resources: resources.to_proto(None),
        command: Some(v1::CommandInfo::default()),
        ..Default::default()
    }
}

fn verdict(wire: v1::TaskInfo) -> Result<(), String> {
    TaskInfo::try_from(wire)
        .unwrap()
        .validate()
        .map_err(|invalid| invalid.to_string())
}

fn refusal(wire: v1::TaskInfo) -> String {
    verdict(wire).unwrap_err()
}

#[test]
fn a_task_with_a_command_and_resources_is_taken() {
    assert_eq!(verdict(wire("cpus:1;mem:64;gpus:2")), Ok(()));
}

#[test]
fn a_task_has_either_a_command_or_an_executor() {
    let rule =
        "Task should have at least one (but not both) of CommandInfo or ExecutorInfo present";
    let executor = Some(v1::ExecutorInfo::default());
    assert_eq!(
        refusal(v1::TaskInfo {
            executor: executor.clone(),
            ..wire("cpus:1")
        }),
        rule
    );
    assert_eq!(
        refusal(v1::TaskInfo {
            command: None,
            ..wire("cpus:1")
        }),
        rule
    );
    assert_eq!(
        verdict(v1::TaskInfo {
            command: None,
            executor,
            ..wire("cpus:1")
        }),
        Ok(())
    );
}

#[test]
fn a_task_uses_resources_and_whole_gpus() {
    assert_eq!(refusal(wire("")), "Task uses no resources");
    assert!(refusal(wire("gpus:0.5")).contains("'gpus' resource must be an unsigned integer"));
}

#[test]
fn spans_are_not_negative() {
    let negative = Some(DurationInfo { nanoseconds: -1 });
    let kill_policy = Some(v1::KillPolicy {
        grace_period: negative,
    });
    let impatient = v1::TaskInfo {
        kill_policy,
        ..wire("cpus:1")
    };
    assert_eq!(
        refusal(impatient),
        "Task's 'kill_policy.grace_period' must be non-negative"
    );
    let late = v1::TaskInfo {
        max_completion_time: negative,
        ..wire("cpus:1")
    };
    assert_eq!(
        refusal(late),
        "Task's 'max_completion_time' must be non-negative"
    );
    let executor = v1::ExecutorInfo {
        shutdown_grace_period: negative,
        ..Default::default()
    };
    let executor = v1::TaskInfo {
        command: None,
        executor: Some(executor),
        ..wire("cpus:1")
    };
    assert_eq!(
        refusal(executor),
        "Task's 'executor.shutdown_grace_period' must be non-negative"
    );
}

#[test]
fn revocable_resources_are_not_mixed_with_others_of_their_name() {
    let mut mixed = wire("cpus:1;mem:64;cpus(a):1");
    mixed.resources[1].revocable = Some(v1::resource::RevocableInfo {});
    assert_eq!(verdict(mixed.clone()), Ok(()));
    mixed.resources[0].revocable = Some(v1::resource::RevocableInfo {});
    assert!(refusal(mixed).contains("both revocable and non-revocable 'cpus'"));
}

#[test]
fn a_volume_comes_once_and_all_resources_from_one_provider() {
    let mut volumes = wire("disk(a):10;cpus:1");
    let persistence = Some(v1::resource::disk_info::Persistence {
        id: "v".to_owned(),
        principal: None,
    });
    volumes.resources[1].disk = Some(v1::resource::DiskInfo {
        persistence,
        ..Default::default()
    });
    assert_eq!(verdict(volumes.clone()), Ok(()));
    let again = volumes.resources[1].clone();
    volumes.resources.push(again);
    assert_eq!(refusal(volumes), "Task uses duplicate persistence ID: v");
    let mut providers = wire("cpus:1;mem:64");
    providers.resources[0].provider_id = Some(v1::ResourceProviderId {
        value: "p".to_owned(),
    });
    assert!(refusal(providers).contains("multiple resource providers"));
}

#[test]
fn a_limit_is_for_cpus_or_memory_and_not_below_the_request() {
    let limited = |name: &str, value: f64| {
        let limits = [(name.to_owned(), value::Scalar { value })].into();
        verdict(v1::TaskInfo {
            limits,
            ..wire("cpus:2;disk:10")
        })
    };
    assert_eq!(limited("cpus", 2.0), Ok(()));
    assert_eq!(limited("cpus", f64::INFINITY), Ok(()));
    assert!(
        limited("cpus", 1.0)
            .unwrap_err()
            .contains("not below the request")
    );
    assert!(
        limited("cpus", f64::NAN)
            .unwrap_err()
            .contains("not below the request")
    );
    assert!(
        limited("mem", 64.0)
            .unwrap_err()
            .contains("needs a request")
    );
    assert!(
        limited("disk", 20.0)
            .unwrap_err()
            .contains("only 'cpus' and 'mem'")
    );
}

#[test]
fn a_variable_has_a_value_or_a_secret_as_its_type_says() {
    let with = |kind: variable::Type, value: Option<&str>, secret: Option<&[u8]>| {
        let value = value.map(str::to_owned);
        let data = |data: &[u8]| v1::secret::Value {
            data: data.to_vec(),
        };
        let secret = secret.map(|bytes| v1::Secret {
            value: Some(data(bytes)),
            ..Default::default()
        });
        let name = "X".to_owned();
        let variable = v1::environment::Variable {
            name,
            r#type: Some(kind.into()),
            value,
            secret,
        };
        let environment = Some(v1::Environment {
            variables: vec![variable],
        });
        let command = Some(v1::CommandInfo {
            environment,
            ..Default::default()
        });
        verdict(v1::TaskInfo {
            command,
            ..wire("cpus:1")
        })
        .map_err(|text| text.replace("Environment variable 'X' ", ""))
    };
    let refused = |rule: &str| Err(rule.to_owned());
    use variable::Type::{Secret, Unknown, Value};
    assert_eq!(with(Value, Some("1"), None), Ok(()));
    assert_eq!(with(Secret, None, Some(b"1")), Ok(()));
    assert_eq!(
        with(Value, None, None),
        refused("of type 'VALUE' must have a value set")
    );
    assert_eq!(
        with(Value, Some("1"), Some(b"1")),
        refused("of type 'VALUE' must not have a secret set")
    );
    assert_eq!(
        with(Secret, None, None),
        refused("of type 'SECRET' must have a secret set")
    );
    assert_eq!(
        with(Secret, Some("1"), Some(b"1")),
        refused("of type 'SECRET' must not have a value set")
    );
    assert_eq!(
        with(Unknown, Some("1"), None),
        refused("of type 'UNKNOWN' is not allowed")
    );
    assert_eq!(
        with(Value, Some("a\0b"), None),
        refused("must not contain NUL")
    );
    assert_eq!(
        with(Secret, None, Some(b"a\0b")),
        refused("must not contain NUL")
    );
}
