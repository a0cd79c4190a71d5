//! The operator API: calls, streams of offers and events, HTTP, reflection and health.

use tepui_proto::{
    services::{OfferChange, WatchEventsRequest, WatchOffersRequest, offer_change, offer_removed},
    v1::{
        master::{Call, call, event},
        scheduler,
    },
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tonic::{Code, Streaming};
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};
use tonic_reflection::pb::v1::{
    ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
    server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
};

use super::{AgentClient, FrameworkClient, clients, master, soon};

#[tokio::test]
async fn the_state_is_told_and_unknown_calls_are_refused() {
    let (_dir, server) = master().await;
    let framework = FrameworkClient::subscribed(server.address(), clients::framework("f")).await;
    let agent = AgentClient::registered(server.address(), clients::agent("host")).await;
    let mut operator = clients::operator(server.address()).await;
    let state = operator
        .call(clients::ask(call::Type::GetState))
        .await
        .unwrap()
        .into_inner();
    let state = state.get_state.unwrap();
    let agents = state.get_agents.unwrap().agents;
    assert_eq!(agents[0].agent_info.id.as_ref(), Some(&agent.id));
    let frameworks = state.get_frameworks.unwrap().frameworks;
    assert_eq!(frameworks[0].framework_info.id, Some(framework.id()));

    let health = operator
        .call(clients::ask(call::Type::GetHealth))
        .await
        .unwrap()
        .into_inner();
    assert!(health.get_health.unwrap().healthy);
    let flags = operator
        .call(clients::ask(call::Type::GetFlags))
        .await
        .unwrap()
        .into_inner();
    assert!(
        flags
            .get_flags
            .unwrap()
            .flags
            .iter()
            .any(|flag| flag.name == "offer_timeout")
    );
    let unknown = operator.call(Call::default()).await.unwrap_err();
    assert_eq!(unknown.code(), Code::InvalidArgument, "{unknown}");
    let missing = operator
        .call(clients::ask(call::Type::ListFiles))
        .await
        .unwrap_err();
    assert_eq!(missing.code(), Code::NotFound, "{missing}");
    server.stop().await.unwrap();
}

#[tokio::test]
async fn a_torn_down_framework_hears_it_and_is_gone() {
    let (_dir, server) = master().await;
    let framework = FrameworkClient::subscribed(server.address(), clients::framework("f")).await;
    let mut operator = clients::operator(server.address()).await;
    let teardown = Call {
        teardown: Some(call::Teardown {
            framework_id: framework.id(),
        }),
        ..clients::ask(call::Type::Teardown)
    };
    operator.call(teardown.clone()).await.unwrap();
    assert!(framework.end().await.is_none());
    let again = operator.call(teardown).await.unwrap_err();
    assert!(again.message().contains("No framework found"), "{again}");
    server.stop().await.unwrap();
}

#[tokio::test]
async fn offers_are_watched_as_they_come_and_go() {
    let (_dir, server) = master().await;
    let mut operator = clients::operator(server.address()).await;
    let mut framework =
        FrameworkClient::subscribed(server.address(), clients::framework("f")).await;
    let gone = AgentClient::registered(server.address(), clients::agent("early")).await;
    let early = framework.offers().await.remove(0);
    let request = WatchOffersRequest {
        framework_id: Some(framework.id()),
    };
    let mut changes = operator.watch_offers(request).await.unwrap().into_inner();
    let other = WatchOffersRequest {
        framework_id: Some(tepui_proto::v1::FrameworkId {
            value: "other".to_owned(),
        }),
    };
    let mut nothing = operator.watch_offers(other).await.unwrap().into_inner();
    assert!(matches!(
        change(&mut nothing).await,
        offer_change::Change::SnapshotEnd(_)
    ));

    drop(gone);
    let agent = AgentClient::registered(server.address(), clients::agent("late")).await;
    let mut seen = Vec::new();
    loop {
        match change(&mut changes).await {
            offer_change::Change::Added(offer) => seen.push(offer),
            offer_change::Change::Removed(removed) => {
                assert_eq!(removed.offer_id, Some(early.id.clone()))
            }
            offer_change::Change::SnapshotEnd(_) => {}
        }
        if seen.last().is_some_and(|offer| offer.agent_id == agent.id) {
            break;
        }
    }
    let late = seen.pop().unwrap();
    framework.say(decline(&late)).await;
    let removed = loop {
        if let offer_change::Change::Removed(removed) = change(&mut changes).await
            && removed.offer_id.as_ref() == Some(&late.id)
        {
            break removed;
        }
    };
    assert_eq!(removed.reason(), offer_removed::Reason::Declined);
    server.stop().await.unwrap();
    assert_eq!(
        nothing.message().await.unwrap_err().code(),
        Code::Unavailable
    );
}

