//! Every message, filled at random, reads back from its JSON as it was.

use std::collections::HashMap;

use proptest::{
    prelude::*,
    test_runner::{RngAlgorithm, TestRng},
};
use prost::{
    Message as _,
    encoding::{WireType, encode_key, encode_varint},
};
use prost_types::{
    DescriptorProto, EnumDescriptorProto, FieldDescriptorProto, FileDescriptorSet,
    field_descriptor_proto::{Label, Type},
};
use serde_json::{json, to_value};

use crate::{
    DESCRIPTORS,
    decode::{self, DecodeError},
    table::generated::for_each_message,
    v1::{self, scheduler},
};

/// Fills messages from the descriptors, not from the table that is under test.
struct Filler {
    messages: HashMap<String, DescriptorProto>,
    enums: HashMap<String, EnumDescriptorProto>,
    rng: TestRng,
}

impl Filler {
    fn new() -> Self {
        let mut filler = Self {
            messages: HashMap::new(),
            enums: HashMap::new(),
            rng: TestRng::deterministic_rng(RngAlgorithm::ChaCha),
        };
        for file in FileDescriptorSet::decode(DESCRIPTORS).unwrap().file {
            let scope = format!(".{}", file.package());
            file.message_type
                .iter()
                .for_each(|it| filler.learn(&scope, it));
            for it in file.enum_type {
                filler.enums.insert(format!("{scope}.{}", it.name()), it);
            }
        }
        filler
    }

    fn learn(&mut self, scope: &str, message: &DescriptorProto) {
        let full = format!("{scope}.{}", message.name());
        message
            .nested_type
            .iter()
            .for_each(|it| self.learn(&full, it));
        for it in &message.enum_type {
            self.enums
                .insert(format!("{full}.{}", it.name()), it.clone());
        }
        self.messages.insert(full, message.clone());
    }

    fn fill(&mut self, name: &str, depth: usize) -> Vec<u8> {
        let message = self.messages[name].clone();
        let mut bytes = Vec::new();
        for field in &message.field {
            let needed = field.label() == Label::Required || field.default_value.is_some();
            let one_of = field.oneof_index.is_some() && !field.proto3_optional();
            let wanted = needed || (depth > 0 && self.rng.random_bool(0.5));
            if wanted && (!one_of || self.rng.random_bool(0.3)) {
                self.write(field, depth, &mut bytes);
            }
        }
        bytes
    }

    fn write(&mut self, field: &FieldDescriptorProto, depth: usize, out: &mut Vec<u8>) {
        let number = field.number() as u32;
        let bytes = match field.r#type() {
            Type::Message => self.fill(field.type_name(), depth.saturating_sub(1)),
            Type::String => {
                let texts = ["", "a", "a\"\\\n\u{1}", "\u{1f3d4} tepui", "1", "true"];
                texts[self.rng.random_range(0..texts.len())].into()
            }
            Type::Bytes => (0..self.rng.random_range(0..6)).map(|n| n * 51).collect(),
            Type::Double => {
                let values = [0.0, -0.5, 0.1, 1e300, f64::INFINITY, f64::NEG_INFINITY];
                encode_key(number, WireType::SixtyFourBit, out);
                let value: f64 = values[self.rng.random_range(0..values.len())];
                return out.extend_from_slice(&value.to_le_bytes());
            }
            kind => {
                encode_key(number, WireType::Varint, out);
                return encode_varint(self.integer(kind, field.type_name()), out);
            }
        };
        encode_key(number, WireType::LengthDelimited, out);
        encode_varint(bytes.len() as u64, out);
        out.extend(bytes);
    }

    fn integer(&mut self, kind: Type, name: &str) -> u64 {
        let any: u64 = self.rng.random();
        match kind {
            Type::Bool => any % 2,
            Type::Int32 => i64::from(any as i32) as u64,
            Type::Uint32 => any % (1 << 32),
            Type::Enum => {
                let values = &self.enums[name].value;
                i64::from(values[any as usize % values.len()].number()) as u64
            }
            _ => any,
        }
    }
}

#[test]
fn every_message_reads_back_from_its_json_as_it_was() {
    let mut filler = Filler::new();
    let mut messages = 0;
    macro_rules! check {
        ($message:ty, $name:literal) => {
            messages += 1;
            for depth in [0, 1, 2, 3, 4, 5] {
                let bytes = filler.fill(concat!(".", $name), depth);
                let message = <$message>::decode(&*bytes).unwrap();
                let text = serde_json::to_vec(&message).unwrap();
                let back: $message = decode::json(&text)
                    .unwrap_or_else(|error| panic!("{}: {error}: {message:?}", $name));
                assert_eq!(back, message, "{}", $name);
                let again: $message = decode::protobuf(&message.encode_to_vec()).unwrap();
                assert_eq!(again, message, "{}", $name);
            }
        };
    }
    for_each_message!(check);
    assert!(messages > 300, "only {messages}");
}

fn call(text: &str) -> Result<scheduler::Call, DecodeError> {
    decode::json(text.as_bytes())
}

fn refused(text: &str) -> String {
    match call(text) {
        Err(DecodeError::Syntax(text)) => format!("syntax: {text}"),
        Err(error) => error.to_string(),
        Ok(call) => panic!("taken: {call:?}"),
    }
}

#[test]
fn unknown_keys_and_nulls_are_as_if_they_were_not_there() {
    let text = r#"{"type": "REVIVE", "x": {"y": [1, {"z": null}]}, "revive": null}"#;
    let expected = scheduler::Call {
        r#type: Some(scheduler::call::Type::Revive.into()),
        ..Default::default()
    };
    assert_eq!(call(text), Ok(expected));
}

