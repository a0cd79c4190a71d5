//! As much of HTTP/1.1 as the figures need: calls on one connection, and a stream of records.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
};

use super::framework::text;

/// A connection that is kept.
#[derive(Debug)]
pub(super) struct Connection {
    stream: BufReader<TcpStream>,
    host: String,
}

/// What one connection says with each call.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head<'text> {
    pub(super) path: &'text str,
    pub(super) media: &'text str,
    pub(super) stream_id: Option<&'text str>,
}

/// The head of an answer, as far as anybody wants it.
#[derive(Debug, Default)]
struct Answer {
    status: String,
    length: Option<usize>,
    stream_id: Option<String>,
}

impl Connection {
    pub(super) fn open(master: &str) -> Result<Self, String> {
        let stream = TcpStream::connect(master).map_err(text)?;
        stream.set_nodelay(true).map_err(text)?;
        Ok(Self {
            stream: BufReader::new(stream),
            host: master.to_owned(),
        })
    }

    /// Sends calls at once, and reads the answers to all of them: the bytes of the last.
    pub(super) fn call(&mut self, head: Head<'_>, bodies: &[Vec<u8>]) -> Result<Vec<u8>, String> {
        let requests: Vec<_> = bodies.iter().map(|body| self.request(head, body)).collect();
        let sent = self.stream.get_mut().write_all(&requests.concat());
        sent.map_err(text)?;
        let mut body = Vec::new();
        for _ in bodies {
            let answer = self.answer()?;
            body = vec![0; answer.length.unwrap_or_default()];
            self.stream.read_exact(&mut body).map_err(text)?;
            if !answer.status.starts_with('2') {
                let why = String::from_utf8_lossy(&body);
                return Err(format!("a call was answered with {}: {why}", answer.status));
            }
        }
        Ok(body)
    }

    /// Makes a call that is answered with a stream: its records, and its `Mesos-Stream-Id`.
    pub(super) fn subscribe(
        mut self,
        head: Head<'_>,
        body: &[u8],
    ) -> Result<(Records, String), String> {
        let request = self.request(head, body);
        self.stream.get_mut().write_all(&request).map_err(text)?;
        let answer = self.answer()?;
        match answer.status.as_str() {
            "200" => Ok((Records(self.stream), answer.stream_id.unwrap_or_default())),
            other => Err(format!("SUBSCRIBE was answered with {other}")),
        }
    }

    fn request(&self, head: Head<'_>, body: &[u8]) -> Vec<u8> {
        let Head { path, media, .. } = head;
        let stream_id = head
            .stream_id
            .map(|id| format!("Mesos-Stream-Id: {id}\r\n"));
        let text = format!(
            "POST {path} HTTP/1.1\r\nHost: {}\r\nAccept: {media}\r\nContent-Type: {media}\r\n\
             {}Content-Length: {}\r\n\r\n",
            self.host,
            stream_id.unwrap_or_default(),
            body.len(),
        );
        [text.as_bytes(), body].concat()
    }

    fn answer(&mut self) -> Result<Answer, String> {
        let mut answer = Answer::default();
        let first = line(&mut self.stream)?;
        answer.status = first.split(' ').nth(1).unwrap_or_default().to_owned();
        while let Some((name, value)) = line(&mut self.stream)?.split_once(':') {
            match name.to_lowercase().as_str() {
                "content-length" => answer.length = value.trim().parse().ok(),
                "mesos-stream-id" => answer.stream_id = Some(value.trim().to_owned()),
                _ => {}
            }
        }
        Ok(answer)
    }
}

/// A stream of records, each a chunk of its own.
#[derive(Debug)]
pub(super) struct Records(BufReader<TcpStream>);

impl Records {
    pub(super) fn next(&mut self) -> Result<Vec<u8>, String> {
        let size = line(&mut self.0)?;
        let size = usize::from_str_radix(&size, 16).map_err(text)?;
        let mut chunk = vec![0; size + 2];
        self.0.read_exact(&mut chunk).map_err(text)?;
        chunk.truncate(size);
        let end = chunk.iter().position(|byte| *byte == b'\n');
        Ok(chunk.split_off(end.ok_or("a chunk that is no record")? + 1))
    }
}

fn line(stream: &mut BufReader<TcpStream>) -> Result<String, String> {
    let mut line = String::new();
    match stream.read_line(&mut line).map_err(text)? {
        0 => Err("the connection ended".to_owned()),
        _ => Ok(line.trim_end().to_owned()),
    }
}
