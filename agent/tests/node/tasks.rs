//! What tasks do and see.

use std::time::{Duration, Instant};

use tepui_proto::v1::{self, TaskState, task_status::Reason};

use crate::{
    World,
    master::{scalar, shell},
    process::isolated,
};

#[tokio::test]
async fn a_commands_output_and_exit_code_arrive() {
    let mut world = World::new().await;
    let good = world
        .finish(shell("good", "echo hello; echo oops >&2"))
        .await;
    assert_eq!(
        (good.state(), good.message()),
        (TaskState::TaskFinished, "Command exited with status 0")
    );
    assert_eq!(world.agent.read("good", "stdout").await, "hello\n");
    assert_eq!(world.agent.read("good", "stderr").await, "oops\n");
    let bad = world.finish(shell("bad", "exit 3")).await;
    assert_eq!(
        (bad.state(), bad.message()),
        (TaskState::TaskFailed, "Command exited with status 3")
    );
    let mut argv = shell("argv", "/bin/echo");
    let command = argv.command.as_mut().unwrap();
    command.shell = Some(false);
    command.arguments = ["echo", "$HOME;", "a b"].map(str::to_owned).to_vec();
    assert_eq!(world.finish(argv).await.state(), TaskState::TaskFinished);
    assert_eq!(world.agent.read("argv", "stdout").await, "$HOME; a b\n");
    world.end(&[]).await;
}

#[tokio::test]
async fn a_task_finds_itself_in_its_sandbox_with_its_variables() {
    let mut world = World::new().await;
    let mut task = shell(
        "t",
        "pwd; echo $MESOS_SANDBOX $MESOS_TASK_ID $PORT0 $OWN; touch made",
    );
    task.resources.push(v1::Resource {
        name: "ports".to_owned(),
        r#type: v1::value::Type::Ranges.into(),
        ranges: Some(v1::value::Ranges {
            range: vec![v1::value::Range {
                begin: 31007,
                end: 31007,
            }],
        }),
        ..v1::Resource::default()
    });
    let own = v1::environment::Variable {
        name: "OWN".to_owned(),
        value: Some("mine".to_owned()),
        ..v1::environment::Variable::default()
    };
    task.command.as_mut().unwrap().environment = Some(v1::Environment {
        variables: vec![own],
    });
    assert_eq!(world.finish(task).await.state(), TaskState::TaskFinished);
    let output = world.agent.read("t", "stdout").await;
    let (pwd, rest) = output.trim_end().split_once('\n').unwrap();
    assert_eq!(rest, format!("{pwd} t 31007 mine"));
    assert!(
        pwd.contains("/slaves/m-S0/frameworks/f-1/executors/t/runs/"),
        "{pwd}"
    );
    assert_eq!(world.agent.read("t", "made").await, "");
    world.end(&[]).await;
}

#[tokio::test]
async fn output_is_seen_while_the_task_runs() {
    let mut world = World::new().await;
    world
        .session
        .run(shell("u", "for i in 1 2 3; do echo $i; sleep 0.3; done"))
        .await;
    world.session.status().await;
    let mut stream = world.agent.follow("u", "stdout").await;
    let mut arrivals = Vec::new();
    while stream.message().await.unwrap().is_some() {
        arrivals.push(Instant::now());
    }
    assert!(arrivals.len() >= 2, "it came in pieces, as it was written");
    world.end_of_task().await;
    world.end(&[]).await;
}

#[tokio::test]
async fn a_task_that_ignores_sigterm_is_killed_after_its_grace() {
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
    let began = Instant::now();
    world.session.kill("t", Duration::from_secs(1)).await;
    let killed = world.session.status().await;
    assert_eq!(killed.state(), TaskState::TaskKilled);
    let took = began.elapsed();
    assert!(
        took >= Duration::from_millis(950) && took < Duration::from_secs(10),
        "{took:?}"
    );
    world.end(&[]).await;
}

#[tokio::test]
async fn a_task_that_heeds_sigterm_ends_at_once() {
    let mut world = World::new().await;
    let line = "trap 'echo bye; exit 7' TERM; echo ready; while :; do sleep 0.05; done";
    world.session.run(shell("t", line)).await;
    world.session.status().await;
    let mut stream = world.agent.follow("t", "stdout").await;
    stream.message().await.unwrap().unwrap();
    let began = Instant::now();
    world.session.kill("t", Duration::from_secs(60)).await;
    let killed = world.session.status().await;
    assert_eq!(
        (killed.state(), killed.message()),
        (TaskState::TaskKilled, "Command exited with status 7")
    );
    assert!(began.elapsed() < Duration::from_secs(20));
    assert_eq!(world.agent.read("t", "stdout").await, "ready\nbye\n");
    world.end(&[]).await;
}

#[tokio::test]
async fn a_task_that_takes_too_much_memory_fails_for_it() {
    if !isolated("a_task_that_takes_too_much_memory_fails_for_it") {
        return;
    }
    let mut world = World::new().await;
    let hog = shell("hog", "head -c 300m /dev/zero | tail");
    let failed = world.finish(hog).await;
    assert_eq!(failed.state(), TaskState::TaskFailed);
    assert_eq!(
        failed.reason(),
        Reason::ContainerLimitationMemory,
        "{}",
        failed.message()
    );
    let limit = &failed.limitation.unwrap().resources[0];
    assert_eq!(
        (limit.name.as_str(), limit.scalar.unwrap().value),
        ("mem", 32.0)
    );
    world.end(&[]).await;
}

#[tokio::test]
async fn a_command_that_cannot_be_run_says_why() {
    let mut world = World::new().await;
    let mut task = shell("t", "/no/such/program");
    task.command.as_mut().unwrap().shell = Some(false);
    let failed = world.finish(task).await;
    assert_eq!(
        (failed.state(), failed.reason()),
        (TaskState::TaskFailed, Reason::ContainerLaunchFailed)
    );
    assert!(
        failed.message().contains("/no/such/program"),
        "{}",
        failed.message()
    );
    world.end(&[]).await;
}

#[tokio::test]
async fn a_task_is_running_soon_after_it_was_asked_for() {
    const COUNT: usize = 21;
    let mut world = World::new().await;
    let mut times = Vec::new();
    for number in 0..COUNT {
        let began = Instant::now();
        world.session.run(shell(&number.to_string(), "true")).await;
        let update = world.session.update().await.status.unwrap();
        times.push(began.elapsed());
        world.session.acknowledge(&update).await;
        world.end_of_task().await;
    }
    times.sort();
    let (median, worst) = (times[COUNT / 2], times[COUNT - 1]);
    println!("from RunTask to TASK_RUNNING: median {median:?}, worst {worst:?}");
    assert!(median < Duration::from_millis(500), "{times:?}");
    world.end(&[]).await;
}

#[tokio::test]
async fn many_tasks_at_once_all_run() {
    const COUNT: usize = 50;
    let mut world = World::new().await;
    let began = Instant::now();
    for number in 0..COUNT {
        let mut task = shell(&number.to_string(), "true");
        task.resources = vec![scalar("cpus", 0.01), scalar("mem", 32.0)];
        world.session.run(task).await;
    }
    let mut finished = 0;
    while finished < COUNT {
        let status = world.session.status().await;
        assert!(matches!(
            status.state(),
            TaskState::TaskRunning | TaskState::TaskFinished
        ));
        finished += usize::from(status.state() == TaskState::TaskFinished);
    }
    println!(
        "{COUNT} tasks at once, all finished after {:?}",
        began.elapsed()
    );
    world.end(&[]).await;
}
