//! Containers and their exit statuses survive the agent.

use std::{fs, time::Duration};

use tepui_proto::v1::{TaskState, agent::call};
use tokio::time::sleep;

use crate::{
    World,
    master::shell,
    process::{Agent, Signal},
};

/// Waits until a file is there, and says what is in it.
async fn contents(path: &std::path::Path) -> String {
    loop {
        match fs::read_to_string(path) {
            Ok(text) if text.ends_with('\n') => return text.trim().to_owned(),
            _ => sleep(Duration::from_millis(10)).await,
        }
    }
}

/// The process of the one container.
async fn pid(world: &World) -> Option<u32> {
    let shown = world.agent.call(call::Type::GetContainers).await;
    let containers = shown.get_containers.unwrap().containers;
    containers[0]
        .container_status
        .as_ref()
        .unwrap()
        .executor_pid
}

#[tokio::test]
async fn a_task_runs_on_while_agents_are_killed_and_its_exit_code_arrives() {
    let mut world = World::new().await;
    let go = world.folder.path().join("go");
    fs::write(&go, "").unwrap();
    // Readable for whoever the task runs as.
    let line = format!(
        "while [ ! -s {} ]; do sleep 0.05; done; exit 9",
        go.display()
    );
    world.session.run(shell("t", &line)).await;
    assert_eq!(world.session.status().await.state(), TaskState::TaskRunning);
    let before = pid(&world).await;
    for signal in [Signal::SIGKILL, Signal::SIGTERM, Signal::SIGKILL] {
        world = world.replace(signal, async || {}).await;
        assert_eq!(pid(&world).await, before);
    }
    fs::write(&go, "now").unwrap();
    let failed = world.end_of_task().await;
    assert_eq!(failed.message(), "Command exited with status 9");
    world.end(&[]).await;
}

#[tokio::test]
async fn a_task_that_ends_while_no_agent_lives_is_reported_by_the_next() {
    let mut world = World::new().await;
    let said = world.folder.path().join("said");
    let line = format!("sleep 0.5; echo done > {}; exit 5", said.display());
    world.session.run(shell("t", &line)).await;
    world.session.status().await;
    let meanwhile = async || {
        assert_eq!(contents(&said).await, "done");
        sleep(Duration::from_millis(300)).await;
    };
    let mut world = world.replace(Signal::SIGKILL, meanwhile).await;
    let failed = world.end_of_task().await;
    assert_eq!(
        (failed.state(), failed.message()),
        (TaskState::TaskFailed, "Command exited with status 5")
    );
    world.end(&[]).await;
}

#[tokio::test]
async fn a_kill_survives_the_agent() {
    let mut world = World::new().await;
    world
        .session
        .run(shell(
            "t",
            "trap '' TERM; echo ready; while :; do sleep 1; done",
        ))
        .await;
    world.session.status().await;
    let mut stream = world.agent.follow("t", "stdout").await;
    stream.message().await.unwrap().unwrap();
    world.session.kill("t", Duration::from_secs(2)).await;
    sleep(Duration::from_millis(500)).await;
    let mut world = world.replace(Signal::SIGKILL, async || {}).await;
    assert_eq!(world.end_of_task().await.state(), TaskState::TaskKilled);
    world.end(&[]).await;
}

#[tokio::test]
async fn a_task_is_started_once_whenever_the_agent_is_killed() {
    let mut world = World::new().await;
    let log = world.folder.path().join("log");
    for number in 0..8u64 {
        let line = format!("echo {number} >> {}", log.display());
        world.session.run(shell(&number.to_string(), &line)).await;
        // Somewhere between the arrival of the task and its end.
        sleep(Duration::from_millis(number * 4)).await;
        world = world.replace(Signal::SIGKILL, async || {}).await;
        let register = world
            .agent
            .call(call::Type::GetTasks)
            .await
            .get_tasks
            .unwrap();
        let known = register.queued_tasks.len()
            + register.launched_tasks.len()
            + register.terminated_tasks.len();
        // A task that was not on disk yet is nobody's: the master hears that it is not known.
        if known > 0 {
            world.end_of_task().await;
        }
        let started = fs::read_to_string(&log).unwrap_or_default();
        let count = started
            .lines()
            .filter(|line| *line == number.to_string())
            .count();
        assert!(count <= 1, "started {count} times");
    }
    world.end(&[]).await;
}

#[tokio::test]
async fn an_agent_that_leaves_takes_its_tasks_along() {
    let mut world = World::new().await;
    world.session.run(shell("t", "sleep 1000")).await;
    world.session.status().await;
    world.agent.signal(Signal::SIGUSR1);
    assert_eq!(world.session.status().await.state(), TaskState::TaskKilled);
    let last = world.session.next().await;
    assert!(format!("{last:?}").contains("Unregister"), "{last:?}");
    drop(world.session);
    assert!(world.agent.ended_well().await);
    let mut agent = Agent::start(world.folder.path(), world.master.address);
    let (_session, register) = world.master.registered().await;
    assert_eq!(
        (register.agent.unwrap().id, register.tasks.len()),
        (None, 0)
    );
    agent.end(Signal::SIGTERM).await;
}
