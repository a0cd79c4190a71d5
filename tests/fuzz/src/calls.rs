//! Messages of the APIs, in both forms, and what frames and packs them.

use prost::Message;
use serde_json::Value;
use tepui_edge::http::body;
use tepui_master_core::SchedulerCall;
use tepui_model::{AgentInfo, FrameworkInfo, Resources};
use tepui_proto::{
    Described,
    decode::{json, protobuf},
    recordio::Decoder,
    services::AgentMessage,
    v1::{self, agent, executor, master, scheduler},
};

/// The most that is unpacked here, in bytes.
const UNPACKED: usize = 1 << 20;

/// What is understood can be said again, and is then the same.
fn said_again<M: Message + Default + Described + serde::Serialize + PartialEq>(message: &M) {
    let again = M::decode(&*message.encode_to_vec());
    assert!(again.is_ok_and(|again| again.encode_to_vec() == message.encode_to_vec()));
    assert!(serde_json::to_vec(message).is_ok());
}

fn try_json<M: Message + Default + Described + serde::Serialize + PartialEq>(
    bytes: &[u8],
) -> Option<M> {
    let message: M = json(bytes).ok()?;
    said_again(&message);
    Some(message)
}

fn try_protobuf<M: Message + Default + Described + serde::Serialize + PartialEq>(
    bytes: &[u8],
) -> Option<M> {
    let message: M = protobuf(bytes).ok()?;
    said_again(&message);
    Some(message)
}

fn scheduler(call: Option<scheduler::Call>) {
    let Some(call) = call else {
        return;
    };
    if let Some(subscribe) = &call.subscribe {
        drop(FrameworkInfo::try_from(&subscribe.framework_info));
    }
    drop(SchedulerCall::try_from(call));
}

pub(crate) fn scheduler_json(bytes: &[u8]) {
    scheduler(try_json(bytes));
}

pub(crate) fn scheduler_protobuf(bytes: &[u8]) {
    scheduler(try_protobuf(bytes));
}

pub(crate) fn master_json(bytes: &[u8]) {
    try_json::<master::Call>(bytes);
}

pub(crate) fn master_protobuf(bytes: &[u8]) {
    try_protobuf::<master::Call>(bytes);
}

pub(crate) fn agent_json(bytes: &[u8]) {
    try_json::<agent::Call>(bytes);
}

pub(crate) fn agent_protobuf(bytes: &[u8]) {
    try_protobuf::<agent::Call>(bytes);
}

pub(crate) fn executor_json(bytes: &[u8]) {
    try_json::<executor::Call>(bytes);
}

pub(crate) fn executor_protobuf(bytes: &[u8]) {
    try_protobuf::<executor::Call>(bytes);
}

/// What agents say to their master.
pub(crate) fn agent_link(bytes: &[u8]) {
    try_protobuf::<AgentMessage>(bytes);
    if let Some(info) = try_protobuf::<v1::AgentInfo>(bytes) {
        drop(AgentInfo::try_from(&info));
    }
}

/// A list of resources, as operators and agents give it.
pub(crate) fn resources_json(bytes: &[u8]) {
    let list: Vec<Value> = serde_json::from_slice(bytes).unwrap_or_default();
    let read = |value: &Value| json::<v1::Resource>(value.to_string().as_bytes()).ok();
    let list: Vec<v1::Resource> = list.iter().filter_map(read).collect();
    if let Ok((resources, _)) = Resources::from_proto(&list) {
        let again = Resources::from_proto(&resources.to_proto(None));
        assert!(again.is_ok_and(|(again, _)| again == resources));
    }
}

/// Records, whose bytes come in pieces as the first byte says.
pub(crate) fn recordio(bytes: &[u8]) {
    let piece = bytes.first().map_or(1, |byte| usize::from(*byte) + 1);
    let mut decoder = Decoder::new(1000);
    for piece in bytes.chunks(piece) {
        decoder.push(piece);
        while let Ok(Some(record)) = decoder.next_record() {
            assert!(record.len() <= 1000);
        }
    }
}

pub(crate) fn gzip(bytes: &[u8]) {
    if let Ok(unpacked) = body::unpack(bytes, UNPACKED) {
        assert!(unpacked.len() <= UNPACKED);
    }
}
