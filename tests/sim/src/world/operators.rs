//! What operators do: while faults go on anything, afterwards what puts things in order.

use core::time::Duration;
use std::collections::BTreeSet;

use tepui_master_core::{OperatorCall, RecordKind};
use tepui_model::{AgentId, Resources, Time, Traits};
use tepui_proto::v1::{
    self,
    maintenance::{Schedule, Window},
    master::{
        Call,
        call::{self, Type},
        response::{GetAgents, get_agents},
    },
    quota::QuotaConfig,
};

use super::{Stage, World};
use crate::{
    agent::AgentNode,
    faults::{Mishap, Order},
    master::operator_call,
    plan,
    scene::Happening,
};

/// How long machines are down for.
const DOWN_SECONDS: (u64, u64) = (5, 90);

impl World {
    /// An operator does something, if faults go on; later they only put things in order.
    pub(super) fn order(&mut self, order: Order) {
        if !matches!(self.stage, Stage::Faults(_)) {
            return;
        }
        match order {
            Order::MarkGone(agent) => self.id_of(agent).iter().for_each(|id| self.mark_gone(id)),
            Order::Teardown(framework) => self.teardown(framework),
            Order::KillTask(framework) => self.kill_task(framework),
            Order::Weight => self.change_weight(),
            Order::Quota => self.change_quota(),
            Order::Reserve(agent) => self.reserve(agent),
            Order::Volume(agent) => self.make_volume(agent),
            Order::Deactivate(agent) => self.deactivate(agent),
            Order::Drain(agent) => self.drain(agent),
            Order::Reactivate(agent) => {
                self.id_of(agent).iter().for_each(|id| self.reactivate(id));
            }
            Order::Schedule(agent) => self.schedule(agent),
            Order::TakeDown(agent) => self.take_down(agent),
            Order::BringUp(agent) => self.bring_up(vec![machine(agent)]),
        }
    }

    fn later(&mut self, (low, high): (u64, u64), order: Order) {
        let span = self.scene.dice.seconds(low, high);
        self.scene
            .after(span, Happening::Mishap(Mishap::Order(order)));
    }

    fn call(&mut self, call: Call) {
        self.master
            .operate(OperatorCall::V1(Box::new(call)), &mut self.scene);
    }

    fn id_of(&self, agent: usize) -> Option<AgentId> {
        self.agents[agent].core()?.id().cloned()
    }

    /// The agents as the master shows them.
    fn shown(&self) -> Vec<get_agents::Agent> {
        self.master
            .core()
            .map_or_else(GetAgents::default, |core| core.snapshot().get_agents())
            .agents
    }

    fn mark_gone(&mut self, id: &AgentId) {
        self.call(Call {
            mark_agent_gone: Some(call::MarkAgentGone {
                agent_id: id.into(),
            }),
            ..operator_call(Type::MarkAgentGone)
        });
    }

    fn teardown(&mut self, index: usize) {
        let Some(id) = self.frameworks[index].id() else {
            return;
        };
        self.call(Call {
            teardown: Some(call::Teardown {
                framework_id: id.into(),
            }),
            ..operator_call(Type::Teardown)
        });
    }

    fn kill_task(&mut self, index: usize) {
        let view = self.frameworks[index].view();
        let Some(((framework_id, task_id), _)) = view.into_iter().next() else {
            return;
        };
        let has_grace = self.scene.dice.chance(0.5);
        let call = OperatorCall::KillTask {
            framework_id: Some(framework_id),
            task_id,
            grace: has_grace.then_some(Duration::from_secs(1)),
        };
        self.master.operate(call, &mut self.scene);
    }

    fn change_weight(&mut self) {
        let role = self.scene.dice.pick(&["*", "web", "batch"]).to_owned();
        let info = v1::WeightInfo {
            role: Some(role),
            weight: self.scene.dice.pick(&[0.5, 1.0, 3.0]),
        };
        self.call(Call {
            update_weights: Some(call::UpdateWeights {
                weight_infos: vec![info],
            }),
            ..operator_call(Type::UpdateWeights)
        });
    }

