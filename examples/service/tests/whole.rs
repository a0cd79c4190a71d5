//! The whole framework, from its API to its store, against a master in memory.

// Outside of `cfg(test)` the lints do not know that this is a test.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::{path::Path, time::Duration};

use tepui_sdk::{
    model::TaskState,
    testkit::{TestAgent, TestMaster},
};
use tepui_service::{
    Error, FRAMEWORK_NAME, Options, Server,
    api::{self, instance::Health},
    client::{Client, ClientError},
    from_yaml,
};
use tokio::{sync::oneshot, task::JoinHandle, time::timeout};

const PATIENCE: Duration = Duration::from_secs(30);

const WORKER: &str = "{name: worker, replicas: 2, command: x, cpus: 1, mem: 32, \
    backoff: {first: 100ms}}";

/// A framework that runs, until it is stopped.
struct Framework {
    stop: oneshot::Sender<()>,
    running: JoinHandle<Result<(), Error>>,
}

impl Framework {
    async fn start(master: &TestMaster, work_dir: &Path) -> Self {
        let options = Options {
            master: master.address().to_owned(),
            work_dir: work_dir.to_owned(),
            ..Options::default()
        };
        let server = Server::start(options).await.unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let running = tokio::spawn(server.run(async { drop(stopped.await) }));
        Self { stop, running }
    }

    async fn stop(self) {
        self.stop.send(()).unwrap();
        timeout(PATIENCE, self.running)
            .await
            .unwrap()
            .unwrap()
            .unwrap();
    }
}

