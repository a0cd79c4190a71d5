//! The master of a run: the real core, and a registry that outlives it.

use core::time::Duration;
use std::collections::BTreeMap;

use prost::Message;
use tepui_master_core::{
    Action, AgentCommand, Change, Config, ConnectionId, Effect, Effects, Event, FrameworkEvent,
    Master, Notice, OperatorCall, Record, RecordKind, Recovered, RequestId, SchedulerCall, wire,
};
use tepui_model::{FrameworkId, Offer, Time};
use tepui_proto::{
    services::{AgentMessage, MasterMessage},
    v1::{self, scheduler},
};

use crate::{
    batch::{Batch, Line},
    checks::{alike, quotas_kept, reads_back},
    network::{Peer, Side},
    scene::{Happening, Scene},
    trace::compact,
};

/// The longest that a write to the registry takes.
const COMMIT_MILLIS: u64 = 8;

/// How often a subscribed framework hears that its master lives.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// What happens to the master by itself.
#[derive(Clone, Copy, Debug)]
pub(crate) enum MasterTurn {
    /// Its process starts.
    Start,
    /// A timer of its core is due.
    Wake,
    /// The changes of the oldest batch are durable.
    Durable,
}

/// A master that can die.
#[derive(Debug)]
pub(crate) struct MasterNode {
    config: Config,
    core: Option<Master>,
    registry: BTreeMap<(RecordKind, String), Vec<u8>>,
    life: u32,
    line: Line<Change, Effect>,
    /// When the core is woken next.
    wake: Option<Time>,
    /// The process dies while it carries out what follows from its next event.
    is_doomed: bool,
    requests: u64,
}

impl MasterNode {
    pub(crate) const fn new(config: Config, line: Line<Change, Effect>) -> Self {
        Self {
            config,
            core: None,
            registry: BTreeMap::new(),
            life: 0,
            line,
            wake: None,
            is_doomed: false,
            requests: 0,
        }
    }

    pub(crate) const fn config(&self) -> &Config {
        &self.config
    }

    pub(crate) const fn core(&self) -> Option<&Master> {
        self.core.as_ref()
    }

    /// The keys of the records of a kind.
    pub(crate) fn kept(&self, kind: RecordKind) -> impl Iterator<Item = &str> {
        self.registry
            .keys()
            .filter(move |(it, _)| *it == kind)
            .map(|(_, key)| key.as_str())
    }

    /// How often the master has started anew.
    pub(crate) const fn restarts(&self) -> u32 {
        self.life
    }

    pub(crate) fn turn(&mut self, life: u32, turn: MasterTurn, scene: &mut Scene) {
        if life != self.life {
            return;
        }
        match turn {
            MasterTurn::Start => self.start(scene),
            MasterTurn::Durable => self.durable(scene, usize::MAX),
            // One that is not due was planned before an earlier one was.
            MasterTurn::Wake if self.wake.is_some_and(|due| due <= scene.now) => {
                self.wake = None;
                self.apply(Event::Wake, scene);
            }
            MasterTurn::Wake => {}
        }
    }

    /// Starts from what the registry holds, under a new id.
    fn start(&mut self, scene: &mut Scene) {
        let mut recovered = Recovered::default();
        for ((kind, key), bytes) in &self.registry {
            let record = Record::decode(*kind, key, bytes);
            let record = record.unwrap_or_else(|error| scene.fail(error));
            scene.hold(reads_back(&record, key, bytes));
            scene.checks.streams.durable(&record);
            recovered.insert(record);
        }
        let mut config = self.config.clone();
        config.master.id = format!("m{}", self.life);
        config.allocator.seed = u64::from(self.life);
        let [core, twin] = [(); 2].map(|()| {
            let core = Master::new(config.clone(), recovered.clone());
            core.unwrap_or_else(|error| scene.fail(error))
        });
        scene.hold(alike(&core, &twin));
        self.core = Some(core);
        scene.checks.new_master();
        scene.network.is_listening = true;
        self.plan_wake(scene);
    }

