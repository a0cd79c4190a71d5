//! A framework of a run, made like one that uses the SDK: it keeps what it launched, acknowledges
//! what it has dealt with, asks again for what it does not hear of, and comes back under its id.

mod calls;
mod crafts;
mod offers;
mod operations;
mod work;

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use prost::Message;
use tepui_model::{FrameworkId, Offer, OfferId, Reason, StatusUuid, TaskStatus, Time};
use tepui_proto::v1::{
    self,
    scheduler::{Call, Event, event::Type},
};

use self::operations::Operations;
pub(crate) use self::{
    operations::is_final,
    work::{Item, Work},
};
use crate::{
    checks::View,
    network::{Peer, Side},
    plan,
    scene::{Happening, Scene},
    trace::compact,
};

/// A master that is silent for so long is given up: five heartbeats.
const SILENCE: Duration = Duration::from_secs(75);

/// How often a framework looks after what it waits for.
const TICK: Duration = Duration::from_secs(4);

/// How long it waits before it asks, or asks again.
const ASK_AFTER: Duration = Duration::from_secs(12);

/// What happens to a framework's process.
#[derive(Clone, Debug)]
pub(crate) enum FrameworkTurn {
    /// It starts.
    Start,
    /// It tries to reach the master.
    Dial,
    /// It looks after what it waits for.
    Tick,
    /// It decides on offers.
    Consider(Vec<OfferId>),
}

/// What a framework means to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Goal {
    /// Get its work done.
    Work,
    /// End its tasks.
    End,
    /// Be removed.
    TearDown,
    /// It is removed, as it wished.
    Gone,
}

/// A framework that can die.
#[derive(Debug)]
pub(crate) struct FrameworkNode {
    index: usize,
    /// What it says of itself; with its id once it has one. Durable, as is its work.
    info: v1::FrameworkInfo,
    roles: Vec<String>,
    work: Work,
    operations: Operations,
    goal: Goal,
    life: u32,
    process: Option<Process>,
    is_doomed: bool,
}

#[derive(Debug, Default)]
struct Process {
    link: Option<u64>,
    attempts: u32,
    subscribed: bool,
    /// When the master was last heard.
    heard: Time,
    offers: BTreeMap<OfferId, Offer>,
    suppressed: bool,
    /// Updates whose acknowledgement it has forgotten once.
    forgotten: BTreeSet<StatusUuid>,
}

impl FrameworkNode {
    pub(crate) fn new(
        index: usize,
        info: v1::FrameworkInfo,
        roles: Vec<String>,
        work: Work,
    ) -> Self {
        let (goal, life, process) = (Goal::Work, 0, None);
        let operations = Operations::new(info.name.clone());
        Self {
            index,
            info,
            roles,
            work,
            operations,
            goal,
            life,
            process,
            is_doomed: false,
        }
    }

    pub(crate) fn id(&self) -> Option<FrameworkId> {
        self.info
            .id
            .as_ref()
            .and_then(|id| FrameworkId::try_from(id).ok())
    }

    pub(crate) fn happening(&self, turn: FrameworkTurn) -> Happening {
        Happening::Framework(self.index, self.life, turn)
    }

    pub(crate) fn turn(&mut self, life: u32, turn: FrameworkTurn, scene: &mut Scene) {
        if life != self.life {
            return;
        }
        match turn {
            FrameworkTurn::Start => self.start(scene),
            FrameworkTurn::Dial => self.dial(scene),
            FrameworkTurn::Consider(offers) => self.consider(&offers, scene),
            FrameworkTurn::Tick => self.tick(scene),
        }
    }

    fn start(&mut self, scene: &mut Scene) {
        self.process = Some(Process::default());
        if scene.dice.chance(scene.faults.mischief) {
            self.become_another(scene);
        }
        self.dial(scene);
        scene.after(TICK, self.happening(FrameworkTurn::Tick));
    }

    fn dial(&mut self, scene: &mut Scene) {
        if self.goal == Goal::Gone {
            return;
        }
        let Some(process) = self.process.as_mut().filter(|it| it.link.is_none()) else {
            return;
        };
        process.link = scene.connect(Peer::Framework(self.index));
        process.heard = scene.now;
        if process.link.is_none() {
            return self.dial_later(scene);
        }
        let call = calls::subscribe(self.info.clone(), self.suppressed());
        self.call(&call, scene);
    }

