//! What a master says on its streams: nothing after the end, nothing to who was removed, and
//! nothing before what it depends on is durable.

use std::collections::{BTreeMap, BTreeSet};

use tepui_master_core::{AgentCommand, Change, Effect, FrameworkEvent, Record, RecordKind};
use tepui_model::FrameworkId;

use super::{Held, ensure};

/// The streams of all masters of a run, which never use a number twice.
#[derive(Debug, Default)]
pub(crate) struct Streams {
    ended: BTreeSet<u64>,
    subscribed: BTreeMap<u64, FrameworkId>,
    removed: BTreeSet<FrameworkId>,
}

impl Streams {
    /// A record is durable.
    pub(crate) fn durable(&mut self, record: &Record) {
        if let Record::RemovedFramework { id, .. } = record {
            self.removed.insert(id.clone());
        }
    }

    /// An effect leaves the master. `is_kept` says whether the registry has a record.
    pub(crate) fn leaves(
        &mut self,
        effect: &Effect,
        is_kept: impl Fn(RecordKind, &str) -> bool,
    ) -> Held {
        match effect {
            Effect::ToFramework { connection, event } => {
                self.not_ended(connection.0)?;
                if let FrameworkEvent::Subscribed {
                    framework_id: id, ..
                } = event
                {
                    self.subscribed.insert(connection.0, id.clone());
                    let kept = is_kept(RecordKind::Framework, id.as_str());
                    ensure(kept, || {
                        format!("framework {id} is subscribed and not kept")
                    })?;
                }
                self.not_removed(connection.0, event)
            }
            Effect::ToAgent {
                connection,
                command,
            } => {
                self.not_ended(connection.0)?;
                let AgentCommand::Registered { agent_id: id, .. } = command else {
                    return Ok(());
                };
                // One that is drained and marked gone is gone as soon as it is back.
                let kept = [RecordKind::Agent, RecordKind::Gone]
                    .into_iter()
                    .any(|kind| is_kept(kind, id.as_str()));
                ensure(kept, || format!("agent {id} is registered and not kept"))
            }
            Effect::EndFramework { connection, .. } | Effect::EndAgent { connection } => {
                self.ended.insert(connection.0);
                Ok(())
            }
            Effect::Persist(Change::Put(record)) => {
                self.durable(record);
                Ok(())
            }
            Effect::Persist(Change::Delete(RecordKind::RemovedFramework, id)) => {
                // It is forgotten, and may come back as if it had never been.
                self.removed.retain(|removed| removed.as_str() != id);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Who is subscribed on a stream.
    pub(crate) fn framework(&self, connection: u64) -> Option<&FrameworkId> {
        self.subscribed.get(&connection)
    }

    /// What follows from a message on a stream: if the stream has ended, nothing but that it is
    /// told so again.
    pub(crate) fn follows(&self, connection: u64, effect: &Effect) -> Held {
        let is_stale = self.ended.contains(&connection);
        let says_so = matches!(
            effect,
            Effect::EndFramework { .. } | Effect::EndAgent { .. } | Effect::Warn(_)
        );
        ensure(!is_stale || says_so, || {
            format!("a message on stream {connection}, which has ended, leads to {effect:?}")
        })
    }

    fn not_ended(&self, connection: u64) -> Held {
        ensure(!self.ended.contains(&connection), || {
            format!("a word on stream {connection} after its end")
        })
    }

    /// A removed framework hears that it is, and nothing else.
    fn not_removed(&self, connection: u64, event: &FrameworkEvent) -> Held {
        let id = self.subscribed.get(&connection);
        let removed = id.filter(|id| self.removed.contains(*id));
        let says_so = matches!(event, FrameworkEvent::Error(_));
        ensure(removed.is_none() || says_so, || {
            format!(
                "framework {} is removed and hears {event:?}",
                removed.map_or("", |id| id.as_str())
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use tepui_master_core::{ConnectionId, Ending};
    use tepui_model::{OfferId, Time};

    use super::*;

    const CONNECTION: ConnectionId = ConnectionId(1);

    fn id() -> FrameworkId {
        FrameworkId::new("f").unwrap()
    }

    fn says(event: FrameworkEvent) -> Effect {
        Effect::ToFramework {
            connection: CONNECTION,
            event,
        }
    }

    fn subscribed() -> Effect {
        says(FrameworkEvent::Subscribed {
            framework_id: id(),
            heartbeat_interval: Duration::ZERO,
            master: Default::default(),
        })
    }

    fn rescind() -> Effect {
        says(FrameworkEvent::Rescind(OfferId::new("o").unwrap()))
    }

    fn leave(streams: &mut Streams, effect: &Effect) -> Held {
        streams.leaves(effect, |_, _| true)
    }

    #[test]
    fn a_word_after_the_end_is_noticed() {
        let mut streams = Streams::default();
        leave(&mut streams, &subscribed()).unwrap();
        let ending = Ending::Done;
        leave(
            &mut streams,
            &Effect::EndFramework {
                connection: CONNECTION,
                ending,
            },
        )
        .unwrap();
        assert!(leave(&mut streams, &rescind()).is_err());
    }

    #[test]
    fn a_message_from_the_past_that_changes_something_is_noticed() {
        let mut streams = Streams::default();
        streams.follows(CONNECTION.0, &rescind()).unwrap();
        let connection = CONNECTION;
        let end = Effect::EndAgent { connection };
        leave(&mut streams, &end).unwrap();
        streams.follows(CONNECTION.0, &end).unwrap();
        assert!(streams.follows(CONNECTION.0, &rescind()).is_err());
    }

    #[test]
    fn a_word_to_a_removed_framework_is_noticed() {
        let mut streams = Streams::default();
        leave(&mut streams, &subscribed()).unwrap();
        leave(&mut streams, &rescind()).unwrap();
        let removed = Record::RemovedFramework {
            id: id(),
            since: Time::ZERO,
        };
        leave(&mut streams, &Effect::Persist(Change::Put(removed))).unwrap();
        assert!(leave(&mut streams, &rescind()).is_err());
        leave(
            &mut streams,
            &says(FrameworkEvent::Error("removed".to_owned())),
        )
        .unwrap();
        assert!(
            leave(&mut streams, &subscribed()).is_err(),
            "and it is subscribed no more"
        );
    }

    #[test]
    fn a_promise_that_is_not_durable_is_noticed() {
        let mut streams = Streams::default();
        assert!(streams.leaves(&subscribed(), |_, _| false).is_err());
        let registered = AgentCommand::Registered {
            agent_id: tepui_model::AgentId::new("a").unwrap(),
            master: Default::default(),
            silence_limit: Duration::ZERO,
        };
        let effect = Effect::ToAgent {
            connection: CONNECTION,
            command: registered,
        };
        assert!(streams.leaves(&effect, |_, _| false).is_err());
        assert!(
            streams
                .leaves(&effect, |kind, key| kind == RecordKind::Agent && key == "a")
                .is_ok()
        );
    }
}
