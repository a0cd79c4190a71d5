//! What must hold after every event. Slow: for tests, the simulator and samples.

mod operations;
mod sample;

use std::collections::BTreeMap;

use tepui_model::{AgentKey, FrameworkKey, Resources, Role, TaskId};

pub use self::sample::Sampling;
use crate::{
    Master,
    agents::{Agent, AgentState},
    frameworks::{Framework, FrameworkState},
    ids::OfferNumber,
    master::Peer,
    offers::Held,
    timers::Timer,
};

/// A broken promise of the core.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// The allocator breaks one of its own.
    #[error("the allocator: {0}")]
    Allocator(#[from] tepui_allocator::Violation),
    /// What the allocator believes to be taken is not what offers and tasks take.
    #[error("on {agent}: {holder} in role {role} holds '{held}', offers and tasks are '{used}'")]
    Taken {
        /// Where.
        agent: AgentKey,
        /// Who.
        holder: FrameworkKey,
        /// In which role.
        role: Role,
        /// What the allocator believes.
        held: String,
        /// What there is.
        used: String,
    },
    /// Two tables contradict each other.
    #[error("{0}")]
    Contradiction(String),
}

type Taken = BTreeMap<(FrameworkKey, Role), Resources>;

fn ensure(holds: bool, what: impl FnOnce() -> String) -> Result<(), Violation> {
    if holds {
        Ok(())
    } else {
        Err(Violation::Contradiction(what()))
    }
}

impl Master {
    /// Whether all is as it must be: no resource in two places or in none, and the tables agree.
    pub fn check(&self) -> Result<(), Violation> {
        self.allocator.check()?;
        for agent in self.agents.iter() {
            self.check_taken(agent)?;
            self.check_agent_tables(agent)?;
            self.check_total(agent)?;
        }
        self.check_operations()?;
        for framework in self.frameworks.iter() {
            self.check_framework_tables(framework)?;
            let mut tasks = framework.tasks.keys();
            tasks.try_for_each(|task| self.check_task_tables(framework, task))?;
        }
        self.check_offer_tables()?;
        self.check_preemptions()?;
        self.check_connections()
    }

    /// Allocated is what is offered and what tasks take; the allocator sees to it that this and
    /// what is free are the total.
    fn check_taken(&self, agent: &Agent) -> Result<(), Violation> {
        let mut used = Taken::new();
        let mut add = |key: FrameworkKey, role: &Role, resources: &Resources| {
            *used.entry((key, role.clone())).or_default() += resources;
        };
        for held in agent
            .offers
            .iter()
            .filter_map(|number| self.offers.get(*number))
            .filter(|held| held.holds())
        {
            add(held.framework, &held.offer.role, &held.offer.resources);
        }
        for (key, id) in &agent.tasks {
            let framework = self.frameworks.get(*key);
            let Some(task) = framework.and_then(|framework| framework.tasks.get(id)) else {
                let problem = format!("{} has task {id} that no framework has", agent.id);
                return Err(Violation::Contradiction(problem));
            };
            if !task.is_over() {
                add(*key, &task.role, &task.resources);
            }
        }
        for ((key, _), executor) in &agent.executors {
            add(*key, &executor.role, &executor.resources);
        }
        let held = self.allocator.allocated(agent.key).into_iter();
        let held: Taken = held
            .map(|(key, role, resources)| ((key, role), resources))
            .collect();
        let none = Resources::new();
        for (key, role) in used.keys().chain(held.keys()) {
            let place = (*key, role.clone());
            let (used, held) = (
                used.get(&place).unwrap_or(&none),
                held.get(&place).unwrap_or(&none),
            );
            if used != held {
                return Err(Violation::Taken {
                    agent: agent.key,
                    holder: *key,
                    role: role.clone(),
                    held: held.to_string(),
                    used: used.to_string(),
                });
            }
        }
        Ok(())
    }

    fn check_agent_tables(&self, agent: &Agent) -> Result<(), Violation> {
        let id = &agent.id;
        ensure(self.agents.by_id.get(id) == Some(&agent.key), || {
            format!("{id} is not found")
        })?;
        let lost = self.agents.recovered.contains_key(id)
            || self.agents.unreachable.contains(id)
            || self.agents.gone.contains(id);
        ensure(!lost, || format!("{id} is there and lost"))?;
        let connected = agent.state == AgentState::Connected;
        let states = connected || agent.state == AgentState::Disconnected;
        ensure(states, || {
            format!("{id} is {:?} and in the tables", agent.state)
        })?;
        let peer = agent
            .connection
            .and_then(|connection| self.connections.get(&connection));
        let linked = peer == Some(&Peer::Agent(agent.key));
        ensure(linked == connected, || {
            format!("{id} is {:?}, linked: {linked}", agent.state)
        })?;
        ensure(connected || agent.offers.is_empty(), || {
            format!("{id} is offered and away")
        })?;
        let timer = if connected {
            Timer::Ping(agent.key)
        } else {
            Timer::AgentDeadline(agent.key)
        };
        ensure(self.timers.is_set(timer), || {
            format!("nobody waits for {id}")
        })
    }

