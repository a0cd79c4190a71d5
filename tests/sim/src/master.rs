//! The master of a run: the real core, and a registry that outlives it.

use std::collections::BTreeMap;

use tepui_master_core::{
    Change, Config, Effect, Effects, Event, Master, OperatorCall, OperatorReply, Record,
    RecordKind, Recovered, RequestId,
};
use tepui_model::Time;
use tepui_proto::v1;

/// A master that can die.
#[derive(Debug, Default)]
pub(crate) struct MasterNode {
    core: Option<Master>,
    registry: BTreeMap<(RecordKind, String), Vec<u8>>,
    lives: u32,
}

impl MasterNode {
    pub(crate) fn is_alive(&self) -> bool {
        self.core.is_some()
    }

    /// Starts from what the registry holds.
    pub(crate) fn start(&mut self) {
        self.lives += 1;
        let info = v1::MasterInfo { id: format!("m{}", self.lives), ..Default::default() };
        let mut recovered = Recovered::default();
        for ((kind, key), bytes) in &self.registry {
            let record = Record::decode(*kind, key, bytes);
            recovered.insert(record.unwrap_or_else(|error| panic!("{error}")));
        }
        let core = Master::new(Config::new(info), recovered);
        self.core = Some(core.unwrap_or_else(|error| panic!("{error}")));
    }

    pub(crate) fn die(&mut self) {
        self.core = None;
    }

    /// Applies an event; what is to be kept is kept before anything else is handed out.
    pub(crate) fn apply(&mut self, now: Time, event: Event) -> Vec<Effect> {
        let Some(core) = &mut self.core else { return Vec::new() };
        let mut effects = Effects::new();
        core.apply(now, event, &mut effects);
        core.check().unwrap_or_else(|violation| panic!("the master at {now:?}: {violation}"));
        let effects = effects.take();
        for effect in &effects {
            if let Effect::Persist(change) = effect {
                self.keep(change);
            }
        }
        effects
    }

    fn keep(&mut self, change: &Change) {
        match change {
            Change::Put(record) => {
                self.registry.insert((record.kind(), record.key()), record.encode());
            }
            Change::Delete { kind, key } => {
                self.registry.remove(&(*kind, key.clone()));
            }
        }
    }

    pub(crate) fn next_wake(&self) -> Option<Time> {
        self.core.as_ref().and_then(Master::next_wake)
    }

    /// What the master tells operators about its tasks.
    pub(crate) fn tasks(&mut self, now: Time) -> Vec<v1::Task> {
        let call = v1::master::Call {
            r#type: Some(v1::master::call::Type::GetTasks.into()),
            ..Default::default()
        };
        let call = OperatorCall::V1(Box::new(call));
        let effects = self.apply(now, Event::Operator { request: RequestId(0), call });
        let answer = effects.into_iter().find_map(|effect| match effect {
            Effect::Reply { result: Ok(OperatorReply::V1(response)), .. } => response.get_tasks,
            _ => None,
        });
        answer.unwrap_or_default().tasks
    }
}