/// A client, as soon as the framework is subscribed.
async fn client(master: &TestMaster) -> Client {
    let look = async {
        loop {
            match Client::discover(master.address()).await {
                Ok(client) => return client,
                Err(ClientError::NotRunning { .. }) => {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                Err(error) => panic!("{error}"),
            }
        }
    };
    timeout(PATIENCE, look)
        .await
        .expect("the framework subscribes")
}

/// Waits until the app looks as it should.
async fn until(
    client: &mut Client,
    name: &str,
    looks_right: impl Fn(&api::AppStatus) -> bool,
) -> api::AppStatus {
    let mut stream = client.watch(name).await.unwrap();
    let mut last = None;
    let watch = async {
        while let Ok(Some(response)) = stream.message().await {
            let status = response.app.unwrap();
            if looks_right(&status) {
                return Some(status);
            }
            last = Some(status);
        }
        None
    };
    match timeout(PATIENCE, watch).await {
        Ok(Some(status)) => status,
        _ => panic!("{name} never looked right, but: {last:?}"),
    }
}

fn ids(status: &api::AppStatus) -> Vec<&str> {
    status
        .instances
        .iter()
        .map(|instance| instance.task_id.as_str())
        .collect()
}

async fn launched(agent: &mut TestAgent) -> String {
    timeout(PATIENCE, agent.launched())
        .await
        .expect("a launch in time")
        .unwrap()
        .task_id
        .value
}

#[tokio::test]
async fn an_app_is_deployed_scaled_and_removed() {
    let (master, folder) = (
        TestMaster::start().await.unwrap(),
        tempfile::tempdir().unwrap(),
    );
    let agent = master.agent("cpus:4;mem:1024", "").await.unwrap();
    let framework = Framework::start(&master, folder.path()).await;
    let mut client = client(&master).await;
    client.deploy(&from_yaml(WORKER).unwrap()).await.unwrap();
    let status = until(&mut client, "worker", |app| app.ready == 2).await;
    assert_eq!(ids(&status), ["worker.1", "worker.2"]);
    client.scale("worker", 3).await.unwrap();
    until(&mut client, "worker", |app| app.ready == 3).await;
    client.scale("worker", 1).await.unwrap();
    let status = until(&mut client, "worker", |app| app.instances.len() == 1).await;
    assert_eq!(ids(&status), ["worker.1"]);
    let listed = client.list().await.unwrap();
    assert_eq!(
        (listed.len(), listed[0].ready, listed[0].instances.len()),
        (1, 1, 0)
    );
    let mut watching = client.watch("worker").await.unwrap();
    client.remove("worker").await.unwrap();
    let end = async { while let Ok(Some(_)) = watching.message().await {} };
    timeout(PATIENCE, end)
        .await
        .expect("the watch ends with the app");
    assert!(client.list().await.unwrap().is_empty());
    assert!(matches!(
        client.status("worker").await,
        Err(ClientError::Refused {
            code: tonic::Code::NotFound,
            ..
        })
    ));
    assert!(agent.tasks().await.unwrap().is_empty());
    framework.stop().await;
}

#[tokio::test]
async fn a_failed_instance_is_replaced() {
    let (master, folder) = (
        TestMaster::start().await.unwrap(),
        tempfile::tempdir().unwrap(),
    );
    let agent = master.agent("cpus:4;mem:1024", "").await.unwrap();
    let framework = Framework::start(&master, folder.path()).await;
    let mut client = client(&master).await;
    client.deploy(&from_yaml(WORKER).unwrap()).await.unwrap();
    until(&mut client, "worker", |app| app.ready == 2).await;
    agent
        .report(
            "worker.1",
            TaskState::Failed,
            "Command exited with status 7",
        )
        .await
        .unwrap();
    let status = until(&mut client, "worker", |app| app.ready == 1).await;
    assert!(
        status.waiting.contains("Command exited with status 7"),
        "{}",
        status.waiting
    );
    let status = until(&mut client, "worker", |app| app.ready == 2).await;
    assert_eq!(ids(&status), ["worker.2", "worker.3"]);
    framework.stop().await;
}

#[tokio::test]
async fn a_restart_of_the_framework_loses_nothing_and_doubles_nothing() {
    let (master, folder) = (
        TestMaster::start().await.unwrap(),
        tempfile::tempdir().unwrap(),
    );
    let mut agent = master.agent("cpus:4;mem:1024", "").await.unwrap();
    let framework = Framework::start(&master, folder.path()).await;
    let mut first = client(&master).await;
    first.deploy(&from_yaml(WORKER).unwrap()).await.unwrap();
    until(&mut first, "worker", |app| app.ready == 2).await;
    framework.stop().await;
    // One ends while nobody is there to hear of it.
    agent
        .report("worker.1", TaskState::Failed, "")
        .await
        .unwrap();
    let framework = Framework::start(&master, folder.path()).await;
    let mut second = client(&master).await;
    let status = until(&mut second, "worker", |app| app.ready == 2).await;
    assert_eq!(ids(&status), ["worker.2", "worker.3"]);
    for expected in ["worker.1", "worker.2", "worker.3"] {
        assert_eq!(launched(&mut agent).await, expected);
    }
    let operator = tepui_sdk::Operator::connect(master.address())
        .await
        .unwrap();
    let frameworks = operator.frameworks().await.unwrap().frameworks;
    let names: Vec<_> = frameworks
        .iter()
        .map(|f| f.framework_info.name.as_str())
        .collect();
    assert_eq!(names, [FRAMEWORK_NAME], "it comes back under its own id");
    framework.stop().await;
}

#[tokio::test]
async fn a_restart_of_the_master_touches_no_instance() {
    let (master, folder) = (
        TestMaster::start().await.unwrap(),
        tempfile::tempdir().unwrap(),
    );
    let agent = master.agent("cpus:4;mem:1024", "").await.unwrap();
    let framework = Framework::start(&master, folder.path()).await;
    let mut api = client(&master).await;
    api.deploy(&from_yaml(WORKER).unwrap()).await.unwrap();
    until(&mut api, "worker", |app| app.ready == 2).await;
    master.restart().await.unwrap();
    let mut api = client(&master).await;
    api.scale("worker", 3).await.unwrap();
    let status = until(&mut api, "worker", |app| app.ready == 3).await;
    assert_eq!(ids(&status), ["worker.1", "worker.2", "worker.3"]);
    assert_eq!(agent.tasks().await.unwrap().len(), 3);
    framework.stop().await;
}

#[tokio::test]
async fn a_framework_that_was_torn_down_begins_anew_when_it_is_started_again() {
    let (master, folder) = (
        TestMaster::start().await.unwrap(),
        tempfile::tempdir().unwrap(),
    );
    let _agent = master.agent("cpus:4;mem:1024", "").await.unwrap();
    let framework = Framework::start(&master, folder.path()).await;
    let mut api = client(&master).await;
    api.deploy(&from_yaml(WORKER).unwrap()).await.unwrap();
    until(&mut api, "worker", |app| app.ready == 2).await;
    let operator = tepui_sdk::Operator::connect(master.address())
        .await
        .unwrap();
    let info = operator
        .frameworks()
        .await
        .unwrap()
        .frameworks
        .remove(0)
        .framework_info;
    let id = tepui_sdk::model::FrameworkId::try_from(info.id.as_ref().unwrap()).unwrap();
    operator.teardown(&id).await.unwrap();
    let outcome = timeout(PATIENCE, framework.running).await.unwrap().unwrap();
    assert!(
        outcome
            .unwrap_err()
            .to_string()
            .contains("ended this framework")
    );
    let framework = Framework::start(&master, folder.path()).await;
    let mut api = client(&master).await;
    let status = until(&mut api, "worker", |app| app.ready == 2).await;
    assert_eq!(ids(&status), ["worker.3", "worker.4"]);
    framework.stop().await;
}

#[tokio::test]
async fn ports_come_from_offers_and_checks_decide_who_is_ready() {
    let (master, folder) = (
        TestMaster::start().await.unwrap(),
        tempfile::tempdir().unwrap(),
    );
    let port = 31_007_u16;
    let resources = format!("cpus:4;mem:1024;ports:[{port}-{port}]");
    let mut agent = master.agent(&resources, "rack:a").await.unwrap();
    let framework = Framework::start(&master, folder.path()).await;
    let mut api = client(&master).await;
    let web = "{name: web, replicas: 2, command: x, ports: [http], constraints: ['rack == a'], \
        backoff: {first: 100ms}, \
        health: {tcp: {port: http}, interval: 100ms, timeout: 1s, grace: 0s, failures: 2}}";
    api.deploy(&from_yaml(web).unwrap()).await.unwrap();
    assert_eq!(launched(&mut agent).await, "web.1");
    let status = until(&mut api, "web", |app| app.running == 1).await;
    assert_eq!(status.ready, 0, "its agent has not said that it is healthy");
    agent.report_health("web.1", true).await.unwrap();
    let status = until(&mut api, "web", |app| {
        app.ready == 1 && !app.waiting.is_empty()
    })
    .await;
    assert_eq!(status.instances[0].ports[0].number, u32::from(port));
    assert_eq!(status.instances[0].health(), Health::Healthy);
    // Its agent finds it unwell and ends it; another takes the port.
    let failed = agent.report("web.1", TaskState::Failed, "unhealthy");
    failed.await.unwrap();
    assert_eq!(launched(&mut agent).await, "web.2");
    framework.stop().await;
}

#[tokio::test]
async fn what_is_wrong_with_a_request_is_said_by_name() {
    let (master, folder) = (
        TestMaster::start().await.unwrap(),
        tempfile::tempdir().unwrap(),
    );
    let error = Client::discover(master.address()).await.unwrap_err();
    assert!(
        error
            .to_string()
            .contains("no service framework is connected"),
        "{error}"
    );
    let framework = Framework::start(&master, folder.path()).await;
    let mut api = client(&master).await;
    let mut apps = from_yaml(WORKER).unwrap();
    apps[0].ports = vec!["NO".to_owned()];
    let error = api.deploy(&apps).await.unwrap_err();
    assert!(
        error
            .to_string()
            .contains("app \"worker\": `ports` has \"NO\""),
        "{error}"
    );
    let second = Options {
        work_dir: folder.path().to_owned(),
        ..Options::default()
    };
    let error = Server::start(second).await.unwrap_err();
    assert!(
        error.to_string().contains("is in use by process"),
        "{error}"
    );
    framework.stop().await;
}
