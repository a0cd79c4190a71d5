//! What breaks, and what operators do.

use core::time::Duration;

use tepui_master_core::OperatorCall;
use tepui_model::AgentId;
use tepui_proto::v1::{self, master::call};

use super::{
    file::{Fault, FaultKind, Length, NewWeight},
    queue::Turn,
    world::World,
};

/// How long the next master takes to start, unless the scenario says.
const FAILOVER: Duration = Duration::from_secs(1);

/// Agents and frameworks notice within this time that there is a new master.
const RECONNECT: Duration = Duration::from_secs(2);

/// How often a victim is looked for before none is found.
const ATTEMPTS: u32 = 64;

impl World<'_> {
    pub(super) fn plan_mishaps(&mut self) {
        let scenario = self.scenario;
        for (number, fault) in (0..).zip(&scenario.faults) {
            let first = fault.at.unwrap_or_else(|| self.gap(fault));
            self.after(first, Turn::Fault(number));
        }
        for (number, deed) in (0..).zip(&scenario.events) {
            self.after(deed.at, Turn::Event(number));
        }
    }

    /// The time until a fault happens again.
    fn gap(&mut self, fault: &Fault) -> Duration {
        let mean = fault.every.unwrap_or(Duration::MAX);
        Length::Exponential { mean }.draw(&mut self.fate)
    }

    pub(super) fn fault(&mut self, number: u32) {
        let scenario = self.scenario;
        let Some(fault) = scenario.faults.get(number as usize) else {
            return;
        };
        if fault.every.is_some() {
            let gap = self.gap(fault);
            self.after(gap, Turn::Fault(number));
        }
        match fault.kind {
            FaultKind::MasterFailover => self.fail_over(fault.lasts.unwrap_or(FAILOVER)),
            FaultKind::AgentLoss | FaultKind::NetworkPause => {
                for _ in 0..fault.count {
                    if let Some(agent) = self.victim() {
                        self.hit(agent, fault);
                    }
                }
            }
        }
    }

    /// An agent that is there.
    fn victim(&mut self) -> Option<u32> {
        let count = self.agents.len();
        let found = (0..ATTEMPTS).map(|_| self.fate.index(count));
        let found: Vec<usize> = found.collect();
        let is_there = |agent: &usize| self.agents[*agent].connection.is_some();
        found.into_iter().find(is_there).map(|agent| agent as u32)
    }

    fn hit(&mut self, agent: u32, fault: &Fault) {
        let back = fault.lasts.map(|span| self.now + span);
        let node = &mut self.agents[agent as usize];
        node.away_until = back.unwrap_or(tepui_model::Time::MAX);
        let connection = node.connection.take();
        if fault.kind == FaultKind::AgentLoss {
            let class = node.class as usize;
            node.is_up = false;
            node.id = None;
            self.measures.agent_went(class);
            self.end_tasks(agent);
        }
        if let Some(connection) = connection {
            self.after(self.latency(), Turn::AgentGone(connection));
        }
        if let Some(back) = back {
            self.queue.plan(back, Turn::AgentStarts(agent));
        }
    }

    /// The master dies, and another starts. Everyone finds it by and by.
    fn fail_over(&mut self, span: Duration) {
        self.master.die();
        self.after(span, Turn::MasterStarts);
        for agent in 0..self.agents.len() as u32 {
            if self.agents[agent as usize].connection.take().is_some() {
                let wait = span + RECONNECT.mul_f64(self.fate.unit());
                self.after(wait, Turn::AgentStarts(agent));
            }
        }
        for framework in 0..self.frameworks.len() as u32 {
            if self.disconnect(framework).is_some() {
                let wait = span + RECONNECT.mul_f64(self.fate.unit());
                self.after(wait, Turn::FrameworkComes(framework));
            }
        }
    }

    pub(super) fn event(&mut self, number: u32) {
        let scenario = self.scenario;
        let Some(deed) = scenario.events.get(number as usize) else {
            return;
        };
        if let Some(change) = &deed.weight {
            self.change_weight(change);
        }
        if let Some(drain) = &deed.drain {
            for agent in self.agents_in(&drain.rack) {
                self.drain(agent);
            }
            self.after(drain.lasts, Turn::EventEnds(number));
        }
    }

    /// What an operator does lasts no longer.
    pub(super) fn event_ends(&mut self, number: u32) {
        let scenario = self.scenario;
        let deed = scenario.events.get(number as usize);
        if let Some(drain) = deed.and_then(|deed| deed.drain.as_ref()) {
            for agent in self.agents_in(&drain.rack) {
                self.reactivate(agent);
            }
        }
    }

    fn change_weight(&mut self, change: &NewWeight) {
        let weight = change.weight.as_f64();
        if let Some(role) = self.measures.role(&change.role) {
            self.measures.roles[role].weight = weight;
        }
        let infos = vec![v1::WeightInfo {
            weight,
            role: Some(change.role.clone()),
        }];
        self.operate(OperatorCall::V1(Box::new(v1::master::Call {
            r#type: Some(call::Type::UpdateWeights.into()),
            update_weights: Some(call::UpdateWeights {
                weight_infos: infos,
            }),
            ..v1::master::Call::default()
        })));
    }

    /// The agents of a rack that are registered.
    fn agents_in(&self, rack: &str) -> Vec<AgentId> {
        let agents = (0..).zip(&self.agents);
        let there = agents.filter(|(number, agent)| {
            agent.connection.is_some()
                && agent.rack(self.class_of(*number)).as_deref() == Some(rack)
        });
        there.filter_map(|(_, agent)| agent.id.clone()).collect()
    }

    fn drain(&mut self, agent: AgentId) {
        self.operate(OperatorCall::V1(Box::new(v1::master::Call {
            r#type: Some(call::Type::DrainAgent.into()),
            drain_agent: Some(call::DrainAgent {
                agent_id: agent.into(),
                max_grace_period: None,
                mark_gone: None,
            }),
            ..v1::master::Call::default()
        })));
    }

    fn reactivate(&mut self, agent: AgentId) {
        self.operate(OperatorCall::V1(Box::new(v1::master::Call {
            r#type: Some(call::Type::ReactivateAgent.into()),
            reactivate_agent: Some(call::ReactivateAgent {
                agent_id: agent.into(),
            }),
            ..v1::master::Call::default()
        })));
    }
}