    /// It says something else of itself from now on, as a new version of its program does.
    fn become_another(&mut self, scene: &mut Scene) {
        let id = self.info.id.take();
        (self.info, self.roles) =
            plan::framework_info(&self.info.name, &scene.faults, &mut scene.dice);
        self.info.id = id;
    }

    /// The roles for which it wants no offers.
    fn suppressed(&self) -> Vec<String> {
        let process = self.process.as_ref();
        let suppressed = process.is_some_and(|process| process.suppressed);
        if suppressed {
            self.roles.clone()
        } else {
            Vec::new()
        }
    }

    fn dial_later(&mut self, scene: &mut Scene) {
        let Some(process) = &mut self.process else {
            return;
        };
        let bound = 500 << process.attempts.min(5);
        process.attempts += 1;
        let span = scene.dice.millis(bound / 10, bound);
        scene.after(span, self.happening(FrameworkTurn::Dial));
    }

    fn call(&self, call: &Call, scene: &mut Scene) {
        if let Some(link) = self.process.as_ref().and_then(|process| process.link) {
            let repeatable = calls::is_repeatable(call);
            scene.send(link, Side::Master, call.encode_to_vec(), repeatable);
        }
    }

    pub(crate) fn hear(&mut self, bytes: &[u8], scene: &mut Scene) {
        let event = Event::decode(bytes).unwrap_or_else(|error| scene.fail(error));
        scene
            .trace
            .note_bytes(scene.micros(), bytes, || compact(&event));
        let Some(process) = &mut self.process else {
            return;
        };
        process.heard = scene.now;
        match event.r#type() {
            Type::Subscribed => self.subscribed(event.subscribed.unwrap_or_default(), scene),
            Type::Offers => self.offered(event.offers.unwrap_or_default().offers, scene),
            Type::Rescind => self.rescinded(&event.rescind.unwrap_or_default()),
            Type::Update => self.updated(event.update.unwrap_or_default().status, scene),
            Type::UpdateOperationStatus => {
                let update = event.update_operation_status.unwrap_or_default();
                self.operation_updated(update.status, scene);
            }
            Type::InverseOffers => {
                let asked = event.inverse_offers.unwrap_or_default();
                self.asked_to_leave(asked.inverse_offers, scene);
            }
            Type::Error => self.refused(&event.error.unwrap_or_default().message, scene),
            _ => {}
        }
    }

    fn subscribed(&mut self, subscribed: v1::scheduler::event::Subscribed, scene: &mut Scene) {
        let is_same = self
            .info
            .id
            .as_ref()
            .is_none_or(|id| *id == subscribed.framework_id);
        if !is_same {
            scene.fail(format_args!(
                "{:?} is subscribed under another id",
                self.info.id
            ));
        }
        self.info.id = Some(subscribed.framework_id);
        let Some(process) = &mut self.process else {
            return;
        };
        (process.subscribed, process.attempts) = (true, 0);
        if self.goal == Goal::TearDown {
            return self.call(&calls::teardown(), scene);
        }
        self.work
            .tasks
            .values_mut()
            .for_each(|known| known.killed = None);
        self.ask(Duration::ZERO, scene);
        self.tend(scene);
    }

    fn rescinded(&mut self, rescind: &v1::scheduler::event::Rescind) {
        let id = OfferId::try_from(&rescind.offer_id);
        if let (Some(process), Ok(id)) = (&mut self.process, id) {
            process.offers.remove(&id);
        }
    }

    fn updated(&mut self, status: v1::TaskStatus, scene: &mut Scene) {
        let status = TaskStatus::try_from(status).unwrap_or_else(|error| scene.fail(error));
        let is_answer = status.uuid.is_none() && status.reason == Some(Reason::Reconciliation);
        let told = &mut scene.checks.told;
        let held = match is_answer {
            true => told.answer(&status.task_id, status.state),
            false => told.tell(&status.task_id, status.state),
        };
        scene.hold(held);
        if !self.work.hear(&status.task_id, status.state, scene.now) {
            scene.fail(format_args!(
                "{:?} hears of task {}",
                self.info.id, status.task_id
            ));
        }
        let updates = &mut scene.checks.updates;
        status
            .uuid
            .into_iter()
            .for_each(|it| updates.dealt_with(it));
        if self.is_doomed {
            // It has dealt with the update, and dies before it says so.
            return self.die(scene);
        }
        self.acknowledge(&status, scene);
        self.tend(scene);
    }

    /// Acknowledges an update, but for the few that it forgets to at first.
    fn acknowledge(&mut self, status: &TaskStatus, scene: &mut Scene) {
        let Some(process) = &mut self.process else {
            return;
        };
        let (Some(uuid), Some(agent)) = (status.uuid, &status.agent_id) else {
            return;
        };
        if scene.dice.chance(scene.faults.forgetfulness) && process.forgotten.insert(uuid) {
            return;
        }
        self.call(&calls::acknowledge(agent, &status.task_id, uuid), scene);
    }

    /// The master ends the subscription and says why.
    fn refused(&mut self, message: &str, scene: &mut Scene) {
        match message {
            "Framework has been removed" => {}
            // A subscription of an earlier life came late. As with the SDK the program ends, and
            // somebody starts it again.
            "Framework failed over" => return self.die(scene),
            _ => scene.fail(format_args!("{:?} hears: {message}", self.info.id)),
        }
        self.info.id = None;
        self.work.begin_anew();
        self.operations.begin_anew();
        if self.goal == Goal::TearDown {
            self.goal = Goal::Gone;
        }
        self.hang_up(scene);
    }

    /// The master's end of a connection is gone.
    pub(crate) fn hung_up(&mut self, connection: u64, scene: &mut Scene) {
        if self
            .process
            .as_ref()
            .is_some_and(|process| process.link == Some(connection))
        {
            self.hang_up(scene);
        }
    }

    fn hang_up(&mut self, scene: &mut Scene) {
        let Some(process) = &mut self.process else {
            return;
        };
        process.subscribed = false;
        process.offers.clear();
        if let Some(link) = process.link.take() {
            scene.close(link, Side::Peer);
            self.dial_later(scene);
        }
    }

    fn tick(&mut self, scene: &mut Scene) {
        scene.after(TICK, self.happening(FrameworkTurn::Tick));
        let Some(process) = &self.process else { return };
        if process.link.is_some() && scene.now.since(process.heard) > SILENCE {
            return self.hang_up(scene);
        }
        if process.subscribed && self.goal != Goal::TearDown {
            self.err(scene);
            self.ask(ASK_AFTER, scene);
            self.tend(scene);
        }
    }

    /// Does what frameworks rarely do: becomes another, or kills what it wants.
    fn err(&mut self, scene: &mut Scene) {
        if scene.dice.chance(scene.faults.mischief / 3.0) {
            self.become_another(scene);
            self.call(&calls::update(self.info.clone(), self.suppressed()), scene);
        }
        if scene.dice.chance(scene.faults.mischief) {
            let task = self
                .work
                .open()
                .next()
                .map(|(id, known)| (id.clone(), known.agent.clone()));
            if let Some((id, agent)) = task {
                self.call(&calls::kill(&id, Some(&agent), None), scene);
            }
        }
    }

    /// Asks about every open task that was not heard of for so long, and sometimes about all.
    fn ask(&mut self, silence: Duration, scene: &mut Scene) {
        let now = scene.now;
        let silent = self
            .work
            .open()
            .filter(|(_, known)| now.since(known.heard) >= silence);
        let mut tasks: Vec<_> = silent
            .map(|(id, known)| (id.clone(), Some(known.agent.clone())))
            .collect();
        if scene.dice.chance(0.1) {
            tasks.iter_mut().for_each(|(_, agent)| *agent = None);
        }
        if !tasks.is_empty() {
            self.call(&calls::reconcile(&tasks), scene);
        }
        if scene.dice.chance(0.1) {
            self.call(&calls::reconcile(&[]), scene);
        }
        self.ask_for_operations(silence, scene);
    }

    /// Kills what is not wanted, and says whether offers are.
    fn tend(&mut self, scene: &mut Scene) {
        for id in self.work.redundant() {
            let Some(known) = self.work.tasks.get_mut(&id) else {
                continue;
            };
            if known
                .killed
                .is_some_and(|at| scene.now.since(at) < ASK_AFTER)
            {
                continue;
            }
            known.killed = Some(scene.now);
            let agent = scene.dice.chance(0.7).then_some(&known.agent);
            let grace = scene.dice.chance(0.3).then(|| scene.dice.seconds(0, 10));
            let kill = calls::kill(&id, agent, grace);
            self.call(&kill, scene);
        }
        let idle = self.work.needy(scene.now).next().is_none();
        let Some(process) = &mut self.process else {
            return;
        };
        if process.suppressed != idle {
            process.suppressed = idle;
            let roles = if scene.dice.chance(0.5) {
                &self.roles[..]
            } else {
                &[]
            };
            let call = if idle {
                calls::suppress(roles)
            } else {
                calls::revive(roles)
            };
            self.call(&call, scene);
        }
    }

    /// From now on the framework wants nothing but an end.
    pub(crate) fn wind_down(&mut self, scene: &mut Scene) {
        self.work.end();
        self.goal = if scene.dice.chance(0.3) {
            Goal::TearDown
        } else {
            Goal::End
        };
        if self
            .process
            .as_ref()
            .is_none_or(|process| !process.subscribed)
        {
            return;
        }
        match self.goal {
            Goal::TearDown => self.call(&calls::teardown(), scene),
            _ => self.tend(scene),
        }
    }

    /// Whether it has what it wants.
    pub(crate) fn is_satisfied(&self) -> bool {
        let is_here = self.is_subscribed() && self.operations.is_idle();
        match self.goal {
            Goal::Work => is_here && self.work.is_satisfied(),
            Goal::End => is_here && self.work.is_idle(),
            Goal::TearDown => false,
            Goal::Gone => true,
        }
    }

    pub(crate) fn is_subscribed(&self) -> bool {
        self.process
            .as_ref()
            .is_some_and(|process| process.subscribed)
    }

    /// Whether it has removed itself.
    pub(crate) fn is_gone(&self) -> bool {
        self.goal == Goal::Gone
    }

    /// What it knows of its open tasks.
    pub(crate) fn view(&self) -> View {
        let open = self.work.open().filter_map(|(id, known)| {
            Some(((self.id()?, id.clone()), (known.agent.clone(), known.state)))
        });
        open.collect()
    }

    /// What it waits for, for who looks into a run.
    pub(crate) fn describe(&self) -> String {
        let (index, goal) = (self.index, self.goal);
        let subscribed = self.is_subscribed();
        let (work, operations) = (self.work.describe(), self.operations.describe());
        format!(
            "framework {index} ({goal:?}, subscribed: {subscribed}): {work}; operations: \
             {operations}"
        )
    }

    /// How long it may be away.
    pub(crate) fn failover_timeout(&self) -> Duration {
        Duration::from_secs_f64(self.info.failover_timeout())
    }

    /// Whether it dies before it says what follows from the next thing it writes down.
    pub(crate) const fn doom(&mut self, is_doomed: bool) {
        self.is_doomed = is_doomed;
    }

    /// Its process dies, and starts again after a while.
    pub(crate) fn die(&mut self, scene: &mut Scene) {
        let span = match scene.dice.between(0, 2) {
            0 => scene.dice.seconds(0, 60),
            _ => scene.dice.millis(50, 5000),
        };
        self.stay_away(span, scene);
    }

    /// Its process dies, and starts again after that span.
    pub(crate) fn stay_away(&mut self, span: Duration, scene: &mut Scene) {
        let Some(process) = self.process.take() else {
            return;
        };
        self.life += 1;
        self.is_doomed = false;
        if let Some(link) = process.link {
            if scene.dice.chance(0.3) {
                // Its machine died with it: the master still believes in it for a while.
                scene.sever(link);
            }
            scene.close(link, Side::Peer);
        }
        scene.after(span, self.happening(FrameworkTurn::Start));
    }
}
