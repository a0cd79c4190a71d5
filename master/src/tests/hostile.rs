//! What peers may send and the master must stand: it answers with an error and serves the others.

use tepui_proto::v1::{
    self,
    scheduler::{Call, call},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tonic::Code;

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
