//! Registries that lie, lead astray or hang, each case named by its number in our list.

use std::{
    sync::{Arc, Mutex, mpsc},
    time::Duration,
};

use serde_json::json;
use tepui_images::{Digest, Error};

use crate::{
    Store, architecture, build, described, gzip, layer,
    registry::{Answer, Fake, ok, with},
};

#[tokio::test]
async fn l14_a_blob_that_is_another_or_cut_short_is_not_used() {
    let image = build(&[layer("x", &[7; 5000])]);
    let good = gzip(&image.layers[0]);
    let mut longer = good.clone();
    longer.push(0);
    let mut flipped = good.clone();
    let last = flipped.len() - 1;
    flipped[last] ^= 1;
    let other = gzip(&layer("y", b"other"));
    let cut = Answer {
        cut: Some(good.len() / 2),
        ..ok(good.clone())
    };
    for answer in [
        ok(longer),
        ok(flipped),
        ok(other),
        ok(&good[..10]),
        ok(""),
        cut,
    ] {
        let (fake, store) = (Fake::start(), Store::new());
        let name = fake.push("a", "1", &image);
        let path = format!("/v2/a/blobs/{}", Digest::of(&good));
        fake.rule(move |asked| (asked.path == path).then(|| answer.clone()));
        store.pull(&name).await.unwrap_err();
        store.settled().await;
        assert!(store.is_empty());
    }
}

#[tokio::test]
async fn l14_what_is_unpacked_must_be_what_the_configuration_names() {
    let (fake, store) = (Fake::start(), Store::new());
    let mut image = build(&[layer("x", b"1")]);
    let config = String::from_utf8(image.config.clone()).unwrap();
    let lie = config.replace(Digest::of(&image.layers[0]).hex(), Digest::of(b"lie").hex());
    let packed = gzip(&image.layers[0]);
    let manifest = json!({
        "schemaVersion": 2, "config": described(lie.as_bytes()), "layers": [described(&packed)],
    });
    image.manifest = manifest.to_string().into_bytes();
    image
        .blobs
        .insert(Digest::of(lie.as_bytes()), lie.into_bytes());
    let error = store.pull(&fake.push("a", "1", &image)).await.unwrap_err();
    assert!(matches!(error, Error::Mismatch { .. }), "{error}");
    assert!(store.is_empty());
}

#[tokio::test]
async fn l14_a_manifest_and_a_configuration_that_are_others_are_not_used() {
    let (fake, store) = (Fake::start(), Store::new());
    let image = build(&[layer("x", b"1")]);
    let digest = Digest::of(&image.manifest);
    fake.push("a", "1", &image);
    let other = build(&[layer("x", b"2")]);
    fake.put(&format!("/v2/a/manifests/{digest}"), &other.manifest);
    let error = store
        .pull(&format!("{}/a@{digest}", fake.address))
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Mismatch { .. }), "{error}");
    let config = Digest::of(&image.config);
    fake.put(&format!("/v2/a/blobs/{config}"), &other.config);
    let error = store
        .pull(&format!("{}/a:1", fake.address))
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Mismatch { .. }), "{error}");
    assert!(store.is_empty());
}

#[tokio::test]
async fn l15_a_tag_that_moves_meanwhile_gives_one_image_and_not_half_of_two() {
    let (fake, store) = (Fake::start(), Store::new());
    let (old, new) = (build(&[layer("x", b"old")]), build(&[layer("x", b"new")]));
    fake.push("a", "other", &old);
    fake.push("a", "another", &new);
    let index = |image: &crate::Built| {
        let mut own = described(&image.manifest);
        own["platform"] = json!({ "os": "linux", "architecture": architecture() });
        json!({ "schemaVersion": 2, "manifests": [own] }).to_string()
    };
    let (first, later) = (index(&old), index(&new));
    let asked = Mutex::new(0);
    fake.rule(move |question| {
        let is_tag = question.path.ends_with("/manifests/moving");
        is_tag.then(|| {
            let mut asked = asked.lock().unwrap();
            *asked += 1;
            ok(if *asked == 1 {
                first.clone()
            } else {
                later.clone()
            })
        })
    });
    let image = store
        .pull(&format!("{}/a:moving", fake.address))
        .await
        .unwrap();
    assert_eq!(image.digest, Digest::of(&old.manifest));
    assert_eq!(
        fake.count("/manifests/moving"),
        1,
        "the tag is asked once, then digests"
    );
    assert_eq!(store.file(&old.layers[0], "x"), b"old");
}

#[tokio::test]
async fn l16_indexes_that_lead_from_one_to_the_next_come_to_an_end() {
    let (fake, store) = (Fake::start(), Store::new());
    let mut document = build(&[layer("x", b"1")]).manifest;
    for _ in 0..10 {
        fake.put(
            &format!("/v2/a/manifests/{}", Digest::of(&document)),
            &document,
        );
        let mut inner = described(&document);
        inner["platform"] = json!({ "os": "linux", "architecture": architecture() });
        document = json!({ "schemaVersion": 2, "manifests": [inner] })
            .to_string()
            .into_bytes();
    }
    fake.put("/v2/a/manifests/deep", &document);
    let error = store
        .pull(&format!("{}/a:deep", fake.address))
        .await
        .unwrap_err();
    assert!(error.to_string().contains("indexes"), "{error}");
}

