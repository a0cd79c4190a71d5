//! A small web server to try the framework with: it says who answered.

use std::{
    env,
    io::{self, Write},
    process::ExitCode,
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::timeout,
};

/// How long a client may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// The longest request that is read.
const REQUEST_BYTES: usize = 8 * 1024;

/// Serves on `$PORT0`, or on the port given as the first argument, until it is killed.
///
/// Every path answers with the task's id and its agent's.
pub fn main(arguments: &[String]) -> ExitCode {
    let port = arguments
        .first()
        .cloned()
        .or_else(|| env::var("PORT0").ok());
    let Some(port) = port.as_deref().and_then(|port| port.parse::<u16>().ok()) else {
        say(
            &mut io::stderr(),
            "there is no port: set PORT0 or give a port",
        );
        return ExitCode::from(2);
    };
    // One thread is plenty, and costs an instance next to no memory.
    let served = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .and_then(|runtime| runtime.block_on(listen(port)));
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(
                &mut io::stderr(),
                &format!("cannot serve on port {port}: {error}"),
            );
            ExitCode::FAILURE
        }
    }
}

/// Says something in the task's own output, which may be closed.
fn say(output: &mut impl Write, text: &str) {
    let _ = writeln!(output, "demo-web: {text}");
}

async fn listen(port: u16) -> io::Result<()> {
    let listener = TcpListener::bind(("0.0.0.0", port)).await?;
    say(&mut io::stdout(), &format!("listening on port {port}"));
    loop {
        let (stream, _) = listener.accept().await?;
        // A client that does not finish its request keeps only itself waiting.
        tokio::spawn(timeout(PATIENCE, answer(stream)));
    }
}

async fn answer(mut stream: TcpStream) -> io::Result<()> {
    let mut request = Vec::new();
    while !request.windows(4).any(|end| end == b"\r\n\r\n") && request.len() < REQUEST_BYTES {
        if stream.read_buf(&mut request).await? == 0 {
            return Ok(());
        }
    }
    let body = body(|name| env::var(name).ok());
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body.as_bytes()).await?;
    stream.shutdown().await
}

/// `hello from web.3 on agent S0`, and the greeting of the app's own environment.
fn body(variable: impl Fn(&str) -> Option<String>) -> String {
    let task = variable("MESOS_TASK_ID").unwrap_or_else(|| "nowhere".to_owned());
    let agent = variable("MESOS_AGENT_ID").or_else(|| variable("MESOS_SLAVE_ID"));
    let greeting = variable("GREETING").unwrap_or_else(|| "hello".to_owned());
    match agent {
        Some(agent) => format!("{greeting} from {task} on agent {agent}\n"),
        None => format!("{greeting} from {task}\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_names_the_task_and_the_agent() {
        let variable = |name: &str| match name {
            "MESOS_TASK_ID" => Some("web.3".to_owned()),
            "MESOS_AGENT_ID" => Some("S0".to_owned()),
            _ => None,
        };
        assert_eq!(body(variable), "hello from web.3 on agent S0\n");
        assert_eq!(body(|_| None), "hello from nowhere\n");
    }

    #[tokio::test]
    async fn every_request_is_answered_and_the_connection_closed() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap())
            .await
            .unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        tokio::spawn(answer(stream));
        client
            .write_all(b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n")
            .await
            .unwrap();
        let mut text = String::new();
        client.read_to_string(&mut text).await.unwrap();
        assert!(text.starts_with("HTTP/1.1 200 OK\r\n"), "{text}");
        assert!(text.contains("\r\n\r\nhello from "), "{text}");
    }
}
