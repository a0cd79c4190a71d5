//! The maintenance schedule, and machines that go down and come up (Mesos: MNT-01 to MNT-03).

use std::collections::BTreeSet;

use tepui_model::{AgentKey, MachineId, Unavailability};
use tepui_proto::v1::{
    self,
    allocator::{InverseOfferStatus, inverse_offer_status},
    maintenance::{self as wire, ClusterStatus, cluster_status::DrainingMachine},
};

use super::{OperatorError, OperatorReply};
use crate::{
    Master,
    effects::Effects,
    limits::MAX_MACHINES_PER_SCHEDULE,
    maintenance::{Answer, Asked, Schedule, Window},
};

type Result<T> = core::result::Result<T, OperatorError>;

fn invalid(problem: impl ToString) -> OperatorError {
    OperatorError::Invalid(problem.to_string())
}

impl Master {
    /// Replaces the schedule, or changes nothing.
    pub(super) fn update_schedule(
        &mut self,
        wire: &wire::Schedule,
        effects: &mut Effects,
    ) -> Result<OperatorReply> {
        let windows = read_windows(wire)?;
        let down = self.maintenance.schedule().down.clone();
        let kept: BTreeSet<_> = windows.iter().flat_map(|it| &it.machines).collect();
        if let Some(dropped) = down.iter().find(|machine| !kept.contains(machine)) {
            return Err(invalid(format!(
                "Machine '{dropped}' is deactivated and cannot be removed from the schedule"
            )));
        }
        self.change_schedule(Schedule { windows, down }, effects);
        Ok(OperatorReply::Done)
    }

    /// Machines of the schedule go down: their agents are told to end, and are not taken in again.
    pub(super) fn start_maintenance(
        &mut self,
        wire: &[v1::MachineId],
        effects: &mut Effects,
    ) -> Result<OperatorReply> {
        let machines = self.scheduled(wire)?;
        let is_down = |machine: &&MachineId| self.maintenance.is_down(machine);
        if let Some(machine) = machines.iter().find(is_down) {
            return Err(invalid(format!(
                "Machine '{machine}' is not in DRAINING mode and cannot be brought down"
            )));
        }
        let mut schedule = self.maintenance.schedule().clone();
        schedule.down.extend(machines.iter().cloned());
        self.change_schedule(schedule, effects);
        self.take_down(&machines, effects);
        Ok(OperatorReply::Done)
    }

    /// Machines that are down may come back, and leave the schedule.
    pub(super) fn stop_maintenance(
        &mut self,
        wire: &[v1::MachineId],
        effects: &mut Effects,
    ) -> Result<OperatorReply> {
        let machines = self.scheduled(wire)?;
        let is_up = |machine: &&MachineId| !self.maintenance.is_down(machine);
        if let Some(machine) = machines.iter().find(is_up) {
            return Err(invalid(format!(
                "Machine '{machine}' is not in DOWN mode and cannot be brought up"
            )));
        }
        let mut schedule = self.maintenance.schedule().clone();
        schedule.down.retain(|machine| !machines.contains(machine));
        for window in &mut schedule.windows {
            let stays = |machine: &MachineId| !machines.contains(machine);
            window.machines.retain(stays);
        }
        schedule
            .windows
            .retain(|window| !window.machines.is_empty());
        self.change_schedule(schedule, effects);
        Ok(OperatorReply::Done)
    }

    /// Machines that are in the schedule, each once.
    fn scheduled(&self, wire: &[v1::MachineId]) -> Result<BTreeSet<MachineId>> {
        if wire.is_empty() {
            return Err(invalid("List of machines is empty"));
        }
        let mut machines = BTreeSet::new();
        for machine in wire {
            insert(&mut machines, machine)?;
        }
        let stranger = |machine: &&MachineId| !self.maintenance.is_scheduled(machine);
        match machines.iter().find(stranger) {
            None => Ok(machines),
            Some(machine) => Err(invalid(format!(
                "Machine '{machine}' is not part of a maintenance schedule"
            ))),
        }
    }

    /// GET_MAINTENANCE_SCHEDULE.
    pub(super) fn maintenance_schedule(&self) -> wire::Schedule {
        self.maintenance.schedule().to_proto()
    }

    /// GET_MAINTENANCE_STATUS: what frameworks answered about the machines that are not down yet.
    pub(super) fn maintenance_status(&self) -> ClusterStatus {
        let schedule = self.maintenance.schedule();
        let all = schedule.windows.iter().flat_map(|window| &window.machines);
        let draining = all.filter(|machine| !schedule.down.contains(*machine));
        let draining = draining.map(|machine| DrainingMachine {
            id: machine.into(),
            statuses: self.answers(machine),
        });
        ClusterStatus {
            draining_machines: draining.collect(),
            down_machines: schedule.down.iter().map(Into::into).collect(),
        }
    }

    fn answers(&self, machine: &MachineId) -> Vec<InverseOfferStatus> {
        let agents = self.maintenance.agents.iter();
        let here = agents.filter(|key| {
            let agent = self.agents.get(**key);
            let found = agent.and_then(|agent| {
                let ip = agent.ip.as_deref();
                self.maintenance.machine_of(&agent.info, ip)
            });
            found == Some(machine)
        });
        let answers = |key: &AgentKey| {
            let asked = self.inverse_offers.about(*key);
            let status = asked.filter_map(|(framework, asked)| {
                let framework = self.frameworks.get(framework)?;
                Some(status(asked, (&framework.id).into()))
            });
            status.collect::<Vec<_>>()
        };
        here.flat_map(answers).collect()
    }
}

fn status(asked: &Asked, framework_id: v1::FrameworkId) -> InverseOfferStatus {
    let status = match asked.answer {
        None => inverse_offer_status::Status::Unknown,
        Some(Answer::Accepted) => inverse_offer_status::Status::Accept,
        Some(Answer::Declined) => inverse_offer_status::Status::Decline,
    };
    InverseOfferStatus {
        status: status.into(),
        framework_id,
        timestamp: asked.at.into(),
    }
}

fn read_windows(wire: &wire::Schedule) -> Result<Vec<Window>> {
    let count: usize = wire.windows.iter().map(|it| it.machine_ids.len()).sum();
    if count > MAX_MACHINES_PER_SCHEDULE {
        return Err(invalid(format!(
            "The schedule has {count} machines, {MAX_MACHINES_PER_SCHEDULE} are allowed"
        )));
    }
    let mut seen = BTreeSet::new();
    let mut windows = Vec::new();
    for window in &wire.windows {
        if window.machine_ids.is_empty() {
            return Err(invalid(
                "List of machines in the maintenance window is empty",
            ));
        }
        let unavailability = Unavailability::try_from(&window.unavailability).map_err(invalid)?;
        let machines = window.machine_ids.iter();
        let machines = machines.map(|machine| insert(&mut seen, machine));
        windows.push(Window {
            machines: machines.collect::<Result<_>>()?,
            unavailability,
        });
    }
    Ok(windows)
}

/// A machine that was not named before.
fn insert(seen: &mut BTreeSet<MachineId>, wire: &v1::MachineId) -> Result<MachineId> {
    let machine = MachineId::try_from(wire).map_err(invalid)?;
    if seen.insert(machine.clone()) {
        Ok(machine)
    } else {
        Err(invalid(format!(
            "Machine '{machine}' appears more than once in the schedule"
        )))
    }
}

#[cfg(test)]
mod tests;
