//! Compiles the `.proto` files with a protoc written in Rust (none is needed on the machine) and
//! gives every message the JSON form that Mesos has.

mod json;
mod table;

use std::{env, error::Error, fs, path::PathBuf};

use prost::Message;

const FILES: &[&str] = &[
    "mesos/v1/mesos.proto",
    "mesos/v1/agent/agent.proto",
    "mesos/v1/allocator/allocator.proto",
    "mesos/v1/executor/executor.proto",
    "mesos/v1/maintenance/maintenance.proto",
    "mesos/v1/master/master.proto",
    "mesos/v1/quota/quota.proto",
    "mesos/v1/resource_provider/resource_provider.proto",
    "mesos/v1/scheduler/scheduler.proto",
    "tepui/v1/agent_link.proto",
    "tepui/v1/executor.proto",
    "tepui/v1/node.proto",
    "tepui/v1/operator.proto",
    "tepui/v1/scheduler.proto",
];

fn main() -> Result<(), Box<dyn Error>> {
    for folder in ["build", "mesos", "tepui"] {
        println!("cargo:rerun-if-changed={folder}");
    }
    let descriptors = protox::compile(FILES, ["."])?;
    let out = PathBuf::from(env::var("OUT_DIR")?);
    fs::write(out.join("descriptors.bin"), descriptors.encode_to_vec())?;

    let mapping = json::Mapping::of(&descriptors);
    fs::write(out.join("json.rs"), mapping.code())?;
    fs::write(out.join("table.rs"), table::code(&descriptors))?;
    // Maps keep the order of their keys, so that the same message prints the same text.
    let only_with_grpc = "#[cfg(feature = \"grpc\")]";
    let generator = tonic_prost_build::configure()
        .btree_map(".")
        .codec_path("crate::codec::Lean")
        .client_mod_attribute(".", only_with_grpc)
        .server_mod_attribute(".", only_with_grpc);
    mapping.attach(generator).compile_fds(descriptors)?;
    Ok(())
}