#[tokio::test]
async fn events_start_with_the_state_and_go_on_with_changes() {
    let (_dir, server) = master().await;
    let mut operator = clients::operator(server.address()).await;
    let mut events = operator
        .watch_events(WatchEventsRequest {})
        .await
        .unwrap()
        .into_inner();
    let first = soon(events.message()).await.unwrap().unwrap();
    assert_eq!(first.r#type(), event::Type::Subscribed);
    assert!(first.subscribed.unwrap().get_state.is_some());
    let _framework = FrameworkClient::subscribed(server.address(), clients::framework("f")).await;
    let second = soon(events.message()).await.unwrap().unwrap();
    assert_eq!(
        second
            .framework_added
            .unwrap()
            .framework
            .framework_info
            .name,
        "f"
    );
    server.stop().await.unwrap();
}

#[tokio::test]
async fn health_is_told_over_plain_http_on_the_same_port() {
    let (_dir, server) = master().await;
    let ok = get(&server, "/health").await;
    assert!(ok.starts_with("HTTP/1.1 200 OK"), "{ok}");
    let missing = get(&server, "/nothing").await;
    assert!(
        missing.starts_with("HTTP/1.1 404") && missing.contains("/health"),
        "{missing}"
    );
    server.stop().await.unwrap();
}

#[tokio::test]
async fn services_can_be_found_and_their_health_asked() {
    let (_dir, server) = master().await;
    let channel = clients::channel(server.address()).await;
    let mut health = HealthClient::new(channel.clone());
    for service in [
        "",
        "tepui.v1.Scheduler",
        "tepui.v1.AgentLink",
        "tepui.v1.Operator",
    ] {
        let request = HealthCheckRequest {
            service: service.to_owned(),
        };
        assert_eq!(
            health.check(request).await.unwrap().into_inner().status,
            1,
            "{service}"
        );
    }
    let request = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let mut reflection = ServerReflectionClient::new(channel);
    let answers = reflection
        .server_reflection_info(tokio_stream::once(request))
        .await
        .unwrap();
    let answer = soon(answers.into_inner().message()).await.unwrap().unwrap();
    let Some(MessageResponse::ListServicesResponse(list)) = answer.message_response else {
        panic!("no list of services")
    };
    assert!(
        list.service
            .iter()
            .any(|service| service.name == "tepui.v1.Operator"),
        "{list:?}"
    );
    server.stop().await.unwrap();
}

async fn change(changes: &mut Streaming<OfferChange>) -> offer_change::Change {
    soon(changes.message())
        .await
        .unwrap()
        .unwrap()
        .change
        .unwrap()
}

async fn get(server: &crate::Server, path: &str) -> String {
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    soon(stream.read_to_string(&mut answer)).await.unwrap();
    answer
}

fn decline(offer: &tepui_proto::v1::Offer) -> scheduler::Call {
    scheduler::Call {
        r#type: Some(scheduler::call::Type::Decline.into()),
        decline: Some(scheduler::call::Decline {
            offer_ids: vec![offer.id.clone()],
            filters: None,
        }),
        ..scheduler::Call::default()
    }
}
