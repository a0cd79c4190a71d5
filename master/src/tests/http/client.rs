//! A client of HTTP/1.1 that sees what goes over the wire.

use std::{collections::BTreeMap, net::SocketAddr};

use prost::Message;
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
};

use super::super::soon;

/// A connection.
pub(super) struct Client {
    stream: BufReader<TcpStream>,
}

/// An answer; without its body when that is a stream.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: BTreeMap<String, String>,
    pub(super) body: Vec<u8>,
}

impl Answer {
    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(super) fn json(&self) -> Value {
        assert_eq!(self.status, 200, "{}", self.text());
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }
}

pub(super) const JSON: &[(&str, &str)] = &[("Content-Type", "application/json")];

impl Client {
    pub(super) async fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let stream = BufReader::new(stream);
        Self { stream }
    }

    pub(super) async fn send_raw(&mut self, bytes: &[u8]) {
        soon(self.stream.write_all(bytes)).await.unwrap();
    }

    /// Sends as much as is taken.
    pub(super) async fn try_send_raw(&mut self, bytes: &[u8]) {
        let _ = soon(self.stream.write_all(bytes)).await;
    }

    pub(super) async fn send(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) {
        let mut head = format!("{method} {path} HTTP/1.1\r\nHost: h\r\n");
        for (name, value) in headers {
            head += &format!("{name}: {value}\r\n");
        }
        head += &format!("Content-Length: {}\r\n\r\n", body.len());
        self.send_raw(&[head.as_bytes(), body].concat()).await;
    }

    pub(super) async fn request(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Answer {
        self.send(method, path, headers, body).await;
        self.answer().await
    }

    pub(super) async fn post(
        &mut self,
        path: &str,
        headers: &[(&str, &str)],
        body: &Value,
    ) -> Answer {
        let headers = [JSON, headers].concat();
        self.request("POST", path, &headers, body.to_string().as_bytes())
            .await
    }

    pub(super) async fn get(&mut self, path: &str) -> Answer {
        self.request("GET", path, &[], b"").await
    }

    async fn line(&mut self) -> String {
        let mut line = String::new();
        soon(self.stream.read_line(&mut line)).await.unwrap();
        line.trim_end().to_owned()
    }

    /// An answer, with its body when that has a length.
    pub(super) async fn answer(&mut self) -> Answer {
        let line = self.line().await;
        let status = line.split(' ').nth(1).unwrap_or_else(|| {
            panic!("no status: {line:?}");
        });
        let mut answer = Answer {
            status: status.parse().unwrap(),
            headers: BTreeMap::new(),
            body: Vec::new(),
        };
        loop {
            let line = self.line().await;
            let Some((name, value)) = line.split_once(':') else {
                break;
            };
            let value = value.trim().to_owned();
            answer.headers.insert(name.to_lowercase(), value);
        }
        if let Some(length) = answer.header("content-length") {
            answer.body = vec![0; length.parse().unwrap()];
            soon(self.stream.read_exact(&mut answer.body))
                .await
                .unwrap();
        }
        answer
    }

    /// The next chunk of a stream; `None` at its end.
    pub(super) async fn chunk(&mut self) -> Option<Vec<u8>> {
        let line = self.line().await;
        let length = usize::from_str_radix(&line, 16).ok()?;
        let mut chunk = vec![0; length + 2];
        soon(self.stream.read_exact(&mut chunk)).await.unwrap();
        chunk.truncate(length);
        (length > 0).then_some(chunk)
    }

    /// The next record, which must be a chunk of its own.
    pub(super) async fn record(&mut self) -> Option<Vec<u8>> {
        let chunk = self.chunk().await?;
        let line = chunk.iter().position(|byte| *byte == b'\n').unwrap();
        let length: usize = std::str::from_utf8(&chunk[..line])
            .unwrap()
            .parse()
            .unwrap();
        let record = chunk[line + 1..].to_vec();
        assert_eq!(record.len(), length);
        Some(record)
    }

    pub(super) async fn event(&mut self) -> Option<Value> {
        let record = self.record().await?;
        assert!(!record.contains(&b'\n'), "a record of JSON is one line");
        Some(serde_json::from_slice(&record).unwrap())
    }

    /// The next event that is no heartbeat.
    pub(super) async fn hear(&mut self) -> Value {
        loop {
            let event = self.event().await.expect("the stream ended");
            if event["type"] != "HEARTBEAT" {
                return event;
            }
        }
    }

    pub(super) async fn message<M: Message + Default>(&mut self) -> Option<M> {
        self.record().await.map(|it| M::decode(&*it).unwrap())
    }

    /// Whatever comes until the other side closes.
    pub(super) async fn rest(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        let _ = soon(self.stream.read_to_end(&mut rest)).await;
        rest
    }
}
