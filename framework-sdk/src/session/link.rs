//! The way to the master: a pause, an attempt, or a connection.

use std::time::Duration;

use futures_util::{FutureExt, future::BoxFuture};
use tepui_proto::v1::scheduler::{Call, Event};
use tokio::time::{Instant, sleep_until};

use super::connection::Connection;
use crate::Error;

/// The way to the master: a pause, an attempt, or a connection.
pub enum Link {
    /// The next attempt is due then.
    Waiting(Instant),
    /// An attempt.
    Opening(BoxFuture<'static, Result<Connection, Error>>),
    /// A connection.
    Up(Box<Connection>),
}

/// What comes of waiting for a [`Link`].
#[derive(Debug)]
pub enum Occurrence {
    /// The pause is over: it is time for an attempt.
    RetryDue,
    /// The attempt succeeded; the link is to become [`Link::Up`] with it.
    Opened(Box<Connection>),
    /// The master says something.
    Event(Box<Event>),
    /// The connection or the attempt failed.
    Lost(Error),
    /// The master ended the stream in good order.
    Closed(Error),
}

impl Link {
    /// An attempt at `address`, which subscribes with `subscribe`.
    pub fn open(address: String, subscribe: Call) -> Self {
        Self::Opening(Connection::open(address, subscribe).boxed())
    }

    /// Cancel-safe: an attempt goes on where it was, and no event is lost.
    pub async fn next(&mut self) -> Occurrence {
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

    /// From now on a heartbeat is due every `heartbeat`; several may be missed.
    pub fn expect_heartbeats(&mut self, heartbeat: Duration) {
        if let Self::Up(connection) = self {
            connection.expect_heartbeats(heartbeat);
        }
    }

    /// Hands a call to the connection; without one there is nothing to do.
    ///
    /// # Errors
    /// When the connection takes no calls any more.
    pub async fn send(&mut self, call: Call) -> Result<(), Error> {
        match self {
            Self::Up(connection) => connection.send(call).await,
            Self::Waiting(_) | Self::Opening(_) => Ok(()),
        }
    }
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Waiting(_) => "Waiting",
            Self::Opening(_) => "Opening",
            Self::Up(_) => "Up",
        })
    }
}
