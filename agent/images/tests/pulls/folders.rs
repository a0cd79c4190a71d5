//! Images from folders: archives of `docker save`, and OCI layouts.

use std::{fs, path::Path};

use serde_json::json;
use tepui_images::{Digest, Error, Home};

use crate::{Built, Store, build, described, layer};

fn archive(
    path: &Path,
    image: &Built,
    tags: &[&str],
    change: impl FnOnce(&mut Vec<(String, Vec<u8>)>),
) {
    let config = format!("{}.json", Digest::of(&image.config).hex());
    let names: Vec<_> = (0..image.layers.len())
        .map(|at| format!("layer-{at}/layer.tar"))
        .collect();
    let list = json!([{ "Config": config, "RepoTags": tags, "Layers": names }]);
    let mut members = vec![(config, image.config.clone())];
    members.extend(names.into_iter().zip(image.layers.clone()));
    members.push(("manifest.json".to_owned(), list.to_string().into_bytes()));
    change(&mut members);
    let mut builder = tar::Builder::new(fs::File::create(path).unwrap());
    for (name, bytes) in members {
        let mut header = tar::Header::new_ustar();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, name, &*bytes).unwrap();
    }
    builder.finish().unwrap();
}

fn layout(folder: &Path, image: &Built, tag: &str) {
    let blobs = folder.join("blobs/sha256");
    fs::create_dir_all(&blobs).unwrap();
    for (digest, bytes) in &image.blobs {
        fs::write(blobs.join(digest.hex()), bytes).unwrap();
    }
    fs::write(
        blobs.join(Digest::of(&image.manifest).hex()),
        &image.manifest,
    )
    .unwrap();
    let mut manifest = described(&image.manifest);
    manifest["annotations"] = json!({ "org.opencontainers.image.ref.name": tag });
    let index = json!({ "schemaVersion": 2, "manifests": [manifest] });
    fs::write(folder.join("index.json"), index.to_string()).unwrap();
}

fn with_folder() -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_owned();
    let store = Store::with(|options| options.home = Home::Folder(path));
    (folder, store)
}

#[tokio::test]
async fn archives_of_docker_save_are_images() {
    let (folder, store) = with_folder();
    let image = build(&[layer("x", b"1"), layer("y", b"2")]);
    fs::create_dir(folder.path().join("team")).unwrap();
    let path = folder.path().join("team/app:1.tar");
    archive(&path, &image, &["team/app:1"], |_| {});
    store.pull("team/app:1").await.unwrap();
    assert_eq!(store.file(&image.layers[1], "y"), b"2");
    assert_eq!(store.images.names(), ["team/app:1"]);
    let error = store.pull("team/app:2").await.unwrap_err();
    assert!(matches!(error, Error::NotFound { .. }), "{error}");
}

#[tokio::test]
async fn a_broken_archive_says_what_is_wrong_and_leaves_nothing() {
    let image = build(&[layer("x", b"1")]);
    type Spoil = fn(&mut Vec<(String, Vec<u8>)>);
    let spoils: [Spoil; 4] = [
        |members| members.truncate(2),
        |members| members[1].1 = layer("x", b"another"),
        |members| drop(members.remove(0)),
        |members| members[2].1 = b"[".to_vec(),
    ];
    for spoil in spoils {
        let (folder, store) = with_folder();
        archive(&folder.path().join("a:latest.tar"), &image, &[], spoil);
        store.pull("a").await.unwrap_err();
        assert!(store.is_empty());
    }
}

#[tokio::test]
async fn oci_layouts_are_images_and_nothing_outside_of_them_is() {
    let (folder, store) = with_folder();
    let image = build(&[layer("x", b"1")]);
    layout(&folder.path().join("a"), &image, "1");
    store.pull("a:1").await.unwrap();
    store
        .pull(&format!("a@{}", Digest::of(&image.manifest)))
        .await
        .unwrap();
    store.pull("a:2").await.unwrap_err();
    // A link out of the folder leads nowhere.
    let outside = tempfile::tempdir().unwrap();
    layout(&outside.path().join("b"), &image, "1");
    std::os::unix::fs::symlink(outside.path().join("b"), folder.path().join("b")).unwrap();
    store.pull("b:1").await.unwrap_err();
}
