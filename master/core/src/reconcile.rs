//! RECONCILE: what the master knows of tasks, told again (Mesos: REC-01, REC-02).

use tepui_model::{FrameworkKey, Reason, TaskId, TaskState, TaskStatus, Time};

use crate::{
    Master,
    calls::TaskQuery,
    effects::{Effects, FrameworkEvent},
    frameworks::Framework,
    tasks::{Task, Verdict, from_master},
};

impl Master {
    pub(crate) fn reconcile(
        &self,
        key: FrameworkKey,
        queries: &[TaskQuery],
        effects: &mut Effects,
    ) {
        let Some(framework) = self.frameworks.get(key) else {
            return;
        };
        let answers: Vec<TaskStatus> = if queries.is_empty() {
            self.all_tasks(framework)
        } else {
            queries
                .iter()
                .filter_map(|query| self.answer(framework, query))
                .collect()
        };
        for status in answers {
            self.tell(key, FrameworkEvent::Update(Box::new(status)), effects);
        }
    }

    /// Every task the master knows, those that are out of reach too.
    fn all_tasks(&self, framework: &Framework) -> Vec<TaskStatus> {
        let known = framework
            .tasks
            .values()
            .filter_map(|task| self.latest(task));
        let lost = framework.unreachable.iter().map(|lost| {
            self.verdict(
                framework,
                lost.task.id(),
                Some(&lost.task),
                Verdict::Unreachable,
                Some(lost.since),
            )
        });
        known.chain(lost).collect()
    }

    /// The answer for one task; none while its agent may still bring it (Mesos: REC-02).
    fn answer(&self, framework: &Framework, query: &TaskQuery) -> Option<TaskStatus> {
        let TaskQuery {
            task_id: id,
            agent_id,
        } = query;
        if let Some(task) = framework.tasks.get(id) {
            return self.latest(task);
        }
        let agent = agent_id.as_ref();
        let (verdict, since) = if let Some(lost) = framework.unreachable.get(id) {
            (Verdict::Unreachable, Some(lost.since))
        } else if self.is_recovering(agent) {
            return None;
        } else if agent.is_some_and(|agent| self.is_registered(agent)) {
            (Verdict::Gone, None)
        } else if let Some(since) = agent.and_then(|agent| self.agents.unreachable.since(agent)) {
            (Verdict::Unreachable, Some(since))
        } else if agent.is_some_and(|agent| self.agents.gone.contains(agent)) {
            (Verdict::GoneByOperator, None)
        } else {
            (Verdict::Unknown, None)
        };
        let lost = framework.unreachable.get(id).map(|lost| &*lost.task);
        let mut status = self.verdict(framework, id, lost, verdict, since);
        status.agent_id = status.agent_id.or_else(|| agent.cloned());
        Some(status)
    }

    /// The newest state that the framework may know; nothing while its agent is about to tell it.
    fn latest(&self, task: &Task) -> Option<TaskStatus> {
        if task.is_about_to_end() {
            return None;
        }
        let reason = Reason::Reconciliation;
        let message = "Reconciliation: Latest task state";
        let agent = Some(task.agent_id().clone());
        let mut status = from_master(
            self.now,
            task.id().clone(),
            agent,
            task.told_state(),
            reason,
            message,
        );
        if let Some(last) = task.statuses.last() {
            status.healthy = last.healthy;
            status.executor_id = last.executor_id.clone();
            status.passengers.check_status = last.passengers.check_status;
            status.passengers.container_status = last.passengers.container_status.clone();
        }
        Some(status)
    }

    fn verdict(
        &self,
        framework: &Framework,
        id: &TaskId,
        task: Option<&Task>,
        verdict: Verdict,
        since: Option<Time>,
    ) -> TaskStatus {
        let message = match verdict {
            Verdict::Gone => "Reconciliation: Task is unknown to the agent",
            Verdict::Unreachable => "Reconciliation: Task is unreachable",
            Verdict::GoneByOperator => "Reconciliation: Task is gone",
            Verdict::Unknown | Verdict::Dropped => "Reconciliation: Task is unknown",
        };
        let state: TaskState = verdict.state(framework.is_partition_aware());
        let agent = task.map(|task| task.agent_id().clone());
        let reason = Reason::Reconciliation;
        let mut status = from_master(self.now, id.clone(), agent, state, reason, message);
        status.unreachable_time = since;
        status
    }
}

#[cfg(test)]
mod tests;
