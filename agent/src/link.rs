//! The link to the master: opened, kept, and opened again when it ends, for as long as the agent
//! lives.

mod backoff;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tepui_agent_core::{Event, LinkId, MasterCommand};
use tepui_proto::services::{AgentMessage, MasterMessage, agent_link_client::AgentLinkClient};
use tokio::{
    sync::{mpsc, oneshot},
    time::{sleep, timeout},
};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{
    Streaming,
    transport::{Channel, Endpoint},
};

use crate::{Masters, driver::Front, limits};

pub(crate) use backoff::Backoff;

/// The way out of the agent to its master: the newest link, if there is one. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outbox(Arc<Mutex<Exit>>);

#[derive(Debug, Default)]
struct Exit {
    current: Option<Current>,
    /// Nothing more will ever be sent.
    closed: bool,
}

#[derive(Debug)]
struct Current {
    link: LinkId,
    /// None once everything that will ever be sent has been.
    messages: Option<mpsc::Sender<AgentMessage>>,
    /// Told, with the reason, that the link is to end.
    end: oneshot::Sender<String>,
}

impl Outbox {
    /// Sends a message on a link, if that still stands. It is never waited for: a master that does
    /// not take what it is sent loses the link.
    pub(crate) fn send(&self, link: LinkId, message: AgentMessage) {
        let exit = self.lock();
        let sent = match &exit.current {
            Some(Current {
                link: known,
                messages: Some(messages),
                ..
            }) if *known == link => messages.try_send(message),
            _ => return,
        };
        drop(exit);
        if sent.is_err() {
            self.end(link, "the master does not take what it is sent".to_owned());
        }
    }

    /// Ends a link, if it still stands.
    pub(crate) fn end(&self, link: LinkId, reason: String) {
        let current = &mut self.lock().current;
        if current.as_ref().is_some_and(|known| known.link == link)
            && let Some(known) = current.take()
        {
            // The other end may have ended first.
            let _ = known.end.send(reason);
        }
    }

    /// Lets everything out that was sent, for the last time, and waits until the master has taken
    /// it.
    pub(crate) async fn finish(&self) {
        self.close();
        let finished = async {
            while self.lock().current.is_some() {
                sleep(Duration::from_millis(10)).await;
            }
        };
        // A master that does not end the link in time is not waited for.
        let _ = timeout(tepui_edge::limits::STOP_WITHIN, finished).await;
    }

    fn close(&self) {
        let mut exit = self.lock();
        exit.closed = true;
        if let Some(current) = &mut exit.current {
            current.messages = None;
        }
    }

    fn is_closed(&self) -> bool {
        self.lock().closed
    }

    fn open(&self, link: LinkId) -> (mpsc::Receiver<AgentMessage>, oneshot::Receiver<String>) {
        let (messages, outgoing) = mpsc::channel(limits::OUTBOX_MESSAGES);
        let (end, ended) = oneshot::channel();
        self.lock().current = Some(Current {
            link,
            messages: Some(messages),
            end,
        });
        (outgoing, ended)
    }

    fn lock(&self) -> MutexGuard<'_, Exit> {
        // What is behind it is whole even after a panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Keeps a link to one of the masters until the agent has left the cluster for good.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) masters: Masters,
    pub(crate) front: Front,
    pub(crate) outbox: Outbox,
    pub(crate) backoff: Backoff,
}

impl Link {
    pub(crate) async fn keep(mut self) {
        for link in (1..).map(LinkId) {
            let address = &*self.masters.of(link).to_owned();
            let reason = match self.open(link, address).await {
                Ok(reason) | Err(reason) => reason,
            };
            if self.outbox.is_closed() {
                return;
            }
            let pause = self.backoff.next(self.masters.addresses().len());
            let wait = pause.as_secs_f64();
            tracing::warn!(
                master = address,
                reason,
                "no link to the master; next try in {wait:.1} s"
            );
            sleep(pause).await;
        }
    }

    /// Opens one link and stays on it until it ends; says why it did.
    async fn open(&mut self, link: LinkId, address: &str) -> Result<String, String> {
        let channel = connect(address).await?;
        let (outgoing, ended) = self.outbox.open(link);
        // Before the call: the master may wait for the first message before it answers.
        self.front.tell(Event::LinkUp { link }).await;
        let end = tokio::select! {
            reason = ended => reason.unwrap_or_else(|_| "it was replaced".to_owned()),
            end = self.follow(link, channel, outgoing) => end,
        };
        self.outbox.end(link, String::new());
        self.front.tell(Event::LinkDown { link }).await;
        Ok(end)
    }

    /// Hands every message to the core until there are no more; says why.
    async fn follow(
        &mut self,
        link: LinkId,
        channel: Channel,
        outgoing: mpsc::Receiver<AgentMessage>,
    ) -> String {
        let mut client =
            AgentLinkClient::new(channel).max_decoding_message_size(limits::MESSAGE_BYTES);
        let mut messages = match client.open(ReceiverStream::new(outgoing)).await {
            Ok(response) => response.into_inner(),
            Err(status) => return describe(&status),
        };
        loop {
            match self.next(&mut messages).await {
                Ok(command) => self.front.tell(Event::Master { link, command }).await,
                Err(reason) => return reason,
            }
        }
    }

    async fn next(
        &mut self,
        messages: &mut Streaming<MasterMessage>,
    ) -> Result<MasterCommand, String> {
        let message = messages
            .message()
            .await
            .map_err(|status| describe(&status))?;
        let message = message.ok_or_else(|| "the master ended it".to_owned())?;
        let command = MasterCommand::try_from(message)
            .map_err(|error| format!("the master sent what cannot be understood: {error}"))?;
        if let MasterCommand::Registered { .. } = command {
            self.backoff.reset();
        }
        Ok(command)
    }
}

async fn connect(address: &str) -> Result<Channel, String> {
    let endpoint = Endpoint::from_shared(format!("http://{address}"))
        .map_err(|error| error.to_string())?
        .connect_timeout(limits::CONNECT_WITHIN)
        .tcp_nodelay(true)
        .http2_keep_alive_interval(limits::KEEPALIVE_EVERY)
        .keep_alive_timeout(limits::KEEPALIVE_ANSWER_WITHIN)
        .keep_alive_while_idle(true);
    endpoint.connect().await.map_err(|error| {
        // The error itself says "transport error"; what lies beneath it says why.
        let mut cause: &dyn std::error::Error = &error;
        while let Some(deeper) = cause.source() {
            cause = deeper;
        }
        cause.to_string()
    })
}

fn describe(status: &tonic::Status) -> String {
    match status.message() {
        "" => status.code().description().to_owned(),
        message => message.to_owned(),
    }
}
