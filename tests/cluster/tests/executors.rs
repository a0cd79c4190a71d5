//! A framework and its executor, both on the SDK, over the real binaries, through the death of an
//! agent.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test may panic anywhere"
)]

use std::time::Duration;

use tepui_cluster_tests::{Cluster, PATIENCE};
use tepui_sdk::{
    Driver, Executor, ExecutorDriver, ExecutorPlace, Failure, Framework, Message, Node, Options,
    Outcome, Profile, Subscription, async_trait, execute,
    model::{
        AgentId, ExecutorId, Filters, FrameworkId, Offer, Resources, Role, TaskId, TaskInfo,
        TaskState, TaskStatus,
    },
    v1::{
        self,
        agent::{Call, call},
    },
};
use tokio::{
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    time::timeout,
};

/// What the framework heard.
#[derive(Debug)]
enum Heard {
    Launched(FrameworkId, AgentId, Driver),
    Update(Box<TaskStatus>),
    Words(Message),
    Failure(Failure),
}

/// It launches two tasks in one executor.
struct Brings {
    id: Option<FrameworkId>,
    launched: bool,
    heard: UnboundedSender<Heard>,
}

fn resources(text: &str) -> Vec<v1::Resource> {
    let resources = Resources::parse(text, &Role::default()).unwrap();
    resources.to_proto(None)
}

/// The container's own program does nothing: the executor is in the test.
fn task(name: &str, offer: &Offer) -> v1::TaskInfo {
    let command = v1::CommandInfo {
        value: Some("exec sleep 1000".to_owned()),
        ..v1::CommandInfo::default()
    };
    let executor = v1::ExecutorInfo {
        executor_id: (&ExecutorId::new("e").unwrap()).into(),
        command: Some(command),
        resources: resources("cpus:0.1;mem:32"),
        ..v1::ExecutorInfo::default()
    };
    v1::TaskInfo {
        name: name.to_owned(),
        task_id: (&TaskId::new(name).unwrap()).into(),
        agent_id: (&offer.agent_id).into(),
        resources: resources("cpus:0.1;mem:32"),
        executor: Some(executor),
        ..v1::TaskInfo::default()
    }
}

#[async_trait]
impl Framework for Brings {
    async fn subscribed(&mut self, _: &Driver, subscription: Subscription) -> Outcome {
        self.id = Some(subscription.framework_id);
        Ok(())
    }

    async fn offers(&mut self, driver: &Driver, offers: Vec<Offer>) -> Outcome {
        for offer in offers {
            if self.launched {
                driver.decline(vec![offer.id], Filters::default()).await;
                continue;
            }
            self.launched = true;
            let tasks = ["a", "b"].map(|name| task(name, &offer));
            driver.launch(&offer, tasks.into()).await;
            let id = self.id.clone().expect("offers come after SUBSCRIBED");
            let heard = Heard::Launched(id, offer.agent_id, driver.clone());
            let _ = self.heard.send(heard);
        }
        Ok(())
    }

    async fn update(&mut self, _: &Driver, status: TaskStatus) -> Outcome {
        let _ = self.heard.send(Heard::Update(Box::new(status)));
        Ok(())
    }

    async fn message(&mut self, _: &Driver, message: Message) -> Outcome {
        let _ = self.heard.send(Heard::Words(message));
        Ok(())
    }

    async fn failure(&mut self, _: &Driver, failure: Failure) -> Outcome {
        let _ = self.heard.send(Heard::Failure(failure));
        Ok(())
    }
}

/// It runs nothing, and says what becomes of its tasks. Words are said back.
struct Says;

#[async_trait]
impl Executor for Says {
    async fn launch(&mut self, driver: &ExecutorDriver, task: TaskInfo) -> Outcome {
        driver.state(&task.id, TaskState::Running).await;
        Ok(())
    }

    async fn kill(
        &mut self,
        driver: &ExecutorDriver,
        task: TaskId,
        _: Option<Duration>,
    ) -> Outcome {
        driver.state(&task, TaskState::Killed).await;
        Ok(())
    }

    async fn message(&mut self, driver: &ExecutorDriver, data: Vec<u8>) -> Outcome {
        driver.message(data).await;
        Ok(())
    }
}

async fn next(heard: &mut UnboundedReceiver<Heard>) -> Heard {
    let next = timeout(PATIENCE, heard.recv()).await;
    next.expect("something is heard in time").expect("it runs")
}

async fn state(heard: &mut UnboundedReceiver<Heard>, of: &str) -> TaskState {
    loop {
        match next(heard).await {
            Heard::Update(status) if status.task_id.as_str() == of => return status.state,
            Heard::Update(_) => {}
            other => panic!("instead of news of {of}: {other:?}"),
        }
    }
}

/// An agent knows an executor before it starts it; this one is started by the test.
async fn await_executor(agent: &str) {
    let node = Node::connect(agent).await.unwrap();
    let call = Call {
        r#type: Some(call::Type::GetExecutors.into()),
        ..Call::default()
    };
    let known = async {
        while node
            .call(call.clone())
            .await
            .unwrap()
            .get_executors
            .unwrap()
            .executors
            .is_empty()
        {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(PATIENCE, known)
        .await
        .expect("the executor is known");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_executor_survives_its_agent_and_ends_with_its_framework() {
    let mut cluster = Cluster::start(1);
    let (sender, mut heard) = unbounded_channel();
    let mut profile = Profile::new("brings").failover_timeout(Duration::from_secs(60));
    profile.wire().checkpoint = Some(true);
    let options = Options::new(cluster.master.address(), profile).unwrap();
    let mut brings = Brings {
        id: None,
        launched: false,
        heard: sender,
    };
    let framework = tokio::spawn(async move { tepui_sdk::run(options, &mut brings).await });
    let Heard::Launched(framework_id, agent_id, driver) = next(&mut heard).await else {
        panic!("it launches first");
    };
    let agent = cluster.agents[0].address().to_owned();
    let place = ExecutorPlace {
        agent,
        framework_id,
        executor_id: ExecutorId::new("e").unwrap(),
        recovery_timeout: PATIENCE,
        longest_backoff: Duration::from_millis(200),
        token: None,
    };
    await_executor(&place.agent).await;
    let executor = tokio::spawn(async move { execute(place, &mut Says).await });
    assert_eq!(state(&mut heard, "b").await, TaskState::Running);
    cluster.agents[0].kill_hard();
    cluster.agents[0].start_again();
    cluster.await_agents(1);
    // Said until the executor is there again to hear it.
    let e = ExecutorId::new("e").unwrap();
    loop {
        driver.message(&agent_id, &e, b"hello".to_vec()).await;
        match timeout(Duration::from_millis(500), heard.recv()).await {
            Ok(Some(Heard::Words(message))) => {
                assert_eq!(message.data, b"hello");
                break;
            }
            Ok(None) => panic!("the framework ended"),
            _ => {}
        }
    }
    driver.kill(&TaskId::new("a").unwrap()).await;
    loop {
        match next(&mut heard).await {
            Heard::Update(status) if status.state == TaskState::Killed => {
                assert_eq!(status.task_id.as_str(), "a");
                break;
            }
            Heard::Failure(failure) => panic!("{failure:?}"),
            _ => {}
        }
    }
    driver.teardown().await;
    timeout(PATIENCE, framework)
        .await
        .unwrap()
        .unwrap()
        .unwrap();
    timeout(PATIENCE, executor).await.unwrap().unwrap().unwrap();
}
