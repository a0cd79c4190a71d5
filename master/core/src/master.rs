//! The master: one event in, effects out.

use core::time::Duration;
use std::{collections::BTreeMap, sync::Arc};

use tepui_allocator::Allocator;
use tepui_model::{AgentKey, FaultDomain, FrameworkKey, InvalidId, Quantity, Role, Time};
use tepui_proto::v1;

use crate::{
    agents::Agents,
    calls::Action,
    config::Config,
    effects::Effects,
    events::{ConnectionId, Event},
    frameworks::Frameworks,
    ids::Ids,
    maintenance::{InverseOffers, Maintenance},
    offers::Offers,
    preemption::Preemptions,
    quota::Quotas,
    record::Recovered,
    timers::{Timer, Timers},
};

/// While somebody has a deadline the master wants to be woken this often, to notice its own sleep.
const PULSE: Duration = Duration::from_secs(2);

/// So long without an event, though somebody has a deadline, shows that the master was asleep.
const ASLEEP: Duration = Duration::from_secs(5);

/// How long others have, after the master slept, to be heard before a deadline of theirs is over.
const AFTER_SLEEP: Duration = Duration::from_secs(15);

/// How long a framework that was disconnected before the master restarted has at least.
const AFTER_RESTART: Duration = Duration::from_secs(10);

/// Why no master can be made of a configuration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidConfig {
    /// The master's id cannot start the ids that it hands out.
    #[error("the master's id cannot be used in ids: {0}")]
    MasterId(#[from] InvalidId),
}

/// Who is at the other end of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Peer {
    Framework(FrameworkKey),
    Agent(AgentKey),
}

/// The state of a cluster.
#[derive(Debug)]
pub struct Master {
    pub(crate) config: Config,
    pub(crate) info: Arc<v1::MasterInfo>,
    pub(crate) now: Time,
    /// When the first event came.
    pub(crate) started: Option<Time>,
    /// Until when no deadline of others is over: what they said while the master slept is still
    /// on its way.
    patient_until: Time,
    pub(crate) ids: Ids,
    pub(crate) timers: Timers,
    pub(crate) allocator: Allocator,
    pub(crate) agents: Agents,
    pub(crate) frameworks: Frameworks,
    pub(crate) offers: Offers,
    pub(crate) weights: BTreeMap<Role, Quantity>,
    /// What operators set, by role.
    pub(crate) priorities: BTreeMap<Role, i32>,
    pub(crate) quotas: Quotas,
    /// So many agents of the registry must not be back yet for allocation to begin; unset when it
    /// has begun (Mesos: ALL-09).
    missing_allowed: Option<usize>,
    pub(crate) maintenance: Maintenance,
    pub(crate) inverse_offers: InverseOffers,
    pub(crate) preemptions: Preemptions,
    pub(crate) connections: BTreeMap<ConnectionId, Peer>,
}

impl Master {
    /// A master that goes on from what the registry kept.
    pub fn new(config: Config, recovered: Recovered) -> Result<Self, InvalidConfig> {
        let mut master = Self {
            info: Arc::new(config.master.clone()),
            now: Time::ZERO,
            started: None,
            patient_until: Time::ZERO,
            ids: Ids::new(&config.master.id)?,
            timers: Timers::default(),
            allocator: Allocator::new(config.allocator.clone()),
            agents: Agents::new(),
            frameworks: Frameworks::new(),
            offers: Offers::default(),
            weights: BTreeMap::new(),
            priorities: BTreeMap::new(),
            quotas: Quotas::new(),
            missing_allowed: None,
            maintenance: Maintenance::default(),
            inverse_offers: InverseOffers::default(),
            preemptions: Preemptions::default(),
            connections: BTreeMap::new(),
            config,
        };
        master.recover(recovered);
        Ok(master)
    }

