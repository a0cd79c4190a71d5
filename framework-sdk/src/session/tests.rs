//! The session against a master that a test plays, call by call.

mod played;

use tepui_model::{Filters, OfferId, TaskId, TaskState};
use tepui_proto::v1::{self, scheduler::call::Type};

use self::played::{Master, Stream};
use crate::{Driver, Error, Event, Events, KnownTask, Options, Profile, connect};

fn known(name: &str) -> KnownTask {
    KnownTask {
        task_id: TaskId::new(name).unwrap(),
        agent_id: None,
    }
}

/// A subscribed framework that knows of the tasks `a` and `b`.
async fn subscribed(master: &mut Master) -> (Driver, Events, Stream) {
    let options = Options::new(master.address(), Profile::new("test")).unwrap();
    let (driver, mut events) = connect(options.known_tasks(vec![known("a"), known("b")]));
    let mut stream = master.stream().await;
    assert_eq!(stream.call().await.r#type(), Type::Subscribe);
    stream.subscribed("framework-1").await;
    expect_subscribed(&mut events).await;
    expect_reconciliation(&mut stream).await;
    (driver, events, stream)
}

async fn expect_subscribed(events: &mut Events) {
    match events.next().await {
        Some(Ok(Event::Subscribed(subscription))) => {
            assert_eq!(subscription.framework_id.as_str(), "framework-1");
        }
        other => panic!("not subscribed: {other:?}"),
    }
}

/// The session asks about the tasks it knows, then about all others.
async fn expect_reconciliation(stream: &mut Stream) {
    let explicit = stream.call().await.reconcile.unwrap();
    let names: Vec<_> = explicit
        .tasks
        .iter()
        .map(|task| task.task_id.value.as_str())
        .collect();
    assert_eq!(names, ["a", "b"]);
    assert!(stream.call().await.reconcile.unwrap().tasks.is_empty());
}

async fn expect_update(events: &mut Events, task: &str, state: TaskState) {
    match events.next().await {
        Some(Ok(Event::Update(status))) => {
            assert_eq!((status.task_id.as_str(), status.state), (task, state));
        }
        other => panic!("no update: {other:?}"),
    }
}

#[tokio::test]
async fn a_broken_connection_is_replaced_under_the_same_id() {
    let mut master = Master::start().await;
    let (driver, mut events, mut stream) = subscribed(&mut master).await;
    driver.suppress(&[]).await;
    assert_eq!(stream.call().await.r#type(), Type::Suppress);
    drop(stream);
    assert!(matches!(
        events.next().await,
        Some(Ok(Event::Disconnected(_)))
    ));
    let mut stream = master.stream().await;
    let subscribe = stream.call().await;
    assert_eq!(subscribe.framework_id.unwrap().value, "framework-1");
    let subscribe = subscribe.subscribe.unwrap();
    assert_eq!(subscribe.framework_info.id.unwrap().value, "framework-1");
    assert_eq!(subscribe.suppressed_roles, ["*"]);
    stream.subscribed("framework-1").await;
    expect_subscribed(&mut events).await;
    expect_reconciliation(&mut stream).await;
}

#[tokio::test]
async fn an_update_is_acknowledged_after_it_was_handled_and_not_before() {
    let mut master = Master::start().await;
    let (driver, mut events, mut stream) = subscribed(&mut master).await;
    stream.update("a", TaskState::Running, Some(1)).await;
    stream.update("b", TaskState::Finished, Some(2)).await;
    expect_update(&mut events, "a", TaskState::Running).await;
    // A call made while handling goes out before the acknowledgement.
    driver
        .decline(vec![OfferId::new("o").unwrap()], Filters::default())
        .await;
    assert_eq!(stream.call().await.r#type(), Type::Decline);
    expect_update(&mut events, "b", TaskState::Finished).await;
    let acknowledge = stream.call().await.acknowledge.unwrap();
    assert_eq!(
        (acknowledge.task_id.value.as_str(), acknowledge.uuid),
        ("a", vec![1; 16])
    );
}

#[tokio::test]
async fn a_repeated_update_is_acknowledged_again_and_not_delivered_again() {
    let mut master = Master::start().await;
    let (_driver, mut events, mut stream) = subscribed(&mut master).await;
    stream.update("a", TaskState::Running, Some(1)).await;
    // Repeated while the framework is not done with it: nothing to say yet.
    stream.update("a", TaskState::Running, Some(1)).await;
    stream.update("b", TaskState::Running, None).await;
    expect_update(&mut events, "a", TaskState::Running).await;
    expect_update(&mut events, "b", TaskState::Running).await;
    assert_eq!(stream.call().await.acknowledge.unwrap().uuid, [1; 16]);
    stream.update("a", TaskState::Running, Some(1)).await;
    assert_eq!(stream.call().await.acknowledge.unwrap().uuid, [1; 16]);
    // The update without an uuid is the master's own and is not acknowledged.
    stream.update("b", TaskState::Finished, Some(3)).await;
    expect_update(&mut events, "b", TaskState::Finished).await;
}

#[tokio::test]
async fn what_became_of_an_operation_is_acknowledged_after_it_was_handled() {
    let mut master = Master::start().await;
    let (_driver, mut events, mut stream) = subscribed(&mut master).await;
    let finished = v1::OperationState::OperationFinished;
    stream.operation("make", finished, Some(1)).await;
    stream.operation("make", finished, Some(1)).await;
    // What the master says of its own wants no answer.
    let unknown = v1::OperationState::OperationUnknown;
    stream.operation("other", unknown, None).await;
    for (id, state) in [("make", finished), ("other", unknown)] {
        match events.next().await {
            Some(Ok(Event::Operation(update))) => {
                assert_eq!((update.operation_id.as_str(), update.state), (id, state));
            }
            other => panic!("no operation: {other:?}"),
        }
    }
    let acknowledge = stream.call().await.acknowledge_operation_status.unwrap();
    assert_eq!(acknowledge.operation_id.value, "make");
    assert_eq!(acknowledge.agent_id.unwrap().value, "agent-1");
    assert_eq!(acknowledge.uuid, [1; 16]);
}

#[tokio::test]
async fn a_kill_is_said_again_to_the_next_master() {
    let mut master = Master::start().await;
    let (driver, mut events, mut stream) = subscribed(&mut master).await;
    driver.kill(&TaskId::new("a").unwrap()).await;
    assert_eq!(stream.call().await.kill.unwrap().task_id.value, "a");
    drop(stream);
    assert!(matches!(
        events.next().await,
        Some(Ok(Event::Disconnected(_)))
    ));
    let mut stream = master.stream().await;
    stream.call().await;
    stream.subscribed("framework-1").await;
    assert_eq!(stream.call().await.kill.unwrap().task_id.value, "a");
}

#[tokio::test]
async fn a_framework_that_the_master_ends_does_not_come_back() {
    let mut master = Master::start().await;
    let (driver, mut events, mut stream) = subscribed(&mut master).await;
    stream.error("Framework failed over").await;
    match events.next().await {
        Some(Err(Error::Ended(message))) => assert_eq!(message, "Framework failed over"),
        other => panic!("not ended: {other:?}"),
    }
    assert!(events.next().await.is_none());
    // Harmless: the session is over.
    driver.revive(&[]).await;
}

#[tokio::test]
async fn a_refused_subscription_is_an_error_and_a_missing_master_is_none() {
    let mut master = Master::start().await;
    // Nobody listens on port 1; the second address does.
    let masters = format!("127.0.0.1:1,{}", master.address());
    let options = Options::new(&masters, Profile::new("test")).unwrap();
    let (_driver, mut events) = connect(options);
    let mut stream = master.stream().await;
    stream.call().await;
    stream
        .refuse(tonic::Code::InvalidArgument, "FrameworkInfo.user is empty")
        .await;
    let error = events.next().await.unwrap().unwrap_err();
    assert!(
        error.to_string().contains("FrameworkInfo.user is empty"),
        "{error}"
    );
}

#[tokio::test]
async fn a_teardown_ends_the_session_when_the_master_has_heard_it() {
    let mut master = Master::start().await;
    let (driver, mut events, mut stream) = subscribed(&mut master).await;
    driver.teardown().await;
    assert_eq!(stream.call().await.r#type(), Type::Teardown);
    drop(stream);
    assert!(events.next().await.is_none());
}

#[tokio::test]
async fn a_stop_leaves_the_tasks_alone() {
    let mut master = Master::start().await;
    let (driver, mut events, mut stream) = subscribed(&mut master).await;
    driver.stop().await;
    assert!(events.next().await.is_none());
    assert!(
        stream.next_call().await.is_none(),
        "the stream ends without another word"
    );
}

#[tokio::test]
async fn a_framework_that_talks_much_while_it_handles_an_event_does_not_block() {
    let mut master = Master::start().await;
    let (driver, mut events, mut stream) = subscribed(&mut master).await;
    let events_sent = crate::limits::WAITING_EVENTS * 3;
    let calls_made = crate::limits::COMMANDS * 3;
    let talking = async {
        for n in 0..events_sent {
            stream.update("b", TaskState::Running, Some(n as u8)).await;
        }
        for _ in 0..calls_made {
            stream.call().await;
        }
        stream
    };
    let handling = async {
        expect_update(&mut events, "b", TaskState::Running).await;
        for _ in 0..calls_made {
            driver.revive(&[]).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), async {
        tokio::join!(talking, handling)
    })
    .await
    .expect("neither side may wait for the other");
}

#[tokio::test]
async fn a_wish_made_while_subscribing_is_said_afterwards() {
    let mut master = Master::start().await;
    let (driver, mut events) =
        connect(Options::new(master.address(), Profile::new("test")).unwrap());
    driver.suppress(&[]).await;
    let mut stream = master.stream().await;
    stream.call().await;
    driver.revive(&[]).await;
    stream.subscribed("framework-1").await;
    expect_subscribed(&mut events).await;
    assert_eq!(stream.call().await.r#type(), Type::Revive);
}

#[tokio::test]
async fn many_tasks_are_asked_about_in_several_calls() {
    let mut master = Master::start().await;
    let tasks = 0..=crate::limits::TASKS_PER_RECONCILE;
    let tasks = tasks.map(|n| known(&format!("task-{n}"))).collect();
    let options = Options::new(master.address(), Profile::new("test")).unwrap();
    let (_driver, _events) = connect(options.known_tasks(tasks));
    let mut stream = master.stream().await;
    stream.call().await;
    stream.subscribed("framework-1").await;
    for expected in [crate::limits::TASKS_PER_RECONCILE, 1, 0] {
        let asked = stream.call().await.reconcile.unwrap().tasks.len();
        assert_eq!(asked, expected);
    }
}
