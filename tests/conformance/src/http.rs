//! As much of HTTP/1.1 as the API needs: a request, and a stream of records.

use std::{net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    time::timeout,
};

/// Longer than anything here may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// A connection with the head of an answer read.
pub struct Answer {
    stream: BufReader<TcpStream>,
    pub status: u16,
    headers: Vec<(String, String)>,
}

/// Asks for a page.
pub async fn get(address: SocketAddr, path: &str) -> Answer {
    request(address, ("GET", path), &[], b"").await
}

/// Posts a body.
pub async fn post(
    address: SocketAddr,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Answer {
    request(address, ("POST", path), headers, body).await
}

async fn request(
    address: SocketAddr,
    (method, path): (&str, &str),
    headers: &[(&str, &str)],
    body: &[u8],
) -> Answer {
    let mut stream = BufReader::new(TcpStream::connect(address).await.unwrap());
    let mut head = format!("{method} {path} HTTP/1.1\r\nHost: h\r\n");
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    head += &format!("Content-Length: {}\r\n\r\n", body.len());
    let request = [head.as_bytes(), body].concat();
    stream.write_all(&request).await.unwrap();
    let mut answer = Answer {
        stream,
        status: 0,
        headers: Vec::new(),
    };
    let line = answer.line().await;
    answer.status = line.split(' ').nth(1).unwrap().parse().unwrap();
    while let Some((name, value)) = answer.line().await.split_once(':') {
        let entry = (name.to_lowercase(), value.trim().to_owned());
        answer.headers.push(entry);
    }
    answer
}

impl Answer {
    async fn line(&mut self) -> String {
        let mut line = String::new();
        let read = timeout(PATIENCE, self.stream.read_line(&mut line));
        read.await.expect("it takes too long").unwrap();
        line.trim_end().to_owned()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|header| header.0 == name);
        found.map(|header| header.1.as_str())
    }

    /// The body of an answer that has a length or comes in chunks.
    pub async fn body(mut self) -> Vec<u8> {
        if self.header("transfer-encoding").is_some() {
            let mut body = Vec::new();
            while let Some(chunk) = self.chunk().await {
                body.extend(chunk);
            }
            return body;
        }
        let length = self.header("content-length").unwrap_or("0");
        let mut body = vec![0; length.parse().unwrap()];
        self.stream.read_exact(&mut body).await.unwrap();
        body
    }

    /// What an answer with a length says.
    pub async fn text(&mut self) -> String {
        let length = self.header("content-length").unwrap_or("0");
        let mut body = vec![0; length.parse().unwrap()];
        self.stream.read_exact(&mut body).await.unwrap();
        String::from_utf8(body).unwrap()
    }

    /// The next record of a stream; `None` at its end.
    pub async fn record(&mut self) -> Option<Vec<u8>> {
        let mut chunk = self.chunk().await?;
        let start = chunk.iter().position(|byte| *byte == b'\n')? + 1;
        Some(chunk.split_off(start))
    }

    /// The next chunk; `None` after the last.
    async fn chunk(&mut self) -> Option<Vec<u8>> {
        let length = usize::from_str_radix(&self.line().await, 16).ok()?;
        let mut chunk = vec![0; length + 2];
        self.stream.read_exact(&mut chunk).await.unwrap();
        chunk.truncate(length);
        (length > 0).then_some(chunk)
    }
}
