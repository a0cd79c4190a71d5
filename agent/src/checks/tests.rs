//! Tests of the module that this one belongs to.

use std::{net::TcpListener, time::Duration};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::*;

fn at(listener: &TcpListener) -> Target {
    Target {
        port: listener.local_addr().unwrap().port(),
        version_6: false,
    }
}

fn listen() -> TcpListener {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap()
}

/// Serves answers in turn, one per connection, and gives what was asked.
fn serve(
    listener: TcpListener,
    answers: &'static [&'static str],
) -> tokio::task::JoinHandle<Vec<String>> {
    listener.set_nonblocking(true).unwrap();
    let listener = tokio::net::TcpListener::from_std(listener).unwrap();
    tokio::spawn(async move {
        let mut asked = Vec::new();
        for answer in answers {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = vec![0; 4096];
            let count = stream.read(&mut request).await.unwrap();
            let request = String::from_utf8_lossy(&request[..count]).into_owned();
            asked.push(request.lines().next().unwrap_or_default().to_owned());
            let _ = stream.write_all(answer.as_bytes()).await;
        }
        asked
    })
}

async fn get(
    listener: TcpListener,
    answers: &'static [&'static str],
) -> (Result<u16, String>, Vec<String>) {
    let target = at(&listener);
    let served = serve(listener, answers);
    let found = http::get(None, target, "/health", false).await;
    (found, served.await.unwrap())
}

#[tokio::test]
async fn an_http_check_finds_the_status() {
    for (answer, expected) in [
        (&["HTTP/1.1 200 OK\r\n\r\n"], Ok(200)),
        (&["HTTP/1.0 503 Oh\r\n\r\n"], Ok(503)),
        (
            &["HTTP/1.1 302 F\r\nLocation: http://elsewhere/\r\n\r\n"],
            Ok(302),
        ),
    ] {
        let (found, asked) = get(listen(), answer).await;
        assert_eq!(found, expected);
        assert_eq!(asked, ["GET /health HTTP/1.1"]);
    }
    for answer in [&["SSH-2.0-x\r\n"], &[""]] {
        let (found, _) = get(listen(), answer).await;
        assert!(found.unwrap_err().ends_with("is not HTTP"));
    }
}

#[tokio::test]
async fn redirects_within_the_server_are_followed_and_not_for_ever() {
    let (found, asked) = get(
        listen(),
        &[
            "HTTP/1.1 302 Found\r\nLocation: /ready\r\n\r\n",
            "HTTP/1.1 404 No\r\n\r\n",
        ],
    )
    .await;
    assert_eq!(found, Ok(404));
    assert_eq!(asked, ["GET /health HTTP/1.1", "GET /ready HTTP/1.1"]);
    const AGAIN: &str = "HTTP/1.1 302 Found\r\nLocation: /health\r\n\r\n";
    let (found, _) = get(listen(), &[AGAIN; crate::limits::CHECK_REDIRECTS + 1]).await;
    assert!(found.unwrap_err().contains("redirects"));
}

#[tokio::test]
async fn a_tcp_check_finds_whether_connections_are_taken() {
    let listener = listen();
    let target = at(&listener);
    assert_eq!(tcp(None, target).await, Finding::Tcp(true));
    drop(listener);
    assert_eq!(tcp(None, target).await, Finding::Tcp(false));
}

#[tokio::test]
async fn an_answer_that_does_not_come_is_not_waited_for() {
    let listener = listen();
    let target = at(&listener);
    let asked = async { finding(http::get(None, target, "/", false).await, Finding::Http) };
    let limit = Some(Duration::from_millis(50));
    assert_eq!(within(limit, asked).await, Finding::TimedOut);
}

