//! Priorities of roles: who is served first, whatever the shares.

use tepui_model::Role;
use tepui_proto::services::RolePriority;

use super::{OperatorError, OperatorReply};
use crate::{
    Master,
    effects::Effects,
    limits::MAX_PRIORITIES_PER_CALL,
    record::{Change, Record, RecordKind},
};

impl Master {
    /// All or nothing.
    pub(super) fn update_priorities(
        &mut self,
        wire: &[RolePriority],
        effects: &mut Effects,
    ) -> Result<OperatorReply, OperatorError> {
        if wire.len() > MAX_PRIORITIES_PER_CALL {
            let problem = format!("more than {MAX_PRIORITIES_PER_CALL} priorities");
            return Err(OperatorError::Invalid(problem));
        }
        let parsed = wire.iter().map(|one| {
            let role = Role::new(&one.role);
            let role = role.map_err(|error| OperatorError::Invalid(error.to_string()))?;
            Ok((role, one.priority))
        });
        let priorities = parsed.collect::<Result<Vec<_>, _>>()?;
        for (role, priority) in &priorities {
            self.set_priority(role, *priority, effects);
        }
        let concerned = |role: &Role| {
            let inside = |(set, _): &(Role, Option<i32>)| role == set || role.is_below(set);
            priorities.iter().any(inside)
        };
        self.offer_anew(concerned, effects);
        Ok(OperatorReply::Done)
    }

    fn set_priority(&mut self, role: &Role, priority: Option<i32>, effects: &mut Effects) {
        self.allocator.set_priority(role, priority);
        match priority {
            Some(priority) => {
                self.priorities.insert(role.clone(), priority);
                let role = role.clone();
                effects.persist(Change::Put(Record::Priority { role, priority }));
            }
            None if self.priorities.remove(role).is_some() => {
                effects.persist(Change::Delete(RecordKind::Priority, role.to_string()));
            }
            None => {}
        }
    }

    /// The priorities that have been set.
    pub(super) fn get_priorities(&self) -> Vec<RolePriority> {
        let one = |(role, priority): (&Role, &i32)| RolePriority {
            role: role.to_string(),
            priority: Some(*priority),
        };
        self.priorities.iter().map(one).collect()
    }
}

#[cfg(test)]
mod tests;
