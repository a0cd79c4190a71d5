//! Answers packed for those who take gzip.

use std::io::Write;

use axum::{
    body::Body,
    http::{
        HeaderMap, HeaderValue,
        header::{ACCEPT_ENCODING, CONTENT_ENCODING},
    },
    response::{IntoResponse, Response},
};
use flate2::{Compression, write::GzEncoder};

use super::media::accepts;
use crate::limits;

/// An answer of this body, packed if it is worth it and the client takes it.
pub fn answer(headers: &HeaderMap, body: Vec<u8>) -> Response {
    if !is_wanted(headers) || body.len() < limits::GZIP_FROM {
        return Body::from(body).into_response();
    }
    let mut response = Body::from(pack(&body)).into_response();
    mark(&mut response);
    response
}

/// Whether the client takes it.
pub fn is_wanted(headers: &HeaderMap) -> bool {
    headers.contains_key(ACCEPT_ENCODING) && accepts(headers, &ACCEPT_ENCODING, "gzip")
}

/// Says of an answer that its body is packed.
pub fn mark(response: &mut Response) {
    let name = HeaderValue::from_static("gzip");
    response.headers_mut().insert(CONTENT_ENCODING, name);
}

/// Packs what comes in pieces.
#[derive(Debug)]
pub struct Packer(GzEncoder<Vec<u8>>);

impl Default for Packer {
    fn default() -> Self {
        Self(GzEncoder::new(Vec::new(), Compression::fast()))
    }
}

impl Packer {
    /// Takes a piece in, and gives what is packed so far.
    pub fn push(&mut self, bytes: &[u8]) -> Vec<u8> {
        // A vector takes everything.
        let _ = self.0.write_all(bytes);
        std::mem::take(self.0.get_mut())
    }

    /// What is left.
    pub fn finish(self) -> Vec<u8> {
        self.0.finish().unwrap_or_default()
    }
}

/// Bytes packed, in little time rather than in little room.
pub fn pack(bytes: &[u8]) -> Vec<u8> {
    let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
    // A vector takes everything.
    let _ = packer.write_all(bytes);
    packer.finish().unwrap_or_default()
}