    /// A message arrived. Also on streams that were ended at this side: some had been read before.
    pub(crate) fn hear(&mut self, connection: u64, bytes: &[u8], scene: &mut Scene) {
        let id = ConnectionId(connection);
        let event = match scene.network.peer(connection) {
            Some(Peer::Agent(_)) => {
                let message = AgentMessage::decode(bytes);
                let message = message.unwrap_or_else(|error| scene.fail(error));
                scene
                    .trace
                    .note_bytes(scene.micros(), bytes, || compact(&message));
                let report = wire::AgentReport::try_from(message);
                report
                    .unwrap_or_else(|error| scene.fail(error))
                    .into_event(id)
            }
            Some(Peer::Framework(_)) => {
                let call = scheduler::Call::decode(bytes);
                let call = call.unwrap_or_else(|error| scene.fail(error));
                scene
                    .trace
                    .note_bytes(scene.micros(), bytes, || compact(&call));
                let call = SchedulerCall::try_from(call);
                Event::Call {
                    connection: id,
                    call: call.unwrap_or_else(|error| scene.fail(error)),
                }
            }
            None => return,
        };
        self.apply(event, scene);
    }

    /// The far end of a connection is gone.
    pub(crate) fn hung_up(&mut self, connection: u64, peer: Peer, scene: &mut Scene) {
        let connection = ConnectionId(connection);
        let event = match peer {
            Peer::Agent(_) => Event::AgentDisconnected { connection },
            Peer::Framework(_) => Event::FrameworkDisconnected { connection },
        };
        self.apply(event, scene);
    }

    /// An operator asks for something.
    pub(crate) fn operate(&mut self, call: OperatorCall, scene: &mut Scene) {
        self.requests += 1;
        self.apply(
            Event::Operator {
                request: RequestId(self.requests),
                call,
            },
            scene,
        );
    }

    fn apply(&mut self, event: Event, scene: &mut Scene) {
        let Some(core) = &mut self.core else { return };
        let may_launch = may_launch(&event, scene);
        if let Event::Call { .. } | Event::Operator { .. } = event {
            let subscribed = subscribed(&event, scene);
            scene
                .checks
                .patience
                .sees(scene.now, &event, subscribed.as_ref());
        }
        let stream = stream(&event);
        let mut effects = Effects::new();
        core.apply(scene.now, event, &mut effects);
        core.check()
            .unwrap_or_else(|violation| scene.fail(violation));
        if let Some(stream) = stream {
            let follows = |effect| scene.checks.streams.follows(stream, effect);
            scene.hold(effects.iter().try_for_each(follows));
        }
        judge_offers(core, &effects, scene);
        let batch = sort(effects, may_launch, scene);
        self.take(batch, scene);
        self.plan_wake(scene);
    }

    fn take(&mut self, batch: Batch<Change, Effect>, scene: &mut Scene) {
        if batch.is_empty() {
            return;
        }
        let at_once = batch.changes.is_empty() && self.line.is_empty();
        let span = if at_once {
            Duration::ZERO
        } else {
            scene.dice.millis(0, COMMIT_MILLIS)
        };
        let durable = self.line.push(batch, scene.now + span);
        if self.is_doomed {
            return self.die(scene);
        }
        if at_once {
            return self.durable(scene, usize::MAX);
        }
        scene.at(durable, Happening::Master(self.life, MasterTurn::Durable));
    }

    fn plan_wake(&mut self, scene: &mut Scene) {
        let Some(due) = self.core.as_ref().and_then(Master::next_wake) else {
            return;
        };
        if self.wake.is_none_or(|planned| due < planned) {
            self.wake = Some(due);
            scene.at(due, Happening::Master(self.life, MasterTurn::Wake));
        }
    }

