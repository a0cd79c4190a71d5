//! What the streams of frameworks and of agents share: a first message that opens them, events
//! while they last, and one event when they are over.

use std::{net::IpAddr, pin::pin};

use futures_util::{
    StreamExt,
    stream::{self, BoxStream},
};
use prost::Message;
use tepui_edge::{Outbox, Outgoing, outbox};
use tepui_master_core::{ConnectionId, Event};
use tokio::time::timeout;
use tonic::{Code, Request, Status, Streaming};

use crate::{dispatch::Peer, driver::Input, front::Front, limits, sessions::Road};

/// What the streams of frameworks and of agents do not share.
pub(crate) trait Protocol: 'static {
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
    fn peer(outbox: Outbox<Self::Answer>, road: Road) -> Peer;
}

/// Serves a stream of gRPC in a task of its own until it is over. The response must not wait for
/// the first message, since clients may send none before they have the response.
pub(super) fn serve<P: Protocol>(
    front: &Front,
    request: Request<Streaming<P::Message>>,
) -> Outgoing<P::Answer> {
    let origin = request.remote_addr().map(|address| address.ip());
    let messages = request.into_inner().map(|item| item.map_err(explain));
    start::<P>(
        front,
        Incoming {
            origin,
            road: Road::Grpc,
            messages: messages.boxed(),
        },
    )
}

/// Serves a stream of HTTP, on which the peer says but one thing: what else it says comes in
/// requests of their own.
pub(crate) fn serve_first<P: Protocol>(
    front: &Front,
    road: Road,
    message: P::Message,
) -> Outgoing<P::Answer> {
    let messages = stream::iter([Ok(message)]).chain(stream::pending());
    start::<P>(
        front,
        Incoming {
            origin: None,
            road,
            messages: messages.boxed(),
        },
    )
}

fn start<P: Protocol>(front: &Front, incoming: Incoming<P::Message>) -> Outgoing<P::Answer> {
    let (outbox, outgoing) = outbox();
    tokio::spawn(read::<P>(front.clone(), incoming, outbox));
    outgoing
}

/// What a peer says, from where, and by which road.
struct Incoming<M> {
    origin: Option<IpAddr>,
    road: Road,
    messages: BoxStream<'static, Result<M, Status>>,
}

impl<M> Incoming<M> {
    async fn message(&mut self) -> Result<Option<M>, Status> {
        self.messages.next().await.transpose()
    }
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
            message = incoming.message() => message,
        }
    };
    let late = |_| {
        let seconds = limits::FIRST_MESSAGE_WITHIN.as_secs();
        Status::deadline_exceeded(format!("no {} within {seconds} seconds", P::FIRST))
    };
    let Some(message) = timeout(limits::FIRST_MESSAGE_WITHIN, first)
        .await
        .map_err(late)??
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
            peer: P::peer(outbox.clone(), incoming.road.clone()),
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
            message = incoming.message() => message?,
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tepui_proto::services::MasterMessage;
    use tokio::{sync::mpsc, time::sleep};

    use super::*;
    use crate::sessions::Sessions;

    /// A protocol of which every message may be the first.
    struct Plain;

    impl Protocol for Plain {
        type Message = ();
        type Answer = MasterMessage;
        const FIRST: &'static str = "anything";

        fn event(
            connection: ConnectionId,
            _: Option<IpAddr>,
            (): Self::Message,
        ) -> Result<Event, String> {
            Ok(Event::AgentPong { connection })
        }

        fn opens(_: &Event) -> bool {
            true
        }

        fn over(connection: ConnectionId) -> Event {
            Event::AgentDisconnected { connection }
        }

        fn peer(outbox: Outbox<Self::Answer>, _: Road) -> Peer {
            Peer::Agent(outbox)
        }
    }

    /// A peer whose first message comes after that time, and how it is answered.
    fn heard_after(wait: Duration) -> (mpsc::Receiver<Input>, Outgoing<MasterMessage>) {
        let (inbox, inputs) = mpsc::channel(1);
        let first = stream::once(async move {
            sleep(wait).await;
            Ok(())
        });
        let incoming = Incoming {
            origin: None,
            road: Road::Grpc,
            messages: first.chain(stream::pending()).boxed(),
        };
        let front = Front::new(inbox, Sessions::default());
        (inputs, start::<Plain>(&front, incoming))
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_heard_late_because_all_come_at_once_is_not_turned_away() {
        let (mut inputs, _outgoing) = heard_after(Duration::from_secs(45));
        assert!(matches!(inputs.recv().await, Some(Input::Open { .. })));
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_that_stays_silent_is_ended() {
        let (_inputs, mut outgoing) = heard_after(2 * limits::FIRST_MESSAGE_WITHIN);
        let end = outgoing.next().await.map(|item| item.unwrap_err().code());
        assert_eq!(end, Some(Code::DeadlineExceeded));
    }
}
