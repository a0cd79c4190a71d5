//! When the quota of processor time takes hold.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use tepui_model::Quantity;

use crate::machine::{AGENT, Machine, Remains, groups, soon};

/// What the kernel bounds the processor time of this container by: cgroup v1's file or v2's.
fn quota(groups: &[PathBuf], name: &str) -> Option<String> {
    let ours = groups.iter().filter(|path| path.ends_with(name));
    let mut files = ours.flat_map(|path| ["cpu.cfs_quota_us", "cpu.max"].map(|it| path.join(it)));
    let text = files.find_map(|file| fs::read_to_string(file).ok())?;
    text.split_whitespace().next().map(str::to_owned)
}

#[tokio::test]
async fn a_quota_is_in_force_when_a_task_counts_as_running() {
    let Some(machine) = Machine::new() else {
        return;
    };
    // The first takes a seat's group, where there are seats.
    for name in ["first", "second"] {
        let mut spec = machine.shell(name, "sleep 60");
        spec.limits.cpu_limit = Some(Quantity::from_millis(50));
        let (id, mut limits) = (spec.id.clone(), spec.limits.clone());
        machine.runtime.launch(spec).await.unwrap();
        assert_eq!(quota(&machine.groups(), name).as_deref(), Some("5000"));
        limits.cpu_limit = Some(Quantity::from_millis(500));
        machine.runtime.update(&id, &limits).await.unwrap();
        assert_eq!(quota(&machine.groups(), name).as_deref(), Some("50000"));
        limits.cpu_limit = None;
        machine.runtime.update(&id, &limits).await.unwrap();
        let unbounded = quota(&machine.groups(), name).unwrap();
        assert!(["-1", "max"].contains(&unbounded.as_str()), "{unbounded}");
        machine.runtime.kill(&id).await.unwrap();
        machine.runtime.remove(&id).await.unwrap();
    }
}

#[tokio::test]
async fn a_quota_takes_hold_although_the_agent_was_killed_meanwhile() {
    let Some(machine) = Machine::new() else {
        return;
    };
    let mut options = machine.options.clone();
    options.runtime_dir = machine.folder.path().join("agent");
    options.cgroup_root = format!("{}-agent", machine.options.cgroup_root);
    let remains = Remains(options.clone());
    for round in 0..4 {
        let name = format!("orphan-{round}");
        let sandbox = machine.sandbox(&name);
        let mut agent = Command::new(AGENT)
            .args([&options.runtime_dir, Path::new(&options.cgroup_root)])
            .arg(&sandbox)
            .args([&name, "echo up; exec sleep 60", "all", "stay"])
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        // The task's first word comes before its agent hears that it runs.
        soon("the task runs", || {
            fs::read_to_string(sandbox.join("stdout")).is_ok_and(|text| text.contains("up"))
        });
        agent.kill().unwrap();
        agent.wait().unwrap();
        soon("the quota is in force", || {
            quota(&groups(&options), &name).as_deref() == Some("100000")
        });
    }
    drop(remains);
}
