//! One stream to one master.

use std::time::Duration;

use tepui_proto::{
    services::scheduler_client::SchedulerClient,
    v1::scheduler::{Call, Event},
};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep_until, timeout},
};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;

use crate::{Error, limits, masters::dial};

/// One stream to one master, on which somebody subscribed.
#[derive(Debug)]
pub struct Connection {
    address: String,
    calls: mpsc::Sender<Call>,
    events: Streaming<Event>,
    patience: Duration,
    silent_at: Instant,
}

impl Connection {
    /// Opens a stream whose first call is `subscribe`.
    pub(crate) async fn open(address: String, subscribe: Call) -> Result<Self, Error> {
        let channel = dial(&address).await?;
        let mut client =
            SchedulerClient::new(channel).max_decoding_message_size(limits::MAX_MESSAGE_BYTES);
        let (calls, outgoing) = mpsc::channel(limits::OUTGOING_CALLS);
        // The channel is new and empty: there is room.
        calls.try_send(subscribe).map_err(|_| silent(&address))?;
        let opened = timeout(
            limits::ANSWER_TIMEOUT,
            client.open(ReceiverStream::new(outgoing)),
        );
        let events = match opened.await {
            Ok(Ok(response)) => response.into_inner(),
            Ok(Err(status)) => return Err(Error::from_status(&address, status)),
            Err(_) => return Err(silent(&address)),
        };
        let patience = limits::ANSWER_TIMEOUT;
        Ok(Self {
            address,
            calls,
            events,
            patience,
            silent_at: Instant::now() + patience,
        })
    }

    /// The next event; `None` when the master ended the stream in good order; an error when it
    /// broke or is silent for too long. Cancel-safe.
    pub(crate) async fn next(&mut self) -> Result<Option<Event>, Error> {
        // Biased: what already waits to be read is not silence, however late it is read.
        let message = tokio::select! {
            biased;
            message = self.events.message() => message,
            () = sleep_until(self.silent_at) => return Err(silent(&self.address)),
        };
        self.silent_at = Instant::now() + self.patience;
        message.map_err(|status| Error::from_status(&self.address, status))
    }

    /// From now on a heartbeat is due every `heartbeat`; five may be missed.
    pub(crate) fn expect_heartbeats(&mut self, heartbeat: Duration) {
        self.patience = heartbeat.saturating_mul(limits::MISSED_HEARTBEATS);
        self.silent_at = Instant::now() + self.patience;
    }

    pub(crate) async fn send(&self, call: Call) -> Result<(), Error> {
        match self.calls.send_timeout(call, limits::ANSWER_TIMEOUT).await {
            Ok(()) => Ok(()),
            Err(mpsc::error::SendTimeoutError::Timeout(_)) => Err(silent(&self.address)),
            Err(mpsc::error::SendTimeoutError::Closed(_)) => Err(self.closed()),
        }
    }

    /// The error that a closed stream is, to whom it matters.
    pub(crate) fn closed(&self) -> Error {
        let cause = "it closed the stream".to_owned();
        Error::Unreachable {
            address: self.address.clone(),
            cause,
        }
    }
}

fn silent(address: &str) -> Error {
    Error::Unreachable {
        address: address.to_owned(),
        cause: "it does not answer".to_owned(),
    }
}
