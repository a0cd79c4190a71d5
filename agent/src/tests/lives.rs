//! The agent's life with its master, its tasks and its disk.

use std::{net::SocketAddr, time::Duration};

use tepui_agent_core::Exit;
use tepui_proto::{services::agent_message, v1::TaskState};
use tokio::time::{sleep, timeout};

use super::{Master, PATIENCE, World, containers::Fake, ended, eventually, options, shell, start};

#[tokio::test]
async fn a_task_runs_and_ends_and_nothing_is_left() {
    let mut world = World::new().await;
    world.session.run(shell("t", "echo hello")).await;
    let running = world.session.update().await;
    let status = running.status.clone().unwrap();
    assert_eq!(status.state(), TaskState::TaskRunning);
    assert_eq!(running.latest_state(), TaskState::TaskRunning);
    let container = world.fake.container_of("t");
    world.fake.end(&container, ended());
    assert!(
        world.session.quiet(Duration::from_millis(50)).await,
        "one at a time"
    );
    world.session.acknowledge(&status).await;
    assert_eq!(
        world.session.status().await.state(),
        TaskState::TaskFinished
    );
    let fake = world.fake.clone();
    eventually("the container is removed", || fake.count() == 0).await;
    world.agent.stop().await.unwrap();
}

#[tokio::test]
async fn a_container_gets_what_the_task_asks_for() {
    let mut world = World::new().await;
    world.run("t").await;
    let spec = world.fake.spec_of("t");
    assert!(spec.sandbox.is_dir());
    let latest = spec.sandbox.parent().unwrap().join("latest");
    assert_eq!(latest.canonicalize().unwrap(), spec.sandbox);
    assert_eq!(spec.limits.memory.0, 32 << 20);
    let get = |name: &str| {
        spec.environment
            .iter()
            .find(|(known, _)| known == name)
            .unwrap()
    };
    assert_eq!(
        get("MESOS_AGENT_ENDPOINT").1,
        world.agent.address().to_string()
    );
    assert!(std::path::Path::new(&get("TEPUI_EXECUTABLE").1).is_file());
}

#[tokio::test]
async fn a_master_that_is_away_is_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let fake = Fake::default();
    let nobody = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = nobody.local_addr().unwrap();
    drop(nobody);
    let agent = start(options(folder.path(), address), &fake).await;
    sleep(Duration::from_millis(300)).await;
    let mut master = Master::start_on(address).await;
    let (mut session, register) = master.registered().await;
    assert_eq!(register.agent.unwrap().id, None);
    session.run(shell("t", "x")).await;
    assert_eq!(session.status().await.state(), TaskState::TaskRunning);
    master.stop();
    drop(session);
    sleep(Duration::from_millis(300)).await;
    let mut master = Master::start_on(address).await;
    let (_session, register) = master.registered().await;
    assert_eq!(register.agent.unwrap().id.unwrap().value, "m-S0");
    assert_eq!(register.tasks.len(), 1);
    agent.stop().await.unwrap();
}

#[tokio::test]
async fn the_other_master_is_tried_when_the_first_does_not_answer() {
    let folder = tempfile::tempdir().unwrap();
    let mut master = Master::start().await;
    let mut options = options(folder.path(), master.address);
    options.master = format!("127.0.0.1:1,{}", master.address).parse().unwrap();
    let agent = start(options, &Fake::default()).await;
    master.registered().await;
    agent.stop().await.unwrap();
}

#[tokio::test]
async fn a_restarted_agent_knows_its_tasks_and_their_ends() {
    let mut world = World::new().await;
    let (lives, ends) = (world.run("lives").await, world.run("ends").await);
    world.fake.end(&ends, Exit::code(3));
    assert_eq!(
        world.session.update().await.status.unwrap().task_id.value,
        "ends"
    );
    let mut world = world.restart().await;
    let failed = world.session.status().await;
    assert_eq!(
        (failed.task_id.value.as_str(), failed.state()),
        ("ends", TaskState::TaskFailed)
    );
    world.fake.end(&lives, ended());
    assert_eq!(
        world.session.status().await.state(),
        TaskState::TaskFinished
    );
    assert_eq!(
        world.fake.state().specs.len(),
        2,
        "nothing is started twice"
    );
    let fake = world.fake.clone();
    eventually("the containers are removed", || fake.count() == 0).await;
    world.settle(0).await;
    let mut world = world.restart().await;
    assert!(world.session.quiet(Duration::from_millis(100)).await);
}

