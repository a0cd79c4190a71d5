//! Frameworks that say what they wait for, and tasks that give way to it.

use core::time::Duration;

use tepui_model::{AgentId, FrameworkInfo};
use tepui_proto::{services::RolePriority, v1};

use super::{framework::FakeFramework, world::World};
use crate::{
    Action, Config, OperatorCall, Preemption,
    calls::Ask,
    testing::{self, Cluster, resources, role, task_info},
};

/// With preemption, and little patience.
pub(super) fn config() -> Config {
    Config {
        preemption: Some(Preemption {
            patience: Duration::from_secs(1),
            notice: Duration::from_secs(3),
        }),
        ..testing::config()
    }
}

pub(super) fn with_budget(info: &FrameworkInfo, budget: u32) -> FrameworkInfo {
    let wire = v1::FrameworkInfo {
        tepui_preemption_budget: Some(budget),
        ..v1::FrameworkInfo::clone(&info.wire)
    };
    FrameworkInfo::try_from(wire).unwrap()
}

/// The same framework, that may be shown what others are shown too.
pub(super) fn optimistic(info: &FrameworkInfo) -> FrameworkInfo {
    let wire = v1::FrameworkInfo {
        tepui_optimistic_offers: Some(true),
        ..v1::FrameworkInfo::clone(&info.wire)
    };
    FrameworkInfo::try_from(wire).unwrap()
}

pub(super) fn task(name: &str, agent: &AgentId, size: &str, priority: usize) -> v1::TaskInfo {
    v1::TaskInfo {
        tepui_priority: i32::try_from(priority).ok(),
        ..task_info(name, agent, size)
    }
}

impl World {
    /// A framework says what it waits for, or nothing any longer.
    pub(super) fn ask(&mut self, framework: usize) {
        let own = &self.frameworks[framework];
        let Some(connection) = own.connection else {
            return;
        };
        let roles = own.roles();
        let mut asks = Vec::new();
        for _ in 0..self.below(3) {
            let size = ["cpus:1;mem:100", "cpus:3", "cpus:0.5;ports:[3-4]"][self.below(3)];
            let role = role(&roles[self.below(roles.len())]);
            let urgency = self.below(4);
            asks.push(Ask {
                role: Some(role),
                agent_id: None,
                resources: resources(size),
                count: u32::try_from(1 + self.below(3)).unwrap(),
                gang: None,
                priority: i32::try_from(urgency).unwrap(),
            });
        }
        self.cluster.call(connection, Action::Request(asks));
    }

    /// An operator sets the priority of a role, or takes it away.
    pub(super) fn prioritize(&mut self) {
        let role = ["a", "b", "b/c", "*"][self.below(4)].to_owned();
        let priority = [None, Some(-1), Some(1), Some(2)][self.below(4)];
        let call = OperatorCall::UpdatePriorities(vec![RolePriority { role, priority }]);
        self.cluster.operate(call).unwrap();
    }
}

impl FakeFramework {
    fn roles(&self) -> Vec<String> {
        let roles = self.info.roles.iter();
        roles.map(ToString::to_string).collect()
    }

    pub(super) fn ask_for_nothing(&self, cluster: &mut Cluster) {
        if let Some(connection) = self.connection {
            cluster.call(connection, Action::Request(Vec::new()));
        }
    }
}