    /// The oldest batch is durable: what follows is done, or a part of it.
    fn durable(&mut self, scene: &mut Scene, most: usize) {
        let Some(batch) = self.line.pop() else { return };
        for change in batch.changes {
            match change {
                Change::Put(record) => {
                    if let Record::RemovedFramework { id, .. } = &record {
                        scene.checks.updates.removed(id);
                    }
                    self.registry
                        .insert((record.kind(), record.key()), record.encode());
                }
                Change::Delete(kind, key) => {
                    self.registry.remove(&(kind, key));
                }
            }
        }
        for effect in batch.deeds.into_iter().take(most) {
            judge_patience(&effect, scene);
            let kept = |kind, key: &str| self.registry.contains_key(&(kind, key.to_owned()));
            let held = scene.checks.streams.leaves(&effect, kept);
            scene.hold(held);
            carry_out(effect, scene);
        }
    }

    /// Whether its next event is its last.
    pub(crate) const fn doom(&mut self, is_doomed: bool) {
        self.is_doomed = is_doomed;
    }

    /// The process dies. Of what was on its way to the registry, some arrived, and some of what
    /// was to follow from it was still done.
    pub(crate) fn die(&mut self, scene: &mut Scene) {
        if self.core.take().is_none() {
            return;
        }
        for left in (0..scene.dice.between(0, self.line.len() as u64)).rev() {
            let most = if left == 0 {
                scene.dice.index(8)
            } else {
                usize::MAX
            };
            self.durable(scene, most);
        }
        self.line = Line::default();
        self.life += 1;
        self.wake = None;
        self.is_doomed = false;
        scene.network.is_listening = false;
        for connection in scene.network.open(Side::Master) {
            if scene.dice.chance(0.15) {
                scene.sever(connection);
            }
            scene.close(connection, Side::Master);
        }
        let span = match scene.dice.between(0, 3) {
            0 => scene.dice.seconds(1, 120),
            _ => scene.dice.millis(50, 5000),
        };
        scene.after(span, Happening::Master(self.life, MasterTurn::Start));
    }

    /// Tells a subscribed framework that its master lives.
    pub(crate) fn heartbeat(connection: u64, scene: &mut Scene) {
        if scene.network.is_open(connection, Side::Master) {
            let heartbeat = wire::heartbeat_event().encode_to_vec();
            scene.send(connection, Side::Peer, heartbeat, false);
            scene.after(HEARTBEAT, Happening::Heartbeat(connection));
        }
    }
}

/// New offers are within what there is, and within what quotas allow.
fn judge_offers(core: &Master, effects: &Effects, scene: &mut Scene) {
    let offers = effects.iter().filter_map(|effect| match effect {
        Effect::Publish(Notice::OfferAdded { offer, .. }) => Some(&**offer),
        _ => None,
    });
    let offers: Vec<&Offer> = offers.collect();
    if offers.is_empty() {
        return;
    }
    let agents = core.snapshot().get_agents().agents;
    let book = &mut scene.checks.offers;
    let held = agents.iter().try_for_each(|agent| book.learn(agent));
    scene.hold(held);
    let quotas = core.query(&operator_call(v1::master::call::Type::GetQuota));
    let quotas = quotas.ok().and_then(|quotas| quotas.get_quota);
    let configs = quotas.map_or_else(Vec::new, |quotas| quotas.status.configs);
    if !configs.is_empty() {
        scene.hold(quotas_kept(&configs, &agents, &offers));
    }
}

fn judge_patience(effect: &Effect, scene: &mut Scene) {
    let (now, patience) = (scene.now, &mut scene.checks.patience);
    match effect {
        Effect::Persist(Change::Put(Record::RemovedFramework { id, .. })) => {
            let held = patience.removed(now, id);
            scene.hold(held);
        }
        Effect::ToFramework {
            connection,
            event: FrameworkEvent::Subscribed { framework_id, .. },
        } => patience.welcomes(connection.0, framework_id),
        _ => {}
    }
}

/// The framework that is subscribed on the stream of an event.
fn subscribed(event: &Event, scene: &Scene) -> Option<FrameworkId> {
    let Event::Call { connection, .. } = event else {
        return None;
    };
    scene.checks.streams.framework(connection.0).cloned()
}

