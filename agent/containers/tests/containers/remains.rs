//! Nothing is left of a container that was removed.

use std::{collections::BTreeSet, fs};

use crate::machine::{Machine, exited};

fn mounts() -> BTreeSet<String> {
    let text = fs::read_to_string("/proc/self/mountinfo").unwrap();
    text.lines().map(str::to_owned).collect()
}

/// Groups of the whole machine that have this in their name.
fn groups_named(name: &str) -> Vec<std::path::PathBuf> {
    let roots = fs::read_dir("/sys/fs/cgroup").unwrap().flatten();
    let roots = roots
        .map(|entry| entry.path())
        .chain(["/sys/fs/cgroup".into()]);
    let groups = roots.filter_map(|root| fs::read_dir(root.join("tepui-test")).ok());
    let paths = groups.flat_map(|group| group.flatten().map(|entry| entry.path()));
    paths.filter(|path| path.join(name).exists()).collect()
}

#[tokio::test]
async fn c29_nothing_is_left_of_groups_mounts_records_and_processes() {
    let Some(machine) = Machine::new() else {
        return;
    };
    let before = mounts();
    for number in 0..20 {
        let mut spec = machine.shell(
            &format!("r{number}"),
            "mount -t tmpfs x /mnt; sleep 60 & exit 0",
        );
        spec.hostname = Some("inside".to_owned());
        let outcome = machine.run(spec).await;
        assert_eq!(outcome.exit, exited(0), "{outcome:?}");
        assert!(groups_named(&format!("r{number}")).is_empty());
    }
    assert_eq!(mounts(), before);
    assert!(machine.groups().is_empty());
    let records = machine.options.runtime_dir.join("containers");
    assert_eq!(fs::read_dir(records).unwrap().count(), 0);
}

#[tokio::test]
async fn an_agent_does_not_grow_with_the_containers_it_has_seen() {
    let Some(machine) = Machine::new() else {
        return;
    };
    let open_files = || {
        let files = fs::read_dir("/proc/self/fd").unwrap().flatten();
        let targets = files.filter_map(|file| fs::read_link(file.path()).ok());
        targets
            .filter(|target| target.to_string_lossy().contains("pidfd"))
            .count()
    };
    for number in 0..200 {
        assert_eq!(
            machine
                .run(machine.shell(&format!("g{number}"), ":"))
                .await
                .exit,
            exited(0)
        );
    }
    // Other tests run in this process at the same time, but none has that many.
    assert!(open_files() < 150, "{}", open_files());
}
