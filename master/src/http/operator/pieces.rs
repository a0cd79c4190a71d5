//! Answers with much in them, written piece by piece as they are read. The core only takes a
//! snapshot; what is not read is not written, and nobody holds all of it.

use std::{io, sync::Arc};

use axum::{
    body::Body,
    http::{HeaderMap, StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
};
use futures_util::{Stream, StreamExt, stream};
use prost::{Message, bytes::Bytes};
use tepui_edge::http::{Media, Refusal, gzip};
use tepui_master_core::{Form, List, Part, Snapshot};
use tepui_proto::v1::master::{
    Call, Response as Answer, call,
    response::{GetAgents, GetExecutors, GetFrameworks, GetState, GetTasks, Type},
};
use tokio::{
    sync::{Semaphore, SemaphorePermit, mpsc},
    task::spawn_blocking,
    time::timeout,
};

use super::Site;
use crate::limits;

/// The turns of those who want much.
static TURNS: Semaphore = Semaphore::const_new(limits::LARGE_ANSWERS);

/// A piece, or that there is none after it. Without the latter the answer is cut short.
type Next = Option<Bytes>;

/// What is written before a part, and the part.
struct Piece {
    before: Vec<u8>,
    part: Option<Part>,
}

/// The answer to a call that [`Snapshot::answers`] names.
pub(super) async fn answer(
    site: &Site,
    headers: &HeaderMap,
    media: Media,
    call: Call,
) -> Result<Response, Refusal> {
    let turn = timeout(limits::TURN_WITHIN, TURNS.acquire()).await;
    let Ok(Ok(turn)) = turn else {
        let text = "Too many answers as large are being read; try again later";
        return Err(Refusal::new(StatusCode::SERVICE_UNAVAILABLE, text));
    };
    let kind = call.r#type();
    let snapshot = Arc::new(*site.desk.snapshot(call).await?);
    let mut pieces = Box::pin(written(snapshot, kind, media));
    let mut first = Vec::new();
    while first.len() < limits::WHOLE_ANSWER_BYTES {
        match pieces.next().await {
            Some(piece) => first.extend(piece.map_err(|_| failed())?),
            None => return Ok(with_kind(media, gzip::answer(headers, first))),
        }
    }
    let packer = gzip::is_wanted(headers).then(gzip::Packer::default);
    let is_packed = packer.is_some();
    let (sender, receiver) = mpsc::channel(1);
    let first = Bytes::from(first);
    tokio::spawn(async move {
        let mut pieces = pieces;
        send(&mut pieces, first, packer, &sender, turn).await;
        // The last to hold the snapshot lets go of much.
        drop(spawn_blocking(move || drop(pieces)));
    });
    let mut response = Body::from_stream(body(receiver)).into_response();
    if is_packed {
        gzip::mark(&mut response);
    }
    Ok(with_kind(media, response))
}

fn with_kind(media: Media, mut response: Response) -> Response {
    response.headers_mut().insert(CONTENT_TYPE, media.header());
    response
}

fn failed() -> Refusal {
    let text = "The answer cannot be written";
    Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, text)
}

/// The pieces in order, a few of them being written ahead of the one that is wanted.
fn written(
    snapshot: Arc<Snapshot>,
    kind: call::Type,
    media: Media,
) -> impl Stream<Item = Result<Vec<u8>, tokio::task::JoinError>> + Send {
    let pieces = match media {
        Media::Json => in_json(kind, snapshot.parts(kind)),
        Media::Protobuf => in_protobuf(kind, snapshot.parts(kind)),
    };
    let write = move |piece: Piece| {
        let snapshot = Arc::clone(&snapshot);
        spawn_blocking(move || piece.write(&snapshot, kind, media))
    };
    stream::iter(pieces)
        .map(write)
        .buffered(limits::PIECES_AT_ONCE)
}

/// Hands the pieces over as they are taken, until the end or until one is not taken in time.
async fn send(
    pieces: &mut (impl Stream<Item = Result<Vec<u8>, tokio::task::JoinError>> + Unpin),
    first: Bytes,
    mut packer: Option<gzip::Packer>,
    sender: &mpsc::Sender<Next>,
    _turn: SemaphorePermit<'static>,
) {
    let mut next = Some(first);
    while let Some(piece) = next {
        let piece = match packer.take() {
            Some(taken) => {
                let Ok((taken, packed)) = pack(taken, piece).await else {
                    return;
                };
                packer = Some(taken);
                packed
            }
            None => piece,
        };
        if !piece.is_empty() && hand(sender, Some(piece)).await.is_err() {
            return;
        }
        next = match pieces.next().await {
            Some(Ok(piece)) => Some(Bytes::from(piece)),
            Some(Err(_)) => return,
            None => None,
        };
    }
    if let Some(packer) = packer
        && hand(sender, Some(packer.finish().into())).await.is_err()
    {
        return;
    }
    let _ = hand(sender, None).await;
}

