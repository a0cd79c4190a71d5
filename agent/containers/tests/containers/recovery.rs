//! Containers outlive their agent, and a new one finds them.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tepui_containers::{Exit, ExitStatus, Recovered, RecoveredState, Spec, Started};

use crate::machine::{AGENT, Machine, exited, id, signaled, soon};

const UNSEEN: Exit = Exit {
    status: ExitStatus::Unknown,
    oom: None,
    disk: None,
};

async fn launch(machine: &Machine, spec: &Spec) -> Started {
    machine.runtime.launch(spec.clone()).await.unwrap()
}

fn running(name: &str, started: Started) -> Recovered {
    Recovered {
        id: id(name),
        state: RecoveredState::Running(started),
    }
}

fn ended(name: &str) -> Recovered {
    Recovered {
        id: id(name),
        state: RecoveredState::Exited,
    }
}

fn record(machine: &Machine, name: &str) -> PathBuf {
    machine
        .options
        .runtime_dir
        .join("containers")
        .join(name)
        .join("record")
}

fn is_alive(started: Started) -> bool {
    fs::read_to_string(format!("/proc/{}/stat", started.pid))
        .is_ok_and(|stat| !stat.contains(") Z "))
}

#[tokio::test]
async fn a_container_goes_on_without_its_agent_and_its_exit_status_is_found() {
    let Some(machine) = Machine::new() else {
        return;
    };
    let spec = machine.shell("on", "while [ ! -e go ]; do sleep 0.02; done; exit 11");
    let started = launch(&machine, &spec).await;
    let machine = machine.restart();
    assert_eq!(machine.runtime.recover().await, [running("on", started)]);
    fs::write(spec.sandbox.join("go"), "").unwrap();
    assert_eq!(machine.runtime.wait(&spec.id).await, exited(11));
    machine.runtime.remove(&spec.id).await.unwrap();
    assert!(machine.groups().is_empty());
    assert!(
        machine.restart().runtime.recover().await.is_empty(),
        "what is removed stays removed"
    );
}

#[tokio::test]
async fn what_ended_while_no_agent_was_there_is_told_to_the_next() {
    let Some(machine) = Machine::new() else {
        return;
    };
    let spec = machine.shell("alone", "while [ ! -e go ]; do sleep 0.02; done; exit 12");
    let started = launch(&machine, &spec).await;
    fs::write(spec.sandbox.join("go"), "").unwrap();
    let machine = machine.restart();
    soon("it ended", || !is_alive(started));
    let machine = machine.restart();
    assert_eq!(machine.runtime.recover().await, [ended("alone")]);
    assert_eq!(machine.runtime.wait(&spec.id).await, exited(12));
    let machine = machine.restart();
    assert_eq!(
        machine.runtime.recover().await,
        [ended("alone")],
        "until it is removed"
    );
    assert_eq!(machine.runtime.wait(&spec.id).await, exited(12));
    machine.runtime.remove(&spec.id).await.unwrap();
}

#[tokio::test]
async fn a_recovered_container_is_terminated_killed_and_measured_like_any_other() {
    let Some(machine) = Machine::new() else {
        return;
    };
    let on_term = |name: &str, what: &str| {
        let line = format!("trap '{what}' TERM; touch ready; while :; do sleep 0.02; done");
        machine.shell(name, &line)
    };
    let (gentle, stubborn) = (on_term("gentle", "exit 4"), on_term("stubborn", ""));
    for spec in [&gentle, &stubborn] {
        launch(&machine, spec).await;
        soon("it heeds the signal", || {
            spec.sandbox.join("ready").exists()
        });
    }
    let machine = machine.restart();
    assert_eq!(machine.runtime.recover().await.len(), 2);
    machine.runtime.terminate(&gentle.id).unwrap();
    assert_eq!(machine.runtime.wait(&gentle.id).await, exited(4));
    assert!(machine.runtime.usage(&stubborn.id).await.unwrap().pids >= 2);
    machine.runtime.kill(&stubborn.id).await.unwrap();
    assert_eq!(machine.runtime.wait(&stubborn.id).await, signaled(9));
}

#[tokio::test]
async fn a_recovered_container_that_runs_out_of_memory_is_destroyed_and_reported() {
    let Some(machine) = Machine::new() else {
        return;
    };
    let line = "while [ ! -e go ]; do sleep 0.02; done; tail /dev/zero; sleep 60";
    let (later, before) = (machine.shell("later", line), machine.shell("before", line));
    launch(&machine, &later).await;
    launch(&machine, &before).await;
    let options = machine.options.clone();
    let machine = machine.restart();
    // Nobody watches yet.
    fs::write(before.sandbox.join("go"), "").unwrap();
    soon("it is out of memory", || out_of_memory(&options, "before"));
    machine.runtime.recover().await;
    fs::write(later.sandbox.join("go"), "").unwrap();
    assert!(machine.runtime.wait(&before.id).await.oom.is_some());
    assert!(machine.runtime.wait(&later.id).await.oom.is_some());
}

