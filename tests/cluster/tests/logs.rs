//! What tasks write, and how much of it is kept, over the real binaries.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test may panic anywhere"
)]

use std::{
    fs,
    io::Read as _,
    path::{Path, PathBuf},
    process::Child,
};

use tepui_cluster_tests::{Cluster, can_isolate, eventually};

const MEGABYTE: u64 = 1 << 20;

/// A cluster with an agent that keeps three megabytes of output.
fn cluster() -> Cluster {
    let mut cluster = Cluster::start(0);
    cluster.add_agent(&["--max-stdout-size", "1", "--log-files", "2"]);
    cluster
}

/// The one sandbox, once its task has begun to write.
fn sandbox(cluster: &Cluster) -> PathBuf {
    fn find(folder: &Path) -> Option<PathBuf> {
        let entries = fs::read_dir(folder).ok()?.flatten();
        let mut entries = entries.map(|it| it.path());
        entries.find_map(|path| {
            let is_folder = fs::symlink_metadata(&path).is_ok_and(|it| it.is_dir());
            if path.ends_with("stdout") {
                return Some(folder.to_owned());
            }
            is_folder.then(|| find(&path)).flatten()
        })
    }
    let sandboxes = cluster.folder().join("agent-0/slaves");
    eventually("a sandbox", || find(&sandboxes))
}

/// The sizes of the files of the output; none of one that is missing.
fn sizes(sandbox: &Path) -> Vec<u64> {
    let names = ["stdout", "stdout.1", "stdout.2", "stdout.3"];
    let sizes = names.map(|name| fs::metadata(sandbox.join(name)).map(|it| it.len()));
    sizes.into_iter().flatten().collect()
}

fn end(cluster: &Cluster, mut child: Child) {
    let task = cluster.tasks()[0]["task_id"]["value"]
        .as_str()
        .unwrap()
        .to_owned();
    cluster.tepui(&["kill", &task]).ok();
    eventually("the end of the task", || {
        cluster.tasks().is_empty().then_some(())
    });
    // Nobody reads what it prints.
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn r07_who_writes_as_fast_as_he_can_is_bounded_while_the_agent_is_away_too() {
    let mut cluster = cluster();
    let child = cluster.spawn(&["run", "--mem", "64", "--", "cat", "/dev/zero"]);
    let sandbox = sandbox(&cluster);
    let full = || eventually("three files", || (sizes(&sandbox).len() == 3).then_some(()));
    full();
    cluster.agents[0].kill_hard();
    // Nobody is there but the init, and it goes on: the oldest file is another every time.
    let oldest = || {
        use std::os::unix::fs::MetadataExt as _;
        let there = fs::metadata(sandbox.join("stdout.2")).ok()?;
        Some((there.ino(), there.mtime(), there.mtime_nsec()))
    };
    for _ in 0..3 {
        let before = oldest();
        eventually("a turn", || {
            (oldest().is_some() && oldest() != before).then_some(())
        });
        let sizes = sizes(&sandbox);
        assert!(
            sizes.len() <= 3 && sizes.iter().all(|it| *it <= MEGABYTE),
            "{sizes:?}"
        );
    }
    cluster.agents[0].start_again();
    cluster.await_running(1);
    full();
    end(&cluster, child);
    let total: u64 = sizes(&sandbox).iter().sum();
    assert!((2 * MEGABYTE..=3 * MEGABYTE).contains(&total), "{total}");
}

#[test]
fn who_follows_an_output_misses_nothing_where_files_take_turns() {
    const CHUNK: usize = 700_000;
    let cluster = cluster();
    let line = format!(
        "for i in 1 2 3 4 5 6 7 8; do head -c {CHUNK} /dev/zero | tr '\\0' $i; \
         while [ ! -e go$i ]; do sleep 0.02; done; done"
    );
    let mut child = cluster.spawn(&["run", "--mem", "64", "--", "sh", "-c", &line]);
    let mut output = child.stdout.take().unwrap();
    let sandbox = sandbox(&cluster);
    let mut chunk = vec![0; CHUNK];
    for digit in b'1'..=b'8' {
        output.read_exact(&mut chunk).unwrap();
        assert!(chunk.iter().all(|byte| *byte == digit), "part {digit}");
        let name = format!("go{}", char::from(digit));
        fs::write(sandbox.join(name), "").unwrap();
    }
    output.read_to_end(&mut chunk).unwrap();
    assert_eq!(chunk.len(), CHUNK, "and nothing twice");
    assert!(child.wait().unwrap().success());
    assert_eq!(sizes(&sandbox).len(), 3);
}

#[test]
fn the_last_words_of_a_task_are_there_when_it_has_ended() {
    let cluster = cluster();
    for number in 0..5 {
        let line = format!("echo out {number}; echo err >&2; exit {number}");
        let ran = cluster.tepui(&["run", "--", "sh", "-c", &line]);
        assert_eq!(ran.output, format!("out {number}\n"), "{ran:?}");
        assert_eq!(ran.code, Some(number), "{ran:?}");
    }
    // Whoever a task runs as can open its output once more.
    let ran = cluster.tepui(&[
        "run",
        "--user",
        "nobody",
        "--",
        "sh",
        "-c",
        "echo x > /dev/stdout",
    ]);
    assert_eq!(ran.ok(), "x\n");
}

#[test]
fn what_is_written_to_a_terminal_takes_turns_in_files_to_its_last_word() {
    if !can_isolate() {
        return;
    }
    let cluster = cluster();
    let line = "head -c 2500000 /dev/zero | tr '\\0' x; echo; echo the last word; exit 7";
    let ran = cluster.tepui(&["run", "-t", "--mem", "64", "--", "sh", "-c", line]);
    assert_eq!(ran.code, Some(7), "{}", ran.error);
    let sandbox = sandbox(&cluster);
    let files = ["stdout.2", "stdout.1", "stdout"];
    let texts = files.map(|name| fs::read_to_string(sandbox.join(name)).unwrap());
    for text in &texts[..2] {
        assert_eq!(text.len() as u64, MEGABYTE);
    }
    let all = texts.concat();
    assert!(all.trim_end().ends_with("the last word"), "the end of it");
    assert_eq!(all.matches('x').count(), 2_500_000, "all of it");
}
