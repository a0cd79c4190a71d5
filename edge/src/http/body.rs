//! The body of a request: bounded in size and time, unpacked when it is packed.

use std::{error::Error, io::Read};

use axum::{
    body::{Body, to_bytes},
    http::{HeaderMap, StatusCode, header::CONTENT_ENCODING},
};
use flate2::read::GzDecoder;
use http_body_util::LengthLimitError;
use prost::bytes::Bytes;
use tokio::time::timeout;

use super::refusal::Refusal;
use crate::limits;

/// Reads all of it.
pub async fn read(headers: &HeaderMap, body: Body) -> Result<Bytes, Refusal> {
    let late = |_| {
        let seconds = limits::BODY_WITHIN.as_secs();
        let text = format!("The body did not come within {seconds} seconds");
        Refusal::new(StatusCode::REQUEST_TIMEOUT, text)
    };
    let bytes = timeout(limits::BODY_WITHIN, to_bytes(body, limits::BODY_BYTES));
    let bytes = bytes.await.map_err(late)?.map_err(|error| {
        let is_large = error.source().is_some_and(|it| it.is::<LengthLimitError>());
        if is_large {
            too_large()
        } else {
            Refusal::bad_request("Failed to read the body")
        }
    })?;
    match headers.get(CONTENT_ENCODING).map(|it| it.as_bytes()) {
        None | Some(b"identity") => Ok(bytes),
        Some(b"gzip") => unpack(&bytes, limits::BODY_BYTES).map(Bytes::from),
        Some(_) => Err(Refusal::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "Expecting 'Content-Encoding' of gzip",
        )),
    }
}

fn too_large() -> Refusal {
    let text = format!("The body is over the limit of {} bytes", limits::BODY_BYTES);
    Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, text)
}

/// Unpacks as much as is taken, and no more: a few bytes can stand for very many.
pub fn unpack(bytes: &[u8], limit: usize) -> Result<Vec<u8>, Refusal> {
    let mut unpacked = Vec::new();
    let mut source = GzDecoder::new(bytes).take(limit as u64 + 1);
    source
        .read_to_end(&mut unpacked)
        .map_err(|error| Refusal::bad_request(format!("Failed to decompress the body: {error}")))?;
    if unpacked.len() > limit {
        return Err(too_large());
    }
    Ok(unpacked)
}

#[cfg(test)]
mod tests {
    use super::{super::gzip::pack, *};

    #[test]
    fn what_is_packed_comes_out_as_it_was() {
        assert_eq!(unpack(&pack(b"{}"), 2).unwrap(), b"{}");
    }

    #[test]
    fn a_bomb_is_unpacked_no_further_than_the_limit() {
        let bomb = pack(&vec![0; 1 << 20]);
        assert!(bomb.len() < 10_000);
        assert_eq!(unpack(&bomb, 1000).unwrap_err().status, 413);
    }

    #[test]
    fn what_is_not_packed_or_cut_short_is_refused() {
        let whole = pack(b"some text");
        for wrong in [&b"{}"[..], &whole[..whole.len() - 4], &whole[..5], &[]] {
            assert_eq!(unpack(wrong, 100).unwrap_err().status, 400, "{wrong:?}");
        }
    }
}