#[tokio::test]
async fn what_ended_while_no_agent_ran_is_reported() {
    let mut world = World::new().await;
    let container = world.run("t").await;
    let World {
        folder,
        fake,
        mut master,
        agent,
        ..
    } = world;
    agent.stop().await.unwrap();
    fake.end(&container, Exit::signal(11));
    let _agent = start(options(folder.path(), master.address), &fake).await;
    let (mut session, register) = master.registered().await;
    assert_eq!(register.tasks.len(), 1);
    // The agent may have stopped before it was told that this one arrived.
    let status = match session.status().await {
        running if running.state() == TaskState::TaskRunning => session.status().await,
        ended => ended,
    };
    assert_eq!(
        status.message(),
        "Command terminated with signal Segmentation fault"
    );
}

#[tokio::test]
async fn a_kill_is_a_signal_then_another() {
    let mut world = World::new().await;
    let container = world.run("t").await;
    world.session.kill("t", Duration::from_millis(200)).await;
    assert_eq!(world.session.status().await.state(), TaskState::TaskKilled);
    let signals = world.fake.state().signals.clone();
    assert_eq!(signals, [("TERM", container.clone()), ("KILL", container)]);
}

#[tokio::test]
async fn a_launch_that_fails_is_told_with_its_reason() {
    let mut world = World::new().await;
    world.fake.state().refuse = Some("there is no user 'x' on this agent".to_owned());
    world.session.run(shell("t", "x")).await;
    let failed = world.session.status().await;
    assert_eq!(failed.state(), TaskState::TaskFailed);
    assert_eq!(
        failed.message(),
        "Failed to launch container: there is no user 'x' on this agent"
    );
}

#[tokio::test]
async fn an_agent_whose_id_is_void_starts_anew() {
    let mut world = World::new().await;
    let container = world.run("t").await;
    world.session.refuse("declared gone", true).await;
    let fake = world.fake.clone();
    eventually("SIGTERM", || {
        fake.state().signals == [("TERM", container.clone())]
    })
    .await;
    world.fake.end(&container, Exit::signal(15));
    let (_session, register) = world.master.session().await;
    assert_eq!(
        (register.agent.unwrap().id, register.tasks.len()),
        (None, 0)
    );
}

#[tokio::test]
async fn an_agent_that_leaves_unregisters_after_its_last_task() {
    let mut world = World::new().await;
    let container = world.run("t").await;
    world.agent.leave().await;
    let fake = world.fake.clone();
    eventually("SIGTERM", || {
        fake.state().signals == [("TERM", container.clone())]
    })
    .await;
    world.fake.end(&container, Exit::signal(15));
    assert_eq!(world.session.status().await.state(), TaskState::TaskKilled);
    assert!(matches!(
        world.session.next().await,
        agent_message::Message::Unregister(_)
    ));
    drop(world.session);
    timeout(PATIENCE, world.agent.ended())
        .await
        .unwrap()
        .unwrap();
    world.agent.stop().await.unwrap();
    let agent = start(
        options(world.folder.path(), world.master.address),
        &world.fake,
    )
    .await;
    let (_session, register) = world.master.registered().await;
    assert_eq!(register.agent.unwrap().id, None);
    agent.stop().await.unwrap();
}

#[tokio::test]
async fn a_flood_of_tasks_is_all_run_and_reported() {
    const COUNT: usize = 500;
    let mut world = World::new().await;
    for number in 0..COUNT {
        let mut task = shell(&number.to_string(), "x");
        task.resources[0].scalar.as_mut().unwrap().value = 0.001;
        task.resources[1].scalar.as_mut().unwrap().value = 1.0;
        world.session.run(task).await;
    }
    let mut running = 0;
    while running < COUNT {
        if world.session.status().await.state() == TaskState::TaskRunning {
            running += 1;
        }
    }
    assert_eq!(world.fake.count(), COUNT);
}

#[tokio::test]
async fn a_busy_cgroup_is_removed_in_the_end() {
    let mut world = World::new().await;
    let container = world.run("t").await;
    world.fake.state().busy = 1;
    world.fake.end(&container, ended());
    world.session.status().await;
    let fake = world.fake.clone();
    eventually("the container is removed", || fake.count() == 0).await;
}

#[tokio::test]
async fn an_agent_answers_on_the_address_it_says() {
    let world = World::new().await;
    let health = |address: SocketAddr| async move {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
        let request = "GET /health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    };
    assert!(
        health(world.agent.address())
            .await
            .starts_with("HTTP/1.1 200")
    );
}
