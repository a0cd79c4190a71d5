//! Mesos' JSON: how it is read, and how values print: the functions that the generated serde
//! attributes name.

mod read;
#[cfg(test)]
mod roundtrip;

pub(crate) use read::to_wire;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Serialize, Serializer, ser::SerializeMap};

/// Gives the name of a value of a generated enum, `None` for a number that it does not have.
pub(crate) trait EnumName {
    fn name(number: i32) -> Option<&'static str>;
}

/// The functions for unset fields that print a default, and every enum's `EnumName`.
#[allow(clippy::ref_option, clippy::trivially_copy_pass_by_ref)]
pub(crate) mod generated {
    include!(concat!(env!("OUT_DIR"), "/json.rs"));
}

/// An enum by name. A number that this version does not know prints as the number, so that nothing
/// is made up.
pub(crate) fn enumeration<S: Serializer, E: EnumName>(
    number: &i32,
    to: S,
) -> Result<S::Ok, S::Error> {
    match E::name(*number) {
        Some(name) => to.serialize_str(name),
        None => to.serialize_i32(*number),
    }
}

pub(crate) fn optional_enumeration<S: Serializer, E: EnumName>(
    number: &Option<i32>,
    to: S,
) -> Result<S::Ok, S::Error> {
    match number {
        Some(number) => enumeration::<S, E>(number, to),
        None => to.serialize_none(),
    }
}

pub(crate) fn enumerations<S: Serializer, E: EnumName>(
    numbers: &[i32],
    to: S,
) -> Result<S::Ok, S::Error> {
    to.collect_seq(
        numbers
            .iter()
            .map(|number| Named::<E>(*number, std::marker::PhantomData)),
    )
}

struct Named<E>(i32, std::marker::PhantomData<E>);

impl<E: EnumName> Serialize for Named<E> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        enumeration::<S, E>(&self.0, to)
    }
}

/// A double as a number; the infinities, which JSON lacks, as the strings that Mesos takes.
pub(crate) fn double<S: Serializer>(value: &f64, to: S) -> Result<S::Ok, S::Error> {
    if *value == f64::INFINITY {
        to.serialize_str("Infinity")
    } else if *value == f64::NEG_INFINITY {
        to.serialize_str("-Infinity")
    } else {
        to.serialize_f64(*value)
    }
}

pub(crate) fn optional_double<S: Serializer>(
    value: &Option<f64>,
    to: S,
) -> Result<S::Ok, S::Error> {
    match value {
        Some(value) => double(value, to),
        None => to.serialize_none(),
    }
}

pub(crate) fn bytes<S: Serializer>(value: &[u8], to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&STANDARD.encode(value))
}

pub(crate) fn optional_bytes<S: Serializer>(
    value: &Option<Vec<u8>>,
    to: S,
) -> Result<S::Ok, S::Error> {
    match value {
        Some(value) => bytes(value, to),
        None => to.serialize_none(),
    }
}

pub(crate) fn optional_duration<S: Serializer>(
    value: &Option<prost_types::Duration>,
    to: S,
) -> Result<S::Ok, S::Error> {
    let Some(value) = value else {
        return to.serialize_none();
    };
    let mut map = to.serialize_map(Some(2))?;
    map.serialize_entry("seconds", &value.seconds)?;
    map.serialize_entry("nanos", &value.nanos)?;
    map.end()
}

#[cfg(test)]
mod tests {
    use serde_json::{json, to_value};

    use crate::{services, v1};

    #[test]
    fn a_filter_without_seconds_prints_the_default() {
        assert_eq!(
            to_value(v1::Filters::default()).unwrap(),
            json!({"refuse_seconds": 5.0})
        );
    }

    #[test]
    fn unset_fields_empty_lists_and_deprecated_defaults_are_left_out() {
        let info = v1::FrameworkInfo {
            user: "a".into(),
            name: "b".into(),
            ..Default::default()
        };
        let expected =
            json!({"user": "a", "name": "b", "failover_timeout": 0.0, "checkpoint": false});
        assert_eq!(to_value(info).unwrap(), expected);
    }

    #[test]
    fn enums_print_by_name_bytes_in_base64_and_integers_as_numbers() {
        let status = v1::TaskStatus {
            task_id: v1::TaskId { value: "t".into() },
            state: v1::TaskState::TaskRunning as i32,
            uuid: Some(vec![0xff; 3]),
            unreachable_time: Some(v1::TimeInfo {
                nanoseconds: i64::MAX,
            }),
            ..Default::default()
        };
        let expected = json!({
            "task_id": {"value": "t"},
            "state": "TASK_RUNNING",
            "uuid": "////",
            "unreachable_time": {"nanoseconds": i64::MAX},
        });
        assert_eq!(to_value(status).unwrap(), expected);
    }

    #[test]
    fn an_unknown_enum_number_prints_as_the_number() {
        let status = v1::TaskStatus {
            state: 99,
            ..Default::default()
        };
        assert_eq!(to_value(status).unwrap()["state"], json!(99));
    }

    #[test]
    fn an_infinite_limit_prints_as_mesos_takes_it() {
        let limit = v1::value::Scalar {
            value: f64::INFINITY,
        };
        assert_eq!(to_value(limit).unwrap(), json!({"value": "Infinity"}));
    }

    #[test]
    fn a_member_of_a_oneof_prints_under_its_own_name() {
        let change = services::OfferChange {
            change: Some(services::offer_change::Change::SnapshotEnd(
                services::SnapshotEnd {},
            )),
        };
        assert_eq!(to_value(change).unwrap(), json!({"snapshot_end": {}}));
    }
}
