//! What the streams of frameworks and of agents share: a first message that opens them, events
//! while they last, and one event when they are over.

use std::{net::IpAddr, pin::pin};

use prost::Message;
use tepui_master_core::{ConnectionId, Event};
use tokio::time::timeout;
use tonic::{Code, Request, Status, Streaming};

use crate::{
    dispatch::Peer,
    driver::Input,
    front::Front,
    limits,
    outbox::{Outbox, Outgoing, outbox},
};

/// What the streams of frameworks and of agents do not share.
pub(super) trait Protocol: 'static {
    /// What the peer says.
    type Message: Send + 'static;
    /// What it hears.
    type Answer: Message + 'static;
    /// What must come first, by its name in the API.
    const FIRST: &'static str;

    /// The event that a message is, from a peer at that address, or why it is none.
    fn event(
        connection: ConnectionId,
        origin: Option<IpAddr>,
        message: Self::Message,
    ) -> Result<Event, String>;
    /// Whether the event may be the first.
    fn opens(event: &Event) -> bool;
    /// The event that the stream is over.
    fn over(connection: ConnectionId) -> Event;
    /// Where the peer is to be reached.
    fn peer(outbox: Outbox<Self::Answer>) -> Peer;
}

/// Serves a stream in a task of its own until it is over. The response must not wait for the first
/// message, since clients may send none before they have the response.
pub(super) fn serve<P: Protocol>(
    front: &Front,
    request: Request<Streaming<P::Message>>,
) -> Outgoing<P::Answer> {
    let (outbox, outgoing) = outbox();
    let origin = request.remote_addr().map(|address| address.ip());
    let stream = Incoming {
        origin,
        messages: request.into_inner(),
    };
    tokio::spawn(read::<P>(front.clone(), stream, outbox));
    outgoing
}

/// What a peer says, and from where.
struct Incoming<M> {
    origin: Option<IpAddr>,
    messages: Streaming<M>,
}

async fn read<P: Protocol>(
    front: Front,
    mut messages: Incoming<P::Message>,
    outbox: Outbox<P::Answer>,
) {
    let connection = front.connection();
    let opened = open::<P>(&front, connection, &mut messages, &outbox).await;
    let end = match &opened {
        Ok(true) => follow::<P>(&front, connection, &mut messages, &outbox).await,
        Ok(false) => Ok(()),
        Err(status) => Err(status.clone()),
    };
    if let Err(status) = &end {
        tracing::debug!(?connection, %status, "ended a stream");
    }
    outbox.end(end.err());
    if let Ok(true) = opened {
        // When the master is stopping, nobody needs to hear of the end.
        let _ = front
            .send(Input::Close {
                connection,
                event: P::over(connection),
            })
            .await;
    }
}

/// Takes the first message. False when the peer went away without one.
async fn open<P: Protocol>(
    front: &Front,
    connection: ConnectionId,
    incoming: &mut Incoming<P::Message>,
    outbox: &Outbox<P::Answer>,
) -> Result<bool, Status> {
    let first = async {
        tokio::select! {
            () = outbox.ended() => Ok(None),
            message = incoming.messages.message() => message,
        }
    };
    let late = |_| {
        let seconds = limits::FIRST_MESSAGE_WITHIN.as_secs();
        Status::deadline_exceeded(format!("no {} within {seconds} seconds", P::FIRST))
    };
    let Some(message) = timeout(limits::FIRST_MESSAGE_WITHIN, first)
        .await
        .map_err(late)?
        .map_err(explain)?
    else {
        return Ok(false);
    };
    let event = P::event(connection, incoming.origin, message).map_err(Status::invalid_argument)?;
    if !P::opens(&event) {
        let text = format!("the first message of a stream must be {}", P::FIRST);
        return Err(Status::failed_precondition(text));
    }
    front
        .send(Input::Open {
            connection,
            peer: P::peer(outbox.clone()),
            event,
        })
        .await?;
    Ok(true)
}

/// Takes messages until either side has had enough.
async fn follow<P: Protocol>(
    front: &Front,
    connection: ConnectionId,
    incoming: &mut Incoming<P::Message>,
    outbox: &Outbox<P::Answer>,
) -> Result<(), Status> {
    let mut ended = pin!(outbox.ended());
    loop {
        let message = tokio::select! {
            () = &mut ended => return Ok(()),
            message = incoming.messages.message() => message.map_err(explain)?,
        };
        let Some(message) = message else {
            return Ok(());
        };
        let event =
            P::event(connection, incoming.origin, message).map_err(Status::invalid_argument)?;
        front.send(Input::Event(event)).await?;
    }
}

/// The library calls a message that cannot be decoded an internal error; it is the peer's.
fn explain(status: Status) -> Status {
    match status.code() {
        Code::Internal | Code::Unknown => {
            Status::invalid_argument(format!("not understood: {}", status.message()))
        }
        _ => status,
    }
}
