//! What peers may send and the master must stand: it answers with an error and serves the others.

use std::time::Duration;

use tepui_proto::{
    services::operator_client::OperatorClient,
    v1::{
        self, master as api,
        scheduler::{Call, call},
    },
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tonic::{Code, transport::Channel};

use super::{AgentClient, FrameworkClient, clients, master, raw, soon};
use crate::limits;

#[tokio::test]
async fn an_oversized_message_ends_its_stream_and_no_other() {
    let (_dir, server) = master().await;
    let mut calm = FrameworkClient::subscribed(server.address(), clients::framework("calm")).await;
    let large = FrameworkClient::subscribed(server.address(), clients::framework("large")).await;
    let call = Call {
        r#type: Some(call::Type::Message.into()),
        message: Some(call::Message {
            data: vec![0; limits::MESSAGE_BYTES],
            ..call::Message::default()
        }),
        ..Call::default()
    };
    large.say(call).await;
    let status = large.end().await.unwrap();
    assert_eq!(status.code(), Code::OutOfRange, "{status}");
    assert!(
        status
            .message()
            .contains(&limits::MESSAGE_BYTES.to_string()),
        "{status}"
    );
    let _agent = AgentClient::registered(server.address(), clients::agent("host")).await;
    assert_eq!(calm.offers().await.len(), 1);
    server.stop().await.unwrap();
}

#[tokio::test]
async fn garbage_instead_of_a_first_message_is_refused() {
    let (_dir, server) = master().await;
    for path in ["/tepui.v1.Scheduler/Open", "/tepui.v1.AgentLink/Open"] {
        let status = raw::send(server.address(), path, &[0xff; 64]).await;
        assert_eq!(status.code(), Code::InvalidArgument, "{status}");
        assert!(status.message().contains("not understood"), "{status}");
        let status = raw::send(server.address(), path, &[]).await;
        assert_ne!(status.code(), Code::Ok);
    }
    FrameworkClient::subscribed(server.address(), clients::framework("after")).await;
    server.stop().await.unwrap();
}

#[tokio::test]
async fn another_call_before_subscribe_is_refused() {
    let (_dir, server) = master().await;
    let framework = FrameworkClient::connect(server.address()).await;
    framework
        .say(Call {
            r#type: Some(call::Type::Revive.into()),
            ..Call::default()
        })
        .await;
    let status = framework.end().await.unwrap();
    assert_eq!(status.code(), Code::FailedPrecondition, "{status}");
    assert!(status.message().contains("must be SUBSCRIBE"), "{status}");
    server.stop().await.unwrap();
}

#[tokio::test]
async fn a_subscription_that_makes_no_sense_is_answered() {
    let (_dir, server) = master().await;
    let mut framework = FrameworkClient::connect(server.address()).await;
    let roles = vec!["../up".to_owned()];
    let info = v1::FrameworkInfo {
        roles,
        ..clients::framework("odd")
    };
    framework.say(clients::subscribe(info)).await;
    assert!(framework.hear().await.error.is_some());
    assert!(framework.end().await.is_none());
    server.stop().await.unwrap();
}

#[tokio::test]
async fn bytes_that_are_no_http_close_their_connection_only() {
    let (_dir, server) = master().await;
    let mut noise = TcpStream::connect(server.address()).await.unwrap();
    noise
        .write_all(&[0x16, 0x03, 0x01, 0xff, 0xff, 0x00, 0x0d, 0x0a, 0x0d, 0x0a])
        .await
        .unwrap();
    let mut answer = Vec::new();
    soon(noise.read_to_end(&mut answer)).await.unwrap();
    FrameworkClient::subscribed(server.address(), clients::framework("after")).await;
    server.stop().await.unwrap();
}

/// The framework asks for the state of tasks again and again and reads none of the answers.
#[tokio::test]
async fn a_framework_that_does_not_read_is_cut_off() {
    const TASKS_PER_CALL: usize = 256;
    let (_dir, server) = master().await;
    let deaf = FrameworkClient::subscribed(server.address(), clients::framework("deaf")).await;
    let question = reconcile(TASKS_PER_CALL);
    // As many as may wait, and as many again for what the connection holds.
    for _ in 0..2 * limits::OUTBOX_MESSAGES / TASKS_PER_CALL {
        if !deaf.try_say(question.clone()).await {
            break;
        }
    }
    let mut operator = clients::operator(server.address()).await;
    soon(async {
        while connected(&mut operator).await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    assert_eq!(deaf.end().await.unwrap().code(), Code::ResourceExhausted);
    server.stop().await.unwrap();
}

/// RECONCILE of tasks that nobody knows, with long names.
fn reconcile(tasks: usize) -> Call {
    let task = |n: usize| call::reconcile::Task {
        task_id: v1::TaskId {
            value: format!("{n:0>250}"),
        },
        agent_id: None,
    };
    Call {
        r#type: Some(call::Type::Reconcile.into()),
        reconcile: Some(call::Reconcile {
            tasks: (0..tasks).map(task).collect(),
        }),
        ..Call::default()
    }
}

async fn connected(operator: &mut OperatorClient<Channel>) -> bool {
    let question = clients::ask(api::call::Type::GetFrameworks);
    let answer = soon(operator.call(question)).await.unwrap().into_inner();
    answer.get_frameworks.unwrap().frameworks[0].connected
}