#[tokio::test]
async fn l17_a_registry_leads_to_no_secret_and_not_in_circles() {
    for to in [
        "http://169.254.169.254/latest/meta-data",
        "file:///etc/passwd",
        "ftp://127.0.0.1/x",
        "http://[fe80::1]/",
        "http://[::ffff:169.254.169.254]/",
        "//169.254.169.254/x",
        "/v2/round/and/round",
    ] {
        let (fake, store) = (Fake::start(), Store::new());
        fake.rule(move |_| Some(with(302, "Location", to)));
        store
            .pull(&format!("{}/a:1", fake.address))
            .await
            .unwrap_err();
        assert!(store.is_empty());
        assert!(fake.count("") < 10, "{to}");
    }
}

#[tokio::test]
async fn l17_tokens_are_asked_for_at_no_secret_place() {
    let (fake, store) = (Fake::start(), Store::new());
    let challenge = "Bearer realm=\"http://169.254.169.254/token\",service=\"x\"";
    fake.rule(move |_| Some(with(401, "WWW-Authenticate", challenge)));
    let error = store
        .pull(&format!("{}/a:1", fake.address))
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Forbidden { .. }), "{error}");
}

#[tokio::test]
async fn l18_a_registry_that_hangs_is_given_up_wherever_it_does() {
    let image = build(&[layer("x", &[7; 50_000])]);
    for part in ["/manifests/", "/blobs/"] {
        let fake = Fake::start();
        let store = Store::with(|options| options.stall_timeout = Duration::from_millis(300));
        let name = fake.push("a", "1", &image);
        let begin = Answer {
            cut: Some(5),
            hang: true,
            ..ok(vec![b'{'; 50_000])
        };
        fake.rule(move |asked| asked.path.contains(part).then(|| begin.clone()));
        let error = store.pull(&name).await.unwrap_err();
        assert!(matches!(error, Error::TooSlow { .. }), "{error}");
        store.settled().await;
        assert!(store.is_empty());
    }
}

#[tokio::test]
async fn l18_all_of_a_pull_has_a_deadline() {
    let fake = Fake::start();
    let store = Store::with(|options| options.pull_timeout = Duration::from_millis(300));
    let name = fake.push("a", "1", &build(&[layer("x", b"1")]));
    fake.rule(|_| {
        Some(Answer {
            cut: Some(0),
            hang: true,
            ..ok("x")
        })
    });
    let error = store.pull(&name).await.unwrap_err();
    assert!(matches!(error, Error::Timeout(_)), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn l19_two_pulls_of_one_layer_of_which_one_is_given_up_midway() {
    let fake = Fake::start();
    let store = Arc::new(Store::new());
    let base = layer("base", &[7; 200_000]);
    let first = fake.push("a", "1", &build(&[base.clone(), layer("x", b"1")]));
    let second = fake.push("b", "1", &build(&[base.clone(), layer("y", b"2")]));
    // The first time the layer stops in the middle, until nobody listens.
    let (sender, stopped) = mpsc::channel();
    let packed = gzip(&base);
    let path = format!("/blobs/{}", Digest::of(&packed));
    let half = Answer {
        cut: Some(packed.len() / 2),
        hang: true,
        ..ok(packed)
    };
    let state = Mutex::new(Some(sender));
    fake.rule(move |asked| {
        let sender = asked
            .path
            .ends_with(&path)
            .then(|| state.lock().unwrap().take())??;
        sender.send(()).unwrap();
        Some(half.clone())
    });
    let pulling = tokio::spawn({
        let (store, first) = (Arc::clone(&store), first.clone());
        async move { store.pull(&first).await.map(drop) }
    });
    tokio::task::spawn_blocking(move || stopped.recv().unwrap())
        .await
        .unwrap();
    let waiting = tokio::spawn({
        let store = Arc::clone(&store);
        async move { store.pull(&second).await.map(drop) }
    });
    pulling.abort();
    waiting.await.unwrap().unwrap();
    store.settled().await;
    assert_eq!(store.file(&base, "base"), [7; 200_000]);
    // The other layer of the first image may have been there, whole, before it was given up.
    assert!(store.entries("layers") >= 2 && store.entries("images") == 1);
    store.pull(&first).await.unwrap();
    assert_eq!(store.entries("layers"), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn l19_who_comes_at_the_same_time_waits_and_nothing_is_fetched_twice() {
    let fake = Fake::start();
    let store = Arc::new(Store::new());
    let name = fake.push("a", "1", &build(&[layer("x", &[1; 100_000])]));
    let pulls = (0..8).map(|_| {
        let (store, name) = (Arc::clone(&store), name.clone());
        tokio::spawn(async move { store.pull(&name).await.map(drop) })
    });
    for pull in pulls.collect::<Vec<_>>() {
        pull.await.unwrap().unwrap();
    }
    assert_eq!((fake.count("/manifests/"), fake.count("/blobs/")), (1, 2));
}