async fn pack(
    mut packer: gzip::Packer,
    piece: Bytes,
) -> Result<(gzip::Packer, Bytes), tokio::task::JoinError> {
    let pack = move || {
        let packed = packer.push(&piece);
        (packer, Bytes::from(packed))
    };
    spawn_blocking(pack).await
}

async fn hand(sender: &mpsc::Sender<Next>, next: Next) -> Result<(), ()> {
    let handed = timeout(limits::PIECE_WITHIN, sender.send(next)).await;
    handed.map_err(drop)?.map_err(drop)
}

/// The body that a client reads. It breaks off where the writer gave up.
fn body(receiver: mpsc::Receiver<Next>) -> impl Stream<Item = io::Result<Bytes>> {
    stream::unfold(Some(receiver), async |receiver| {
        let mut receiver = receiver?;
        match receiver.recv().await {
            Some(Some(piece)) => Some((Ok(piece), Some(receiver))),
            Some(None) => None,
            None => Some((Err(io::Error::other("it was read too slowly")), None)),
        }
    })
}

/// The lists of an answer by their groups, in its order.
fn groups(kind: call::Type) -> Vec<Vec<List>> {
    let wanted = List::ALL.into_iter();
    let wanted = wanted.filter(|list| kind == call::Type::GetState || kind == list.group());
    let wanted: Vec<_> = wanted.collect();
    let groups = wanted.chunk_by(|a, b| a.group() == b.group());
    groups.map(<[List]>::to_vec).collect()
}

/// JSON: the text around the lists, and between their parts.
fn in_json(kind: call::Type, parts: Vec<Part>) -> Vec<Piece> {
    let is_state = kind == call::Type::GetState;
    let mut text = format!("{{\"type\":\"{}\",", kind.as_str_name());
    if is_state {
        text += "\"get_state\":{";
    }
    let mut pieces = Vec::with_capacity(parts.len() + 1);
    let mut parts = parts.into_iter().peekable();
    for (index, lists) in groups(kind).into_iter().enumerate() {
        let group = lists[0].group().as_str_name().to_lowercase();
        text += if index > 0 { "," } else { "" };
        text += &format!("\"{group}\":{{");
        for (index, list) in lists.into_iter().enumerate() {
            text += if index > 0 { "," } else { "" };
            text += &format!("\"{}\":[", list.name());
            while let Some(part) = parts.next_if(|part| part.list == list) {
                pieces.push(Piece {
                    before: std::mem::take(&mut text).into_bytes(),
                    part: Some(part),
                });
                text += if parts.peek().is_some_and(|next| next.list == list) {
                    ","
                } else {
                    ""
                };
            }
            text.push(']');
        }
        text.push('}');
    }
    text += if is_state { "}}" } else { "}" };
    pieces.push(Piece {
        before: text.into_bytes(),
        part: None,
    });
    pieces
}

/// Protobuf: a message that comes in pieces is the sum of them.
fn in_protobuf(kind: call::Type, parts: Vec<Part>) -> Vec<Piece> {
    let empty = GetState {
        get_tasks: Some(GetTasks::default()),
        get_executors: Some(GetExecutors::default()),
        get_frameworks: Some(GetFrameworks::default()),
        get_agents: Some(GetAgents::default()),
    };
    let mut head = placed(kind, empty);
    // The names are the same.
    head.r#type = Type::from_str_name(kind.as_str_name()).map(Into::into);
    let head = Piece {
        before: head.encode_to_vec(),
        part: None,
    };
    let parts = parts.into_iter().map(|part| Piece {
        before: Vec::new(),
        part: Some(part),
    });
    std::iter::once(head).chain(parts).collect()
}

/// An answer to that call with so much of the state in it, and without its type.
fn placed(kind: call::Type, state: GetState) -> Answer {
    let mut answer = Answer::default();
    match kind {
        call::Type::GetTasks => answer.get_tasks = state.get_tasks,
        call::Type::GetFrameworks => answer.get_frameworks = state.get_frameworks,
        call::Type::GetAgents => answer.get_agents = state.get_agents,
        _ => answer.get_state = Some(state),
    }
    answer
}

impl Piece {
    fn write(self, snapshot: &Snapshot, kind: call::Type, media: Media) -> Vec<u8> {
        let mut out = self.before;
        let Some(part) = self.part else {
            return out;
        };
        let form = match media {
            Media::Json => Form::Json,
            Media::Protobuf => Form::Protobuf,
        };
        snapshot.write(&part, kind, form, &mut out);
        out
    }
}