    /// Takes one event at a time that must not be before that of the last event.
    ///
    /// Effects are added in the order they are to be done.
    pub fn apply(&mut self, now: Time, event: Event, effects: &mut Effects) {
        let silence = now.since(self.now);
        self.now = self.now.max(now);
        if self.started.is_none() {
            self.start(effects);
        } else if silence > ASLEEP && self.timers.has_deadline_of_others() {
            self.patient_until = self.now + AFTER_SLEEP;
        }
        self.expire_offers(effects);
        let may_change_holders = !matches!(event, Event::Wake);
        let may_change_plans = may_change_plans(&event);
        match event {
            Event::Call { connection, call } => self.call(connection, call, effects),
            Event::FrameworkDisconnected { connection } => {
                self.framework_disconnected(connection, effects);
            }
            Event::RegisterAgent {
                connection,
                registration,
            } => {
                self.register_agent(connection, *registration, effects);
            }
            Event::AgentPong { connection } => self.heard_of_agent(connection),
            Event::AgentImages { connection, images } => self.agent_images(connection, &images),
            Event::AgentUpdate {
                connection,
                framework_id,
                status,
                latest_state,
            } => {
                self.agent_update(connection, &framework_id, *status, latest_state, effects);
            }
            Event::AgentOperation {
                connection,
                uuid,
                status,
            } => self.operation_reported(connection, uuid, *status, effects),
            Event::ExecutorExited {
                connection,
                framework_id,
                executor_id,
                status,
            } => self.executor_exited(connection, &framework_id, &executor_id, status, effects),
            Event::ExecutorMessage {
                connection,
                framework_id,
                executor_id,
                data,
            } => self.executor_said(connection, &framework_id, executor_id, data, effects),
            Event::AgentUnregister { connection } => self.unregister_agent(connection, effects),
            Event::AgentDisconnected { connection } => {
                self.agent_disconnected(connection, effects);
            }
            Event::Whitelist { hosts } => self.allocator.set_whitelist(hosts),
            Event::Operator { request, call } => self.operate(request, call, effects),
            Event::Wake => self.run_timers(effects),
        }
        self.settle_drains(effects);
        if may_change_holders {
            self.arm_inverse_offers();
        }
        if may_change_plans {
            self.preemptions.touch();
        }
        self.touch_up_preemptions(effects);
        self.arm_allocation();
    }

    /// When [`Event::Wake`] is due: the sooner of what waits for time to pass.
    #[must_use]
    pub fn next_wake(&self) -> Option<Time> {
        if self.started.is_none() {
            return Some(Time::ZERO);
        }
        let offers = self.next_offer_timeout();
        // While a run is due anyway, filters that have ended wait for it.
        let armed = self.timers.is_set(Timer::Allocation);
        let waits = armed || self.missing_allowed.is_some();
        let filters = self.allocator.next_expiry().filter(|_| !waits);
        let awaits = self.timers.has_deadline_of_others();
        let pulse = awaits.then(|| self.now + PULSE);
        [self.timers.next(), offers, filters, pulse]
            .into_iter()
            .flatten()
            .min()
    }

    /// How often resources were allocated, so that the time that it takes can be told apart.
    #[must_use]
    pub const fn allocation_runs(&self) -> u64 {
        self.allocator.runs()
    }

    /// The fault domain that the master stands in.
    pub(crate) fn domain(&self) -> Option<FaultDomain> {
        self.info.domain.as_ref().and_then(FaultDomain::from_proto)
    }

    fn recover(&mut self, recovered: Recovered) {
        self.allocator
            .set_region(self.domain().map(|domain| domain.region));
        let weights = self.config.weights.iter().cloned().chain(recovered.weights);
        self.weights = weights.collect();
        for (role, weight) in &self.weights {
            self.allocator.set_weight(role, *weight);
        }
        self.priorities = recovered.priorities.into_iter().collect();
        for (role, priority) in &self.priorities {
            self.allocator.set_priority(role, Some(*priority));
        }
        for agent in recovered.unreachable {
            self.agents.unreachable.insert(agent);
        }
        for agent in recovered.gone {
            self.agents.gone.insert(agent);
        }
        self.maintenance = Maintenance::new(recovered.maintenance);
        self.agents.deactivated = recovered.deactivated.into_iter().collect();
        for agent in recovered.agents {
            if let Some(id) = agent.info.id.clone() {
                self.agents.recovered.insert(id, agent);
            }
        }
        for (role, quota) in recovered.quotas {
            self.allocator.set_quota(&role, quota.clone());
            self.quotas.insert(role, quota);
        }
        self.missing_allowed = self.agents_to_wait_for();
        for (id, since) in recovered.removed_frameworks {
            // What is forgotten for it is deleted from the registry with the next removal.
            self.frameworks.remember_removed(id, since, usize::MAX);
        }
        for framework in recovered.frameworks {
            self.recover_framework(framework);
        }
    }

