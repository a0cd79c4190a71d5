//! What the HTTP side must stand: an expected code, the process alive, others served.

use std::net::SocketAddr;

use serde_json::json;

use super::{
    super::{master, soon},
    Client,
    client::JSON,
    subscribe,
};
use crate::limits;

const PATH: &str = "/api/v1/scheduler";

/// The status of what is sent as the body of a call.
async fn status(address: SocketAddr, headers: &[(&str, &str)], body: &[u8]) -> u16 {
    let mut client = Client::connect(address).await;
    let headers = [JSON, headers].concat();
    client.request("POST", PATH, &headers, body).await.status
}

async fn is_alive(address: SocketAddr) {
    let mut client = Client::connect(address).await;
    assert_eq!(client.get("/health").await.status, 200);
    let answer = client.post(PATH, &[], &subscribe("alive")).await;
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn a_body_over_the_limit_is_413() {
    let (_dir, server) = master().await;
    let mut client = Client::connect(server.address()).await;
    let head = format!(
        "POST {PATH} HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n",
        limits::BODY_BYTES + 1
    );
    client.send_raw(head.as_bytes()).await;
    client
        .try_send_raw(&vec![b' '; limits::BODY_BYTES + 1])
        .await;
    let answer = client.answer().await;
    assert_eq!(answer.status, 413);
    assert!(answer.text().contains("16777216"), "{}", answer.text());
    is_alive(server.address()).await;
    server.stop().await.unwrap();
}

#[tokio::test]
async fn a_bomb_in_gzip_is_413_and_a_torn_one_400() {
    let (_dir, server) = master().await;
    let gzip = [("Content-Encoding", "gzip")];
    let bomb = tepui_edge::http::gzip::pack(&vec![b' '; limits::BODY_BYTES + 1]);
    assert_eq!(status(server.address(), &gzip, &bomb).await, 413);
    let torn = &bomb[..bomb.len() / 2];
    assert_eq!(status(server.address(), &gzip, torn).await, 400);
    assert_eq!(status(server.address(), &gzip, b"{}").await, 400);
    let other = [("Content-Encoding", "br")];
    assert_eq!(status(server.address(), &other, b"{}").await, 415);
    is_alive(server.address()).await;
    server.stop().await.unwrap();
}

#[tokio::test]
async fn odd_json_is_400() {
    let (_dir, server) = master().await;
    let deep = "[".repeat(100_000);
    let nested = format!(
        r#"{{"subscribe": {}"#,
        r#"{"framework_info":"#.repeat(100_000)
    );
    let cases = [
        deep.as_str(),
        &nested,
        "\0",
        "{\"type\": \"SUBSCRIBE\0\"}",
        r#"{"type": "\ud800"}"#,
        r#"{"subscribe": {"framework_info": {"failover_timeout": 1e400}}}"#,
        r#"{"type": "SUBSCRIBE", "subscribe": []}"#,
        r#"{"type": "SUBSCRIBE"} x"#,
        "{\"a\": \"\u{0}\"}",
        "",
        "null",
        "\u{feff}{}",
    ];
    for case in cases {
        let shown = &case[..case.len().min(60)];
        assert_eq!(
            status(server.address(), &[], case.as_bytes()).await,
            400,
            "{shown}"
        );
    }
    for bytes in [&b"{\"type\": \"\xff\"}"[..], b"\xff\xfe{\0}\0"] {
        assert_eq!(status(server.address(), &[], bytes).await, 400);
    }
    is_alive(server.address()).await;
    server.stop().await.unwrap();
}

#[tokio::test]
async fn a_call_cut_at_any_byte_is_400() {
    let (_dir, server) = master().await;
    let whole = subscribe("cut").to_string();
    let mut client = Client::connect(server.address()).await;
    for length in 0..whole.len() {
        let body = &whole.as_bytes()[..length];
        let answer = client.request("POST", PATH, JSON, body).await;
        assert_eq!(answer.status, 400, "{length}");
    }
    server.stop().await.unwrap();
}

#[tokio::test]
async fn many_unknown_fields_and_long_lists_are_read_in_passing() {
    let (_dir, server) = master().await;
    let mut body = String::from("{\"type\": \"REVIVE\"");
    for n in 0..200_000 {
        body += &format!(",\"x{n}\":{n}");
    }
    body.push('}');
    assert_eq!(status(server.address(), &[], body.as_bytes()).await, 400);
    let roles = "\"r\",".repeat(1_000_000);
    let list = format!(r#"{{"revive": {{"roles": [{roles}"r"]}}}}"#);
    assert_eq!(status(server.address(), &[], list.as_bytes()).await, 400);
    is_alive(server.address()).await;
    server.stop().await.unwrap();
}

#[tokio::test]
async fn odd_heads_are_400_or_close_and_smuggle_nothing() {
    let (_dir, server) = master().await;
    let smuggled = "GET /health HTTP/1.1\r\nHost: h\r\n\r\n";
    let heads = [
        format!(
            "POST {PATH} HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\n\
             {smuggled}"
        ),
        format!("POST {PATH} HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip\r\n\r\n{smuggled}"),
        format!("POST {PATH} HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\n{smuggled}"),
        format!("GET  HTTP/1.1\r\nHost: h\r\n\r\n{smuggled}"),
        format!("GET /a b HTTP/1.1\r\nHost: h\r\n\r\n{smuggled}"),
        format!("GET / HTTP/1.1\r\nHost: h\r\nX\0: y\r\n\r\n{smuggled}"),
        format!(
            "GET / HTTP/1.1\r\nHost: h\r\nX: {}\r\n\r\n{smuggled}",
            "y".repeat(1 << 20)
        ),
        "\0".repeat(1000),
    ];
    for head in heads {
        let mut client = Client::connect(server.address()).await;
        client.try_send_raw(head.as_bytes()).await;
        let rest = String::from_utf8_lossy(&client.rest().await).into_owned();
        let shown = &head[..head.len().min(80)];
        assert!(!rest.contains("200 OK"), "{shown}: {rest}");
        let answers = rest.matches("HTTP/1.1 ").count();
        assert!(answers <= 1, "{shown}: {rest}");
    }
    is_alive(server.address()).await;
    server.stop().await.unwrap();
}

/// Length and chunks at once are a way to smuggle. The chunks count, and the connection closes, so
/// that nothing behind them is taken for a request.
#[tokio::test]
async fn a_length_beside_chunks_ends_the_connection() {
    let (_dir, server) = master().await;
    let mut client = Client::connect(server.address()).await;
    let request = format!(
        "POST {PATH} HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n\
         Content-Length: 7\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{{}}\r\n0\r\n\r\n\
         GET /health HTTP/1.1\r\nHost: h\r\n\r\n"
    );
    client.send_raw(request.as_bytes()).await;
    let answer = client.answer().await;
    assert_eq!(
        (answer.status, answer.header("connection")),
        (400, Some("close"))
    );
    assert!(client.rest().await.is_empty());
    is_alive(server.address()).await;
    server.stop().await.unwrap();
}

#[tokio::test]
async fn odd_paths_are_404() {
    let (_dir, server) = master().await;
    for path in [
        "/%00",
        "//../api/v1",
        "/api/v1/../x",
        "/api/v1/scheduler/x",
        "/redirect/x",
        "/state.json",
        "/api/v1%2fscheduler",
        "/%",
    ] {
        let mut client = Client::connect(server.address()).await;
        let answer = client.get(path).await;
        assert_eq!(answer.status, 404, "{path}");
    }
    server.stop().await.unwrap();
}

#[tokio::test]
async fn a_reader_that_does_not_read_is_cut_off() {
    let (_dir, server) = master().await;
    let mut deaf = Client::connect(server.address()).await;
    let answer = deaf.post(PATH, &[], &subscribe("deaf")).await;
    let stream_id = answer.header("mesos-stream-id").unwrap().to_owned();
    let first = deaf.event().await.unwrap();
    let id = first["subscribed"]["framework_id"].clone();
    let tasks: Vec<_> = (0..1000)
        .map(|n| json!({"task_id": {"value": format!("{n:0>250}")}}))
        .collect();
    let call = json!({"type": "RECONCILE", "framework_id": id, "reconcile": {"tasks": tasks}});
    let headers = [("Mesos-Stream-Id", stream_id.as_str())];
    let mut client = Client::connect(server.address()).await;
    soon(async {
        // As many as may wait, and for what the connection holds.
        while client.post(PATH, &headers, &call).await.status == 202 {}
    })
    .await;
    is_alive(server.address()).await;
    server.stop().await.unwrap();
}

#[tokio::test]
async fn a_flood_of_requests_is_served() {
    let (_dir, server) = master().await;
    let mut clients = Vec::new();
    for _ in 0..200 {
        let mut client = Client::connect(server.address()).await;
        for _ in 0..10 {
            client.send("GET", "/health", &[], b"").await;
        }
        clients.push(client);
    }
    for client in &mut clients {
        for _ in 0..10 {
            assert_eq!(client.answer().await.status, 200);
        }
    }
    server.stop().await.unwrap();
}