    fn check_framework_tables(&self, framework: &Framework) -> Result<(), Violation> {
        let id = &framework.id;
        let key = framework.key;
        ensure(self.frameworks.by_id.get(id) == Some(&key), || {
            format!("{id} is not found")
        })?;
        let connected = framework.state == FrameworkState::Connected;
        let peer = framework
            .connection
            .and_then(|connection| self.connections.get(&connection));
        let linked = peer == Some(&Peer::Framework(key));
        let state = framework.state;
        ensure(linked == connected, || {
            format!("{id} is {state:?}, linked: {linked}")
        })?;
        ensure(connected || framework.offers.is_empty(), || {
            format!("{id} has offers, is away")
        })?;
        let forever = !connected || framework.deadline.is_none();
        ensure(forever, || format!("{id} is connected and has a deadline"))?;
        let ending = state == FrameworkState::Ending;
        ensure(ending == self.frameworks.is_removed(id), || {
            format!("{id} is {state:?}")
        })?;
        let agents = self.agents.iter().flat_map(|agent| agent.executors.keys());
        let executors = agents.filter(|(owner, _)| *owner == key).count();
        ensure(executors == framework.executors, || {
            format!(
                "{id} counts {} executors and has {executors}",
                framework.executors
            )
        })?;
        ensure(!ending || self.is_still_ending(key), || {
            format!("{id} has ended")
        })?;
        let awaited = self.timers.is_set(Timer::FrameworkDeadline(key));
        let waits = !connected && !ending && self.started.is_some();
        ensure(awaited == waits, || {
            format!("{id} is {state:?}, awaited: {awaited}")
        })
    }

    fn check_task_tables(&self, framework: &Framework, task: &TaskId) -> Result<(), Violation> {
        let (id, key) = (&framework.id, framework.key);
        let known = framework.tasks.get(task);
        let agent = known.and_then(|known| self.agents.find(known.agent_id()));
        let there = agent.is_some_and(|agent| agent.tasks.contains(&(key, task.clone())));
        ensure(there, || format!("task {task} of {id} is on no agent"))?;
        let lost = framework.unreachable.get(task).is_some();
        ensure(!lost, || {
            format!("task {task} of {id} is there and unreachable")
        })
    }

    fn check_offer_tables(&self) -> Result<(), Violation> {
        let (mut of_agents, mut of_frameworks) = (0, 0);
        for agent in self.agents.iter() {
            of_agents += agent.offers.len();
        }
        for framework in self.frameworks.iter() {
            of_frameworks += framework.offers.len();
        }
        let count = self.offers.len();
        let counted = of_agents == count && of_frameworks == count;
        ensure(counted, || {
            format!("{count} offers, {of_agents} and {of_frameworks} counted")
        })?;
        let mut offers = self.offers.iter();
        offers.try_for_each(|(number, held)| self.check_offer(number, held))
    }

    fn check_offer(&self, number: OfferNumber, held: &Held) -> Result<(), Violation> {
        let agent = self.agents.get(held.agent);
        let framework = self.frameworks.get(held.framework);
        let known = agent.is_some_and(|agent| agent.offers.contains(&number))
            && framework.is_some_and(|framework| framework.offers.contains(&number));
        ensure(known, || format!("offer {} is nobody's", held.offer.id))?;
        let shown = held.view_of.is_none_or(|holder| {
            let holder = self.offers.get(holder).filter(|holder| holder.holds());
            holder.is_some_and(|holder| {
                let whole = &holder.offer.resources;
                holder.agent == held.agent && whole.contains(&held.offer.resources)
            })
        });
        ensure(shown, || {
            format!("offer {} shows what no offer holds", held.offer.id)
        })
    }

    fn check_connections(&self) -> Result<(), Violation> {
        for (connection, peer) in &self.connections {
            let linked = match peer {
                Peer::Agent(key) => self.agents.get(*key).and_then(|agent| agent.connection),
                Peer::Framework(key) => self
                    .frameworks
                    .get(*key)
                    .and_then(|framework| framework.connection),
            };
            ensure(linked == Some(*connection), || {
                format!("{connection:?} leads to nobody")
            })?;
        }
        Ok(())
    }
}
