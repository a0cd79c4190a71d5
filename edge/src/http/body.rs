//! The body of a request: bounded in size and time, unpacked when it is packed.

use std::io::Read;

use axum::{
    body::Body,
    http::{HeaderMap, StatusCode, header::CONTENT_ENCODING},
};
use flate2::read::GzDecoder;
use http_body_util::BodyExt;
use prost::bytes::{Bytes, BytesMut};
use tokio::{sync::Semaphore, time::timeout};

use super::refusal::Refusal;
use crate::limits;

/// The turns of large bodies, of all servers of this process. Each connection may send one at a
/// time, and there are many connections: together they would be more than the memory. Large
/// messages of gRPC take these turns too.
pub(crate) static TURNS: Semaphore = Semaphore::const_new(limits::LARGE_BODIES);

/// Reads all of it.
pub async fn read(headers: &HeaderMap, body: Body) -> Result<Bytes, Refusal> {
    let late = |_| {
        let seconds = limits::BODY_WITHIN.as_secs();
        let text = format!("The body did not come within {seconds} seconds");
        Refusal::new(StatusCode::REQUEST_TIMEOUT, text)
    };
    let bytes = timeout(limits::BODY_WITHIN, collect(body));
    let bytes = bytes.await.map_err(late)??;
    match headers.get(CONTENT_ENCODING).map(|it| it.as_bytes()) {
        None | Some(b"identity") => Ok(bytes),
        Some(b"gzip") => unpack(&bytes, limits::BODY_BYTES).map(Bytes::from),
        Some(_) => Err(Refusal::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "Expecting 'Content-Encoding' of gzip",
        )),
    }
}

/// The bytes as they come. Beyond what is small the sender waits for its turn.
async fn collect(mut body: Body) -> Result<Bytes, Refusal> {
    let mut bytes = BytesMut::new();
    let mut turn = None;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Refusal::bad_request("Failed to read the body"))?;
        // What follows the last chunk says nothing that is used.
        let Ok(data) = frame.into_data() else {
            continue;
        };
        if bytes.len() + data.len() > limits::BODY_BYTES {
            return Err(too_large());
        }
        if bytes.len() + data.len() > limits::LARGE_BODY_BYTES && turn.is_none() {
            // Nobody closes the semaphore.
            turn = TURNS.acquire().await.ok();
        }
        bytes.extend_from_slice(&data);
    }
    Ok(bytes.freeze())
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

    #[tokio::test(start_paused = true)]
    async fn large_bodies_wait_for_their_turn_and_small_ones_do_not() {
        let turns = TURNS.acquire_many(limits::LARGE_BODIES as u32).await;
        let small = Body::from(vec![0; limits::LARGE_BODY_BYTES]);
        let headers = HeaderMap::new();
        assert!(read(&headers, small).await.is_ok());
        let large = || Body::from(vec![0; limits::LARGE_BODY_BYTES + 1]);
        let refused = read(&headers, large()).await.unwrap_err();
        assert_eq!(refused.status, StatusCode::REQUEST_TIMEOUT);
        drop(turns);
        assert!(read(&headers, large()).await.is_ok());
    }

    #[tokio::test]
    async fn a_body_over_the_limit_is_read_no_further() {
        let large = Body::from(vec![0; limits::BODY_BYTES + 1]);
        let refused = read(&HeaderMap::new(), large).await.unwrap_err();
        assert_eq!(refused.status, StatusCode::PAYLOAD_TOO_LARGE);
    }

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
