//! The same layer by umoci, where it is installed: out of an OCI layout, with its digests checked.

use std::{fs, path::Path, process::Command};

use serde_json::json;
use tepui_cluster_tests::images::Image;
use tepui_images::Digest;

use super::text;

const NAME: &str = "bench";

/// Whether this machine has it.
pub(super) fn is_installed() -> bool {
    let version = Command::new("umoci").arg("--version").output();
    version.is_ok_and(|output| output.status.success())
}

/// Writes an image of this one layer, compressed, as a layout.
pub(super) fn write_layout(folder: &Path, layer: &[u8]) -> Result<(), String> {
    let image = Image::new(&json!({}), &[layer.to_vec()]);
    let digest = Digest::of(&image.manifest);
    let blobs = folder.join("blobs/sha256");
    fs::create_dir_all(&blobs).map_err(text)?;
    let manifest = (digest.clone(), image.manifest.clone());
    for (digest, bytes) in image.blobs.iter().chain([&manifest]) {
        let name = digest.to_string().replace("sha256:", "");
        fs::write(blobs.join(name), bytes).map_err(text)?;
    }
    let version = json!({"imageLayoutVersion": "1.0.0"});
    fs::write(folder.join("oci-layout"), version.to_string()).map_err(text)?;
    let index = json!({"schemaVersion": 2, "manifests": [{
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "digest": digest.to_string(),
        "size": image.manifest.len(),
        "annotations": {"org.opencontainers.image.ref.name": NAME},
    }]});
    fs::write(folder.join("index.json"), index.to_string()).map_err(text)
}

/// Unpacks the layout's image.
pub(super) fn unpack(layout: &Path, to: &Path) -> Result<(), String> {
    let image = format!("{}:{NAME}", layout.display());
    let mut command = Command::new("umoci");
    command.args(["raw", "unpack", "--image", &image]).arg(to);
    let output = command.output().map_err(text)?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    Err(format!("umoci: {said}"))
}
