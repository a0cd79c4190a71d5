//! Explain: what the allocator says of who waits, with names in place of keys.

mod absence;

use std::collections::BTreeSet;

use tepui_allocator::explain::{Branch, Explanation, Idle, Lead, Query, Reason, Waiting};
use tepui_model::{
    AgentId, FrameworkId, FrameworkKey, Quantity, Resources, Role, Scalars, TaskId, Time,
};
use tepui_proto::{
    services::{self, ExplainRequest, explain_request::Subject},
    v1,
};

use self::absence::Told;
use super::{OperatorError, OperatorReply};
use crate::{Master, frameworks::Framework};

impl Master {
    pub(super) fn explain(&self, request: &ExplainRequest) -> Result<OperatorReply, OperatorError> {
        let query = match &request.subject {
            Some(Subject::FrameworkId(id)) => self.query_framework(&id.value)?,
            Some(Subject::Role(name)) => self.query_role(name)?,
            Some(Subject::AgentId(id)) => self.query_agent(&id.value)?,
            Some(Subject::TaskId(id)) => return self.explain_task(&id.value),
            None => return Err(OperatorError::Invalid("subject must be set".to_owned())),
        };
        let explanation = self.told(&self.allocator.explain(&query, self.now));
        Ok(OperatorReply::Explanation(Box::new(explanation)))
    }

    fn query_framework(&self, id: &str) -> Result<Query, OperatorError> {
        let unknown = || OperatorError::NotFound(format!("No framework found with ID {id}"));
        let key = self.frameworks.by_id.get(id).copied().ok_or_else(unknown)?;
        Ok(Query::Framework(key))
    }

    fn query_role(&self, name: &str) -> Result<Query, OperatorError> {
        let role = Role::new(name).map_err(|error| OperatorError::Invalid(error.to_string()))?;
        let inside = |name: &Role| *name == role || name.is_below(&role);
        let shares = self.allocator.role_shares();
        if shares.iter().any(|share| inside(&share.role)) {
            return Ok(Query::Role(role));
        }
        let problem = format!("nothing is known of the role '{role}'");
        Err(OperatorError::NotFound(problem))
    }

    fn query_agent(&self, id: &str) -> Result<Query, OperatorError> {
        let unknown = || OperatorError::NotFound(format!("No agent found with ID {id}"));
        let id = AgentId::new(id).map_err(|_| unknown())?;
        let key = self.agents.by_id.get(&id).copied().ok_or_else(unknown)?;
        Ok(Query::Agent(key))
    }

    /// Where a task is and how it is. Why one was never launched only its framework knows.
    fn explain_task(&self, id: &str) -> Result<OperatorReply, OperatorError> {
        let unknown = || {
            OperatorError::NotFound(format!(
                "no framework has launched a task {id}; to see why its framework waits for \
                 offers, explain the framework"
            ))
        };
        let id = TaskId::new(id).map_err(|_| unknown())?;
        let owners = self.frameworks.iter();
        let mut known = owners.filter_map(|owner| self.words_on_task(owner, &id));
        let explanation = services::Explanation {
            summary: known.next().ok_or_else(unknown)?,
            ..Default::default()
        };
        Ok(OperatorReply::Explanation(Box::new(explanation)))
    }

    /// What is known of a framework's task; nothing if it has no such task.
    fn words_on_task(&self, owner: &Framework, id: &TaskId) -> Option<String> {
        let unreachable = owner.unreachable.get(id);
        let task = owner.tasks.get(id).map(|task| &**task);
        let task = task.or(unreachable.map(|lost| &*lost.task))?;
        let agent = self.agents.find(task.agent_id());
        let host = agent.map_or("an agent that is away", |agent| &agent.info.hostname);
        let (name, role, state) = (&owner.info.name, &task.role, task.state);
        let mut text = format!("the task of {name} in role {role} is {state} on {host}");
        if task.priority != 0 {
            text.push_str(&format!(", of priority {}", task.priority));
        }
        if let Some(words) = self.words_on_preemption(owner.key, id) {
            text.push_str("; ");
            text.push_str(&words);
        }
        let last = task.statuses.last();
        let message = last.and_then(|last| last.message.as_deref());
        if let Some(message) = message.filter(|message| !message.is_empty()) {
            text.push_str(": ");
            text.push_str(message);
        }
        Some(text)
    }