    /// What needs the time of the first event: the deadlines of those who were there before.
    fn start(&mut self, effects: &mut Effects) {
        let now = self.now;
        self.started = Some(now);
        self.timers
            .set(Timer::RegistryGc, now + self.config.registry_gc_interval);
        if !self.agents.recovered.is_empty() {
            self.timers.set(
                Timer::RecoveredAgents,
                now + self.config.agent_reregister_timeout,
            );
        }
        if self.missing_allowed.is_some() {
            let timeout = now + self.config.allocator_recovery_timeout;
            self.timers.set(Timer::AllocationRecovery, timeout);
        }
        for key in self.frameworks.keys() {
            self.set_recovered_deadline(key, effects);
        }
    }

    /// A framework that was connected when the last master ended has its whole timeout, and as
    /// long as agents have. One that was disconnected keeps its deadline.
    pub(crate) fn set_recovered_deadline(&mut self, key: FrameworkKey, effects: &mut Effects) {
        let now = self.now;
        let at_least = self.config.agent_reregister_timeout;
        let Some(framework) = self.frameworks.get_mut(key) else {
            return;
        };
        let fresh = now + framework.info.failover_timeout.max(at_least);
        let deadline = framework
            .deadline
            .map_or(fresh, |kept| kept.max(now + AFTER_RESTART));
        if framework.deadline.replace(deadline) != Some(deadline) {
            effects.persist(framework.record());
        }
        self.timers.set(Timer::FrameworkDeadline(key), deadline);
    }

    fn run_timers(&mut self, effects: &mut Effects) {
        while let Some(timer) = self.timers.pop(self.now) {
            if self.now < self.patient_until && timer.is_deadline_of_others() {
                self.timers.set(timer, self.patient_until);
                continue;
            }
            match timer {
                Timer::Ping(key) => self.ping(key, effects),
                Timer::AgentDeadline(key) => {
                    self.lose_agent(key, "it did not come back in time", effects);
                }
                Timer::RecoveredAgents => self.lose_recovered_agents(effects),
                Timer::FrameworkDeadline(key) => self.framework_timed_out(key, effects),
                Timer::RegistryGc => self.clear_registry(effects),
                Timer::Allocation => {
                    self.allocate(effects);
                    self.arm_inverse_offers();
                    self.review_preemptions(effects);
                }
                Timer::AllocationRecovery => self.missing_allowed = None,
                Timer::InverseOffers => self.send_inverse_offers(effects),
                Timer::Preemption => self.review_preemptions(effects),
            }
        }
    }

    /// Without all agents a guarantee looks unmet, and others' resources would be held back for it
    /// or its own given away. So allocation begins when most of them are back.
    fn agents_to_wait_for(&self) -> Option<usize> {
        let known = self.agents.recovered.len();
        if self.quotas.is_empty() || known == 0 {
            return None;
        }
        let factor = self.config.allocator_agent_recovery_factor.millis();
        let factor = usize::try_from(factor).unwrap_or(0).min(1000);
        Some(known - known.saturating_mul(factor).div_ceil(1000))
    }

    /// Changes that come within the window are allocated for together.
    fn arm_allocation(&mut self) {
        if let Some(allowed) = self.missing_allowed {
            if self.agents.recovered.len() > allowed {
                return;
            }
            self.missing_allowed = None;
            self.timers.cancel(Timer::AllocationRecovery);
        }
        let expired = self
            .allocator
            .next_expiry()
            .is_some_and(|expiry| expiry <= self.now);
        if (expired || self.allocator.needs_run()) && !self.timers.is_set(Timer::Allocation) {
            self.timers
                .set(Timer::Allocation, self.now + self.config.allocation_window);
        }
    }
}

/// Whether an event may end an agent or a framework, or change what is asked for or set. The end of
/// a task is noted where it is.
fn may_change_plans(event: &Event) -> bool {
    match event {
        Event::AgentPong { .. }
        | Event::AgentImages { .. }
        | Event::AgentUpdate { .. }
        | Event::AgentOperation { .. }
        | Event::ExecutorExited { .. }
        | Event::ExecutorMessage { .. } => false,
        Event::Call { call, .. } => !matches!(
            call.action,
            Action::Acknowledge(_) | Action::Accept(_) | Action::Decline(_)
        ),
        _ => true,
    }
}

#[cfg(test)]
mod tests;