fn out_of_memory(options: &tepui_containers::Options, name: &str) -> bool {
    let v1 = format!(
        "/sys/fs/cgroup/memory/{}/{name}/memory.oom_control",
        options.cgroup_root
    );
    let v2 = format!(
        "/sys/fs/cgroup/{}/{name}/memory.events",
        options.cgroup_root
    );
    let text = fs::read_to_string(v1)
        .or_else(|_| fs::read_to_string(v2))
        .unwrap_or_default();
    text.lines()
        .any(|line| line.starts_with("oom_kill ") && line != "oom_kill 0")
}

/// A real agent with one container.
fn start_agent(machine: &Machine, name: &str, command: &str) -> Child {
    let mut agent = Command::new(AGENT)
        .arg(machine.folder.path().join("agent"))
        .arg(format!("{}-agent", machine.options.cgroup_root))
        .arg(machine.sandbox(name))
        .args([name, command, "all", "stay"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(agent.stdout.as_mut().unwrap())
        .read_line(&mut line)
        .unwrap();
    assert_eq!(line, "started\n");
    agent
}

#[tokio::test]
async fn containers_survive_kill_9_of_their_agent() {
    let Some(machine) = Machine::new() else {
        return;
    };
    let command = "while [ ! -e go ]; do sleep 0.02; done; echo survived; exit 13";
    let mut agent = start_agent(&machine, "survivor", command);
    agent.kill().unwrap();
    agent.wait().unwrap();
    // Its pipe is closed: nothing that it started holds on to it.
    let mut rest = String::new();
    std::io::Read::read_to_string(agent.stdout.as_mut().unwrap(), &mut rest).unwrap();

    let other = Machine::with(|options| {
        options.runtime_dir = machine.folder.path().join("agent");
        options.cgroup_root = format!("{}-agent", machine.options.cgroup_root);
    });
    let other = other.unwrap();
    let recovered = other.runtime.recover().await;
    assert!(
        matches!(
            recovered[..],
            [Recovered {
                state: RecoveredState::Running(_),
                ..
            }]
        ),
        "{recovered:?}"
    );
    let sandbox = machine.sandbox("survivor");
    fs::write(sandbox.join("go"), "").unwrap();
    let survivor = id("survivor");
    assert_eq!(other.runtime.wait(&survivor).await, exited(13));
    assert_eq!(
        fs::read_to_string(sandbox.join("stdout")).unwrap(),
        "survived\n"
    );
    other.runtime.remove(&survivor).await.unwrap();
    assert!(other.groups().is_empty());
}

#[tokio::test]
async fn the_launcher_ends_with_its_agent() {
    let Some(machine) = Machine::new() else {
        return;
    };
    let mut agent = start_agent(&machine, "c1", "exec sleep 60");
    let children = fs::read_to_string(format!("/proc/{0}/task/{0}/children", agent.id())).unwrap();
    let threads = fs::read_dir(format!("/proc/{}/task", agent.id()))
        .unwrap()
        .flatten();
    let lists =
        threads.filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok());
    let launchers: Vec<u32> = lists
        .flat_map(|list| {
            list.split_whitespace()
                .flat_map(str::parse)
                .collect::<Vec<_>>()
        })
        .collect();
    assert_eq!(launchers.len(), 1, "{children}");
    agent.kill().unwrap();
    agent.wait().unwrap();
    soon("the launcher ended", || {
        !fs::exists(format!("/proc/{}", launchers[0])).unwrap()
    });
    let other = Machine::with(|options| {
        options.runtime_dir = machine.folder.path().join("agent");
        options.cgroup_root = format!("{}-agent", machine.options.cgroup_root);
    });
    let other = other.unwrap();
    other.runtime.recover().await;
    other.runtime.kill(&id("c1")).await.unwrap();
    assert_eq!(other.runtime.wait(&id("c1")).await, signaled(9));
}

#[tokio::test]
async fn a_launcher_that_dies_is_replaced() {
    let Some(machine) = Machine::new() else {
        return;
    };
    let before = machine.shell("before", "while [ ! -e go ]; do sleep 0.02; done; exit 3");
    launch(&machine, &before).await;
    let me = std::process::id();
    // The launchers of all tests that run now; the others' are harmed too, and replaced too.
    let threads = fs::read_dir(format!("/proc/{me}/task")).unwrap().flatten();
    let lists =
        threads.filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok());
    for pid in lists.flat_map(|list| {
        list.split_whitespace()
            .flat_map(str::parse)
            .collect::<Vec<i32>>()
    }) {
        let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        if name == "tepui-launcher\n" {
            kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap();
        }
    }
    assert_eq!(machine.run_shell("exit 4").await.exit, exited(4));
    fs::write(before.sandbox.join("go"), "").unwrap();
    assert_eq!(
        machine.runtime.wait(&before.id).await,
        exited(3),
        "older containers do not notice"
    );
}

