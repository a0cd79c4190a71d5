//! Faults as they strike.

use core::time::Duration;

use super::World;
use crate::{
    agent::Death,
    faults::{Faults, Mishap, Node},
    network::Peer,
    scene::Happening,
};

impl World {
    pub(super) fn plan_mishaps(&mut self) {
        let (agents, frameworks) = (self.agents.len(), self.frameworks.len());
        let scene = &mut self.scene;
        let period = scene.faults.period.as_micros() as u64;
        for _ in 0..scene.faults.mishaps {
            let mishap = Mishap::draw(&mut scene.dice, agents, frameworks);
            let span = Duration::from_micros(scene.dice.between(0, period));
            scene.after(span, Happening::Mishap(mishap));
        }
    }

    pub(super) fn mishap(&mut self, mishap: Mishap) {
        let scene = &mut self.scene;
        match mishap {
            Mishap::Dies(Node::Master) => self.master.die(scene),
            Mishap::Dies(Node::Agent(index)) => self.agents[index].die(Death::OfProcess, scene),
            Mishap::Dies(Node::Framework(index)) => self.frameworks[index].die(scene),
            Mishap::DiesMidway(Node::Master) => self.master.doom(true),
            Mishap::DiesMidway(Node::Agent(index)) => self.agents[index].doom(true),
            Mishap::DiesMidway(Node::Framework(index)) => self.frameworks[index].doom(true),
            Mishap::Sleeps(node) => self.sleep(node),
            Mishap::MachineRestarts(index) => self.agents[index].die(Death::OfMachine, scene),
            Mishap::FrameworkStaysAway(index) => {
                let timeout = self.frameworks[index].failover_timeout();
                let span = timeout.min(Duration::from_secs(120)) + scene.dice.seconds(1, 60);
                self.frameworks[index].stay_away(span, scene);
            }
            Mishap::Partition(peer) => self.partition(peer),
            Mishap::AgentLeaves(index) => self.agents[index].leave(scene),
            Mishap::Order(order) => self.order(order),
        }
    }

    /// Faults are over. Who was to die next lives.
    pub(super) fn clear_up(&mut self) {
        self.scene.faults = Faults::none();
        self.master.doom(false);
        self.agents.iter_mut().for_each(|agent| agent.doom(false));
        self.frameworks
            .iter_mut()
            .for_each(|framework| framework.doom(false));
    }

    fn sleep(&mut self, node: Node) {
        let span = self.scene.dice.millis(100, 100_000);
        // Who sleeps goes on sleeping: what waits is queued for its waking, in order.
        let until = self.asleep.entry(node).or_insert(self.scene.now);
        if *until <= self.scene.now {
            *until = self.scene.now + span;
        }
    }

    fn partition(&mut self, peer: Peer) {
        let scene = &mut self.scene;
        scene.network.cut(peer);
        let span = match scene.dice.chance(0.5) {
            true => scene.dice.seconds(1, 40),
            false => scene.dice.seconds(40, 250),
        };
        scene.after(span, Happening::Mended(peer));
    }
}
