//! A framework is not removed before it has been away for its failover timeout, unless somebody
//! asked for that.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use tepui_master_core::{Action, Event, OperatorCall, SchedulerCall};
use tepui_model::{FrameworkId, Time};

use super::{Held, ensure};

/// A call that was on its way when its stream ended is seen here and not by the master.
const ON_ITS_WAY: Duration = Duration::from_secs(1);

/// What masters have heard of frameworks.
#[derive(Debug, Default)]
pub(crate) struct Patience {
    /// When a framework last spoke, and the shortest timeout it ever asked for: a master that dies
    /// may lose the newest one before it told anybody.
    known: BTreeMap<FrameworkId, (Time, Duration)>,
    /// The times and timeouts of subscriptions that are not answered yet, by their streams.
    asked: BTreeMap<u64, (Time, Duration)>,
    torn_down: BTreeSet<FrameworkId>,
}

impl Patience {
    /// A master takes an event. `subscribed` is the framework of the stream that it came on.
    pub(crate) fn sees(&mut self, now: Time, event: &Event, subscribed: Option<&FrameworkId>) {
        match event {
            Event::Call { connection, call } => self.hears(now, connection.0, call, subscribed),
            Event::Operator {
                call: OperatorCall::V1(call),
                ..
            } => {
                let id = call
                    .teardown
                    .as_ref()
                    .map(|it| FrameworkId::try_from(&it.framework_id));
                self.torn_down.extend(id.and_then(Result::ok));
            }
            _ => {}
        }
    }

    fn hears(
        &mut self,
        now: Time,
        stream: u64,
        call: &SchedulerCall,
        subscribed: Option<&FrameworkId>,
    ) {
        match (&call.action, subscribed) {
            (Action::Subscribe(it), None) => {
                self.asked.insert(stream, (now, it.info.failover_timeout));
            }
            (Action::UpdateFramework(it), Some(id)) => self.asks(now, id, it.info.failover_timeout),
            (Action::Teardown, Some(id)) => drop(self.torn_down.insert(id.clone())),
            (_, Some(id)) => {
                self.known
                    .get_mut(id)
                    .into_iter()
                    .for_each(|(heard, _)| *heard = now);
            }
            (_, None) => {}
        }
    }

    /// A framework is told that it is subscribed on a stream.
    pub(crate) fn welcomes(&mut self, stream: u64, id: &FrameworkId) {
        if let Some((since, timeout)) = self.asked.remove(&stream) {
            self.asks(since, id, timeout);
        }
    }

    fn asks(&mut self, now: Time, id: &FrameworkId, timeout: Duration) {
        let (heard, shortest) = self.known.entry(id.clone()).or_insert((now, timeout));
        *heard = now;
        *shortest = timeout.min(*shortest);
    }

    /// A framework is removed.
    pub(crate) fn removed(&self, now: Time, id: &FrameworkId) -> Held {
        let Some((heard, timeout)) = self.known.get(id) else {
            return Ok(());
        };
        let away = now.since(*heard);
        let is_late = away + ON_ITS_WAY >= *timeout;
        ensure(self.torn_down.contains(id) || is_late, || {
            format!("framework {id} is removed after {away:?}, it asked for {timeout:?}")
        })
    }
}

#[cfg(test)]
mod tests {
    use tepui_master_core::{ConnectionId, RequestId};
    use tepui_proto::v1::master::{Call, call::Teardown};

    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn id() -> FrameworkId {
        FrameworkId::new("f").unwrap()
    }

    fn after(seconds: u64) -> Time {
        Time::ZERO + Duration::from_secs(seconds)
    }

    fn says(action: Action) -> Event {
        Event::Call {
            connection: ConnectionId(1),
            call: action.into(),
        }
    }

    #[test]
    fn a_framework_removed_too_soon_is_noticed() {
        let mut patience = Patience::default();
        patience.asks(Time::ZERO, &id(), MINUTE);
        assert!(patience.removed(after(58), &id()).is_err());
        patience.removed(after(60), &id()).unwrap();
        patience.sees(after(30), &says(Action::Reconcile(Vec::new())), Some(&id()));
        assert!(
            patience.removed(after(60), &id()).is_err(),
            "it has spoken since"
        );
    }

    #[test]
    fn who_is_torn_down_need_not_be_away() {
        let mut patience = Patience::default();
        patience.asks(Time::ZERO, &id(), MINUTE);
        patience.sees(Time::ZERO, &says(Action::Teardown), Some(&id()));
        patience.removed(Time::ZERO, &id()).unwrap();
        let mut patience = Patience::default();
        patience.asks(Time::ZERO, &id(), MINUTE);
        let call = Call {
            teardown: Some(Teardown {
                framework_id: id().into(),
            }),
            ..Call::default()
        };
        let call = OperatorCall::V1(Box::new(call));
        patience.sees(
            Time::ZERO,
            &Event::Operator {
                request: RequestId(1),
                call,
            },
            None,
        );
        patience.removed(Time::ZERO, &id()).unwrap();
    }
}
