//! Faults as they strike, and what operators do meanwhile.

use core::time::Duration;
use std::collections::BTreeSet;

use tepui_master_core::{OperatorCall, RecordKind};
use tepui_model::AgentId;
use tepui_proto::v1::{self, master::call};

use super::World;
use crate::{
    agent::{AgentNode, Death},
    faults::{Faults, Mishap, Node},
    master::operator_call,
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
            Mishap::AgentIsGone(index) => {
                let id = self.agents[index]
                    .core()
                    .and_then(|core| core.id().cloned());
                id.iter().for_each(|id| self.mark_gone(id));
            }
            Mishap::Teardown(index) => self.teardown(index),
            Mishap::TaskIsKilled(index) => self.kill_task(index),
            Mishap::Weight => self.change_weight(),
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

    /// Tells the master which agents will never come back. One that left, or that never heard its
    /// id, may be waited for as long as nobody tells.
    pub(super) fn tidy(&mut self) {
        let registered = self.agents.iter().filter_map(AgentNode::core);
        let own: BTreeSet<AgentId> = registered
            .filter(|core| core.is_registered())
            .filter_map(|core| core.id().cloned())
            .collect();
        if own.len() < self.agents.len() {
            return;
        }
        let lost = self.master.kept(RecordKind::Unreachable);
        let lost: Vec<AgentId> = lost.filter_map(|id| AgentId::new(id).ok()).collect();
        for id in lost.iter().filter(|id| !own.contains(*id)) {
            self.mark_gone(id);
        }
    }

    fn mark_gone(&mut self, id: &AgentId) {
        let mark = call::MarkAgentGone {
            agent_id: id.into(),
        };
        let call = v1::master::Call {
            mark_agent_gone: Some(mark),
            ..operator_call(call::Type::MarkAgentGone)
        };
        self.master
            .operate(OperatorCall::V1(Box::new(call)), &mut self.scene);
    }

    fn teardown(&mut self, index: usize) {
        let Some(id) = self.frameworks[index].id() else {
            return;
        };
        let call = v1::master::Call {
            teardown: Some(call::Teardown {
                framework_id: id.into(),
            }),
            ..operator_call(call::Type::Teardown)
        };
        self.master
            .operate(OperatorCall::V1(Box::new(call)), &mut self.scene);
    }

    fn kill_task(&mut self, index: usize) {
        let view = self.frameworks[index].view();
        let Some(((framework_id, task_id), _)) = view.into_iter().next() else {
            return;
        };
        let grace = self
            .scene
            .dice
            .chance(0.5)
            .then_some(Duration::from_secs(1));
        let call = OperatorCall::KillTask {
            framework_id: Some(framework_id),
            task_id,
            grace,
        };
        self.master.operate(call, &mut self.scene);
    }

    fn change_weight(&mut self) {
        let role = self.scene.dice.pick(&["*", "web", "batch"]).to_owned();
        let weight = self.scene.dice.pick(&[0.5, 1.0, 3.0]);
        let infos = vec![v1::WeightInfo {
            role: Some(role),
            weight,
        }];
        let call = v1::master::Call {
            update_weights: Some(call::UpdateWeights {
                weight_infos: infos,
            }),
            ..operator_call(call::Type::UpdateWeights)
        };
        self.master
            .operate(OperatorCall::V1(Box::new(call)), &mut self.scene);
    }
}
