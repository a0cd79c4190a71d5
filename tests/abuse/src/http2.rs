//! HTTP/2, frame by frame: what no library would send.

use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
};

use crate::http1;

/// What every connection begins with.
pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

pub const DATA: u8 = 0;
pub const HEADERS: u8 = 1;
pub const RST_STREAM: u8 = 3;
pub const SETTINGS: u8 = 4;
pub const PING: u8 = 6;
pub const GOAWAY: u8 = 7;
pub const WINDOW_UPDATE: u8 = 8;
pub const CONTINUATION: u8 = 9;

pub const END_STREAM: u8 = 1;
pub const END_HEADERS: u8 = 4;
pub const ACK: u8 = 1;

/// Codes of errors.
pub const PROTOCOL_ERROR: u32 = 1;
pub const STREAM_CLOSED: u32 = 5;
pub const REFUSED_STREAM: u32 = 7;
pub const ENHANCE_YOUR_CALM: u32 = 11;

/// A frame.
#[derive(Debug)]
pub struct Frame {
    pub kind: u8,
    pub flags: u8,
    pub stream: u32,
    pub payload: Vec<u8>,
}

impl Frame {
    /// The code of an error: of a stream, or of the connection.
    pub fn code(&self) -> u32 {
        let at = if self.kind == GOAWAY { 4 } else { 0 };
        u32::from_be_bytes(self.payload[at..at + 4].try_into().unwrap())
    }
}

/// The bytes of a frame.
pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut bytes = (payload.len() as u32).to_be_bytes()[1..].to_vec();
    bytes.extend([kind, flags]);
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
    bytes
}

/// A setting.
pub fn setting(id: u16, value: u32) -> Vec<u8> {
    [&id.to_be_bytes()[..], &value.to_be_bytes()].concat()
}

/// A header in a form that leaves no trace in any table.
pub fn header(name: &str, value: &str) -> Vec<u8> {
    let mut bytes = vec![0];
    for text in [name, value] {
        length(text.len(), &mut bytes);
        bytes.extend(text.as_bytes());
    }
    bytes
}

/// A length in HPACK's form, with seven bits in the first byte.
fn length(mut value: usize, to: &mut Vec<u8>) {
    if value < 127 {
        to.push(value as u8);
        return;
    }
    to.push(127);
    value -= 127;
    while value >= 128 {
        to.push(value as u8 | 128);
        value >>= 7;
    }
    to.push(value as u8);
}

/// The headers of a request.
pub fn request(method: &str, path: &str, kind: &str) -> Vec<u8> {
    [
        header(":method", method),
        header(":scheme", "http"),
        header(":path", path),
        header(":authority", "h"),
        header("content-type", kind),
        header("te", "trailers"),
    ]
    .concat()
}

/// A connection.
#[derive(Debug)]
pub struct Connection(TcpStream);

impl Connection {
    /// Begins, with these settings.
    pub fn open(address: SocketAddr, settings: &[u8]) -> Self {
        let mut connection = Self(http1::connect(address));
        connection.send(PREFACE).unwrap();
        connection.send(&frame(SETTINGS, 0, 0, settings)).unwrap();
        connection
    }

    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes)
    }

    /// Another handle on the same connection.
    pub fn twin(&self) -> Self {
        Self(self.0.try_clone().unwrap())
    }

    /// Ends what is sent, and goes on reading.
    ///
    /// # Errors
    /// When the other side has ended it.
    pub fn half_close(&self) -> io::Result<()> {
        self.0.shutdown(std::net::Shutdown::Write)
    }

    /// A write for which there is no room fails from now on.
    pub fn do_not_wait(&self) {
        self.0.set_nonblocking(true).unwrap();
    }

    /// The next frame; `None` once the other side has closed.
    pub fn take(&mut self) -> Option<Frame> {
        let mut head = [0; 9];
        self.exact(&mut head)?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; length as usize];
        self.exact(&mut payload)?;
        Some(Frame {
            kind: head[3],
            flags: head[4],
            stream: u32::from_be_bytes(head[5..9].try_into().unwrap()),
            payload,
        })
    }

    fn exact(&mut self, buffer: &mut [u8]) -> Option<()> {
        let read = self.0.read_exact(buffer);
        if let Err(error) = &read {
            let kind = error.kind();
            let late = [io::ErrorKind::WouldBlock, io::ErrorKind::TimedOut];
            assert!(
                !late.contains(&kind),
                "nothing more comes, and it stays open"
            );
        }
        read.ok()
    }

    /// The next frame of a kind.
    pub fn find(&mut self, kind: u8) -> Option<Frame> {
        std::iter::from_fn(|| self.take()).find(|frame| frame.kind == kind)
    }

    /// The code with which the other side ended the connection; `None` if it just closed.
    pub fn end(&mut self) -> Option<u32> {
        let codes = std::iter::from_fn(|| self.take()).filter(|frame| frame.kind == GOAWAY);
        codes.map(|frame| frame.code()).last()
    }

    /// Waits until a ping is answered: everything before it was taken.
    pub fn is_alive(&mut self) {
        self.send(&frame(PING, 0, 0, b"are you?")).unwrap();
        let answer = std::iter::from_fn(|| self.take())
            .find(|frame| frame.kind == PING && frame.flags == ACK && frame.payload == b"are you?");
        assert!(answer.is_some(), "the connection ended");
    }
}
