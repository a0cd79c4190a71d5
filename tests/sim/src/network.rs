//! Connections to the master: ordered while they live, and lost as a whole when a message is lost.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use tepui_model::Time;

use crate::{dice::Dice, faults::Faults};

/// Who is at the far end of a connection to the master.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Peer {
    Agent(usize),
    Framework(usize),
}

/// One of the two ends of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Master,
    Peer,
}

impl Side {
    pub(crate) const fn other(self) -> Self {
        match self {
            Self::Master => Self::Peer,
            Self::Peer => Self::Master,
        }
    }
}

#[derive(Debug)]
struct Connection {
    peer: Peer,
    /// Messages vanish; each side will notice in its own time.
    is_broken: bool,
    /// Which sides believe in it.
    is_open: [bool; 2],
    /// When the last message to each side arrives, so that none overtakes it.
    last: [Time; 2],
}

/// Every connection that a side still believes in.
#[derive(Debug, Default)]
pub(crate) struct Network {
    connections: BTreeMap<u64, Connection>,
    count: u64,
    cut: BTreeSet<Peer>,
    /// Whether there is a master to connect to.
    pub(crate) is_listening: bool,
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
    /// A new connection; `None` while there is no master, or no way to it.
    pub(crate) fn connect(&mut self, now: Time, peer: Peer) -> Option<u64> {
        if !self.is_listening || self.cut.contains(&peer) {
            return None;
        }
        self.count += 1;
        let connection = Connection {
            peer,
            is_broken: false,
            is_open: [true; 2],
            last: [now; 2],
        };
        self.connections.insert(self.count, connection);
        Some(self.count)
    }

    /// From now on what goes to and from a peer is lost.
    pub(crate) fn cut(&mut self, peer: Peer) {
        self.cut.insert(peer);
    }

    pub(crate) fn mend(&mut self, peer: Peer) {
        self.cut.remove(&peer);
    }

    /// Who is at the far end, as long as a side believes in the connection.
    pub(crate) fn peer(&self, connection: u64) -> Option<Peer> {
        self.connections.get(&connection).map(|it| it.peer)
    }

    pub(crate) fn is_open(&self, connection: u64, side: Side) -> bool {
        self.connections
            .get(&connection)
            .is_some_and(|it| it.is_open[side as usize])
    }

    /// The connections that a side believes in.
    pub(crate) fn open(&self, side: Side) -> Vec<u64> {
        let open = self
            .connections
            .iter()
            .filter(|(_, it)| it.is_open[side as usize]);
        open.map(|(number, _)| *number).collect()
    }

    /// Decides on a message to a side.
    pub(crate) fn send(
        &mut self,
        now: Time,
        connection: u64,
        to: Side,
        faults: &Faults,
        dice: &mut Dice,
    ) -> Fate {
        let delay = dice.millis(0, faults.delay_millis) + Duration::from_micros(100);
        let is_lost = dice.chance(faults.loss);
        let Some(open) = self.connections.get_mut(&connection) else {
            return Fate::Vanishes;
        };
        if open.is_broken {
            return Fate::Vanishes;
        }
        if is_lost || self.cut.contains(&open.peer) {
            open.is_broken = true;
            return Fate::Breaks;
        }
        let last = &mut open.last[to as usize];
        *last = (*last).max(now + delay);
        Fate::Arrives(*last)
    }

    /// Nothing goes over the connection any more. Whether it was whole before.
    pub(crate) fn sever(&mut self, connection: u64) -> bool {
        let Some(open) = self.connections.get_mut(&connection) else {
            return false;
        };
        !core::mem::replace(&mut open.is_broken, true)
    }

    /// A side believes in the connection no more. Whether it did before.
    pub(crate) fn close(&mut self, connection: u64, side: Side) -> bool {
        let Some(open) = self.connections.get_mut(&connection) else {
            return false;
        };
        let was_open = core::mem::replace(&mut open.is_open[side as usize], false);
        if open.is_open == [false; 2] {
            self.connections.remove(&connection);
        }
        was_open
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SENDER: Peer = Peer::Agent(0);

    fn network() -> (Network, u64) {
        let mut network = Network {
            is_listening: true,
            ..Network::default()
        };
        let connection = network.connect(Time::ZERO, SENDER).unwrap();
        (network, connection)
    }

    #[test]
    fn no_message_overtakes_another_of_its_way() {
        let (mut network, connection) = network();
        let faults = Faults {
            delay_millis: 1000,
            ..Faults::none()
        };
        let mut dice = Dice::new(1);
        let mut last = Time::ZERO;
        for _ in 0..100 {
            let fate = network.send(Time::ZERO, connection, Side::Master, &faults, &mut dice);
            let Fate::Arrives(at) = fate else {
                panic!("{fate:?}")
            };
            assert!(at >= last);
            last = at;
        }
    }

    #[test]
    fn a_lost_message_takes_its_connection_with_it() {
        let (mut network, connection) = network();
        let faults = Faults {
            loss: 1.0,
            ..Faults::none()
        };
        let mut dice = Dice::new(1);
        let mut send = |network: &mut Network, faults: &Faults| {
            network.send(Time::ZERO, connection, Side::Peer, faults, &mut dice)
        };
        assert_eq!(send(&mut network, &faults), Fate::Breaks);
        assert_eq!(send(&mut network, &Faults::none()), Fate::Vanishes);
        assert!(
            network.is_open(connection, Side::Master),
            "nobody has noticed"
        );
    }

    #[test]
    fn who_is_cut_off_cannot_connect() {
        let (mut network, connection) = network();
        network.cut(SENDER);
        assert_eq!(network.connect(Time::ZERO, SENDER), None);
        let mut dice = Dice::new(1);
        let fate = network.send(
            Time::ZERO,
            connection,
            Side::Peer,
            &Faults::none(),
            &mut dice,
        );
        assert_eq!(fate, Fate::Breaks);
        network.mend(SENDER);
        assert!(network.connect(Time::ZERO, SENDER).is_some());
    }

    #[test]
    fn a_connection_is_forgotten_when_both_sides_have_closed_it() {
        let (mut network, connection) = network();
        assert!(network.close(connection, Side::Peer));
        assert!(!network.close(connection, Side::Peer));
        assert_eq!(network.peer(connection), Some(SENDER));
        assert!(network.close(connection, Side::Master));
        assert_eq!(network.peer(connection), None);
    }
}