    fn change_quota(&mut self) {
        let dice = &mut self.scene.dice;
        let role = dice.pick(&plan::ROLES[1..]);
        let guaranteed = dice.pick(&["", "cpus:1", "cpus:3;mem:1024", "cpus:2;disk:200"]);
        let limits = dice.pick(&[
            "",
            "cpus:3",
            "cpus:4;mem:2048",
            "mem:600",
            "disk:100;cpus:8",
        ]);
        let quota = plan::quota(role, guaranteed, limits);
        let force = Some(dice.chance(0.7));
        self.update_quota(vec![quota], force);
    }

    fn update_quota(&mut self, quota_configs: Vec<QuotaConfig>, force: Option<bool>) {
        self.call(Call {
            update_quota: Some(call::UpdateQuota {
                force,
                quota_configs,
            }),
            ..operator_call(Type::UpdateQuota)
        });
    }

    fn reserve(&mut self, index: usize) {
        let Some(id) = self.id_of(index) else { return };
        let role = self.scene.dice.pick(&plan::ROLES[1..]);
        let amount = self.scene.dice.pick(&["disk:80", "cpus:0.2;mem:64"]);
        let reserved = plan::reserved(amount, role);
        self.call(Call {
            reserve_resources: Some(call::ReserveResources {
                agent_id: (&id).into(),
                source: Vec::new(),
                resources: reserved.to_proto(None),
            }),
            ..operator_call(Type::ReserveResources)
        });
    }

    /// A volume of what is reserved, if anything is.
    fn make_volume(&mut self, index: usize) {
        let Some(id) = self.id_of(index) else { return };
        let shown = self.shown().into_iter();
        let mut shown = shown.filter(|agent| agent.agent_info.id == Some((&id).into()));
        let Some(total) = shown.next().map(|agent| read(&agent.total_resources)) else {
            return;
        };
        let name = format!("operators-{}", self.scene.micros());
        let Some(volume) = plan::volume(&total, &name) else {
            return;
        };
        self.call(Call {
            create_volumes: Some(call::CreateVolumes {
                agent_id: (&id).into(),
                volumes: volume.to_proto(None),
            }),
            ..operator_call(Type::CreateVolumes)
        });
    }

    fn deactivate(&mut self, index: usize) {
        let Some(id) = self.id_of(index) else { return };
        self.call(Call {
            deactivate_agent: Some(call::DeactivateAgent {
                agent_id: (&id).into(),
            }),
            ..operator_call(Type::DeactivateAgent)
        });
        self.later((5, 60), Order::Reactivate(index));
    }

    fn drain(&mut self, index: usize) {
        let Some(id) = self.id_of(index) else { return };
        let mark_gone = Some(self.scene.dice.chance(0.2));
        self.call(Call {
            drain_agent: Some(call::DrainAgent {
                agent_id: (&id).into(),
                max_grace_period: None,
                mark_gone,
            }),
            ..operator_call(Type::DrainAgent)
        });
        self.later((10, 90), Order::Reactivate(index));
    }

    fn reactivate(&mut self, id: &AgentId) {
        self.call(Call {
            reactivate_agent: Some(call::ReactivateAgent {
                agent_id: id.into(),
            }),
            ..operator_call(Type::ReactivateAgent)
        });
    }

    /// A machine is to go down for a while, and perhaps does; the schedule knows no other.
    fn schedule(&mut self, index: usize) {
        let start = self.scene.now + self.scene.dice.seconds(0, 60);
        let window = Window {
            machine_ids: vec![machine(index)],
            unavailability: v1::Unavailability {
                start: v1::TimeInfo {
                    nanoseconds: nanoseconds(start),
                },
                duration: None,
            },
        };
        self.update_schedule(vec![window]);
        self.later((1, 40), Order::TakeDown(index));
    }

    fn update_schedule(&mut self, windows: Vec<Window>) {
        self.call(Call {
            update_maintenance_schedule: Some(call::UpdateMaintenanceSchedule {
                schedule: Schedule { windows },
            }),
            ..operator_call(Type::UpdateMaintenanceSchedule)
        });
    }

    fn take_down(&mut self, index: usize) {
        self.call(Call {
            start_maintenance: Some(call::StartMaintenance {
                machines: vec![machine(index)],
            }),
            ..operator_call(Type::StartMaintenance)
        });
        self.later(DOWN_SECONDS, Order::BringUp(index));
    }

