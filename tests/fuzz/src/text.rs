//! Text that people and other programs write, and what the registry keeps.

use tepui_containers::Capabilities;
use tepui_edge::span;
use tepui_master_core::{Record, RecordKind};
use tepui_model::{Attributes, FrameworkId, Quantity, Resources, Role, TaskId};

use crate::text_of;

pub(crate) fn resources(bytes: &[u8]) {
    let Some(text) = text_of(bytes) else {
        return;
    };
    if let Ok(resources) = Resources::parse(text, &Role::default()) {
        let again = Resources::from_proto(&resources.to_proto(None));
        assert!(again.is_ok_and(|(again, _)| again == resources));
    }
}

pub(crate) fn attributes(bytes: &[u8]) {
    if let Some(text) = text_of(bytes) {
        drop(Attributes::parse(text));
    }
}

pub(crate) fn quantities(bytes: &[u8]) {
    let Some(text) = text_of(bytes) else {
        return;
    };
    if let Ok(quantity) = text.parse::<Quantity>() {
        assert_eq!(quantity.to_string().parse(), Ok(quantity));
    }
}

pub(crate) fn ids(bytes: &[u8]) {
    if let Some(text) = text_of(bytes) {
        drop((Role::new(text), TaskId::new(text), FrameworkId::new(text)));
    }
}

/// A duration that is understood is written so that it is understood again.
pub(crate) fn durations(bytes: &[u8]) {
    let Some(text) = text_of(bytes) else {
        return;
    };
    if let Ok(read) = span::parse(text) {
        assert!(span::parse(&span::format(read)).is_ok());
    }
}

pub(crate) fn capabilities(bytes: &[u8]) {
    if let Some(text) = text_of(bytes) {
        drop(text.parse::<Capabilities>());
    }
}

pub(crate) fn seccomp_profile(bytes: &[u8]) {
    if let Some(text) = text_of(bytes) {
        tepui_containers::fuzzing::seccomp_profile(text);
    }
}

pub(crate) fn network_answer(bytes: &[u8]) {
    tepui_containers::fuzzing::network_answer(bytes);
}

/// A record of every kind, under a key that the first bytes are.
pub(crate) fn registry_record(bytes: &[u8]) {
    let (key, rest) = bytes.split_at(bytes.len().min(4));
    let key = String::from_utf8_lossy(key);
    for kind in RecordKind::ALL {
        for key in [&*key, "role", "m-S0", "m-0000"] {
            if let Ok(record) = Record::decode(kind, key, rest) {
                // What was read can be kept.
                drop(record.encode());
            }
        }
    }
}
