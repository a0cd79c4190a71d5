//! What the folder store promises about restarts, second owners and damage.

use tempfile::TempDir;

use super::*;

const AGENTS: Family = Family::new("agents");
const FRAMEWORKS: Family = Family::new("frameworks");

fn folder() -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("registry");
    (dir, path)
}

fn open(path: &Path) -> RocksStore {
    RocksStore::open(path, &[AGENTS, FRAMEWORKS]).unwrap()
}

fn put(store: &dyn Store, family: Family, key: &str, value: &str) -> Epoch {
    let mut batch = Batch::new();
    batch.put(family, key, value.as_bytes().to_vec());
    store.commit(batch).unwrap()
}

fn keys(store: &dyn Store, family: Family) -> Vec<String> {
    store
        .load(family)
        .unwrap()
        .into_iter()
        .map(|(key, _)| key)
        .collect()
}

/// The write-ahead log that holds records.
fn log_file(path: &Path) -> PathBuf {
    let logs = fs::read_dir(path)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    logs.filter(|file| file.extension().is_some_and(|e| e == "log"))
        .max_by_key(|file| fs::metadata(file).unwrap().len())
        .unwrap()
}

/// A folder as the death of the process leaves it: copied while the store is open.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

#[test]
fn records_survive_in_order_and_families_are_apart() {
    let (_dir, path) = folder();
    let store = open(&path);
    let first = put(&store, AGENTS, "b", "2");
    put(&store, AGENTS, "a", "1");
    put(&store, FRAMEWORKS, "a", "f");
    let mut batch = Batch::new();
    batch.put(AGENTS, "c", Vec::new());
    batch.delete(AGENTS, "b");
    assert!(store.commit(batch).unwrap() > first);
    drop(store);
    let store = open(&path);
    assert_eq!(keys(&store, AGENTS), ["a", "c"]);
    assert_eq!(
        store.load(FRAMEWORKS).unwrap(),
        [("a".to_owned(), b"f".to_vec())]
    );
}

#[test]
fn an_empty_batch_changes_nothing_and_an_unknown_family_is_refused() {
    let (_dir, path) = folder();
    let store = open(&path);
    let epoch = put(&store, AGENTS, "a", "1");
    assert_eq!(store.commit(Batch::new()).unwrap(), epoch);
    let unknown = Family::new("unknown");
    assert!(matches!(
        store.load(unknown),
        Err(Error::UnknownFamily { .. })
    ));
}

#[test]
fn a_second_owner_is_told_who_has_the_store() {
    let (_dir, path) = folder();
    let _store = open(&path);
    let error = RocksStore::open(&path, &[AGENTS]).unwrap_err();
    assert!(matches!(error, Error::Locked { .. }), "{error}");
    let text = error.to_string();
    assert!(
        text.contains(&format!("in use by process {}", std::process::id())),
        "{text}"
    );
    assert!(text.contains("choose another folder"), "{text}");
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    let error = RocksStore::open(file.join("registry"), &[AGENTS]).unwrap_err();
    assert!(matches!(error, Error::Folder { .. }), "{error}");
    assert!(error.to_string().contains("file/registry"), "{error}");
}

#[test]
fn families_of_a_newer_program_are_kept() {
    let (_dir, path) = folder();
    put(&open(&path), FRAMEWORKS, "f", "1");
    put(
        &RocksStore::open(&path, &[AGENTS]).unwrap(),
        AGENTS,
        "a",
        "1",
    );
    assert_eq!(keys(&open(&path), FRAMEWORKS), ["f"]);
}

#[test]
fn a_newer_format_is_refused() {
    let (_dir, path) = folder();
    drop(open(&path));
    fs::write(path.join(MARKER), "tepui-store 9\n").unwrap();
    let error = RocksStore::open(&path, &[AGENTS]).unwrap_err();
    assert!(error.to_string().contains("tepui-store 9"), "{error}");
}

#[test]
fn a_half_made_store_is_made_again() {
    let (dir, path) = folder();
    drop(open(&path));
    fs::remove_file(path.join(MARKER)).unwrap();
    put(&open(&path), AGENTS, "a", "1");
    let barely = dir.path().join("barely");
    fs::create_dir(&barely).unwrap();
    fs::write(barely.join("MANIFEST-000001"), "half").unwrap();
    put(&open(&barely), AGENTS, "a", "1");
}

