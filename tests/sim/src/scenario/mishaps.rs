//! What breaks.

use core::time::Duration;

use super::{
    file::{Fault, FaultKind, Length},
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
}
