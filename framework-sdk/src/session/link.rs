//! The way to the master: a pause, an attempt, or a connection.

use std::time::Duration;

use futures_util::{FutureExt, future::BoxFuture};
use tepui_proto::v1::scheduler::{Call, Event};
use tokio::time::{Instant, sleep_until};

use super::connection::Connection;
use crate::Error;

pub(crate) enum Link {
    /// The next attempt is due then.
    Waiting(Instant),
    Opening(BoxFuture<'static, Result<Connection, Error>>),
    Up(Box<Connection>),
}

/// What comes of waiting for a [`Link`].
pub(crate) enum Occurrence {
    RetryDue,
    Opened(Box<Connection>),
    Event(Box<Event>),
    /// The connection or the attempt failed.
    Lost(Error),
    /// The master ended the stream in good order.
    Closed(Error),
}

impl Link {
    /// An attempt at `address`, which subscribes with `subscribe`.
    pub(crate) fn open(address: String, subscribe: Call) -> Self {
        Self::Opening(Connection::open(address, subscribe).boxed())
    }

    /// Cancel-safe: an attempt goes on where it was, and no event is lost.
    pub(crate) async fn next(&mut self) -> Occurrence {
        match self {
            Self::Waiting(until) => {
                sleep_until(*until).await;
                Occurrence::RetryDue
            }
            Self::Opening(attempt) => match attempt.await {
                Ok(connection) => Occurrence::Opened(Box::new(connection)),
                Err(error) => Occurrence::Lost(error),
            },
            Self::Up(connection) => match connection.next().await {
                Ok(Some(event)) => Occurrence::Event(Box::new(event)),
                Ok(None) => Occurrence::Closed(connection.closed()),
                Err(error) => Occurrence::Lost(error),
            },
        }
    }

    pub(crate) fn expect_heartbeats(&mut self, heartbeat: Duration) {
        if let Self::Up(connection) = self {
            connection.expect_heartbeats(heartbeat);
        }
    }

    /// Hands a call to the connection; without one there is nothing to do.
    pub(crate) async fn send(&mut self, call: Call) -> Result<(), Error> {
        match self {
            Self::Up(connection) => connection.send(call).await,
            Self::Waiting(_) | Self::Opening(_) => Ok(()),
        }
    }
}