    fn told(&self, explanation: &Explanation) -> services::Explanation {
        let waiting = &explanation.waiting;
        let roles: BTreeSet<&Role> = waiting.iter().map(|it| &it.role).collect();
        let findings = waiting.iter().flat_map(|waiting| {
            let told = self.told_reasons(waiting).into_iter();
            told.map(|told| self.finding(waiting, told))
        });
        services::Explanation {
            summary: self.summary(explanation),
            findings: findings.collect(),
            contenders: waiting.iter().map(|it| self.contender(it)).collect(),
            roles: self.standings(&roles),
            left_out: explanation.left_out as u64,
        }
    }

    fn finding(&self, waiting: &Waiting, told: Told<'_>) -> services::Finding {
        let agent = self.agents.get(told.agent).map(|agent| &agent.id);
        services::Finding {
            framework_id: self.framework_id(waiting.framework).map(Into::into),
            role: waiting.role.to_string(),
            agents: told.agents as u64,
            text: told.text,
            agent_id: agent.map(Into::into),
        }
    }

    fn contender(&self, waiting: &Waiting) -> services::Contender {
        let name = |key: &FrameworkKey| self.name_of(*key);
        let idle = match waiting.idle {
            None => "",
            Some(Idle::NotSubscribed) => "left the role",
            Some(Idle::Disconnected) => "disconnected",
            Some(Idle::Suppressed) => "suppressed",
        };
        services::Contender {
            framework_id: self.framework_id(waiting.framework).map(Into::into),
            name: name(&waiting.framework),
            role: waiting.role.to_string(),
            idle: idle.to_owned(),
            ahead: waiting.ahead_count as u64,
            ahead_names: waiting.ahead.iter().map(|(key, _)| name(key)).collect(),
            examined: waiting.looked_at as u64,
            agents: waiting.agents as u64,
            priorities_ahead: self.priorities_ahead(waiting),
            why_behind: waiting.why_behind.as_ref().map(lead).unwrap_or_default(),
        }
    }

    /// The roles that come before a framework's not because of their share.
    fn priorities_ahead(&self, waiting: &Waiting) -> Vec<String> {
        let roles: BTreeSet<&Role> = waiting.ahead.iter().map(|(_, role)| role).collect();
        let before = |role: &&Role| self.allocator.is_before(role, &waiting.role);
        let words = |role: &Role| {
            let priority = self.allocator.priority(role);
            format!("role {role} of priority {priority} is ahead")
        };
        roles.into_iter().filter(before).map(words).collect()
    }

    /// The most frequent reason in a sentence.
    fn summary(&self, explanation: &Explanation) -> String {
        let waiting = explanation.waiting.iter();
        let ahead: BTreeSet<String> = waiting.flat_map(|it| self.priorities_ahead(it)).collect();
        let mut text = self.main_reason(explanation);
        for words in ahead {
            text.push_str("; ");
            text.push_str(&words);
        }
        for waiting in &explanation.waiting {
            let (asks, tasks) = self.room_for(waiting.framework, &waiting.role);
            if asks > 0 {
                let role = &waiting.role;
                text.push_str(&format!(
                    "; room is made in role {role} for {asks} asks, for which {tasks} tasks end"
                ));
            }
        }
        let waiting: BTreeSet<_> = explanation.waiting.iter().map(|it| it.framework).collect();
        for words in waiting
            .into_iter()
            .filter_map(|key| self.words_on_waste(key))
        {
            text.push_str("; ");
            text.push_str(&words);
        }
        text
    }

    fn standings(&self, roles: &BTreeSet<&Role>) -> Vec<services::RoleStanding> {
        let shares = self.allocator.role_shares().into_iter();
        let named = shares.filter(|share| roles.contains(&share.role));
        let standing = |share: tepui_allocator::RoleShare| {
            let quota = self
                .allocator
                .quotas()
                .find(|(role, _)| **role == share.role);
            let (guarantees, limits) = quota.map_or_else(Default::default, |(_, quota)| {
                let limits = quota.limits.iter();
                let limits = limits.map(|(kind, limit)| scalar(kind.name(), limit.as_f64()));
                (resources(&quota.guarantees), limits.collect())
            });
            services::RoleStanding {
                role: share.role.to_string(),
                weight: share.weight.as_f64(),
                priority: share.priority,
                share: share.share,
                guarantees,
                limits,
                consumed: resources(&self.allocator.consumption(&share.role)),
            }
        };
        named.map(standing).collect()
    }

