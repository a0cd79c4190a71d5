//! `kill -9` of the agent right before a system call that changes something: one after the other,
//! from the arrival of a task to the last of its cleaning up (reliability cases G1 to G6).
//!
//! `strace` counts the calls and kills. Every second point is tried; `TEPUI_KILL_POINTS=1` tries
//! each one.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use tepui_proto::v1::{TaskState, agent::call};
use tokio::time::{sleep, timeout};

use crate::{
    World,
    master::{PATIENCE, shell},
    process::{Signal, cgroup_roots, isolated},
};

/// The calls by which an agent changes something, and how many of each are tried: more than one
/// thread does in a task's life, so that an agent that lives through it shows the end.
const CHANGES: [(&str, usize); 7] = [
    ("mkdir", 24),
    ("rename", 24),
    ("unlinkat", 24),
    ("rmdir", 24),
    ("sendmsg", 24),
    ("fdatasync", 24),
    ("write", 80),
];

/// `strace` on an agent, which kills it before its nth call of a kind. Dropping it lets go.
struct Executioner(Child);

impl Executioner {
    fn attach(pid: u32, call: &str, number: usize) -> Self {
        let mut strace = Command::new("strace")
            .args(["-f", "-o", "/dev/null", "-p", &pid.to_string()])
            .args(["-e", &format!("trace={call}")])
            .args(["-e", &format!("inject={call}:signal=SIGKILL:when={number}")])
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = String::new();
        let mut lines = BufReader::new(strace.stderr.take().unwrap());
        while !said.contains("attached") {
            assert_ne!(
                lines.read_line(&mut said).unwrap(),
                0,
                "strace says: {said}"
            );
        }
        // It goes on to say what it attaches to: somebody must listen.
        std::thread::spawn(move || std::io::copy(&mut lines, &mut std::io::sink()));
        Self(strace)
    }
}

impl Drop for Executioner {
    fn drop(&mut self) {
        // Whoever it traces goes on by itself then. Asked by SIGTERM, it would wait for threads
        // that are dead, and for ever.
        let _ = self.0.kill();
        self.0.wait().unwrap();
    }
}

/// What is in the agent's folders and cgroups of containers.
fn left_behind(work_dir: &Path) -> Vec<PathBuf> {
    let entries = |folder: &Path| {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).collect::<Vec<_>>()
    };
    let records = entries(&work_dir.join("run/containers"));
    let groups = cgroup_roots(work_dir)
        .into_iter()
        .flat_map(|it| entries(&it));
    let of_containers = |path: &PathBuf| path.is_dir() && !path.to_string_lossy().contains("/.");
    records
        .into_iter()
        .chain(groups.filter(of_containers))
        .collect()
}

/// Runs a task and kills it. `None` when the agent died before nothing was left of it.
async fn live(world: &mut World, task: &str, line: &str) -> Option<()> {
    world.session.run(shell(task, line)).await;
    let first = world.session.try_status().await?;
    assert_eq!(first.state(), TaskState::TaskRunning, "{first:?}");
    world.session.kill(task, Duration::ZERO).await;
    let last = world.session.try_status().await?;
    assert_eq!(last.state(), TaskState::TaskKilled, "{last:?}");
    // The end is told before everything is cleaned up.
    while !left_behind(world.folder.path()).is_empty() {
        if world.agent.is_dead() {
            return None;
        }
        sleep(Duration::from_millis(5)).await;
    }
    Some(())
}

/// Starts another agent after the one that was killed, and ends the task if it is known there. One
/// that was not on disk yet is nobody's: the master hears that it is not known.
async fn mend(world: World, task: &str) -> World {
    let mut world = world.replace(Signal::SIGKILL, async || {}).await;
    let known = world
        .agent
        .call(call::Type::GetTasks)
        .await
        .get_tasks
        .unwrap();
    let known = [
        known.queued_tasks,
        known.launched_tasks,
        known.terminated_tasks,
    ]
    .concat();
    if !known.is_empty() {
        world.session.kill(task, Duration::ZERO).await;
        let last = world.end_of_task().await;
        assert_eq!(last.state(), TaskState::TaskKilled, "{last:?}");
    }
    let gone = async {
        while !left_behind(world.folder.path()).is_empty() {
            sleep(Duration::from_millis(5)).await;
        }
    };
    let left = || left_behind(world.folder.path());
    assert!(
        timeout(PATIENCE, gone).await.is_ok(),
        "left behind: {:?}",
        left()
    );
    world
}

#[tokio::test]
async fn g01_to_g06_whenever_the_agent_is_killed_nothing_is_lost_doubled_or_left_behind() {
    let name = "g01_to_g06";
    if !isolated(name) {
        return;
    }
    if Command::new("strace")
        .arg("-V")
        .stdout(Stdio::null())
        .status()
        .is_err()
    {
        return eprintln!("{name}: passed over, because there is no strace (apt install strace)");
    }
    let every: usize = std::env::var("TEPUI_KILL_POINTS").map_or(2, |every| every.parse().unwrap());
    let mut world = World::new().await;
    let log = world.folder.path().join("log");
    let mut deaths = 0;
    for (kind, (call, most)) in CHANGES.into_iter().enumerate() {
        for number in (1 + kind % every..=most).step_by(every) {
            let task = format!("{call}-{number}");
            let line = format!("echo {task} >> {}; exec sleep 1000", log.display());
            let executioner = Executioner::attach(world.agent.id(), call, number);
            let lived = live(&mut world, &task, &line).await;
            drop(executioner);
            // It may have died of what it does besides.
            let lived =
                lived.is_some() && world.agent.try_call(call::Type::GetHealth).await.is_some();
            if !lived {
                deaths += 1;
                world = mend(world, &task).await;
            }
            let started = fs::read_to_string(&log).unwrap_or_default();
            let count = started.lines().filter(|line| *line == task).count();
            assert!(count <= 1, "{task} was started {count} times");
            if lived {
                break;
            }
        }
    }
    eprintln!("{name}: the agent was killed {deaths} times");
    assert!(
        deaths >= CHANGES.len(),
        "hardly anybody was killed: {deaths}"
    );
    world.end(&[]).await;
}
