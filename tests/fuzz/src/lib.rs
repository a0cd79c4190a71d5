//! Every reader of bytes from outside, as a function that takes any bytes at all and must come
//! back. `make fuzz` runs them under libFuzzer (`fuzz/`); the test of this crate runs them on a
//! kept corpus and on changed copies of it, on any compiler.

mod calls;
mod images;
mod text;

/// A reader to try.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name, and that of the folder of its corpus.
    pub name: &'static str,
    /// Reads the bytes. What is not understood is dropped; nothing may panic.
    pub run: fn(&[u8]),
}

/// All of them.
pub const TARGETS: &[Target] = &[
    target("agent_call_json", calls::agent_json),
    target("agent_call_protobuf", calls::agent_protobuf),
    target("agent_link", calls::agent_link),
    target("attributes", text::attributes),
    target("capabilities", text::capabilities),
    target("credentials", images::credentials),
    target("durations", text::durations),
    target("executor_call_json", calls::executor_json),
    target("executor_call_protobuf", calls::executor_protobuf),
    target("gzip", calls::gzip),
    target("ids", text::ids),
    target("image_config", images::config),
    target("image_manifest", images::manifest),
    target("image_reference", images::reference),
    target("layer", images::layer),
    target("master_call_json", calls::master_json),
    target("master_call_protobuf", calls::master_protobuf),
    target("network_answer", text::network_answer),
    target("quantities", text::quantities),
    target("recordio", calls::recordio),
    target("registry_record", text::registry_record),
    target("resources_json", calls::resources_json),
    target("resources_text", text::resources),
    target("scheduler_call_json", calls::scheduler_json),
    target("scheduler_call_protobuf", calls::scheduler_protobuf),
    target("seccomp_profile", text::seccomp_profile),
];

const fn target(name: &'static str, run: fn(&[u8])) -> Target {
    Target { name, run }
}

/// Runs the target of that name.
///
/// # Panics
/// When there is none, or when it finds something.
pub fn run(name: &str, bytes: &[u8]) {
    let found = TARGETS.iter().find(|target| target.name == name);
    let found = found.unwrap_or_else(|| panic!("there is no target '{name}'"));
    (found.run)(bytes);
}

/// The bytes as text, where a reader takes text.
fn text_of(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok()
}
