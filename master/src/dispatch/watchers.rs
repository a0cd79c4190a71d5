//! Operators who watch offers or events. A stream begins with what stands, then has every change.

use prost::Message;
use tepui_edge::{Outbox, Shared};
use tepui_master_core::{Notice, OperatorError, OperatorReply, Snapshot, wire};
use tepui_model::FrameworkId;
use tepui_proto::{
    services::OfferChange,
    v1::master::{self, event},
};
use tonic::Status;

use super::stopping;
use crate::{front, limits};

/// One who watches.
#[derive(Debug)]
pub(crate) enum Watcher {
    Offers {
        outbox: Outbox<OfferChange>,
        framework: Option<FrameworkId>,
    },
    Events {
        outbox: Outbox<Shared<master::Event>>,
    },
}

/// All who watch.
#[derive(Debug, Default)]
pub(super) struct Watchers {
    list: Vec<Watcher>,
    /// How many of them watch events; the others watch offers.
    of_events: usize,
}

impl Watchers {
    /// Sends what stands now; from here on the watcher hears every change.
    pub(super) fn begin(&mut self, watcher: Watcher, result: Result<OperatorReply, OperatorError>) {
        self.forget_ended();
        // The oldest makes room, as with Mesos: who is cut off may come again.
        if self.list.len() >= limits::WATCHERS {
            let text = format!("{} streams watch, the oldest ended", limits::WATCHERS);
            self.list.remove(0).end(Status::resource_exhausted(text));
        }
        match (&watcher, result) {
            (_, Err(error)) => return watcher.end(front::refusal(&error)),
            (Watcher::Offers { outbox, .. }, Ok(OperatorReply::Offers(offers))) => {
                wire::offer_snapshot(offers.iter().map(|offer| &**offer))
                    .for_each(|change| outbox.push(change));
            }
            (Watcher::Events { outbox }, Ok(OperatorReply::Snapshot(snapshot))) => {
                outbox.begin_with(move || subscribed(&snapshot));
            }
            _ => return watcher.end(Status::internal("the core answered another question")),
        }
        self.list.push(watcher);
        self.count();
    }

    /// Tells those who want to hear it. There are thousands of offers in a second, which concern
    /// none of those who watch events.
    pub(super) fn publish(&mut self, notice: &Notice) {
        let event = (self.of_events > 0).then(|| notice.to_event()).flatten();
        let of_offers = self.list.len() - self.of_events;
        let change = (of_offers > 0).then(|| notice.to_offer_change()).flatten();
        if event.is_none() && change.is_none() {
            return;
        }
        let bytes = event.as_ref().map_or(0, Message::encoded_len);
        let event = event.map(Shared::new);
        for watcher in &self.list {
            match watcher {
                Watcher::Offers { outbox, framework } => {
                    let meant = framework.as_ref().is_none_or(|id| concerns(notice, id));
                    change
                        .iter()
                        .filter(|_| meant)
                        .for_each(|change| outbox.push(change.clone()));
                }
                Watcher::Events { outbox } => {
                    event
                        .iter()
                        .for_each(|event| outbox.push_weighing(event.clone(), bytes));
                }
            }
        }
        self.forget_ended();
    }

    fn forget_ended(&mut self) {
        self.list.retain(|watcher| !watcher.is_ended());
        self.count();
    }

    fn count(&mut self) {
        let of_events = |watcher: &&Watcher| matches!(watcher, Watcher::Events { .. });
        self.of_events = self.list.iter().filter(of_events).count();
    }

    pub(super) fn end_all(&mut self, status: &Status) {
        for watcher in self.list.drain(..) {
            watcher.end(status.clone());
        }
        self.count();
    }
}

impl Watcher {
    pub(super) fn end(&self, status: Status) {
        match self {
            Self::Offers { outbox, .. } => outbox.end(Some(status)),
            Self::Events { outbox } => outbox.end(Some(status)),
        }
    }

    fn is_ended(&self) -> bool {
        match self {
            Self::Offers { outbox, .. } => outbox.is_ended(),
            Self::Events { outbox } => outbox.is_ended(),
        }
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.end(stopping());
    }
}

/// Whether a change of offers is about an offer to this framework.
fn concerns(notice: &Notice, framework: &FrameworkId) -> bool {
    match notice {
        Notice::OfferAdded { offer, .. } => offer.framework_id == *framework,
        Notice::OfferRemoved { framework_id, .. } => framework_id == framework,
        _ => false,
    }
}

fn subscribed(snapshot: &Snapshot) -> Shared<master::Event> {
    Shared::new(master::Event {
        r#type: Some(event::Type::Subscribed.into()),
        subscribed: Some(event::Subscribed {
            get_state: Some(snapshot.get_state()),
            heartbeat_interval_seconds: Some(limits::HEARTBEAT.as_secs_f64()),
        }),
        ..master::Event::default()
    })
}

#[cfg(test)]
mod tests {
    use futures_util::{FutureExt, StreamExt};
    use tepui_edge::outbox;

    use super::*;

    /// Watches events.
    fn watch(watchers: &mut Watchers) -> (Outbox<Shared<master::Event>>, Events) {
        let (outbox, outgoing) = outbox();
        let reply = OperatorReply::Snapshot(Box::default());
        let watcher = Watcher::Events {
            outbox: outbox.clone(),
        };
        watchers.begin(watcher, Ok(reply));
        (outbox, outgoing)
    }

    type Events = tepui_edge::Outgoing<Shared<master::Event>>;

    #[test]
    fn one_watcher_too_many_and_the_oldest_ends() {
        let mut watchers = Watchers::default();
        let streams: Vec<_> = (0..=limits::WATCHERS)
            .map(|_| watch(&mut watchers))
            .collect();
        assert!(streams[0].0.is_ended());
        assert!(streams[1..].iter().all(|(outbox, _)| !outbox.is_ended()));
    }

    #[test]
    fn what_all_watchers_hear_is_written_once() {
        let mut watchers = Watchers::default();
        let streams = [watch(&mut watchers).1, watch(&mut watchers).1];
        watchers.publish(&Notice::AgentRemoved("a".parse().unwrap()));
        let records = streams.map(|mut stream| {
            let mut next = || stream.next().now_or_never().flatten().unwrap().unwrap();
            assert_eq!(next().message().r#type(), event::Type::Subscribed);
            let event = next();
            assert_eq!(event.message().r#type(), event::Type::AgentRemoved);
            event.record(tepui_edge::http::Media::Json)
        });
        assert_eq!(records[0].as_ptr(), records[1].as_ptr());
    }
}