#[test]
fn numbers_and_truths_may_be_strings() {
    let info: v1::FrameworkInfo = decode::json(
        br#"{"user": "u", "name": "n", "checkpoint": "true", "failover_timeout": "1.5"}"#,
    )
    .unwrap();
    assert_eq!(
        (info.checkpoint, info.failover_timeout),
        (Some(true), Some(1.5))
    );
    let range: v1::value::Range = decode::json(br#"{"begin": "5", "end": 7.0}"#).unwrap();
    assert_eq!((range.begin, range.end), (5, 7));
}

#[test]
fn one_value_in_place_of_a_list_is_a_list_of_one() {
    let accept = r#"{"accept": {"offer_ids": {"value": "o"}, "operations": null}}"#;
    assert_eq!(call(accept).unwrap().accept.unwrap().offer_ids.len(), 1);
    let revive = call(r#"{"revive": {"roles": "a"}}"#)
        .unwrap()
        .revive
        .unwrap();
    assert_eq!(revive.roles, ["a"]);
}

#[test]
fn an_unknown_enum_is_left_out_where_it_may_be() {
    assert_eq!(call(r#"{"type": "FLY"}"#).unwrap().r#type, None);
    let resource = br#"{"name": "cpus", "type": "FLUID"}"#;
    let error = decode::json::<v1::Resource>(resource).unwrap_err();
    assert_eq!(error.to_string(), "Failed to find enum for 'FLUID'");
}

#[test]
fn values_of_the_wrong_kind_are_refused_in_mesos_words() {
    let cases = [
        (
            r#"{"type": 1}"#,
            "Not expecting a JSON number for field 'type'",
        ),
        (
            r#"{"type": true}"#,
            "Not expecting a JSON boolean for field 'type'",
        ),
        (
            r#"{"type": {}}"#,
            "Not expecting a JSON object for field 'type'",
        ),
        (
            r#"{"type": []}"#,
            "Not expecting a JSON array for field 'type'",
        ),
        (
            r#"{"accept": "x"}"#,
            "Not expecting a JSON string for field 'accept'",
        ),
        (
            r#"{"framework_id": {"value": 5}}"#,
            "Not expecting a JSON number for field 'value'",
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(refused(text), expected, "{text}");
    }
}

#[test]
fn missing_fields_are_named_together() {
    let text = r#"{"type": "SUBSCRIBE", "subscribe": {"framework_info": {"id": {}}}}"#;
    let expected = "Missing required fields: subscribe.framework_info.user, \
                    subscribe.framework_info.name, subscribe.framework_info.id.value";
    assert_eq!(refused(text), expected);
}

#[test]
fn a_text_that_is_no_json_is_told_apart_from_one_that_says_something_wrong() {
    for text in [
        "",
        "{",
        "[1",
        "{\"type\": 1",
        "{} {}",
        "{\"type\": 1}x",
        "{\"subscribe\": 1e400}",
    ] {
        assert!(refused(text).starts_with("syntax: "), "{text}");
    }
    for text in ["[]", "1", "null", "\"x\""] {
        assert!(!refused(text).starts_with("syntax: "), "{text}");
    }
}

#[test]
fn nesting_without_end_is_refused_and_not_followed() {
    let deep =
        |open: &str, close: &str| format!("{}{}", open.repeat(100_000), close.repeat(100_000));
    let unknown = format!(r#"{{"x": {}}}"#, deep("[", "]"));
    assert!(call(&unknown).is_ok());
    let known = deep(r#"{"parent":"#, "}").replace(":}", ":{}}");
    assert!(decode::json::<v1::ContainerId>(known.as_bytes()).is_err());
    let lists = format!(r#"{{"revive": {{"roles": {}}}}}"#, deep("[", "]"));
    assert!(call(&lists).is_err());
}

#[test]
fn nul_and_lone_surrogates_do_no_harm() {
    let id = |text: &str| call(&format!(r#"{{"framework_id": {{"value": "{text}"}}}}"#));
    assert_eq!(id("a\\u0000b").unwrap().framework_id.unwrap().value, "a\0b");
    for wrong in ["\\ud800", "\\udc00x", "\\ud800\\ud800"] {
        assert!(matches!(id(wrong), Err(DecodeError::Syntax(_))), "{wrong}");
    }
    assert!(decode::json::<scheduler::Call>(b"{\"x\": \"\xff\"}").is_err());
}

#[test]
fn numbers_out_of_range_are_refused() {
    for wrong in ["-1", "18446744073709551616", "1e19", "\"x\"", "\"1e400\""] {
        let text = format!(r#"{{"begin": {wrong}, "end": 1}}"#);
        let result = decode::json::<v1::value::Range>(text.as_bytes());
        assert!(result.is_err(), "{wrong}: {result:?}");
    }
    let filters: v1::Filters = decode::json(br#"{"refuse_seconds": 4294967295}"#).unwrap();
    assert_eq!(filters.refuse_seconds, Some(4_294_967_295.0));
}

#[test]
fn a_duration_of_google_is_a_message_like_another() {
    let text = br#"{"agent_id": {"value": "a"}, "max_grace_period": {"seconds": "10"}}"#;
    let drain: v1::master::call::DrainAgent = decode::json(text).unwrap();
    assert_eq!(drain.max_grace_period.unwrap().seconds, 10);
    let printed = to_value(drain).unwrap();
    assert_eq!(
        printed["max_grace_period"],
        json!({"seconds": 10, "nanos": 0})
    );
}
