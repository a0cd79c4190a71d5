//! A client of an agent's HTTP API that knows nothing but the documents: requests and answers in
//! chunks, records in them.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

/// One connection with one request on it.
pub(crate) struct Connection {
    stream: TcpStream,
    reader: BufReader<TcpStream>,
    /// What came in chunks and was not read as records yet.
    bytes: Vec<u8>,
}

/// The beginning of an answer.
#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
}

impl Head {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut all = self.headers.iter();
        all.find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }
}

impl Connection {
    fn open(agent: &str) -> Self {
        let stream = TcpStream::connect(agent).unwrap();
        stream
            .set_read_timeout(Some(tepui_cluster_tests::PATIENCE))
            .unwrap();
        let reader = BufReader::new(stream.try_clone().unwrap());
        Self {
            stream,
            reader,
            bytes: Vec::new(),
        }
    }

    /// A request of one message, of which the answer is to be read.
    pub(crate) fn request(agent: &str, headers: &[(&str, &str)], call: &Value) -> Self {
        let mut connection = Self::open(agent);
        let body = call.to_string();
        let mut head = format!("POST /api/v1 HTTP/1.1\r\nHost: {agent}\r\n");
        for (name, value) in headers {
            head += &format!("{name}: {value}\r\n");
        }
        if !headers.iter().any(|(name, _)| *name == "Content-Type") {
            head += "Content-Type: application/json\r\n";
        }
        head += &format!("Content-Length: {}\r\n\r\n{body}", body.len());
        connection.stream.write_all(head.as_bytes()).unwrap();
        connection
    }

    /// A request of records, which go on coming.
    pub(crate) fn records(agent: &str) -> Self {
        let mut connection = Self::open(agent);
        let head = format!(
            "POST /slave(1)/api/v1 HTTP/1.1\r\nHost: {agent}\r\nAccept: application/json\r\n\
             Content-Type: application/recordio\r\nMessage-Content-Type: application/json\r\n\
             Transfer-Encoding: chunked\r\n\r\n"
        );
        connection.stream.write_all(head.as_bytes()).unwrap();
        connection
    }

    /// Sends one record, cut into two chunks.
    pub(crate) fn send(&mut self, record: &Value) {
        let text = record.to_string();
        let framed = format!("{}\n{text}", text.len());
        let (one, two) = framed.split_at(framed.len() / 2);
        for piece in [one, two] {
            let chunk = format!("{:x}\r\n{piece}\r\n", piece.len());
            self.stream.write_all(chunk.as_bytes()).unwrap();
        }
    }

    /// Ends the request.
    pub(crate) fn end(&mut self) {
        self.stream.write_all(b"0\r\n\r\n").unwrap();
    }

    /// Reads the beginning of the answer.
    pub(crate) fn head(&mut self) -> Head {
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            self.reader.read_line(&mut line).unwrap();
            match line.trim_end() {
                "" => break,
                text => lines.push(text.to_owned()),
            }
        }
        let status = lines[0].split(' ').nth(1).unwrap().parse().unwrap();
        let headers = lines[1..].iter().map(|line| {
            let (name, value) = line.split_once(": ").unwrap();
            (name.to_ascii_lowercase(), value.to_owned())
        });
        Head {
            status,
            headers: headers.collect(),
        }
    }

    /// The answer whole.
    pub(crate) fn answer(mut self) -> (u16, String) {
        let head = self.head();
        let mut body = Vec::new();
        match head.header("content-length") {
            Some(length) => {
                body.resize(length.parse().unwrap(), 0);
                self.reader.read_exact(&mut body).unwrap();
            }
            None => while self.chunk() {},
        }
        body.extend(&self.bytes);
        (head.status, String::from_utf8(body).unwrap())
    }

    /// Reads a chunk. False at the end.
    fn chunk(&mut self) -> bool {
        let mut line = String::new();
        self.reader.read_line(&mut line).unwrap();
        let length =
            usize::from_str_radix(line.trim_end(), 16).unwrap_or_else(|_| panic!("{line:?}"));
        let mut chunk = vec![0; length + 2];
        self.reader.read_exact(&mut chunk).unwrap();
        self.bytes.extend(&chunk[..length]);
        length > 0
    }

    /// The next record; none at the end.
    pub(crate) fn record(&mut self) -> Option<Value> {
        loop {
            if let Some(line) = self.bytes.iter().position(|byte| *byte == b'\n') {
                let length = std::str::from_utf8(&self.bytes[..line]).unwrap();
                let end = line + 1 + length.parse::<usize>().unwrap();
                if self.bytes.len() >= end {
                    let record = serde_json::from_slice(&self.bytes[line + 1..end]).unwrap();
                    self.bytes.drain(..end);
                    return Some(record);
                }
            }
            if !self.chunk() {
                return None;
            }
        }
    }

    /// What a program writes until this holds: all of its output, and all of its errors.
    pub(crate) fn read_until(&mut self, holds: impl Fn(&str, &str) -> bool) -> (String, String) {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        while !holds(&text(&out), &text(&err)) {
            let Some(io) = self.record() else { break };
            let Some(data) = io.get("data") else { continue };
            let bytes = STANDARD.decode(data["data"].as_str().unwrap()).unwrap();
            match data["type"].as_str() {
                Some("STDOUT") => out.extend(bytes),
                Some("STDERR") => err.extend(bytes),
                other => panic!("{other:?}"),
            }
        }
        (text(&out), text(&err))
    }

    /// The same, to the end.
    pub(crate) fn read_all(&mut self) -> (String, String) {
        self.read_until(|_, _| false)
    }
}

/// Makes a call, and gives the status and the text of its answer.
pub(crate) fn call(agent: &str, call: &Value) -> (u16, String) {
    Connection::request(agent, &[("Accept", "application/json")], call).answer()
}

/// The first record of input.
pub(crate) fn to(container: &Value) -> Value {
    input(json!({"type": "CONTAINER_ID", "container_id": container}))
}

/// A record of input.
pub(crate) fn stdin(bytes: &[u8]) -> Value {
    let data = json!({"type": "STDIN", "data": STANDARD.encode(bytes)});
    process_io(json!({"type": "DATA", "data": data}))
}

/// A record that resizes the terminal.
pub(crate) fn resize(rows: u16, columns: u16) -> Value {
    let window = json!({"window_size": {"rows": rows, "columns": columns}});
    let control = json!({"type": "TTY_INFO", "tty_info": window});
    process_io(json!({"type": "CONTROL", "control": control}))
}

/// A record that says that the client lives.
pub(crate) fn heartbeat() -> Value {
    let beat = json!({"interval": {"nanoseconds": 30_000_000_000_u64}});
    let control = json!({"type": "HEARTBEAT", "heartbeat": beat});
    process_io(json!({"type": "CONTROL", "control": control}))
}

fn process_io(io: Value) -> Value {
    input(json!({"type": "PROCESS_IO", "process_io": io}))
}

fn input(attach: Value) -> Value {
    json!({"type": "ATTACH_CONTAINER_INPUT", "attach_container_input": attach})
}
