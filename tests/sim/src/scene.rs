//! What everybody in a run shares: the clock, the queue of what will happen, chance, the network,
//! and the checks.

use core::{fmt, time::Duration};
use std::collections::BTreeMap;

use tepui_model::{ContainerId, Time};

use crate::{
    agent::{AgentTurn, MachineTurn},
    checks::{Checks, Held},
    dice::Dice,
    faults::{Faults, Mishap, Node},
    framework::FrameworkTurn,
    master::MasterTurn,
    network::{Fate, Network, Peer, Side},
    trace::Trace,
};

/// When every run begins: a time that is not near zero, from which spans are taken.
pub(crate) const START: Time = Time::from_micros(1_000_000_000_000);

/// How long it takes at most until a side notices that its connection is broken, if no silence
/// limit tells it before.
const NOTICED_WITHIN_SECONDS: u64 = 100;

/// What goes over a connection.
#[derive(Clone)]
pub(crate) enum Packet {
    /// One message, as its bytes.
    Message(Vec<u8>),
    /// The other side has closed the connection.
    End,
}

impl fmt::Debug for Packet {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Message(bytes) => write!(formatter, "{} bytes", bytes.len()),
            Self::End => formatter.write_str("the end"),
        }
    }
}

/// What will happen at a time. Numbers next to a node name its life: what was to happen in an
/// earlier one does not.
#[derive(Clone, Debug)]
pub(crate) enum Happening {
    /// Something arrives at a side of a connection.
    Arrives(u64, Side, Packet),
    /// A side notices that its connection is broken.
    Noticed(u64, Side),
    /// The master's server says that it lives.
    Heartbeat(u64),
    Master(u32, MasterTurn),
    Agent(usize, u32, AgentTurn),
    Machine(usize, ContainerId, u64, MachineTurn),
    Framework(usize, u32, FrameworkTurn),
    Mishap(Mishap),
    /// A peer is reachable again.
    Mended(Peer),
    /// Time to see how far the run has come.
    Look,
}

impl Happening {
    /// Whose process it happens to. It waits while that one sleeps.
    pub(crate) fn to(&self, network: &Network) -> Option<Node> {
        match self {
            Self::Arrives(_, Side::Master, _)
            | Self::Noticed(_, Side::Master)
            | Self::Heartbeat(_)
            | Self::Master(..) => Some(Node::Master),
            Self::Arrives(connection, Side::Peer, _) | Self::Noticed(connection, Side::Peer) => {
                Some(match network.peer(*connection)? {
                    Peer::Agent(index) => Node::Agent(index),
                    Peer::Framework(index) => Node::Framework(index),
                })
            }
            Self::Agent(index, ..) => Some(Node::Agent(*index)),
            Self::Framework(index, ..) => Some(Node::Framework(*index)),
            Self::Machine(..) | Self::Mishap(_) | Self::Mended(_) | Self::Look => None,
        }
    }
}

/// What everybody in a run shares.
#[derive(Debug)]
pub(crate) struct Scene {
    pub(crate) now: Time,
    pub(crate) dice: Dice,
    pub(crate) faults: Faults,
    pub(crate) network: Network,
    pub(crate) checks: Checks,
    pub(crate) trace: Trace,
    queue: BTreeMap<(Time, u64), Happening>,
    count: u64,
}

impl Scene {
    pub(crate) fn new(dice: Dice, faults: Faults, checks: Checks) -> Self {
        Self {
            now: START,
            dice,
            faults,
            network: Network::default(),
            checks,
            trace: Trace::new(),
            queue: BTreeMap::new(),
            count: 0,
        }
    }

    /// Lets something happen at a time, after all that happens then already.
    pub(crate) fn at(&mut self, time: Time, what: Happening) {
        self.count += 1;
        self.queue.insert((time.max(self.now), self.count), what);
    }

    pub(crate) fn after(&mut self, span: Duration, what: Happening) {
        self.at(self.now + span, what);
    }

    /// The next thing that happens. Time goes on to it.
    pub(crate) fn next(&mut self) -> Option<Happening> {
        let ((time, _), what) = self.queue.pop_first()?;
        self.now = time;
        Some(what)
    }

    /// Opens a connection to the master, if there is a way.
    pub(crate) fn connect(&mut self, peer: Peer) -> Option<u64> {
        self.network.connect(self.now, peer)
    }

    /// Sends a message to a side, once or, if it may be repeated, perhaps twice.
    pub(crate) fn send(&mut self, connection: u64, to: Side, message: Vec<u8>, repeatable: bool) {
        if !self.network.is_open(connection, to.other()) {
            return;
        }
        let twice = repeatable && self.dice.chance(self.faults.duplication);
        if twice {
            self.packet(connection, to, Packet::Message(message.clone()));
        }
        self.packet(connection, to, Packet::Message(message));
    }

    /// One side closes a connection; the other will hear of it.
    pub(crate) fn close(&mut self, connection: u64, side: Side) {
        if self.network.close(connection, side) && self.network.is_open(connection, side.other()) {
            self.packet(connection, side.other(), Packet::End);
        }
    }

    /// A connection breaks without a word: each side notices in its own time.
    pub(crate) fn sever(&mut self, connection: u64) {
        if self.network.sever(connection) {
            self.notice_later(connection);
        }
    }

    fn packet(&mut self, connection: u64, to: Side, packet: Packet) {
        let Self {
            now,
            network,
            faults,
            dice,
            ..
        } = self;
        match network.send(*now, connection, to, faults, dice) {
            Fate::Arrives(at) => self.at(at, Happening::Arrives(connection, to, packet)),
            Fate::Breaks => self.notice_later(connection),
            Fate::Vanishes => {}
        }
    }

    fn notice_later(&mut self, connection: u64) {
        for side in [Side::Master, Side::Peer] {
            let span = self.dice.seconds(0, NOTICED_WITHIN_SECONDS);
            self.after(span, Happening::Noticed(connection, side));
        }
    }

    /// Microseconds since the run began.
    pub(crate) fn micros(&self) -> u64 {
        self.now.as_micros() - START.as_micros()
    }

    /// Prints a remark for who looks into a run.
    pub(crate) fn remark(&self, what: fmt::Arguments<'_>) {
        self.trace.print(self.micros(), what);
    }

    /// Ends the run if a promise is broken.
    pub(crate) fn hold(&self, held: Held) {
        held.unwrap_or_else(|violation| self.fail(violation));
    }

    /// Ends the run: the product does what it must not do.
    pub(crate) fn fail(&self, what: impl fmt::Display) -> ! {
        panic!("after {:.6} s: {what}", self.micros() as f64 / 1e6);
    }
}
