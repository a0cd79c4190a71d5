//! Every target on its kept corpus, and on changed copies of it for a bounded time. The changes
//! follow from a seed, so that what is found is found again.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test")]

mod seeds;

use std::{
    fs,
    path::PathBuf,
    time::{Duration, Instant},
};

use rand::{Rng, SeedableRng, rngs::StdRng};
use tepui_fuzz::{TARGETS, Target};

/// Changed copies of each target's corpus, unless time is over before.
const COPIES: u32 = 2000;
/// Milliseconds for each target; `TEPUI_FUZZ_MS` says otherwise.
const MILLISECONDS: u64 = 500;
/// The longest input.
const LONGEST: usize = 64 << 10;

fn corpus(target: &Target) -> Vec<Vec<u8>> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("corpus")
        .join(target.name);
    let mut paths: Vec<_> = fs::read_dir(&folder)
        .map(|entries| entries.map(|entry| entry.unwrap().path()).collect())
        .unwrap_or_default();
    paths.sort();
    let kept = paths.iter().map(|path| fs::read(path).unwrap());
    kept.chain(seeds::of(target.name)).collect()
}

/// A copy of one input that is changed in a few places.
fn changed(corpus: &[Vec<u8>], random: &mut StdRng) -> Vec<u8> {
    const ODD: &[&[u8]] = &[
        b"\0",
        b"\xff",
        b"\"",
        b"{",
        b"[",
        b"}",
        b"]",
        b":",
        b"-",
        b"1e400",
        b"null",
        b"../",
        b"\n",
        b"18446744073709551616",
        b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
        b"\\ud800",
        b"%s",
    ];
    let mut bytes = corpus[random.random_range(0..corpus.len())].clone();
    for _ in 0..random.random_range(1..6) {
        let at = random.random_range(0..=bytes.len());
        let end = (at + random.random_range(0..16)).min(bytes.len());
        match random.random_range(0..7) {
            0 if at < bytes.len() => bytes[at] ^= 1 << random.random_range(0..8),
            1 => bytes.truncate(at),
            2 => drop(bytes.drain(at..end)),
            3 => {
                let piece = bytes[at..end].to_vec();
                let times = random.random_range(1..40);
                bytes.splice(at..at, piece.repeat(times));
            }
            4 => {
                let odd = ODD[random.random_range(0..ODD.len())];
                bytes.splice(at..at, odd.iter().copied());
            }
            5 => {
                let other = &corpus[random.random_range(0..corpus.len())];
                let from = random.random_range(0..=other.len());
                bytes.splice(at.., other[from..].iter().copied());
            }
            _ => bytes.insert(at, random.random()),
        }
        bytes.truncate(LONGEST);
    }
    bytes
}

#[test]
fn p10_no_bytes_make_a_reader_panic() {
    let milliseconds = std::env::var("TEPUI_FUZZ_MS").ok();
    let milliseconds = milliseconds.map_or(MILLISECONDS, |text| text.parse().unwrap());
    for target in TARGETS {
        let corpus = corpus(target);
        assert!(!corpus.is_empty(), "{} has no corpus", target.name);
        for bytes in &corpus {
            (target.run)(bytes);
        }
        let mut random = StdRng::seed_from_u64(1);
        let over = Instant::now() + Duration::from_millis(milliseconds);
        let mut copies = 0;
        while copies < COPIES && Instant::now() < over {
            let bytes = changed(&corpus, &mut random);
            let read = std::panic::catch_unwind(|| (target.run)(&bytes));
            if read.is_err() {
                let path = std::env::temp_dir().join(format!("{}.found", target.name));
                fs::write(&path, &bytes).unwrap();
                panic!(
                    "{} cannot stand what is kept in {}",
                    target.name,
                    path.display()
                );
            }
            copies += 1;
        }
        println!("{}: {} inputs, {copies} copies", target.name, corpus.len());
    }
}

#[test]
fn every_target_has_a_program_for_libfuzzer_and_every_corpus_a_target() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let names = |folder: PathBuf| -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
        let stem = |path: PathBuf| path.file_stem().unwrap().to_str().unwrap().to_owned();
        let mut names: Vec<_> = entries.map(|entry| stem(entry.path())).collect();
        names.sort();
        names
    };
    let all: Vec<_> = TARGETS.iter().map(|target| target.name).collect();
    assert_eq!(names(root.join("../../fuzz/fuzz_targets")), all);
    for name in names(root.join("corpus")) {
        assert!(all.contains(&&*name), "no target has the corpus {name}");
    }
}
