//! Which framework is on which stream, for calls that come on no stream of their own.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tepui_master_core::ConnectionId;
use tepui_model::FrameworkId;

/// How a peer's stream came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Road {
    /// As a stream of gRPC.
    Grpc,
    /// As the answer to a SUBSCRIBE over HTTP, under this `Mesos-Stream-Id`.
    Http(Arc<str>),
}

/// The stream of a framework that is subscribed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Session {
    pub(crate) connection: ConnectionId,
    pub(crate) road: Road,
}

/// The streams of all frameworks that are subscribed; cheap to clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sessions(Arc<Mutex<Table>>);

#[derive(Debug, Default)]
struct Table {
    by_framework: HashMap<FrameworkId, Session>,
    by_connection: HashMap<ConnectionId, FrameworkId>,
}

impl Sessions {
    /// The framework is subscribed on this stream, and on no other any more.
    pub(crate) fn begin(&self, framework: &FrameworkId, connection: ConnectionId, road: &Road) {
        let mut table = self.lock();
        let session = Session {
            connection,
            road: road.clone(),
        };
        if let Some(old) = table.by_framework.insert(framework.clone(), session) {
            table.by_connection.remove(&old.connection);
        }
        table.by_connection.insert(connection, framework.clone());
    }

    /// The stream is over.
    pub(crate) fn end(&self, connection: ConnectionId) {
        let mut table = self.lock();
        if let Some(framework) = table.by_connection.remove(&connection) {
            table.by_framework.remove(&framework);
        }
    }

    /// The stream of a framework, if it is subscribed.
    pub(crate) fn of(&self, framework: &FrameworkId) -> Option<Session> {
        self.lock().by_framework.get(framework).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        // Nothing that can panic runs while the table is half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_an_old_stream_does_not_end_the_new_one() {
        let sessions = Sessions::default();
        let framework = FrameworkId::new("f").unwrap();
        sessions.begin(&framework, ConnectionId(1), &Road::Grpc);
        sessions.begin(&framework, ConnectionId(2), &Road::Grpc);
        sessions.end(ConnectionId(1));
        assert_eq!(sessions.of(&framework).unwrap().connection, ConnectionId(2));
        sessions.end(ConnectionId(2));
        assert_eq!(sessions.of(&framework), None);
    }
}
