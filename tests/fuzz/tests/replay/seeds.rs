//! Inputs that are no text: made here from what is, so that they can be read by people.

use std::{fs, io::Write, path::PathBuf};

use flate2::{Compression, write::GzEncoder};
use prost::Message;
use tepui_proto::{
    Described, decode, recordio,
    services::AgentMessage,
    v1::{agent, executor, master, scheduler},
};

/// Those of a target.
pub(crate) fn of(target: &str) -> Vec<Vec<u8>> {
    match target {
        "agent_call_protobuf" => encoded::<agent::Call>("agent_call_json"),
        "agent_link" => links(),
        "executor_call_protobuf" => encoded::<executor::Call>("executor_call_json"),
        "gzip" => vec![
            packed(b"{}"),
            packed(&[0; 100_000]),
            [packed(b"a"), packed(b"b")].concat(),
        ],
        "layer" => layers(),
        "master_call_protobuf" => encoded::<master::Call>("master_call_json"),
        "recordio" => vec![[recordio::encode(b"{}"), recordio::encode(&[7; 300])].concat()],
        "registry_record" => encoded::<scheduler::Call>("scheduler_call_json"),
        "scheduler_call_protobuf" => encoded::<scheduler::Call>("scheduler_call_json"),
        _ => Vec::new(),
    }
}

/// The messages of a corpus of JSON.
fn encoded<M: Message + Default + Described>(corpus: &str) -> Vec<Vec<u8>> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("corpus")
        .join(corpus);
    let mut paths: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    let texts = paths.iter().map(|path| fs::read(path).unwrap());
    texts
        .filter_map(|text| Some(decode::json::<M>(&text).ok()?.encode_to_vec()))
        .collect()
}

fn links() -> Vec<Vec<u8>> {
    let agent = r#"{"hostname": "h", "port": 5051, "attributes": [{"name": "rack", "type": "TEXT",
        "text": {"value": "r1"}}], "resources": [{"name": "cpus", "type": "SCALAR",
        "scalar": {"value": 4}}, {"name": "ports", "type": "RANGES", "ranges": {"range":
        [{"begin": 31000, "end": 32000}]}}]}"#;
    let info: tepui_proto::v1::AgentInfo = decode::json(agent.as_bytes()).unwrap();
    let register = format!(r#"{{"register": {{"agent": {agent}, "version": "0.1.0"}}}}"#);
    let message = decode::json::<AgentMessage>(register.as_bytes());
    let message = message.map(|it| it.encode_to_vec()).unwrap_or_default();
    vec![info.encode_to_vec(), message]
}

fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
    packer.write_all(bytes).unwrap();
    packer.finish().unwrap()
}

/// A layer with a bit of everything, plain and packed.
fn layers() -> Vec<Vec<u8>> {
    let mut layer = tar::Builder::new(Vec::new());
    let mut add = |kind: tar::EntryType, path: &str, link: Option<&str>, contents: &[u8]| {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_size(contents.len() as u64);
        header.set_mode(0o755);
        match link {
            Some(link) => layer.append_link(&mut header, path, link).unwrap(),
            None => {
                header.set_cksum();
                layer.append_data(&mut header, path, contents).unwrap();
            }
        }
    };
    add(tar::EntryType::Directory, "etc/", None, b"");
    add(
        tar::EntryType::Regular,
        "etc/passwd",
        None,
        b"root:x:0:0::/:/bin/sh\n",
    );
    add(
        tar::EntryType::Symlink,
        "etc/link",
        Some("../../../etc/passwd"),
        b"",
    );
    add(tar::EntryType::Link, "etc/hard", Some("etc/passwd"), b"");
    add(tar::EntryType::Regular, "etc/.wh.gone", None, b"");
    add(tar::EntryType::Regular, "etc/.wh..wh..opq", None, b"");
    add(
        tar::EntryType::Regular,
        &format!("{}/f", "long".repeat(60)),
        None,
        b"x",
    );
    let layer = layer.into_inner().unwrap();
    vec![packed(&layer), layer]
}