#[tokio::test]
async fn a_reused_process_id_is_not_taken_for_the_container() {
    let Some(machine) = Machine::new() else {
        return;
    };
    let spec = machine.shell("reused", "true");
    launch(&machine, &spec).await;
    machine.runtime.wait(&spec.id).await;
    // Start times are counted in hundredths of a second: the other one's must be another.
    std::thread::sleep(Duration::from_millis(30));
    let mut innocent = Command::new("sleep").arg("60").spawn().unwrap();
    let path = record(&machine, "reused");
    let text = fs::read_to_string(&path).unwrap();
    let pid = text
        .split("\"pid\":")
        .nth(1)
        .unwrap()
        .split(',')
        .next()
        .unwrap();
    let forged = text.replace(
        &format!("\"pid\":{pid}"),
        &format!("\"pid\":{}", innocent.id()),
    );
    fs::write(&path, forged).unwrap();
    let machine = machine.restart();
    assert_eq!(machine.runtime.recover().await, [ended("reused")]);
    machine.runtime.terminate(&spec.id).unwrap();
    machine.runtime.kill(&spec.id).await.unwrap();
    assert_eq!(machine.runtime.wait(&spec.id).await, exited(0));
    machine.runtime.remove(&spec.id).await.unwrap();
    assert_eq!(innocent.try_wait().unwrap(), None, "it was not signalled");
    innocent.kill().unwrap();
    innocent.wait().unwrap();
}

#[tokio::test]
async fn after_a_reboot_nothing_runs_and_nobody_knows_how_it_ended() {
    let Some(machine) = Machine::new() else {
        return;
    };
    let spec = machine.shell("rebooted", "sleep 60");
    let started = launch(&machine, &spec).await;
    let path = record(&machine, "rebooted");
    let boot_id = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace(boot_id.trim(), "an-earlier-boot")).unwrap();
    kill(Pid::from_raw(started.pid.cast_signed()), Signal::SIGKILL).unwrap();
    let machine = machine.restart();
    assert_eq!(machine.runtime.recover().await, [ended("rebooted")]);
    assert_eq!(machine.runtime.wait(&spec.id).await, UNSEEN);
}

#[tokio::test]
async fn a_damaged_record_costs_only_its_own_container() {
    let Some(machine) = Machine::new() else {
        return;
    };
    let (good, bad) = (
        machine.shell("good", "sleep 60"),
        machine.shell("bad", "sleep 60"),
    );
    let (well, lost) = (launch(&machine, &good).await, launch(&machine, &bad).await);
    fs::write(record(&machine, "bad"), "{\"version\":1,").unwrap();
    let machine = machine.restart();
    assert_eq!(
        machine.runtime.recover().await,
        [ended("bad"), running("good", well)]
    );
    soon("what has no record is ended", || !is_alive(lost));
    assert_eq!(machine.runtime.wait(&bad.id).await, UNSEEN);
    machine.runtime.remove(&bad.id).await.unwrap();
    assert!(is_alive(well));
    machine.runtime.kill(&good.id).await.unwrap();
}

#[tokio::test]
async fn a_group_without_a_record_is_emptied_and_removed() {
    let Some(machine) = Machine::new() else {
        return;
    };
    let spec = machine.shell("stranger", "sleep 60");
    let started = launch(&machine, &spec).await;
    fs::remove_dir_all(record(&machine, "stranger").parent().unwrap()).unwrap();
    let machine = machine.restart();
    assert!(machine.runtime.recover().await.is_empty());
    assert!(machine.groups().is_empty());
    soon("it is ended", || !is_alive(started));
}

#[tokio::test]
async fn a_launch_cut_off_before_its_record_leaves_nothing_and_may_be_tried_again() {
    let Some(machine) = Machine::new() else {
        return;
    };
    // What an agent that dies between the two leaves: a folder, groups, no record.
    let folder = machine.options.runtime_dir.join("containers/cut-off");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("status"), "").unwrap();
    let machine = machine.restart();
    assert_eq!(machine.runtime.recover().await, []);
    assert!(!folder.exists());
    let spec = machine.shell("cut-off", "exit 6");
    assert_eq!(machine.run(spec).await.exit, exited(6));
}

#[tokio::test]
async fn a_hundred_containers_are_found_again_and_none_is_lost_or_doubled() {
    let Some(machine) = Machine::new() else {
        return;
    };
    let mut expected = Vec::new();
    for number in 0..100 {
        let name = format!("h{number:02}");
        let started = launch(&machine, &machine.shell(&name, "exec sleep 1000")).await;
        expected.push(running(&name, started));
    }
    let began = Instant::now();
    let machine = machine.restart();
    assert_eq!(machine.runtime.recover().await, expected);
    eprintln!("100 containers found again in {:?}", began.elapsed());
    for Recovered { id, .. } in &expected {
        machine.runtime.kill(id).await.unwrap();
        assert_eq!(machine.runtime.wait(id).await, signaled(9));
        machine.runtime.remove(id).await.unwrap();
    }
    assert!(machine.groups().is_empty());
}
