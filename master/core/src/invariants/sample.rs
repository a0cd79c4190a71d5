//! A part of the check at a time, for a master that runs: the whole of a large cluster would take
//! seconds in which nobody is answered.
//!
//! Each turn looks at the next agents with their offers, tasks and operations, and at the next
//! frameworks with their tasks, so that all are looked at in turn. What only the whole can show,
//! such as the sums of the allocator, is left to clusters that are small enough to be checked
//! whole.

use core::ops::Bound;

use tepui_model::TaskId;

use super::{Violation, ensure};
use crate::{Master, agents::Agent};

/// Where the next turn begins, and how much the last one looked at.
#[derive(Clone, Debug, Default)]
pub struct Sampling {
    agent: usize,
    framework: usize,
    /// The last task looked at of that framework, if there are more.
    task: Option<TaskId>,
    /// Agents, frameworks, offers, tasks and operations looked at in the last turn.
    pub looked: usize,
}

impl Master {
    /// Looks at about so many agents, frameworks, tasks, offers and operations as `most`, beginning
    /// where it ended the last time; at all there is, and at all sums, if there are fewer. An agent
    /// with all that is on it is looked at whole.
    pub fn check_some(&self, sampling: &mut Sampling, most: usize) -> Result<(), Violation> {
        sampling.looked = 0;
        if let Some(all) = self.size_within(most) {
            sampling.looked = all;
            return self.check();
        }
        self.check_agents_in_turn(sampling, most / 2)?;
        self.check_frameworks_in_turn(sampling, most)
    }

    /// How much there is to look at, if it is no more than that.
    fn size_within(&self, most: usize) -> Option<usize> {
        let agents = self.agents.iter().map(things_on);
        let frameworks = self.frameworks.iter();
        let frameworks = frameworks.map(|framework| 1 + framework.tasks.len());
        let mut size = 0;
        for things in agents.chain(frameworks) {
            size += things;
            if size > most {
                return None;
            }
        }
        Some(size)
    }

    fn check_agents_in_turn(&self, sampling: &mut Sampling, most: usize) -> Result<(), Violation> {
        while sampling.looked < most {
            let Some(place) = self.agents.slab.at(sampling.agent) else {
                sampling.agent = 0;
                return Ok(());
            };
            let things = place.map_or(1, things_on);
            if sampling.looked > 0 && sampling.looked + things > most {
                return Ok(());
            }
            sampling.agent += 1;
            sampling.looked += things;
            if let Some(agent) = place {
                self.check_all_of(agent)?;
            }
        }
        Ok(())
    }

    /// One agent and all that is on it.
    fn check_all_of(&self, agent: &Agent) -> Result<(), Violation> {
        self.allocator.check_agent(agent.key)?;
        self.check_taken(agent)?;
        self.check_agent_tables(agent)?;
        self.check_total(agent)?;
        for number in &agent.offers {
            let held = self.offers.get(*number);
            ensure(held.is_some(), || {
                format!("{} has an offer that is not there", agent.id)
            })?;
            held.map_or(Ok(()), |held| self.check_offer(*number, held))?;
        }
        for (uuid, operation) in &agent.operations {
            self.check_operation(agent, uuid, operation)?;
        }
        Ok(())
    }

    fn check_frameworks_in_turn(
        &self,
        sampling: &mut Sampling,
        most: usize,
    ) -> Result<(), Violation> {
        while sampling.looked < most {
            let Some(place) = self.frameworks.slab.at(sampling.framework) else {
                sampling.framework = 0;
                return Ok(());
            };
            sampling.looked += 1;
            let Some(framework) = place else {
                sampling.framework += 1;
                continue;
            };
            let from = sampling.task.take();
            let from = from.as_ref().map_or(Bound::Unbounded, Bound::Excluded);
            let tasks = framework.tasks.range::<TaskId, _>((from, Bound::Unbounded));
            let left = most.saturating_sub(sampling.looked);
            let part: Vec<&TaskId> = tasks.map(|(id, _)| id).take(left).collect();
            sampling.looked += part.len();
            // One that is cut off goes on after its last task; the next turn has more room.
            if part.len() == left && left > 0 {
                sampling.task = part.last().map(|id| (*id).clone());
            } else if left > 0 || framework.tasks.is_empty() {
                sampling.framework += 1;
            }
            self.check_framework_tables(framework)?;
            part.into_iter()
                .try_for_each(|task| self.check_task_tables(framework, task))?;
        }
        Ok(())
    }
}

/// An agent and what is on it.
fn things_on(agent: &Agent) -> usize {
    1 + agent.tasks.len() + agent.offers.len() + agent.operations.len()
}

#[cfg(test)]
mod tests;
