//! What the store keeps, makes room for, and finds again.

use std::{collections::BTreeSet, fs};

use futures_util::FutureExt as _;
use tepui_images::{Error, Images, Options, list};
use tepui_model::ContainerId;

use crate::{Store, build, layer, registry::Fake, wanted};

const MEGABYTE: usize = 1 << 20;

fn id(name: &str) -> ContainerId {
    ContainerId::new(name).unwrap()
}

/// A store with room for so many images of a megabyte each.
fn with_room(images: u64) -> Store {
    let room = images * (MEGABYTE as u64 + 10_000);
    Store::with(|options| options.size_limit = room)
}

fn push(fake: &Fake, name: &str, byte: u8) -> String {
    // What compresses badly, so that sizes are alike.
    let mut state = u32::from(byte) + 1;
    let bytes: Vec<u8> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    })
    .take(MEGABYTE)
    .collect();
    fake.push(name, "1", &build(&[layer("x", &bytes)]))
}

fn names(store: &Store) -> Vec<String> {
    store
        .images
        .list()
        .into_iter()
        .map(|image| image.name)
        .collect()
}

#[tokio::test]
async fn the_image_that_was_longest_not_used_makes_room() {
    let (fake, store) = (Fake::start(), with_room(2));
    let all: Vec<_> = (0..3)
        .map(|at| push(&fake, &format!("i{at}"), at))
        .collect();
    store.pull(&all[0]).await.unwrap();
    store.pull(&all[1]).await.unwrap();
    assert_eq!(names(&store).len(), 2);
    store.pull(&all[2]).await.unwrap();
    assert_eq!(names(&store).len(), 2);
    assert!(names(&store).contains(&all[2]) && store.entries("layers") == 2);
}

#[tokio::test]
async fn what_containers_use_stays_and_what_does_not_fit_beside_it_is_refused() {
    let (fake, store) = (Fake::start(), with_room(1));
    let (first, second) = (push(&fake, "a", 1), push(&fake, "b", 2));
    let image = store.pull(&first).await.unwrap();
    let root = store.images.provide(&id("c"), image).await.unwrap();
    assert!(root.lower[0].join("x").is_file() && root.upper.is_dir() && root.work.is_dir());
    let error = store.pull(&second).await.unwrap_err();
    assert!(matches!(error, Error::TooLarge(_)), "{error}");
    assert_eq!(names(&store), [first]);
    store.images.release(&id("c")).await.unwrap();
    store.pull(&second).await.unwrap();
    assert_eq!(names(&store), [second]);
}

#[tokio::test]
async fn an_image_larger_than_the_store_is_not_even_begun() {
    let fake = Fake::start();
    let store = Store::with(|options| options.size_limit = 1000);
    let error = store.pull(&push(&fake, "a", 1)).await.unwrap_err();
    assert!(error.to_string().contains("--image-store-size"), "{error}");
    assert!(store.is_empty());
}

#[tokio::test]
async fn pruning_leaves_what_is_used_or_kept() {
    let (fake, store) = (Fake::start(), Store::new());
    let all: Vec<_> = (0..3)
        .map(|at| push(&fake, &format!("i{at}"), at))
        .collect();
    let mut images = Vec::new();
    for name in &all {
        images.push(store.pull(name).await.unwrap());
    }
    store
        .images
        .provide(&id("c"), images.remove(0))
        .await
        .unwrap();
    drop(images);
    let kept = [all[1].parse().unwrap()];
    let pruned = store.images.prune(&kept).await.unwrap();
    assert_eq!((pruned.images, pruned.layers), (1, 1));
    assert_eq!(names(&store), all[..2]);
    store.images.release(&id("c")).await.unwrap();
    store.images.prune(&[]).await.unwrap();
    assert!(store.is_empty());
}

#[tokio::test]
async fn what_containers_use_is_known_after_a_restart_and_what_was_half_is_gone() {
    let (fake, store) = (Fake::start(), Store::new());
    let name = push(&fake, "a", 1);
    for container in ["lives", "died"] {
        let image = store.pull(&name).await.unwrap();
        store.images.provide(&id(container), image).await.unwrap();
    }
    let path = store.folder.path().join("images");
    fs::create_dir_all(path.join("unfinished/7/tree/bin")).unwrap();
    // Files that a power cut left empty, and folders without what says that they are whole.
    fs::write(path.join("images/torn.json"), "").unwrap();
    fs::create_dir_all(path.join("layers").join("0".repeat(64)).join("tree")).unwrap();
    fs::create_dir_all(path.join("containers/torn/upper")).unwrap();
    let again = Images::open(Options::new(&path)).unwrap();
    assert_eq!(
        (store.entries("unfinished"), store.entries("layers")),
        (0, 1)
    );
    assert_eq!(
        (store.entries("containers"), store.entries("images")),
        (2, 1)
    );
    assert_eq!(again.list()[0].containers, 2);
    again.retain(BTreeSet::from([id("lives")])).await.unwrap();
    assert_eq!(again.list()[0].containers, 1);
    assert_eq!(list(&path).unwrap(), again.list());
    again.prune(&[]).await.unwrap();
    assert_eq!(store.entries("layers"), 1, "it is in use");
    again
        .pull(&wanted(&name), std::future::ready(()), |_, _| {})
        .await
        .unwrap();
}

#[tokio::test]
async fn a_container_that_is_started_again_begins_anew() {
    let (fake, store) = (Fake::start(), Store::new());
    let name = push(&fake, "a", 1);
    let image = store.pull(&name).await.unwrap();
    let root = store.images.provide(&id("c"), image).await.unwrap();
    fs::write(root.upper.join("left"), "x").unwrap();
    let image = store.pull(&name).await.unwrap();
    let root = store.images.provide(&id("c"), image).await.unwrap();
    assert_eq!(fs::read_dir(root.upper).unwrap().count(), 0);
    store.images.release(&id("c")).await.unwrap();
    store.images.release(&id("c")).await.unwrap();
    assert_eq!(store.entries("containers"), 0);
}

#[tokio::test]
async fn names_are_those_that_tasks_use_and_every_change_is_told() {
    let (fake, store) = (Fake::start(), Store::new());
    let name = push(&fake, "a", 1);
    assert!(store.images.names().is_empty());
    store.pull(&name).await.unwrap();
    store.images.changed().await;
    assert_eq!(store.images.names(), [&*name]);
    // Nothing has changed: it is as it was, and was used a moment ago.
    store.pull(&name).await.unwrap();
    assert!(store.images.changed().now_or_never().is_none());
    store.images.prune(&[]).await.unwrap();
    store.images.changed().await;
    assert!(store.images.names().is_empty());
}
