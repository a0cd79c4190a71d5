//! Health checks, from where the framework runs: does the port answer, and does it answer well.

use std::sync::Arc;

use tepui_sdk::model::TaskId;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::Semaphore,
    task::JoinSet,
    time::timeout,
};

use crate::{core::Probe, limits};

/// What a check found; the error says what was wrong.
pub(crate) type Outcome = Result<(), String>;

/// The checks that are on their way. The core begins one per instance at a time.
#[derive(Debug)]
pub(crate) struct Checks {
    running: JoinSet<(TaskId, Outcome)>,
    turns: Arc<Semaphore>,
}

impl Checks {
    pub(crate) fn new() -> Self {
        Self {
            running: JoinSet::new(),
            turns: Arc::new(Semaphore::new(limits::PROBES_AT_ONCE)),
        }
    }

    pub(crate) fn begin(&mut self, probe: Probe) {
        let turns = self.turns.clone();
        self.running.spawn(async move {
            // Nobody closes the semaphore; without a turn the check would run all the same.
            let _turn = turns.acquire_owned().await.ok();
            let outcome = match timeout(probe.timeout, check(&probe)).await {
                Ok(outcome) => outcome,
                Err(_) => Err(format!("no answer within {:?}", probe.timeout)),
            };
            (probe.task, outcome)
        });
    }

    /// The next check that is done; waits for ever while there is none. Cancel-safe.
    pub(crate) async fn next(&mut self) -> (TaskId, Outcome) {
        loop {
            match self.running.join_next().await {
                Some(Ok(done)) => return done,
                Some(Err(error)) => tracing::error!(%error, "a health check broke down"),
                None => std::future::pending().await,
            }
        }
    }
}

async fn check(probe: &Probe) -> Outcome {
    let mut stream = TcpStream::connect((probe.host.as_str(), probe.port))
        .await
        .map_err(|error| error.to_string())?;
    let Some(path) = &probe.http_path else {
        return Ok(());
    };
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {}:{}\r\nUser-Agent: tepui-service\r\nAccept: */*\r\n\
         Connection: close\r\n\r\n",
        probe.host, probe.port
    );
    stream
        .write_all(request.as_bytes())
        .await
        .map_err(|error| error.to_string())?;
    let mut answer = Vec::new();
    let mut limited = stream.take(limits::PROBE_ANSWER_BYTES as u64);
    while !answer.contains(&b'\n') {
        match limited.read_buf(&mut answer).await {
            Ok(0) => break,
            Ok(_) => {}
            Err(error) => return Err(error.to_string()),
        }
    }
    match status_of(&answer) {
        Some(200..=399) => Ok(()),
        Some(status) => Err(format!("status {status}")),
        None => Err("the answer is not HTTP".to_owned()),
    }
}

/// The status of an HTTP/1 answer.
fn status_of(answer: &[u8]) -> Option<u16> {
    let line = answer.split(|byte| *byte == b'\n').next()?;
    let line = std::str::from_utf8(line).ok()?;
    let mut words = line.trim_end().split(' ');
    words.next()?.strip_prefix("HTTP/1.")?;
    words
        .next()
        .filter(|status| status.len() == 3)?
        .parse()
        .ok()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::net::TcpListener;

    use super::*;

    /// What a check finds where a server answers with these bytes and closes.
    async fn outcome_of(answer: &'static str, http_path: Option<&str>) -> Outcome {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let probe = Probe {
            task: TaskId::new("web.1").unwrap(),
            host: "127.0.0.1".to_owned(),
            port: listener.local_addr().unwrap().port(),
            http_path: http_path.map(str::to_owned),
            timeout: Duration::from_secs(5),
        };
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let _ = stream.read(&mut [0; 1024]).await;
            let _ = stream.write_all(answer.as_bytes()).await;
        });
        let mut checks = Checks::new();
        checks.begin(probe);
        checks.next().await.1
    }

    #[tokio::test]
    async fn an_http_answer_of_200_to_399_is_well() {
        for answer in [
            "HTTP/1.1 200 OK\r\n\r\n",
            "HTTP/1.0 204 \r\n",
            "HTTP/1.1 302 F\r\n",
        ] {
            assert_eq!(outcome_of(answer, Some("/")).await, Ok(()), "{answer:?}");
        }
    }

    #[tokio::test]
    async fn any_other_answer_is_not_and_says_why() {
        let cases = [
            ("HTTP/1.1 500 Oh\r\n\r\n", "status 500"),
            ("HTTP/1.1 404 Not Found\r\n", "status 404"),
            ("SSH-2.0-x\r\n", "the answer is not HTTP"),
            ("", "the answer is not HTTP"),
        ];
        for (answer, reason) in cases {
            assert_eq!(outcome_of(answer, Some("/")).await, Err(reason.to_owned()));
        }
    }

    #[tokio::test]
    async fn a_tcp_check_asks_for_a_connection_and_no_more() {
        assert_eq!(outcome_of("", None).await, Ok(()));
    }

    #[tokio::test]
    async fn a_closed_port_and_a_silent_one_fail() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut probe = Probe {
            task: TaskId::new("web.1").unwrap(),
            host: "127.0.0.1".to_owned(),
            port: listener.local_addr().unwrap().port(),
            http_path: Some("/".to_owned()),
            timeout: Duration::from_millis(50),
        };
        let mut checks = Checks::new();
        checks.begin(probe.clone());
        assert!(
            checks
                .next()
                .await
                .1
                .unwrap_err()
                .contains("no answer within 50ms")
        );
        drop(listener);
        probe.timeout = Duration::from_secs(5);
        checks.begin(probe);
        assert!(checks.next().await.1.unwrap_err().contains("refused"));
    }
}