#[test]
fn a_checkpoint_opens_as_a_store() {
    let (dir, path) = folder();
    let store = open(&path);
    put(&store, AGENTS, "a", "1");
    let backup = dir.path().join("backup");
    store.checkpoint(&backup).unwrap();
    put(&store, AGENTS, "b", "2");
    assert_eq!(keys(&open(&backup), AGENTS), ["a"]);
    assert!(store.checkpoint(&backup).is_err());
}

/// Case S9: the log is cut at every byte. What was complete before the cut is there, nothing else
/// is.
#[test]
fn a_torn_tail_loses_only_what_was_torn() {
    const RECORDS: usize = 12;
    let (dir, path) = folder();
    let store = open(&path);
    let mut complete = Vec::new();
    for n in 0..RECORDS {
        put(&store, AGENTS, &format!("k{n:02}"), "some value");
        complete.push(fs::metadata(log_file(&path)).unwrap().len());
    }
    let whole = *complete.last().unwrap();
    for (round, length) in (0..=whole).rev().enumerate().step_by(7) {
        let torn = dir.path().join(format!("torn{round}"));
        copy(&path, &torn);
        let log = File::options().write(true).open(log_file(&torn)).unwrap();
        log.set_len(length).unwrap();
        let expected = complete.iter().filter(|end| **end <= length).count();
        assert_eq!(
            keys(&open(&torn), AGENTS).len(),
            expected,
            "cut at {length} of {whole}"
        );
        fs::remove_dir_all(&torn).unwrap();
    }
}

/// Case S10: a flipped bit anywhere in the log is refused or changes nothing; it is never guessed
/// at.
#[test]
fn a_flipped_bit_is_refused() {
    let (dir, path) = folder();
    let store = open(&path);
    let all: Vec<String> = (0..8).map(|n| format!("k{n}")).collect();
    for key in &all {
        put(&store, AGENTS, key, "some value");
    }
    let mut refused = 0;
    let length = fs::metadata(log_file(&path)).unwrap().len() as usize;
    for byte in (0..length).step_by(11) {
        let damaged = dir.path().join(format!("damaged{byte}"));
        copy(&path, &damaged);
        let log = log_file(&damaged);
        let mut bytes = fs::read(&log).unwrap();
        bytes[byte] ^= 0x10;
        fs::write(&log, bytes).unwrap();
        match RocksStore::open(&damaged, &[AGENTS, FRAMEWORKS]) {
            Err(error) => {
                assert!(
                    matches!(error, Error::Damaged { .. }),
                    "byte {byte}: {error}"
                );
                refused += 1;
            }
            // A length that now points past the end of the file looks like a torn tail.
            Ok(store) => assert!(all.starts_with(&keys(&store, AGENTS)), "byte {byte}"),
        }
        fs::remove_dir_all(&damaged).unwrap();
    }
    assert!(refused > 0);
}

/// Case S11: a store that lost a file says so, and stays as it is.
#[test]
fn a_missing_file_is_refused_and_nothing_is_rewritten() {
    let (dir, path) = folder();
    let store = open(&path);
    put(&store, AGENTS, "a", "1");
    store.db.flush_cf(store.column(AGENTS).unwrap()).unwrap();
    drop(store);
    for prefix in [CURRENT, "MANIFEST-", "0"] {
        let broken = dir.path().join(format!("without-{prefix}"));
        copy(&path, &broken);
        let files = fs::read_dir(&broken)
            .unwrap()
            .map(|entry| entry.unwrap().file_name());
        let victims = files.filter(|name| {
            let name = name.to_string_lossy();
            name.starts_with(prefix) && !name.ends_with(".log")
        });
        for victim in victims.collect::<Vec<_>>() {
            fs::remove_file(broken.join(victim)).unwrap();
        }
        let error = RocksStore::open(&broken, &[AGENTS, FRAMEWORKS]).unwrap_err();
        assert!(matches!(error, Error::Damaged { .. }), "{prefix}: {error}");
        assert!(
            error.to_string().contains("restore it from a backup"),
            "{error}"
        );
        assert!(prefix != CURRENT || !broken.join(CURRENT).exists());
    }
}