/// The stream that an event came on.
const fn stream(event: &Event) -> Option<u64> {
    match event {
        Event::Call { connection, .. } => Some(connection.0),
        _ => None,
    }
}

/// Whether an event may launch tasks: not if it accepts what its framework is not offered now.
fn may_launch(event: &Event, scene: &mut Scene) -> bool {
    let Event::Call { connection, call } = event else {
        return true;
    };
    let Action::Accept(accept) = &call.action else {
        return true;
    };
    let Some(framework) = scene.checks.streams.framework(connection.0) else {
        return false;
    };
    let is_live = scene.checks.offers.are_live(&accept.offers, framework);
    if !is_live {
        let kinds = accept.operations.iter().map(|operation| &operation.kind);
        let tasks = kinds.map(|kind| kind.tasks().len() as u64).sum();
        scene.checks.offers.outran(tasks);
    }
    is_live
}

/// Parts what must be durable from what is done then. What is told to those who watch is judged.
fn sort(effects: Effects, may_launch: bool, scene: &mut Scene) -> Batch<Change, Effect> {
    let mut batch = Batch::new(Vec::new(), Vec::new());
    for effect in effects {
        match effect {
            Effect::Persist(change) => {
                batch.changes.push(change.clone());
                // What comes before it in the batch may still be said to who is removed by it.
                batch.deeds.push(Effect::Persist(change));
            }
            Effect::Publish(notice) => judge(&notice, may_launch, scene),
            Effect::Warn(text) => scene.remark(format_args!("the master warns: {text}")),
            Effect::Reply { result, .. } => {
                scene.remark(format_args!("the operator hears: {}", result.is_ok()));
            }
            deed => batch.deeds.push(deed),
        }
    }
    let held = scene.checks.offers.settled();
    scene.hold(held);
    batch
}

fn judge(notice: &Notice, may_launch: bool, scene: &mut Scene) {
    let held = scene.checks.offers.note(notice);
    scene.hold(held);
    let (task, state) = match notice {
        Notice::TaskAdded { task, state, .. } => {
            if !may_launch {
                scene.fail(format_args!("task {} is launched on dead offers", task.id));
            }
            (&task.id, *state)
        }
        Notice::TaskUpdated { status, state, .. } => (&status.task_id, *state),
        _ => return,
    };
    let held = scene.checks.noted.tell(task, state);
    scene.hold(held);
}

fn carry_out(effect: Effect, scene: &mut Scene) {
    match effect {
        Effect::ToFramework { connection, event } => {
            let repeatable = matches!(event, FrameworkEvent::Update(_));
            let subscribed = matches!(event, FrameworkEvent::Subscribed { .. });
            let message = scheduler::Event::from(event).encode_to_vec();
            scene.send(connection.0, Side::Peer, message, repeatable);
            if subscribed {
                scene.after(HEARTBEAT, Happening::Heartbeat(connection.0));
            }
        }
        Effect::ToAgent {
            connection,
            command,
        } => {
            let repeatable = matches!(
                command,
                AgentCommand::Ping
                    | AgentCommand::RunTask { .. }
                    | AgentCommand::RunGroup { .. }
                    | AgentCommand::KillTask { .. }
                    | AgentCommand::ShutdownExecutor { .. }
                    | AgentCommand::ExecutorMessage { .. }
                    | AgentCommand::Acknowledge { .. }
            );
            let message = MasterMessage::from(command).encode_to_vec();
            scene.send(connection.0, Side::Peer, message, repeatable);
        }
        Effect::EndFramework { connection, .. } | Effect::EndAgent { connection } => {
            scene.close(connection.0, Side::Master);
        }
        _ => {}
    }
}

/// A call of the v1 operator API without anything but its type.
pub(crate) fn operator_call(kind: v1::master::call::Type) -> v1::master::Call {
    v1::master::Call {
        r#type: Some(kind.into()),
        ..v1::master::Call::default()
    }
}