    fn bring_up(&mut self, machines: Vec<v1::MachineId>) {
        self.call(Call {
            stop_maintenance: Some(call::StopMaintenance { machines }),
            ..operator_call(Type::StopMaintenance)
        });
    }

    /// Ends what operators began, and tells the master which agents will never come back.
    pub(super) fn tidy(&mut self) {
        self.end_maintenance();
        self.end_quotas();
        for agent in self.shown() {
            self.tidy_agent(&agent);
        }
        self.mark_lost_agents();
    }

    fn end_maintenance(&mut self) {
        let schedule = self.decided(Type::GetMaintenanceSchedule);
        let schedule = schedule.and_then(|it| it.get_maintenance_schedule);
        if schedule.is_none_or(|it| it.schedule.windows.is_empty()) {
            return;
        }
        let status = self.decided(Type::GetMaintenanceStatus);
        let down = status.and_then(|it| it.get_maintenance_status);
        let down = down.map_or_else(Vec::new, |it| it.status.down_machines);
        if !down.is_empty() {
            self.bring_up(down);
        }
        self.update_schedule(Vec::new());
    }

    fn end_quotas(&mut self) {
        let quotas = self.decided(Type::GetQuota).and_then(|it| it.get_quota);
        let quotas = quotas.map_or_else(Vec::new, |it| it.status.configs);
        let none = |config: QuotaConfig| plan::quota(&config.role, "", "");
        let none: Vec<QuotaConfig> = quotas.into_iter().map(none).collect();
        if !none.is_empty() {
            self.update_quota(none, None);
        }
    }

    /// What operators see of what they decided.
    fn decided(&self, what: Type) -> Option<v1::master::Response> {
        self.master.core()?.query(&operator_call(what)).ok()
    }

    /// An agent is used again, and what nobody uses on it is what it was.
    fn tidy_agent(&mut self, agent: &get_agents::Agent) {
        let Some(agent_id) = agent.agent_info.id.clone() else {
            return;
        };
        let id = AgentId::try_from(&agent_id).ok();
        if let Some(id) = id.filter(|_| agent.deactivated()) {
            self.reactivate(&id);
        }
        let total = read(&agent.total_resources);
        let free = total.checked_sub(&read(&agent.allocated_resources));
        let free = free.unwrap_or_default();
        for volume in each(&free.volumes()) {
            self.call(Call {
                destroy_volumes: Some(call::DestroyVolumes {
                    agent_id: agent_id.clone(),
                    volumes: volume.to_proto(None),
                }),
                ..operator_call(Type::DestroyVolumes)
            });
        }
        let is_kept =
            |traits: &Traits| traits.is_dynamically_reserved() && traits.persistence().is_none();
        for reserved in each(&free.filter(is_kept)) {
            self.call(Call {
                unreserve_resources: Some(call::UnreserveResources {
                    agent_id: agent_id.clone(),
                    resources: reserved.to_proto(None),
                }),
                ..operator_call(Type::UnreserveResources)
            });
        }
    }

    /// One that left, or that never heard its id, may be waited for as long as nobody tells.
    fn mark_lost_agents(&mut self) {
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
}

fn machine(index: usize) -> v1::MachineId {
    v1::MachineId {
        hostname: Some(plan::hostname(index)),
        ip: None,
    }
}

fn nanoseconds(time: Time) -> i64 {
    i64::try_from(time.as_micros()).unwrap_or(i64::MAX / 1000) * 1000
}

/// Resources as the master shows them.
fn read(wire: &[v1::Resource]) -> Resources {
    // Those of several roles are shown with their roles; what they are allocated to is not asked.
    let plain: Vec<v1::Resource> = wire
        .iter()
        .cloned()
        .map(|resource| v1::Resource {
            allocation_info: None,
            ..resource
        })
        .collect();
    Resources::from_proto(&plain).map_or_else(|_| Resources::new(), |(resources, _)| resources)
}

/// The bundles of resources, each alone.
fn each(resources: &Resources) -> Vec<Resources> {
    let bundles = resources.bundles();
    bundles
        .map(|(traits, ..)| resources.filter(|it| it == traits))
        .collect()
}