#[tokio::test]
async fn a_grpc_check_hears_what_the_server_says_of_its_service() {
    let health = tepui_edge::HealthReporter::new();
    let listener = tepui_edge::Listener::bind("127.0.0.1:0".parse().unwrap())
        .await
        .unwrap();
    let target = Target {
        port: listener.address().port(),
        version_6: false,
    };
    let serving = tepui_edge::ServingStatus::Serving;
    health.set_service_status("web", serving).await;
    health
        .set_service_status("db", tepui_edge::ServingStatus::NotServing)
        .await;
    let site = tepui_edge::Site {
        services: tonic::service::Routes::default(),
        descriptors: &[],
        health,
        plain: axum::Router::new(),
        elsewhere: "",
    };
    let routes = site.routes().unwrap();
    let server = listener.serve(routes, 8);
    let ask = |service: &str| grpc::check(None, target, service.to_owned());
    assert_eq!(ask("web").await, Ok(true));
    assert_eq!(ask("db").await, Ok(false));
    assert!(ask("mail").await.unwrap_err().contains("no such service"));
    server.close().await;
}

#[tokio::test]
async fn checks_see_what_the_container_sees_and_not_the_host() {
    if !nix::unistd::geteuid().is_root() {
        return eprintln!("not run: network namespaces need root");
    }
    let folder = tempfile::tempdir().unwrap();
    let network = folder.path().join("net");
    tepui_sys::make_network(&network).unwrap();
    let inside = tepui_sys::in_network(&network, || Ok(listen())).unwrap();
    let target = at(&inside);
    let outside = listen();
    assert_eq!(tcp(Some(network.clone()), target).await, Finding::Tcp(true));
    let host_s = tcp(Some(network.clone()), at(&outside)).await;
    assert_eq!(host_s, Finding::Tcp(at(&outside).port == target.port));
    // The first connection is that of the TCP check.
    let served = serve(inside, &["", "HTTP/1.1 204 Well\r\n\r\n"]);
    let found = http::get(Some(network.clone()), target, "/", false).await;
    assert_eq!(found, Ok(204));
    assert_eq!(served.await.unwrap()[1], "GET / HTTP/1.1");
    tepui_sys::remove_network(&network).unwrap();
    let gone = tcp(Some(network), target).await;
    assert!(matches!(gone, Finding::Failed(_)), "{gone:?}");
}

/// A server that speaks TLS with a certificate that nobody has reason to trust.
fn tls_server(folder: &std::path::Path) -> Option<std::process::Child> {
    use std::process::{Command, Stdio};
    let (key, certificate) = (folder.join("key"), folder.join("certificate"));
    let made = Command::new("openssl")
        .args([
            "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=x",
        ])
        .arg("-keyout")
        .arg(&key)
        .arg("-out")
        .arg(&certificate)
        .stderr(Stdio::null())
        .status();
    if !made.is_ok_and(|status| status.success()) {
        eprintln!("not run: there is no openssl to be a server");
        return None;
    }
    let server = Command::new("openssl")
        .args(["s_server", "-accept", "127.0.0.1:0", "-www", "-key"])
        .arg(&key)
        .arg("-cert")
        .arg(&certificate)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    Some(server.unwrap())
}

#[tokio::test]
async fn an_https_check_does_not_mind_whose_certificate_it_is() {
    use std::io::{BufRead as _, BufReader};
    let folder = tempfile::tempdir().unwrap();
    let Some(mut server) = tls_server(folder.path()) else {
        return;
    };
    let lines = BufReader::new(server.stdout.take().unwrap()).lines();
    let port = lines.map_while(Result::ok).find_map(|line| {
        let (_, port) = line.strip_prefix("ACCEPT ")?.rsplit_once(':')?;
        port.parse().ok()
    });
    let target = Target {
        port: port.unwrap(),
        version_6: false,
    };
    let found = http::get(None, target, "/", true).await;
    server.kill().unwrap();
    server.wait().unwrap();
    assert_eq!(found, Ok(200));
    let plain = listen();
    let target = at(&plain);
    let _served = serve(plain, &["HTTP/1.1 200 OK\r\n\r\n"]);
    let found = http::get(None, target, "/", true).await;
    assert!(found.unwrap_err().contains("speaks no TLS"));
}
