//! The streams of events to executors.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tepui_agent_core::StreamId;
use tepui_edge::Outbox;
use tepui_proto::v1::executor::Event;

/// The streams that stand. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Streams(Arc<Mutex<Table>>);

#[derive(Debug, Default)]
struct Table {
    streams: HashMap<StreamId, Outbox<Event>>,
    last: u64,
}

impl Streams {
    /// A new stream, under a number that none has had.
    pub(super) fn add(&self, outbox: Outbox<Event>) -> StreamId {
        let mut table = self.lock();
        table.last += 1;
        let stream = StreamId(table.last);
        table.streams.insert(stream, outbox);
        stream
    }

    pub(super) fn remove(&self, stream: StreamId) {
        self.lock().streams.remove(&stream);
    }

    /// Says something, if the stream still stands. Who does not read is cut off.
    pub(crate) fn tell(&self, stream: StreamId, event: Event) {
        if let Some(outbox) = self.lock().streams.get(&stream) {
            outbox.push(event);
        }
    }

    /// Ends a stream after what was said on it.
    pub(crate) fn end(&self, stream: StreamId) {
        if let Some(outbox) = self.lock().streams.remove(&stream) {
            outbox.end(None);
        }
    }

    /// Ends every stream: the agent stops, and its executors look for the next one.
    pub(crate) fn end_all(&self) {
        for (_, outbox) in self.lock().streams.drain() {
            outbox.end(None);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        // What is behind it is whole even after a panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
