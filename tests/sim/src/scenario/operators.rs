//! What operators do.

use core::time::Duration;

use tepui_master_core::OperatorCall;
use tepui_model::AgentId;
use tepui_proto::{
    services::RolePriority,
    v1::{
        self,
        maintenance::{Schedule, Window},
        master::{Call, call, call::Type},
        quota::QuotaConfig,
        value::Scalar,
    },
};

use super::{
    file::{Deed, Maintenance, NewQuota, NewWeight, Quantities, QuotaText, expand},
    queue::Turn,
    world::{START, World},
};

/// The agents of a rack that may come back do so within this time.
const RETURN: Duration = Duration::from_secs(2);

impl<'a> World<'a> {
    /// The quotas that roles have from the start, when no agent is there yet.
    pub(super) fn set_first_quotas(&mut self) {
        let mut configs = Vec::new();
        for settings in &self.scenario.roles {
            let Some(quota) = &settings.quota else {
                continue;
            };
            let names = (0..settings.count).map(|number| expand(&settings.name, number));
            let QuotaText { guarantees, limits } = quota;
            configs.extend(names.map(|name| config(name, guarantees, limits)));
        }
        if !configs.is_empty() {
            self.update_quota(configs);
        }
    }

    /// The priorities that roles have.
    pub(super) fn set_priorities(&mut self) {
        let settings = self.scenario.roles.iter();
        let priorities = settings.flat_map(|settings| {
            let names = (0..settings.count).map(|number| expand(&settings.name, number));
            names.filter_map(|role| {
                let priority = Some(settings.priority?);
                Some(RolePriority { role, priority })
            })
        });
        let priorities: Vec<RolePriority> = priorities.collect();
        if !priorities.is_empty() {
            self.operate(OperatorCall::UpdatePriorities(priorities));
        }
    }

    pub(super) fn event(&mut self, number: u32) {
        let Some(deed) = self.deed(number) else {
            return;
        };
        if let Some(change) = &deed.weight {
            self.change_weight(change);
        }
        if let Some(change) = &deed.quota {
            let NewQuota {
                role,
                guarantees,
                limits,
            } = change;
            self.update_quota(vec![config(role.clone(), guarantees, limits)]);
        }
        if let Some(drain) = &deed.drain {
            for agent in self.ids_in(&drain.rack) {
                self.drain(agent);
            }
            self.after(drain.lasts, Turn::EventEnds(number));
        }
        if let Some(maintenance) = &deed.maintenance {
            self.windows.push(number);
            self.update_schedule();
            self.after(maintenance.notice, Turn::EventGoesOn(number));
        }
    }

    /// The time has come of which notice was given.
    pub(super) fn event_goes_on(&mut self, number: u32) {
        let deed = self.deed(number);
        if let Some(maintenance) = deed.and_then(|deed| deed.maintenance.as_ref()) {
            self.take_down(maintenance);
            self.after(maintenance.lasts, Turn::EventEnds(number));
        }
    }

    /// What an operator does lasts no longer.
    pub(super) fn event_ends(&mut self, number: u32) {
        let Some(deed) = self.deed(number) else {
            return;
        };
        if let Some(drain) = &deed.drain {
            for agent in self.ids_in(&drain.rack) {
                self.reactivate(agent);
            }
        }
        if let Some(maintenance) = &deed.maintenance {
            self.windows.retain(|window| *window != number);
            self.bring_up(maintenance);
        }
    }

