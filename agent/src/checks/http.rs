//! HTTP checks: a GET, and the status of the answer. A redirect to the same server is followed, as
//! curl does it for Mesos; one to elsewhere is an answer like any other.

use std::path::PathBuf;

use tepui_agent_core::Target;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use super::{address, connect, no_connection, tls};
use crate::limits::{CHECK_ANSWER_BYTES, CHECK_REDIRECTS};

/// The beginning of an answer.
struct Answer {
    status: u16,
    location: Option<String>,
}

/// Asks for a path, and gives the status of the last answer.
pub(super) async fn get(
    network: Option<PathBuf>,
    at: Target,
    path: &str,
    is_tls: bool,
) -> Result<u16, String> {
    let mut path = path.to_owned();
    for _ in 0..=CHECK_REDIRECTS {
        let stream = connect(network.clone(), at).await;
        let stream = stream.map_err(|error| no_connection(at, &error))?;
        let answer = if is_tls {
            ask(tls::wrap(stream, at).await?, at, &path).await?
        } else {
            ask(stream, at, &path).await?
        };
        let further = answer
            .location
            .as_deref()
            .and_then(|to| same_server(to, at, is_tls));
        match further {
            Some(next) if matches!(answer.status, 301 | 302 | 303 | 307 | 308) => path = next,
            _ => return Ok(answer.status),
        }
    }
    Err(format!("more than {CHECK_REDIRECTS} redirects"))
}

async fn ask(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    at: Target,
    path: &str,
) -> Result<Answer, String> {
    let host = address(at);
    let version = env!("CARGO_PKG_VERSION");
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: tepui/{version}\r\nAccept: */*\r\n\
         Connection: close\r\n\r\n"
    );
    let broken = |error: std::io::Error| format!("the connection to {host} broke: {error}");
    stream.write_all(request.as_bytes()).await.map_err(broken)?;
    let mut bytes = Vec::new();
    let mut limited = stream.take(CHECK_ANSWER_BYTES);
    while !ends(&bytes) {
        match limited.read_buf(&mut bytes).await {
            Ok(0) => break,
            Ok(_) => {}
            // A server may close before it was read to the end.
            Err(_) if !bytes.is_empty() => break,
            Err(error) => return Err(broken(error)),
        }
    }
    read(&bytes).ok_or_else(|| format!("the answer of {host} is not HTTP"))
}

/// Whether the head of an answer is there as a whole.
fn ends(bytes: &[u8]) -> bool {
    bytes.windows(4).any(|end| end == b"\r\n\r\n") || bytes.windows(2).any(|end| end == b"\n\n")
}

fn read(bytes: &[u8]) -> Option<Answer> {
    let text = String::from_utf8_lossy(bytes);
    let mut lines = text.lines();
    let mut words = lines.next()?.split(' ');
    words.next()?.strip_prefix("HTTP/1.")?;
    let status = words.next().filter(|status| status.len() == 3)?;
    let location = lines.take_while(|line| !line.is_empty()).find_map(|line| {
        let (name, value) = line.split_once(':')?;
        let is_location = name.eq_ignore_ascii_case("location");
        is_location.then(|| value.trim().to_owned())
    });
    Some(Answer {
        status: status.parse().ok()?,
        location,
    })
}

/// The path of a redirect, if it leads to the same server.
fn same_server(to: &str, at: Target, is_tls: bool) -> Option<String> {
    let scheme = if is_tls { "https" } else { "http" };
    let Target { port, version_6 } = at;
    let names: &[&str] = if version_6 {
        &["[::1]", "localhost"]
    } else {
        &["127.0.0.1", "localhost"]
    };
    let path = if to.starts_with('/') && !to.starts_with("//") {
        to
    } else {
        let mut starts = names.iter().map(|name| format!("{scheme}://{name}:{port}"));
        starts.find_map(|start| to.strip_prefix(&start).filter(|path| path.starts_with('/')))?
    };
    let printable = path.chars().all(|letter| letter.is_ascii_graphic());
    let path = path.split('#').next().unwrap_or("/");
    printable.then(|| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_and_the_way_on_are_read_from_the_head() {
        let answer = read(b"HTTP/1.1 302 Found\r\nX: y\r\nlocation: /next\r\n\r\nbody").unwrap();
        assert_eq!(
            (answer.status, answer.location.as_deref()),
            (302, Some("/next"))
        );
        assert_eq!(read(b"HTTP/1.0 204 \r\n").unwrap().status, 204);
        for nonsense in [
            &b""[..],
            b"SSH-2.0-x\r\n",
            b"HTTP/1.1\r\n",
            b"HTTP/1.1 20 x\r\n",
            b"\xff",
        ] {
            assert!(read(nonsense).is_none());
        }
        let body = read(b"HTTP/1.1 200 OK\r\n\r\nLocation: /evil\r\n").unwrap();
        assert_eq!(body.location, None);
    }

    #[test]
    fn only_redirects_to_the_same_server_are_followed() {
        let at = Target {
            port: 80,
            version_6: false,
        };
        let led = |to| same_server(to, at, false);
        assert_eq!(led("/a?b#c").as_deref(), Some("/a?b"));
        assert_eq!(led("http://localhost:80/x").as_deref(), Some("/x"));
        assert_eq!(led("http://127.0.0.1:80/x").as_deref(), Some("/x"));
        for elsewhere in [
            "//evil/x",
            "https://127.0.0.1:80/x",
            "http://127.0.0.1:8080/x",
            "http://127.0.0.1:80.evil/x",
            "http://169.254.169.254/latest",
            "relative",
            "/a b",
        ] {
            assert_eq!(led(elsewhere), None, "{elsewhere}");
        }
    }
}
