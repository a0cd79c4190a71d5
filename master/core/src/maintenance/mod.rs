//! Maintenance: which machines will be away and when, and which are down (Mesos: MNT-01, MNT-02).

mod inverse;

use std::collections::{BTreeMap, BTreeSet};

use tepui_model::{AgentInfo, AgentKey, MachineId, Unavailability};

pub use self::inverse::{Answer, InverseOffer};
pub(crate) use self::inverse::{Asked, InverseOffers};
use crate::{
    Master,
    agents::{Agent, AgentState},
    effects::{AgentCommand, Effects},
    tasks::Verdict,
};

/// Machines that will be away in the same time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    /// Which, at least one.
    pub machines: Vec<MachineId>,
    /// When.
    pub unavailability: Unavailability,
}

/// The one schedule of the cluster, and the machines of it that are down.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Schedule {
    /// In the order that the operator gave; no machine is in two.
    pub windows: Vec<Window>,
    /// Machines whose agents must not run.
    pub down: BTreeSet<MachineId>,
}

/// The schedule, prepared for questions.
#[derive(Debug, Default)]
pub(crate) struct Maintenance {
    schedule: Schedule,
    machines: BTreeMap<MachineId, Unavailability>,
    /// Agents in the tables whose machine is in the schedule.
    pub(crate) agents: BTreeSet<AgentKey>,
}

impl Maintenance {
    pub(crate) fn new(schedule: Schedule) -> Self {
        let mut maintenance = Self::default();
        maintenance.replace(schedule);
        maintenance
    }

    pub(crate) const fn schedule(&self) -> &Schedule {
        &self.schedule
    }

    pub(crate) fn is_scheduled(&self, machine: &MachineId) -> bool {
        self.machines.contains_key(machine)
    }

    pub(crate) fn is_down(&self, machine: &MachineId) -> bool {
        self.schedule.down.contains(machine)
    }

    fn replace(&mut self, schedule: Schedule) {
        self.machines.clear();
        for window in &schedule.windows {
            let away = |machine: &MachineId| (machine.clone(), window.unavailability);
            self.machines.extend(window.machines.iter().map(away));
        }
        self.schedule = schedule;
    }

    /// The machine of the schedule that an agent runs on. As in Mesos by name and address, but one
    /// that is scheduled by only one of them is found too.
    pub(crate) fn machine_of(&self, info: &AgentInfo, ip: Option<&str>) -> Option<&MachineId> {
        if self.machines.is_empty() {
            return None;
        }
        let name = info.hostname.as_str();
        let ip = ip.unwrap_or_default();
        let names = [(name, ip), (name, ""), ("", ip), ("", name)];
        let known = |(name, ip): (&str, &str)| {
            let machine = MachineId::new(name, ip).ok()?;
            self.machines.get_key_value(&machine)
        };
        names
            .into_iter()
            .find_map(known)
            .map(|(machine, _)| machine)
    }

    fn unavailability(&self, agent: &Agent) -> Option<Unavailability> {
        let machine = self.machine_of(&agent.info, agent.ip.as_deref())?;
        self.machines.get(machine).copied()
    }
}

impl Master {
    /// Goes over to another schedule. What agents of machines for which it says the same were
    /// asked and answered stands.
    pub(crate) fn change_schedule(&mut self, schedule: Schedule, effects: &mut Effects) {
        effects.persist(schedule.change());
        self.maintenance.replace(schedule);
        let keys: Vec<AgentKey> = self.agents.iter().map(|agent| agent.key).collect();
        for key in keys {
            self.review_maintenance(key, effects);
        }
    }

    /// Brings what is known of one agent in line with the schedule (Mesos: OFF-12).
    pub(crate) fn review_maintenance(&mut self, key: AgentKey, effects: &mut Effects) {
        let Some(agent) = self.agents.get_mut(key) else {
            return;
        };
        let now = self.maintenance.unavailability(agent);
        match now {
            Some(_) => self.maintenance.agents.insert(key),
            None => self.maintenance.agents.remove(&key),
        };
        if agent.unavailability == now {
            return;
        }
        agent.unavailability = now;
        self.forget_inverse_offers_of_agent(key, effects);
        self.rescind_offers_of_agent(key, effects);
    }

    /// The agents of machines that go down are told to end, and removed with their tasks.
    pub(crate) fn take_down(&mut self, machines: &BTreeSet<MachineId>, effects: &mut Effects) {
        let is_down = |info: &AgentInfo, ip: Option<&str>| {
            let machine = self.maintenance.machine_of(info, ip);
            machine.is_some_and(|machine| machines.contains(machine))
        };
        let present = self.agents.iter();
        let present = present.filter(|agent| is_down(&agent.info, agent.ip.as_deref()));
        let present: Vec<AgentKey> = present.map(|agent| agent.key).collect();
        let recovered = self.agents.recovered.iter();
        let recovered = recovered.filter(|(_, record)| is_down(&record.info, None));
        let recovered: Vec<_> = recovered.map(|(id, _)| id.clone()).collect();
        let why = "Operator initiated 'Machine DOWN'";
        for key in present {
            let agent = self.agents.get(key);
            if let Some(connection) = agent.and_then(|agent| agent.connection) {
                let refused = AgentCommand::Refused {
                    message: why.to_owned(),
                    forget_identity: true,
                    shut_down: true,
                };
                effects.tell_agent(connection, refused);
            }
            self.remove_agent(key, why, effects);
        }
        for id in recovered {
            self.give_up_absent_agent(&id, Verdict::Gone, why, effects);
        }
    }

    /// Whether an agent that registers is on a machine that is down.
    pub(crate) fn down_machine(&self, info: &AgentInfo, ip: Option<&str>) -> Option<String> {
        let machine = self.maintenance.machine_of(info, ip)?;
        self.maintenance
            .is_down(machine)
            .then(|| format!("machine {machine} is down for maintenance"))
    }

    /// Whether offers may be made of an agent.
    pub(crate) fn is_reachable(&self, key: AgentKey) -> bool {
        let agent = self.agents.get(key);
        agent.is_some_and(|agent| agent.state == AgentState::Connected)
    }
}