    fn deed(&self, number: u32) -> Option<&'a Deed> {
        self.scenario.events.get(number as usize)
    }

    fn call(&mut self, call: Call) {
        self.operate(OperatorCall::V1(Box::new(call)));
    }

    fn change_weight(&mut self, change: &NewWeight) {
        let weight = change.weight.as_f64();
        if let Some(role) = self.measures.role(&change.role) {
            self.measures.roles[role].weight = weight;
        }
        let info = v1::WeightInfo {
            weight,
            role: Some(change.role.clone()),
        };
        self.call(Call {
            update_weights: Some(call::UpdateWeights {
                weight_infos: vec![info],
            }),
            ..of(Type::UpdateWeights)
        });
    }

    /// Whatever there is, and whatever is used already.
    fn update_quota(&mut self, quota_configs: Vec<QuotaConfig>) {
        self.call(Call {
            update_quota: Some(call::UpdateQuota {
                force: Some(true),
                quota_configs,
            }),
            ..of(Type::UpdateQuota)
        });
    }

    /// The agents of a rack, whether they are there or not.
    fn agents_in(&self, rack: &str) -> Vec<u32> {
        let agents = (0..).zip(&self.agents);
        let inside = agents
            .filter(|(number, agent)| agent.rack(self.class_of(*number)).as_deref() == Some(rack));
        inside.map(|(number, _)| number).collect()
    }

    /// The ids of those that are registered.
    fn ids_in(&self, rack: &str) -> Vec<AgentId> {
        let agents = self.agents_in(rack).into_iter();
        let agents = agents.map(|number| &self.agents[number as usize]);
        let there = agents.filter(|agent| agent.connection.is_some());
        there.filter_map(|agent| agent.id.clone()).collect()
    }

    fn drain(&mut self, agent: AgentId) {
        self.call(Call {
            drain_agent: Some(call::DrainAgent {
                agent_id: agent.into(),
                max_grace_period: None,
                mark_gone: None,
            }),
            ..of(Type::DrainAgent)
        });
    }

    fn reactivate(&mut self, agent: AgentId) {
        self.call(Call {
            reactivate_agent: Some(call::ReactivateAgent {
                agent_id: agent.into(),
            }),
            ..of(Type::ReactivateAgent)
        });
    }

    /// The windows of all maintenance that was announced and is not over: a new schedule takes the
    /// place of the old one.
    fn update_schedule(&mut self) {
        let windows = self.windows.iter().filter_map(|number| {
            let deed = self.deed(*number)?;
            let maintenance = deed.maintenance.as_ref()?;
            let start = START + deed.at + maintenance.notice;
            Some(Window {
                machine_ids: self.machines_in(&maintenance.rack),
                unavailability: v1::Unavailability {
                    start: start.into(),
                    duration: Some(tepui_model::time::span_to(maintenance.lasts)),
                },
            })
        });
        let windows = windows.collect();
        self.call(Call {
            update_maintenance_schedule: Some(call::UpdateMaintenanceSchedule {
                schedule: Schedule { windows },
            }),
            ..of(Type::UpdateMaintenanceSchedule)
        });
    }

    fn machines_in(&self, rack: &str) -> Vec<v1::MachineId> {
        let agents = self.agents_in(rack).into_iter();
        let machine = |agent| v1::MachineId {
            hostname: Some(super::agents::hostname(agent)),
            ip: None,
        };
        agents.map(machine).collect()
    }

    fn take_down(&mut self, maintenance: &Maintenance) {
        let machines = self.machines_in(&maintenance.rack);
        self.call(Call {
            start_maintenance: Some(call::StartMaintenance { machines }),
            ..of(Type::StartMaintenance)
        });
    }

    fn bring_up(&mut self, maintenance: &Maintenance) {
        let machines = self.machines_in(&maintenance.rack);
        self.call(Call {
            stop_maintenance: Some(call::StopMaintenance { machines }),
            ..of(Type::StopMaintenance)
        });
        for agent in self.agents_in(&maintenance.rack) {
            let node = &mut self.agents[agent as usize];
            if !node.is_up {
                node.away_until = self.now;
                let wait = RETURN.mul_f64(self.fate.unit());
                self.after(wait, Turn::AgentStarts(agent));
            }
        }
    }
}

fn of(kind: Type) -> Call {
    Call {
        r#type: Some(kind.into()),
        ..Call::default()
    }
}

fn config(role: String, guarantees: &Quantities, limits: &Quantities) -> QuotaConfig {
    let scalars = |quantities: &Quantities| {
        let named = quantities.iter().map(|(name, quantity)| {
            let value = quantity.as_f64();
            (name.to_owned(), Scalar { value })
        });
        named.collect()
    };
    QuotaConfig {
        role,
        guarantees: scalars(guarantees),
        limits: scalars(limits),
    }
}
