//! Connections to the master: ordered while they live, and lost as a whole when a message is lost.

use std::collections::BTreeMap;

use core::time::Duration;

use tepui_model::Time;

use crate::{dice::Dice, faults::Faults};

/// Who is at the far end of a connection to the master.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Peer {
    Agent(usize),
    Framework(usize),
}

/// Which way a message goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    ToMaster,
    FromMaster,
}

#[derive(Debug)]
struct Connection {
    peer: Peer,
    /// Messages vanish; each side will notice in its own time.
    is_broken: bool,
    /// When the last message of each way arrives, so that none overtakes it.
    last: [Time; 2],
}

/// Every connection that one side still believes in.
#[derive(Debug, Default)]
pub(crate) struct Network {
    connections: BTreeMap<u64, Connection>,
    next: u64,
    partitioned: BTreeMap<Peer, bool>,
}

/// What becomes of a message.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It arrives then.
    Arrives(Time),
    /// It is lost, and its connection with it.
    Breaks,
    /// It went into a connection that is broken already.
    Vanishes,
}

impl Network {
    /// A new connection; `None` while the peer is cut off.
    pub(crate) fn connect(&mut self, now: Time, peer: Peer) -> Option<u64> {
        if self.is_cut(peer) {
            return None;
        }
        self.next += 1;
        let connection = Connection { peer, is_broken: false, last: [now; 2] };
        self.connections.insert(self.next, connection);
        Some(self.next)
    }

    pub(crate) fn cut(&mut self, peer: Peer, is_cut: bool) {
        self.partitioned.insert(peer, is_cut);
    }

    fn is_cut(&self, peer: Peer) -> bool {
        self.partitioned.get(&peer).copied().unwrap_or(false)
    }

    /// Who is at the far end, as long as the connection is not forgotten.
    pub(crate) fn peer(&self, connection: u64) -> Option<Peer> {
        self.connections.get(&connection).map(|it| it.peer)
    }

    /// Decides on a message.
    pub(crate) fn send(
        &mut self,
        now: Time,
        connection: u64,
        way: Way,
        faults: &Faults,
        dice: &mut Dice,
    ) -> Fate {
        let Some(peer) = self.peer(connection) else { return Fate::Vanishes };
        let is_cut = self.is_cut(peer);
        let delay = dice.millis(0, faults.delay.as_millis() as u64) + Duration::from_micros(100);
        let is_lost = dice.chance(faults.loss);
        let Some(open) = self.connections.get_mut(&connection) else { return Fate::Vanishes };
        if open.is_broken {
            return Fate::Vanishes;
        }
        if is_lost || is_cut {
            open.is_broken = true;
            return Fate::Breaks;
        }
        let last = &mut open.last[way as usize];
        *last = (*last).max(now + delay);
        Fate::Arrives(*last)
    }

    /// Breaks every connection of which one end died; gives them.
    pub(crate) fn break_all(&mut self, is_hit: impl Fn(Peer) -> bool) -> Vec<u64> {
        let hit = self.connections.iter_mut().filter(|(_, it)| is_hit(it.peer) && !it.is_broken);
        hit.map(|(number, it)| {
            it.is_broken = true;
            *number
        })
        .collect()
    }

    /// Both sides have noticed the end.
    pub(crate) fn forget(&mut self, connection: u64) {
        self.connections.remove(&connection);
    }
}
