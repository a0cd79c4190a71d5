//! The messages of gRPC clients as they come. Until a message is whole, the library holds what has
//! come of it, and one connection may have begun a thousand: beyond what is small they take turns,
//! as large bodies over HTTP do, and a message that has begun must end.

use axum::{
    body::{Body, BodyDataStream},
    extract::Request,
    http::header::CONTENT_TYPE,
};
use futures_util::{Stream, StreamExt, stream};
use prost::bytes::Bytes;
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::{Instant, timeout_at},
};
use tonic::Status;

use crate::{http::body, limits};

type Error = Box<dyn std::error::Error + Send + Sync>;

/// The turns of messages that are neither small nor large.
static TURNS: Semaphore = Semaphore::const_new(limits::MIDDLING_MESSAGES);

/// Lets the messages of a request take turns.
pub(crate) async fn take_turns(request: Request) -> Request {
    let kind = request.headers().get(CONTENT_TYPE);
    if !kind.is_some_and(|kind| kind.as_bytes().starts_with(b"application/grpc")) {
        return request;
    }
    request.map(|body| Body::from_stream(in_turn(body)))
}

fn in_turn(body: Body) -> impl Stream<Item = Result<Bytes, Error>> + Send {
    let incoming = Incoming {
        data: body.into_data_stream(),
        framing: Framing::default(),
        turn: None,
        deadline: None,
    };
    stream::unfold(Some(incoming), async |incoming| {
        let mut incoming = incoming?;
        match incoming.next().await? {
            Ok(bytes) => Some((Ok(bytes), Some(incoming))),
            Err(error) => Some((Err(error), None)),
        }
    })
}

struct Incoming {
    data: BodyDataStream,
    framing: Framing,
    /// That of the message that has begun.
    turn: Option<SemaphorePermit<'static>>,
    /// When that message must have come.
    deadline: Option<Instant>,
}

impl Incoming {
    async fn next(&mut self) -> Option<Result<Bytes, Error>> {
        let size = self.framing.unfinished();
        if size > limits::SMALL_MESSAGE_BYTES && self.turn.is_none() {
            let is_large = size > limits::LARGE_BODY_BYTES;
            let turns = if is_large { &body::TURNS } else { &TURNS };
            // Nobody closes the semaphores.
            self.turn = turns.acquire().await.ok();
        }
        let next = if size > 0 {
            let latest = || Instant::now() + limits::BODY_WITHIN;
            let deadline = *self.deadline.get_or_insert_with(latest);
            match timeout_at(deadline, self.data.next()).await {
                Ok(next) => next?,
                Err(_) => return Some(Err(late().into())),
            }
        } else {
            self.data.next().await?
        };
        let begun = self.framing.begun;
        if let Ok(bytes) = &next {
            self.framing.push(bytes);
        }
        if self.framing.unfinished() == 0 || self.framing.begun != begun {
            self.turn = None;
            self.deadline = None;
        }
        Some(next.map_err(Into::into))
    }
}

fn late() -> Status {
    let seconds = limits::BODY_WITHIN.as_secs();
    Status::deadline_exceeded(format!("a message did not come within {seconds} seconds"))
}

/// Where in its messages a stream is: each has a byte and four bytes of length before it.
#[derive(Debug, Default)]
struct Framing {
    head: [u8; 5],
    /// How much of the head has come.
    come: usize,
    /// What the head says, and what has not come of it.
    size: usize,
    missing: usize,
    /// How many messages have begun.
    begun: u64,
}

impl Framing {
    /// The size of the message that has begun and not ended.
    const fn unfinished(&self) -> usize {
        if self.missing > 0 { self.size } else { 0 }
    }

    fn push(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let wanted = match self.missing {
                0 => self.head.len() - self.come,
                missing => missing,
            };
            let (here, rest) = bytes.split_at(wanted.min(bytes.len()));
            bytes = rest;
            if self.missing > 0 {
                self.missing -= here.len();
                continue;
            }
            self.head[self.come..self.come + here.len()].copy_from_slice(here);
            self.come += here.len();
            if self.come == self.head.len() {
                let [_, length @ ..] = self.head;
                self.size = u32::from_be_bytes(length) as usize;
                self.missing = self.size;
                self.begun += 1;
                self.come = 0;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use tonic::Code;

    use super::*;

    fn message(size: usize) -> Vec<u8> {
        let head = [&[0][..], &(size as u32).to_be_bytes()].concat();
        [head, vec![7; size]].concat()
    }

    #[test]
    fn messages_are_told_apart_however_they_are_cut() {
        let sizes = [0, 1, 300, 5, 70_000];
        let bytes: Vec<u8> = sizes.into_iter().flat_map(message).collect();
        for cut in [1, 3, 5, 6, 64, 100_000] {
            let mut framing = Framing::default();
            let mut unfinished = 0;
            for piece in bytes.chunks(cut) {
                framing.push(piece);
                unfinished = unfinished.max(framing.unfinished());
            }
            assert_eq!((framing.begun, framing.unfinished()), (5, 0), "{cut}");
            assert!(cut > 70_000 || unfinished == 70_000);
        }
    }

    /// A stream of these bytes, and then of nothing for ever.
    fn endless(pieces: Vec<Vec<u8>>) -> impl Stream<Item = Result<Bytes, Error>> + Send {
        let pieces = pieces.into_iter().map(|it| Ok::<_, Error>(Bytes::from(it)));
        in_turn(Body::from_stream(
            stream::iter(pieces).chain(stream::pending()),
        ))
    }

    #[tokio::test(start_paused = true)]
    async fn a_message_that_does_not_end_is_given_up_and_silence_is_not() {
        let mut cut = message(100);
        cut.truncate(50);
        let mut stream = Box::pin(endless(vec![message(100), cut]));
        assert!(stream.next().await.unwrap().is_ok());
        assert!(stream.next().await.unwrap().is_ok());
        let error = stream.next().await.unwrap().unwrap_err();
        let status = Status::from_error(error);
        assert_eq!(status.code(), Code::DeadlineExceeded);
        assert!(stream.next().await.is_none());
        let mut silent = Box::pin(endless(vec![message(100)]));
        assert!(silent.next().await.unwrap().is_ok());
        let next = timeout_at(Instant::now() + 10 * limits::BODY_WITHIN, silent.next());
        assert!(next.await.is_err());
    }

    #[tokio::test]
    async fn middling_messages_wait_for_their_turn_and_small_ones_do_not() {
        let turns = TURNS.acquire_many(limits::MIDDLING_MESSAGES as u32).await;
        let in_two = |size: usize| {
            let mut first = message(size);
            let second = first.split_off(size / 2);
            Box::pin(endless(vec![first, second]))
        };
        let mut small = in_two(limits::SMALL_MESSAGE_BYTES);
        assert!(small.next().await.unwrap().is_ok());
        assert!(small.next().await.unwrap().is_ok());
        let mut other = in_two(limits::SMALL_MESSAGE_BYTES + 1);
        assert!(other.next().await.unwrap().is_ok());
        assert!(other.next().now_or_never().is_none());
        drop(turns);
        assert!(other.next().await.unwrap().is_ok());
        // It has given its turn back.
        assert_eq!(TURNS.available_permits(), limits::MIDDLING_MESSAGES);
    }
}
