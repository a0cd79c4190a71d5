//! What the agent answers about itself and the sandboxes of its tasks.

use std::{
    fs::OpenOptions,
    io::Write as _,
    path::PathBuf,
    time::{Duration, Instant},
};

use tepui_proto::{
    services::{ReadSandboxRequest, node_client::NodeClient},
    v1::{
        self,
        agent::{Call, call},
    },
};
use tokio::time::{sleep, timeout};
use tonic::{Code, Streaming, transport::Channel};

use super::{PATIENCE, World, ended, master::FRAMEWORK};

async fn client(world: &World) -> NodeClient<Channel> {
    NodeClient::connect(format!("http://{}", world.agent.address()))
        .await
        .unwrap()
}

fn request(task: &str, path: &str, follow: bool) -> ReadSandboxRequest {
    ReadSandboxRequest {
        framework_id: Some(v1::FrameworkId {
            value: FRAMEWORK.to_owned(),
        }),
        task_id: Some(v1::TaskId {
            value: task.to_owned(),
        }),
        path: path.to_owned(),
        offset: 0,
        follow,
    }
}

fn stdout(world: &World, task: &str) -> PathBuf {
    world.fake.spec_of(task).sandbox.join("stdout")
}

fn append(path: &PathBuf, text: &str) {
    let mut file = OpenOptions::new().append(true).open(path).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

async fn next(stream: &mut Streaming<tepui_proto::services::SandboxChunk>) -> Option<String> {
    let chunk = timeout(PATIENCE, stream.message())
        .await
        .expect("a chunk in time")
        .unwrap();
    chunk.map(|chunk| String::from_utf8(chunk.data).unwrap())
}

#[tokio::test]
async fn a_followed_file_comes_as_it_grows_and_ends_with_the_task() {
    let mut world = World::new().await;
    let container = world.run("t").await;
    let path = stdout(&world, "t");
    append(&path, "one");
    let mut client = client(&world).await;
    let mut stream = client
        .read_sandbox(request("t", "stdout", true))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(next(&mut stream).await.as_deref(), Some("one"));
    sleep(Duration::from_millis(100)).await;
    let began = Instant::now();
    append(&path, "two");
    assert_eq!(next(&mut stream).await.as_deref(), Some("two"));
    assert!(
        began.elapsed() < Duration::from_millis(200),
        "{:?}",
        began.elapsed()
    );
    append(&path, "three");
    world.fake.end(&container, ended());
    assert_eq!(next(&mut stream).await.as_deref(), Some("three"));
    assert_eq!(next(&mut stream).await, None);
}

#[tokio::test]
async fn a_file_of_a_task_that_ended_is_still_there_after_a_restart() {
    let mut world = World::new().await;
    let container = world.run("t").await;
    append(&stdout(&world, "t"), "all of it");
    world.fake.end(&container, ended());
    world.session.status().await;
    let world = world.restart().await;
    let mut client = client(&world).await;
    for follow in [false, true] {
        let request = ReadSandboxRequest {
            offset: 4,
            ..request("t", "stdout", follow)
        };
        let mut stream = client.read_sandbox(request).await.unwrap().into_inner();
        assert_eq!(next(&mut stream).await.as_deref(), Some("of it"));
        assert_eq!(next(&mut stream).await, None);
    }
}

#[tokio::test]
async fn a_large_file_comes_whole() {
    let mut world = World::new().await;
    world.run("t").await;
    let text = "0123456789abcdef".repeat(100_000);
    append(&stdout(&world, "t"), &text);
    let mut client = client(&world).await;
    let mut stream = client
        .read_sandbox(request("t", "stdout", false))
        .await
        .unwrap()
        .into_inner();
    let mut read = String::new();
    while let Some(chunk) = next(&mut stream).await {
        read.push_str(&chunk);
    }
    assert!(read == text);
}

#[tokio::test]
async fn what_cannot_be_read_is_refused_at_once() {
    let mut world = World::new().await;
    world.run("t").await;
    let sandbox = world.fake.spec_of("t").sandbox;
    std::os::unix::fs::symlink("/etc/passwd", sandbox.join("out")).unwrap();
    nix::unistd::mkfifo(&sandbox.join("pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    let mut client = client(&world).await;
    for (task, path, code) in [
        ("other", "stdout", Code::NotFound),
        ("a/b", "stdout", Code::InvalidArgument),
        ("t", "", Code::InvalidArgument),
        ("t", "none", Code::NotFound),
        ("t", "out", Code::PermissionDenied),
        ("t", "../../../../..", Code::PermissionDenied),
        ("t", "/etc/passwd", Code::PermissionDenied),
        ("t", "pipe", Code::FailedPrecondition),
        ("t", ".", Code::FailedPrecondition),
    ] {
        let status = client
            .read_sandbox(request(task, path, false))
            .await
            .unwrap_err();
        assert_eq!(status.code(), code, "{task} {path}: {status}");
    }
}

#[tokio::test]
async fn a_file_that_is_not_there_yet_is_waited_for_while_the_task_runs() {
    let mut world = World::new().await;
    let container = world.run("t").await;
    let sandbox = world.fake.spec_of("t").sandbox;
    let mut client = client(&world).await;
    let mut other = client.clone();
    let waiting = tokio::spawn(async move {
        let stream = other
            .read_sandbox(request("t", "late", true))
            .await
            .unwrap();
        next(&mut stream.into_inner()).await
    });
    sleep(Duration::from_millis(50)).await;
    std::fs::write(sandbox.join("late"), "here").unwrap();
    assert_eq!(waiting.await.unwrap().as_deref(), Some("here"));
    let never = tokio::spawn(async move { client.read_sandbox(request("t", "never", true)).await });
    sleep(Duration::from_millis(50)).await;
    world.fake.end(&container, ended());
    assert_eq!(never.await.unwrap().unwrap_err().code(), Code::NotFound);
}

fn call(kind: call::Type) -> Call {
    Call {
        r#type: Some(kind.into()),
        ..Call::default()
    }
}

#[tokio::test]
async fn operators_see_what_the_agent_has() {
    let mut world = World::new().await;
    world.run("t").await;
    let mut client = client(&world).await;
    let mut ask = async |kind| client.call(call(kind)).await.unwrap().into_inner();
    assert!(ask(call::Type::GetHealth).await.get_health.unwrap().healthy);
    let version = ask(call::Type::GetVersion)
        .await
        .get_version
        .unwrap()
        .version_info;
    assert_eq!(version.version, env!("CARGO_PKG_VERSION"));
    let agent = ask(call::Type::GetAgent)
        .await
        .get_agent
        .unwrap()
        .agent_info
        .unwrap();
    assert_eq!(agent.id.unwrap().value, "m-S0");
    let tasks = ask(call::Type::GetTasks).await.get_tasks.unwrap();
    assert_eq!(tasks.launched_tasks[0].task_id.value, "t");
    let state = ask(call::Type::GetState).await.get_state.unwrap();
    assert_eq!(state.get_tasks.unwrap(), tasks);
    assert_eq!(
        ask(call::Type::GetFrameworks)
            .await
            .get_frameworks
            .unwrap()
            .frameworks
            .len(),
        1
    );
    let containers = ask(call::Type::GetContainers)
        .await
        .get_containers
        .unwrap()
        .containers;
    let statistics = containers[0].resource_statistics.as_ref().unwrap();
    assert_eq!(statistics.cpus_user_time_secs, Some(1.5));
    assert_eq!(statistics.mem_limit_bytes, Some(32 << 20));
    let flags = ask(call::Type::GetFlags).await.get_flags.unwrap().flags;
    assert!(flags.iter().any(|flag| flag.name == "work_dir"));
}

#[tokio::test]
async fn files_are_listed_and_read_by_path() {
    let mut world = World::new().await;
    world.run("t").await;
    append(&stdout(&world, "t"), "hello");
    let sandbox = world.fake.spec_of("t").sandbox.display().to_string();
    let mut client = client(&world).await;
    let mut list = call(call::Type::ListFiles);
    list.list_files = Some(call::ListFiles {
        path: sandbox.clone(),
    });
    let listed = client
        .call(list)
        .await
        .unwrap()
        .into_inner()
        .list_files
        .unwrap()
        .file_infos;
    assert_eq!(listed[0].path, format!("{sandbox}/stdout"));
    let mut read = call(call::Type::ReadFile);
    let path = format!("{sandbox}/stdout");
    read.read_file = Some(call::ReadFile {
        path,
        offset: 0,
        length: None,
    });
    let read = client
        .call(read)
        .await
        .unwrap()
        .into_inner()
        .read_file
        .unwrap();
    assert_eq!((read.size, read.data.as_slice()), (5, b"hello".as_slice()));
}

#[tokio::test]
async fn an_unknown_call_is_refused_by_name() {
    let world = World::new().await;
    let mut client = client(&world).await;
    let status = client
        .call(call(call::Type::AttachContainerInput))
        .await
        .unwrap_err();
    assert_eq!(status.code(), Code::Unimplemented);
    assert!(
        status.message().contains("ATTACH_CONTAINER_INPUT"),
        "{status}"
    );
    let status = client.call(Call::default()).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
}