    fn framework_id(&self, key: FrameworkKey) -> Option<&FrameworkId> {
        self.frameworks.get(key).map(|framework| &framework.id)
    }

    fn name_of(&self, key: FrameworkKey) -> String {
        let framework = self.frameworks.get(key);
        framework.map_or_else(String::new, |it| it.info.name.clone())
    }

    /// A reason as people read it: with spans in place of times.
    fn words(&self, reason: &Reason) -> String {
        match reason {
            Reason::HeldFor { framework } => format!("held for {}", self.name_of(*framework)),
            Reason::Filtered { until, refused } if *until == Time::MAX => {
                format!("refused '{refused}' for good")
            }
            Reason::Filtered { until, refused } => {
                let left = until.since(self.now).as_secs_f64();
                format!("refused '{refused}' for another {left:.1} s")
            }
            other => other.to_string(),
        }
    }

    /// The most frequent reason in a sentence.
    fn main_reason(&self, explanation: &Explanation) -> String {
        let waiting = &explanation.waiting;
        if waiting.is_empty() {
            return "no framework competes here".to_owned();
        }
        let told = waiting
            .iter()
            .flat_map(|waiting| self.told_reasons(waiting));
        let told: Vec<Told<'_>> = told.collect();
        let free = told.iter().filter(|it| *it.reason == Reason::NobodyElse);
        let free: usize = free.map(|it| it.agents).sum();
        if free > 0 {
            return format!("nothing is in the way in {free} cases: the next offers are theirs");
        }
        match told.iter().max_by_key(|it| it.agents) {
            Some(main) => {
                let agents = match main.agents {
                    1 => "1 agent".to_owned(),
                    agents => format!("{agents} agents"),
                };
                let text = &main.text;
                match main.reason {
                    Reason::Filtered { .. } => {
                        format!("mostly, on {agents}: it was refused")
                    }
                    _ => format!("mostly, on {agents}: {text}"),
                }
            }
            None if waiting.iter().all(|waiting| waiting.idle.is_some()) => {
                "nobody here takes offers at present".to_owned()
            }
            None => "there are no agents".to_owned(),
        }
    }
}

/// Why somebody is served first, with the figures of both.
fn lead(lead: &Lead) -> String {
    let name = |branch: &Branch| match &branch.role {
        Some(role) => format!("role {role}"),
        None => "that framework".to_owned(),
    };
    let Lead { first, other } = lead;
    let (who, whom) = match &other.role {
        Some(role) => (name(first), format!("role {role}")),
        None => (name(first), "this one".to_owned()),
    };
    let share = |branch: &Branch| {
        let percent = branch.share * 100.0;
        let weight = branch.weight.as_f64();
        if branch.weight == Quantity::from_units(1) {
            format!("{percent:.2} %")
        } else {
            format!("{percent:.2} % at weight {weight}")
        }
    };
    if first.priority != other.priority {
        let (ours, theirs) = (other.priority, first.priority);
        return format!("{who} has priority {theirs}, {whom} {ours}");
    }
    let shares = format!(
        "{who} has a share of {}, {whom} of {}",
        share(first),
        share(other)
    );
    if first.share < other.share {
        return shares;
    }
    let (ours, theirs) = (other.served, first.served);
    format!("{shares}; it was made {theirs} offers, {whom} {ours}")
}

fn resources(scalars: &Scalars) -> Vec<v1::Resource> {
    Resources::from(scalars.clone()).to_proto(None)
}

/// A limit may be zero, which resources cannot be.
fn scalar(name: &str, value: f64) -> v1::Resource {
    v1::Resource {
        name: name.to_owned(),
        r#type: v1::value::Type::Scalar.into(),
        scalar: Some(v1::value::Scalar { value }),
        ..v1::Resource::default()
    }
}

#[cfg(test)]
mod tests;
