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
    let wanted =
        headers.contains_key(ACCEPT_ENCODING) && accepts(headers, &ACCEPT_ENCODING, "gzip");
    if !wanted || body.len() < limits::GZIP_FROM {
        return Body::from(body).into_response();
    }
    let mut response = Body::from(pack(&body)).into_response();
    let name = HeaderValue::from_static("gzip");
    response.headers_mut().insert(CONTENT_ENCODING, name);
    response
}

/// Bytes packed, in little time rather than in little room.
pub fn pack(bytes: &[u8]) -> Vec<u8> {
    let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
    // A vector takes everything.
    let _ = packer.write_all(bytes);
    packer.finish().unwrap_or_default()
}
